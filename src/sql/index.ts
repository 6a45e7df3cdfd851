export {
  type BatchOptions,
  type HealthOptions,
  Sql,
  type TransactionOptions,
} from './client.ts'
export type {
  CallReply,
  Dialect,
  Executor,
  Insertion,
  Isolation,
  Page,
  Parameter,
  ParameterType,
  ProcedureCall,
  Reply,
  ServerCursor,
  ServerTransaction,
  SqlCapabilities,
  SqlDriver,
  Statement,
  StatementKind,
  TransactionSettings,
} from './driver.ts'
export { classifyMysql, type MysqlErrorLike } from './mysql-errors.ts'
export type {
  BatchResult,
  BulkInsertOptions,
  CallResult,
  ExecuteResult,
  OutputParameter,
  StreamOptions,
} from './queries.ts'
export type { Row } from './rows.ts'
export type { StatementOptions } from './scope.ts'
export { classifySqlite, type SqliteErrorLike } from './sqlite-errors.ts'
export { classifySqlServer, type SqlServerErrorLike } from './sqlserver-errors.ts'
export type { Fragment, Insert, RawStatement } from './statement.ts'
export type { RowStream } from './stream.ts'
export type { Transaction } from './transaction.ts'
export { parameterOf, type SqlValue, TypedParameter } from './values.ts'
