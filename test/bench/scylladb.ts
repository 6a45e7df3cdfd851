import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Client, types } from 'cassandra-driver'
import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'
import { ScyllaDB, TimeSeries } from '../../src/scylladb/index.ts'
import { ChaosProxy } from '../chaos/proxy.ts'
import { type Figure, inTurns, timed } from './figure.ts'
import { build } from './import.ts'

const run = promisify(execFile)

const cql = 'SELECT id, name, visits, at FROM bench.one WHERE id = ?'
const row = { id: 7, name: 'Ann', visits: 2n ** 40n, at: new Date(0) }
const days = 30
const rowsOfDay = 10_000
const firstDay = Date.UTC(2026, 0, 1)
const dayMs = 86_400_000

export const figures: Figure[] = [
  {
    name: 'scylladb.select.tcp.c100',
    bare: 'cassandra-driver',
    unit: 'us',
    comparison: 'ratio',
    target: 0.93,
    async measure(stage) {
      const { hosts, localDataCenter } = await stage.cassandra()
      await using ours = new ScyllaDB(cassandraDriver({ hosts, localDataCenter }))
      await prepare(ours)
      // With the same values, at the same level.
      const encoding = { map: Map, set: Set, useBigIntAsLong: true, useBigIntAsVarint: true }
      const bare = new Client({ contactPoints: [...hosts], localDataCenter, encoding })
      const { localQuorum: consistency } = types.consistencies
      const here = async () => {
        const { rows } = await ours.execute(cql, [row.id])
        if (rows[0]?.visits !== row.visits) throw new Error('the reply is not the row')
      }
      const there = async () => {
        const { rows } = await bare.execute(cql, [row.id], { prepare: true, consistency })
        if (rows[0]?.visits !== row.visits) throw new Error('the reply is not the row')
      }
      try {
        return await inTurns(
          25,
          () => timed(10_000, 100, here),
          () => timed(10_000, 100, there),
        )
      } finally {
        await bare.shutdown()
      }
    },
  },
  {
    name: 'scylladb.range.30days',
    bare: 'one bucket after the other',
    unit: 'ms',
    comparison: 'ratio',
    target: 3,
    async measure(stage) {
      const { hosts, localDataCenter, port } = await stage.cassandra()
      const proxy = new ChaosProxy(port)
      await proxy.listen()
      await using direct = new ScyllaDB(cassandraDriver({ hosts, localDataCenter }))
      await fill(direct)
      await using far = new ScyllaDB(
        cassandraDriver({ hosts: [`127.0.0.1:${proxy.port}`], localDataCenter }),
      )
      await far.health()
      await proxy.setMode({ delayMs: 2 })
      try {
        return await inTurns(
          7,
          () => readAll(far, undefined),
          () => readAll(far, 1),
        )
      } finally {
        await proxy.close()
      }
    },
  },
  {
    name: 'scylladb.start.tcp',
    bare: 'the same, after a first health()',
    unit: 'ms',
    comparison: 'difference',
    async measure(stage) {
      const { hosts, localDataCenter } = await stage.cassandra()
      await using client = new ScyllaDB(cassandraDriver({ hosts, localDataCenter }))
      await prepare(client)
      build()
      const options = JSON.stringify({ hosts, localDataCenter })
      return inTurns(
        10,
        () => firstRow(options, false),
        () => firstRow(options, true),
      )
    },
  },
]

async function prepare(client: ScyllaDB): Promise<void> {
  const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`
  await client.execute(`CREATE KEYSPACE IF NOT EXISTS bench WITH replication = ${replication}`)
  await client.execute(
    'CREATE TABLE IF NOT EXISTS bench.one (id int PRIMARY KEY, name text, visits bigint, at timestamp)',
  )
  const insert = 'INSERT INTO bench.one (id, name, visits, at) VALUES (:id, :name, :visits, :at)'
  await client.execute(insert, row)
}

// A month ----------------------------------------------------------------------------------------

const readings = {
  table: 'bench.readings',
  key: ['device'],
  bucket: 'day',
  time: 'at',
  every: 'day',
} as const

/** A bucket for each of 30 days, with so many rows of a moment and a number each. */
async function fill(client: ScyllaDB): Promise<void> {
  await prepare(client)
  await client.execute(
    `CREATE TABLE IF NOT EXISTS bench.readings (device int, day date, at timestamp, celsius double,
      PRIMARY KEY ((device, day), at)) WITH CLUSTERING ORDER BY (at DESC)`,
  )
  const table = new TimeSeries(client, readings)
  const step = Math.floor(dayMs / rowsOfDay)
  let next = 0
  const insert = async () => {
    while (next < days * rowsOfDay) {
      const i = next++
      const at = new Date(firstDay + Math.floor(i / rowsOfDay) * dayMs + (i % rowsOfDay) * step)
      await table.insert({ device: 1, at, celsius: i / 100 }, { timeoutMs: 20_000 })
    }
  }
  await Promise.all(Array.from({ length: 100 }, insert))
}

/** Milliseconds. */
async function readAll(client: ScyllaDB, fanOut: number | undefined): Promise<number> {
  const table = new TimeSeries(client, readings)
  const range = { from: new Date(firstDay), to: new Date(firstDay + days * dayMs), fanOut }
  const started = performance.now()
  let count = 0
  for await (const _ of table.range({ device: 1 }, range)) count++
  if (count !== days * rowsOfDay) throw new Error(`${count} rows were read`)
  return performance.now() - started
}

// A first row ------------------------------------------------------------------------------------

/** Milliseconds from the start of a process to its first row; `warm`: from the end of a first `health()`. */
async function firstRow(options: string, warm: boolean): Promise<number> {
  const started = Date.now()
  const { stdout } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    `
    import { ScyllaDB } from 'dualport/scylladb'
    import { cassandraDriver } from 'dualport/scylladb/cassandra-driver'
    const scylla = new ScyllaDB(cassandraDriver(${options}))
    ${warm ? 'await scylla.health()' : ''}
    const from = ${warm ? 'Date.now()' : started}
    await scylla.one('SELECT name FROM bench.one WHERE id = ?', [7])
    console.log(Date.now() - from)
    await scylla.close()
  `,
  ])
  return Number(stdout)
}
