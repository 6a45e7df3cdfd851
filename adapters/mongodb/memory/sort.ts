import type { Document } from '../../../src/mongodb/index.ts'
import { toNumber } from './numbers.ts'
import { reaches, split } from './paths.ts'
import { refuse, unsupported } from './refusals.ts'
import { compare, isDocument, isNumeric, typeName } from './values.ts'

/** Orders documents. Of an array counts the least element, or the greatest if the order is descending. */
export function comparator(sort: Document): (a: Document, b: Document) => number {
  const keys = Object.entries(sort).map(([path, given]) => {
    if (isDocument(given)) unsupported('sort by $meta')
    const direction = isNumeric(given) ? toNumber(given) : 0
    if (direction !== 1 && direction !== -1)
      refuse('badValue', '$sort key ordering must be 1 or -1')
    return { path: split(path), direction }
  })
  return (a, b) => {
    for (const { path, direction } of keys) {
      const difference =
        direction * compareKeys(keyAt(a, path, direction), keyAt(b, path, direction))
      if (difference !== 0) return difference
    }
    return 0
  }
}

const emptyArray = Symbol('[]')

/** An empty array stands before everything but `MinKey`. */
function compareKeys(a: unknown, b: unknown): number {
  if (a !== emptyArray && b !== emptyArray) return compare(a, b)
  if (a === b) return 0
  const other = a === emptyArray ? b : a
  return (a === emptyArray) === (typeName(other) === 'minKey') ? 1 : -1
}

function keyAt(document: Document, path: readonly string[], direction: number): unknown {
  let key: unknown
  let found = false
  const take = (value: unknown) => {
    if (!found || direction * compareKeys(value, key) < 0) key = value
    found = true
  }
  reaches(document, path, false, (value) => {
    for (const one of Array.isArray(value) ? (value.length > 0 ? value : [emptyArray]) : [value]) {
      take(one)
    }
    return false
  })
  return key
}
