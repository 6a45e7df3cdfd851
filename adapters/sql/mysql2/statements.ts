import type { Attempt } from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  Parameter,
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

/** Half of the least that a server takes in one statement by default: MySQL 5.7 has 4 MB. */
const maxBytes = 2 * 1024 * 1024

/** As few as the server takes each, by the size of their values. */
export function partsOf(insertion: Insertion): readonly Insertion[] {
  const { rows } = insertion
  const parts: Insertion[] = []
  let [from, bytes] = [0, 0]
  for (const [i, row] of rows.entries()) {
    const size = row.reduce((sum, { value }) => sum + sizeOf(value), 0)
    if (bytes + size > maxBytes && i > from) {
      parts.push({ ...insertion, rows: rows.slice(from, i) })
      ;[from, bytes] = [i, 0]
    }
    bytes += size
  }
  return from === 0 ? [insertion] : [...parts, { ...insertion, rows: rows.slice(from) }]
}

/** At most, in utf8mb4. */
function sizeOf(value: Parameter['value']): number {
  if (typeof value === 'string') return value.length * 3
  return value instanceof Uint8Array ? value.length : 16
}

export function quoted(name: readonly string[]): string {
  return name.map((part) => `\`${part.replaceAll('`', '``')}\``).join('.')
}
