import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Connection, createConnection, createPool } from 'mysql2/promise'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { Sql } from '../../src/sql/index.ts'
import { type Figure, inTurns, timed } from './figure.ts'

const run = promisify(execFile)
const database = 'bench'
const million = 1_000_000
const poolSize = 5

const perRow = (rows: number, ms: number) => (ms * 1000) / rows

/** MySQL and MariaDB over TCP, beside bare mysql2 with the same pool and values as exact. */
export const figures: readonly Figure[] = [
  {
    name: 'mysql.select.tcp.c50',
    bare: 'mysql2 execute',
    unit: 'us',
    comparison: 'ratio',
    target: 0.93,
    async measure(stage) {
      const { url } = await stage.mysql()
      const at = await prepared(url)
      await using sql = new Sql(mysql2({ url: at, maxPoolSize: poolSize }))
      const bare = createPool({
        uri: at,
        connectionLimit: poolSize,
        rowsAsArray: true,
        supportBigNumbers: true,
        dateStrings: true,
        jsonStrings: true,
      })
      const id = 4711
      const ours = () => sql.query`select id, name, n from items where id = ${id}`
      const theirs = () => bare.execute('select id, name, n from items where id = ?', [id])
      try {
        const [row] = await ours()
        const [[same]] = (await theirs()) as unknown as [unknown[][]]
        if (row?.n !== BigInt(same?.[2] as number)) throw new Error('the rows are not the same')
        return await inTurns(
          25,
          () => timed(5000, 50, ours),
          () => timed(5000, 50, theirs),
        )
      } finally {
        await bare.end()
      }
    },
  },
  {
    name: 'mysql.stream.1M.memory',
    bare: 'mysql2 execute, stream',
    unit: 'MB',
    comparison: 'total',
    target: 100,
    async measure(stage) {
      const { url } = await stage.mysql()
      const at = await prepared(url)
      return [{ dualport: await read('mysql2', at), bare: await read('bare', at) }]
    },
  },
  {
    name: 'mysql.bulkInsert.100k',
    bare: 'mysql2 execute, row by row (5,000, per row)',
    unit: 'us',
    comparison: 'ratio',
    target: 10,
    async measure(stage) {
      const { url } = await stage.mysql()
      const at = await prepared(url)
      await using sql = new Sql(mysql2({ url: at }))
      const bare = await createConnection(at)
      const rows = Array.from({ length: 100_000 }, (_, i) => ({ id: i, name: `name ${i}`, n: i }))
      try {
        return await inTurns(
          5,
          async () => {
            await bare.query('truncate table target')
            const started = performance.now()
            const inserted = await sql.bulkInsert('target', rows, { timeoutMs: 30_000 })
            if (inserted !== rows.length) throw new Error(`${inserted} rows were inserted`)
            return perRow(rows.length, performance.now() - started)
          },
          async () => {
            await bare.query('truncate table target')
            const some = rows.slice(0, 5000)
            const started = performance.now()
            for (const { id, name, n } of some) {
              await bare.execute('insert into target (id, name, n) values (?, ?, ?)', [id, name, n])
            }
            return perRow(some.length, performance.now() - started)
          },
        )
      } finally {
        await bare.end()
      }
    },
  },
  {
    name: 'mysql.abort.1000.running',
    bare: 'none',
    unit: 'requests',
    comparison: 'total',
    target: 0,
    async measure(stage) {
      const { url } = await stage.mysql()
      const at = await prepared(url)
      const observer = await createConnection(at)
      // Not SLEEP: two of MariaDB's threads wait for each other if one is killed just as it falls asleep.
      await observer.query("select get_lock('busy', 0)")
      await using sql = new Sql(mysql2({ url: at, maxPoolSize: 100 }), { logger: false })
      const aborted = async () => {
        const aborter = new AbortController()
        setTimeout(() => aborter.abort(), Math.random() * 100)
        await sql
          .query(sql.raw("select get_lock('busy', 10)"), { signal: aborter.signal })
          .catch(() => {})
      }
      try {
        let running = 0
        for (let round = 0; round < 10; round++) {
          await Promise.all(Array.from({ length: 100 }, aborted))
          await new Promise((resolve) => setTimeout(resolve, 100))
          running += await waiting(observer)
        }
        return [{ dualport: running, bare: 0 }]
      } finally {
        await observer.end()
      }
    },
  },
]

async function waiting(observer: Connection): Promise<number> {
  const [rows] = await observer.query(
    "select count(*) as n from information_schema.processlist where info like 'select get_lock%'",
  )
  return (rows as { n: number }[])[0]!.n
}

/** With a table of a million rows. */
async function prepared(url: string): Promise<string> {
  const at = new URL(database, url).href
  const connection = await createConnection(url)
  try {
    await connection.query(`create database if not exists ${database}`)
    await connection.changeUser({ database })
    const columns = 'id int primary key, name varchar(50) not null, n bigint not null'
    await connection.query(`create table if not exists items (${columns})`)
    await connection.query(`create table if not exists target (${columns})`)
    const [rows] = await connection.query('select count(*) as n from items')
    for (let from = (rows as { n: number }[])[0]!.n; from < million; from += 10_000) {
      const some = Array.from({ length: 10_000 }, (_, i) => `(${from + i},'name ${from + i}',${i})`)
      await connection.query(`insert into items values ${some.join()}`)
    }
  } finally {
    await connection.end()
  }
  return at
}

/** In a process of its own, which says how much it has grown. */
async function read(by: 'mysql2' | 'bare', url: string): Promise<number> {
  const reader = fileURLToPath(new URL('./sql-mysql-reader.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [reader, by, url])
  const { count, addedMb } = JSON.parse(stdout) as { count: number; addedMb: number }
  if (count !== million) throw new Error(`${count} rows were read`)
  return addedMb
}
