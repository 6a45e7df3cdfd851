import { statusFailure } from '../../../src/core/http.ts'
import { DriverFailure } from '../../../src/core/index.ts'
import { errorHeader, kindOf, parseFailures } from '../../../src/core/wire.ts'

/** The gateway's own answer: it says what became of the request. */
export class Refused extends DriverFailure {}

/** What a status other than 2xx means. The gateway has put the engine's error into the words of all adapters. */
export function failureOf(response: Response, text: string): DriverFailure {
  const whole = parseFailures(response.headers.get(errorHeader))?.whole
  if (whole === undefined) return new DriverFailure(statusFailure(response))
  const { detail, retryable } = errorOf(text)
  const { code, outcome, retryAfterMs } = whole
  return new Refused({
    kind: kindOf(code) ?? 'internal',
    outcome,
    retryAfterMs,
    ...(typeof retryable === 'boolean' && { retryable }),
    ...(typeof detail === 'string' && detail.length <= 500 && { detail }),
  })
}

function errorOf(text: string): { readonly detail?: unknown; readonly retryable?: unknown } {
  try {
    return JSON.parse(text).error ?? {}
  } catch {
    // Cut, or changed on its way: the header has to do.
    return {}
  }
}
