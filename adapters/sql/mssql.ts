import { type Attempt, type Failure, InfraError } from '../../src/core/index.ts'
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
import { Loader } from './mssql/bulk.ts'
import { connect, connectionPool } from './mssql/connect.ts'
import { openCursor } from './mssql/cursor.ts'
import { explain } from './mssql/failures.ts'
import type { Link } from './mssql/link.ts'
import type { MssqlOptions } from './mssql/options.ts'
import { Connections } from './mssql/pool.ts'
import { call, query } from './mssql/query.ts'
import { type Settings, settingsOf } from './mssql/settings.ts'
import { begin, isolations } from './mssql/transaction.ts'

export type { MssqlOptions } from './mssql/options.ts'

const capabilities: SqlCapabilities = {
  streaming: true,
  procedures: true,
  resultSets: true,
  outputParameters: true,
  cancel: true,
  isolation: isolations,
  // 2100, of which the text and the declarations are two: https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server
  maxParameters: 2098,
  maxInsertValues: 100_000,
}

/**
 * SQL Server and Azure SQL over TCP, by tedious, the driver of mssql 12 (`npm install mssql`), which is loaded on
 * first use. A small pool of connections, each replaced before use once it was idle for long. It encrypts unless
 * `encrypt` says otherwise, and refuses a server that does not.
 *
 * - Whoever does not wait for a statement any more stops it by attention; its connection goes on once the server
 *   has acknowledged it, and is closed if that takes more than 2 seconds.
 * - `rowsAffected` is the count of the last statement of a text that has one, without triggers, and 0 under SET
 *   NOCOUNT ON. `insertId` is that of an INSERT of one row; for several, OUTPUT gives them all.
 * - A bigint from 2^63 is sent as decimal(20). Of a `decimal` output parameter, the value that it is given says how
 *   many digits it has behind the point: `sql.output('decimal', '0.00')`; without one there are 18.
 * - `bulkInsert` is a bulk load, with checks and triggers as for INSERT, each trigger once a batch; a column that is
 *   an identity takes the values it is given. In a batch, NULL is NULL and not the default of the column.
 * - A transaction has one connection, which reads one result at a time: while a stream of it is open, its other
 *   statements are refused with kind `invalid`.
 * @throws InfraError `SQL_CONFIG` for malformed options, `SQL_UNSUPPORTED` in Cloudflare's workerd
 */
export function mssql(options: MssqlOptions = {}): SqlDriver {
  if (isWorkerd) {
    throw new InfraError({
      kind: 'unsupported',
      component: 'sql',
      adapter: 'mssql',
      operation: 'configure',
      detail: 'in workerd its connections would not be encrypted: use the gateway adapter',
    })
  }
  return new MssqlDriver(settingsOf(options))
}

class MssqlDriver implements SqlDriver {
  readonly adapter = 'mssql'
  readonly dialect = 'sqlserver'
  readonly capabilities = capabilities
  readonly resource: string
  readonly pool: Connections
  readonly #settings: Settings
  readonly #loader = new Loader()
  #native: Promise<{ close(): Promise<unknown> }> | undefined

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
    this.pool = new Connections(settings, () => connect(settings))
  }

  run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#with(attempt, (link) => query(link, statement, attempt))
  }

  async open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page> {
    const link = await this.pool.take(attempt)
    return openCursor(link, statement, pageRows, attempt, () => this.pool.give(link))
  }

  call(procedure: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#with(attempt, (link) => call(link, procedure, attempt))
  }

  insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#with(attempt, (link) => this.#loader.insert(link, insertion, attempt))
  }

  async begin({ isolation }: TransactionSettings, attempt: Attempt): Promise<ServerTransaction> {
    const link = await this.pool.take(attempt)
    return begin(link, isolation, attempt, this.#loader, (link) => this.pool.give(link))
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#ask('SELECT 1', attempt)
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const text = `select cast(databasepropertyex(db_name(), 'Updateability') as nvarchar(20))`
    return (await this.#ask(text, attempt)) === 'READ_WRITE'
  }

  async close(): Promise<void> {
    this.pool.close()
    const native = await this.#native?.catch(() => undefined)
    await native?.close()
  }

  /** A ConnectionPool of mssql's own, with the same settings, connected. */
  native(): Promise<unknown> {
    if (this.#native === undefined) {
      const opening = connectionPool(this.#settings)
      this.#native = opening
      opening.catch(() => {
        this.#native = undefined
      })
    }
    return this.#native
  }

  classify(error: unknown): Failure {
    return explain(error)
  }

  async #ask(text: string, attempt: Attempt): Promise<unknown> {
    const statement = { text, parameters: [], kind: 'SELECT', insertId: false } as const
    const { rows } = await this.run(statement, attempt)
    return rows[0]?.[0]
  }

  async #with<T>(attempt: Attempt, work: (link: Link) => Promise<T>): Promise<T> {
    const link = await this.pool.take(attempt)
    try {
      return await work(link)
    } finally {
      this.pool.give(link)
    }
  }
}
