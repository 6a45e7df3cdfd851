import type { Connection } from 'tedious'
import { DriverFailure } from '../../../src/core/index.ts'
import type { Parameter } from '../../../src/sql/index.ts'
import { type ColumnMetadata, typeName } from './columns.ts'
import {
  type Decimal,
  encodeDate,
  encodeDateTime,
  encodeDateTimeOffset,
  encodeDecimal,
  encodeTime,
  nullByte,
  parseDecimal,
  partsOf,
  rescaled,
  unfit,
} from './encode.ts'
import { decimalInfo, infos, timeOfDay } from './parameters.ts'

type Collation = Connection['databaseCollation']

/** The values of a column, as they are sent. */
interface Load {
  readonly declaration: string
  readonly info: (collation: Collation) => Buffer
  readonly values: readonly Buffer[]
}

/** A column that values go into. What it is declared as need not be its type: the server converts, as INSERT does. */
export interface Target {
  /** @throws DriverFailure of kind `invalid` for a value that does not fit */
  load(values: readonly Parameter[]): Load
}

type Encode = (parameter: Parameter & { value: NonNullable<Parameter['value']> }) => Buffer

/** @throws DriverFailure of kind `unsupported` for a type that bulk loads cannot fill */
export function targetOf(metadata: ColumnMetadata): Target {
  const { precision = 18, scale = 0, dataLength = 0 } = metadata
  const type = typeName(metadata)
  switch (type) {
    case 'BIT':
      return fixed('bit', Buffer.from([0x68, 1]), (p) => integer(isZero(p) ? 0n : 1n, 1))
    case 'TINYINT':
      return integers('tinyint', 1, 0n, 255n)
    case 'SMALLINT':
      return integers('smallint', 2, -(2n ** 15n), 2n ** 15n - 1n)
    case 'INT':
      return integers('int', 4, -(2n ** 31n), 2n ** 31n - 1n)
    case 'BIGINT':
      return integers('bigint', 8, -(2n ** 63n), 2n ** 63n - 1n)
    case 'REAL':
    case 'FLOAT':
      return fixed('float', Buffer.from([0x6d, 8]), (p) => float(Number(numberText(p))))
    case 'DECIMAL':
    case 'NUMERIC':
      return decimals(precision, scale)
    case 'MONEY':
      return decimals(19, 4)
    case 'SMALLMONEY':
      return decimals(10, 4)
    case 'DATE':
      return fixed('date', infos.date, (p) => encodeDate(momentOf(p).day))
    case 'TIME':
      return fixed('time(7)', infos.time, (p) => encodeTime(momentOf(p).time))
    case 'DATETIME':
    case 'SMALLDATETIME':
    case 'DATETIME2':
      return fixed('datetime2(7)', infos.datetime2, (p) => {
        const { day, time } = momentOf(p)
        return encodeDateTime(day, time)
      })
    case 'DATETIMEOFFSET':
      return fixed('datetimeoffset(7)', infos.datetimeoffset, (p) => {
        const { day, time } = momentOf(p)
        return encodeDateTimeOffset(day, time)
      })
    case 'UNIQUEIDENTIFIER':
      return fixed('uniqueidentifier', Buffer.from([0x24, 16]), uuid)
    case 'CHAR':
    case 'VARCHAR':
      return texts(dataLength === maxLength ? Infinity : dataLength)
    case 'NCHAR':
    case 'NVARCHAR':
      return texts(dataLength === maxLength ? Infinity : dataLength / 2)
    case 'TEXT':
    case 'NTEXT':
    case 'XML':
      return texts(Infinity)
    case 'BINARY':
    case 'VARBINARY':
      return binaries(dataLength === maxLength ? Infinity : dataLength)
    case 'IMAGE':
      return binaries(Infinity)
    default: {
      const detail = 'bulkInsert cannot fill a column of this type: use INSERT'
      throw new DriverFailure({ kind: 'unsupported', outcome: 'not-applied', detail })
    }
  }
}

function fixed(declaration: string, info: Buffer, encode: Encode): Target {
  return {
    load: (values) => ({
      declaration,
      info: () => info,
      values: values.map((p) => (isNull(p) ? nullByte : encode(p as never))),
    }),
  }
}

function isNull({ value }: Parameter): boolean {
  return value === null
}

// Numbers ----------------------------------------------------------------------------------------

function integers(declaration: string, bytes: number, least: bigint, most: bigint): Target {
  return fixed(declaration, Buffer.from([0x26, bytes]), (parameter) => {
    const value = wholeOf(parameter)
    if (value < least || value > most) throw unfit()
    return integer(value, bytes)
  })
}

function integer(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = length
  bytes.writeBigInt64LE(value, 1)
  return bytes.subarray(0, length + 1)
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = 8
  bytes.writeDoubleLE(value, 1)
  return bytes
}

function decimals(precision: number, scale: number): Target {
  const declaration = `decimal(${precision}, ${scale})`
  return fixed(declaration, decimalInfo(precision, scale), (parameter) =>
    encodeDecimal(rescaled(decimalOf(parameter), precision, scale), precision),
  )
}

function isZero(parameter: Parameter): boolean {
  return Number(numberText(parameter)) === 0
}

/** What is behind the point is cut off, as the server does of a number, and is an error of a text. */
function wholeOf(parameter: Parameter): bigint {
  const { type, value } = parameter
  if (type === 'integer' || type === 'bigint') return BigInt(value as number | bigint)
  const { digits, scale } = decimalOf(parameter)
  if (type === 'string' && scale > 0) throw unfit()
  return digits / 10n ** BigInt(scale)
}

