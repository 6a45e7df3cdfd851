import type { Reply } from './driver.ts'
import { invalid } from './values.ts'

/** A row whose columns nobody has declared. */
export type Row = Record<string, unknown>

/**
 * By the names of the columns.
 * @throws DriverFailure of kind `invalid` for two columns of one name, of which one would be lost
 */
export function objects<R = Row>({ columns, rows }: Pick<Reply, 'columns' | 'rows'>): R[] {
  if (rows.length === 0) return []
  if (new Set(columns).size < columns.length) {
    throw invalid('two columns of the result have the same name: give them names by AS')
  }
  // A column of that name would set the prototype.
  if (columns.includes('__proto__')) throw invalid('no column can have the name __proto__')
  return rows.map((row) => {
    const object: Row = {}
    for (let i = 0; i < columns.length; i++) object[columns[i] as string] = row[i]
    return object as R
  })
}
