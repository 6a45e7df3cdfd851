import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { engine } from '../engines/index.ts'

/**
 * Serves a real Redis over HTTP for one test file; `missing` says why it cannot. `UPSTASH_REDIS_REST_URL`
 * and `_TOKEN` name another server of the protocol to run the same tests against.
 */
export async function gatewayOverRedis(): Promise<{
  readonly url: string
  readonly token: string
  readonly missing?: string
}> {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = process.env
  if (UPSTASH_REDIS_REST_URL && UPSTASH_REDIS_REST_TOKEN) {
    return { url: UPSTASH_REDIS_REST_URL, token: UPSTASH_REDIS_REST_TOKEN }
  }
  const server = await engine('redis')
  const token = 'token-of-the-tests'
  if (server.missing !== undefined) return { url: '', token, missing: server.missing }
  const redis = new Redis(ioredis({ url: server.url }), { logger: false, retry: false })
  const gateway = createGateway({ token, redis, logger: false })
  const http = createAdaptorServer({ fetch: gateway.fetch }) as Server
  await once(http.listen(0, '127.0.0.1'), 'listening')
  afterAll(async () => {
    gateway.close()
    http.closeAllConnections()
    await once(http.close(), 'close')
    await redis.close()
  })
  const { port } = http.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/redis`, token }
}
