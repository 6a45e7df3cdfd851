import type { Document, Pipeline } from '../../../src/mongodb/index.ts'
import {
  compile,
  type Evaluate,
  element,
  equality,
  hasOperators,
  type Match,
  type Predicate,
} from './filter.ts'
import { type Arithmetic, type Numeric, toNumber } from './numbers.ts'
import { field, isIndex, split } from './paths.ts'
import { refuse } from './refusals.ts'
import { comparator } from './sort.ts'
import { type Codec, compare, isDocument, isEqual, isNumeric, typeName } from './values.ts'

export interface Tools {
  readonly codec: Codec
  readonly arithmetic: Arithmetic
  readonly clock: () => number
  readonly evaluate: Evaluate
  /** What a pipeline makes of one document. */
  readonly transform: (document: Document, pipeline: Pipeline) => Document
}

/** Makes the document that comes of another. `match` is what the filter found in it, `inserts` is for upserts. */
export type Update = (document: Document, match: Match, inserts: boolean) => Document

/** The value that comes of another, where `undefined` is none. */
type Change = (old: unknown) => unknown

interface Step {
  readonly path: readonly string[]
  readonly change: Change
  readonly onInsertOnly: boolean
  /** Where the value goes, of `$rename`. */
  readonly target?: readonly string[]
}

/** @throws ServerError for an update that MongoDB refuses, at once or of a document */
export function compileUpdate(
  update: Document | Pipeline,
  arrayFilters: readonly Document[],
  tools: Tools,
): Update {
  if (Array.isArray(update)) {
    if (arrayFilters.length > 0) refuse('failedToParse', 'no arrayFilters with a pipeline')
    return (document) => tools.transform(document, update)
  }
  const steps = Object.entries(update).flatMap(([name, fields]) => stepsOf(name, fields, tools))
  steps.sort((a, b) => comparePaths(a.path, b.path))
  const paths = steps.flatMap(({ path, target }) =>
    target === undefined ? [path] : [path, target],
  )
  for (const path of paths) checkPath(path, paths)
  const filters = filtersOf(arrayFilters, tools.evaluate)
  for (const id of filters.keys()) {
    if (paths.some((path) => path.includes(`$[${id}]`))) continue
    refuse('failedToParse', 'an array filter was not used in the update')
  }
  return (document, match, inserts) => {
    const result = copy(document) as Document
    for (const { path, target, change, onInsertOnly } of steps) {
      if (onInsertOnly && !inserts) continue
      if (target === undefined) {
        for (const each of expand(result, path, match, filters)) apply(result, each, change)
      } else rename(result, path, target)
    }
    return result
  }
}

/** In the order in which a server makes new fields. */
function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] as string, b[i] as string]
    if (x === y) continue
    return isIndex(x) && isIndex(y) ? Number(x) - Number(y) : compare(x, y)
  }
  return a.length - b.length
}

function checkPath(path: readonly string[], all: readonly (readonly string[])[]): void {
  if (path.includes('')) refuse('emptyFieldName', 'An empty update path is not valid.')
  if (path[0]?.startsWith('$')) refuse('badValue', 'a path begins with a positional operator')
  for (const other of all) {
    if (other !== path && path.every((name, i) => name === other[i])) {
      refuse('conflictingUpdates', 'Updating the path would create a conflict')
    }
  }
}

function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy)
  if (!isDocument(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copy(one)]))
}

// Operators --------------------------------------------------------------------------------------

function stepsOf(name: string, fields: unknown, tools: Tools): Step[] {
  if (!isDocument(fields)) refuse('failedToParse', 'Modifiers operate on fields')
  return Object.entries(fields).map(([path, operand]) => {
    const step = { path: split(path), onInsertOnly: name === '$setOnInsert' }
    if (name !== '$rename') return { ...step, change: changeBy(name, operand, tools) }
    if (typeof operand !== 'string') refuse('badValue', 'The to field for $rename must be a string')
    return { ...step, change: (old) => old, target: split(operand) }
  })
}

