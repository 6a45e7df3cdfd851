import type { Attempt, Driver, Pool } from '../core/index.ts'

/** What a database is spoken to in: names, placeholders and types differ, and what else its own manual says. */
export type Dialect = 'sqlserver' | 'mysql' | 'sqlite'

/*
 * Values, the same on every transport, in either direction:
 *
 * | SQL                                          | comes back as | goes out from                            |
 * |----------------------------------------------|---------------|------------------------------------------|
 * | integers of up to 32 bits                    | number        | whole number of 32 bits                  |
 * | 64-bit integers, unsigned ones included      | bigint        | bigint, larger whole number              |
 * | float, double, real                          | number        | number with a fraction, `sql.double`     |
 * | decimal, numeric, money                      | string        | `sql.decimal('1.10')`                    |
 * | text                                         | string        | string (well-formed)                     |
 * | bit of SQL Server                            | boolean       | boolean                                  |
 * | date, time                                   | string        | `sql.date('2026-11-28')`, `sql.time`     |
 * | datetime, datetime2, smalldatetime           | string        | `sql.datetime('2026-11-28T12:00:00.5')`  |
 * | timestamp of MySQL, datetimeoffset           | Date          | Date                                     |
 * | binary, blob, bit and geometry of MySQL      | Uint8Array    | Uint8Array                               |
 * | uniqueidentifier                             | string        | `sql.uuid`                               |
 * | json of MySQL                                | parsed        | `sql.json`                               |
 * | null                                         | null          | null, or one of a type: `sql.uuid(null)` |
 *
 * Texts of dates and times are `YYYY-MM-DD`, `HH:MM:SS` and `YYYY-MM-DDTHH:MM:SS`, with a fraction of up to
 * seven digits that has no zeros at its end, and none at all if it is zero. A time of MySQL may have a sign and
 * more than 24 hours. UUIDs are lower case. Decimals have as many digits behind the point as their column.
 */

export type ParameterType =
  | 'boolean'
  | 'integer'
  | 'bigint'
  | 'double'
  | 'decimal'
  | 'string'
  | 'date'
  | 'time'
  | 'datetime'
  | 'instant'
  | 'binary'
  | 'uuid'
  | 'json'

/** A value on its way to the server. `null` may be of any type: for one that nobody named, `string`. */
export interface Parameter {
  readonly type: ParameterType
  /**
   * `boolean` boolean; `integer` (32 bits) and `double` number, `bigint` bigint from -2^63 to 2^64 - 1; `instant`
   * Date; `binary` Uint8Array; `decimal` its digits; `json` its text; any other string. Valid: it was checked.
   */
  readonly value: boolean | number | bigint | string | Date | Uint8Array | null
}

/** The first word of a statement, for metrics and logs. */
export type StatementKind =
  | 'SELECT'
  | 'INSERT'
  | 'UPDATE'
  | 'DELETE'
  | 'MERGE'
  | 'REPLACE'
  | 'CALL'
  | 'DDL'
  | 'OTHER'

/** A statement as the server takes it, with `?` (MySQL, SQLite) or `@p1`, `@p2` (SQL Server) for the parameters. */
export interface Statement {
  readonly text: string
  readonly parameters: readonly Parameter[]
  readonly kind: StatementKind
  /** Whether the caller wants `insertId`, for which some servers must be asked. */
  readonly insertId: boolean
}

export interface Reply {
  /** Empty if it has no rows to give. Not necessarily unique. */
  readonly columns: readonly string[]
  /** The columns' types in the database's own words, upper case (`BIGINT UNSIGNED`), where the adapter knows them. */
  readonly types?: readonly string[]
  /** Each as long as `columns`. */
  readonly rows: readonly (readonly unknown[])[]
  /** Of an UPDATE: rows that were found, whether or not they changed. 0 for what changes none. */
  readonly rowsAffected: number
  /**
   * What an auto-increment or identity column gave the first row of an INSERT, if the statement asks for it; `null`
   * for several rows on SQL Server, which does not tell.
   */
  readonly insertId: bigint | null
}

export interface Page extends Pick<Reply, 'columns' | 'types' | 'rows'> {
  /** Where the rest is; `undefined` if this was all. */
  readonly rest: ServerCursor | undefined
}

/** A result that is not read to its end. One call at a time. It may hold a connection until then. */
export interface ServerCursor {
  /**
   * The next page, which may be empty. It cannot be asked for twice: whatever it fails with, or once it is
   * cancelled, the cursor is gone, and the adapter stops the statement at the server where it still can.
   */
  next(attempt: Attempt): Promise<Page>
  /** Stops the statement, and frees what it holds. */
  close(attempt: Attempt): Promise<void>
}

