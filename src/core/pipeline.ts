import { type ActiveContext, badCorrelationId, currentContext, isCorrelationId } from './context.ts'
import type { Attempt, Driver } from './driver.ts'
import { type Failure, InfraError, type Outcome } from './errors.ts'
import {
  Breaker,
  type BreakerOptions,
  fullJitter,
  RetryBudget,
  type RetryOptions,
} from './resilience.ts'
import {
  jsonLogger,
  type Logger,
  type MetricsSink,
  type OperationRecord,
  type Span,
  type Tracer,
} from './telemetry.ts'
import { deadlines, type Timed } from './timers.ts'

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

/** Metric names of one backend: `redis_operation_duration_seconds{command}`. */
export interface MetricNames {
  readonly duration: string
  readonly label: string
}

/** Kinds that leave open what became of a write. Any other is an answer, a refusal: nothing was applied. */
const unclear: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'aborted', 'internal'])
const passing: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'throttled'])
const maxTimeoutMs = 2 ** 31 - 1

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
  #inFlight = 0
  #drained: (() => void) | undefined
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
    if (this.#inFlight > 0) {
      await bounded(
        new Promise<void>((resolve) => {
          this.#drained = resolve
        }),
        this.#drainTimeoutMs,
      )
    }
    try {
      if (!(await bounded(this.driver.close(), this.#drainTimeoutMs))) {
        throw new DriverFailure({ kind: 'timeout', detail: 'the adapter did not close in time' })
      }
    } catch (error) {
      throw this.error({ name: 'close' }, this.explain(error, 'close', false), error)
    }
  }

  /** @internal */
  begin(): void {
    this.#inFlight++
  }

  /** @internal */
  end(): void {
    if (--this.#inFlight === 0) this.#drained?.()
  }

  /** A native error in our words. An adapter whose `classify` fails does not get to hide the failure. */
  explain(error: unknown, operation: string, sent: boolean): Failure {
    if (error instanceof DriverFailure) return error.failure
    try {
      return this.driver.classify(error, { operation, sent })
    } catch {
      return { kind: 'internal', detail: 'the adapter failed in a way that it cannot explain' }
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
  refuse(operation: string, error: unknown): Promise<never> {
    return Promise.reject(this.refusal(operation, error))
  }

  /** The error of `refuse`, for where it is thrown. */
  refusal(operation: string, error: unknown): InfraError {
    const failure: Failure =
      error instanceof DriverFailure
        ? error.failure
        : { kind: 'invalid', detail: 'the arguments are not valid' }
    const refused = this.error({ name: operation }, failure, error)
    this.record(
      {
        operation: { name: operation, write: false, idempotent: true },
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
      const name = call.operation.name
      const elapsedMs = performance.now() - call.startedAt
      this.#recorder(name)?.(elapsedMs / 1000)
      if (error !== undefined) this.#recorder(name, error.code)?.(1)
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

  /** Of the durations of an operation, or of its errors of one code. */
  #recorder(name: string, code?: string): ((value: number) => void) | undefined {
    const sink = this.#metrics
    if (sink === undefined) return undefined
    const key = code === undefined ? name : `${name} ${code}`
    let recorder = this.#recorders.get(key)
    if (recorder === undefined) {
      const { component } = this
      const labels = { [this.#names.label]: name }
      recorder =
        code === undefined
          ? sink.histogram({
              name: this.#names.duration,
              help: `Time of a ${component} operation, retries included, in seconds`,
              labels,
            })
          : sink.counter({
              name: `${component}_errors_total`,
              help: `Failed ${component} operations`,
              labels: { ...labels, code },
            })
      this.#recorders.set(key, recorder)
    }
    return recorder
  }

  #duration(name: string, value: number | undefined, fallback: number): number {
    if (value === undefined) return fallback
    if (typeof value !== 'number' || !(value > 0 && value <= maxTimeoutMs)) {
      throw this.#misconfigured(`${name} is not a number of milliseconds above 0`)
    }
    return value
  }

  #misconfigured(detail: string): InfraError {
    return this.error({ name: 'configure' }, { kind: 'config', detail })
  }
}

interface CallRecord {
  readonly operation: Operation
  readonly startedAt: number
  readonly attempts: number
  readonly correlationId: string | undefined
  readonly span: Span | undefined
}

/**
 * A class and not a literal: V8 puts literals of a place whose objects live through a collection into old
 * space from the start, and at 100 calls in flight that cost a microsecond a call.
 */
class Try implements Attempt {
  readonly operation: string
  readonly due: number
  readonly context: ActiveContext | undefined
  readonly correlationId: string | undefined
  over = false
  sent = false
  onCancel: (() => void) | undefined = undefined

  constructor(call: CallRecord, due: number, context: ActiveContext | undefined) {
    this.operation = call.operation.name
    this.correlationId = call.correlationId
    this.due = due
    this.context = context
  }
}

/** One call, from its first check to its settlement. */
class Call<R, T> implements Timed, CallRecord {
  readonly operation: Operation<T>
  readonly startedAt: number
  attempts = 0
  correlationId: string | undefined
  span: Span | undefined
  due = 0
  slot: unknown = undefined
  readonly #pipeline: CallPipeline
  readonly #request: R
  readonly #send: (request: R, attempt: Attempt) => Promise<unknown>
  readonly #options: CallOptions | undefined
  readonly #resolve: (value: T) => void
  readonly #reject: (error: InfraError) => void
  #context: ActiveContext | undefined
  #totalDue = 0
  #timeoutMs = 0
  #attempt: Try | undefined = undefined
  #backoff: ReturnType<typeof setTimeout> | undefined = undefined
  #signals: AbortSignal[] | undefined = undefined
  /** An earlier try may have been applied, so no later refusal can say that nothing was. */
  #uncertain = false

  constructor(
    pipeline: CallPipeline,
    operation: Operation<T>,
    request: R,
    send: (request: R, attempt: Attempt) => Promise<unknown>,
    options: CallOptions | undefined,
    resolve: (value: T) => void,
    reject: (error: InfraError) => void,
  ) {
    this.#pipeline = pipeline
    this.operation = operation
    this.#request = request
    this.#send = send
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    this.startedAt = performance.now()
    this.#context = currentContext()
    this.correlationId = options?.correlationId ?? this.#context?.correlationId
  }

  start(): void {
    const pipeline = this.#pipeline
    pipeline.begin()
    if (pipeline.closed) {
      this.#settle(pipeline.error(this.operation, { kind: 'closed' }))
      return
    }
    const options = this.#options
    let timeoutMs = pipeline.timeoutMs
    if (options !== undefined) {
      const problem = checkCallOptions(options)
      if (problem !== undefined) {
        this.correlationId = undefined
        this.#settle(pipeline.error(this.operation, { kind: 'invalid', detail: problem }))
        return
      }
      timeoutMs = options.timeoutMs ?? timeoutMs
    }
    this.#totalDue = this.startedAt + timeoutMs
    const context = this.#context
    if (context?.due !== undefined && context.due < this.#totalDue) {
      this.#totalDue = context.due
      timeoutMs = Math.max(0, Math.round(context.due - this.startedAt))
    }
    this.#timeoutMs = timeoutMs
    if (!this.#listen(options?.signal) || !this.#listen(context?.signal)) return
    this.span = pipeline.span(this.operation.name)
    if (this.#totalDue <= this.startedAt) {
      this.expire()
      return
    }
    pipeline.budget.call(this.startedAt)
    this.#try(this.startedAt)
  }

  #try(now: number): void {
    const pipeline = this.#pipeline
    this.attempts++
    const due =
      pipeline.attemptTimeoutMs === Infinity
        ? this.#totalDue
        : Math.min(this.#totalDue, now + pipeline.attemptTimeoutMs)
    const attempt = new Try(this, due, this.#context)
    this.#attempt = attempt
    const wait =
      pipeline.breaker === undefined || this.operation.probe
        ? 0
        : pipeline.breaker.refuses(now, due)
    if (wait > 0) {
      attempt.over = true
      this.#settle(
        pipeline.error(this.operation, {
          kind: 'unavailable',
          outcome: this.#uncertain ? 'unknown' : 'not-applied',
          detail: 'the circuit is open after repeated failures',
          retryAfterMs: Math.ceil(wait),
        }),
      )
      return
    }
    this.due = due
    deadlines.add(this)
    let reply: Promise<unknown>
    try {
      reply = this.#send(this.#request, attempt)
    } catch (error) {
      this.#failed(attempt, error)
      return
    }
    reply.then(
      (value) => this.#succeeded(attempt, value),
      (error) => this.#failed(attempt, error),
    )
  }

  #succeeded(attempt: Try, reply: unknown): void {
    if (attempt.over) return
    attempt.over = true
    this.#pipeline.breaker?.success()
    const decode = this.operation.decode as ((reply: unknown) => T) | undefined
    let value: T
    try {
      value = decode === undefined ? (reply as T) : decode(reply)
    } catch (error) {
      const failure: Failure =
        error instanceof DriverFailure
          ? { outcome: this.#outcome(attempt), ...error.failure }
          : { kind: 'internal', outcome: this.#outcome(attempt) }
      this.#settle(this.#pipeline.error(this.operation, failure, error))
      return
    }
    this.#finish(undefined)
    this.#resolve(value)
  }

  #failed(attempt: Try, error: unknown): void {
    if (attempt.over) return
    attempt.over = true
    this.#fail(attempt, this.#pipeline.explain(error, this.operation.name, attempt.sent), error)
  }

  /** Retries if that is safe, worthwhile, within the budget and in time; otherwise settles. */
  #fail(attempt: Try, failure: Failure, native: unknown): void {
    const pipeline = this.#pipeline
    const now = performance.now()
    const passes = failure.retryable ?? passing.has(failure.kind)
    if (passing.has(failure.kind)) pipeline.breaker?.failure(now)
    else pipeline.breaker?.success()
    let outcome = outcomeOf(this.operation, failure, attempt.sent)
    deadlines.remove(this)
    if (
      passes &&
      (this.operation.idempotent || outcome === 'not-applied') &&
      this.attempts <= pipeline.retry.retries &&
      !this.operation.probe &&
      !pipeline.closed
    ) {
      const wait = Math.max(
        failure.retryAfterMs ?? 0,
        fullJitter(this.attempts - 1, pipeline.retry.baseMs, pipeline.retry.maxMs),
      )
      if (now + wait < this.#totalDue && pipeline.budget.take()) {
        if (outcome !== 'not-applied') this.#uncertain = true
        this.#backoff = setTimeout(() => {
          this.#backoff = undefined
          this.#try(performance.now())
        }, wait)
        return
      }
    }
    if (this.#uncertain && outcome === 'not-applied') outcome = 'unknown'
    this.#settle(pipeline.error(this.operation, { ...failure, outcome }, native))
  }

  #outcome(attempt: Try | undefined): Outcome {
    return this.operation.write && (this.#uncertain || attempt?.sent === true)
      ? 'unknown'
      : 'not-applied'
  }

  /** @internal The deadline of the attempt, or of the whole call. */
  expire(): void {
    const attempt = this.#attempt
    const total = this.due >= this.#totalDue || attempt === undefined
    const detail = total
      ? `no answer within ${this.#timeoutMs} ms`
      : `no answer within ${this.#pipeline.attemptTimeoutMs} ms`
    if (attempt !== undefined) cancel(attempt)
    if (!total) {
      this.#fail(attempt, { kind: 'timeout', detail }, undefined)
      return
    }
    if (attempt !== undefined) this.#pipeline.breaker?.failure(performance.now())
    this.#settle(
      this.#pipeline.error(this.operation, {
        kind: 'timeout',
        outcome: this.#outcome(attempt),
        detail,
      }),
    )
  }

  /** The caller's signal. @internal Called by the signal itself. */
  handleEvent(): void {
    const attempt = this.#attempt
    if (attempt !== undefined) {
      this.#pipeline.breaker?.inconclusive()
      cancel(attempt)
    }
    this.#settle(
      this.#pipeline.error(this.operation, { kind: 'aborted', outcome: this.#outcome(attempt) }),
    )
  }

  /** False if the signal had fired already. */
  #listen(signal: AbortSignal | undefined): boolean {
    if (signal === undefined) return true
    if (signal.aborted) {
      this.handleEvent()
      return false
    }
    signal.addEventListener('abort', this)
    this.#signals ??= []
    this.#signals.push(signal)
    return true
  }

  #settle(error: InfraError): void {
    this.#finish(error)
    this.#reject(error)
  }

  #finish(error: InfraError | undefined): void {
    deadlines.remove(this)
    if (this.#backoff !== undefined) clearTimeout(this.#backoff)
    if (this.#signals !== undefined) {
      for (const signal of this.#signals) signal.removeEventListener('abort', this)
    }
    this.#pipeline.end()
    this.#pipeline.record(this, error)
  }
}

/** A failed read leaves nothing behind, and neither does a write that was refused or never sent. */
function outcomeOf(operation: Operation, failure: Failure, sent: boolean): Outcome {
  if (!operation.write) return 'not-applied'
  if (failure.outcome !== undefined) return failure.outcome
  return sent && unclear.has(failure.kind) ? 'unknown' : 'not-applied'
}

function cancel(attempt: Try): void {
  if (attempt.over) return
  attempt.over = true
  try {
    attempt.onCancel?.()
  } catch {
    // The caller has its answer either way.
  }
}

/** What is wrong with the options that every call takes, if anything is. */
function checkCallOptions(options: CallOptions): string | undefined {
  const { timeoutMs, signal } = options
  if (
    timeoutMs !== undefined &&
    (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= maxTimeoutMs))
  ) {
    return 'timeoutMs is not a number of milliseconds above 0'
  }
  if (signal !== undefined && typeof signal.addEventListener !== 'function') {
    return 'signal is not an AbortSignal'
  }
  return isCorrelationId(options.correlationId) ? undefined : badCorrelationId
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