const removed: Change = () => undefined

function changeBy(name: string, operand: unknown, tools: Tools): Change {
  switch (name) {
    case '$set':
    case '$setOnInsert':
      return () => operand
    case '$unset':
      return removed
    case '$inc':
      return calculated(operand, (old, by) => tools.arithmetic.exact('add', old, by))
    case '$mul':
      return calculated(operand, (old, by) => tools.arithmetic.exact('multiply', old, by))
    case '$min':
      return (old) => (old === undefined || compare(operand, old) < 0 ? operand : old)
    case '$max':
      return (old) => (old === undefined || compare(operand, old) > 0 ? operand : old)
    case '$currentDate':
      return now(operand, tools)
    case '$push':
      return push(operand)
    case '$addToSet':
      return addToSet(operand)
    case '$pop':
      return pop(operand)
    case '$pull': {
      const fits = isDocument(operand) ? element(operand, tools.evaluate) : equality(operand)
      return without(fits)
    }
    case '$pullAll': {
      if (!Array.isArray(operand)) refuse('badValue', '$pullAll requires an array argument')
      return without((value) => operand.some((one) => isEqual(one, value)))
    }
    case '$bit':
      return bit(operand)
    default:
      return refuse('failedToParse', `Unknown modifier: ${name}`)
  }
}

function calculated(
  operand: unknown,
  calculate: (old: Numeric, by: Numeric) => Numeric | undefined,
): Change {
  if (!isNumeric(operand)) refuse('typeMismatch', 'Cannot calculate with a non-numeric argument')
  return (old = 0) => {
    if (!isNumeric(old)) refuse('typeMismatch', 'Cannot calculate with a value of non-numeric type')
    return calculate(old, operand) ?? refuse('badValue', 'integer overflow')
  }
}

function now(operand: unknown, { clock, codec }: Tools): Change {
  const type = isDocument(operand) ? operand.$type : 'date'
  if (operand !== true && operand !== false && !isDocument(operand)) {
    refuse('badValue', '$currentDate takes a boolean or a $type')
  }
  if (type === 'date') return () => new Date(clock())
  if (type !== 'timestamp') refuse('badValue', "The '$type' is 'date' or 'timestamp'")
  return () => new codec.bson.Timestamp({ t: Math.floor(clock() / 1000), i: 1 })
}

function arrayOf(old: unknown): readonly unknown[] {
  if (!Array.isArray(old))
    refuse('badValue', `The field must be an array but is of type ${typeName(old)}`)
  return old
}

function eachOf(operand: unknown): readonly unknown[] {
  if (!isDocument(operand) || !('$each' in operand)) return [operand]
  if (!Array.isArray(operand.$each)) refuse('badValue', 'The argument to $each must be an array')
  return operand.$each
}

function push(operand: unknown): Change {
  const added = eachOf(operand)
  const { $sort, $slice, $position } = (hasOperators(operand) ? operand : {}) as Document
  const order = $sort === undefined ? undefined : elementOrder($sort)
  const [slice, position] = [wholeOf($slice, '$slice'), wholeOf($position, '$position')]
  return (old = []) => {
    const result = [...arrayOf(old)]
    result.splice(position ?? result.length, 0, ...added)
    if (order !== undefined) result.sort(order)
    if (slice === undefined) return result
    return slice < 0 ? result.slice(slice) : result.slice(0, slice)
  }
}

function wholeOf(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  const number = isNumeric(value) ? toNumber(value) : Number.NaN
  return Number.isInteger(number)
    ? number
    : refuse('badValue', `The value for ${name} is no integer`)
}

function elementOrder(sort: unknown): (a: unknown, b: unknown) => number {
  if (isDocument(sort)) {
    const order = comparator(sort)
    return (a, b) => order(isDocument(a) ? a : {}, isDocument(b) ? b : {})
  }
  const direction = wholeOf(sort, '$sort')
  if (direction !== 1 && direction !== -1) refuse('badValue', 'The $sort is 1 or -1, or a document')
  return (a, b) => direction * compare(a, b)
}

