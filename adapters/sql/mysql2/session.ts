import { type Attempt, DriverFailure, detachedAttempt } from '../../../src/core/index.ts'
import { serverErrno } from './failures.ts'
import type { Answer, Command, Field, NativeConnection, NativeStatement } from './library.ts'
import { prepareFields, Shape } from './values.ts'

/** A statement that the server has read. */
export class Prepared {
  readonly native: NativeStatement
  #shape: Shape | undefined

  constructor(native: NativeStatement) {
    this.native = native
  }

  /** Made once, as long as the columns stay what they are. */
  shape(fields: readonly Field[]): Shape {
    if (this.#shape?.fits(fields) !== true) this.#shape = new Shape(fields)
    return this.#shape as Shape
  }
}

/** How a session stops what it runs: resolves once the server has been told, or it has ended by itself. */
export type Kill = (threadId: number, isRunning: () => boolean) => Promise<void>

/** From a cancellation to a session that is as good as before. Then the connection is cut. */
const graceMs = 3000
/** The server takes it only as text. */
const unprepareable = 1295
const killed = 1317

/** One connection, which runs one statement at a time. */
export class Session {
  readonly native: NativeConnection
  alive = true
  idleSince = performance.now()
  /** Set while a statement is being stopped; never rejects. Nothing else may run until then. */
  stopping: Promise<void> | undefined
  /** Called once, when it is of no use any more. */
  onDead: (() => void) | undefined
  readonly #kill: Kill | undefined
  readonly #maxStatements: number
  readonly #statements = new Map<string, Prepared>()
  /** Such a one may be huge, so that one is enough. */
  #bulkText: string | undefined
  #attempt: Attempt | undefined
  #lost: ((error: unknown) => void) | undefined
  #onEnd: (() => void) | undefined

  constructor(native: NativeConnection, kill: Kill | undefined, maxStatements: number) {
    this.native = native
    this.#kill = kill
    this.#maxStatements = maxStatements
    native.on('error', (error) => this.destroy(error))
    // The server's goodbye. What it said before has been read.
    native.on('end', () => this.#die())
  }

  /** Prepared at the server, where the values are bound. */
  async execute(
    text: string,
    values: readonly unknown[],
    attempt: Attempt,
  ): Promise<readonly [Answer, Prepared | undefined]> {
    let prepared: Prepared
    try {
      prepared = await this.#prepared(text, attempt)
    } catch (error) {
      if (serverErrno(error) !== unprepareable || values.length > 0) throw error
      return [await this.query(text, attempt), undefined]
    }
    return [await this.#execute(prepared, values, attempt), prepared]
  }

  /** The same for a text that is used a few times, one after another, and may be long. */
  async executeBulk(text: string, values: readonly unknown[], attempt: Attempt): Promise<Answer> {
    if (this.#bulkText !== undefined && this.#bulkText !== text) this.#forget(this.#bulkText)
    this.#bulkText = text
    return this.#execute(await this.#prepared(text, attempt), values, attempt)
  }

  /** A text without values: for what is not worth preparing, or cannot be. */
  query(text: string, attempt: Attempt): Promise<Answer> {
    return this.#perform(attempt, (done) => {
      attempt.sent = true
      this.native
        .query(text, (error, rows, fields) => done(error, [rows, fields]))
        .on('fields', prepareFields)
    })
  }

  ping(attempt: Attempt): Promise<void> {
    return this.#perform(attempt, (done) => {
      attempt.sent = true
      this.native.ping((error) => done(error))
    })
  }

  /** Row by row: see `Cursor`, which calls `done` when it has ended. */
  async stream(
    text: string,
    values: readonly unknown[],
    attempt: Attempt,
    listen: (command: Command, prepared: Prepared) => void,
    lost: (error: unknown) => void,
  ): Promise<() => void> {
    const prepared = await this.#prepared(text, attempt)
    this.#begin(attempt, lost)
    attempt.sent = true
    listen(prepared.native.execute(values), prepared)
    return () => this.#end()
  }

