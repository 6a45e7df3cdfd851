import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { azureSdk } from '../../adapters/keyvault/azure-sdk.ts'
import { memory as memoryVault } from '../../adapters/keyvault/memory.ts'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { isWorkerd } from '../core/runtime.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { keyvaultBackend } from './keyvault.ts'
import { redisBackend } from './redis.ts'
import { type ResolveSecrets, resolve } from './secrets.ts'

export * from './index.ts'

const backends = {
  // Some bundle this for Workers, where no connection outlives its request.
  redis: redisBackend({ memory, rest, ioredis: isWorkerd ? undefined : ioredis }),
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
