import type { Connection } from 'tedious'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type { Library } from './library.ts'

/** How long the server may take to acknowledge that a statement is to stop, before its connection is closed. */
const acknowledgeMs = 2000
/** From this severity on, the server ends the connection. */
const fatalClass = 20

type Done = (error?: Error | null, rowCount?: number) => void

/** A connection that has logged in. It runs one request at a time. */
export class Link {
  readonly connection: Connection
  readonly library: Library
  /** On the clock of `performance.now()`. */
  idleSince = 0
  /** Set while rows of a statement are still to be read: what stops it. */
  cursor: { stop(): Promise<void> } | undefined
  #running: Promise<void> | undefined

  constructor(connection: Connection, library: Library) {
    this.connection = connection
    this.library = library
  }

  /** It can take a request, and nothing of an earlier one is left in it. */
  get isClean(): boolean {
    return this.isOpen && this.#running === undefined && !this.connection.inTransaction
  }

  get isOpen(): boolean {
    const { connection } = this
    return !connection.closed && connection.state !== connection.STATE.FINAL
  }

  close(): void {
    this.connection.close()
  }

  /**
   * Runs a request, after the one before has ended. Whoever does not wait any more stops it at the server; it
   * settles once the server has said so, or the connection is closed.
   */
  async exec(attempt: Attempt, start: (done: Done) => void): Promise<number> {
    while (this.#running !== undefined) await this.#running
    if (attempt.over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
    if (!this.isOpen) {
      const detail = 'the connection was lost'
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail })
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const ended = Promise.withResolvers<void>()
    this.#running = ended.promise
    attempt.sent = true
    attempt.onCancel = () => this.cancel()
    const settle = () => {
      this.#running = undefined
      attempt.onCancel = undefined
      ended.resolve()
    }
    try {
      start((error, rowCount = 0) => {
        settle()
        if (!error) resolve(rowCount)
        else {
          if (((error as { class?: number }).class ?? 0) >= fatalClass) this.close()
          reject(error)
        }
      })
    } catch (error) {
      attempt.sent = false
      settle()
      throw error
    }
    return promise
  }

  /** Stops what runs, by attention. */
  cancel(): void {
    const running = this.#running
    if (running === undefined) return
    this.connection.cancel()
    const timer = setTimeout(() => this.close(), acknowledgeMs)
    void running.then(() => clearTimeout(timer))
  }

  /** Resolves when nothing runs. */
  async quiet(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }
}
