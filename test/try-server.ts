import { appendFileSync } from 'node:fs'
import { startTdsServer } from './engines/tds.ts'
const log = (s: string) => appendFileSync('/tmp/srv.log', `${Math.round(performance.now())} ${s}\n`)
const server = await startTdsServer()
console.log(server.url)
process.stdin.resume().once('end', () => { log('end'); server.stop().then(() => log('stopped ' + process.getActiveResourcesInfo())) })
setInterval(() => log('tick ' + server.open + ' ' + process.getActiveResourcesInfo().length), 2000).unref()
process.on('exit', () => log('exit'))
