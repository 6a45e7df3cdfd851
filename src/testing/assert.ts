import {
  codeOf,
  type ErrorKind,
  type InfraError,
  isInfraError,
  type Outcome,
} from '../core/index.ts'

/** Fails unless both are the same value, compared in depth. A `Buffer` is not a `Uint8Array` here. */
export function equal<T>(actual: T, expected: NoInfer<T>, what = 'the value'): void {
  if (!same(actual, expected)) {
    throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`)
  }
}

export function ok(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

export interface ExpectedError {
  readonly kind: ErrorKind
  readonly outcome?: Outcome
  readonly retryable?: boolean
}

/** Fails unless the work ends with an `InfraError` of that kind, which it gives for a closer look. */
export async function rejects(
  work: Promise<unknown> | (() => unknown),
  expected: ExpectedError,
  what = 'the call',
): Promise<InfraError> {
  let value: unknown
  try {
    value = await (typeof work === 'function' ? work() : work)
  } catch (error) {
    if (!isInfraError(error)) throw new Error(`${what}: not an InfraError: ${show(error)}`)
    const { kind, outcome, retryable } = error
    const actual: ExpectedError = {
      kind,
      ...(expected.outcome !== undefined && { outcome }),
      ...(expected.retryable !== undefined && { retryable }),
    }
    equal(actual, expected, `${what}: its error ("${error.message}")`)
    equal(error.code, codeOf(error.component, kind), `${what}: its code`)
    return error
  }
  throw new Error(`${what}: expected an error of kind ${expected.kind}, got ${show(value)}`)
}

/** Asks again until it is so; fails after 10 seconds. */
export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const due = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > due) throw new Error(`10 seconds passed and not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date) return a.getTime() === (b as Date).getTime()
  if (a instanceof Uint8Array) {
    const other = b as Uint8Array
    return a.length === other.length && a.every((byte, i) => byte === other[i])
  }
  // In the order of their items: whoever compares knows it.
  if (a instanceof Set || a instanceof Map) return same([...a], [...(b as Set<unknown>)])
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  )
}

const longest = 300

/** A value as one would write it, cut where it gets long. */
export function show(value: unknown): string {
  const text = write(value)
  return text.length <= longest ? text : `${text.slice(0, longest)}... (${text.length} characters)`
}

function write(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' && Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return String(value)
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (value instanceof Uint8Array) {
    const hex = Array.from(value.subarray(0, longest), (byte) => byte.toString(16).padStart(2, '0'))
    return `${value.constructor.name}(${value.length}) <${hex.join(' ')}>`
  }
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`
  if (value instanceof Set || value instanceof Map) {
    return `${value.constructor.name}(${write([...value])})`
  }
  const fields = Object.entries(value).map(
    ([name, field]) => `${JSON.stringify(name)}: ${write(field)}`,
  )
  return `{ ${fields.join(', ')} }`
}
