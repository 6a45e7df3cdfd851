import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mssql } from '../adapters/sql/mssql.ts'
import { Sql } from '../src/sql/index.ts'
const server = spawn(process.execPath, ['test/try-server.ts'], { stdio: ['pipe', 'pipe', 'ignore'] })
const [line] = await once(server.stdout, 'data')
const url = line.toString().trim()
const sql = new Sql(mssql({ url, maxPoolSize: 20 }), { logger: false })
const observer = new Sql(mssql({ url, maxPoolSize: 1 }), { timeoutMs: 8000, logger: false })
const aborted = async () => {
  const aborter = new AbortController()
  setTimeout(() => aborter.abort(), Math.random() * 100)
  await sql.query(sql.raw(`waitfor delay '00:00:10'`, []), { signal: aborter.signal }).catch(() => {})
}
let bad = false
for (let round = 0; round < 10; round++) {
  await Promise.all(Array.from({ length: 100 }, aborted))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const r = await observer.query`select session_id from sys.dm_exec_requests where command = 'WAITFOR'`.catch((e) => e.message)
  console.log(round, sql.pool(), r, observer.pool())
  if (typeof r === 'string') { bad = true; break }
}
const t = setTimeout(() => profile(), 5000)
async function profile() {
  const [{ webSocketDebuggerUrl }] = await (await fetch('http://127.0.0.1:9777/json')).json() as any
  const ws = new WebSocket(webSocketDebuggerUrl)
  let id = 0
  const send = (method: string, params = {}) => ws.send(JSON.stringify({ id: ++id, method, params }))
  ws.onmessage = ({ data }) => {
    const m = JSON.parse(data)
    if (m.result?.profile) {
      const nodes = m.result.profile.nodes.map((n: any) => [n.hitCount, n.callFrame.functionName, n.callFrame.url.split('/').pop(), n.callFrame.lineNumber]).sort((a: any, b: any) => b[0] - a[0]).slice(0, 15)
      console.log(nodes.map(String).join('\n'))
      server.kill('SIGKILL'); process.exit(1)
    }
  }
  ws.onopen = () => { send('Profiler.enable'); send('Profiler.start'); setTimeout(() => send('Profiler.stop'), 3000) }
}
await sql.close(); await observer.close()
console.log('closed')
server.stdin.end()
await once(server, 'exit')
clearTimeout(t)
console.log('done')
