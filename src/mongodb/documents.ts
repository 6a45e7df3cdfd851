import { DriverFailure } from '../core/index.ts'
import type { Operators } from './operators.ts'

/** @internal */
export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

/** As MongoDB documents it. https://www.mongodb.com/docs/manual/reference/limits/ */
const maxDepth = 100
const int64 = 2n ** 63n

/** What keys may be, and what they may be below each of them. */
interface Keys {
  /** Of a key that begins with `$`: checks it, and gives the rule for what is below it. */
  operator(name: string): Keys
  /** The rule for what is below any other key. */
  readonly field: Keys
  /** `a.b` reaches into a document. */
  readonly paths: boolean
  /** A field that is `undefined` is left out; elsewhere that would change what an operation matches. */
  readonly gaps: boolean
}

function noOperator(): never {
  throw invalid('a field name begins with $')
}

const stored: Keys = {
  operator: noOperator,
  get field() {
    return stored
  },
  paths: false,
  gaps: true,
}

/** Below `$set` and its like. */
const assigned: Keys = { operator: noOperator, field: stored, paths: true, gaps: false }
const assignments = new Set(['$set', '$setOnInsert', '$min', '$max'])

/** Conditions and expressions: operators at every depth. */
function nested(below: (name: string, self: Keys) => Keys): Keys {
  const self: Keys = {
    operator: (name) => below(name, self),
    get field() {
      return self
    },
    paths: true,
    gaps: false,
  }
  return self
}

/** Checks what goes out, alike for every transport, before anything is sent. */
export class Checker {
  readonly #maxBytes: number
  readonly #filter: Keys
  readonly #update: Keys
  readonly #expression: Keys

  constructor(operators: Operators, maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#expression = nested((name, self) => {
      operators.expression(name)
      return self
    })
    this.#filter = nested((name, self) => {
      operators.query(name)
      return name === '$expr' ? this.#expression : self
    })
    const modified = nested((name, self) => {
      operators.modifier(name)
      return self
    })
    this.#update = nested((name) => {
      operators.update(name)
      return assignments.has(name) ? assigned : modified
    })
  }

  /** What is stored: no `$` and no dot in its keys, since no query could reach them, and EJSON would misread them. */
  document(value: unknown, what: string): void {
    this.#check(value, what, stored)
  }

  filter(value: unknown, what = 'the filter'): void {
    this.#check(value, what, this.#filter)
  }

  /** A projection, a stage: whatever takes expressions. */
  expression(value: unknown, what: string): void {
    this.#check(value, what, this.#expression)
  }

  pipeline(value: unknown, what: string): void {
    if (!Array.isArray(value)) throw invalid(`${what} is not an array of stages`)
    for (const stage of value) this.expression(stage, `a stage of ${what}`)
  }

  update(value: unknown): void {
    if (Array.isArray(value)) {
      this.pipeline(value, 'the update')
      return
    }
    this.#check(value, 'the update', this.#update)
    const names = Object.keys(value as object)
    if (names.length === 0) throw invalid('the update is empty')
    if (!names.every((name) => name.startsWith('$'))) {
      throw invalid('the update has no operators; to replace the document use replaceOne')
    }
  }

  replacement(value: unknown): void {
    const name = isDocument(value) ? Object.keys(value)[0] : undefined
    if (name?.startsWith('$') || Array.isArray(value)) {
      throw invalid('the replacement has operators; to change fields use updateOne')
    }
    this.document(value, 'the replacement')
  }

  #check(value: unknown, what: string, keys: Keys): void {
    if (!isDocument(value)) throw invalid(`${what} is not an object`)
    // UTF-8 needs at most 3 bytes for a UTF-16 unit: count exactly only when that could be too much.
    if (new Walk(false).document(value, keys, 1) <= this.#maxBytes) return
    if (new Walk(true).document(value, keys, 1) > this.#maxBytes) {
      throw invalid(`${what} is larger than ${this.#maxBytes} bytes`)
    }
  }
}

/** True for what BSON writes as a document. */
function isDocument(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || '_bsontype' in value) return false
  const prototype = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    // Classes of the application's own, but no Map, Date or array.
    Object.prototype.toString.call(value) === '[object Object]'
  )
}

