import type { ErrorKind, Failure } from '../core/index.ts'

/** What a server's numbers mean: by kind, the words for it and the numbers. */
export type Meanings = Readonly<
  Partial<Record<ErrorKind, Readonly<Record<string, readonly number[]>>>>
>

/** The words of every database for the same thing, since who reads them need not know which it was. */
export const words = {
  duplicate: 'a unique key has the value already',
  foreignKey: 'a foreign key does not allow it',
  check: 'a check does not allow it',
  notNull: 'a column that may not be null has no value',
  deadlock: 'a deadlock with another transaction: this one was rolled back',
  lock: 'a lock was not free in time',
  syntax: 'the server does not understand the statement',
  noTable: 'there is no such table or procedure',
  noColumn: 'there is no such column',
  noDatabase: 'there is no such database',
  exists: 'it exists already',
  login: 'the server refused the credentials',
  permission: 'the credentials do not permit it',
  value: 'a value does not fit its column or type',
  parameters: 'the parameters are not what the statement needs',
  readOnly: 'the server does not take writes',
  overloaded: 'the server is overloaded',
  stopping: 'the server is starting, stopping or changing its role',
  killed: 'the statement was stopped at the server',
  time: 'it took longer than the server was given',
  failed: 'the server failed',
  refused: 'the server refused the statement',
} as const

/** What passes if the whole transaction is run again. Its statements were undone. */
const repeatable = new Set<string>([words.deadlock, words.lock])
/** An answer that came before anything was done, or after it was undone. */
const undone = new Set<ErrorKind>([
  'conflict',
  'invalid',
  'not-found',
  'forbidden',
  'unauthenticated',
  'throttled',
  'unsupported',
])

/** Looks up what a server's number means. The table is made at its first use, and left out by bundlers that see none. */
export function lookup(meanings: () => Meanings): (code: number) => Failure {
  let byCode: Map<number, readonly [ErrorKind, string]> | undefined
  return (code) => {
    byCode ??= tableOf(meanings())
    const [kind, detail] = byCode.get(code) ?? (['invalid', words.refused] as const)
    const failure: Failure = { kind, detail }
    if (undone.has(kind) || repeatable.has(detail) || detail === words.readOnly) {
      failure.outcome = 'not-applied'
    }
    if (repeatable.has(detail)) failure.retryable = true
    return failure
  }
}

function tableOf(meanings: Meanings): Map<number, readonly [ErrorKind, string]> {
  const byCode = new Map<number, readonly [ErrorKind, string]>()
  for (const [kind, texts] of Object.entries(meanings)) {
    for (const [text, codes] of Object.entries(texts)) {
      for (const code of codes) byCode.set(code, [kind as ErrorKind, text])
    }
  }
  return byCode
}
