/**
 * Reads the million rows of `items` and prints how many there were, and the megabytes of resident memory that they
 * added at most: `sql-mysql-reader.ts mysql2|bare URL`.
 */
import { createConnection } from 'mysql2'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { Sql } from '../../src/sql/index.ts'

const [by, url = ''] = process.argv.slice(2)

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
  const sql = new Sql(mysql2({ url }), { timeoutMs: 60_000 })
  await sql.health()
  return { rows: sql.stream`select id, name, n from items`, close: () => sql.close() }
}

async function bare() {
  const connection = createConnection(url)
  await connection.promise().ping()
  const rows: AsyncIterable<unknown> = connection
    .execute('select id, name, n from items')
    .stream({ highWaterMark: 1000 })
  return { rows, close: () => connection.promise().end() }
}
