import type { CallReply, Reply, StatementKind } from '../../../src/sql/index.ts'
import type { Answer, Field, Header } from './library.ts'
import type { Prepared } from './session.ts'
import { Shape } from './values.ts'

interface ResultSet {
  readonly fields: readonly Field[]
  readonly rows: unknown[][]
}

/** In order. What has no rows has a header. */
function resultsOf([rows, fields]: Answer): (ResultSet | Header)[] {
  if (fields === undefined) return [rows as Header]
  const first = fields[0]
  if (first !== undefined && !Array.isArray(first)) {
    return [{ fields: fields as readonly Field[], rows: rows as unknown[][] }]
  }
  const each = rows as readonly (unknown[][] | Header)[]
  return (fields as readonly (readonly Field[] | undefined)[]).map((fields, i) =>
    fields === undefined ? (each[i] as Header) : { fields, rows: each[i] as unknown[][] },
  )
}

function setOf(
  { fields, rows }: ResultSet,
  prepared: Prepared | undefined,
): Pick<Reply, 'columns' | 'types' | 'rows'> {
  const shape = prepared?.shape(fields) ?? new Shape(fields)
  shape.decodeAll(rows)
  return { columns: shape.columns, types: shape.types, rows }
}

/** Of INSERT ... RETURNING and the like, the server does not say how many. */
const writing: ReadonlySet<StatementKind> = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE'])

/** Of several results the first. */
export function replyOf(
  answer: Answer,
  prepared: Prepared | undefined,
  kind: StatementKind,
  wantsId: boolean,
): Reply {
  const first = resultsOf(answer)[0] as ResultSet | Header
  if ('rows' in first) {
    const rowsAffected = writing.has(kind) ? first.rows.length : 0
    return { ...setOf(first, prepared), rowsAffected, insertId: null }
  }
  const { affectedRows, insertId } = first
  return {
    columns: [],
    types: [],
    rows: [],
    rowsAffected: affectedRows,
    // The library takes it for a signed one.
    insertId: wantsId && insertId !== 0 ? BigInt.asUintN(64, BigInt(insertId)) : null,
  }
}

export function callReplyOf(answer: Answer): CallReply {
  const sets = resultsOf(answer).flatMap((result) =>
    'rows' in result ? [setOf(result, undefined)] : [],
  )
  return { sets, output: {}, returnValue: null }
}

/** https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html#a1d854e841086925be1883e4d7b4e8cad */
const inTransaction = 1

/** The server has said that it is within no transaction. Of what has rows, the library does not tell. */
export function isOutside(answer: Answer): boolean {
  const last = resultsOf(answer).at(-1) as ResultSet | Header
  return !('rows' in last) && (last.serverStatus & inTransaction) === 0
}
