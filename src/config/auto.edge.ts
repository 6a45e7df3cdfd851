import { memory as memoryKafka } from '../../adapters/kafka/memory.ts'
import { rest as restKafka } from '../../adapters/kafka/rest.ts'
import { upstash } from '../../adapters/kafka/upstash.ts'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { memory as memoryVault } from '../../adapters/keyvault/memory.ts'
import { dataApi } from '../../adapters/mongodb/data-api/optional.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { kafkaBackend } from './kafka.ts'
import { keyvaultBackend } from './keyvault.ts'
import { mongodbBackend } from './mongodb.ts'
import { redisBackend } from './redis.ts'
import { type ResolveSecrets, resolve } from './secrets.ts'

export * from './index.ts'

const backends = {
  redis: redisBackend({ memory, rest, ioredis: undefined }),
  kafka: kafkaBackend({ memory: memoryKafka, rest: restKafka, upstash, platformatic: undefined }),
  mongodb: mongodbBackend({ memory: undefined, dataApi, mongodb: undefined }),
  keyvault: keyvaultBackend({ memory: memoryVault, azureRest, azureSdk: undefined }),
}

/** With the adapters that need no TCP. */
export const createInfrastructure: CreateInfrastructure = (source, options) =>
  new Infrastructure(backends, source, options)

/** The configuration with its secrets. */
export const resolveSecrets: ResolveSecrets = (source, options) =>
  resolve(backends.keyvault, source, options)
