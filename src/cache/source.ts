import { isInfraError } from '../core/index.ts'
import { isWorkerd } from '../core/runtime.ts'

const firstPauseMs = 1000
const maxPauseMs = 10_000
const maxConcurrent = 10

/**
 * Where values come from, protected from being asked too often: at most 10 loads at a time, and after one that
 * failed nobody asks for a while: 1 s, doubling up to 10 s, less a random half; then one load finds out whether it
 * is back. So an outage of a minute sees about 10 loads beyond those that were under way, for all keys together.
 */
export class Source {
  readonly #clock: () => number
  #active = 0
  readonly #waiting: (() => void)[] = []
  #failures = 0
  #pausedUntil = 0
  #failure: unknown

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** When it may be asked again, in milliseconds since the epoch. In the past: now. */
  get pausedUntil(): number {
    return this.#pausedUntil
  }

  /** Rejects as `load` does, or at once with the error of the load that failed last. */
  async ask<T>(load: () => Promise<T>): Promise<T> {
    await this.#enter()
    try {
      const now = this.#clock()
      if (now < this.#pausedUntil) throw this.#failure
      // The others go on waiting while this one finds out.
      if (this.#failures > 0) this.#pausedUntil = now + maxPauseMs
      return await this.#observed(load)
    } finally {
      this.#leave()
    }
  }

  async #observed<T>(load: () => Promise<T>): Promise<T> {
    const failuresBefore = this.#failures
    try {
      const loaded = await load()
      this.#recovered()
      return loaded
    } catch (error) {
      if (isAnswer(error)) this.#recovered()
      // Loads that were under way together fail together: that is one failure.
      else if (this.#failures === failuresBefore) this.#failed(error)
      throw error
    }
  }

  #recovered(): void {
    this.#failures = 0
    this.#pausedUntil = 0
    this.#failure = undefined
  }

  #failed(error: unknown): void {
    const step = Math.min(maxPauseMs, firstPauseMs * 2 ** this.#failures++)
    const hint = isInfraError(error) ? (error.retryAfterMs ?? 0) : 0
    this.#pausedUntil = this.#clock() + Math.max(hint, step * (1 - Math.random() / 2))
    this.#failure = error
  }

  async #enter(): Promise<void> {
    // In workerd one request must not wait for another.
    if (isWorkerd || this.#active < maxConcurrent) this.#active++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#active--
    else next()
  }
}

/** The source has spoken, about the value that it was asked for: what it said before does not count any more. */
export function isAnswer(error: unknown): boolean {
  return (
    isInfraError(error) && ['not-found', 'forbidden', 'invalid', 'conflict'].includes(error.kind)
  )
}
