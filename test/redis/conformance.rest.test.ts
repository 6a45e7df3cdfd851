import { rest } from '../../adapters/redis/rest.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { conformance } from './conformance.ts'
import { gatewayOverRedis } from './gateway.ts'

const gateway = await gatewayOverRedis()
const create = (options: ClientOptions) =>
  new Redis(rest({ url: gateway.url, token: gateway.token }), options)

conformance('rest and the gateway', gateway, () => ({ redis: create({ logger: false }), create }))
