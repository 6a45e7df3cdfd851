import type { ActiveContext } from './context.ts'
import type { Failure } from './errors.ts'

/**
 * What every adapter of every backend has beside its backend's own methods. Adapters are thin: no
 * retries, no queue that outlives a caller, no deadline and no log of their own.
 */
export interface Driver {
  /** The adapter's name: `ioredis`. */
  readonly adapter: string
  /** Where it goes, without credentials: for logs. */
  readonly resource: string | undefined
  /** The cheapest round trip that proves the server answers this client. */
  ping(attempt: Attempt): Promise<void>
  /** Releases everything at once. What is in flight may fail; the client has drained before. */
  close(): Promise<void>
  /** Explains a native error. Pure: no I/O, no state. */
  classify(error: unknown, failed: { readonly operation: string; readonly sent: boolean }): Failure
  /** The library's own client, connected if it can be: the way out for what the interface lacks. */
  native(): Promise<unknown>
}

/** One try at one operation, as the pipeline hands it to a driver. */
export interface Attempt {
  readonly operation: string
  /** On the clock of `performance.now()`. The pipeline enforces it; a driver may pass it on to the server. */
  readonly due: number
  readonly context: ActiveContext | undefined
  readonly correlationId: string | undefined
  /** True once nobody waits any more. What has not been sent by then must not be sent. */
  readonly over: boolean
  /** The driver sets this just before the first byte may leave: what fails before is `not-applied`. */
  sent: boolean
  /** The driver may set this; called at most once, when the deadline or the caller ends the wait early. */
  onCancel: (() => void) | undefined
}

/** How an adapter says, in its own words, what is wrong: nothing native needs to be classified. */
export class DriverFailure extends Error {
  readonly failure: Failure
  /** A `cause` is there for who debugs, by `InfraError.native`; it is not printed. */
  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.detail, options)
    this.failure = failure
  }
}
