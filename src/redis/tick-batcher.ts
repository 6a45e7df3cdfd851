import { type Attempt, DriverFailure } from '../core/index.ts'
import type { Command, Reply } from './driver.ts'
import { ReplyError } from './errors.ts'

/** One command on its way. `size` is its share of the request's body, in bytes or characters. */
export interface Entry<E> {
  readonly encoded: E
  readonly size: number
  readonly bytes: boolean
  readonly attempt: Attempt
}

export interface Batching<E> {
  readonly maxCommands: number
  readonly maxSize: number
  /** What a request has to wait for. Who gives up meanwhile is not in it. */
  ready?(): Promise<void> | undefined
  encode(command: Command): { readonly encoded: E; readonly size: number }
  /**
   * One request. Gives a reply or an error for each entry, in order; rejects if the request failed, or the
   * transaction was refused, as a whole. `signal` fires when no caller waits any more.
   */
  send(
    entries: readonly Entry<E>[],
    atomic: boolean,
    signal: AbortSignal,
  ): Promise<readonly (Reply | Error)[]>
}

interface Waiting<E> extends Entry<E> {
  resolve(reply: Reply): void
  reject(error: unknown): void
}

/** What goes out in one request. */
interface Segment<E> {
  readonly atomic: boolean
  readonly entries: Waiting<E>[]
  size: number
  /** Entries whose callers still wait. */
  live: number
  controller: AbortController | undefined
}

/**
 * Gathers the commands of one tick into one request, by microtask: a timer would cost latency, and in
 * workerd it would tie requests together. Nothing of one tick waits for another's.
 */
export class TickBatcher<E> {
  readonly #batching: Batching<E>
  #tick: Segment<E>[] | undefined

  constructor(batching: Batching<E>) {
    this.#batching = batching
  }

  execute(command: Command, attempt: Attempt): Promise<Reply> {
    const { encoded, size } = this.#batching.encode(command)
    const segment = this.#segment(size)
    attempt.onCancel = () => release(segment, 1)
    return add(segment, { encoded, size, bytes: command.bytes === true, attempt })
  }

  async batch(
    commands: readonly Command[],
    atomic: boolean,
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    const entries = commands.map((command) => ({
      ...this.#batching.encode(command),
      bytes: command.bytes === true,
      attempt,
    }))
    const whole = atomic ? this.#open(true) : undefined
    const used = new Map<Segment<E>, number>()
    const replies = entries.map((entry) => {
      const segment = whole ?? this.#segment(entry.size)
      used.set(segment, (used.get(segment) ?? 0) + 1)
      return add(segment, entry)
    })
    attempt.onCancel = () => {
      for (const [segment, count] of used) release(segment, count)
    }
    const settled = await Promise.allSettled(replies)
    const items = settled.map((item) =>
      item.status === 'fulfilled' ? item.value : (item.reason as Error),
    )
    const first = items[0]
    if (first instanceof Whole) throw first.cause
    if (items.every((item) => item instanceof Error && !(item instanceof ReplyError))) throw first
    return items
  }

  /** Where the next command of this tick goes. */
  #segment(size: number): Segment<E> {
    const last = this.#tick?.at(-1)
    const { maxCommands, maxSize } = this.#batching
    if (
      last !== undefined &&
      !last.atomic &&
      last.entries.length < maxCommands &&
      last.size + size <= maxSize
    ) {
      return last
    }
    return this.#open(false)
  }

  #open(atomic: boolean): Segment<E> {
    if (this.#tick === undefined) {
      const tick: Segment<E>[] = []
      this.#tick = tick
      queueMicrotask(() => {
        this.#tick = undefined
        void this.#flush(tick)
      })
    }
    const segment: Segment<E> = { atomic, entries: [], size: 0, live: 0, controller: undefined }
    this.#tick.push(segment)
    return segment
  }

  /** One request at most times. Several go one after the other, since the order of the calls is a promise. */
  async #flush(segments: readonly Segment<E>[]): Promise<void> {
    for (const segment of segments) await this.#send(segment)
  }

  async #send(segment: Segment<E>): Promise<void> {
    let entries = segment.entries
    try {
      await this.#batching.ready?.()
      entries = entries.filter((entry) => !entry.attempt.over)
      if (entries.length === 0) return
      segment.controller = new AbortController()
      const { signal } = segment.controller
      const replies = await this.#batching.send(entries, segment.atomic, signal)
      entries.forEach((entry, i) => {
        const reply = replies[i]
        if (reply instanceof Error) entry.reject(reply)
        else if (reply === undefined) entry.reject(new DriverFailure({ kind: 'internal' }))
        else entry.resolve(reply)
      })
    } catch (error) {
      // A reply to the transaction as a whole is no item's own.
      const reason = segment.atomic && error instanceof ReplyError ? new Whole(error) : error
      for (const entry of entries) entry.reject(reason)
    }
  }
}

/** A transaction that was refused before anything ran. */
class Whole extends Error {
  constructor(cause: ReplyError) {
    super(undefined, { cause })
  }
}

function add<E>(segment: Segment<E>, entry: Entry<E>): Promise<Reply> {
  segment.size += entry.size
  segment.live++
  return new Promise((resolve, reject) => {
    segment.entries.push({ ...entry, resolve, reject })
  })
}

/** So many callers wait no longer. When none does, the request is pointless. */
function release<E>(segment: Segment<E>, count: number): void {
  segment.live -= count
  if (segment.live <= 0) segment.controller?.abort()
}
