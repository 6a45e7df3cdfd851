/** The TDS server of the tests, in a process of its own: prints its URL, and ends with its standard input. */
import { startTdsServer } from '../engines/tds.ts'

const server = await startTdsServer()
console.log(server.url)
process.stdin.resume().once('end', () => void server.stop())