/** A stored procedure and what it is given. */
export interface ProcedureCall {
  /** `['dbo', 'transfer']`; not quoted. */
  readonly name: readonly string[]
  /** By name on SQL Server (without the @), in order on MySQL. */
  readonly parameters: readonly (Parameter & { readonly name: string; readonly output: boolean })[]
}

export interface CallReply {
  readonly sets: readonly Pick<Reply, 'columns' | 'types' | 'rows'>[]
  /** By the name of the parameter. */
  readonly output: Readonly<Record<string, unknown>>
  /** What RETURN gave; `null` on MySQL, which has none. */
  readonly returnValue: number | null
}

/** Rows of one table, all or none of which are inserted. */
export interface Insertion {
  /** `['dbo', 'users']`; not quoted. */
  readonly table: readonly string[]
  readonly columns: readonly string[]
  /** Each as long as `columns`. */
  readonly rows: readonly (readonly Parameter[])[]
}

/** `snapshot` is SQL Server's. */
export type Isolation =
  | 'read uncommitted'
  | 'read committed'
  | 'repeatable read'
  | 'serializable'
  | 'snapshot'

export interface TransactionSettings {
  /** Default: the server's. */
  readonly isolation?: Isolation | undefined
}

/** Where statements run: at the server, or within one transaction. */
export interface Executor {
  /** Runs a statement and reads all that it gives. Of several results the first. */
  run(statement: Statement, attempt: Attempt): Promise<Reply>
  /** Runs a statement as far as its first page. Only where `capabilities.streaming` says so. */
  open(statement: Statement, pageRows: number, attempt: Attempt): Promise<Page>
  /** Only where `capabilities.procedures` says so. */
  call(call: ProcedureCall, attempt: Attempt): Promise<CallReply>
  /** The fastest way into a table that there is. Gives the number of rows. */
  insert(insertion: Insertion, attempt: Attempt): Promise<number>
}

/**
 * A transaction under way, with a connection of its own. Its calls come one after another. Once the connection
 * is lost, a statement was cancelled or the server has undone it all by itself, everything but `rollback` is
 * refused, with kind `closed`: a statement must never run outside of its transaction.
 */
export interface ServerTransaction extends Executor {
  savepoint(name: string, attempt: Attempt): Promise<void>
  /** Undoes what was done since; the savepoint itself remains. */
  rollbackTo(name: string, attempt: Attempt): Promise<void>
  /** Forgets it. Nothing to do where there is no such thing (SQL Server). */
  release(name: string, attempt: Attempt): Promise<void>
  commit(attempt: Attempt): Promise<void>
  /** Undoes everything, and frees the connection. Also called after a failure, whatever it was. */
  rollback(attempt: Attempt): Promise<void>
}

/** What an adapter or the server behind it cannot do. Data: the conformance suite and the docs read it. */
export interface SqlCapabilities {
  /** `stream`: page by page, in bounded memory. */
  readonly streaming: boolean
  /** `call`. */
  readonly procedures: boolean
  /** A procedure may give several results, and not only its first. */
  readonly resultSets: boolean
  /** A procedure may have output parameters and a return value. */
  readonly outputParameters: boolean
  /** A caller who stops waiting also stops the statement at the server. */
  readonly cancel: boolean
  readonly isolation: readonly Isolation[]
  /** The most parameters of one statement. */
  readonly maxParameters: number
  /** The most values (rows times columns) of one `insert`: more are several, in one transaction. */
  readonly maxInsertValues: number
}

/** The seam that SQL adapters implement. */
export interface SqlDriver extends Driver, Executor {
  readonly dialect: Dialect
  readonly capabilities: SqlCapabilities
  /** `SELECT 1`, or the protocol's own ping, through the application's pool. */
  ping(attempt: Attempt): Promise<void>
  /** Whether the server would take writes now. */
  isWritable(attempt: Attempt): Promise<boolean>
  begin(settings: TransactionSettings, attempt: Attempt): Promise<ServerTransaction>
  /** All statements in one transaction and one round trip. Without it, the client does one after the other. */
  batch?(
    statements: readonly Statement[],
    settings: TransactionSettings,
    attempt: Attempt,
  ): Promise<readonly Reply[]>
  /** Of adapters that hold connections. */
  readonly pool?: Pool
}
