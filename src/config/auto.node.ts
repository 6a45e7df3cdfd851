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
import { isWorkerd } from '../core/runtime.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { kafkaBackend } from './kafka.ts'
import { keyvaultBackend } from './keyvault.ts'
import { mongodbBackend } from './mongodb.ts'
import { redisBackend } from './redis.ts'
import { type ResolveSecrets, resolve } from './secrets.ts'

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
