import { type Attempt, DriverFailure, type Failure, type Pool } from '../../../src/core/index.ts'
import { deadlines, type Timed } from '../../../src/core/timers.ts'
import { explain } from './failures.ts'
import type { Link } from './link.ts'

interface Limits {
  readonly maxPoolSize: number
  readonly maxIdleMs: number
}

/** How long before its deadline a caller gives up waiting: in time to say what it waited for. */
const marginMs = 25

/** One who waits for a connection. */
class Waiter implements Timed {
  readonly due: number
  slot: unknown = undefined
  readonly promise: Promise<Link>
  readonly resolve: (link: Link) => void
  readonly #reject: (error: unknown) => void
  readonly #pool: Connections

  constructor(attempt: Attempt, pool: Connections) {
    const { promise, resolve, reject } = Promise.withResolvers<Link>()
    const left = attempt.due - performance.now()
    this.due = attempt.due - Math.min(marginMs, left / 4)
    this.#pool = pool
    this.promise = promise
    this.resolve = resolve
    this.#reject = reject
    attempt.onCancel = () => this.fail({ kind: 'aborted' })
    deadlines.add(this)
  }

  /** @internal Called at the deadline. */
  expire(): void {
    this.fail({ kind: 'timeout', detail: this.#pool.shortage })
  }

  fail(failure: Failure, cause?: unknown): void {
    this.#pool.leave(this)
    this.#reject(new DriverFailure({ ...failure, outcome: 'not-applied' }, { cause }))
  }
}

/**
 * The connections, and those who wait for one, first come first served. None is asked whether it still works
 * before it is used: the socket says so, and one that has idled for long is replaced, also after a freeze.
 */
export class Connections implements Pool {
  onChange: (() => void) | undefined = undefined
  readonly #limits: Limits
  readonly #connect: () => Promise<Link>
  readonly #all = new Set<Link>()
  /** The one that was used last is used next. */
  readonly #idle: Link[] = []
  readonly #waiting = new Set<Waiter>()
  #connecting = 0
  #closed = false

  constructor(limits: Limits, connect: () => Promise<Link>) {
    this.#limits = limits
    this.#connect = connect
  }

  get figures() {
    const open = this.#all.size
    return { open, inUse: open - this.#idle.length, waiting: this.#waiting.size }
  }

  /** Why nobody was served. */
  get shortage(): string {
    return this.#all.size === 0
      ? 'no connection to the server was made in time'
      : `no connection was free in time: the pool has ${this.#all.size}, all in use`
  }

  async take(attempt: Attempt): Promise<Link> {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
    if (this.#closed) throw new DriverFailure({ kind: 'closed', outcome: 'not-applied' })
    const link = this.#waiting.size === 0 ? this.#ready() : undefined
    if (link !== undefined) {
      this.onChange?.()
      return link
    }
    const waiter = new Waiter(attempt, this)
    this.#waiting.add(waiter)
    this.#fill()
    this.onChange?.()
    const taken = await waiter.promise
    attempt.onCancel = undefined
    if (!attempt.over) return taken
    this.give(taken)
    throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
  }

  /** Takes it back; one of which nobody knows what is left in it is closed. */
  give(link: Link): void {
    if (!this.#all.has(link)) return
    if (this.#closed || !link.isClean) {
      link.close()
      this.gone(link)
      return
    }
    const [waiter] = this.#waiting
    if (waiter !== undefined) {
      this.leave(waiter)
      waiter.resolve(link)
    } else {
      link.idleSince = performance.now()
      this.#idle.push(link)
    }
    this.onChange?.()
  }

  /** It has ended. */
  gone(link: Link): void {
    if (!this.#all.delete(link)) return
    const at = this.#idle.indexOf(link)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#fill()
    this.onChange?.()
  }

  /** @internal */
  leave(waiter: Waiter): void {
    deadlines.remove(waiter)
    if (this.#waiting.delete(waiter)) this.onChange?.()
  }

  close(): void {
    this.#closed = true
    for (const waiter of this.#waiting) waiter.fail({ kind: 'closed' })
    for (const link of this.#all) {
      link.close()
      this.gone(link)
    }
  }

  #ready(): Link | undefined {
    const oldest = performance.now() - this.#limits.maxIdleMs
    for (;;) {
      const link = this.#idle.pop()
      if (link === undefined) return undefined
      if (link.idleSince >= oldest && link.isClean) return link
      link.close()
      this.gone(link)
    }
  }

  /** As many more as somebody waits for. */
  #fill(): void {
    const { maxPoolSize } = this.#limits
    while (
      !this.#closed &&
      this.#connecting < this.#waiting.size &&
      this.#connecting + this.#all.size < maxPoolSize
    ) {
      this.#connecting++
      void this.#add()
    }
  }

  async #add(): Promise<void> {
    let link: Link
    try {
      link = await this.#connect()
    } catch (error) {
      this.#connecting--
      this.#failed(error)
      return
    }
    this.#connecting--
    if (!link.isOpen) {
      this.#failed(new DriverFailure({ kind: 'unavailable', detail: 'the connection was lost' }))
      return
    }
    this.#all.add(link)
    link.connection.on('end', () => this.gone(link))
    this.give(link)
  }

  /** Where none is open, nobody who waits can hope for one: they learn why. */
  #failed(error: unknown): void {
    const failure = error instanceof DriverFailure ? error.failure : explain(error)
    const [first, ...others] = this.#waiting
    first?.fail(failure, error)
    if (this.#all.size === 0 && this.#connecting === 0) {
      for (const waiter of others) waiter.fail(failure, error)
    }
    this.#fill()
  }
}
