import { Redis as Upstash } from '@upstash/redis'
import { upstash } from '../../adapters/redis/upstash.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { conformance } from './conformance.ts'
import { gatewayOverRedis } from './gateway.ts'

const gateway = await gatewayOverRedis()
const create = (options: ClientOptions) =>
  new Redis(upstash(new Upstash({ url: gateway.url, token: gateway.token })), options)

conformance('@upstash/redis and the gateway', gateway, () => ({
  redis: create({ logger: false }),
  create,
}))
