import type { Attempt, CallOptions, CallPipeline, Operation } from '../core/index.ts'
import type { Executor, SqlCapabilities } from './driver.ts'
import type { Writer } from './statement.ts'
import type { Reading } from './tokens.ts'

/** What the methods of a client, or of one transaction, have in common. */
export interface Scope {
  readonly calls: CallPipeline
  readonly executor: Executor
  readonly capabilities: SqlCapabilities
  readonly writer: Writer
  /** In a transaction: a statement that fails may have undone what came before it, so that nothing is repeated alone. */
  readonly once: boolean
  /** Waits for the statement before: those of a transaction run one after another. */
  readonly turn: <T>(work: () => Promise<T>) => Promise<T>
}

/** What a statement takes beside what every call takes. */
export interface StatementOptions extends CallOptions {
  /**
   * Running it twice has the same effect and the same reply as once, so that it may be repeated after a lost
   * connection. Default: what the text says, `true` for what only reads.
   */
  readonly idempotent?: boolean | undefined
}

const operations = new Map<unknown, Map<string, Operation<never>>>()

/** One constant for each kind of statement, what may be done about its failure, and what is made of its reply. */
export function operationOf<T, N>(
  { kind, reads }: Pick<Reading, 'kind' | 'reads'>,
  idempotent: boolean,
  once: boolean,
  decode: (reply: N) => T,
): Operation<T> {
  let ofDecode = operations.get(decode)
  if (ofDecode === undefined) {
    ofDecode = new Map()
    operations.set(decode, ofDecode)
  }
  const key = `${kind} ${reads} ${idempotent} ${once}`
  let operation = ofDecode.get(key) as Operation<T> | undefined
  if (operation === undefined) {
    // Of a transaction, nothing is applied before its commit.
    operation = { name: kind, write: !reads && !once, idempotent, once, decode: decode as never }
    ofDecode.set(key, operation as Operation<never>)
  }
  return operation
}

/**
 * Hands on what holds something at the server. If nobody waits for it any more when it comes, or from then on until
 * the caller has it, it is freed.
 */
export function orFree<T>(held: T, attempt: Attempt, free: () => Promise<void>): T {
  const freeIt = () => void free().catch(() => {})
  if (attempt.over) freeIt()
  else attempt.onCancel = freeIt
  return held
}
