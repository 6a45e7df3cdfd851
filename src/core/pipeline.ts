import { Call, type CallRecord, outcomeOf } from './call.ts'
import { currentContext } from './context.ts'
import { type Attempt, type Driver, DriverFailure } from './driver.ts'
import { type Failure, InfraError } from './errors.ts'
import { Breaker, type BreakerOptions, RetryBudget, type RetryOptions } from './resilience.ts'
import {
  jsonLogger,
  type Logger,
  type MetricsSink,
  type OperationRecord,
  type Span,
  type Tracer,
} from './telemetry.ts'
import { maxDelayMs } from './timers.ts'

/** What every operation of every client takes. */
export interface CallOptions {
  /** Ends the wait. The work is stopped at the server where the adapter can; a write may have been applied. */
  readonly signal?: AbortSignal | undefined
  /** The whole operation, retries included, in milliseconds: above 0, at most 2^31 - 1. Default: the client's. */
  readonly timeoutMs?: number | undefined
  /** For logs and the `x-correlation-id` header. Default: the context's. */
  readonly correlationId?: string | undefined
}

/** What every client's constructor takes. */
export interface ClientOptions {
  /** For each operation, retries included. Milliseconds, default 5000. */
  timeoutMs?: number | undefined
  /** For each try. Default: no limit but the operation's own. */
  attemptTimeoutMs?: number | undefined
  /** Only what is safe to repeat is retried. `false` for never. */
  retry?: RetryOptions | false | undefined
  breaker?: BreakerOptions | false | undefined
  /** Default: JSON lines. `false` for none. */
  logger?: Logger | false | undefined
  /** A record for every operation that succeeds, at level `info`. Default: failures only. */
  logSuccess?: boolean | undefined
  metrics?: MetricsSink | undefined
  tracer?: Tracer | undefined
  /** How long `close` waits for what is in flight. Milliseconds, default 5000. */
  drainTimeoutMs?: number | undefined
}

/** What is known of an operation before it runs. One constant for each, shared by all calls. */
export interface Operation<T = unknown> {
  readonly name: string
  readonly write: boolean
  /** Running it again has the same effect *and* the same reply. Reads are; DEL is not: it answers 0 the second time. */
  readonly idempotent: boolean
  /** Native reply to result. What it throws becomes an `internal` error. Default: as it came. */
  readonly decode?: ((reply: never) => T) | undefined
  /** Goes out although the circuit is open: a health check is how one learns that the server is back. */
  readonly probe?: boolean | undefined
  /** Never retried by itself: it is part of something larger, a transaction, that may be run again as a whole. */
  readonly once?: boolean | undefined
  /** What its metrics are told apart by. One of a few. Default: its name. */
  readonly label?: string | undefined
}

/** Metric names of one backend: `redis_operation_duration_seconds{command}`. */
export interface MetricNames {
  readonly duration: string
  readonly label: string
}

/**
 * The way of every call, outer to inner: closed? -> total deadline -> retry -> breaker -> attempt
 * deadline -> driver -> classify -> metrics, log, span. One for each client.
 */
