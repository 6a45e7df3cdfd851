import { gateway } from '../../adapters/scylladb/gateway.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { type Figure, inTurns, timed } from './figure.ts'
import type { Stage } from './stage.ts'

const cql = 'SELECT id, name, visits, at FROM bench.one WHERE id = ?'
const row = { id: 7, name: 'Ann', visits: 2n ** 40n, at: new Date(0) }

export const figures: Figure[] = [1, 100].map((concurrency) => ({
  name: `scylladb.select.http.c${concurrency}`,
  bare: 'fetch and JSON',
  unit: 'us',
  comparison: 'ratio',
  async measure(stage) {
    const { url, token } = await stage.scylladbGateway()
    await using ours = new ScyllaDB(gateway({ url, token }))
    await prepare(ours, stage)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const byHand = async () => {
      const body = JSON.stringify({ cql, parameters: [row.id], consistency: 'LOCAL_QUORUM' })
      const response = await fetch(`${url}/execute`, { method: 'POST', headers, body })
      const { rows } = (await response.json()) as { rows: [[number, string, { $n: string }]] }
      if (BigInt(rows[0][2].$n) !== row.visits) throw new Error('the reply is not the row')
    }
    const here = async () => {
      const { rows } = await ours.execute(cql, [row.id])
      if (rows[0]?.visits !== row.visits) throw new Error('the reply is not the row')
    }
    const operations = concurrency === 1 ? 300 : 3000
    return await inTurns(
      15,
      () => timed(operations, concurrency, here),
      () => timed(operations, concurrency, byHand),
    )
  },
}))

async function prepare(client: ScyllaDB, stage: Stage): Promise<void> {
  await stage.cassandra()
  const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`
  await client.execute(`CREATE KEYSPACE IF NOT EXISTS bench WITH replication = ${replication}`)
  await client.execute(
    'CREATE TABLE IF NOT EXISTS bench.one (id int PRIMARY KEY, name text, visits bigint, at timestamp)',
  )
  const insert = 'INSERT INTO bench.one (id, name, visits, at) VALUES (:id, :name, :visits, :at)'
  await client.execute(insert, row)
}
