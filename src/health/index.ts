export {
  type CheckOptions,
  HealthChecker,
  type HealthCheckerOptions,
  type HealthOptions,
  type HealthReport,
  type HealthSource,
} from './checker.ts'
export { type HealthHandler, type HealthHandlerOptions, healthHandler } from './handler.ts'
export type { Check, CheckContext } from './probe.ts'
export type { CheckResult, HealthGroup, HealthLevel, HealthStatus } from './registered.ts'
