import { fromBase64, toBase64 } from './base64.ts'

/*
 * Portable values, the same JavaScript on every transport, as JSON carries them between dualport's own HTTP
 * adapters and gateway. What JSON has stands for itself; the rest is an object of one field:
 *
 * | value                            | JSON                                         |
 * |----------------------------------|----------------------------------------------|
 * | null, boolean, string, number    | itself                                       |
 * | -0, NaN, Infinity, -Infinity     | `{"$f":"-0"}`                                |
 * | bigint                           | `{"$n":"9007199254740993"}`                  |
 * | Date                             | `{"$d":"2026-11-28T00:00:00.000Z"}`          |
 * | Uint8Array                       | `{"$b":"AAE="}`                              |
 * | array                            | array                                        |
 * | object                           | `{"$o":{"a":1}}`                             |
 * | Set, Map                         | `{"$s":[1,2]}`, `{"$m":[["key","value"]]}`   |
 * | undefined                        | `{"$u":0}`                                   |
 */

/** What `readValue` is given is not what `writeValue` writes. The message holds nothing of it. */
export class ValueError extends Error {
  override readonly name: string = 'ValueError'
}

type Json = null | boolean | string | number | readonly Json[] | { readonly [key: string]: Json }

/** Deeper values are refused: they would overflow the stack of whoever reads them. */
const maxDepth = 100

/**
 * For `JSON.stringify`.
 * @throws ValueError for functions, symbols, invalid Dates, lone surrogates and more than 100 levels
 */
export function writeValue(value: unknown, depth = 0): Json {
  switch (typeof value) {
    case 'string':
      // Another UTF-8 encoder would change it.
      if (!value.isWellFormed()) throw new ValueError('a text has half of a surrogate pair')
      return value
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return { $f: Object.is(value, -0) ? '-0' : String(value) }
    case 'bigint':
      return { $n: String(value) }
    case 'undefined':
      return { $u: 0 }
    case 'object':
      return value === null ? null : writeObject(value, depth)
    default:
      throw new ValueError(`a ${typeof value} is not a value`)
  }
}

function writeObject(value: object, depth: number): Json {
  if (depth > maxDepth) throw new ValueError(`a value has more than ${maxDepth} levels`)
  const below = (item: unknown) => writeValue(item, depth + 1)
  if (Array.isArray(value)) return value.map(below)
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new ValueError('a Date is not valid')
    return { $d: value.toISOString() }
  }
  if (value instanceof Uint8Array) return { $b: toBase64(value) }
  if (value instanceof Set) return { $s: Array.from(value, below) }
  if (value instanceof Map)
    return { $m: Array.from(value, ([key, item]) => [below(key), below(item)]) }
  const fields = Object.entries(value).map(([name, item]) => [name, below(item)] as const)
  return { $o: Object.fromEntries(fields) }
}

/**
 * What `JSON.parse` gave of what `writeValue` wrote, whoever sent it.
 * @throws ValueError for anything else
 */
export function readValue(json: unknown, depth = 0): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (depth > maxDepth) throw new ValueError(`a value has more than ${maxDepth} levels`)
  if (Array.isArray(json)) return json.map((item) => readValue(item, depth + 1))
  const [[tag, content] = [], ...more] = Object.entries(json)
  const read = tag !== undefined && Object.hasOwn(readers, tag) ? readers[tag] : undefined
  const value = more.length === 0 ? read?.(content, depth + 1) : undefined
  if (value === undefined && tag !== '$u') throw new ValueError('a value is not of the protocol')
  return value
}

/** `undefined` for what is malformed. */
const readers: Readonly<Record<string, (content: unknown, depth: number) => unknown>> = {
  $f: (text) => floats.get(text),
  $n: (text) =>
    typeof text === 'string' && /^-?\d{1,1000}$/.test(text) ? BigInt(text) : undefined,
  $d(text) {
    const date = new Date(typeof text === 'string' ? text : Number.NaN)
    return Number.isNaN(date.getTime()) ? undefined : date
  },
  $b: fromBase64,
  $u: () => undefined,
  $o(object, depth) {
    if (typeof object !== 'object' || object === null || Array.isArray(object)) return undefined
    const fields = Object.entries(object).map(([name, item]) => [name, readValue(item, depth)])
    return Object.fromEntries(fields)
  },
  $s: (items, depth) =>
    Array.isArray(items) ? new Set(items.map((item) => readValue(item, depth))) : undefined,
  $m(items, depth) {
    const isPair = (item: unknown) => Array.isArray(item) && item.length === 2
    if (!Array.isArray(items) || !items.every(isPair)) return undefined
    return new Map(items.map(([key, item]) => [readValue(key, depth), readValue(item, depth)]))
  },
}

const floats = new Map<unknown, number>([
  ['-0', -0],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
])
