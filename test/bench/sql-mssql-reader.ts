/**
 * Reads the million rows of `items` and prints how many there were, and the megabytes of resident memory that they
 * added at most: `sql-mssql-reader.ts mssql|bare URL`.
 */
import { mssql } from '../../adapters/sql/mssql.ts'
import { Sql } from '../../src/sql/index.ts'
import { connected } from './sql-mssql-bare.ts'

const [by, url = ''] = process.argv.slice(2)
const text = 'select id, name, n from items'

const { rows, close } = await (by === 'bare' ? bare() : ours())
const before = process.memoryUsage.rss()
let most = before
let count = 0
for await (const _ of rows) {
  if (++count % 1000 === 0) most = Math.max(most, process.memoryUsage.rss())
}
await close()
console.log(JSON.stringify({ count, addedMb: (most - before) / 2 ** 20 }))

// The libraries are loaded and connected by then.
async function ours() {
  const sql = new Sql(mssql({ url }), { timeoutMs: 60_000 })
  await sql.health()
  return { rows: sql.stream(sql.fragment`select id, name, n from items`), close: () => sql.close() }
}

async function bare() {
  const pool = await connected(url, { validateConnection: 'socket' })
  const request = pool.request()
  request.stream = true
  const rows: AsyncIterable<unknown> = request.toReadableStream()
  void request.query(text).catch(() => {})
  return { rows, close: () => pool.close() }
}
