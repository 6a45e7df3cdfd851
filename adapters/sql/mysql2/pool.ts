import {
  type Attempt,
  DriverFailure,
  type Pool,
  type PoolFigures,
} from '../../../src/core/index.ts'
import { deadlines, type Timed } from '../../../src/core/timers.ts'
import type { Session } from './session.ts'
import type { Settings } from './settings.ts'

/** Before the deadline of the call, which could not say what was waited for. */
const earlyMs = 50

/** In line for a session. */
class Waiter implements Timed {
  readonly due: number
  slot: unknown = undefined
  readonly resolve: (session: Session) => void
  readonly reject: (error: DriverFailure) => void
  readonly #expired: (waiter: Waiter) => void

  constructor(
    { due }: Attempt,
    resolve: (session: Session) => void,
    reject: (error: DriverFailure) => void,
    expired: (waiter: Waiter) => void,
  ) {
    const left = due - performance.now()
    this.due = due - Math.min(earlyMs, left / 4)
    this.resolve = resolve
    this.reject = reject
    this.#expired = expired
  }

  expire(): void {
    this.#expired(this)
  }
}

/** A few sessions, each used by one at a time, and replaced before use once it was idle for long. */
export class SessionPool implements Pool {
  onChange: (() => void) | undefined = undefined
  readonly #open: () => Promise<Session>
  readonly #settings: Settings
  readonly #sessions = new Set<Session>()
  /** The one that was used last is at the end, and the next to be used. */
  readonly #idle: Session[] = []
  /** First come, first served. */
  readonly #waiting = new Set<Waiter>()
  #opening = 0
  #closed = false

  constructor(open: () => Promise<Session>, settings: Settings) {
    this.#open = open
    this.#settings = settings
  }

  get figures(): PoolFigures {
    const open = this.#sessions.size
    return { open, inUse: open - this.#idle.length, waiting: this.#waiting.size }
  }

  /** One that is free. */
  take(): Session | undefined {
    const oldest = performance.now() - this.#settings.maxIdleMs
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (session.idleSince >= oldest) {
        this.onChange?.()
        return session
      }
      // It may have been closed while this process was frozen, which we would hear of only now.
      session.leave()
    }
    return undefined
  }

  /** The next one that is free, or made. @throws DriverFailure, `not-applied` */
  wait(attempt: Attempt): Promise<Session> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new DriverFailure({ kind: 'closed', outcome: 'not-applied' })
      if (attempt.over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
      const waiter = new Waiter(attempt, resolve, reject, (waiter) => this.#expire(waiter))
      this.#waiting.add(waiter)
      deadlines.add(waiter)
      attempt.onCancel = () => this.#leave(waiter)
      this.onChange?.()
      this.#grow()
    })
  }

  /** Whatever state it is in. */
  release(session: Session): void {
    if (session.stopping !== undefined) void session.stopping.then(() => this.#offer(session))
    else this.#offer(session)
  }

  close(): void {
    this.#closed = true
    for (const session of this.#idle.splice(0)) session.leave()
    for (const session of this.#sessions) session.destroy()
    this.#rejectAll(new DriverFailure({ kind: 'closed', outcome: 'not-applied' }))
  }

  #offer(session: Session): void {
    if (!session.alive) return
    if (this.#closed) {
      session.leave()
      return
    }
    const { value: waiter } = this.#waiting.values().next()
    if (waiter === undefined) {
      session.idleSince = performance.now()
      this.#idle.push(session)
    } else {
      this.#leave(waiter)
      waiter.resolve(session)
    }
    this.onChange?.()
  }

  #grow(): void {
    const { size } = this.#sessions
    while (
      this.#waiting.size > this.#opening &&
      size + this.#opening < this.#settings.maxPoolSize &&
      !this.#closed
    ) {
      this.#opening++
      this.#open().then(
        (session) => this.#opened(session),
        (error: DriverFailure) => this.#unopened(error),
      )
    }
  }

  #opened(session: Session): void {
    this.#opening--
    this.#sessions.add(session)
    session.onDead = () => this.#drop(session)
    this.#offer(session)
  }

  /** Those in line wait for the others, if there are any. */
  #unopened(error: DriverFailure): void {
    this.#opening--
    if (this.#opening === 0 && this.#sessions.size === 0) this.#rejectAll(error)
  }

  #drop(session: Session): void {
    this.#sessions.delete(session)
    const at = this.#idle.indexOf(session)
    if (at >= 0) this.#idle.splice(at, 1)
    this.onChange?.()
    this.#grow()
  }

  #leave(waiter: Waiter): void {
    this.#waiting.delete(waiter)
    deadlines.remove(waiter)
    this.onChange?.()
  }

  #expire(waiter: Waiter): void {
    this.#leave(waiter)
    const { size } = this.#sessions
    const detail =
      size === 0
        ? 'no connection of the pool was made in time'
        : `no connection was free in time: ${size} of the pool's ${this.#settings.maxPoolSize} in use`
    // The same again would be over before it is in line.
    const retryAfterMs = earlyMs
    waiter.reject(
      new DriverFailure({ kind: 'timeout', outcome: 'not-applied', detail, retryAfterMs }),
    )
  }

  #rejectAll(error: DriverFailure): void {
    for (const waiter of this.#waiting) {
      this.#leave(waiter)
      waiter.reject(error)
    }
  }
}
