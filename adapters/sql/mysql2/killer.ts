import { detachedAttempt } from '../../../src/core/index.ts'
import { serverErrno } from './failures.ts'
import type { Session } from './session.ts'

interface Order {
  readonly threadId: number
  readonly isRunning: () => boolean
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** Connections that stop what others run. More would not make it faster, and the server may have few to give. */
const maxWorkers = 2
const killMs = 3000
/** It is gone already. */
const noSuchThread = 1094

/** Sends KILL QUERY over connections of its own, of which one is kept for the next time. */
export class Killer {
  readonly #connect: () => Promise<Session>
  readonly #maxIdleMs: number
  readonly #orders: Order[] = []
  readonly #sessions = new Set<Session>()
  #workers = 0
  #spare: Session | undefined
  #closed = false

  constructor(connect: () => Promise<Session>, maxIdleMs: number) {
    this.#connect = connect
    this.#maxIdleMs = maxIdleMs
  }

  /** Resolves once the server was told, or there is nothing to be stopped any more. */
  kill(threadId: number, isRunning: () => boolean): Promise<void> {
    return new Promise((done, failed) => {
      this.#orders.push({ threadId, isRunning, done, failed })
      if (this.#workers < maxWorkers) void this.#work()
    })
  }

  close(): void {
    this.#closed = true
    for (const session of this.#sessions) session.leave()
  }

  async #work(): Promise<void> {
    this.#workers++
    let session: Session | undefined
    for (let order = this.#orders.shift(); order !== undefined; order = this.#orders.shift()) {
      try {
        if (order.isRunning()) {
          session ??= await this.#take()
          await this.#send(session, order)
        }
        order.done()
      } catch (error) {
        session?.destroy()
        session = undefined
        order.failed(error)
      }
    }
    this.#workers--
    if (session === undefined) return
    if (this.#spare !== undefined || this.#closed) session.leave()
    else {
      session.idleSince = performance.now()
      this.#spare = session
    }
  }

  async #take(): Promise<Session> {
    const spare = this.#spare
    this.#spare = undefined
    if (spare?.alive && performance.now() - spare.idleSince <= this.#maxIdleMs) return spare
    spare?.leave()
    const session = await this.#connect()
    this.#sessions.add(session)
    session.onDead = () => this.#sessions.delete(session)
    return session
  }

  async #send(session: Session, { threadId, isRunning }: Order): Promise<void> {
    if (!isRunning()) return
    const timer = setTimeout(() => session.destroy(), killMs)
    try {
      await session.query(`KILL QUERY ${threadId}`, detachedAttempt('KILL', killMs))
    } catch (error) {
      if (serverErrno(error) !== noSuchThread) throw error
    } finally {
      clearTimeout(timer)
    }
  }
}
