import type { ClientSession } from 'mongodb'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'

/** Those that wait for a server, or for a connection to it. */
export type Waiting = Set<Flight>

/**
 * One operation on its way. The driver is given it as the operation's comment, for BSON's `toBSON` is called
 * when the command is written, and not before: that is the moment from which on it may have been applied. It
 * leaves nothing in the command.
 */
export class Flight {
  readonly #waiting: Waiting
  readonly #controller = new AbortController()
  #attempt: Attempt

  constructor(attempt: Attempt, waiting: Waiting) {
    this.#attempt = attempt
    this.#waiting = waiting
    this.board(attempt)
  }

  /** Ends the wait for a server or a connection; cuts the connection if the reply is what is waited for. */
  get signal(): AbortSignal {
    return this.#controller.signal
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

  abandon(failure: Failure): void {
    this.#waiting.delete(this)
    this.#controller.abort(new DriverFailure(failure))
  }

  /** What every method of the driver takes. */
  options(session: ClientSession | undefined): FlightOptions {
    return { comment: this, signal: this.signal, ...(session !== undefined && { session }) }
  }

  /** The same for what the server is to stop by itself at the deadline. */
  bounded(session: ClientSession | undefined): FlightOptions & { maxTimeMS: number } {
    const maxTimeMS = Math.max(1, Math.ceil(this.#attempt.due - performance.now()))
    return { ...this.options(session), maxTimeMS }
  }
}

export interface FlightOptions {
  readonly comment: Flight
  readonly signal: AbortSignal
  readonly session?: ClientSession
}
