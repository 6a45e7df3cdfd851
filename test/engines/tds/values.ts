import {
  cannotConvert,
  conversionFailed,
  notADate,
  notAGuid,
  overflow,
  SqlServerError,
  truncated,
} from './errors.ts'
import {
  decimalOf,
  isBinary,
  isInteger,
  isText,
  narrow,
  type SqlType,
  type Value,
} from './types.ts'

const integers: Readonly<Record<string, readonly [bigint, bigint]>> = {
  bit: [0n, 1n],
  tinyint: [0n, 255n],
  smallint: [-(2n ** 15n), 2n ** 15n - 1n],
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  bigint: [-(2n ** 63n), 2n ** 63n - 1n],
}

/** The value in the canonical form of the type, as CAST makes it. Throws as SQL Server does. */
export function convert(given: Value, type: SqlType): Value {
  const value = narrow(given)
  if (value === null || type.name === 'sql_variant') return value
  if (isInteger(type)) return toInteger(value, type)
  if (type.name === 'real' || type.name === 'float') return toFloat(value, type)
  if (decimalOf(type) !== undefined) return toDecimal(value, type)
  if (isBinary(type)) return toBinary(value, type)
  if (type.name === 'uniqueidentifier') return toGuid(value)
  if (isText(type)) return toText(value, type)
  return writeMoment(parseMoment(asText(value), type), type)
}

/** As a column takes it: what does not fit is an error, where CAST would cut it. */
export function fitColumn(given: Value, type: SqlType, table: string, column: string): Value {
  const value = narrow(given)
  const { length = -1 } = type
  if (value !== null && length >= 0) {
    const size = sizeOf(value, type)
    if (size > length) {
      const shown = isBinary(type) ? '' : asText(value).slice(0, length)
      throw truncated(table, column, shown)
    }
  }
  return convert(value, type)
}

function sizeOf(value: Value, { name }: SqlType): number {
  if (value instanceof Uint8Array) return value.length
  const text = asText(value)
  return name.startsWith('n') ? text.length : Buffer.byteLength(text)
}

function nameOf(value: Value): string {
  if (typeof value === 'bigint') return 'bigint'
  if (typeof value === 'number') return 'float'
  return typeof value === 'string' ? 'nvarchar' : 'varbinary'
}

function asText(value: Value): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value)
}

// Numbers ----------------------------------------------------------------------------------------

function toInteger(value: Value, type: SqlType): bigint {
  let whole: bigint
  if (typeof value === 'bigint') whole = value
  else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw overflow(type.name)
    whole = BigInt(Math.trunc(value))
  } else if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.subarray(-8)).toString('hex')
    whole = BigInt.asIntN(64, BigInt(`0x${hex === '' ? '0' : hex}`))
  } else {
    const text = String(value).trim()
    if (type.name === 'bit' && /^(true|false)$/i.test(text)) return /true/i.test(text) ? 1n : 0n
    // A decimal is cut; a string of one is no integer, but nothing tells them apart here.
    const match = /^([+-]?\d+)(\.\d*)?$/.exec(text)
    if (match === null && text !== '') throw conversionFailed('nvarchar', String(value), type.name)
    whole = BigInt(match?.[1] ?? 0)
  }
  if (type.name === 'bit') return whole === 0n ? 0n : 1n
  const [least, most] = integers[type.name]!
  if (whole < least || whole > most) throw overflow(type.name)
  return whole
}

function toFloat(value: Value, type: SqlType): number {
  const number = value instanceof Uint8Array ? Number(asText(value)) : Number(value)
  if (Number.isNaN(number)) throw cannotConvert(nameOf(value), type.name)
  return type.name === 'real' ? Math.fround(number) : number
}

function toDecimal(value: Value, type: SqlType): string {
  const { precision, scale } = decimalOf(type)!
  const text = asText(value).trim()
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text)
  if (match === null || !/\d/.test(text)) throw cannotConvert(nameOf(value), type.name)
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  // All digits, and how many of them are after the point.
  let digits = whole + fraction
  const after = fraction.length - Number(exponent)
  digits =
    after < scale ? digits + '0'.repeat(scale - after) : digits.padStart(after - scale + 1, '0')
  let units = BigInt(after > scale ? digits.slice(0, digits.length - (after - scale)) : digits)
  if (after > scale && digits[digits.length - (after - scale)]! >= '5') units += 1n
  if (units >= 10n ** BigInt(precision)) throw overflow(type.name)
  return writeDecimal(sign === '-' ? -units : units, scale)
}

