import type { ClientSession } from 'mongodb'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'

/** Those that wait for a server, or for a connection to it. */
export type Waiting = Set<Flight>

type Listener = (this: AbortSignal) => void

/**
 * One operation on its way. The driver is given it as the operation's comment, for BSON's `toBSON` is called
 * when the command is written, and not before: that is the moment from which on it may have been applied. It
 * leaves nothing in the command.
 *
 * It is the operation's signal as well: what the driver uses of one, since a real AbortSignal with its
 * EventTarget costs an eighth of a `findOne`.
 */
export class Flight implements Pick<AbortSignal, 'aborted' | 'reason' | 'throwIfAborted'> {
  aborted = false
  reason: DriverFailure | undefined = undefined
  readonly #waiting: Waiting
  #attempt: Attempt
  #listeners: Listener[] = []

  constructor(attempt: Attempt, waiting: Waiting) {
    this.#attempt = attempt
    this.#waiting = waiting
    this.board(attempt)
  }

  /** For each page of a cursor anew. */
  board(attempt: Attempt): void {
    this.#attempt = attempt
    attempt.onCancel = () => this.abandon({ kind: 'aborted' })
    this.#waiting.add(this)
  }

  /** Called by BSON. */
  toBSON(): undefined {
    if (this.#attempt.over) throw new DriverFailure({ kind: 'aborted' })
    this.#attempt.sent = true
    this.#waiting.delete(this)
  }

  /** It has arrived, one way or the other. */
  land(): void {
    this.#waiting.delete(this)
  }

  /** Ends the wait for a server or a connection; cuts the connection if the reply is what is waited for. */
  abandon(failure: Failure): void {
    this.#waiting.delete(this)
    if (this.aborted) return
    this.aborted = true
    this.reason = new DriverFailure(failure)
    for (const listener of this.#listeners.splice(0)) listener.call(this.#signal)
  }

  /** Whichever comes first. */
  async orAbandoned<T>(work: Promise<T>): Promise<T> {
    let listener: Listener = () => {}
    const abandoned = new Promise<never>((_, reject) => {
      listener = () => reject(this.reason)
      this.addEventListener('abort', listener)
    })
    try {
      return await Promise.race([work, abandoned])
    } finally {
      this.removeEventListener('abort', listener)
    }
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_: 'abort', listener: Listener): void {
    this.#listeners.push(listener)
  }

  removeEventListener(_: 'abort', listener: Listener): void {
    const at = this.#listeners.indexOf(listener)
    if (at >= 0) this.#listeners.splice(at, 1)
  }

  get #signal(): AbortSignal {
    return this as unknown as AbortSignal
  }

  /** What every method of the driver takes. */
  options(session: ClientSession | undefined): FlightOptions {
    const options = { comment: this, signal: this.#signal }
    return session === undefined ? options : { ...options, session }
  }

  /** The same for what the server is to stop by itself at the deadline. */
  bounded(session: ClientSession | undefined): FlightOptions & { maxTimeMS: number } {
    const maxTimeMS = Math.max(1, Math.ceil(this.#attempt.due - performance.now()))
    return session === undefined
      ? { comment: this, signal: this.#signal, maxTimeMS }
      : { ...this.options(session), maxTimeMS }
  }
}

export interface FlightOptions {
  readonly comment: Flight
  readonly signal: AbortSignal
  readonly session?: ClientSession
}
