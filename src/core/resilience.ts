export interface RetryOptions {
  /** Tries after the first. 0 to 10, default 2. */
  retries?: number | undefined
  /** The first wait is a random time below this; it doubles each time. Milliseconds, default 50. */
  baseMs?: number | undefined
  /** No wait is longer, a server's hint apart. Milliseconds, default 1000. */
  maxMs?: number | undefined
}

/** Says when to open. cockatiel's breakers are such, `new SamplingBreaker(...)` for one. */
export interface FailureCounter {
  /** A call succeeded in that `CircuitState`: 0 closed, 2 half-open. */
  success(state: number): void
  /** A call failed; true opens the circuit. */
  failure(state: number): boolean
}

export interface BreakerOptions {
  /** Default: 10 failures with no success in between. */
  breaker?: FailureCounter | undefined
  /** How long the circuit stays open at first, in milliseconds; doubles with every failed probe. Default 500. */
  halfOpenAfterMs?: number | undefined
  /** Milliseconds, default 30,000. */
  maxOpenMs?: number | undefined
}

/** Full jitter: a random wait below the exponential step (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export function fullJitter(attempt: number, baseMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** attempt)
}

const budgetWindowMs = 10_000

/** Retries may add 20 % to the calls of a window, or 3, whichever is more: an outage is not multiplied. */
export class RetryBudget {
  #windowEnd = 0
  #calls = 0
  #retries = 0

  call(now: number): void {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + budgetWindowMs
      this.#calls = 0
      this.#retries = 0
    }
    this.#calls++
  }

  /** Takes one retry out of the budget, if there is one left. */
  take(): boolean {
    if (this.#retries >= Math.max(3, this.#calls * 0.2)) return false
    this.#retries++
    return true
  }
}

/** States as cockatiel numbers them. */
const closed = 0
const halfOpen = 2

class ConsecutiveFailures implements FailureCounter {
  #count = 0

  success(): void {
    this.#count = 0
  }

  failure(): boolean {
    return ++this.#count >= 10
  }
}

/** A lost connection fails everything in flight at once: failures this close together are one event, not many. */
const eventMs = 10

/**
 * While half-open one probe goes through and every other
 * call is refused at once. No timer: the clock is read when a call comes, so a freeze does no harm. A probe
 * holds its place no longer than its own deadline, since in workerd a cancelled request never reports back.
 */
export class Breaker {
  readonly #counter: FailureCounter
  readonly #halfOpenAfterMs: number
  readonly #maxOpenMs: number
  #lastFailure = -Infinity
  #openUntil = 0
  #probeUntil = 0
  #opened = 0

  constructor(options: BreakerOptions = {}) {
    this.#counter = options.breaker ?? new ConsecutiveFailures()
    this.#halfOpenAfterMs = options.halfOpenAfterMs ?? 500
    this.#maxOpenMs = options.maxOpenMs ?? 30_000
  }

  /** Milliseconds until another call may be let through; 0 lets this one through. */
  refuses(now: number, due: number): number {
    if (this.#opened === 0) return 0
    const until = Math.max(this.#openUntil, this.#probeUntil)
    if (now < until) return until - now
    this.#probeUntil = due
    return 0
  }

  success(): void {
    if (this.#opened === 0) {
      this.#counter.success(closed)
      return
    }
    // A call from before the circuit opened proves nothing about now.
    if (this.#probeUntil === 0) return
    this.#counter.success(halfOpen)
    this.#opened = 0
    this.#probeUntil = 0
  }

  failure(now: number): void {
    if (this.#opened === 0 ? now - this.#lastFailure < eventMs : this.#probeUntil === 0) return
    this.#lastFailure = now
    const state = this.#opened === 0 ? closed : halfOpen
    if (!this.#counter.failure(state) && this.#opened === 0) return
    const openMs = Math.min(this.#maxOpenMs, this.#halfOpenAfterMs * 2 ** this.#opened)
    this.#opened++
    this.#openUntil = now + openMs
    this.#probeUntil = 0
  }

  /** The probe ended without an answer about the server (it was aborted, say): the next call may probe. */
  inconclusive(): void {
    this.#probeUntil = 0
  }
}
