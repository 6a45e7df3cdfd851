/**
 * What SQL Server itself answers: its numbers, severities, states and wording, the habit of quoting the
 * value at fault included (so that a test of secrecy means something).
 *
 * https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
 */
export class SqlServerError extends Error {
  readonly number: number
  readonly state: number
  /** Severity. From 20 on the connection ends with it. */
  readonly class: number
  /** How far it reaches, with XACT_ABORT off. */
  readonly ends: Reach

  constructor(number: number, message: string, options: ErrorOptions = {}) {
    super(message)
    this.name = 'SqlServerError'
    this.number = number
    this.class = options.class ?? 16
    this.state = options.state ?? 1
    this.ends = options.ends ?? 'statement'
  }
}

/** The statement alone; the statements after it as well; the transaction with them. */
export type Reach = 'statement' | 'batch' | 'transaction'

interface ErrorOptions {
  readonly class?: number
  readonly state?: number
  readonly ends?: Reach
}

/** As it crosses from the worker. */
export interface PlainError extends ErrorOptions {
  readonly number: number
  readonly message: string
}

export function plain({ number, message, state, class: severity, ends }: SqlServerError) {
  return { number, message, state, class: severity, ends } satisfies PlainError
}

export function revive({ number, message, ...options }: PlainError): SqlServerError {
  return new SqlServerError(number, message, options)
}

// Logins -----------------------------------------------------------------------------------------

export function loginFailed(user: string): SqlServerError {
  return new SqlServerError(18456, `Login failed for user '${user}'.`, { class: 14 })
}

export function cannotOpenDatabase(name: string): SqlServerError {
  const message = `Cannot open database "${name}" requested by the login. The login failed.`
  return new SqlServerError(4060, message, { class: 11 })
}

export function noSuchDatabase(name: string): SqlServerError {
  const message = `Database '${name}' does not exist. Make sure that the name is entered correctly.`
  return new SqlServerError(911, message)
}

// Texts that cannot run --------------------------------------------------------------------------

export function syntax(near: string): SqlServerError {
  return new SqlServerError(102, `Incorrect syntax near '${near}'.`, { class: 15, ends: 'batch' })
}

export function unclosed(text: string): SqlServerError {
  const message = `Unclosed quotation mark after the character string '${text}'.`
  return new SqlServerError(105, message, { class: 15, ends: 'batch' })
}

export function undeclared(name: string): SqlServerError {
  const message = `Must declare the scalar variable "${name}".`
  return new SqlServerError(137, message, { class: 15, state: 2, ends: 'batch' })
}

export function invalidObject(name: string): SqlServerError {
  return new SqlServerError(208, `Invalid object name '${name}'.`, { ends: 'batch' })
}

export function invalidColumn(name: string): SqlServerError {
  return new SqlServerError(207, `Invalid column name '${name}'.`, { ends: 'batch' })
}

export function unbound(name: string): SqlServerError {
  const message = `The multi-part identifier "${name}" could not be bound.`
  return new SqlServerError(4104, message, { ends: 'batch' })
}

export function noSuchFunction(name: string): SqlServerError {
  const message = `'${name}' is not a recognized built-in function name.`
  return new SqlServerError(195, message, { class: 15, state: 10, ends: 'batch' })
}

export function noSuchProcedure(name: string): SqlServerError {
  return new SqlServerError(2812, `Could not find stored procedure '${name}'.`, { state: 62 })
}

export function missingParameter(procedure: string, parameter: string): SqlServerError {
  const message = `Procedure or function '${procedure}' expects parameter '@${parameter}', which was not supplied.`
  return new SqlServerError(201, message, { state: 4 })
}

export function noSuchHandle(handle: number): SqlServerError {
  const message = `Could not find prepared statement with handle ${handle}.`
  return new SqlServerError(8179, message, { state: 4 })
}

export function notPrepared(): SqlServerError {
  return new SqlServerError(8180, 'Statement(s) could not be prepared.', { ends: 'batch' })
}

export function existsAlready(name: string): SqlServerError {
  const message = `There is already an object named '${name}' in the database.`
  return new SqlServerError(2714, message, { state: 6, ends: 'batch' })
}

export function cannotDrop(kind: string, name: string): SqlServerError {
  const message = `Cannot drop the ${kind} '${name}', because it does not exist or you do not have permission.`
  return new SqlServerError(3701, message, { class: 11, state: 5 })
}

export function wrongColumnCount(): SqlServerError {
  const message = 'Column name or number of supplied values does not match table definition.'
  return new SqlServerError(213, message, { ends: 'batch' })
}

export function permissionDenied(action: string, object: string, database: string): SqlServerError {
  const message = `The ${action} permission was denied on the object '${object}', database '${database}', schema 'dbo'.`
  return new SqlServerError(229, message, { class: 14, state: 5 })
}

