import { randomUUID } from 'node:crypto'
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { SqlServerError } from './errors.ts'
import { type SqlType, stored, typeNamed, type Value } from './types.ts'
import { convert, fitColumn, parseMoment, writeMoment } from './values.ts'

/** What a database knows of the connection that asks. */
export interface Facts {
  readonly database: string
  readonly user: string
  readonly readOnly: boolean
  /** Set once attention is asked for. */
  readonly interrupt: Int32Array
  /** Of a table, in their order. */
  columns(table: string): readonly { readonly name: string; readonly type: SqlType | undefined }[]
  /** The last value that each column was checked with, by `table.column`. */
  readonly seen: Map<string, Value>
}

/** Ends a query that attention was asked for. */
export class Interrupted extends Error {}

/** Functions of T-SQL that SQLite lacks, and those that rewritten statements call. */
export function addFunctions(database: DatabaseSync, facts: Facts): void {
  const types = new Map<string, SqlType>()
  const typed = (text: string) => {
    const type = types.get(text) ?? typeNamed(text)
    types.set(text, type)
    return type
  }
  const define = (name: string, run: (...values: Value[]) => Value, constant = true) =>
    database.function(
      name,
      { deterministic: constant, useBigIntArguments: true, varargs: true },
      (...values: SQLOutputValue[]) => run(...values) as SQLInputValue,
    )

  define(
    'tds_tick',
    () => {
      if (Atomics.load(facts.interrupt, 0) !== 0) throw new Interrupted()
      return 1n
    },
    false,
  )
  define('tds_fits', (type, table, column, value) => {
    facts.seen.set(`${table}.${column}`, value!)
    fitColumn(value!, typed(String(type)), `${facts.database}.dbo.${table}`, String(column))
    return 1n
  })
  define(
    'tds_into',
    (table, column, value) => {
      const columns = facts.columns(String(table))
      const found =
        typeof column === 'bigint'
          ? columns[Number(column)]
          : columns.find(({ name }) => name.toLowerCase() === String(column).toLowerCase())
      if (found?.type === undefined) return value!
      const of = `${facts.database}.dbo.${table}`
      return stored(fitColumn(value!, found.type, of, found.name), found.type)
    },
    false,
  )
  define('tds_cast', (value, text) => {
    const type = typed(String(text))
    return stored(convert(value!, type), type)
  })
  define('tds_try_cast', (value, text) => {
    try {
      const type = typed(String(text))
      return stored(convert(value!, type), type)
    } catch (error) {
      if (error instanceof SqlServerError) return null
      throw error
    }
  })

  const clock = (type: SqlType) => () => {
    const now = new Date().toISOString().replace('T', ' ').replace('Z', '')
    return writeMoment(parseMoment(now, type), type)
  }
  for (const name of ['getdate', 'getutcdate']) define(name, clock({ name: 'datetime' }), false)
  const precise: SqlType = { name: 'datetime2', scale: 7 }
  for (const name of ['sysdatetime', 'sysutcdatetime']) define(name, clock(precise), false)
  define('sysdatetimeoffset', clock({ name: 'datetimeoffset', scale: 7 }), false)
  define('newid', () => randomUUID().toUpperCase(), false)
  define('db_name', () => facts.database)
  for (const name of ['suser_sname', 'suser_name', 'original_login']) {
    define(name, () => facts.user)
  }
  define('databasepropertyex', (name, property) => {
    if (String(name).toLowerCase() !== facts.database.toLowerCase()) return null
    if (String(property).toLowerCase() === 'status') return 'ONLINE'
    if (String(property).toLowerCase() !== 'updateability') return null
    return facts.readOnly ? 'READ_ONLY' : 'READ_WRITE'
  })
  const find = database.prepare(
    'select rowid from sqlite_master where name = :name collate nocase union all ' +
      'select rowid from temp.sqlite_master where name = :name collate nocase',
  )
  const objectId = (name?: Value) => {
    const last = String(name).split('.').at(-1)!
    const found = find.get({ name: last.replace(/^\[(.*)\]$/, '$1') })
    return found === undefined ? null : BigInt(found.rowid as number)
  }
  define('object_id', objectId, false)

  define('len', (value) => (value === null ? null : BigInt(text(value!).trimEnd().length)))
  define('datalength', (value) => {
    if (value instanceof Uint8Array) return BigInt(value.length)
    return value === null ? null : BigInt(text(value!).length * 2)
  })
  define('tds_left', (value, count) =>
    value === null ? null : text(value!).slice(0, Number(count)),
  )
  define('tds_right', (value, count) => {
    if (value === null) return null
    const whole = text(value!)
    return whole.slice(Math.max(0, whole.length - Number(count)))
  })
  define('charindex', (part, value) =>
    BigInt(text(value!).toLowerCase().indexOf(text(part!).toLowerCase()) + 1),
  )
  define('replicate', (value, count) => text(value!).repeat(Number(count)))
  define('reverse', (value) => (value === null ? null : [...text(value!)].reverse().join('')))
  define('tds_dateadd', (unit, count, value) => {
    if (value === null || count === null) return null
    const date = toDate(value!)
    add(date, String(unit), Number(count))
    return fromDate(date)
  })
  define('tds_datediff', (unit, from, to) => {
    if (from === null || to === null) return null
    return BigInt(count(toDate(to!), String(unit)) - count(toDate(from!), String(unit)))
  })
  for (const part of ['year', 'month', 'day'] as const) {
    define(part, (value) => (value === null ? null : BigInt(partOf(toDate(value!), part))))
  }
  define('tds_datepart', (unit, value) =>
    value === null ? null : BigInt(partOf(toDate(value!), String(unit))),
  )
}

function text(value: Value): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value)
}

function toDate(value: Value): Date {
  const type: SqlType = { name: 'datetime2', scale: 3 }
  return new Date(`${writeMoment(parseMoment(text(value), type), type).replace(' ', 'T')}Z`)
}

function fromDate(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', '')
}

const milliseconds: Readonly<Record<string, number>> = {
  ...{ millisecond: 1, ms: 1, second: 1_000, ss: 1_000, s: 1_000, minute: 60_000, mi: 60_000 },
  ...{ n: 60_000, hour: 3_600_000, hh: 3_600_000, day: 86_400_000, dd: 86_400_000 },
  ...{ d: 86_400_000, week: 604_800_000 },
}

function add(date: Date, unit: string, count: number): void {
  const step = milliseconds[unit]
  if (step !== undefined) date.setTime(date.getTime() + count * step)
  else if (/^(month|mm|m)$/.test(unit)) date.setUTCMonth(date.getUTCMonth() + count)
  else date.setUTCFullYear(date.getUTCFullYear() + count)
}

/** Boundaries crossed since 1970, which is what DATEDIFF counts. */
function count(date: Date, unit: string): number {
  const step = milliseconds[unit]
  if (step !== undefined) return Math.floor(date.getTime() / step)
  const years = date.getUTCFullYear()
  return /^(month|mm|m)$/.test(unit) ? years * 12 + date.getUTCMonth() : years
}

function partOf(date: Date, unit: string): number {
  switch (unit) {
    case 'month':
      return date.getUTCMonth() + 1
    case 'day':
      return date.getUTCDate()
    case 'hour':
      return date.getUTCHours()
    case 'minute':
      return date.getUTCMinutes()
    case 'second':
      return date.getUTCSeconds()
    default:
      return date.getUTCFullYear()
  }
}