export class CallPipeline {
  readonly component: string
  readonly driver: Driver
  readonly timeoutMs: number
  readonly attemptTimeoutMs: number
  readonly retry: Required<{ [K in keyof RetryOptions]: number }>
  readonly budget = new RetryBudget()
  readonly breaker: Breaker | undefined
  readonly logger: Logger | undefined
  readonly logSuccess: boolean
  readonly tracer: Tracer | undefined
  readonly #metrics: MetricsSink | undefined
  readonly #names: MetricNames
  readonly #recorders = new Map<string, (value: number) => void>()
  readonly #drainTimeoutMs: number
  #era = new Era()
  #earlier: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(component: string, driver: Driver, names: MetricNames, options: ClientOptions = {}) {
    this.component = component
    this.driver = driver
    this.timeoutMs = this.#duration('timeoutMs', options.timeoutMs, 5000)
    this.attemptTimeoutMs = this.#duration('attemptTimeoutMs', options.attemptTimeoutMs, Infinity)
    this.#drainTimeoutMs = this.#duration('drainTimeoutMs', options.drainTimeoutMs, 5000)
    const { retries = 2, baseMs = 50, maxMs = 1000 } = options.retry || {}
    if (!Number.isInteger(retries) || retries < 0 || retries > 10) {
      throw this.#misconfigured('retry.retries is not a whole number from 0 to 10')
    }
    this.retry = {
      retries: options.retry === false ? 0 : retries,
      baseMs: this.#duration('retry.baseMs', baseMs, 50),
      maxMs: this.#duration('retry.maxMs', maxMs, 1000),
    }
    this.breaker = options.breaker === false ? undefined : new Breaker(options.breaker)
    this.logger = options.logger === false ? undefined : (options.logger ?? jsonLogger)
    this.logSuccess = options.logSuccess ?? false
    this.tracer = options.tracer
    this.#metrics = options.metrics
    this.#names = names
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Runs one operation. `send` is called once for each try, with the request as it is given here.
   * Settles by the deadline, whatever the driver does. Never throws; rejects with an `InfraError` only.
   */
  run<R, T>(
    operation: Operation<T>,
    request: R,
    send: (request: R, attempt: Attempt) => Promise<unknown>,
    options: CallOptions | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      new Call(this, operation, request, send, options, resolve, reject).start()
    })
  }

  /** Refuses new calls, waits for those in flight, then closes the driver. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await bounded(this.settled(), this.#drainTimeoutMs)
    try {
      if (!(await bounded(this.driver.close(), this.#drainTimeoutMs))) {
        throw new DriverFailure({ kind: 'timeout', detail: 'the adapter did not close in time' })
      }
    } catch (error) {
      throw this.error({ name: 'close' }, this.explain(error, 'close', false), error)
    }
  }

  /** Resolves when every call that has begun so far has ended, well or not. */
  async settled(): Promise<void> {
    const era = this.#era
    this.#era = new Era()
    if (era.inFlight > 0) this.#earlier = Promise.all([this.#earlier, era.end()])
    await this.#earlier
  }

  /** @internal Where the call belongs, to say that it has ended. */
  begin(): Era {
    this.#era.inFlight++
    return this.#era
  }

  /** A native error in our words. An adapter whose `classify` fails does not get to hide the failure. */
  explain(error: unknown, operation: string, sent: boolean): Failure {
    if (error instanceof DriverFailure) return error.failure
    try {
      return this.driver.classify(error, { operation, sent })
    } catch {
      return { kind: 'internal', detail: 'the adapter failed' }
    }
  }

  /** A native error of a call that `run` does not settle: an item of a batch, a stream that broke. */
  failure(operation: Operation, error: unknown): InfraError {
    const failure = this.explain(error, operation.name, true)
    return this.error(
      operation,
      { ...failure, outcome: outcomeOf(operation, failure, true) },
      error,
    )
  }

  /** Rejects a call that never starts, because its input is wrong. Counted and logged like any other. */
  refuse(operation: string, error: unknown, label?: string): Promise<never> {
    return Promise.reject(this.refusal(operation, error, label))
  }

  /** The error of `refuse`, for where it is thrown. */
  refusal(operation: string, error: unknown, label?: string): InfraError {
    const failure: Failure =
      error instanceof DriverFailure
        ? error.failure
        : { kind: 'invalid', detail: 'the arguments are not valid' }
    const refused = this.error({ name: operation }, failure, error)
    this.record(
      {
        operation: { name: operation, write: false, idempotent: true, label },
        startedAt: performance.now(),
        attempts: 0,
        correlationId: currentContext()?.correlationId,
        span: undefined,
      },
      refused,
    )
    return refused
  }

  error(operation: { readonly name: string }, failure: Failure, native?: unknown): InfraError {
    return new InfraError({
      ...failure,
      component: this.component,
      adapter: this.driver.adapter,
      operation: operation.name,
      native,
    })
  }

  /** @internal Tracing that fails is not the caller's concern. */
  span(operation: string): Span | undefined {
    const { component, driver, tracer } = this
    try {
      return tracer?.startSpan(`${component} ${operation}`, {
        component,
        adapter: driver.adapter,
        operation,
      })
    } catch {
      return undefined
    }
  }

  /** Metrics and log of one finished operation. A sink or logger that throws does not fail the call. */
  record(call: CallRecord, error: InfraError | undefined): void {
    try {
      const { name, label = name } = call.operation
      const elapsedMs = performance.now() - call.startedAt
      this.#recorder(label)?.(elapsedMs / 1000)
      if (error !== undefined) this.#recorder(label, error.code)?.(1)
      if (this.logger !== undefined && (error !== undefined || this.logSuccess)) {
        this.#log(this.logger, call, elapsedMs, error)
      }
      call.span?.end(error?.code)
    } catch {
      // Telemetry that fails is not the caller's concern, and logging it could fail the same way.
    }
  }

  #log(logger: Logger, call: CallRecord, elapsedMs: number, error: InfraError | undefined): void {
    const record: OperationRecord = {
      component: this.component,
      adapter: this.driver.adapter,
      operation: call.operation.name,
      resource: this.driver.resource,
      durationMs: Math.round(elapsedMs * 1000) / 1000,
      attempts: call.attempts,
      correlationId: call.correlationId,
      outcome: error === undefined ? 'success' : error.outcome,
    }
    if (error === undefined) {
      logger.info(record, 'operation_completed')
      return
    }
    record.code = error.code
    record.kind = error.kind
    record.retryable = error.retryable
    logger.warn(record, 'operation_failed')
  }

  /** Of the durations of the operations of a label, or of their errors of one code. */
  #recorder(label: string, code?: string): ((value: number) => void) | undefined {
    const sink = this.#metrics
    if (sink === undefined) return undefined
    const key = code === undefined ? label : `${label} ${code}`
    let recorder = this.#recorders.get(key)
    if (recorder === undefined) {
      const { component } = this
      const labels = { [this.#names.label]: label }
      recorder =
        code === undefined
          ? sink.histogram({
              name: this.#names.duration,
              help: `${component} operations, retries included, in seconds`,
              labels,
            })
          : sink.counter({
              name: `${component}_errors_total`,
              help: `${component} operations that failed`,
              labels: { ...labels, code },
            })
      this.#recorders.set(key, recorder)
    }
    return recorder
  }

  #duration(name: string, value: number | undefined, fallback: number): number {
    if (value === undefined) return fallback
    if (typeof value !== 'number' || !(value > 0 && value <= maxDelayMs)) {
      throw this.#misconfigured(`${name} is not a number of milliseconds above 0`)
    }
    return value
  }

  #misconfigured(detail: string): InfraError {
    return this.error({ name: 'configure' }, { kind: 'config', detail })
  }
}

/** The calls that began between one `settled` and the next. */
export class Era {
  inFlight = 0
  #ended: (() => void) | undefined

  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  leave(): void {
    if (--this.inFlight === 0) this.#ended?.()
  }
}

/** False if the time ran out first. */
async function bounded(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