export function readOnlyDatabase(name: string): SqlServerError {
  const message = `Failed to update database "${name}" because the database is read-only.`
  return new SqlServerError(3906, message)
}

// Constraints ------------------------------------------------------------------------------------

export function duplicateKey(
  kind: 'PRIMARY KEY' | 'UNIQUE KEY',
  constraint: string,
  table: string,
  values: string,
): SqlServerError {
  const message =
    `Violation of ${kind} constraint '${constraint}'. Cannot insert duplicate key in object 'dbo.${table}'. ` +
    `The duplicate key value is (${values}).`
  return new SqlServerError(2627, message, { class: 14 })
}

export function duplicateInIndex(index: string, table: string, values: string): SqlServerError {
  const message =
    `Cannot insert duplicate key row in object 'dbo.${table}' with unique index '${index}'. ` +
    `The duplicate key value is (${values}).`
  return new SqlServerError(2601, message, { class: 14 })
}

export function conflict(
  verb: string,
  kind: 'CHECK' | 'FOREIGN KEY' | 'REFERENCE',
  constraint: string,
  { database, table, column }: { database: string; table: string; column?: string | undefined },
): SqlServerError {
  const where = column === undefined ? '' : `, column '${column}'`
  const message =
    `The ${verb} statement conflicted with the ${kind} constraint "${constraint}". ` +
    `The conflict occurred in database "${database}", table "dbo.${table}"${where}.`
  return new SqlServerError(547, message, { state: 0 })
}

export function nullNotAllowed(verb: string, column: string, table: string): SqlServerError {
  const message =
    `Cannot insert the value NULL into column '${column}', table '${table}'; ` +
    `column does not allow nulls. ${verb} fails.`
  return new SqlServerError(515, message, { state: 2 })
}

export function truncated(table: string, column: string, value: string): SqlServerError {
  const message = `String or binary data would be truncated in table '${table}', column '${column}'. Truncated value: '${value}'.`
  return new SqlServerError(2628, message)
}

// Conversions ------------------------------------------------------------------------------------

export function conversionFailed(from: string, value: string, to: string): SqlServerError {
  const message = `Conversion failed when converting the ${from} value '${value}' to data type ${to}.`
  return new SqlServerError(245, message, { ends: 'transaction' })
}

export function cannotConvert(from: string, to: string): SqlServerError {
  const message = `Error converting data type ${from} to ${to}.`
  return new SqlServerError(8114, message, { state: 5, ends: 'transaction' })
}

export function overflow(to: string): SqlServerError {
  const message = `Arithmetic overflow error converting expression to data type ${to}.`
  return new SqlServerError(8115, message, { state: 2 })
}

export function notADate(): SqlServerError {
  const message = 'Conversion failed when converting date and/or time from character string.'
  return new SqlServerError(241, message, { ends: 'transaction' })
}

export function notAGuid(): SqlServerError {
  const message = 'Conversion failed when converting from a character string to uniqueidentifier.'
  return new SqlServerError(8169, message, { state: 2, ends: 'transaction' })
}

// Transactions and locks -------------------------------------------------------------------------

export function noTransaction(verb: 'COMMIT' | 'ROLLBACK'): SqlServerError {
  const message = `The ${verb} TRANSACTION request has no corresponding BEGIN TRANSACTION.`
  return new SqlServerError(verb === 'COMMIT' ? 3902 : 3903, message)
}

export function noSavepoint(name: string): SqlServerError {
  const message = `Cannot roll back ${name}. No transaction or savepoint of that name was found.`
  return new SqlServerError(6401, message)
}

export function noTransactionToSave(): SqlServerError {
  const message = 'Cannot issue SAVE TRANSACTION when there is no active transaction.'
  return new SqlServerError(628, message, { state: 0 })
}

export function countMismatch(before: number, after: number): SqlServerError {
  const message =
    'Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. ' +
    `Previous count = ${before}, current count = ${after}.`
  return new SqlServerError(266, message, { state: 2 })
}

export function deadlock(spid = 51): SqlServerError {
  const message =
    `Transaction (Process ID ${spid}) was deadlocked on lock resources with another process ` +
    'and has been chosen as the deadlock victim. Rerun the transaction.'
  return new SqlServerError(1205, message, { class: 13, state: 51, ends: 'transaction' })
}

export function updateConflict(table: string, database: string): SqlServerError {
  const message =
    'Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to ' +
    `access table 'dbo.${table}' directly or indirectly in database '${database}' to update, delete, or insert ` +
    'the row that has been modified or deleted by another transaction. Retry the transaction or change the ' +
    'isolation level for the update/delete statement.'
  return new SqlServerError(3960, message, { state: 2, ends: 'transaction' })
}

export function lockTimeout(): SqlServerError {
  return new SqlServerError(1222, 'Lock request time out period exceeded.', { state: 45 })
}

export function noSuchProcess(spid: number): SqlServerError {
  return new SqlServerError(6106, `Process ID ${spid} is not an active process ID.`)
}