function addToSet(operand: unknown): Change {
  const added = eachOf(operand)
  return (old = []) => {
    const result = [...arrayOf(old)]
    for (const one of added) {
      if (!result.some((other) => isEqual(one, other))) result.push(one)
    }
    return result
  }
}

function pop(operand: unknown): Change {
  const end = wholeOf(operand, '$pop')
  if (end !== 1 && end !== -1) refuse('failedToParse', '$pop expects 1 or -1')
  return (old) => {
    if (old === undefined) return undefined
    if (!Array.isArray(old)) refuse('typeMismatch', 'Path contains an element of non-array type')
    return end === 1 ? old.slice(0, -1) : old.slice(1)
  }
}

function without(fits: (value: unknown) => boolean): Change {
  return (old) => (old === undefined ? undefined : arrayOf(old).filter((one) => !fits(one)))
}

const bitwise: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
}

const isWhole = (value: unknown): value is number | bigint => /^(int|long)$/.test(typeName(value))

function bit(operand: unknown): Change {
  const steps = isDocument(operand) ? Object.entries(operand) : []
  if (steps.length === 0) refuse('badValue', 'The $bit modifier needs a document')
  return (old = 0) => {
    let result = old
    for (const [name, by] of steps) {
      const calculate = bitwise[name]
      if (calculate === undefined) refuse('badValue', 'The $bit modifier takes and, or and xor')
      if (!isWhole(by) || !isWhole(result))
        refuse('badValue', 'Cannot apply $bit to a non-integral type')
      const value = calculate(BigInt(result), BigInt(by))
      result = typeof result === 'bigint' || typeof by === 'bigint' ? value : Number(value)
    }
    return result
  }
}

// Paths ------------------------------------------------------------------------------------------

function filtersOf(arrayFilters: readonly Document[], evaluate: Evaluate): Map<string, Predicate> {
  const filters = new Map<string, Predicate>()
  for (const filter of arrayFilters) {
    const [id, ...others] = new Set(identifiers(filter))
    if (id === undefined || others.length > 0 || !/^[a-z]\w*$/.test(id) || filters.has(id)) {
      refuse('failedToParse', 'an array filter needs one identifier of its own')
    }
    filters.set(id, compile(filter, evaluate))
  }
  return filters
}

function identifiers(filter: Document): string[] {
  return Object.entries(filter).flatMap(([name, value]) =>
    name.startsWith('$') && Array.isArray(value)
      ? value.flatMap((one) => identifiers(one as Document))
      : [split(name)[0] as string],
  )
}

/** Places for `$`, `$[]` and `$[name]`. */
function expand(
  document: Document,
  path: readonly string[],
  match: Match,
  filters: ReadonlyMap<string, Predicate>,
): string[][] {
  let found: { path: string[]; value: unknown }[] = [{ path: [], value: document }]
  for (const name of path) {
    found = found.flatMap(({ path: before, value }) => {
      const at = (place: string) => ({ path: [...before, place], value: child(value, place) })
      if (name === '$') {
        return [
          at(
            String(
              match.position ??
                refuse('badValue', 'The positional operator did not find the match'),
            ),
          ),
        ]
      }
      const id = /^\$\[(.*)\]$/.exec(name)?.[1]
      if (id === undefined) return [at(name)]
      const fits = id === '' ? () => true : filters.get(id)
      if (fits === undefined) refuse('badValue', 'No array filter found for identifier')
      if (!Array.isArray(value)) {
        refuse('badValue', 'The path must exist in the document in order to apply array updates')
      }
      return [...value.keys()]
        .filter((i) => id === '' || fits({ [id]: value[i] }))
        .map((i) => at(String(i)))
    })
  }
  return found.map(({ path: each }) => each)
}

function child(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return isIndex(name) ? value[Number(name)] : undefined
  return isDocument(value) ? field(value, name) : undefined
}

