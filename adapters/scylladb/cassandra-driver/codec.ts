import { isIPv4, isIPv6 } from 'node:net'
import { DriverFailure } from '../../../src/core/index.ts'
import {
  type CqlValue,
  formatDate,
  formatDecimal,
  formatDuration,
  formatTime,
  parseDate,
  parseDecimal,
  parseDuration,
  parseTime,
} from '../../../src/scylladb/index.ts'

/** A type as the driver describes it. */
export interface NativeType {
  readonly code: number
  readonly info?: unknown
}

/**
 * One CQL type. Values are encoded here and not by the driver, which takes many for another: it rounds 1.5 for an
 * int, takes a text for a number, cuts a bigint to 64 bits. Bytes it passes on. Those of the protocol:
 * https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec, section 6
 */
export interface Codec {
  /** In CQL. */
  readonly name: string
  /** `undefined` for what is no value of the type. Never called for null. */
  encode(value: CqlValue): Buffer | undefined
  /** Of what the driver gives, null excepted. Not there if that is the portable value already. */
  readonly decode?: ((native: never) => CqlValue) | undefined
  /** In a vector, others have their length before them. */
  readonly isFixed?: boolean
}

const simple: Readonly<Record<number, Codec>> = {
  1: { name: 'ascii', encode: (value) => (isAscii(value) ? Buffer.from(value) : undefined) },
  2: { name: 'bigint', encode: (value) => int64(value), isFixed: true },
  3: {
    name: 'blob',
    // A copy: it may be sent later than the caller expects.
    encode: (value) => (value instanceof Uint8Array ? Buffer.from(value) : undefined),
    decode: (native: Buffer) => new Uint8Array(native),
  },
  4: {
    name: 'boolean',
    encode: (value) => (typeof value === 'boolean' ? Buffer.of(value ? 1 : 0) : undefined),
    isFixed: true,
  },
  5: { name: 'counter', encode: (value) => int64(value) },
  6: {
    name: 'decimal',
    encode: (value) => {
      const parsed = typeof value === 'string' ? parseDecimal(value) : undefined
      if (parsed === undefined) return undefined
      return Buffer.concat([int32(parsed.scale), varint(parsed.unscaled)])
    },
    decode: ({ _intVal, _scale }: { _intVal: object; _scale: number }) =>
      formatDecimal({ unscaled: BigInt(String(_intVal)), scale: _scale }),
  },
  7: { name: 'double', encode: (value) => float(value, 8), isFixed: true },
  8: { name: 'float', encode: (value) => float(value, 4), isFixed: true },
  9: { name: 'int', encode: (value) => integer(value, 4), isFixed: true },
  11: {
    name: 'timestamp',
    encode: (value) => (value instanceof Date ? int64(BigInt(value.getTime())) : undefined),
    decode: (native: Date) => {
      if (!Number.isNaN(native.getTime())) return native
      const detail = 'a timestamp is beyond what a Date holds'
      throw new DriverFailure({ kind: 'unsupported', detail })
    },
    isFixed: true,
  },
  12: { name: 'uuid', encode: uuid, decode: String, isFixed: true },
  13: {
    name: 'text',
    encode: (value) => (typeof value === 'string' ? Buffer.from(value) : undefined),
  },
  14: {
    name: 'varint',
    encode: (value) => {
      const whole = wholeNumber(value)
      return whole === undefined ? undefined : varint(whole)
    },
  },
  15: { name: 'timeuuid', encode: uuid, decode: String, isFixed: true },
  16: {
    name: 'inet',
    encode: (value) => (typeof value === 'string' ? addressBytes(value) : undefined),
    decode: (native: { getBuffer(): Buffer }) => addressText(native.getBuffer()),
  },
  17: {
    name: 'date',
    encode: (value) => {
      const days = typeof value === 'string' ? parseDate(value) : undefined
      return days === undefined ? undefined : uint32(days + 2 ** 31)
    },
    decode: (native: { toBuffer(): Buffer }) =>
      formatDate(native.toBuffer().readUInt32BE() - 2 ** 31),
  },
  18: {
    name: 'time',
    encode: (value) => {
      const nanoseconds = typeof value === 'string' ? parseTime(value) : undefined
      return nanoseconds === undefined ? undefined : int64(nanoseconds)
    },
    decode: (native: { toBuffer(): Buffer }) => formatTime(native.toBuffer().readBigInt64BE()),
  },
  19: { name: 'smallint', encode: (value) => integer(value, 2) },
  20: { name: 'tinyint', encode: (value) => integer(value, 1) },
  21: {
    name: 'duration',
    encode: (value) => {
      const parsed = typeof value === 'string' ? parseDuration(value) : undefined
      if (parsed === undefined) return undefined
      const { months, days, nanoseconds } = parsed
      return Buffer.concat([BigInt(months), BigInt(days), nanoseconds].map(zigzag).map(vint))
    },
    decode: (native: { months: number; days: number; nanoseconds: object }) =>
      formatDuration({ ...native, nanoseconds: BigInt(String(native.nanoseconds)) }),
  },
}
const text = simple[0x0d] as Codec
const duration = simple[0x15] as Codec
const marshal = 'org.apache.cassandra.db.marshal.'

