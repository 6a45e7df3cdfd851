import type { Failure } from '../core/index.ts'
import { lookup, words } from './errors.ts'

/** What SQLite says: its extended result code, and words that name columns but no values. */
export interface SqliteErrorLike {
  readonly errcode: number
  readonly message: string
}

/** https://www.sqlite.org/rescode.html */
const meaning = /* @__PURE__ */ lookup(() => ({
  conflict: {
    [words.duplicate]: [1555, 2067, 2579],
    [words.foreignKey]: [787],
  },
  timeout: { [words.lock]: [5, 6, 261, 262, 517] },
  invalid: {
    [words.check]: [275],
    [words.notNull]: [1299],
    [words.value]: [18, 20, 3091],
    [words.parameters]: [25],
  },
  unavailable: { [words.readOnly]: [8, 264, 520, 776, 1032] },
  throttled: { [words.overloaded]: [7, 13] },
  aborted: { [words.killed]: [9] },
  internal: { [words.failed]: [2, 10, 11, 14, 26] },
}))

/** A server's error in our words. */
export function classifySqlite({ errcode, message }: SqliteErrorLike): Failure {
  // SQLite has one code for all that it finds when it reads a statement.
  if (errcode === 1) {
    const outcome = 'not-applied'
    if (/^no such (table|function)\b/.test(message)) {
      return { kind: 'not-found', outcome, detail: words.noTable }
    }
    if (/^no such column\b|has no column named\b/.test(message)) {
      return { kind: 'not-found', outcome, detail: words.noColumn }
    }
    if (/\balready exists$/.test(message)) {
      return { kind: 'conflict', outcome, detail: words.exists }
    }
    return { kind: 'invalid', outcome, detail: words.syntax }
  }
  const failure = meaning(errcode)
  if (errcode === 1555 || errcode === 2067) {
    const columns = /: ([\w$., ]{1,256})$/.exec(message)?.[1]
    if (columns !== undefined) failure.detail = `${words.duplicate}: ${columns}`
  }
  return failure
}
