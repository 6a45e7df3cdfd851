import { codeOf, isInfraError, passing } from '../core/index.ts'
import { type Answer, type Call, type Failed, parseJson, Refusal } from './face.ts'

// What the protocols of dualport's own have in common: JSON in, JSON out, and one form for failures.

/** The fields of a request, none of which has been looked at. */
export type Body = Readonly<Record<string, unknown>>

/**
 * A request that has no other fields than these: one that is misspelt would be missed.
 * @throws Refusal
 */
export async function bodyOf(call: Call, fields: readonly string[]): Promise<Body> {
  const bytes = await call.body(call.limits.documentBodyBytes)
  // A number of many digits is a double, as it was written.
  const body = object(parseJson(bytes, asItIs), 'the body')
  if (Object.keys(body).every((name) => fields.includes(name))) return body
  throw new Refusal('invalid', `the body has a field beside ${fields.join(', ')}`)
}

function asItIs(_: string, value: unknown): unknown {
  return value
}

export function object(value: unknown, name: string): Body {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body
  throw new Refusal('invalid', `${name} is not an object`)
}

export function array(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Refusal('invalid', `${name} is not there, or not an array`)
}

export function string(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new Refusal('invalid', `${name} is not there, or not a text`)
}

/** `{"error":{"code","kind","message","detail","retryable"}}`. Our own words, which quote nothing of the engine's. */
export function failureOf(component: string): (error: Failed) => Answer {
  return (error) => {
    const { kind, message } = error
    const known = isInfraError(error)
      ? { code: error.code, detail: error.detail, retryable: error.retryable }
      : { code: codeOf(component, kind), detail: message, retryable: passing.has(kind) }
    return {
      type: 'application/json',
      body: JSON.stringify({ error: { kind, message, ...known } }),
    }
  }
}
