import { isWorkerd } from './runtime.ts'

/** Timers of every runtime fire at once for more: 24.8 days. */
export const maxDelayMs = 2 ** 31 - 1

/** Something that must be over by `due` (on the clock of `performance.now()`). */
export interface Timed {
  due: number
  expire(): void
  /** @internal Where the timer keeps it. */
  slot: unknown
}

/** How late `expire` may come: one bucket, plus the macrotask that lets a buffered reply in first. */
const bucketMs = 8

/**
 * One timer for all pending calls of a process, since one timer a call is a measurable cost. Buckets of
 * 8 ms; a settled call leaves nothing behind.
 */
export class SharedTimer {
  readonly #buckets = new Map<number, Set<Timed>>()
  #size = 0
  #armedFor = Infinity
  #timer: ReturnType<typeof setTimeout> | undefined

  add(timed: Timed): void {
    const key = Math.ceil(timed.due / bucketMs)
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new Set()
      this.#buckets.set(key, bucket)
    }
    bucket.add(timed)
    timed.slot = bucket
    // Holds the process open while a call is pending, and no longer.
    if (this.#size++ === 0) this.#timer?.ref()
    if (key < this.#armedFor) this.#arm(key)
  }

  remove(timed: Timed): void {
    if (!(timed.slot as Set<Timed> | undefined)?.delete(timed)) return
    if (--this.#size === 0) this.#timer?.unref()
  }

  #arm(key: number): void {
    clearTimeout(this.#timer)
    this.#armedFor = key
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, key * bucketMs - performance.now()))
    if (this.#size === 0) this.#timer.unref()
  }

  #fire(): void {
    const now = performance.now()
    let earliest = Infinity
    const overdue: [key: number, bucket: Set<Timed>][] = []
    for (const [key, bucket] of this.#buckets) {
      if (bucket.size === 0) this.#buckets.delete(key)
      else if (key * bucketMs > now) earliest = Math.min(earliest, key)
      else overdue.push([key, bucket])
    }
    // In the order in which they were due, however late it is. One macrotask later: after a thaw (Lambda, SIGCONT)
    // an overdue timer comes before the reply that is already in the socket's buffer. What that reply settles has
    // left its bucket by then.
    overdue.sort(([a], [b]) => a - b)
    for (const [, bucket] of overdue) setImmediate(() => this.#expire(bucket))
    this.#armedFor = Infinity
    this.#timer = undefined
    if (earliest !== Infinity) this.#arm(earliest)
  }

  #expire(bucket: Set<Timed>): void {
    for (const timed of bucket) {
      this.remove(timed)
      timed.expire()
    }
  }
}

/** A timer of its own for each call: the only kind that fires reliably in workerd. */
class OwnTimer {
  add(timed: Timed): void {
    timed.slot = setTimeout(
      () => {
        timed.slot = setTimeout(() => {
          timed.slot = undefined
          timed.expire()
        }, 0)
      },
      Math.max(0, timed.due - performance.now()),
    )
  }

  remove(timed: Timed): void {
    clearTimeout(timed.slot as ReturnType<typeof setTimeout>)
    timed.slot = undefined
  }
}

export const deadlines: Pick<SharedTimer, 'add' | 'remove'> =
  isWorkerd || typeof setImmediate !== 'function' ? new OwnTimer() : new SharedTimer()
