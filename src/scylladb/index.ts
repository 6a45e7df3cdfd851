export {
  type ExecuteOptions,
  type HealthOptions,
  type Page,
  type PageOptions,
  ScyllaDB,
  type ScyllaOptions,
} from './client.ts'
export {
  type BatchType,
  type Consistency,
  type CqlBatch,
  type CqlCapabilities,
  type CqlColumn,
  type CqlReply,
  type CqlRequest,
  type CqlSettings,
  type CqlStatement,
  type CqlValue,
  consistencies,
  type Hosts,
  type Notice,
  type ScyllaDriver,
  type SerialConsistency,
} from './driver.ts'
export { type CqlErrorLike, classifyCqlError } from './errors.ts'
export type { BatchOptions, BatchStatement, Parameters, StatementOptions } from './request.ts'
export type { Result, Row } from './rows.ts'
export type { RowStream } from './stream.ts'
export { type RangeOptions, TimeSeries, type TimeSeriesOptions } from './timeseries.ts'
export { type Reading, read, type StatementKind } from './tokens.ts'
export {
  type Decimal,
  type Duration,
  formatDate,
  formatDecimal,
  formatDuration,
  formatTime,
  parseDate,
  parseDecimal,
  parseDuration,
  parseTime,
} from './values.ts'
