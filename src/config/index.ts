export type {
  BackendDescription,
  CreateInfrastructure,
  Infrastructure,
  InfrastructureConfig,
  InfrastructureOptions,
} from './infrastructure.ts'
export type { KafkaAdapter, KafkaConfig } from './kafka.ts'
export type { KeyVaultAdapter, KeyVaultConfig } from './keyvault.ts'
export type { MongodbAdapter, MongodbConfig } from './mongodb.ts'
export type { MysqlAdapter, MysqlConfig } from './mysql.ts'
export { ConfigError } from './problems.ts'
export type { RedisAdapter, RedisConfig } from './redis.ts'
export type { ScylladbAdapter, ScylladbConfig } from './scylladb.ts'
export type { ResolveSecrets } from './secrets.ts'
export type { SqlServerAdapter, SqlServerConfig } from './sqlserver.ts'
