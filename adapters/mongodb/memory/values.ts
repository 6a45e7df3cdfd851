import type {
  Binary,
  BSONRegExp,
  Code,
  DBRef,
  Double,
  Int32,
  Long,
  ObjectId,
  Timestamp,
} from 'bson'
import type { Bson } from '../../../src/mongodb/ejson.ts'
import type { Document } from '../../../src/mongodb/index.ts'
import { collator } from './collation.ts'
import { compareNumbers, isInt32, type Numeric, numberKey } from './numbers.ts'

/*
 * What is stored differs from what callers see in one thing: a double that could pass for an int32 is a
 * `Double`, so that a plain whole number is an int32. Documents in store never change; updates make new ones.
 */

/** Carries documents over the border in BSON, which copies them, and treats every type as a server would. */
export class Codec {
  readonly bson: Bson

  constructor(bson: Bson) {
    this.bson = bson
  }

  /** A caller's value, as it is stored. */
  read<T>(value: T): T {
    const bytes = this.bson.serialize({ value }, { ignoreUndefined: true })
    const options = { promoteValues: false, bsonRegExp: true }
    return this.#stored(this.bson.deserialize(bytes, options).value) as T
  }

  /** A stored value, as the driver gives it. */
  write<T>(value: T): T {
    return this.decode(this.encode({ value })).value as T
  }

  encode(document: Document): Uint8Array {
    return this.bson.serialize(document, { ignoreUndefined: true })
  }

  decode(bytes: Uint8Array): Document {
    return this.bson.deserialize(bytes, { useBigInt64: true, bsonRegExp: true })
  }

  #stored(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((element) => this.#stored(element))
    if (isDocument(value)) {
      for (const name of Object.keys(value)) value[name] = this.#stored(value[name])
      return value
    }
    switch (bsonType(value)) {
      case 'Int32':
        return (value as Int32).value
      case 'Double':
        return isInt32((value as Double).value) ? value : (value as Double).value
      case 'Long':
        return (value as Long).toBigInt()
      case 'BSONSymbol':
        return String(value)
      default:
        return value
    }
  }
}

/** True for an embedded document, false for the values of BSON that are objects too. */
export function isDocument(value: unknown): value is Document {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

function bsonType(value: unknown): string | undefined {
  return (value as { _bsontype?: string } | null | undefined)?._bsontype
}

/** Names as `$type` has them, with MongoDB's numbers and the order in which values of different types sort. */
const types = {
  minKey: [-1, 0],
  missing: [0, 1],
  null: [10, 1],
  int: [16, 2],
  long: [18, 2],
  double: [1, 2],
  decimal: [19, 2],
  string: [2, 3],
  object: [3, 4],
  array: [4, 5],
  binData: [5, 6],
  objectId: [7, 7],
  bool: [8, 8],
  date: [9, 9],
  timestamp: [17, 10],
  regex: [11, 11],
  dbPointer: [12, 12],
  javascript: [13, 13],
  maxKey: [127, 14],
} as const

export type TypeName = keyof typeof types

const byClass: Readonly<Record<string, TypeName>> = {
  Double: 'double',
  Decimal128: 'decimal',
  ObjectId: 'objectId',
  Binary: 'binData',
  BSONRegExp: 'regex',
  Timestamp: 'timestamp',
  Code: 'javascript',
  DBRef: 'object',
  MinKey: 'minKey',
  MaxKey: 'maxKey',
}

export function typeName(value: unknown): TypeName {
  switch (typeof value) {
    case 'undefined':
      return 'missing'
    case 'number':
      return isInt32(value) ? 'int' : 'double'
    case 'bigint':
      return 'long'
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
  }
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return 'date'
  return (isDocument(value) ? undefined : byClass[bsonType(value) as string]) ?? 'object'
}

/** `undefined` if there is no type of this name or number. */
export function typeNamed(alias: unknown): TypeName | undefined {
  const all = Object.keys(types) as TypeName[]
  return all.find((name) => name !== 'missing' && (name === alias || types[name][0] === alias))
}

/** Where values of its type stand among all others. Missing stands where null does. */
export function rank(value: unknown): number {
  return types[typeName(value)][1]
}

export function isNumeric(value: unknown): value is Numeric {
  return rank(value) === types.int[1]
}

/** BSON's order, in which numbers of all types are one. */
export function compare(a: unknown, b: unknown): number {
  const difference = rank(a) - rank(b)
  if (difference !== 0) return difference
  switch (typeName(a)) {
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
      return compareNumbers(a as Numeric, b as Numeric)
    case 'string':
      return collator()?.compare(a as string, b as string) ?? compareTexts(a as string, b as string)
    case 'object':
      return compareDocuments(fieldsOf(a), fieldsOf(b))
    case 'array':
      return compareArrays(a as unknown[], b as unknown[])
    case 'binData':
      return compareBinaries(a as Binary, b as Binary)
    case 'objectId':
      return order((a as ObjectId).toHexString(), (b as ObjectId).toHexString())
    case 'bool':
    case 'date':
      return Number(a) - Number(b)
    case 'timestamp':
      return (
        order((a as Timestamp).t, (b as Timestamp).t) ||
        order((a as Timestamp).i, (b as Timestamp).i)
      )
    case 'regex': {
      const [x, y] = [a as BSONRegExp, b as BSONRegExp]
      return compareTexts(x.pattern, y.pattern) || compareTexts(x.options, y.options)
    }
    case 'javascript':
      return compareTexts((a as Code).code, (b as Code).code)
    default:
      return 0
  }
}

export function isEqual(a: unknown, b: unknown): boolean {
  return compare(a, b) === 0
}

const order = <T extends string | number>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0)