/** `parse` reads the name of a Java class as a type: that is how vectors come. */
export function codecOf(type: NativeType, parse: (name: string) => NativeType): Codec {
  const { code, info } = type
  const known = simple[code]
  if (known !== undefined) return known
  const inner = (of: unknown) => codecOf(of as NativeType, parse)
  switch (code) {
    case 0x0a:
      return text
    case 0x00:
      return Array.isArray(info)
        ? vector(inner(info[0]), Number(info[1]))
        : custom(String(info), parse)
    case 0x20:
      return list(inner(info))
    case 0x21: {
      const [key, value] = info as [NativeType, NativeType]
      return map(inner(key), inner(value))
    }
    case 0x22:
      return set(inner(info))
    case 0x30:
      return userType(info as UserType, inner)
    case 0x31:
      return tuple((info as NativeType[]).map(inner))
    default:
      return unknown(`type ${code}`)
  }
}

function custom(name: string, parse: (name: string) => NativeType): Codec {
  if (name === `${marshal}DurationType`) return duration
  return name.startsWith(`${marshal}VectorType(`) ? codecOf(parse(name), parse) : unknown(name)
}

function unknown(name: string): Codec {
  const refuse = () => {
    throw new DriverFailure({
      kind: 'unsupported',
      detail: `there are no values of the type ${name}`,
    })
  }
  return { name: `'${name}'`, encode: refuse, decode: refuse }
}

// Collections ------------------------------------------------------------------------------------

/** Null has no place in a collection. */
function all(codec: Codec, values: Iterable<CqlValue>): Buffer[] | undefined {
  const encoded: Buffer[] = []
  for (const value of values) {
    const bytes = value === null || value === undefined ? undefined : codec.encode(value)
    if (bytes === undefined) return undefined
    encoded.push(bytes)
  }
  return encoded
}

function collection(count: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([int32(count), ...items.flatMap((item) => [int32(item.length), item])])
}

function each(codec: Codec): (native: Iterable<unknown>) => CqlValue[] {
  return (native) => Array.from(native, (item) => decoded(codec, item))
}

/** What is not there, in a tuple of old, is null. */
function decoded({ decode }: Codec, native: unknown): CqlValue {
  if (native === null || native === undefined) return null
  return decode === undefined ? (native as CqlValue) : decode(native as never)
}

function list(item: Codec): Codec {
  return {
    name: `list<${item.name}>`,
    encode(value) {
      const items = Array.isArray(value) ? all(item, value) : undefined
      return items && collection(items.length, items)
    },
    decode: item.decode && each(item),
  }
}

function set(item: Codec): Codec {
  const decode = each(item)
  return {
    name: `set<${item.name}>`,
    encode(value) {
      const items = value instanceof Set ? all(item, value) : undefined
      return items && collection(items.length, items)
    },
    decode: item.decode && ((native: Iterable<unknown>) => new Set(decode(native))),
  }
}

function map(key: Codec, value: Codec): Codec {
  const pair = ([one, other]: [unknown, unknown]): [CqlValue, CqlValue] => [
    decoded(key, one),
    decoded(value, other),
  ]
  return {
    name: `map<${key.name}, ${value.name}>`,
    encode(given) {
      if (!(given instanceof Map)) return undefined
      const keys = all(key, given.keys())
      const values = all(value, given.values())
      if (keys === undefined || values === undefined) return undefined
      return collection(
        keys.length,
        keys.flatMap((bytes, i) => [bytes, values[i] as Buffer]),
      )
    },
    decode:
      (key.decode ?? value.decode) &&
      ((native: Map<unknown, unknown>) => new Map(Array.from(native, pair))),
  }
}

function tuple(items: readonly Codec[]): Codec {
  return {
    name: `tuple<${items.map(({ name }) => name).join(', ')}>`,
    encode: (value) =>
      Array.isArray(value) && value.length === items.length ? fields(items, value) : undefined,
    decode: ({ elements }: { elements: unknown[] }) =>
      items.map((item, i) => decoded(item, elements[i])),
  }
}

interface UserType {
  readonly name: string
  readonly fields: readonly { readonly name: string; readonly type: NativeType }[]
}

function userType(type: UserType, inner: (of: unknown) => Codec): Codec {
  const names = type.fields.map(({ name }) => name)
  const items = type.fields.map((field) => inner(field.type))
  return {
    name: type.name,
    encode(value) {
      if (typeof value !== 'object' || value === null) return undefined
      const given = value as Readonly<Record<string, CqlValue>>
      if (value instanceof Date || Symbol.iterator in value) return undefined
      if (Object.keys(given).some((name) => !names.includes(name))) return undefined
      return fields(
        items,
        names.map((name) => given[name]),
      )
    },
    decode: (native: Readonly<Record<string, unknown>>) =>
      Object.fromEntries(
        items.map((item, i) => [names[i], decoded(item, native[names[i] as string])]),
      ),
  }
}

