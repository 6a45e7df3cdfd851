import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mssql } from '../../adapters/sql/mssql.ts'
import { Sql } from '../../src/sql/index.ts'
import { type Figure, inTurns, type Pair, timed } from './figure.ts'
import { connected, Int, NVarChar } from './sql-mssql-bare.ts'

const run = promisify(execFile)
const million = 1_000_000
const columns = 'id int primary key, name nvarchar(50) not null, n bigint not null'

/*
 * Against the TDS server of the tests, which is SQLite and not SQL Server: what they say is what the client costs, and
 * what it sends. With SQLSERVER_URL against that server, which needs to take unencrypted connections, in tables
 * `items` and `target` of its own database.
 */
export const figures: readonly Figure[] = [
  select('mssql.select.tcp.c50', "mssql, validateConnection: 'socket'", 0.93, {
    validateConnection: 'socket',
  }),
  select('mssql.select.tcp.c50.defaults', 'mssql, as it comes: SELECT 1 first', undefined, {}),
  {
    name: 'mssql.stream.1M.memory',
    bare: 'mssql, stream',
    unit: 'MB',
    comparison: 'total',
    target: 100,
    measure: () =>
      atServer(async (url) => {
        await prepare(url, million)
        return [{ dualport: await read('mssql', url), bare: await read('bare', url) }]
      }),
  },
  {
    name: 'mssql.bulkInsert.100k',
    bare: 'mssql, row by row (500, per row)',
    unit: 'us',
    comparison: 'ratio',
    target: 10,
    measure: () => atServer(bulk),
  },
  {
    name: 'mssql.abort.1000.running',
    bare: 'none',
    unit: 'requests',
    comparison: 'total',
    target: 0,
    measure: () => atServer(aborts),
  },
]

function select(
  name: string,
  bareIs: string,
  target: number | undefined,
  options: Parameters<typeof connected>[1],
): Figure {
  return {
    name,
    bare: bareIs,
    unit: 'us',
    comparison: 'ratio',
    ...(target !== undefined && { target }),
    measure: () =>
      atServer(async (url) => {
        await prepare(url, 10_000)
        await using sql = new Sql(mssql({ url, maxPoolSize: 5 }))
        const bare = await connected(url, options)
        const id = 4711
        const ours = () => sql.query`select id, name, n from items where id = ${id}`
        const theirs = () =>
          bare.request().input('id', Int, id).query('select id, name, n from items where id = @id')
        try {
          const [row] = await ours()
          const [same] = (await theirs()).recordset
          if (row?.n !== BigInt(same?.n as string)) throw new Error('the rows are not the same')
          return await inTurns(
            9,
            () => timed(500, 50, ours),
            () => timed(500, 50, theirs),
          )
        } finally {
          await bare.close()
        }
      }),
  }
}

async function bulk(url: string): Promise<Pair[]> {
  await using sql = new Sql(mssql({ url }), { timeoutMs: 30_000 })
  const bare = await connected(url, { validateConnection: 'socket' })
  const rows = Array.from({ length: 100_000 }, (_, i) => ({ id: i, name: `name ${i}`, n: i }))
  const emptied = async () => {
    await sql.execute`drop table if exists target`
    await sql.execute(sql.raw(`create table target (${columns})`))
  }
  const perRow = (count: number, started: number) => ((performance.now() - started) * 1000) / count
  try {
    return await inTurns(
      1,
      async () => {
        await emptied()
        const started = performance.now()
        const inserted = await sql.bulkInsert('target', rows)
        if (inserted !== rows.length) throw new Error(`${inserted} rows were inserted`)
        return perRow(inserted, started)
      },
      async () => {
        await emptied()
        const some = rows.slice(0, 500)
        const started = performance.now()
        for (const { id, name, n } of some) {
          const request = bare.request().input('id', Int, id).input('name', NVarChar(50), name)
          await request.input('n', Int, n).query('insert into target values (@id, @name, @n)')
        }
        return perRow(some.length, started)
      },
    )
  } finally {
    await bare.close()
  }
}

/** By the server's own list of what runs, 100 ms after the last of each hundred. */
async function aborts(url: string): Promise<Pair[]> {
  await using sql = new Sql(mssql({ url, maxPoolSize: 20 }), { logger: false })
  await using observer = new Sql(mssql({ url, maxPoolSize: 1 }), { timeoutMs: 30_000 })
  const aborted = async () => {
    const aborter = new AbortController()
    setTimeout(() => aborter.abort(), Math.random() * 100)
    const wait = sql.raw(`waitfor delay '00:00:10'`, [])
    await sql.query(wait, { signal: aborter.signal }).catch(() => {})
  }
  let running = 0
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 100 }, aborted))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const requests = await observer.query`select session_id from sys.dm_exec_requests
      where command = 'WAITFOR'`
    running += requests.length
  }
  return [{ dualport: running, bare: 0 }]
}

/** With that many rows in `items`. */
async function prepare(url: string, count: number): Promise<void> {
  await using sql = new Sql(mssql({ url }), { timeoutMs: 60_000 })
  await sql.execute`drop table if exists items`
  await sql.execute(sql.raw(`create table items (${columns})`))
  function* rows() {
    for (let id = 0; id < count; id++) yield { id, name: `name ${id}`, n: id }
  }
  await sql.bulkInsert('items', rows())
}

async function atServer<T>(work: (url: string) => Promise<T>): Promise<T> {
  const given = process.env.SQLSERVER_URL
  if (given !== undefined) return work(given)
  const program = fileURLToPath(new URL('./sql-mssql-server.ts', import.meta.url))
  const server = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    return await work(line.toString().trim())
  } finally {
    const ended = once(server, 'exit')
    server.stdin.end()
    await ended
  }
}

/** In a process of its own, which says how much it has grown. */
async function read(by: 'mssql' | 'bare', url: string): Promise<number> {
  const reader = fileURLToPath(new URL('./sql-mssql-reader.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [reader, by, url])
  const { count, addedMb } = JSON.parse(stdout) as { count: number; addedMb: number }
  if (count !== million) throw new Error(`${count} rows were read`)
  return addedMb
}
