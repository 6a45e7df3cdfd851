import type { CqlReply, CqlValue } from './driver.ts'
import { invalid } from './values.ts'

/** A row whose columns nobody has declared. */
export type Row = Record<string, CqlValue>

export interface Result<R = Row> {
  /** What a SELECT gives; of a lightweight transaction that did not apply, the rows that there are. */
  readonly rows: R[]
  /** False only if the condition of a lightweight transaction did not hold. */
  readonly applied: boolean
  /** The server's own words, which may quote names of tables. */
  readonly warnings: readonly string[]
}

/** How a lightweight transaction says whether it was applied, beside the columns of the table. */
const applied = '[applied]'

type Content = Pick<CqlReply, 'columns' | 'rows'>

/**
 * By the names of the columns.
 * @throws DriverFailure of kind `invalid` for two columns of one name, of which one would be lost
 */
export function objects<R = Row>({ columns, rows }: Content): R[] {
  const names = columns.map(({ name }) => name)
  const result: R[] = []
  for (const row of rows) {
    const object: Row = {}
    for (let i = 0; i < names.length; i++) object[names[i] as string] = row[i] as CqlValue
    // Also for `__proto__`, which sets no column but the prototype.
    if (result.length === 0 && Object.keys(object).length !== names.length) {
      throw invalid('two columns of the result have the same name: give them names by AS')
    }
    result.push(object as R)
  }
  return result
}

export function resultOf<R>(reply: CqlReply): Result<R> {
  const { columns, rows, warnings } = reply
  if (columns[0]?.name !== applied) return { rows: objects(reply), applied: true, warnings }
  if (rows.every((row) => row[0] === true)) return { rows: [], applied: true, warnings }
  const others = { columns: columns.slice(1), rows: rows.map((row) => row.slice(1)) }
  const current = others.columns.length === 0 ? [] : objects<R>(others)
  return { rows: current, applied: false, warnings }
}

/** @throws DriverFailure of kind `invalid` for several rows */
export function atMostOne<R>(reply: CqlReply): R | null {
  if (reply.rows.length > 1) throw invalid('there is more than one row')
  return objects<R>(reply)[0] ?? null
}
