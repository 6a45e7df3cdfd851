/** A type of SQL Server, with what its declaration says in brackets. */
export interface SqlType {
  readonly name: TypeName
  /** Characters of nchar and nvarchar, bytes of the others; `max` is -1. */
  readonly length?: number
  readonly precision?: number
  /** Digits after the point: of a decimal, or of the seconds of a time. */
  readonly scale?: number
}

export type TypeName = (typeof names)[number]

const names = [
  ...(['bit', 'tinyint', 'smallint', 'int', 'bigint', 'real', 'float'] as const),
  ...(['decimal', 'numeric', 'smallmoney', 'money', 'uniqueidentifier', 'xml'] as const),
  'sql_variant',
  ...(['date', 'time', 'datetime', 'smalldatetime', 'datetime2', 'datetimeoffset'] as const),
  ...(['char', 'varchar', 'nchar', 'nvarchar', 'binary', 'varbinary'] as const),
  ...(['text', 'ntext', 'image'] as const),
] as const

/**
 * A value as it is kept here, whatever its type: integers and bits are bigint; real and float number;
 * decimals, money, dates, times and GUIDs text in one canonical form; binary Uint8Array.
 */
export type Value = null | bigint | number | string | Uint8Array

const known: ReadonlySet<string> = new Set(names)
const synonyms: Readonly<Record<string, string>> = {
  integer: 'int',
  dec: 'decimal',
  'double precision': 'float',
  character: 'char',
  'character varying': 'varchar',
  sysname: 'nvarchar(128)',
  rowversion: 'binary(8)',
  timestamp: 'binary(8)',
}

const sized: ReadonlySet<string> = new Set([
  ...['char', 'varchar', 'nchar', 'nvarchar', 'binary', 'varbinary'],
])

/**
 * `decimal(10, 2)`, `nvarchar(max)`. Undefined when it is no type of SQL Server's.
 * `bare` is the length of a string or binary type without one: 1 in declarations, 30 in CAST.
 */
export function parseType(text: string, bare = 1): SqlType | undefined {
  const match = /^\s*([a-z][a-z0-9 ]*?)\s*(?:\(\s*(max|-?\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*$/i.exec(
    text,
  )
  if (match === null) return undefined
  const word = match[1]!.toLowerCase()
  const synonym = synonyms[word]
  if (synonym !== undefined) return parseType(text.replace(match[1]!, synonym), bare)
  if (!known.has(word)) return undefined
  const name = word as TypeName
  const first = match[2] === undefined ? undefined : /max/i.test(match[2]) ? -1 : Number(match[2])
  if (sized.has(name)) return { name, length: first ?? bare }
  switch (name) {
    case 'decimal':
    case 'numeric':
      return { name, precision: first ?? 18, scale: Number(match[3] ?? 0) }
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return { name, scale: first ?? 7 }
    case 'float':
      return { name: (first ?? 53) <= 24 ? 'real' : 'float' }
    default:
      return { name }
  }
}

/** For what cannot be wrong but by a mistake in a test. */
export function typeNamed(text: string): SqlType {
  const type = parseType(text)
  if (type === undefined) throw new TypeError(`no type of SQL Server: ${text}`)
  return type
}

/** `decimal(10,2)`: `max` as -1, for SQLite takes only numbers there. */
export function typeText({ name, length, precision, scale }: SqlType): string {
  if (length !== undefined) return `${name}(${length})`
  if (precision !== undefined) return `${name}(${precision},${scale ?? 0})`
  return scale === undefined ? name : `${name}(${scale})`
}

export function isText({ name }: SqlType): boolean {
  return /char|text|xml/.test(name)
}

export function isBinary({ name }: SqlType): boolean {
  return name === 'binary' || name === 'varbinary' || name === 'image'
}

export function isInteger({ name }: SqlType): boolean {
  return name === 'bit' || name.endsWith('int')
}

/** As in `decimal(19,4)`. */
export function decimalOf(type: SqlType): { precision: number; scale: number } | undefined {
  if (type.name === 'money') return { precision: 19, scale: 4 }
  if (type.name === 'smallmoney') return { precision: 10, scale: 4 }
  if (type.name !== 'decimal' && type.name !== 'numeric') return undefined
  return { precision: type.precision ?? 18, scale: type.scale ?? 0 }
}

/** Of SUM and AVG over a column of the type. */
export function sumOf(type: SqlType): SqlType {
  switch (type.name) {
    case 'decimal':
    case 'numeric':
      return { name: 'decimal', precision: 38, scale: type.scale ?? 0 }
    case 'smallmoney':
      return { name: 'money' }
    case 'tinyint':
    case 'smallint':
      return { name: 'int' }
    case 'real':
      return { name: 'float' }
    default:
      return type
  }
}

// In SQLite --------------------------------------------------------------------------------------

/**
 * The type that a column gets in SQLite: SQL Server's own after a word that decides how SQLite keeps it
 * (https://www.sqlite.org/datatype3.html#determination_of_column_affinity), so that the declaration is the
 * catalogue as well. Decimals have NUMERIC, for they are compared; those of more than 15 digits, which it
 * would round, are kept as bytes.
 */
export function storageType(type: SqlType): string {
  const text = typeText(type)
  if (type.name === 'bit') return `INT ${text}`
  if (isInteger(type) || type.name === 'real' || type.name === 'float') return text
  if (decimalOf(type) !== undefined) return `NUMERIC ${text}`
  return `${isBinary(type) ? 'BLOB' : 'TEXT'} ${text}`
}

/** The reverse. Undefined for `INTEGER`, which the key of a table with an identity has. */
export function declaredType(declaration: string): SqlType | undefined {
  return declaration === 'INTEGER'
    ? undefined
    : parseType(declaration.replace(/^(INT|NUMERIC|BLOB|TEXT) /, ''))
}

const wideMark = '\0decimal:'

/** A decimal that SQLite would round, as bytes, which it leaves alone. */
export function wide(digits: string): Uint8Array {
  return Buffer.from(wideMark + digits)
}

/** The reverse; any other value is itself. */
export function narrow(value: Value): Value {
  if (!(value instanceof Uint8Array) || value[0] !== 0) return value
  const text = Buffer.from(value).toString('latin1')
  return text.startsWith(wideMark) ? text.slice(wideMark.length) : value
}

/** What SQLite is given for a value of the type. Times have all their digits, so that they compare as text. */
export function stored(value: Value, type: SqlType | undefined): Value {
  if (typeof value !== 'string' || type === undefined) return value
  if (/time/.test(type.name)) {
    return value.replace(/(:\d\d)(?:\.(\d+))?(?= |$)/, (_, before, fraction = '') => {
      return `${before}.${fraction.padEnd(7, '0')}`
    })
  }
  const isWide = decimalOf(type) !== undefined && digitsOf(value) > 15
  return isWide ? wide(value) : value
}

function digitsOf(decimal: string): number {
  return decimal.replace(/\D|^-?0\.0*/g, '').length
}
