import { type Attempt, detachedAttempt, type Failure, stepOf } from '../../src/core/index.ts'
import { isWorkerd } from '../../src/core/runtime.ts'
import type {
  CallReply,
  Insertion,
  Page,
  ProcedureCall,
  Reply,
  ServerTransaction,
  SqlCapabilities,
  SqlDriver,
  Statement,
  TransactionSettings,
} from '../../src/sql/index.ts'
import { Connector } from './mysql2/connector.ts'
import { Cursor } from './mysql2/cursor.ts'
import { explain } from './mysql2/failures.ts'
import { Killer } from './mysql2/killer.ts'
import type { NativeConnection, TypedParameters } from './mysql2/library.ts'
import type { Mysql2Options } from './mysql2/options.ts'
import { SessionPool } from './mysql2/pool.ts'
import type { Session } from './mysql2/session.ts'
import { type Settings, settingsOf } from './mysql2/settings.ts'
import { call, insert, partsOf, run, type Work } from './mysql2/statements.ts'
import { Mysql2Transaction } from './mysql2/transaction.ts'
import { encode } from './mysql2/values.ts'

export type { HyperdriveBinding, Mysql2Options, Mysql2Tls } from './mysql2/options.ts'

const capabilities: SqlCapabilities = {
  streaming: true,
  procedures: true,
  resultSets: true,
  outputParameters: false,
  cancel: true,
  isolation: ['read uncommitted', 'read committed', 'repeatable read', 'serializable'],
  maxParameters: 65_535,
  maxInsertValues: 65_535,
}

const rollbackMs = 5000

/**
 * MySQL and MariaDB over TCP, by mysql2 3 (`npm install mysql2`), which is loaded on first use. Statements are
 * prepared at the server, which is given the values beside them. A small pool of connections, each in UTC, in
 * utf8mb4, strict, and replaced before use once it was idle for long.
 *
 * A statement that nobody waits for any more is stopped by KILL QUERY over a connection of its own; through
 * Hyperdrive, which hides the server's connections, by closing the connection.
 *
 * A TIMESTAMP comes back as a Date, which has milliseconds; its zero as `null`. Zero dates are texts of zeros.
 * MariaDB's JSON columns are parsed as MySQL's are.
 * @throws InfraError `SQL_CONFIG` for malformed options, and in a Worker without Hyperdrive
 */
export function mysql2(options: Mysql2Options = {}): SqlDriver {
  return new Mysql2Driver(settingsOf(options, isWorkerd))
}

class Mysql2Driver implements SqlDriver {
  readonly adapter = 'mysql2'
  readonly dialect = 'mysql'
  readonly resource: string
  readonly capabilities: SqlCapabilities
  readonly pool: SessionPool
  readonly #connector: Connector
  readonly #killer: Killer
  #types: TypedParameters | undefined
  #native: Promise<NativeConnection> | undefined

  constructor(settings: Settings) {
    const { isHyperdrive, resource, maxIdleMs } = settings
    this.resource = resource
    this.capabilities = { ...capabilities, cancel: !isHyperdrive }
    const connector = new Connector(settings)
    const killer = new Killer(() => connector.open(), maxIdleMs)
    const kill = isHyperdrive ? undefined : killer.kill.bind(killer)
    this.#connector = connector
    this.#killer = killer
    this.pool = new SessionPool(() => connector.open(kill), settings)
  }

  run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#do((types) => run(statement, types), attempt)
  }

  call(procedure: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#do((types) => call(procedure, types), attempt)
  }

  async insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    if (partsOf(insertion).length === 1) {
      return this.#do((types) => insert(insertion, types), attempt)
    }
    const transaction = await this.begin({}, stepOf(attempt))
    try {
      const inserted = await transaction.insert(insertion, stepOf(attempt))
      await transaction.commit(attempt)
      return inserted
    } catch (error) {
      await transaction.rollback(detachedAttempt('ROLLBACK', rollbackMs)).catch(() => {})
      throw error
    }
  }

  async open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    const types = this.#types ?? (await this.#load())
    const session = await this.#session(attempt)
    const cursor = new Cursor(session, pageRows, () => this.pool.release(session))
    return cursor.open(statement.text, encode(statement.parameters, types), attempt)
  }

  async begin({ isolation }: TransactionSettings, attempt: Attempt): Promise<ServerTransaction> {
    const types = this.#types ?? (await this.#load())
    const session = await this.#session(attempt)
    try {
      if (isolation !== undefined) {
        await session.query(`SET TRANSACTION ISOLATION LEVEL ${isolation}`, attempt)
      }
      await session.query('START TRANSACTION', attempt)
    } catch (error) {
      session.destroy()
      throw error
    }
    return new Mysql2Transaction(session, types, (session) => this.pool.release(session))
  }

  async ping(attempt: Attempt): Promise<void> {
    const session = await this.#session(attempt)
    try {
      await session.ping(attempt)
    } finally {
      this.pool.release(session)
    }
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const text = 'SELECT @@global.read_only, @@global.innodb_read_only'
    const statement = { text, parameters: [], kind: 'SELECT', insertId: false } as const
    const { rows } = await this.run(statement, attempt)
    // Texts in a newer MariaDB, which knows more than two answers.
    return rows[0]?.every((value) => /^(0|OFF)$/i.test(String(value))) === true
  }

  async close(): Promise<void> {
    this.pool.close()
    this.#killer.close()
    const native = await this.#native?.catch(() => undefined)
    native?.destroy()
  }

  /** A connection beside those of the pool, as the pool's are set up. */
  native(): Promise<NativeConnection> {
    if (this.#native === undefined) {
      const opening = this.#connector.openNative()
      this.#native = opening
      const forget = () => {
        if (this.#native === opening) this.#native = undefined
      }
      opening.then((native) => native.on('error', forget).on('end', forget), forget)
    }
    return this.#native
  }

  classify(error: unknown): Failure {
    return explain(error)
  }

  // ------------------------------------------------------------------------------------------------

  async #do<T>(work: (types: TypedParameters) => Work<T>, attempt: Attempt): Promise<T> {
    const types = this.#types ?? (await this.#load())
    for (let isFirst = true; ; isFirst = false) {
      const session = this.pool.take() ?? (await this.pool.wait(attempt))
      try {
        return await work(types).on(session, attempt)
      } catch (error) {
        // A connection that was lost before it was sent: once more over another one.
        if (!isFirst || session.alive || attempt.sent || attempt.over) throw error
      } finally {
        this.pool.release(session)
      }
    }
  }

  async #session(attempt: Attempt): Promise<Session> {
    return this.pool.take() ?? (await this.pool.wait(attempt))
  }

  async #load(): Promise<TypedParameters> {
    this.#types = (await this.#connector.library()).TypedParameter
    return this.#types
  }
}
