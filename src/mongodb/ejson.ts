import type { Binary, BSONRegExp, BSONValue, Code, Double, Timestamp } from 'bson'

/** The package, which adapters load when they need it. */
export type Bson = typeof import('bson')

/** The part of it that is used here. */
export type BsonValues = Pick<
  Bson,
  | 'Binary'
  | 'BSONRegExp'
  | 'Code'
  | 'Decimal128'
  | 'Double'
  | 'EJSON'
  | 'MaxKey'
  | 'MinKey'
  | 'ObjectId'
  | 'Timestamp'
  | 'UUID'
>

/** A text that is not Extended JSON. The message holds nothing of it. */
export class EjsonError extends Error {}

/** `ejson`: canonical, which keeps every type. `json`: as Atlas wrote it, which does not. */
export type Format = 'ejson' | 'json'

/**
 * MongoDB's Extended JSON, both ways. Not bson's own `EJSON`: that takes `{ $regex, $ne }` of a filter for a
 * regular expression and drops the rest, makes a long of a double beyond 32 bits, and rounds plain numbers.
 * https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md
 */
export interface Ejson {
  /**
   * Canonical, relaxed, or plain JSON, where whole numbers are of 32 or else 64 bits and those with a point are
   * doubles.
   * @throws EjsonError
   */
  read(text: string): unknown
  write(value: unknown, format: Format): string
}

/**
 * @param doubles Whole doubles are read as `Double`, which goes on as one, or as `number`, as drivers give them.
 */
export function ejsonWith(bson: BsonValues, doubles: 'Double' | 'number'): Ejson {
  const double = (value: number) =>
    doubles === 'Double' && isWhole(value) ? new bson.Double(value) : value
  const readers = readersWith(bson, double)
  return {
    read(text) {
      let value: unknown
      try {
        const reviver = inexact.test(text) ? exactNumberWith(bson) : undefined
        value = JSON.parse(text, reviver)
      } catch (error) {
        // The reviver goes down by recursion.
        if (error instanceof RangeError) throw tooDeep()
        throw new EjsonError('it is not JSON')
      }
      return typed(value, 1, readers)
    },
    write: (value, format) => write(value, format, bson),
  }
}

// In ---------------------------------------------------------------------------------------------

/** A little more than documents may have: there is a request around them. */
const maxDepth = 128
/** Plain numbers that are more than JavaScript's number says: `1.0`, `1e3`, or of more digits than it holds. */
const inexact = /[:,[]\s*-?\d+(?:[.eE]|\d{15})/

type Reviver = (
  this: unknown,
  key: string,
  value: unknown,
  context?: { source?: string },
) => unknown

type MakeDouble = (value: number) => unknown

/** Whole doubles come out as `Double`: a number without a point is none. */
function exactNumberWith({ Double }: BsonValues): Reviver {
  return function exactNumber(_, value, { source = '' } = {}) {
    if (typeof value !== 'number' || !Number.isInteger(value)) return value
    if (/[.eE]/.test(source)) return new Double(value)
    return Number.isSafeInteger(value) ? value : (int64(source) ?? new Double(value))
  }
}

function tooDeep(): EjsonError {
  return new EjsonError(`it is nested more than ${maxDepth} levels deep`)
}

/** In place: every object is fresh from JSON. */
function typed(value: unknown, depth: number, readers: Readers): unknown {
  if (typeof value === 'number') return isInt32(value) || !isWhole(value) ? value : BigInt(value)
  if (typeof value !== 'object' || value === null) return value
  if ('_bsontype' in value) {
    // A field of this name would make the object pass for something else on its way to the engine.
    if (Object.hasOwn(value, '_bsontype')) throw new EjsonError('a field name is _bsontype')
    // What the reviver made.
    return readers.double((value as Double).value)
  }
  if (depth > maxDepth) throw tooDeep()
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = typed(value[i], depth + 1, readers)
    return value
  }
  const object = value as Record<string, unknown>
  const keys = Object.keys(object)
  for (const key of keys) {
    const field = typed(object[key], depth + 1, readers)
    if (key !== '__proto__') object[key] = field
    // To assign would change the prototype.
    else Object.defineProperty(object, key, { ...plainProperty, value: field })
  }
  const [name] = keys
  const read = name?.startsWith('$') ? readers.byName.get(name) : undefined
  if (read === undefined || (keys.length > 1 && !isOldBinary(object, keys))) return object
  const result = read(object[name as string], object)
  if (result === undefined) throw new EjsonError(`the value of ${name} is not valid`)
  return result
}