function decimalOf(parameter: Parameter): Decimal {
  const text = numberText(parameter)
  const [mantissa = '', exponent] = text.split(/e/i)
  if (exponent === undefined) return parseDecimal(mantissa)
  const { digits, scale } = parseDecimal(mantissa)
  const shifted = scale - Number(exponent)
  // As small as this, it is nothing; as large, it fits nowhere.
  if (shifted > 76) return { digits: 0n, scale: 0 }
  if (shifted < -38) throw unfit()
  return shifted >= 0
    ? { digits, scale: shifted }
    : { digits: digits * 10n ** BigInt(-shifted), scale: 0 }
}

function numberText({ type, value }: Parameter): string {
  switch (type) {
    case 'boolean':
      return value === true ? '1' : '0'
    case 'integer':
    case 'bigint':
    case 'double':
    case 'decimal':
      return String(value)
    case 'string': {
      const text = (value as string).trim()
      if (/^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text)) return text
    }
  }
  throw unfit()
}

// Dates, times and UUIDs -------------------------------------------------------------------------------

const moment =
  /^(?:(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d{1,7})?))?|(\d\d:\d\d:\d\d(?:\.\d{1,7})?))$/

/** As CAST does: a day begins at midnight, and a time alone is of 1900. */
function momentOf({ type, value }: Parameter): { readonly day: string; readonly time: string } {
  if (type === 'instant') {
    const [day, time] = partsOf(value as Date)
    return { day, time }
  }
  if (type !== 'string' && type !== 'date' && type !== 'time' && type !== 'datetime') throw unfit()
  const [whole, day = '1900-01-01', time, alone] = moment.exec((value as string).trim()) ?? []
  if (whole === undefined) throw unfit()
  const date = new Date(`${day}T00:00:00Z`)
  if (day.startsWith('0000') || Number.isNaN(date.getTime())) throw unfit()
  if (date.toISOString().slice(0, 10) !== day) throw unfit()
  const clock = timeOfDay(time ?? alone ?? '00:00:00')
  if (!/:[0-5]\d:[0-5]\d/.test(clock)) throw unfit()
  return { day, time: clock }
}

/** The first three groups have their bytes the other way round. */
function uuid({ type, value }: Parameter): Buffer {
  if (type !== 'uuid' && type !== 'string') throw unfit()
  const text = (value as string).replace(/^\{(.*)\}$/, '$1')
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) throw unfit()
  const raw = Buffer.from(text.replaceAll('-', ''), 'hex')
  const bytes = Buffer.alloc(17)
  bytes[0] = 16
  raw.copy(bytes, 1)
  bytes.subarray(1, 5).reverse()
  bytes.subarray(5, 7).reverse()
  bytes.subarray(7, 9).reverse()
  return bytes
}

// Texts and bytes ------------------------------------------------------------------------------------

/** What `(max)` is as a length. */
const maxLength = 65_535
const nullShort = Buffer.from([0xff, 0xff])
const nullLong = Buffer.alloc(8, 0xff)

/** Always Unicode: the server knows the code page of the column. `most` characters, or bytes, fit at most. */
function texts(most: number): Target {
  return {
    load(values) {
      const written = values.map((p) => (isNull(p) ? null : textOf(p)))
      if (written.some((text) => text !== null && text.length > most)) throw unfit()
      const isShort = most <= 4000
      return {
        declaration: `nvarchar(${isShort ? most : 'max'})`,
        info(collation) {
          const bytes = Buffer.alloc(8)
          bytes[0] = 0xe7
          bytes.writeUInt16LE(isShort ? most * 2 : maxLength, 1)
          collation?.toBuffer().copy(bytes, 3)
          return bytes
        },
        values: written.map((text) =>
          sized(text === null ? null : Buffer.from(text, 'utf16le'), isShort),
        ),
      }
    },
  }
}

function binaries(most: number): Target {
  return {
    load(values) {
      const isShort = most <= 8000
      const info = Buffer.from([0xa5, 0, 0])
      info.writeUInt16LE(isShort ? most : maxLength, 1)
      return {
        declaration: `varbinary(${isShort ? most : 'max'})`,
        info: () => info,
        values: values.map((parameter) => {
          const { type, value } = parameter
          if (value === null) return sized(null, isShort)
          if (type !== 'binary' || (value as Uint8Array).length > most) throw unfit()
          return sized(value as Uint8Array, isShort)
        }),
      }
    },
  }
}

function sized(bytes: Uint8Array | null, isShort: boolean): Buffer {
  if (bytes === null) return isShort ? nullShort : nullLong
  if (isShort) {
    const whole = Buffer.allocUnsafe(bytes.length + 2)
    whole.writeUInt16LE(bytes.length)
    whole.set(bytes, 2)
    return whole
  }
  // The whole length, one part of that length, if there is one, and the end of the parts.
  const part = bytes.length > 0 ? bytes.length + 4 : 0
  const whole = Buffer.alloc(8 + part + 4)
  whole.writeBigUInt64LE(BigInt(bytes.length))
  if (part > 0) {
    whole.writeUInt32LE(bytes.length, 8)
    whole.set(bytes, 12)
  }
  return whole
}

function textOf({ type, value }: Parameter): string {
  switch (type) {
    case 'binary':
      throw unfit()
    case 'boolean':
      return value === true ? '1' : '0'
    case 'instant':
      return `${partsOf(value as Date).join(' ')} +00:00`
    default:
      return String(value)
  }
}