/** 12345n of scale 2 is '123.45'. */
export function writeDecimal(units: bigint, scale: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  const fraction = scale === 0 ? '' : `.${digits.slice(point)}`
  return `${units < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`
}

/** The reverse, of canonical text. */
export function decimalUnits(text: string): bigint {
  return BigInt(text.replace('.', ''))
}

// Text and bytes ---------------------------------------------------------------------------------

function toText(value: Value, type: SqlType): string {
  const { name, length = -1 } = type
  const text = asText(value)
  if (length < 0) return text
  const cut = sizeOf(text, type) > length ? cutTo(text, length, name) : text
  return name === 'char' || name === 'nchar' ? cut.padEnd(length) : cut
}

function cutTo(text: string, length: number, name: string): string {
  if (name.startsWith('n')) return text.slice(0, length)
  let cut = text.slice(0, length)
  while (Buffer.byteLength(cut) > length) cut = cut.slice(0, -1)
  return cut
}

function toBinary(value: Value, { name, length = -1 }: SqlType): Uint8Array {
  let bytes: Uint8Array
  if (value instanceof Uint8Array) bytes = value
  else if (typeof value === 'string') bytes = Buffer.from(value, 'utf16le')
  else {
    const size = typeof value === 'bigint' && BigInt.asIntN(32, value) === value ? 4 : 8
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64BE(BigInt(Math.trunc(Number(value))))
    bytes = buffer.subarray(8 - size)
  }
  if (length < 0) return bytes
  if (name === 'varbinary' || bytes.length >= length) return bytes.subarray(0, length)
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])
}

function toGuid(value: Value): string {
  if (value instanceof Uint8Array && value.length === 16) return readGuid(value)
  const text = asText(value).replace(/^\{(.*)\}$/, '$1')
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) throw notAGuid()
  return text.toUpperCase()
}

/** The first three groups are little-endian. */
export function readGuid(bytes: Uint8Array): string {
  const hex = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6].map((at) => bytes[at]!)).toString('hex')
  const rest = Buffer.from(bytes.subarray(8)).toString('hex')
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12), rest.slice(0, 4), rest.slice(4)]
  return groups.join('-').toUpperCase()
}

export function writeGuid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
  return Buffer.concat([
    Buffer.from([3, 2, 1, 0, 5, 4, 7, 6].map((at) => bytes[at]!)),
    bytes.subarray(8),
  ])
}

// Dates and times --------------------------------------------------------------------------------

/** A date and a time of day as the clock on the wall says, `offset` minutes ahead of UTC. */
export interface Moment {
  /** Days since 0001-01-01. */
  readonly days: number
  /** Ticks of 100 ns since midnight. */
  readonly ticks: bigint
  readonly offset: number
}

export const ticksPerDay = 864_000_000_000n
const days1970 = 719_162
export const days1900 = 693_595

