import type { DatabaseSync } from 'node:sqlite'
import * as errors from './errors.ts'
import type { Facts } from './functions.ts'
import { narrow, type Value } from './types.ts'

/** What was run: `insert`, and into which table. */
interface Context {
  readonly verb: string
  readonly table: string | undefined
}

/** SQLite's words in SQL Server's. */
export function explain(
  { message }: Error,
  code: number,
  sqlite: DatabaseSync,
  facts: Facts,
  { verb: lower, table: changed = '' }: Context,
): errors.SqlServerError {
  const verb = lower.toUpperCase()
  const { database } = facts
  const after = (prefix: string) => message.slice(message.indexOf(prefix) + prefix.length)
  const failed = after('constraint failed: ')
  switch (code) {
    case 1555:
    case 2067:
    case 2579:
      return explainDuplicate(failed, sqlite, facts.seen)
    case 1299: {
      const [table = '', column = ''] = failed.split('.')
      return errors.nullNotAllowed(verb, column, `${database}.dbo.${table}`)
    }
    case 275: {
      const where = { database, table: changed }
      return errors.conflict(verb, 'CHECK', failed, where)
    }
    case 787:
      return explainForeignKey(verb, changed, sqlite, database)
    case 8:
      return errors.readOnlyDatabase(database)
  }
  return explainSyntax(message) ?? explainNames(message, lower)
}

function explainNames(message: string, verb: string): errors.SqlServerError {
  let match = /^no such table: (?:main\.|temp\.)?([\s\S]*)$/.exec(message)
  if (match !== null) {
    const table = match[1]!
    return verb === 'drop' ? errors.cannotDrop('table', table) : errors.invalidObject(table)
  }
  match =
    /^no such column: ([\s\S]*?)(?: - should this be a string literal in single-quotes\?)?$/.exec(
      message,
    )
  if (match !== null) {
    const column = match[1]!.replace(/^"([\s\S]*)"$/, '$1')
    return column.includes('.') ? errors.unbound(column) : errors.invalidColumn(column)
  }
  match = /has no column named ([\s\S]*)$/.exec(message)
  if (match !== null) return errors.invalidColumn(match[1]!)
  match = /^no such function: (.*)$/.exec(message)
  if (match !== null) return errors.noSuchFunction(match[1]!)
  match = /^(?:table|index|view) "?([\s\S]*?)"? already exists$/.exec(message)
  if (match !== null) return errors.existsAlready(match[1]!)
  match = /^no such (index|savepoint): (.*)$/.exec(message)
  if (match !== null) return errors.cannotDrop('index', match[2]!)
  if (/values (were supplied|for)|not equal to|number of result columns/.test(message)) {
    return errors.wrongColumnCount()
  }
  return new errors.SqlServerError(50_000, `The stand-in of SQL Server failed: ${message}`)
}

/** `t.a, t.b`, or `index 'name'` for an index over expressions. */
function explainDuplicate(
  failed: string,
  sqlite: DatabaseSync,
  seen: Facts['seen'],
): errors.SqlServerError {
  const columns = failed.split(', ')
  const table = columns[0]!.split('.')[0]!
  const values = columns.map((column) => shown(seen.get(column) ?? null)).join(', ')
  const sql = 'select kind, name from tds_keys where tbl = ? and cols = ? collate nocase'
  const key = sqlite.prepare(sql).get(table, failed)
  if (key !== undefined) {
    const kind = key.kind as 'PRIMARY KEY' | 'UNIQUE KEY'
    return errors.duplicateKey(kind, String(key.name), table, values)
  }
  const indexes = sqlite
    .prepare(`select name from pragma_index_list(?) where "unique" = 1 and origin = 'c'`)
    .all(table)
  const found = indexes.find(({ name }) => {
    const info = sqlite.prepare('select name from pragma_index_info(?)').all(name!)
    return info.map((part) => `${table}.${part.name}`).join(', ') === failed
  })
  return errors.duplicateInIndex(String(found?.name ?? ''), table, values)
}

function explainForeignKey(
  verb: string,
  table: string,
  sqlite: DatabaseSync,
  database: string,
): errors.SqlServerError {
  const own = sqlite.prepare('select * from pragma_foreign_key_list(?)').all(table)
  const name = (from: string, column: string) =>
    constraintName(sqlite, from, column) ?? `FK__${from}__${column}`
  if (verb !== 'DELETE' && own[0] !== undefined) {
    const { table: parent, from, to } = own[0]
    const where = { database, table: String(parent), column: String(to ?? from) }
    return errors.conflict(verb, 'FOREIGN KEY', name(table, String(from)), where)
  }
  const sql =
    'select m.name as child, f."from" as col from sqlite_master m, pragma_foreign_key_list(m.name) f ' +
    'where f."table" = ? collate nocase'
  const reference = sqlite.prepare(sql).get(table)
  const child = String(reference?.child ?? table)
  const column = String(reference?.col ?? '')
  const where = { database, table: child, column }
  return errors.conflict(verb, 'REFERENCE', name(child, column), where)
}

/** As it stands in the definition: SQLite itself does not tell. */
function constraintName(sqlite: DatabaseSync, table: string, column: string): string | undefined {
  const row = sqlite.prepare('select sql from sqlite_master where name = ?').get(table)
  const definition = String(row?.sql ?? '')
  const before = `"(?:[^"]|"")*"`
  const pattern = new RegExp(`constraint (${before}) (?:references|foreign key)`, 'gi')
  const names = [...definition.matchAll(pattern)].map((match) => match[1]!.slice(1, -1))
  return names.find((name) => name.toLowerCase().endsWith(column.toLowerCase())) ?? names[0]
}

/** Undefined for what is no error of syntax. */
export function explainSyntax(message: string): errors.SqlServerError | undefined {
  const near = /^near "([\s\S]*)": syntax error$/.exec(message)
  if (near !== null) return errors.syntax(near[1]!)
  if (message === 'incomplete input') return errors.syntax(')')
  const token = /^unrecognized token: "([\s\S]*)"$/.exec(message)
  return token === null ? undefined : errors.syntax(token[1]!)
}

function shown(kept: Value): string {
  const value = narrow(kept)
  if (value === null) return '<NULL>'
  return value instanceof Uint8Array ? `0x${Buffer.from(value).toString('hex')}` : String(value)
}
