import type { Reply } from '../sql/index.ts'

/** A column as Vitess describes it. In proto3 JSON, what is zero or empty is left out, a type of NULL as well. */
interface Field {
  readonly name?: string | undefined
  readonly type?: string | undefined
  readonly columnLength?: number | undefined
  readonly charset: number
  readonly flags?: number | undefined
  readonly decimals?: number | undefined
}

/** The values of a row, one behind the other in base64, and how many bytes each has: -1 for NULL. */
interface Row {
  readonly lengths: readonly string[]
  readonly values?: string | undefined
}

/** https://github.com/vitessio/vitess/blob/main/proto/query.proto, as proto3 JSON: 64-bit numbers are texts. */
export interface QueryResult {
  readonly fields?: readonly Field[]
  readonly rows?: readonly Row[]
  readonly rowsAffected?: string
  readonly insertId?: string
}

export function resultOf({ columns, types, rows, rowsAffected, insertId }: Reply): QueryResult {
  const named = columns.map((_, i) => known(types?.[i]) ?? typeOf(rows, i))
  return {
    ...(columns.length > 0 && {
      fields: columns.map((name, i) => fieldOf(name, named[i] as string)),
    }),
    ...(rows.length > 0 && { rows: rows.map((row) => rowOf(row, named)) }),
    ...(rowsAffected > 0 && { rowsAffected: String(rowsAffected) }),
    ...(insertId !== null && insertId !== 0n && { insertId: String(insertId) }),
  }
}

// Types ------------------------------------------------------------------------------------------

/** Of a character set: no text. */
const binary = 63
const utf8mb4 = 255
/** https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__column__definition__flags.html */
const flags = { unsigned: 32, binary: 128, number: 32_768 }
/** What MySQL calls the decimals of a number that has as many as it needs. */
const anyDecimals = 31

/** By MySQL's name, without UNSIGNED: Vitess' name, and how many characters a value has at most where that is fixed. */
const types: Readonly<Record<string, readonly [name: string, length?: number]>> = {
  TINYINT: ['INT8', 4],
  SMALLINT: ['INT16', 6],
  MEDIUMINT: ['INT24', 9],
  INT: ['INT32', 11],
  INTEGER: ['INT32', 11],
  BIGINT: ['INT64', 20],
  FLOAT: ['FLOAT32', 12],
  DOUBLE: ['FLOAT64', 22],
  DECIMAL: ['DECIMAL'],
  DATE: ['DATE', 10],
  TIME: ['TIME', 17],
  DATETIME: ['DATETIME', 26],
  TIMESTAMP: ['TIMESTAMP', 26],
  YEAR: ['YEAR', 4],
  BIT: ['BIT'],
  JSON: ['JSON'],
  GEOMETRY: ['GEOMETRY'],
  BINARY: ['BINARY'],
  VARBINARY: ['VARBINARY'],
  TINYBLOB: ['BLOB'],
  BLOB: ['BLOB'],
  MEDIUMBLOB: ['BLOB'],
  LONGBLOB: ['BLOB'],
  CHAR: ['CHAR'],
  VARCHAR: ['VARCHAR'],
  TINYTEXT: ['TEXT'],
  TEXT: ['TEXT'],
  MEDIUMTEXT: ['TEXT'],
  LONGTEXT: ['TEXT'],
  ENUM: ['ENUM'],
  SET: ['SET'],
}
const texts = new Set(['CHAR', 'VARCHAR', 'TEXT', 'ENUM', 'SET'])

function fieldOf(name: string, type: string): Field {
  const unsigned = type.endsWith(' UNSIGNED')
  const [base, columnLength] = types[plain(type)] ?? []
  const isText = base !== undefined && texts.has(base)
  const isFloat = base?.startsWith('FLOAT') === true
  const isInteger = base?.startsWith('INT') === true
  const isNumber = isFloat || isInteger || base === 'DECIMAL' || base === 'YEAR'
  const all =
    (unsigned ? flags.unsigned : 0) + (isText ? 0 : flags.binary) + (isNumber ? flags.number : 0)
  return {
    name: name === '' ? undefined : name,
    type: unsigned && isInteger ? `U${base}` : base,
    columnLength,
    charset: isText ? utf8mb4 : binary,
    flags: all === 0 ? undefined : all,
    decimals: isFloat ? anyDecimals : undefined,
  }
}

function plain(type: string): string {
  return type.replace(/ UNSIGNED$/, '')
}

/** `undefined` for a type that Vitess does not have, or has not by that name: MariaDB's UUID. */
function known(type: string | undefined): string | undefined {
  return type !== undefined && (type === 'NULL' || Object.hasOwn(types, plain(type)))
    ? type
    : undefined
}

/** By the first value that there is. */
function typeOf(rows: Reply['rows'], column: number): string {
  const value = rows.find((row) => row[column] !== null)?.[column]
  switch (typeof value) {
    case 'undefined':
      return 'VARCHAR'
    case 'bigint':
      return value > 2n ** 63n - 1n ? 'BIGINT UNSIGNED' : 'BIGINT'
    case 'number':
      return rows.every((row) => row[column] === null || Number.isInteger(row[column]))
        ? 'INT'
        : 'DOUBLE'
    case 'boolean':
      return 'TINYINT'
    case 'string':
      return 'VARCHAR'
    default:
      if (value instanceof Date) return 'TIMESTAMP'
      return value instanceof Uint8Array ? 'VARBINARY' : 'JSON'
  }
}

// Values -----------------------------------------------------------------------------------------

function rowOf(row: readonly unknown[], types: readonly string[]): Row {
  const lengths: string[] = []
  const values: Uint8Array[] = []
  for (let i = 0; i < row.length; i++) {
    const value = bytesOf(row[i], types[i])
    lengths.push(value === null ? '-1' : String(value.length))
    if (value !== null) values.push(value)
  }
  const text = Buffer.concat(values).toString('base64')
  return text === '' ? { lengths } : { lengths, values: text }
}

/** As MySQL writes it in a result of its text protocol. */
function bytesOf(value: unknown, type: string | undefined): Uint8Array | null {
  if (value === null || value === undefined) return null
  if (type === 'JSON') return Buffer.from(JSON.stringify(value))
  switch (typeof value) {
    case 'string':
      return Buffer.from(type === 'DATETIME' ? value.replace('T', ' ') : value)
    case 'boolean':
      return Buffer.from(value ? '1' : '0')
    case 'object':
      if (value instanceof Uint8Array) return value
      if (value instanceof Date) return Buffer.from(instant(value))
      return Buffer.from(JSON.stringify(value))
    default:
      return Buffer.from(String(value))
  }
}

/** UTC, as the connections of the adapter have it. */
function instant(date: Date): string {
  if (Number.isNaN(date.getTime())) return '0000-00-00 00:00:00'
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/(\.000)?Z$/, '')
}
