import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { type CreateInfrastructure, Infrastructure } from './infrastructure.ts'
import { redisBackend } from './redis.ts'

export * from './index.ts'

const backends = {
  redis: redisBackend({ memory, rest, ioredis: undefined }),
}

/** With the adapters that need no TCP. */
export const createInfrastructure: CreateInfrastructure = (source, options) =>
  new Infrastructure(backends, source, options)