export function parseMoment(text: string, type: SqlType): Moment {
  const match =
    /^\s*(?:(\d{4})-?(\d\d)-?(\d\d))?(?:[T ]*(\d\d?):(\d\d)(?::(\d\d)(?:[.:](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*$/i.exec(
      text,
    )
  if (match === null || text.trim() === '') throw notADate()
  const [, year = '1900', month = '01', day = '01'] = match
  const [hour, minute, second] = [match[4], match[5], match[6]].map((part) => Number(part ?? 0))
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const valid = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (!valid || hour! > 23 || minute! > 59 || second! > 59) throw notADate()
  const fraction = BigInt((match[7] ?? '').padEnd(7, '0').slice(0, 7))
  const seconds = (hour! * 60 + minute!) * 60 + second!
  const moment = {
    days: Math.round(date.getTime() / 86_400_000) + days1970,
    ticks: BigInt(seconds) * 10_000_000n + fraction,
    offset: parseOffset(match[8]),
  }
  return roundMoment(moment, type)
}

function parseOffset(text: string | undefined): number {
  if (text === undefined || text.toUpperCase() === 'Z') return 0
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2))
  return text.startsWith('-') ? -minutes : minutes
}

/** To the steps that the type counts in. */
function roundMoment(moment: Moment, { name, scale = 7 }: SqlType): Moment {
  let { ticks } = moment
  if (name === 'date') ticks = 0n
  else if (name === 'smalldatetime') ticks = roundTo(ticks, 600_000_000n)
  else if (name === 'datetime') {
    // Three hundredths of a second, shown as milliseconds.
    const threeHundredths = (ticks * 3n + 50_000n) / 100_000n
    ticks = ((threeHundredths * 10n * 2n + 3n) / 6n) * 10_000n
  } else ticks = roundTo(ticks, 10n ** BigInt(7 - scale))
  if (ticks < ticksPerDay) return { ...moment, ticks }
  return { ...moment, days: moment.days + 1, ticks: ticks - ticksPerDay }
}

function roundTo(ticks: bigint, step: bigint): bigint {
  return ((ticks + step / 2n) / step) * step
}

export function shift({ days, ticks, offset }: Moment, minutes: number): Moment {
  const moved = ticks + BigInt(minutes) * 600_000_000n
  const over = moved < 0n ? -1n : moved / ticksPerDay
  return { days: days + Number(over), ticks: moved - over * ticksPerDay, offset }
}

/** Canonical: `2024-02-29 12:30:00.1234567 +01:00`, as much of it as the type has. */
export function writeMoment({ days, ticks, offset }: Moment, type: SqlType): string {
  const date = new Date((days - days1970) * 86_400_000).toISOString()
  const day = date.slice(date.startsWith('+') ? 3 : 0).slice(0, 10)
  if (type.name === 'date') return day
  const seconds = Number(ticks / 10_000_000n)
  const clock = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60]
  const scale = type.name === 'datetime' ? 3 : type.name === 'smalldatetime' ? 0 : (type.scale ?? 7)
  const fraction = (ticks % 10_000_000n).toString().padStart(7, '0').slice(0, scale)
  const time = clock.map((part) => String(part).padStart(2, '0')).join(':')
  const precise = scale === 0 ? time : `${time}.${fraction}`
  if (type.name === 'time') return precise
  if (type.name !== 'datetimeoffset') return `${day} ${precise}`
  const minutes = Math.abs(offset)
  const [hours, rest] = [Math.trunc(minutes / 60), minutes % 60]
  const zone = [hours, rest].map((part) => String(part).padStart(2, '0')).join(':')
  return `${day} ${precise} ${offset < 0 ? '-' : '+'}${zone}`
}

/** The type of a column of which nothing is known but its values. */
export function infer(values: readonly Value[], complete: boolean): SqlType {
  let kind: 'int' | 'bigint' | 'float' | 'text' | 'binary' | undefined
  let longest = 0
  for (const given of values) {
    const value = narrow(given)
    if (value === null) continue
    if (typeof value === 'bigint') {
      const wide = BigInt.asIntN(32, value) !== value
      if (kind === undefined || kind === 'int') kind = wide ? 'bigint' : 'int'
    } else if (typeof value === 'number') {
      if (kind !== 'text' && kind !== 'binary') kind = 'float'
    } else if (typeof value === 'string') {
      kind = 'text'
      longest = Math.max(longest, value.length)
    } else {
      kind ??= 'binary'
      longest = Math.max(longest, value.length)
    }
  }
  switch (kind) {
    case 'int':
    case 'bigint':
    case 'float':
      return { name: kind }
    case 'binary':
      return { name: 'varbinary', length: complete && longest <= 8000 ? 8000 : -1 }
    case 'text':
      return { name: 'nvarchar', length: complete && longest <= 4000 ? 4000 : -1 }
    default:
      return { name: 'nvarchar', length: complete ? 4000 : -1 }
  }
}

// JavaScript -------------------------------------------------------------------------------------

/** A value that a test gives: of a procedure's result, say. */
export function fromJs(value: unknown): Value {
  switch (typeof value) {
    case 'undefined':
      return null
    case 'boolean':
      return value ? 1n : 0n
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case 'bigint':
    case 'string':
      return value
    default:
      if (value === null || value instanceof Uint8Array) return value as Value
      if (value instanceof Date) return value.toISOString().replace('Z', ' +00:00')
      throw new SqlServerError(8114, 'A procedure of the test gave a value of no type here.')
  }
}

/** A value as a procedure of a test takes it: bits are booleans, the other integers but bigint numbers. */
export function toJs(value: Value, type: SqlType): unknown {
  if (typeof value !== 'bigint') return value
  if (type.name === 'bit') return value === 1n
  return type.name === 'bigint' ? value : Number(value)
}