/** A DBRef is a document with fields of these names. */
function fieldsOf(value: unknown): Document {
  if (isDocument(value)) return value
  const { collection, oid, db, fields } = value as DBRef
  return { $ref: collection, $id: oid, ...(db !== undefined && { $db: db }), ...fields }
}

/** By code points, which is the order of UTF-8, and not that of UTF-16. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  const end = Math.min(a.length, b.length)
  let i = 0
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++
  return i === end ? a.length - b.length : weight(a.charCodeAt(i)) - weight(b.charCodeAt(i))
}

function weight(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit < 0xe000
  return isSurrogate ? unit + 0x10000 : unit
}

function compareDocuments(a: Document, b: Document): number {
  const [names, others] = [Object.keys(a), Object.keys(b)]
  for (const [i, name] of names.entries()) {
    const other = others[i]
    if (other === undefined) return 1
    const difference =
      rank(a[name]) - rank(b[other]) || compareTexts(name, other) || compare(a[name], b[other])
    if (difference !== 0) return difference
  }
  return names.length - others.length
}

function compareArrays(a: readonly unknown[], b: readonly unknown[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = compare(a[i], b[i])
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function compareBinaries(a: Binary, b: Binary): number {
  const difference = a.length() - b.length() || a.sub_type - b.sub_type
  return difference || order(a.toString('hex'), b.toString('hex'))
}

/** The same text for equal values, another for all others; whatever the collation. */
export function keyOf(value: unknown): string {
  switch (typeName(value)) {
    case 'missing':
    case 'null':
      return 'null'
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
      return numberKey(value as Numeric)
    case 'string':
      return JSON.stringify(value)
    case 'object': {
      const fields = Object.entries(fieldsOf(value))
      return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${keyOf(field)}`).join()}}`
    }
    case 'array':
      return `[${(value as unknown[]).map(keyOf).join()}]`
    case 'binData':
      return `binData(${(value as Binary).sub_type},${(value as Binary).toString('base64')})`
    case 'objectId':
      return `objectId(${(value as ObjectId).toHexString()})`
    case 'date':
      return `date(${Number(value)})`
    case 'timestamp':
      return `timestamp(${(value as Timestamp).t},${(value as Timestamp).i})`
    case 'regex':
      return `regex(${JSON.stringify([(value as BSONRegExp).pattern, (value as BSONRegExp).options])})`
    case 'javascript':
      return `javascript(${JSON.stringify((value as Code).code)})`
    case 'bool':
      return String(value)
    default:
      return typeName(value)
  }
}

/** What an expression or a projection takes for true. */
export function isTrue(value: unknown): boolean {
  if (isNumeric(value)) return compareNumbers(value, 0) !== 0
  return value !== undefined && value !== null && value !== false
}
