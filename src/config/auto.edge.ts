import { memory as memoryKafka } from '../../adapters/kafka/memory.ts'
import { rest as restKafka } from '../../adapters/kafka/rest.ts'
import { upstash } from '../../adapters/kafka/upstash.ts'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { memory as memoryVault } from '../../adapters/keyvault/memory.ts'
import { dataApi } from '../../adapters/mongodb/data-api/optional.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { gateway as gatewayScylladb } from '../../adapters/scylladb/gateway.ts'
import { gateway as gatewaySql } from '../../adapters/sql/gateway.ts'
import { planetscale } from '../../adapters/sql/planetscale.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { kafkaBackend } from './kafka.ts'
import { keyvaultBackend } from './keyvault.ts'
import { mongodbBackend } from './mongodb.ts'
import { mysqlBackend } from './mysql.ts'
import { redisBackend } from './redis.ts'
import { scylladbBackend } from './scylladb.ts'
import { type ResolveSecrets, resolve } from './secrets.ts'
import { sqlserverBackend } from './sqlserver.ts'

export * from './index.ts'

const backends = {
  redis: redisBackend({ memory, rest, ioredis: undefined }),
  kafka: kafkaBackend({ memory: memoryKafka, rest: restKafka, upstash, platformatic: undefined }),
  mongodb: mongodbBackend({ memory: undefined, dataApi, mongodb: undefined }),
  mysql: mysqlBackend({ memory: undefined, planetscale, mysql2: undefined }),
  sqlserver: sqlserverBackend({ memory: undefined, gateway: gatewaySql, mssql: undefined }),
  scylladb: scylladbBackend({ gateway: gatewayScylladb, cassandraDriver: undefined }),
  keyvault: keyvaultBackend({ memory: memoryVault, azureRest, azureSdk: undefined }),
}

/** With the adapters that need no TCP. */
export const createInfrastructure: CreateInfrastructure = (source, options) =>
  new Infrastructure(backends, source, options)

/** The configuration with its secrets. */
export const resolveSecrets: ResolveSecrets = (source, options) =>
  resolve(backends.keyvault, source, options)
