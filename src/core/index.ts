export { detachedAttempt, stepOf } from './attempt.ts'
export { Client } from './client.ts'
export { type Context, currentContext, withContext } from './context.ts'
export { type Attempt, type Driver, DriverFailure } from './driver.ts'
export {
  codeOf,
  type ErrorKind,
  type Failure,
  InfraError,
  type ItemResult,
  isInfraError,
  type Outcome,
  passing,
} from './errors.ts'
export { summarise } from './items.ts'
export { known } from './options.ts'
export {
  type CallOptions,
  CallPipeline,
  type ClientOptions,
  type MetricNames,
  type Operation,
} from './pipeline.ts'
export { type Pool, type PoolFigures, watchPool } from './pool.ts'
export type { BreakerOptions, RetryOptions } from './resilience.ts'
export {
  type Instrument,
  jsonLogger,
  type Labels,
  type Logger,
  type MetricsSink,
  type OperationRecord,
  type Span,
  type Tracer,
} from './telemetry.ts'