const plainProperty = { configurable: true, enumerable: true, writable: true }

const isWhole = (value: number) => Number.isInteger(value) && !Object.is(value, -0)
const isInt32 = (value: number) => isWhole(value) && value === (value | 0)

function int64(digits: string): bigint | undefined {
  const value = BigInt(digits)
  return value === BigInt.asIntN(64, value) ? value : undefined
}

/** `{ "$binary": "AAE=", "$type": "00" }`, as version 1 wrote it. */
function isOldBinary(object: Record<string, unknown>, keys: readonly string[]): boolean {
  return keys.length === 2 && keys[0] === '$binary' && typeof object.$type === 'string'
}

interface Readers {
  readonly double: MakeDouble
  /** Each gives `undefined` for what is not such a value. */
  readonly byName: ReadonlyMap<string, Reader>
}

type Reader = (value: unknown, object: Record<string, unknown>) => unknown

function readersWith(bson: BsonValues, makeDouble: MakeDouble): Readers {
  const { Code, Decimal128, MaxKey, MinKey, ObjectId, Timestamp, UUID } = bson
  const { Binary, BSONRegExp } = bson

  function double(text: unknown) {
    if (!matches(text, /^(?:-?Infinity|NaN|-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/)) {
      return undefined
    }
    return makeDouble(Number(text))
  }

  function decimal(text: unknown) {
    if (typeof text !== 'string') return undefined
    try {
      return Decimal128.fromString(text)
    } catch {
      return undefined
    }
  }

  function binary(value: unknown, { $type }: Record<string, unknown>) {
    const { base64, subType } = (
      $type === undefined ? (value ?? {}) : { base64: value, subType: $type }
    ) as { base64?: unknown; subType?: unknown }
    if (!matches(base64, /^[\w+/-]*={0,2}$/) || !matches(subType, /^[\da-f]{1,2}$/i)) {
      return undefined
    }
    const bytes = Binary.createFromBase64(base64, Number.parseInt(subType, 16))
    return bytes.sub_type === Binary.SUBTYPE_UUID && bytes.length() === 16
      ? new UUID(bytes.buffer.slice(0, 16))
      : bytes
  }

  function regularExpression(value: unknown) {
    const { pattern, options } = (value ?? {}) as { pattern?: unknown; options?: unknown }
    return matches(pattern, /^[^\0]*$/) && matches(options, /^[imxlsu]*$/)
      ? new BSONRegExp(pattern, options)
      : undefined
  }

  function timestamp(value: unknown) {
    const { t, i } = (value ?? {}) as { t?: unknown; i?: unknown }
    return isUint32(t) && isUint32(i) ? new Timestamp({ t: Number(t), i: Number(i) }) : undefined
  }

  const byName = new Map<string, Reader>([
    ['$oid', (hex) => (matches(hex, /^[\da-f]{24}$/i) ? new ObjectId(hex) : undefined)],
    ['$numberInt', int32],
    ['$numberLong', (text) => (matches(text, /^-?\d{1,19}$/) ? int64(text) : undefined)],
    ['$numberDouble', double],
    ['$numberDecimal', decimal],
    ['$date', date],
    ['$binary', binary],
    ['$uuid', (text) => (UUID.isValid(text as string) ? new UUID(text as string) : undefined)],
    ['$regularExpression', regularExpression],
    ['$timestamp', timestamp],
    ['$minKey', (one) => (one === 1 ? new MinKey() : undefined)],
    ['$maxKey', (one) => (one === 1 ? new MaxKey() : undefined)],
    ['$code', (code) => (typeof code === 'string' ? new Code(code) : undefined)],
  ])
  return { double: makeDouble, byName }
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function int32(text: unknown): number | undefined {
  return matches(text, /^-?\d{1,10}$/) && isInt32(Number(text)) ? Number(text) : undefined
}

function date(value: unknown): Date | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    return undefined
  }
  const result = new Date(typeof value === 'bigint' ? Number(value) : value)
  return Number.isNaN(result.getTime()) ? undefined : result
}

