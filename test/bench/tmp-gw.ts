import { once } from 'node:events'
import { fork } from 'node:child_process'
import { createAdaptorServer } from '@hono/node-server'
import { startMysql } from '../engines/mariadb.ts'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { gateway as http } from '../../adapters/sql/gateway.ts'
import { Sql } from '../../src/sql/index.ts'
import { createGateway } from '../../src/gateway/index.ts'
if (process.argv[2] === 'gw') {
  const direct = new Sql(mysql2({ url: process.argv[3]! + 'mysql' }), { logger: false })
  const g = createGateway({ token: 't', sqlserver: direct, logger: false })
  const s = createAdaptorServer({ fetch: g.fetch }) as any
  await once(s.listen(0, '127.0.0.1'), 'listening')
  let base = 0, peak = { rss: 0 } as any
  setInterval(() => { const m = process.memoryUsage(); if (m.rss > peak.rss) peak = m }, 20)
  process.on('message', (m) => { if (m === 'start') { peak = process.memoryUsage(); base = peak.rss } else { process.send!({ mb: Math.round((peak.rss - base) / 1e6), base: Math.round(base/1e6), peak: Object.fromEntries(Object.entries(peak).map(([k, v]) => [k, Math.round((v as number)/1e6)])) }) } })
  process.on('disconnect', () => process.exit())
  process.send!(s.address().port)
} else {
  const my = await startMysql()
  const child = fork('test/bench/tmp-gw.ts', ['gw', my.url])
  try {
    const [port] = await once(child, 'message')
    const sql = new Sql(http({ url: `http://127.0.0.1:${port}/sqlserver`, token: 't', dialect: 'mysql' }), { logger: false })
    const run = async (n: number) => {
      child.send('start')
      const before = process.memoryUsage().rss; let peak = 0, rows = 0
      const t = performance.now()
      for await (const _ of sql.stream(sql.raw(`select seq as id, concat('name', seq) as name, now() as d from seq_1_to_${n}`), { timeoutMs: 30000 })) { if (++rows % 5000 === 0) peak = Math.max(peak, process.memoryUsage().rss) }
      child.send('end'); const [gw] = await once(child, 'message')
      console.log(rows, Math.round(performance.now() - t), 'ms; client +', Math.round((peak - before) / 1e6), 'gateway +', JSON.stringify(gw))
    }
    await run(10_000); await run(1_000_000); await run(1_000_000)
    await sql.close()
  } finally { child.disconnect(); await my.stop() }
}