const encoder = new TextEncoder()

/** Goes through a document, and gives its size in bytes of BSON. */
class Walk {
  readonly #exact: boolean

  constructor(exact: boolean) {
    this.#exact = exact
  }

  document(value: Record<string, unknown>, keys: Keys, depth: number): number {
    if (depth > maxDepth) throw invalid(`there are more than ${maxDepth} levels`)
    let size = 5
    for (const key of Object.keys(value)) {
      const below = checkKey(key, keys)
      const item = value[key]
      if (item === undefined) {
        if (keys.gaps) continue
        throw invalid('a field is undefined')
      }
      size += 2 + this.#text(key) + this.#value(item, below, depth)
    }
    return size
  }

  #array(values: readonly unknown[], keys: Keys, depth: number): number {
    if (depth > maxDepth) throw invalid(`there are more than ${maxDepth} levels`)
    let size = 5
    for (let i = 0; i < values.length; i++) {
      if (values[i] === undefined) throw invalid('an element of an array is undefined')
      size += 2 + String(i).length + this.#value(values[i], keys, depth)
    }
    return size
  }

  #value(value: unknown, keys: Keys, depth: number): number {
    switch (typeof value) {
      case 'string':
        if (!value.isWellFormed()) throw invalid('a text is not well-formed Unicode')
        return 5 + this.#text(value)
      case 'number':
        return 8
      case 'boolean':
        return 1
      case 'bigint':
        if (value < -int64 || value >= int64) throw invalid('a bigint does not fit 64 bits')
        return 8
      case 'object':
        return value === null ? 0 : this.#object(value, keys, depth)
      default:
        throw invalid(`a ${typeof value} cannot be stored`)
    }
  }

  #object(value: object, keys: Keys, depth: number): number {
    if (Array.isArray(value)) return this.#array(value, keys, depth + 1)
    if ('_bsontype' in value) return this.#bson(value)
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw invalid('a Date is not valid')
      return 8
    }
    if (value instanceof Uint8Array) return 5 + value.length
    if (value instanceof RegExp) {
      // Others mean nothing to the server, or something else.
      if (!/^[im]*$/.test(value.flags)) {
        throw invalid('a RegExp has flags other than i and m; use a BSONRegExp')
      }
      return 4 + this.#text(value.source)
    }
    if (!isDocument(value)) throw invalid('a value cannot be stored')
    if (typeof value.toBSON === 'function') throw invalid('a value has a toBSON method')
    return this.document(value, keys, depth + 1)
  }

  #bson(value: object): number {
    // A field of this name, in what users send in, is no class of BSON's.
    if (Object.hasOwn(value, '_bsontype')) throw invalid('a field name is _bsontype')
    const {
      _bsontype,
      position,
      pattern,
      code,
      scope,
      value: inner,
    } = value as {
      _bsontype: unknown
      position?: unknown
      pattern?: unknown
      code?: unknown
      scope?: unknown
      value?: unknown
    }
    switch (_bsontype) {
      case 'Binary':
        return 5 + Number(position)
      case 'BSONRegExp':
        return 16 + this.#text(String(pattern))
      case 'BSONSymbol':
        return 5 + this.#text(String(inner))
      case 'Code':
        if (scope !== null && scope !== undefined) throw invalid('a Code has a scope')
        return 5 + this.#text(String(code))
      default:
        return 16
    }
  }

  #text(text: string): number {
    return this.#exact ? encoder.encode(text).length : text.length * 3
  }
}

/** The rule for what is below the key. */
function checkKey(key: string, keys: Keys): Keys {
  if (key.charCodeAt(0) === 36) return keys.operator(key)
  if (key === '__proto__' || key.includes('\0') || !key.isWellFormed()) {
    throw invalid('a field name is __proto__, holds a NUL or is not well-formed')
  }
  if (!keys.paths && key.includes('.')) throw invalid('a field name holds a dot')
  if (keys.paths && key.split('.').includes('__proto__')) {
    throw invalid('a path goes through __proto__')
  }
  return keys.field
}
