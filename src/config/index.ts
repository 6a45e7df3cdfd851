export type {
  BackendDescription,
  CreateInfrastructure,
  Infrastructure,
  InfrastructureConfig,
  InfrastructureOptions,
} from './infrastructure.ts'
export { ConfigError } from './problems.ts'
export type { RedisAdapter, RedisConfig } from './redis.ts'
