import { DriverFailure, type ErrorKind, type InfraError, isInfraError } from '../core/index.ts'
import { type ServerErrorLike, violatedIndex } from '../mongodb/errors.ts'
import { type Answer, type Failed, Refusal } from './face.ts'

/** One that says more than its kind does. */
export class MongoRefusal extends Refusal {
  /** As Atlas named it. */
  readonly errorCode: string | undefined
  /** MongoDB's own number. */
  readonly serverCode: number | undefined

  constructor(
    kind: ErrorKind,
    message: string,
    { errorCode, serverCode }: { errorCode?: string; serverCode?: number },
  ) {
    super(kind, message)
    this.errorCode = errorCode
    this.serverCode = serverCode
  }
}

/** As Atlas App Services named its errors. */
const errorCodes: Readonly<Partial<Record<ErrorKind, string>>> = {
  invalid: 'InvalidParameter',
  unsupported: 'InvalidParameter',
  forbidden: 'NoMatchingRuleFound',
  unauthenticated: 'InvalidSession',
  timeout: 'ExecutionTimeLimitExceeded',
  internal: 'InternalServerError',
}

/** `{"error", "error_code"}` as Atlas had it, with the server's number, and the index that a duplicate is in. */
export function failure(error: Failed): Answer {
  return {
    type: 'application/json',
    body: JSON.stringify({ error: error.message, ...codesOf(error) }),
  }
}

function codesOf(error: Failed): object {
  if (error instanceof MongoRefusal) {
    const { errorCode: error_code = 'MongoDBError', serverCode: code } = error
    return { error_code, code }
  }
  const refused = isInfraError(error) ? refusalOf(error) : undefined
  if (refused !== undefined) return { error_code: 'MongoDBError', ...refused }
  const tooLarge = error instanceof Refusal && error.status === 413
  return {
    error_code: tooLarge ? 'ReadSizeLimitExceeded' : (errorCodes[error.kind] ?? 'MongoDBError'),
  }
}

export interface ServerRefusal {
  /** The server's number: 11000 for a duplicate key. */
  readonly code: number
  /** Of a duplicate key: the index, but never the key. */
  readonly index: string | undefined
}

/** What the server itself said, in as far as it may leave the gateway. */
export function refusalOf({ native }: InfraError): ServerRefusal | undefined {
  const error = (native instanceof DriverFailure ? native.cause : native) as
    | Partial<ServerErrorLike>
    | undefined
  if (typeof error?.code !== 'number') return undefined
  const { code, message = '', keyPattern } = error
  return { code, index: code === 11000 ? violatedIndex({ message, keyPattern }) : undefined }
}
