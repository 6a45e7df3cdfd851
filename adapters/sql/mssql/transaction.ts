import { type Attempt, DriverFailure, detachedAttempt } from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  Isolation,
  Page,
  ProcedureCall,
  Reply,
  ServerTransaction,
  Statement,
} from '../../../src/sql/index.ts'
import type { Loader } from './bulk.ts'
import { openCursor } from './cursor.ts'
import type { Link } from './link.ts'
import { call, query } from './query.ts'

/** How long a connection may take to forget the isolation of its last transaction. */
const resetMs = 2000

const levels = {
  'read uncommitted': 'READ_UNCOMMITTED',
  'read committed': 'READ_COMMITTED',
  'repeatable read': 'REPEATABLE_READ',
  serializable: 'SERIALIZABLE',
  snapshot: 'SNAPSHOT',
} as const satisfies Readonly<Record<Isolation, string>>

export const isolations = Object.keys(levels) as readonly Isolation[]

/**
 * `give` takes the connection back, also after a failure.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/4e9f106b-df69-457c-a0c6-3a9d5c7d1eb2
 */
export async function begin(
  link: Link,
  isolation: Isolation | undefined,
  attempt: Attempt,
  loader: Loader,
  give: (link: Link) => void,
): Promise<ServerTransaction> {
  const { ISOLATION_LEVEL } = link.library.tedious
  const level = ISOLATION_LEVEL[isolation === undefined ? 'NO_CHANGE' : levels[isolation]] as number
  try {
    await link.exec(attempt, (done) =>
      link.connection.beginTransaction((error) => done(error), '', level),
    )
    // Nobody would ever end it.
    if (attempt.over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
  } catch (error) {
    give(link)
    throw error
  }
  return new Transaction(link, isolation !== undefined, loader, give)
}

class Transaction implements ServerTransaction {
  readonly #link: Link
  /** The server keeps it for what comes after. */
  readonly #hasIsolation: boolean
  readonly #loader: Loader
  readonly #give: (link: Link) => void
  /** A statement was stopped: nobody knows what it has done. */
  #isBroken = false
  #isOver = false

  constructor(link: Link, hasIsolation: boolean, loader: Loader, give: (link: Link) => void) {
    this.#link = link
    this.#hasIsolation = hasIsolation
    this.#loader = loader
    this.#give = give
  }

  run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#do(attempt, (link) => query(link, statement, attempt))
  }

  open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    return this.#do(attempt, (link) => openCursor(link, statement, pageRows, attempt, () => {}))
  }

  call(procedure: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#do(attempt, (link) => call(link, procedure, attempt))
  }

  insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#do(attempt, (link) => this.#loader.insert(link, insertion, attempt))
  }

  async savepoint(name: string, attempt: Attempt): Promise<void> {
    await this.#do(attempt, (link) =>
      link.exec(attempt, (done) => link.connection.saveTransaction(done, name)),
    )
  }

  async rollbackTo(name: string, attempt: Attempt): Promise<void> {
    await this.#do(attempt, (link) =>
      link.exec(attempt, (done) => link.connection.rollbackTransaction(done, name)),
    )
  }

  async release(): Promise<void> {
    this.#check()
  }

  async commit(attempt: Attempt): Promise<void> {
    this.#check()
    const link = this.#link
    await link.cursor?.stop()
    this.#check()
    await this.#do(attempt, () =>
      link.exec(attempt, (done) => link.connection.commitTransaction(done)),
    )
    this.#free()
  }

  async rollback(attempt: Attempt): Promise<void> {
    if (this.#isOver) return
    const link = this.#link
    try {
      await link.cursor?.stop()
      // The acknowledgement of what was stopped comes first.
      await link.quiet()
      if (link.isOpen && link.connection.inTransaction) {
        await link.exec(attempt, (done) => link.connection.rollbackTransaction(done))
      }
    } catch (error) {
      // Whose connection ends, ends as well.
      link.close()
      throw error
    } finally {
      this.#free()
    }
  }

  async #do<T>(attempt: Attempt, work: (link: Link) => Promise<T>): Promise<T> {
    this.#check()
    if (this.#link.cursor !== undefined) {
      const detail = 'a stream of this transaction is not at its end: read or close it first'
      throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
    }
    try {
      return await work(this.#link)
    } finally {
      if (attempt.over) this.#isBroken = true
    }
  }

  /** @throws DriverFailure of kind `closed`: a statement must not run outside of its transaction */
  #check(): void {
    const { isOpen, connection } = this.#link
    if (!this.#isOver && !this.#isBroken && isOpen && connection.inTransaction) return
    const detail =
      this.#isOver || this.#isBroken || !isOpen
        ? 'the transaction is over'
        : 'the server has undone the transaction'
    throw new DriverFailure({ kind: 'closed', outcome: 'not-applied', detail })
  }

  #free(): void {
    if (this.#isOver) return
    this.#isOver = true
    const link = this.#link
    if (!this.#hasIsolation || !link.isClean) {
      this.#give(link)
      return
    }
    // Nobody waits for it, and nobody gets the connection before.
    const attempt = detachedAttempt('RESET', resetMs)
    const timer = setTimeout(() => link.close(), resetMs)
    link
      .exec(attempt, (done) => link.connection.reset(done))
      .catch(() => link.close())
      .finally(() => {
        clearTimeout(timer)
        this.#give(link)
      })
  }
}
