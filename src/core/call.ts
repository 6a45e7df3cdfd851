import { type ActiveContext, badCorrelationId, currentContext, isCorrelationId } from './context.ts'
import { type Attempt, DriverFailure } from './driver.ts'
import { type Failure, type InfraError, type Outcome, passing } from './errors.ts'
import type { CallOptions, CallPipeline, Era, Operation } from './pipeline.ts'
import { fullJitter } from './resilience.ts'
import type { Span } from './telemetry.ts'
import { deadlines, maxDelayMs, type Timed } from './timers.ts'

/** Kinds that leave open what became of a write. Any other is an answer, a refusal: nothing was applied. */
const unclear: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'aborted', 'internal'])

/** What telemetry wants to know of a call. */
export interface CallRecord {
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
export class Call<R, T> implements Timed, CallRecord {
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
  #era: Era | undefined = undefined

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
    this.#era = pipeline.begin()
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
          detail: 'the circuit is open',
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
      !this.operation.once &&
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
    this.#era?.leave()
    this.#pipeline.record(this, error)
  }
}

/** A failed read leaves nothing behind, and neither does a write that was refused or never sent. */
export function outcomeOf(operation: Operation, failure: Failure, sent: boolean): Outcome {
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
    (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= maxDelayMs))
  ) {
    return 'timeoutMs is not a number of milliseconds above 0'
  }
  if (signal !== undefined && typeof signal.addEventListener !== 'function') {
    return 'signal is not an AbortSignal'
  }
  return isCorrelationId(options.correlationId) ? undefined : badCorrelationId
}
