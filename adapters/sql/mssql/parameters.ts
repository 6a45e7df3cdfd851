import type { Request } from 'tedious'
import type { Parameter } from '../../../src/sql/index.ts'
import {
  decimalBytes,
  encodeDate,
  encodeDateTime,
  encodeDateTimeOffset,
  encodeDecimal,
  encodeTime,
  nullByte,
  parseDecimal,
  partsOf,
  precisionOf,
  rescaled,
  unfit,
} from './encode.ts'

type Types = typeof import('tedious')['TYPES']
/** What tedious knows of a type. */
export type DataType = Types[keyof Types]

interface Bound {
  readonly type: DataType
  readonly value: unknown
  readonly length?: number
}

const max = 65_535
const maxNvarchar = 4000
const maxVarbinary = 8000
/** Of a decimal that a procedure gives, if nothing says how many digits it has behind the point. */
const outputScale = 18

/** @throws DriverFailure of kind `invalid` for what SQL Server has no such type for */
export function addParameter(
  request: Request,
  types: Types,
  name: string,
  parameter: Parameter,
  output = false,
): void {
  const { type, value, length } = output ? forOutput(types, parameter) : bind(types, parameter)
  const options = length === undefined ? {} : { length }
  if (output) request.addOutputParameter(name, type, value, options)
  else request.addParameter(name, type, value, options)
}

function bind(types: Types, { type, value }: Parameter): Bound {
  switch (type) {
    case 'boolean':
      return { type: types.Bit, value }
    case 'integer':
      return { type: types.Int, value }
    case 'double':
      return { type: types.Float, value }
    case 'bigint': {
      // No integer type is as large: decimal(20), which compares with all of them.
      if (value !== null && (value as bigint) >= 2n ** 63n) return decimal(String(value))
      return { type: types.BigInt, value }
    }
    case 'decimal':
      return decimal(value as string | null)
    // One length for all short texts, and not each its own: a plan of the server's is for one length.
    case 'string':
    case 'json':
      return {
        type: types.NVarChar,
        value,
        length: type === 'json' || isLong(value as string | null, maxNvarchar) ? max : maxNvarchar,
      }
    case 'binary': {
      const bytes = value as Uint8Array | null
      return {
        type: types.VarBinary,
        value: bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        length: isLong(bytes, maxVarbinary) ? max : maxVarbinary,
      }
    }
    case 'uuid':
      return { type: types.UniqueIdentifier, value }
    case 'date':
      return { type: date, value: value && encodeDate(value as string) }
    case 'time':
      return { type: time, value: value && encodeTime(timeOfDay(value as string)) }
    case 'datetime': {
      const text = value as string | null
      return { type: datetime2, value: text && encodeDateTime(text.slice(0, 10), text.slice(11)) }
    }
    case 'instant':
      return {
        type: datetimeoffset,
        value: value && encodeDateTimeOffset(...partsOf(value as Date)),
      }
  }
}

/** With room for what the procedure gives. */
function forOutput(types: Types, parameter: Parameter): Bound {
  switch (parameter.type) {
    case 'string':
    case 'json':
    case 'binary':
      return { ...bind(types, parameter), length: max }
    case 'decimal': {
      const text = parameter.value as string | null
      const given = parseDecimal(text ?? '0')
      const scale = text === null ? outputScale : given.scale
      return {
        type: decimalType(38, scale),
        value: text === null ? null : encodeDecimal(rescaled(given, 38, scale), 38),
      }
    }
    default:
      return bind(types, parameter)
  }
}

/** @throws DriverFailure of kind `invalid` for a duration, which MySQL would take */
export function timeOfDay(text: string): string {
  if (!/^([01]\d|2[0-3]):/.test(text)) throw unfit('a time is none of a day')
  return text
}

function isLong(value: { readonly length: number } | null, most: number): boolean {
  return value !== null && value.length > most
}

// Types that tedious has only for what a double or a Date can hold -----------------------------------

/** A type whose values are given as their bytes. */
export function wireType(declaration: string, info: Buffer): DataType {
  return {
    id: 0,
    type: declaration,
    name: declaration,
    declaration: () => declaration,
    generateTypeInfo: () => info,
    generateParameterLength: ({ value }) => value ?? nullByte,
    *generateParameterData() {},
    validate: (value) => value,
  }
}

export function decimalInfo(precision: number, scale: number): Buffer {
  return Buffer.from([0x6a, decimalBytes(precision) + 1, precision, scale])
}

export const infos = {
  date: Buffer.from([0x28]),
  time: Buffer.from([0x29, 7]),
  datetime2: Buffer.from([0x2a, 7]),
  datetimeoffset: Buffer.from([0x2b, 7]),
} as const

const date = wireType('date', infos.date)
const time = wireType('time(7)', infos.time)
const datetime2 = wireType('datetime2(7)', infos.datetime2)
const datetimeoffset = wireType('datetimeoffset(7)', infos.datetimeoffset)
const decimals = new Map<number, DataType>()

function decimalType(precision: number, scale: number): DataType {
  const key = precision * 100 + scale
  let type = decimals.get(key)
  if (type === undefined) {
    type = wireType(`decimal(${precision}, ${scale})`, decimalInfo(precision, scale))
    decimals.set(key, type)
  }
  return type
}

/** As many digits as it is written with. */
function decimal(text: string | null): Bound {
  if (text === null) return { type: decimalType(38, 0), value: null }
  const parsed = parseDecimal(text)
  const precision = precisionOf(parsed)
  return {
    type: decimalType(precision, parsed.scale),
    value: encodeDecimal(parsed.digits, precision),
  }
}
