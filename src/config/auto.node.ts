import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { isWorkerd } from '../core/runtime.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { redisBackend } from './redis.ts'

export * from './index.ts'

const backends = {
  // Some bundle this for Workers, where no connection outlives its request.
  redis: redisBackend({ memory, rest, ioredis: isWorkerd ? undefined : ioredis }),
}

/** With every adapter. Each loads its library on first use. */
export const createInfrastructure: CreateInfrastructure = (source, options) =>
  new Infrastructure(backends, source, options)