/** As many elements as a server puts before the one that is set. */
const maxPadding = 1_500_000

function apply(document: Document, path: readonly string[], change: Change): void {
  const old = path.reduce(child, document as unknown)
  const value = change(old)
  if (value === undefined && change !== removed) checkViable(document, path)
  if (value === old) return
  let parent: unknown = document
  for (const [i, name] of path.entries()) {
    const isLast = i === path.length - 1
    if (value === undefined && child(parent, name) === undefined) return
    const next = isLast ? value : (child(parent, name) ?? missing(parent, name))
    put(parent, name, next)
    parent = next
  }
}

/** What takes from an array has nothing to do where there is none, unless there never could be. */
function checkViable(document: Document, path: readonly string[]): void {
  let parent: unknown = document
  for (const name of path) {
    if (parent === undefined) return
    if (!isDocument(parent) && !(Array.isArray(parent) && isIndex(name))) {
      refuse('cannotCreateField', 'Cannot use the part of the path to traverse the element')
    }
    parent = child(parent, name)
  }
}

/** Null is there, and cannot have fields. */
function missing(parent: unknown, name: string): unknown {
  return child(parent, name) === null ? null : {}
}

function put(parent: unknown, name: string, value: unknown): void {
  if (Array.isArray(parent) && isIndex(name)) {
    const place = Number(name)
    if (place - parent.length > maxPadding) refuse('badValue', "can't backfill more elements")
    while (parent.length < place) parent.push(null)
    parent[place] = value === undefined ? null : value
  } else if (!isDocument(parent)) {
    refuse('cannotCreateField', 'Cannot create field in element')
  } else if (value === undefined) delete parent[name]
  else parent[name] = value
}

function rename(document: Document, from: readonly string[], to: readonly string[]): void {
  const value = from.reduce<unknown>((parent, name) => {
    if (Array.isArray(parent)) refuse('badValue', 'The source field cannot be an array element')
    return child(parent, name)
  }, document)
  if (value === undefined) return
  let parent: unknown = document
  for (const name of to.slice(0, -1)) {
    parent = child(parent, name)
    if (Array.isArray(parent))
      refuse('badValue', 'The destination field cannot be an array element')
  }
  apply(document, from, removed)
  apply(document, to, () => value)
}

// Upserts ----------------------------------------------------------------------------------------

/** What the filter says that the fields are to be. */
export function seedOf(filter: Document): Document {
  const seed: Document = {}
  for (const [path, value] of equalities(filter)) {
    const parts = split(path)
    if (parts.reduce(child, seed as unknown) !== undefined) {
      refuse('notSingleValue', 'cannot infer query fields to set, path is matched twice')
    }
    apply(seed, parts, () => copy(value))
  }
  return seed
}

function equalities(filter: Document): [string, unknown][] {
  return Object.entries(filter).flatMap(([name, condition]): [string, unknown][] => {
    const list = Array.isArray(condition) ? (condition as Document[]) : []
    if (name === '$and' || (name === '$or' && list.length === 1)) return list.flatMap(equalities)
    if (name.startsWith('$') || typeName(condition) === 'regex') return []
    if (!hasOperators(condition)) return [[name, condition]]
    if ('$eq' in condition) return [[name, condition.$eq]]
    for (const only of [condition.$in, condition.$all]) {
      if (Array.isArray(only) && only.length === 1 && !hasOperators(only[0]))
        return [[name, only[0]]]
    }
    return []
  })
}

/** As a server stores it: `_id` is the first field. */
export function withIdFirst(document: Document, newId: () => unknown): Document {
  const { _id, ...fields } = document
  return { _id: _id === undefined ? newId() : _id, ...fields }
}

/** @throws ServerError if the `_id` is another */
export function keepsId(old: Document, now: Document): Document {
  if (field(now, '_id') === undefined || !isEqual(old._id, now._id)) {
    refuse('immutableField', "would modify the immutable field '_id'")
  }
  return now
}
