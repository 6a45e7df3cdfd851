import type { Document } from '../../../src/mongodb/index.ts'
import { type Evaluate, element, hasOperators, type Match } from './filter.ts'
import { toNumber } from './numbers.ts'
import { split } from './paths.ts'
import { refuse, unsupported } from './refusals.ts'
import { isDocument, isNumeric, isTrue } from './values.ts'

export type Projection = (document: Document, match?: Match) => Document

/** What becomes of the value of a field that the projection names. */
type Pick = (value: unknown, match: Match) => unknown
type Tree = Map<string, Tree | Pick>

interface Computed {
  readonly path: readonly string[]
  readonly expression: unknown
}

/**
 * Of a find, or of the stage `$project`, which knows no `$slice`, no `$elemMatch` and no `$`.
 * @throws ServerError for one that MongoDB refuses
 */
export function compileProjection(
  projection: Document,
  evaluate: Evaluate,
  ofFind: boolean,
): Projection {
  const tree: Tree = new Map()
  const computed: Computed[] = []
  /** `undefined` as long as nothing decides it. */
  let includes: boolean | undefined
  let withId: boolean | undefined

  const decide = (inclusion: boolean) => {
    if (includes !== undefined && includes !== inclusion) {
      if (includes)
        refuse('exclusionInInclusion', 'Cannot do exclusion on field in inclusion projection')
      refuse('inclusionInExclusion', 'Cannot do inclusion on field in exclusion projection')
    }
    includes = inclusion
  }
  const add = (path: string, value: unknown) => {
    if (typeof value === 'boolean' || isNumeric(value)) {
      if (path === '_id') withId = isTrue(value)
      else if (ofFind && path.endsWith('.$')) {
        decide(true)
        insert(tree, split(path.slice(0, -2)), matched)
      } else {
        decide(isTrue(value))
        insert(tree, split(path), isTrue(value) ? itself : nothing)
      }
    } else if (isDocument(value) && !hasOperators(value)) {
      if (Object.keys(value).length === 0)
        refuse('badValue', 'An empty sub-projection is not valid')
      for (const [name, below] of Object.entries(value)) add(`${path}.${name}`, below)
    } else if (ofFind && isDocument(value) && '$slice' in value) {
      insert(tree, split(path), slice(value.$slice))
    } else if (ofFind && isDocument(value) && '$elemMatch' in value) {
      decide(true)
      insert(tree, split(path), firstOf(element(value.$elemMatch, evaluate)))
    } else {
      if (isDocument(value) && '$meta' in value) unsupported('$meta')
      decide(true)
      computed.push({ path: split(path), expression: value })
    }
  }
  for (const [path, value] of Object.entries(projection)) add(path, value)

  const inclusion = includes ?? withId === true
  if (withId === false && !inclusion) tree.set('_id', nothing)
  if (withId !== false && inclusion && !computed.some(({ path }) => path[0] === '_id')) {
    tree.set('_id', itself)
  }
  return (document, match = {}) => {
    let result = project(document, tree, !inclusion, match) as Document
    for (const { path, expression } of computed) {
      const value = evaluate(document, expression)
      if (value !== undefined) result = withField(result, path, value) as Document
    }
    return result
  }
}

const itself: Pick = (value) => value
const nothing: Pick = () => undefined

const matched: Pick = (value, { position }) => {
  if (!Array.isArray(value)) return value
  if (position === undefined) refuse('badValue', 'positional operator does not match the query')
  return value.slice(position, position + 1)
}

function firstOf(fits: (value: unknown) => boolean): Pick {
  return (value) => {
    const found = Array.isArray(value) ? value.findIndex(fits) : -1
    return found === -1 ? undefined : (value as unknown[]).slice(found, found + 1)
  }
}

function slice(operand: unknown): Pick {
  const numbers = (Array.isArray(operand) ? operand : [operand]).map((one) =>
    isNumeric(one) ? toNumber(one) : refuse('badValue', '$slice takes one number or two'),
  )
  const [first = 0, limit] = numbers
  if (numbers.length > 2) refuse('badValue', '$slice takes one number or two')
  if (limit !== undefined && limit <= 0) refuse('badValue', 'the limit of $slice must be positive')
  return (value) => {
    if (!Array.isArray(value)) return value
    if (limit === undefined) return first < 0 ? value.slice(first) : value.slice(0, first)
    const start = first < 0 ? Math.max(0, value.length + first) : first
    return value.slice(start, start + limit)
  }
}

function insert(tree: Tree, path: readonly string[], pick: Pick): void {
  const [name = '', ...below] = path
  const found = tree.get(name)
  if (typeof found === 'function' || (found !== undefined && below.length === 0)) {
    refuse('pathCollision', 'Path collision')
  }
  if (below.length === 0) {
    tree.set(name, pick)
    return
  }
  const subtree = found ?? new Map()
  tree.set(name, subtree)
  insert(subtree, below, pick)
}

/** `keep`: what the projection does not name. */
function project(value: unknown, tree: Tree, keep: boolean, match: Match): unknown {
  if (Array.isArray(value)) {
    return value.map((one) => project(one, tree, keep, match)).filter((one) => one !== undefined)
  }
  if (!isDocument(value)) return keep ? value : undefined
  const result: Document = {}
  for (const [name, one] of Object.entries(value)) {
    const found = tree.get(name)
    let picked: unknown
    if (found === undefined) picked = keep ? one : undefined
    else if (typeof found === 'function') picked = found(one, match)
    else picked = project(one, found, keep, match)
    if (picked !== undefined) result[name] = picked
  }
  return result
}

/** With the field set, in every element of arrays on the way, or removed if `value` is undefined. */
export function withField(parent: unknown, path: readonly string[], value: unknown): unknown {
  const [name, ...below] = path
  if (name === undefined) return value
  if (Array.isArray(parent)) return parent.map((one) => withField(one, path, value))
  const { [name]: old, ...others } = isDocument(parent) ? parent : {}
  const field = withField(old, below, value)
  if (field === undefined) return others
  // In its place, if it has one.
  return old === undefined
    ? { ...others, [name]: field }
    : { ...(parent as Document), [name]: field }
}

/** Without the field, also in arrays on the way. */
export function withoutField(parent: unknown, path: readonly string[]): unknown {
  const tree: Tree = new Map()
  insert(tree, path, nothing)
  return project(parent, tree, true, {})
}
