import { type Attempt, detachedAttempt } from '../../../src/core/index.ts'
import type { Executor, Page } from '../../../src/sql/index.ts'
import {
  readCallReply,
  readCount,
  readReply,
  readRows,
  writeParameter,
  writeStatement,
  writeTyped,
} from '../../../src/sql/wire.ts'
import { Refused } from './failures.ts'

type Fields = Readonly<Record<string, unknown>>

/** One request: the path below the gateway's own, and its body. */
export type Post = (path: string, body: object, attempt: Attempt) => Promise<Fields>

/** Statements at the gateway, or in one of its transactions. */
export function executorOver(post: Post): Executor {
  const page = (reply: Fields): Page => {
    const rows = readRows(reply)
    const { cursor } = reply
    return { ...rows, rest: typeof cursor === 'string' ? cursorOf(cursor) : undefined }
  }
  const cursorOf = (cursor: string): Page['rest'] => ({
    async next(attempt) {
      try {
        return page(await post('/next', { cursor }, attempt))
      } catch (error) {
        // The page may be lost on its way: nobody can go on from here, and nobody waits for this.
        if (!(error instanceof Refused)) {
          post('/close', { cursor }, detachedAttempt('CLOSE', 1000)).catch(() => {})
        }
        throw error
      }
    },
    async close(attempt) {
      await post('/close', { cursor }, attempt)
    },
  })
  return {
    async run(statement, attempt) {
      const { insertId } = statement
      return readReply(await post('/query', { ...writeStatement(statement), insertId }, attempt))
    },
    async open(statement, pageRows, attempt) {
      return page(await post('/open', { ...writeStatement(statement), pageRows }, attempt))
    },
    async call({ name, parameters }, attempt) {
      const given = parameters.map(({ name, output, ...parameter }) => ({
        name,
        output,
        ...writeTyped(parameter),
      }))
      return readCallReply(await post('/call', { name, parameters: given }, attempt))
    },
    async insert({ table, columns, rows }, attempt) {
      const body = { table, columns, rows: rows.map((row) => row.map(writeParameter)) }
      return readCount((await post('/insert', body, attempt)).rowsAffected)
    },
  }
}
