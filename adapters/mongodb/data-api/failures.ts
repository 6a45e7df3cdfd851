import { statusFailure } from '../../../src/core/http.ts'
import { DriverFailure, type ErrorKind } from '../../../src/core/index.ts'
import { errorHeader, kindOf, parseFailures } from '../../../src/core/wire.ts'
import { classifyServerError, ServerError } from '../../../src/mongodb/index.ts'

interface Body {
  readonly error?: unknown
  readonly error_code?: unknown
  /** Of our gateway: the server's number, and the index that a duplicate is in. */
  readonly code?: unknown
  readonly index?: unknown
}

/** What a status other than 2xx means. */
export function failureOf(response: Response, text: string): Error {
  const { error, error_code, code, index } = bodyOf(text)
  const message = typeof error === 'string' ? error : ''
  const whole = parseFailures(response.headers.get(errorHeader))?.whole
  if (whole === undefined) {
    if (typeof code === 'number') return new ServerError(code, message)
    return foreignFailure(response, message, error_code)
  }
  const { outcome, retryAfterMs } = whole
  if (typeof code === 'number') {
    // In the server's own form, so that one place reads the name of the index.
    const words = typeof index === 'string' ? duplicateKey(index) : message
    const failure = classifyServerError(new ServerError(code, words), '')
    return new DriverFailure({ ...failure, outcome, retryAfterMs })
  }
  return new DriverFailure({ kind: kindOf(whole.code) ?? 'internal', outcome, retryAfterMs })
}

function bodyOf(text: string): Body {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    // A proxy's page: the status has to do.
    return {}
  }
}

/** As MongoDB words it, but for the value. */
function duplicateKey(index: string): string {
  return `E11000 duplicate key error collection: - index: ${index} dup key:`
}

/** As Atlas App Services named them, with status 400. */
const kinds: Readonly<Record<string, ErrorKind>> = {
  InvalidSession: 'unauthenticated',
  NoMatchingRuleFound: 'forbidden',
  ExecutionTimeLimitExceeded: 'timeout',
  InternalServerError: 'internal',
}
/** What is said, with status 400 and the code of a bad parameter, to who sends no credentials. */
const noCredentials = /^(?:no authentication methods|must specify some form of authentication)/

/** Of another server: `{"error", "error_code"}`, where MongoDB's own error is quoted in the text. */
function foreignFailure(response: Response, message: string, errorCode: unknown): Error {
  const duplicate = message.indexOf('E11000 duplicate key')
  if (duplicate >= 0) return new ServerError(11000, message.slice(duplicate))
  const failure = statusFailure(response)
  if (typeof errorCode === 'string') {
    if (noCredentials.test(message)) failure.kind = 'unauthenticated'
    else if (response.status === 400) failure.kind = kinds[errorCode] ?? 'invalid'
    // FerretDB's status for whatever its database refuses: not a server that is gone.
    else if (response.status === 500) failure.kind = 'internal'
  }
  return new DriverFailure(failure)
}
