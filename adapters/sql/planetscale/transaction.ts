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
import { quoted, type Session } from './session.ts'

/** After these, nobody knows what the server made of the transaction, or it is no more. */
const fatal: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'aborted',
  'internal',
  'closed',
])

/** The transaction that a session is in. */
export class PlanetscaleTransaction implements ServerTransaction {
  readonly #session: Session
  #over = false

  constructor(session: Session) {
    this.#session = session
  }

  run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#within(attempt, () => this.#session.run(statement, attempt))
  }

  async open(): Promise<Page> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  call(call: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#within(attempt, () => this.#session.call(call, attempt))
  }

  insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#within(attempt, async () => {
      let inserted = 0
      for (const text of this.#session.insertions(insertion)) {
        inserted += (await this.#session.execute(text, attempt)).rowsAffected
      }
      return inserted
    })
  }

  savepoint(name: string, attempt: Attempt): Promise<void> {
    return this.#execute(`SAVEPOINT ${quoted([name])}`, attempt)
  }

  rollbackTo(name: string, attempt: Attempt): Promise<void> {
    return this.#execute(`ROLLBACK TO SAVEPOINT ${quoted([name])}`, attempt)
  }

  release(name: string, attempt: Attempt): Promise<void> {
    return this.#execute(`RELEASE SAVEPOINT ${quoted([name])}`, attempt)
  }

  async commit(attempt: Attempt): Promise<void> {
    await this.#execute('COMMIT', attempt)
    this.#over = true
  }

  async rollback(attempt: Attempt): Promise<void> {
    this.#over = true
    await this.#session.execute('ROLLBACK', attempt)
  }

  async #execute(text: string, attempt: Attempt): Promise<void> {
    await this.#within(attempt, () => this.#session.execute(text, attempt))
  }

  async #within<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    if (this.#over) throw new DriverFailure({ kind: 'closed', detail: 'the transaction is over' })
    try {
      return await work()
    } catch (error) {
      if (endedBy(error) || attempt.over) this.#over = true
      throw error
    }
  }
}

function endedBy(error: unknown): boolean {
  // What `fetch` threw.
  if (!(error instanceof DriverFailure)) return true
  const { kind, retryable } = error.failure
  return retryable === true || fatal.has(kind)
}