/** A whole number beyond 32 bits with a sign has become a bigint. */
function isUint32(value: unknown): boolean {
  const isNumber = typeof value === 'bigint' || Number.isInteger(value)
  return isNumber && (value as number) >= 0 && (value as number) <= 0xffff_ffff
}

// Out --------------------------------------------------------------------------------------------

function write(value: unknown, format: Format, bson: BsonValues): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return format === 'ejson' ? canonicalNumber(value) : plainNumber(value)
    case 'bigint':
      return format === 'ejson' ? `{"$numberLong":"${value}"}` : String(value)
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, format, bson)
    default:
      return 'null'
  }
}

function writeObject(value: object, format: Format, bson: BsonValues): string {
  if (Array.isArray(value)) {
    return `[${value.map((element) => write(element, format, bson)).join(',')}]`
  }
  if (value instanceof Date) return writeDate(value, format)
  if (value instanceof RegExp) return writeRegExp(value)
  if (value instanceof Uint8Array) return writeBson(new bson.Binary(value), format, bson)
  // By the prototype: a document may have a field of this name.
  if ('_bsontype' in value && !Object.hasOwn(value, '_bsontype')) {
    return writeBson(value as BSONValue, format, bson)
  }
  const fields: string[] = []
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key]
    if (field === undefined) continue
    fields.push(`${JSON.stringify(key)}:${write(field, format, bson)}`)
  }
  return `{${fields.join(',')}}`
}

function canonicalNumber(value: number): string {
  if (isInt32(value)) return `{"$numberInt":"${value}"}`
  return `{"$numberDouble":"${Object.is(value, -0) ? '-0.0' : value}"}`
}

/** JSON has no infinities. */
function plainNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`
}

function writeDate(value: Date, format: Format): string {
  const ms = value.getTime()
  // Further from 1970 than a Date can say.
  if (Number.isNaN(ms)) return 'null'
  return format === 'ejson'
    ? `{"$date":{"$numberLong":"${ms}"}}`
    : JSON.stringify(value.toISOString())
}

/** Of JavaScript's flags, those that MongoDB knows. */
function writeRegExp({ source, flags }: RegExp): string {
  const options = flags.replace(/[^im]/g, '')
  return JSON.stringify({ $regularExpression: { pattern: source, options } })
}

function writeBson(value: BSONValue, format: Format, bson: BsonValues): string {
  if (format === 'ejson' || value._bsontype === 'DBRef') {
    return bson.EJSON.stringify(value, { relaxed: false })
  }
  switch (value._bsontype) {
    case 'Binary':
      return JSON.stringify({
        Subtype: (value as Binary).sub_type,
        Data: (value as Binary).toString('base64'),
      })
    case 'BSONRegExp': {
      const { pattern, options } = value as BSONRegExp
      return JSON.stringify({ Pattern: pattern, Options: options })
    }
    case 'Timestamp': {
      const { t, i } = value as Timestamp
      return JSON.stringify({ T: t, I: i })
    }
    case 'Code':
      return JSON.stringify((value as Code).code)
    case 'MinKey':
    case 'MaxKey':
      return '{}'
    default:
      return JSON.stringify(String(value))
  }
}
