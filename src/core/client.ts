import type { Attempt, Driver } from './driver.ts'
import {
  type CallOptions,
  CallPipeline,
  type ClientOptions,
  type MetricNames,
  type Operation,
} from './pipeline.ts'

const ping: Operation<void> = {
  name: 'ping',
  write: false,
  idempotent: true,
  probe: true,
  decode: () => undefined,
}

/** What the portable client of every backend is. */
export abstract class Client<D extends Driver> {
  protected readonly driver: D
  protected readonly calls: CallPipeline
  readonly #ping: (request: undefined, attempt: Attempt) => Promise<void>

  constructor(component: string, driver: D, names: MetricNames, options?: ClientOptions) {
    this.driver = driver
    this.calls = new CallPipeline(component, driver, names, options)
    this.#ping = (_, attempt) => driver.ping(attempt)
  }

  /** The name of the adapter in use. */
  get adapter(): string {
    return this.driver.adapter
  }

  /** Where it goes, without credentials, if it goes anywhere. */
  get resource(): string | undefined {
    return this.driver.resource
  }

  /**
   * Resolves if the server answers this client, one round trip, never retried, whatever the circuit's state.
   * @throws InfraError that says why not; on cancellation, kind `aborted`.
   */
  health(options?: CallOptions): Promise<void> {
    return this.calls.run(ping, undefined, this.#ping, options)
  }

  /**
   * Refuses new calls (kind `closed`), waits for those in flight, at most `drainTimeoutMs`, then releases
   * every connection. Idempotent: later calls give the first one's promise.
   */
  close(): Promise<void> {
    return this.calls.close()
  }

  /** `close` has been called. */
  get closed(): boolean {
    return this.calls.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The library's own client, for what this interface lacks. Its calls have no deadline and no retry of ours. */
  native(): Promise<unknown> {
    return this.driver.native()
  }
}