/** Of a tuple or user type, each of which may be null. */
function fields(items: readonly Codec[], values: readonly CqlValue[]): Buffer | undefined {
  const pieces: Buffer[] = []
  for (const [i, item] of items.entries()) {
    const value = values[i]
    if (value === null || value === undefined) {
      pieces.push(int32(-1))
      continue
    }
    const bytes = item.encode(value)
    if (bytes === undefined) return undefined
    pieces.push(int32(bytes.length), bytes)
  }
  return Buffer.concat(pieces)
}

function vector(item: Codec, dimension: number): Codec {
  return {
    name: `vector<${item.name}, ${dimension}>`,
    encode(value) {
      if (!Array.isArray(value) || value.length !== dimension) return undefined
      const items = all(item, value)
      if (items === undefined || item.isFixed) return items && Buffer.concat(items)
      return Buffer.concat(items.flatMap((bytes) => [vint(BigInt(bytes.length)), bytes]))
    },
    decode: each(item),
    isFixed: item.isFixed === true,
  }
}

// Bytes ------------------------------------------------------------------------------------------

function isAscii(value: CqlValue): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) === value.length
}

function wholeNumber(value: CqlValue): bigint | undefined {
  if (typeof value === 'bigint') return value
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined
}

function integer(value: CqlValue, bytes: 1 | 2 | 4): Buffer | undefined {
  const whole = typeof value === 'bigint' ? Number(value) : value
  const limit = 2 ** (bytes * 8 - 1)
  if (!Number.isInteger(whole) || (whole as number) < -limit || (whole as number) >= limit) {
    return undefined
  }
  const buffer = Buffer.allocUnsafe(bytes)
  buffer.writeIntBE(whole as number, 0, bytes)
  return buffer
}

function int32(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4)
  buffer.writeInt32BE(value)
  return buffer
}

function uint32(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4)
  buffer.writeUInt32BE(value)
  return buffer
}

function int64(value: CqlValue): Buffer | undefined {
  const whole = wholeNumber(value)
  if (whole === undefined || BigInt.asIntN(64, whole) !== whole) return undefined
  const buffer = Buffer.allocUnsafe(8)
  buffer.writeBigInt64BE(whole)
  return buffer
}

function float(value: CqlValue, bytes: 4 | 8): Buffer | undefined {
  if (typeof value !== 'number') return undefined
  const buffer = Buffer.allocUnsafe(bytes)
  if (bytes === 4) buffer.writeFloatBE(value)
  else buffer.writeDoubleBE(value)
  return buffer
}

/** Two's complement, as short as it can be. */
function varint(value: bigint): Buffer {
  const magnitude = value < 0n ? -value - 1n : value
  const bytes = Math.floor(magnitude.toString(16).length / 2) + 1
  const hex = BigInt.asUintN(bytes * 8, value).toString(16)
  const long = Buffer.from(hex.padStart(bytes * 2, '0'), 'hex')
  // One byte more than it takes, if its first one only repeats the sign of the second.
  const isPadded = bytes > 1 && long[0] === ((long[1] as number) & 0x80 ? 0xff : 0)
  return isPadded ? long.subarray(1) : long
}

function zigzag(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
}

/** The first byte has as many ones as bytes follow. Section 3, `[unsigned vint]`. */
function vint(value: bigint): Buffer {
  let extra = 0
  while (extra < 8 && value >= 1n << BigInt(7 * (extra + 1))) extra++
  const buffer = Buffer.alloc(extra + 1)
  const hex = value.toString(16).padStart((extra + 1) * 2, '0')
  buffer.write(hex.slice(-(extra + 1) * 2), 'hex')
  buffer[0] = (buffer[0] as number) | ((0xff00 >> extra) & 0xff)
  return buffer
}

function uuid(value: CqlValue): Buffer | undefined {
  if (typeof value !== 'string' || !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value)) {
    return undefined
  }
  return Buffer.from(value.replaceAll('-', ''), 'hex')
}

function addressBytes(text: string): Buffer | undefined {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [start = '', end] = canonical(text).split('::')
  const [before, after] = [start, end ?? ''].map((half) => (half === '' ? [] : half.split(':')))
  const zeros = Array.from({ length: 8 - (before?.length ?? 0) - (after?.length ?? 0) }, () => '0')
  const groups = [...(before ?? []), ...zeros, ...(after ?? [])]
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  return canonical((bytes.toString('hex').match(/.{4}/g) ?? []).join(':'))
}

/** RFC 5952: `2001:db8::1`. */
function canonical(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
