import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  Page,
  ProcedureCall,
  Reply,
  ServerTransaction,
  Statement,
} from '../../../src/sql/index.ts'
import { isOutside } from './answers.ts'
import { Cursor } from './cursor.ts'
import { serverErrno } from './failures.ts'
import type { Answer, TypedParameters } from './library.ts'
import type { Session } from './session.ts'
import { call, insert, partsOf, quoted, run, type Work } from './statements.ts'
import { encode } from './values.ts'

/**
 * After these the server has undone all of it, or may have: 1205 if `innodb_rollback_on_timeout` is set. What
 * came next would be applied at once.
 */
const undone = new Set([1020, 1205, 1206, 1213, 3101])
/** Temporary tables alone can come and go within a transaction. */
const temporary = /^\s*(create|drop)\s+temporary\s/i

const insertPoint = 'dualport_insert'

/** The session is its own until its end. */
export class Mysql2Transaction implements ServerTransaction {
  readonly #session: Session
  readonly #types: TypedParameters
  readonly #release: (session: Session) => void
  /** Nothing but `rollback` is left to do. */
  #broken = false
  #over = false
  #cursor: Cursor | undefined

  constructor(session: Session, types: TypedParameters, release: (session: Session) => void) {
    this.#session = session
    this.#types = types
    this.#release = release
  }

  async run(statement: Statement, attempt: Attempt): Promise<Reply> {
    const { kind, text } = statement
    if (kind === 'DDL' && !temporary.test(text)) {
      throw invalid('the server would commit the transaction for it: run it outside')
    }
    return this.#do(run(statement, this.#types), attempt)
  }

  async open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    this.#check()
    const cursor = new Cursor(this.#session, pageRows, (error) => {
      this.#cursor = undefined
      this.#note(error)
    })
    this.#cursor = cursor
    return cursor.open(statement.text, encode(statement.parameters, this.#types), attempt)
  }

  call(procedure: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#do(call(procedure, this.#types), attempt)
  }

  async insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    const parts = partsOf(insertion)
    if (parts.length === 1) return this.#do(insert(insertion, this.#types), attempt)
    await this.savepoint(insertPoint, attempt)
    let inserted = 0
    try {
      for (const part of parts) inserted += await this.#do(insert(part, this.#types), attempt)
    } catch (error) {
      if (!this.#broken) await this.rollbackTo(insertPoint, attempt)
      throw error
    }
    await this.release(insertPoint, attempt)
    return inserted
  }

  savepoint(name: string, attempt: Attempt): Promise<void> {
    return this.#control(`SAVEPOINT ${quoted([name])}`, attempt)
  }

  rollbackTo(name: string, attempt: Attempt): Promise<void> {
    return this.#control(`ROLLBACK TO SAVEPOINT ${quoted([name])}`, attempt)
  }

  release(name: string, attempt: Attempt): Promise<void> {
    return this.#control(`RELEASE SAVEPOINT ${quoted([name])}`, attempt)
  }

  async commit(attempt: Attempt): Promise<void> {
    this.#check()
    try {
      await this.#session.query('COMMIT', attempt)
    } catch (error) {
      this.#broken = true
      throw error
    }
    this.#end()
  }

  async rollback(attempt: Attempt): Promise<void> {
    if (this.#over) return
    try {
      await this.#cursor?.close(attempt)
      await this.#session.stopping
      if (this.#session.alive) await this.#session.query('ROLLBACK', attempt)
    } catch (error) {
      // The server undoes it when the connection ends.
      this.#session.destroy()
      throw error
    } finally {
      this.#end()
    }
  }

  // ------------------------------------------------------------------------------------------------

  async #do<T>(work: Work<T>, attempt: Attempt): Promise<T> {
    this.#check()
    try {
      return await work.on(this.#session, attempt, (answer) => this.#heard(answer))
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  async #control(text: string, attempt: Attempt): Promise<void> {
    this.#check()
    try {
      await this.#session.query(text, attempt)
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  /** @throws DriverFailure if a statement must not run now */
  #check(): void {
    const { alive, stopping } = this.#session
    if (this.#over || this.#broken || !alive || stopping !== undefined) {
      throw new DriverFailure({
        kind: 'closed',
        outcome: 'not-applied',
        detail: 'the transaction is over',
      })
    }
    if (this.#cursor !== undefined) {
      throw invalid('a stream of the transaction is not at its end: read or close it first')
    }
  }

  /** What ends a transaction all by itself is found out by the text where it can be. This is the rest. */
  #heard(answer: Answer): void {
    if (!isOutside(answer)) return
    this.#broken = true
    throw new DriverFailure({
      kind: 'invalid',
      outcome: 'unknown',
      detail: 'the server has committed the transaction for this statement',
    })
  }

  #note(error: unknown): void {
    if (error === undefined) return
    const errno = serverErrno(error)
    const { stopping, alive } = this.#session
    if ((errno !== undefined && undone.has(errno)) || stopping !== undefined || !alive) {
      this.#broken = true
    }
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#release(this.#session)
  }
}

function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}
