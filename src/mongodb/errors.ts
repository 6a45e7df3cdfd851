import type { ErrorKind, Failure } from '../core/index.ts'

/** What the server said, in its words. They may quote keys and values, so they stay out of `InfraError`'s message. */
export class ServerError extends Error {
  override readonly name: string = 'ServerError'
  readonly code: number
  readonly errorLabels: readonly string[]

  constructor(code: number, message: string, errorLabels: readonly string[] = []) {
    super(message)
    this.code = code
    this.errorLabels = errorLabels
  }
}

/** What a server's error has, whoever made the object. */
export interface ServerErrorLike {
  readonly code?: unknown
  readonly message: string
  readonly keyPattern?: unknown
  readonly errorLabels?: unknown
}

/**
 * What the server's numbers mean, and the words for it. What is not here is `invalid`: the server refused it.
 * https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
 */
const meanings: Readonly<Partial<Record<ErrorKind, Readonly<Record<string, readonly number[]>>>>> =
  {
    conflict: {
      'duplicate key': [11000, 11001, 12582],
      'write conflict': [112],
      'it exists already': [48],
      'an index of this name or these keys exists with other options': [68, 85, 86],
      'the transaction is over': [225, 251, 256],
    },
    invalid: {
      'the document does not pass the validation of its collection': [121],
      '_id cannot be changed': [66],
      'the document is larger than the server takes': [10334],
      'a field holds another type than the operation needs': [14],
      'there is no such stage': [40324],
    },
    'not-found': {
      'there is no such database or collection': [26],
      'there is no such index': [27],
      'the cursor is gone': [43, 237],
    },
    unauthenticated: { 'the server refused the credentials': [11, 18, 391] },
    forbidden: { 'the credentials do not permit it': [13] },
    timeout: {
      'it took longer than the server was given': [50, 262],
      'the write was not confirmed in time': [64],
      'a lock was not free in time': [24],
    },
    unavailable: {
      'the server does not take writes': [10058, 10107, 13435, 13436],
      'the server is shutting down or changing its role': [91, 189, 11600, 11602],
      'the server could not reach another': [6, 7, 89, 9001],
      'the server is not ready': [63, 133, 134, 150, 13388],
    },
    throttled: { 'the server is overloaded': [462], 'the server has no room': [14031] },
    unsupported: {
      'the server does not know the command': [59],
      'the server cannot do this': [115, 238, 263, 323],
    },
    aborted: { 'the operation was killed at the server': [11601] },
    internal: { 'the server failed': [1, 8] },
  }

const byCode = new Map<number, readonly [ErrorKind, string]>()
for (const [kind, texts] of Object.entries(meanings)) {
  for (const [text, codes] of Object.entries(texts)) {
    for (const code of codes) byCode.set(code, [kind as ErrorKind, text])
  }
}

/** A standalone MongoDB says the first, FerretDB the second. */
const noTransactions = /^Transaction numbers are only allowed on|unknown field "autocommit"/
/** Refused before anything was written. */
const refusedAtOnce = new Set([9, 10058, 10107, 13435, 13436])
const neverApplied = new Set<ErrorKind>([
  'unauthenticated',
  'forbidden',
  'unsupported',
  'throttled',
])
/** What writes one document after the other, and keeps those it has written when one fails. */
const several = new Set(['updateMany', 'deleteMany', 'insertMany', 'bulkWrite'])

/** A server's error in our words. The same for every transport, which is why it lives here. */
export function classifyServerError(error: ServerErrorLike, operation: string): Failure {
  const code = Number(error.code)
  let [kind, detail] = byCode.get(code) ?? ['invalid', 'the server refused the operation']
  if (hasLabel(error, 'SystemOverloadedError'))
    [kind, detail] = ['throttled', 'the server is overloaded']
  if ((code === 20 || code === 9) && noTransactions.test(error.message)) {
    ;[kind, detail] = ['unsupported', 'the server cannot do transactions']
  }
  if (detail === 'duplicate key') {
    const index = violatedIndex(error)
    if (index !== undefined) detail = `duplicate key in index ${index}`
  }
  const failure: Failure = { kind, detail }
  if (code === 14031) failure.retryable = false
  if (neverApplied.has(kind)) failure.outcome = 'not-applied'
  else if (several.has(operation)) failure.outcome = code === 9 ? 'not-applied' : 'unknown'
  else if (refusedAtOnce.has(code)) failure.outcome = 'not-applied'
  return failure
}

/** The index that a duplicate is in, if the server names it. Never what stands behind it: that is the value. */
export function violatedIndex({ message, keyPattern }: ServerErrorLike): string | undefined {
  const named = /^E11000 duplicate key error collection: .*? index: ([ -~]{1,128}?) dup key:/.exec(
    message,
  )
  if (named !== null) return named[1]
  if (typeof keyPattern !== 'object' || keyPattern === null) return undefined
  return Object.entries(keyPattern)
    .map(([field, direction]) => `${field}_${direction}`)
    .join('_')
}

/** Whether the server, or its driver, put the label on it: `TransientTransactionError`. */
export function hasLabel(error: unknown, label: string): boolean {
  const { errorLabels } = (error ?? {}) as { errorLabels?: unknown }
  return Array.isArray(errorLabels) && errorLabels.includes(label)
}
