import type { DatabaseSync } from 'node:sqlite'
import { type Attempt, DriverFailure, type Failure } from '../../src/core/index.ts'
import {
  type CallReply,
  classifySqlite,
  type Insertion,
  type Page,
  type Reply,
  type ServerTransaction,
  type SqlCapabilities,
  type SqlDriver,
  type SqliteErrorLike,
  type Statement,
  type TransactionSettings,
} from '../../src/sql/index.ts'
import { Database } from './memory/database.ts'
import { Line } from './memory/line.ts'

export interface MemoryOptions {
  /** A database file, made if it is not there. Default: in memory, gone with the client. */
  file?: string | undefined
}

/**
 * SQLite inside the process, for tests and development, in SQLite's own dialect: Node.js 24 or later, whose
 * `node:sqlite` it is. Each call makes a database of its own; clients of one driver share it.
 *
 * One connection: while a transaction is open, what is not part of it waits, until its deadline. A statement
 * blocks the whole process until it is done, and cannot be stopped. No stored procedures. A column is read by
 * the type that it is declared with; `src/sql/README.md` says what that means for decimals and times.
 */
export function memory({ file }: MemoryOptions = {}): SqlDriver {
  return new MemoryDriver(file)
}

const capabilities: SqlCapabilities = {
  streaming: true,
  procedures: false,
  resultSets: false,
  outputParameters: false,
  cancel: false,
  // Transactions run alone, which is more than any of these asks for.
  isolation: ['read uncommitted', 'read committed', 'repeatable read', 'serializable', 'snapshot'],
  // https://www.sqlite.org/limits.html#max_variable_number
  maxParameters: 32_766,
  maxInsertValues: 1_000_000,
}

class MemoryDriver implements SqlDriver {
  readonly adapter = 'memory'
  readonly dialect = 'sqlite'
  readonly capabilities = capabilities
  readonly resource: string | undefined
  readonly #line = new Line()
  #database: Database | undefined
  #closed = false

  constructor(file: string | undefined) {
    this.resource = file
  }

  run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#alone(attempt, (database) => database.run(statement))
  }

  open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    return this.#alone(attempt, (database) => database.open(statement, pageRows))
  }

  async call(): Promise<CallReply> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#alone(attempt, (database) => {
      database.exec('BEGIN IMMEDIATE')
      try {
        const inserted = database.insert(insertion)
        database.exec('COMMIT')
        return inserted
      } catch (error) {
        if (database.inTransaction) database.exec('ROLLBACK')
        throw error
      }
    })
  }

  async begin(_: TransactionSettings, attempt: Attempt): Promise<ServerTransaction> {
    await this.#line.enter()
    try {
      const database = this.#usable(attempt)
      database.exec('BEGIN IMMEDIATE')
      return new MemoryTransaction(database, () => this.#line.leave())
    } catch (error) {
      this.#line.leave()
      throw error
    }
  }

  /** Also while a transaction is open: it reads nothing. */
  async ping(attempt: Attempt): Promise<void> {
    this.#usable(attempt).exec('SELECT 1')
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const database = this.#usable(attempt)
    return database.inTransaction || database.takesWrites()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#line.close()
    this.#database?.close()
    this.#database = undefined
  }

  classify(error: unknown): Failure {
    const { code } = error as { code?: unknown }
    if (code === 'ERR_SQLITE_ERROR') return classifySqlite(error as SqliteErrorLike)
    if (code === 'ERR_INVALID_STATE' && this.#closed) return { kind: 'closed' }
    return { kind: 'internal' }
  }

  async native(): Promise<DatabaseSync> {
    return this.#open().sqlite
  }

  /** Not beside a transaction, of which it would become a part. */
  async #alone<T>(attempt: Attempt, work: (database: Database) => T): Promise<T> {
    await this.#line.enter()
    try {
      return work(this.#usable(attempt))
    } finally {
      this.#line.leave()
    }
  }

  #usable(attempt: Attempt): Database {
    const database = this.#open()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    return database
  }

  #open(): Database {
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    this.#database ??= new Database(openSqlite(this.resource ?? ':memory:'))
    return this.#database
  }
}

class MemoryTransaction implements ServerTransaction {
  readonly #database: Database
  readonly #leave: () => void
  #over = false

  constructor(database: Database, leave: () => void) {
    this.#database = database
    this.#leave = leave
  }

  async run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#do(attempt, (database) => database.run(statement))
  }

  async open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    return this.#do(attempt, (database) => database.open(statement, pageRows))
  }

  async call(): Promise<CallReply> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#do(attempt, (database) => {
      database.exec('SAVEPOINT dualport_insert')
      try {
        return database.insert(insertion)
      } catch (error) {
        if (database.inTransaction) database.exec('ROLLBACK TO dualport_insert')
        throw error
      } finally {
        if (database.inTransaction) database.exec('RELEASE dualport_insert')
      }
    })
  }

  async savepoint(name: string, attempt: Attempt): Promise<void> {
    this.#do(attempt, (database) => database.exec(`SAVEPOINT ${name}`))
  }

  async rollbackTo(name: string, attempt: Attempt): Promise<void> {
    this.#do(attempt, (database) => database.exec(`ROLLBACK TO ${name}`))
  }

  async release(name: string, attempt: Attempt): Promise<void> {
    this.#do(attempt, (database) => database.exec(`RELEASE ${name}`))
  }

  async commit(attempt: Attempt): Promise<void> {
    this.#do(attempt, (database) => database.exec('COMMIT'))
    this.#end()
  }

  async rollback(): Promise<void> {
    if (this.#over) return
    try {
      this.#database.exec('ROLLBACK')
    } finally {
      this.#end()
    }
  }

  #do<T>(attempt: Attempt, work: (database: Database) => T): T {
    if (this.#over) throw new DriverFailure({ kind: 'closed', detail: 'the transaction is over' })
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    try {
      return work(this.#database)
    } finally {
      // A full disk, for one, has undone it all.
      if (!this.#database.inTransaction) this.#end()
    }
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#leave()
  }
}

function openSqlite(path: string): DatabaseSync {
  const sqlite = globalThis.process?.getBuiltinModule?.('node:sqlite')
  if (sqlite === undefined || !('setReturnArrays' in sqlite.StatementSync.prototype)) {
    throw config('memory needs the node:sqlite of Node.js 24 or later')
  }
  try {
    return new sqlite.DatabaseSync(path, { timeout: 1000 })
  } catch (cause) {
    throw config('file is not one that SQLite can open', cause)
  }
}

function config(detail: string, cause?: unknown): DriverFailure {
  return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
}
