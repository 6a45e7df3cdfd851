import type { Parameter } from '../../../src/sql/index.ts'
import type { Field, TypedParameters } from './library.ts'

// Out --------------------------------------------------------------------------------------------

const unsigned = 2n ** 63n

/**
 * For the library, each of exactly its type. Dates and times go as text, as in a literal: the library's own have
 * milliseconds, the server's have microseconds. A Date goes as DATETIME of UTC: TIMESTAMP would lose years.
 */
export function encode(parameters: readonly Parameter[], types: TypedParameters): unknown[] {
  const values = new Array<unknown>(parameters.length)
  for (let i = 0; i < parameters.length; i++) {
    values[i] = encodeOne(parameters[i] as Parameter, types)
  }
  return values
}

function encodeOne({ type, value }: Parameter, types: TypedParameters): unknown {
  if (value === null) return null
  switch (type) {
    case 'integer':
      return types.LONG(value as number)
    case 'bigint':
      return (value as bigint) < unsigned
        ? types.LONGLONG(value as bigint)
        : types.LONGLONG.unsigned(value as bigint)
    case 'double':
      return types.DOUBLE(value as number)
    case 'decimal':
      return types.NEWDECIMAL(value as string)
    case 'datetime':
      return (value as string).replace(' ', 'T')
    case 'json':
      return types.JSON(value as string)
    case 'uuid':
      return (value as string).toLowerCase()
    case 'binary': {
      const bytes = value as Uint8Array
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    default:
      return value
  }
}

// Back -------------------------------------------------------------------------------------------

/** https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const type = {
  timestamp: 7,
  bigint: 8,
  time: 11,
  datetime: 12,
  bit: 16,
  vector: 242,
  json: 245,
  blob: 252,
  geometry: 255,
}
/** No character set: bytes. */
const binary = 63

const numbers: Readonly<Record<number, string>> = {
  0: 'DECIMAL',
  1: 'TINYINT',
  2: 'SMALLINT',
  3: 'INT',
  4: 'FLOAT',
  5: 'DOUBLE',
  8: 'BIGINT',
  9: 'MEDIUMINT',
  246: 'DECIMAL',
}
const others: Readonly<Record<number, string>> = {
  6: 'NULL',
  7: 'TIMESTAMP',
  10: 'DATE',
  11: 'TIME',
  12: 'DATETIME',
  13: 'YEAR',
  14: 'DATE',
  16: 'BIT',
  242: 'VECTOR',
  245: 'JSON',
  255: 'GEOMETRY',
}
/** For text, and for bytes. */
const strings: Readonly<Record<number, readonly [string, string]>> = {
  15: ['VARCHAR', 'VARBINARY'],
  249: ['TEXT', 'BLOB'],
  250: ['TEXT', 'BLOB'],
  251: ['TEXT', 'BLOB'],
  252: ['TEXT', 'BLOB'],
  253: ['VARCHAR', 'VARBINARY'],
  254: ['CHAR', 'BINARY'],
}
/** https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__column__definition__flags.html */
const flag = { unsigned: 32, enum: 256, set: 2048 }

function nameOf(field: Field): string {
  const { type, flags, characterSet, extendedTypeName, extendedFormat } = field
  if (extendedFormat === 'json') return 'JSON'
  const number = numbers[type]
  if (number !== undefined) return flags & flag.unsigned ? `${number} UNSIGNED` : number
  const pair = strings[type]
  if (pair === undefined) return others[type] ?? 'UNKNOWN'
  if (flags & flag.enum) return 'ENUM'
  if (flags & flag.set) return 'SET'
  return extendedTypeName?.toUpperCase() ?? pair[characterSet === binary ? 1 : 0]
}

/** For a column of these, which may come of a value in a text, the library gives up its connection. */
const dreaded = new Set(
  '__proto__ __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__'.split(' '),
)

/** Before the library makes a parser of them. It would take geometries and vectors apart. */
export function prepareFields(fields: readonly Field[] | undefined): void {
  if (fields === undefined) return
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as Field
    if (dreaded.has(field.name)) {
      field.label = field.name
      field.name = 'column'
    }
    if (field.type === type.geometry || field.type === type.vector) field.columnType = type.blob
  }
}

type Decoder = (value: unknown) => unknown

/** A time of MySQL, canonical. */
const time: Decoder = (value) => withoutZeros(value as string)
const datetime: Decoder = (value) => withoutZeros((value as string).replace(' ', 'T'))

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

/** The zero timestamp is no moment. */
const timestamp: Decoder = (value) => {
  const text = value as string
  return text.startsWith('0000') ? null : new Date(`${text.replace(' ', 'T')}Z`)
}

/** A copy: the library's is a view of all that came with it. */
const bytes: Decoder = (value) => new Uint8Array(value as Uint8Array)

/** MariaDB checks its documents, unless it is told not to: then it is the text that it is. */
const json: Decoder = (value) => {
  try {
    return JSON.parse(value as string)
  } catch {
    return value
  }
}

function decoderOf(field: Field): Decoder | undefined {
  if (field.type === type.json || field.extendedFormat === 'json') return json
  if (field.type === type.bigint) return BigInt as Decoder
  if (field.type === type.timestamp) return timestamp
  if (field.type === type.datetime) return datetime
  if (field.type === type.time) return time
  const isString = field.type === type.bit || strings[field.columnType] !== undefined
  return isString && field.characterSet === binary ? bytes : undefined
}

/** The columns of a result, kept for as long as the statement has the same ones. */
export class Shape {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  readonly #fields: readonly Field[]
  readonly #decoders: readonly (readonly [number, Decoder])[]

  constructor(fields: readonly Field[]) {
    this.#fields = fields
    this.columns = fields.map(({ name, label = name }) => label)
    this.types = fields.map(nameOf)
    this.#decoders = fields.flatMap((field, i) => {
      const decoder = decoderOf(field)
      return decoder === undefined ? [] : [[i, decoder] as const]
    })
  }

  /** A table may have changed since. */
  fits(fields: readonly Field[]): boolean {
    const mine = this.#fields
    if (fields.length !== mine.length) return false
    for (let i = 0; i < fields.length; i++) {
      const [one, other] = [mine[i] as Field, fields[i] as Field]
      if (
        one.type !== other.type ||
        one.flags !== other.flags ||
        one.characterSet !== other.characterSet ||
        one.name !== other.name ||
        one.label !== other.label ||
        one.extendedFormat !== other.extendedFormat ||
        one.extendedTypeName !== other.extendedTypeName
      ) {
        return false
      }
    }
    return true
  }

  /** In place. */
  decode(row: unknown[]): void {
    for (const [column, decoder] of this.#decoders) {
      const value = row[column]
      if (value !== null) row[column] = decoder(value)
    }
  }

  decodeAll(rows: unknown[][]): void {
    if (this.#decoders.length === 0) return
    for (const row of rows) this.decode(row)
  }
}