  /** `cancel` leaves it alive. */
  get canStop(): boolean {
    return this.#kill !== undefined
  }

  /**
   * Stops what it runs, at the server. The session then runs the next statement as if nothing had been, or is
   * dead.
   */
  cancel(): void {
    if (this.stopping !== undefined || !this.alive) return
    const kill = this.#kill
    if (kill === undefined) {
      this.destroy()
      return
    }
    const timer = setTimeout(() => this.destroy(), graceMs)
    this.stopping = this.#stop(kill)
      .catch(() => this.destroy())
      .then(() => {
        clearTimeout(timer)
        this.stopping = undefined
      })
  }

  /** Cuts the connection. What runs is rejected. */
  destroy(error: unknown = new DriverFailure({ kind: 'unavailable', detail: cut })): void {
    this.#die()
    this.native.destroy()
    this.native.stream.destroy()
    const lost = this.#lost
    this.#end()
    lost?.(error)
  }

  /** Leaves politely, if it runs nothing. */
  leave(): void {
    if (!this.alive) return
    this.#die()
    this.native.end()
    this.native.stream.end()
  }

  // ------------------------------------------------------------------------------------------------

  #die(): void {
    if (!this.alive) return
    this.alive = false
    this.onDead?.()
  }

  async #stop(kill: Kill): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve
    })
    // Over another connection it may be there before the statement, and does nothing then.
    for (let waitMs = 5; this.#attempt !== undefined; waitMs *= 2) {
      await kill(this.native.threadId, () => this.#attempt !== undefined)
      await within(ended, waitMs)
    }
    // Where the signal came too late for its statement, it meets this one, and not the next caller's.
    await this.query('DO 0', detachedAttempt('CLEAR', graceMs)).catch((error) => {
      if (serverErrno(error) !== killed) throw error
    })
  }

  async #prepared(text: string, attempt: Attempt): Promise<Prepared> {
    const known = this.#statements.get(text)
    if (known !== undefined) {
      // The one that was used last is at the end.
      if (this.#statements.size === this.#maxStatements) {
        this.#statements.delete(text)
        this.#statements.set(text, known)
      }
      return known
    }
    const native = await this.#perform<NativeStatement>(attempt, (done) =>
      this.native.prepare(text, done),
    )
    const prepared = new Prepared(native)
    if (this.#statements.size >= this.#maxStatements) {
      this.#forget(this.#statements.keys().next().value as string)
    }
    this.#statements.set(text, prepared)
    return prepared
  }

  #forget(text: string): void {
    if (this.#statements.delete(text)) this.native.unprepare(text)
  }

  #execute(prepared: Prepared, values: readonly unknown[], attempt: Attempt): Promise<Answer> {
    return this.#perform(attempt, (done) => {
      attempt.sent = true
      prepared.native
        .execute(values, (error, rows, fields) => done(error, [rows, fields]))
        .on('fields', prepareFields)
    })
  }

  #perform<T>(
    attempt: Attempt,
    begin: (done: (error: unknown, value?: T) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#begin(attempt, reject)
      begin((error, value) => {
        this.#end()
        if (!error) {
          resolve(value as T)
          return
        }
        reject(error)
        // Who waits for an answer is told of a lost connection instead of the connection's listeners.
        if ((error as { fatal?: unknown }).fatal === true) this.destroy(error)
      })
    })
  }

  /** @throws DriverFailure if it is too late */
  #begin(attempt: Attempt, lost: (error: unknown) => void): void {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
    if (!this.alive) {
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail: cut })
    }
    this.#attempt = attempt
    this.#lost = lost
    attempt.onCancel = () => {
      if (this.#attempt === attempt) this.cancel()
    }
  }

  #end(): void {
    this.#attempt = undefined
    this.#lost = undefined
    this.#onEnd?.()
    this.#onEnd = undefined
  }
}

const cut = 'the connection was lost'

/** Resolves also if it did not come by then. */
async function within(event: Promise<void>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([event, late])
  clearTimeout(timer)
}
