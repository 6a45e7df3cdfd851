import type { Attempt } from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  ProcedureCall,
  Reply,
  Statement,
} from '../../../src/sql/index.ts'
import { callReplyOf, replyOf } from './answers.ts'
import type { Answer, TypedParameters } from './library.ts'
import type { Session } from './session.ts'
import { encode } from './values.ts'

/** What one session does of an `Executor`'s work. `answered` hears what the server said. */
export interface Work<T> {
  on(session: Session, attempt: Attempt, answered?: (answer: Answer) => void): Promise<T>
}

export function run(statement: Statement, types: TypedParameters): Work<Reply> {
  const { text, parameters, kind, insertId } = statement
  return {
    async on(session, attempt, answered) {
      // Not worth preparing: it runs once, and would drive out one that is of use.
      if (kind === 'DDL' && parameters.length === 0) {
        const answer = await session.query(text, attempt)
        answered?.(answer)
        return replyOf(answer, undefined, kind, false)
      }
      const [answer, prepared] = await session.execute(text, encode(parameters, types), attempt)
      answered?.(answer)
      return replyOf(answer, prepared, kind, insertId)
    },
  }
}

export function call({ name, parameters }: ProcedureCall, types: TypedParameters): Work<CallReply> {
  const text = `CALL ${quoted(name)}(${parameters.map(() => '?').join(', ')})`
  return {
    async on(session, attempt, answered) {
      const [answer] = await session.execute(text, encode(parameters, types), attempt)
      answered?.(answer)
      return callReplyOf(answer)
    },
  }
}

export function insert(insertion: Insertion, types: TypedParameters): Work<number> {
  const { table, columns, rows } = insertion
  const row = `(${columns.map(() => '?').join(',')})`
  const names = columns.map((column) => quoted([column])).join(',')
  const all = new Array<string>(rows.length).fill(row).join(',')
  const text = `INSERT INTO ${quoted(table)} (${names}) VALUES ${all}`
  return {
    async on(session, attempt, answered) {
      const answer = await session.executeBulk(text, encode(rows.flat(), types), attempt)
      answered?.(answer)
      return replyOf(answer, undefined, 'INSERT', false).rowsAffected
    },
  }
}

export function quoted(name: readonly string[]): string {
  return name.map((part) => `\`${part.replaceAll('`', '``')}\``).join('.')
}
