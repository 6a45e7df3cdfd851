import { DriverFailure, type ErrorKind, type InfraError, isInfraError } from '../core/index.ts'
import { type Answer, type Failed, Refusal } from './face.ts'
import type { Lost } from './held.ts'

/** Of a transaction that cannot be gone on with. */
export class LostTransaction extends Refusal {
  readonly why: Lost

  constructor(message: string, why: Lost) {
    super(why === 'forged' ? 'invalid' : 'closed', message)
    this.why = why
  }
}

/** What Vitess' clients read of a failure. */
export interface VitessError {
  readonly code: string
  readonly message: string
}

/** As Vitess names them. https://github.com/vitessio/vitess/blob/main/proto/vtrpc.proto */
const codes: Readonly<Record<ErrorKind, string>> = {
  invalid: 'InvalidArgument',
  unsupported: 'Unimplemented',
  forbidden: 'PermissionDenied',
  unauthenticated: 'Unauthenticated',
  'not-found': 'NotFound',
  conflict: 'FailedPrecondition',
  throttled: 'ResourceExhausted',
  aborted: 'Canceled',
  closed: 'Aborted',
  timeout: 'DeadlineExceeded',
  unavailable: 'Unavailable',
  internal: 'Internal',
  config: 'Internal',
}
const duplicate = 1062
const deadlock = 1213

function codeOf(kind: ErrorKind, errno?: number): string {
  if (errno === duplicate) return 'AlreadyExists'
  return errno === deadlock ? 'Aborted' : codes[kind]
}

/** `ALREADY_EXISTS` for `AlreadyExists`. */
function screaming(code: string): string {
  return code.replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()
}

/** Of the whole request: `{"error"}` with a status other than 200. */
export function failure(error: Failed): Answer {
  const code = screaming(codeOf(error.kind))
  const body = JSON.stringify({ error: { code, message: error.message } })
  return { type: 'application/json', body }
}

/**
 * What the engine or the session refused, for an answer of status 200. In Vitess' form, from which clients read
 * the server's number and its SQLSTATE, but without its text, which quotes values. `undefined` for what is none.
 */
export function refusedBy(error: unknown): VitessError | undefined {
  if (error instanceof LostTransaction) {
    return worded(codeOf(error.kind), `transaction: ${error.message}`, 1105, 'HY000')
  }
  const server = isInfraError(error) ? serverErrorOf(error) : undefined
  if (server === undefined) return undefined
  const { kind, message } = error as InfraError
  const { errno, sqlState, key } = server
  const says =
    key === undefined ? message.replace(/^sql [A-Z ]+: /, '') : `Duplicate entry for key '${key}'`
  return worded(codeOf(kind, errno), says, errno, sqlState)
}

function worded(code: string, says: string, errno: number, sqlState: string): VitessError {
  return {
    code: screaming(code),
    message: `target: dualport: vttablet: rpc error: code = ${code} desc = ${says} (errno ${errno}) (sqlstate ${sqlState})`,
  }
}

interface ServerError {
  readonly errno: number
  readonly sqlState: string
  /** Of a duplicate. */
  readonly key: string | undefined
}

/** What the server itself said, in as far as it may leave the gateway. */
function serverErrorOf({ native }: InfraError): ServerError | undefined {
  const error = (native instanceof DriverFailure ? native.cause : native) as
    | { errno?: unknown; sqlState?: unknown; message?: unknown }
    | undefined
  const { errno, sqlState, message } = error ?? {}
  // A socket's is below 0.
  if (typeof errno !== 'number' || !(errno > 0 && errno < 65_536)) return undefined
  return {
    errno,
    sqlState: typeof sqlState === 'string' && /^[\dA-Z]{5}$/.test(sqlState) ? sqlState : 'HY000',
    key:
      errno === duplicate && typeof message === 'string'
        ? /for key '([\w$.-]{1,129})'$/.exec(message)?.[1]
        : undefined,
  }
}
