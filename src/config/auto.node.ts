import { memory as memoryKafka } from '../../adapters/kafka/memory.ts'
import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { rest as restKafka } from '../../adapters/kafka/rest.ts'
import { upstash } from '../../adapters/kafka/upstash.ts'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { azureSdk } from '../../adapters/keyvault/azure-sdk.ts'
import { memory as memoryVault } from '../../adapters/keyvault/memory.ts'
import { dataApi } from '../../adapters/mongodb/data-api/optional.ts'
import { memory as memoryMongodb } from '../../adapters/mongodb/memory.ts'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'
import { gateway as gatewayScylladb } from '../../adapters/scylladb/gateway.ts'
import { gateway as gatewaySql } from '../../adapters/sql/gateway.ts'
import { memory as memorySql } from '../../adapters/sql/memory.ts'
import { mssql } from '../../adapters/sql/mssql.ts'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { planetscale } from '../../adapters/sql/planetscale.ts'
import { isWorkerd } from '../core/runtime.ts'
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
  // Some bundle this for Workers, where no connection outlives its request.
  redis: redisBackend({ memory, rest, ioredis: isWorkerd ? undefined : ioredis }),
  kafka: kafkaBackend({
    memory: memoryKafka,
    rest: restKafka,
    upstash,
    platformatic: isWorkerd ? undefined : platformatic,
  }),
  mongodb: mongodbBackend({
    memory: memoryMongodb,
    dataApi,
    mongodb: isWorkerd ? undefined : mongodb,
  }),
  mysql: mysqlBackend({
    memory: memorySql,
    planetscale,
    mysql2: isWorkerd ? undefined : mysql2,
  }),
  sqlserver: sqlserverBackend({
    memory: memorySql,
    gateway: gatewaySql,
    mssql: isWorkerd ? undefined : mssql,
  }),
  scylladb: scylladbBackend({
    gateway: gatewayScylladb,
    cassandraDriver: isWorkerd ? undefined : cassandraDriver,
  }),
  keyvault: keyvaultBackend({
    memory: memoryVault,
    azureRest,
    azureSdk: isWorkerd ? undefined : azureSdk,
  }),
}

/** With every adapter. Each loads its library on first use. */
export const createInfrastructure: CreateInfrastructure = (source, options) =>
  new Infrastructure(backends, source, options)

/** The configuration with its secrets. */
export const resolveSecrets: ResolveSecrets = (source, options) =>
  resolve(backends.keyvault, source, options)
