import type { Document } from '../../../src/mongodb/index.ts'
import { isDocument } from './values.ts'

/** `position` is that of the element of the outermost array on the way, if there was one. */
export type Test = (value: unknown, position: number | undefined) => boolean

export const split = (path: string): readonly string[] => path.split('.')

export function isIndex(name: string): boolean {
  return /^(0|[1-9]\d{0,8})$/.test(name)
}

export function field(document: Document, name: string): unknown {
  return Object.hasOwn(document, name) ? document[name] : undefined
}

/**
 * Whether `test` holds for anything that the path leads to, arrays on the way element by element; `undefined`
 * where it ends early. `spread`: an array at its end is tested by element, and as a whole.
 */
export function reaches(
  value: unknown,
  path: readonly string[],
  spread: boolean,
  test: Test,
  at = 0,
  position?: number,
): boolean {
  const name = path[at]
  if (name === undefined) {
    if (spread && Array.isArray(value)) {
      if (value.some((element, i) => test(element, position ?? i))) return true
    }
    return test(value, position)
  }
  if (isDocument(value)) return reaches(field(value, name), path, spread, test, at + 1, position)
  if (!Array.isArray(value)) return test(undefined, position)
  for (const [i, element] of value.entries()) {
    const place = position ?? i
    if (isDocument(element) && reaches(element, path, spread, test, at, place)) return true
    if (String(i) !== name) continue
    if (at === path.length - 1) {
      if (test(element, place)) return true
    } else if (isDocument(element) || Array.isArray(element)) {
      if (reaches(element, path, spread, test, at + 1, place)) return true
    }
  }
  return false
}

/** All that the path leads to, arrays at its end by element, and what is missing left out. */
export function valuesAt(document: Document, path: string, whole: boolean): unknown[] {
  const found: unknown[] = []
  reaches(document, split(path), false, (value) => {
    if (value === undefined) return false
    if (Array.isArray(value) && !whole) found.push(...value)
    else found.push(value)
    return false
  })
  return found
}
