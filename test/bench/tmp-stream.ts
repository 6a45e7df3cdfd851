import { createServer } from 'node:http'
import { once } from 'node:events'
import { createAdaptorServer } from '../../node_modules/@hono/node-server/dist/index.mjs'
import { startMysql } from '../../test/engines/mariadb.ts'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { gateway as http } from '../../adapters/sql/gateway.ts'
import { Sql } from '../../src/sql/index.ts'
import { createGateway } from '../../src/gateway/index.ts'
const my = await startMysql()
const direct = new Sql(mysql2({ url: my.url + 'mysql' }), { logger: false })
const g = createGateway({ token: 't', sqlserver: direct, logger: false })
const s = createAdaptorServer({ fetch: g.fetch }) as any
await once(s.listen(0, '127.0.0.1'), 'listening')
const sql = new Sql(http({ url: `http://127.0.0.1:${s.address().port}/sqlserver`, token: 't', dialect: 'mysql' }), { logger: false })
async function run(n: number, who: Sql) {
  const before = process.memoryUsage().rss; let peak = 0, rows = 0
  const t = performance.now()
  for await (const r of who.stream(who.raw(`select seq as id, concat('name', seq) as name, now() as d from seq_1_to_${n}`), { timeoutMs: 30000 })) { if (++rows % 10000 === 0) peak = Math.max(peak, process.memoryUsage().rss) }
  console.log(rows, 'rows', Math.round(performance.now() - t), 'ms', 'rss +', Math.round((peak - before) / 1e6), 'MB')
}
try {
const N = 2000, C = 50
async function bench(name: string, who: Sql) {
  let i = 0; const t = performance.now()
  await Promise.all(Array.from({ length: C }, async () => { while (i++ < N) await who.query`select ${5} as a, ${'x'} as b` }))
  console.log(name, Math.round(N / ((performance.now() - t) / 1000)), 'queries/s')
}

async function raw(name: string, path: string, body: object) {
  let i = 0; const t = performance.now()
  await Promise.all(Array.from({ length: C }, async () => { while (i++ < N) { const r = await fetch(`http://127.0.0.1:${s.address().port}/sqlserver${path}`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: 'Bearer t' } }); await r.text() } }))
  console.log(name, Math.round(N / ((performance.now() - t) / 1000)), 'requests/s')
}
for (let k = 0; k < 3; k++) {
await bench('mysql2', direct); await bench('gateway', sql)
await raw('404', '/nope', {})
await raw('ping', '/ping', {})
await raw('query', '/query', { text: 'select ? as a', parameters: [1] })
await raw('query not reading', '/query', { text: 'do ?', parameters: [1] })
let i = 0; const t = performance.now()
await Promise.all(Array.from({ length: C }, async () => { while (i++ < N) { const st = direct.stream(direct.raw('select ? as a', [1])); await st.nextReply(undefined); await st.close() } }))
console.log('stream direct', Math.round(N / ((performance.now() - t) / 1000)))
}
} finally { await sql.close(); g.close(); s.closeAllConnections(); s.close(); await direct.close(); await my.stop() }
