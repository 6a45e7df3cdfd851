import { isWorkerd } from './runtime.ts'

/** Something that must be over by `due` (on the clock of `performance.now()`). */
export interface Timed {
  due: number
  expire(): void
  /** @internal Where the timer keeps it. */
  slot: unknown
}

/** How late `expire` may come: one bucket, plus the macrotask that lets a buffered reply in first. */
const bucketMs = 8

interface Entry {
  timed: Timed
  prev: Entry
  next: Entry
}

/**
 * One timer for all pending calls of a process, since one timer a call is a measurable cost. Buckets
 * of 8 ms, each a ring, so that adding and removing is O(1) and a settled call leaves nothing behind.
 */
export class SharedTimer {
  readonly #buckets = new Map<number, Entry>()
  #size = 0
  #armedFor = Infinity
  #timer: ReturnType<typeof setTimeout> | undefined

  add(timed: Timed): void {
    const key = Math.ceil(timed.due / bucketMs)
    let head = this.#buckets.get(key)
    if (head === undefined) {
      head = ring()
      this.#buckets.set(key, head)
    }
    const entry: Entry = { timed, prev: head.prev, next: head }
    head.prev.next = entry
    head.prev = entry
    timed.slot = entry
    // Holds the process open while a call is pending, and no longer.
    if (this.#size++ === 0) this.#timer?.ref()
    if (key < this.#armedFor) this.#arm(key)
  }

  remove(timed: Timed): void {
    const entry = timed.slot as Entry | undefined
    if (entry === undefined) return
    timed.slot = undefined
    entry.prev.next = entry.next
    entry.next.prev = entry.prev
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
    let overdue: Timed[] | undefined
    for (const [key, head] of this.#buckets) {
      if (head.next === head) this.#buckets.delete(key)
      else if (key * bucketMs > now) earliest = Math.min(earliest, key)
      else {
        overdue ??= []
        for (let entry = head.next; entry !== head; entry = entry.next) overdue.push(entry.timed)
      }
    }
    this.#armedFor = Infinity
    this.#timer = undefined
    if (earliest !== Infinity) this.#arm(earliest)
    if (overdue !== undefined) setImmediate(expireAll, this, overdue)
  }
}

function ring(): Entry {
  const head = {} as Entry
  head.prev = head
  head.next = head
  return head
}

/**
 * Runs one macrotask after the timer: after a thaw (Lambda, SIGCONT) an overdue timer comes before the
 * reply that is already in the socket's buffer. What that reply settles has left its slot by now.
 */
function expireAll(timer: SharedTimer, overdue: Timed[]): void {
  for (const timed of overdue) {
    if (timed.slot === undefined) continue
    timer.remove(timed)
    timed.expire()
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
