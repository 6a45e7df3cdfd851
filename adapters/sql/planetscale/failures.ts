import { statusFailure } from '../../../src/core/http.ts'
import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import { errorHeader, kindOf, parseFailures } from '../../../src/core/wire.ts'
import { classifyMysql } from '../../../src/sql/index.ts'

/** What an HTTP answer was, beside what the client makes of it. */
export type Answered = Pick<Response, 'ok' | 'status' | 'headers'>

/** The server's words in Vitess' form, to which the statement may be added. */
const vitess = /^(.*?) \(errno (\d{1,5})\) \(sqlstate \w{5}\)(?: \(CallerID|:|$)/s
const prefix = /^.*? desc = /s

/** What the client threw, once there was an answer. `native` is for who debugs. */
export function failureOf(error: unknown, answer: Answered): DriverFailure {
  return new DriverFailure(explained(error, answer), { cause: error })
}

function explained(error: unknown, answer: Answered): Failure {
  const whole = parseFailures(answer.headers.get(errorHeader))?.whole
  // Of our gateway, which says what became of it.
  const wired = whole && {
    kind: kindOf(whole.code) ?? ('internal' as const),
    outcome: whole.outcome,
    retryAfterMs: whole.retryAfterMs,
  }
  if (!answer.ok) return wired ?? statusFailure(answer as Response)
  const { name, body } = error as { name?: unknown; body?: { message?: unknown; code?: unknown } }
  if (name !== 'DatabaseError') {
    return { kind: 'internal', detail: 'the reply is not of the protocol' }
  }
  const [, text = '', errno] = vitess.exec(String(body?.message)) ?? []
  if (errno === undefined) return wired ?? byCode(body?.code)
  const failure = classifyMysql({ errno: Number(errno), message: text.replace(prefix, '') })
  return { ...failure, ...wired }
}

/** Of Vitess itself, before it asks MySQL. */
const kinds: Readonly<Record<string, Failure['kind']>> = {
  INVALID_ARGUMENT: 'invalid',
  UNIMPLEMENTED: 'unsupported',
  PERMISSION_DENIED: 'forbidden',
  UNAUTHENTICATED: 'unauthenticated',
  NOT_FOUND: 'not-found',
  ALREADY_EXISTS: 'conflict',
  FAILED_PRECONDITION: 'invalid',
  RESOURCE_EXHAUSTED: 'throttled',
  CANCELED: 'aborted',
  ABORTED: 'closed',
  DEADLINE_EXCEEDED: 'timeout',
  UNAVAILABLE: 'unavailable',
}

function byCode(code: unknown): Failure {
  const kind = kinds[String(code)] ?? 'internal'
  return { kind, detail: 'the server refused the statement' }
}
