/** Why an operation failed, the same set for every backend and transport. */
export type ErrorKind =
  | 'config'
  | 'unavailable'
  | 'timeout'
  | 'aborted'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'throttled'
  | 'invalid'
  | 'unsupported'
  | 'closed'
  | 'internal'

/**
 * What a failed operation left behind:
 * - `not-applied`: nothing changed; it is safe to run again. Failed reads are always this.
 * - `partial`: some items were applied, some were not; `items` says which.
 * - `unknown`: it may have been applied. The connection failed after the bytes may have left.
 */
export type Outcome = 'not-applied' | 'partial' | 'unknown'

/** What became of one item of an operation that can apply in part (a pipeline, a bulk insert). */
export type ItemResult<T = unknown> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly reason: InfraError }

/** A native failure as an adapter explains it. Adapters return this from `classify`, nothing else. */
export interface Failure {
  kind: ErrorKind
  /** Default: `unknown` for a write that may have been sent, otherwise `not-applied`. */
  outcome?: Outcome | undefined
  /** Default: by kind (`unavailable`, `timeout` and `throttled` pass with time). */
  retryable?: boolean | undefined
  /** One phrase for the message. It must not hold keys, values, credentials or server text that may quote them. */
  detail?: string | undefined
  /** The server's own hint, in milliseconds. */
  retryAfterMs?: number | undefined
  /** Attach only what is safe to print: a socket error, say, but never a server reply. */
  cause?: unknown
  items?: readonly ItemResult[] | undefined
}

export interface InfraErrorInit extends Failure {
  component: string
  adapter: string
  operation: string
  native?: unknown
}

const marker = Symbol.for('dualport.InfraError')

/** Kinds that pass with time: worth another try, and a sign of the server's health. */
export const passing: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  'unavailable',
  'timeout',
  'throttled',
])

/**
 * The one error that every dualport client rejects with. Its message and its enumerable properties
 * never hold a key, a value or a credential, so that it is safe to log as a whole.
 */
export class InfraError extends Error {
  override readonly name: string = 'InfraError'
  /** Component and kind: `REDIS_TIMEOUT`. `dualport/errors` describes each, with a remedy. */
  readonly code: string
  readonly kind: ErrorKind
  readonly component: string
  readonly adapter: string
  readonly operation: string
  /** The same call may succeed later. Whether it is safe to repeat is what `outcome` says. */
  readonly retryable: boolean
  readonly outcome: Outcome
  /** Milliseconds that the server asked to wait for, if it did. */
  readonly retryAfterMs: number | undefined
  readonly #detail: string | undefined
  readonly #items: readonly ItemResult[] | undefined
  readonly #native: unknown

  constructor(init: InfraErrorInit) {
    const outcome = init.outcome ?? 'not-applied'
    const tail =
      outcome === 'unknown'
        ? '; it may have been applied'
        : outcome === 'partial'
          ? '; it was applied in part'
          : ''
    super(
      `${init.component} ${init.operation}: ${init.detail ?? init.kind.replace('-', ' ')}${tail}`,
      init.cause === undefined ? undefined : { cause: init.cause },
    )
    Object.defineProperty(this, 'name', { enumerable: false })
    Object.defineProperty(this, marker, { value: true })
    this.kind = init.kind
    this.code = codeOf(init.component, init.kind)
    this.component = init.component
    this.adapter = init.adapter
    this.operation = init.operation
    this.retryable = init.retryable ?? passing.has(init.kind)
    this.outcome = outcome
    this.retryAfterMs = init.retryAfterMs
    this.#detail = init.detail
    this.#items = init.items
    this.#native = init.native
  }

  /** What the message says of the failure, without what failed and what it left behind. */
  get detail(): string | undefined {
    return this.#detail
  }

  /** Per item, for what may apply in part. A getter, so that the values in it are never printed with the error. */
  get items(): readonly ItemResult[] | undefined {
    return this.#items
  }

  /** The library's or server's own error, which may quote keys and values: for debugging, not for logs. */
  get native(): unknown {
    return this.#native
  }
}

/** `REDIS_TIMEOUT` for `redis` and `timeout`. */
export function codeOf(component: string, kind: ErrorKind): string {
  return `${component}_${kind}`.toUpperCase().replaceAll('-', '_')
}

/** True for an `InfraError` of any copy of this library, of the given kind if one is named. */
export function isInfraError(error: unknown, kind?: ErrorKind): error is InfraError {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as Record<symbol, unknown>)[marker] === true &&
    (kind === undefined || (error as InfraError).kind === kind)
  )
}
