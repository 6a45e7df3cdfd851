/** The TDS server of the tests, in a process of its own: prints its URL, and ends with its standard input. */
import { startTdsServer } from '../engines/tds.ts'

const server = await startTdsServer()
console.log(server.url)
// Its threads do not keep a process from ending, and it has files to remove.
const alive = setInterval(() => {}, 1000)
process.stdin.resume().once('end', () => void server.stop().finally(() => clearInterval(alive)))
