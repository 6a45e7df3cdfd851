import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Redis as Upstash } from '@upstash/redis'
import { Redis as Ioredis } from 'ioredis'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { type Figure, inTurns, timed } from './figure.ts'

const key = 'bench'
const value = 'v'.repeat(100)

export const figures: Figure[] = [
  {
    ...tcp('redis.get.tcp.c100', { enableAutoPipelining: true }),
    bare: 'ioredis, auto-pipelining',
    target: 1.1,
  },
  { ...tcp('redis.get.tcp.c100.default', {}), bare: 'ioredis, defaults', target: 1.8 },
  http('redis.get.http.seq', 1, 300),
  http('redis.get.http.c16', 16, 3200),
  http('redis.get.http.c100', 100, 10_000),
  {
    name: 'redis.http.tick50',
    bare: '@upstash/redis',
    unit: 'requests',
    comparison: 'total',
    target: 1,
    async measure() {
      await using server = await countingGateway()
      const { url, token } = server
      await using redis = new Redis(rest({ url, token }))
      const upstash = new Upstash({ url, token })
      const tick = (get: () => Promise<unknown>) => Promise.all(Array.from({ length: 50 }, get))
      return await inTurns(
        1,
        () => server.count(() => tick(() => redis.get(key))),
        () => server.count(() => tick(() => upstash.get(key))),
      )
    },
  },
]

function tcp(name: string, options: { enableAutoPipelining?: boolean }): Figure {
  return {
    name,
    bare: 'ioredis',
    unit: 'us',
    comparison: 'ratio',
    async measure(stage) {
      const { url } = await stage.redis()
      await using redis = new Redis(ioredis({ url }))
      const bare = new Ioredis(url, options)
      try {
        await redis.set(key, value)
        await expectValue(redis.get(key))
        await expectValue(bare.get(key))
        return await inTurns(
          25,
          () => timed(20_000, 100, () => redis.get(key)),
          () => timed(20_000, 100, () => bare.get(key)),
        )
      } finally {
        bare.disconnect()
      }
    },
  }
}

function http(name: string, concurrency: number, operations: number): Figure {
  return {
    name,
    bare: '@upstash/redis',
    unit: 'us',
    comparison: 'ratio',
    target: 1,
    async measure(stage) {
      const { url, token } = await stage.gateway()
      await using redis = new Redis(rest({ url, token }))
      const bare = new Upstash({ url, token })
      await redis.set(key, value)
      await expectValue(redis.get(key))
      await expectValue(bare.get(key))
      return await inTurns(
        25,
        () => timed(operations, concurrency, () => redis.get(key)),
        () => timed(operations, concurrency, () => bare.get(key)),
      )
    },
  }
}

/** What answers is what is meant to be measured. */
async function expectValue(reply: Promise<unknown>): Promise<void> {
  if ((await reply) !== value) throw new Error('the reply is not the value')
}

async function countingGateway() {
  const token = 'token-of-the-benchmarks'
  const redis = new Redis(memory())
  const gateway = createGateway({ token, redis })
  let requests = 0
  const server = createAdaptorServer({
    fetch(request) {
      requests++
      return gateway.fetch(request)
    },
  }) as Server
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/redis`,
    token,
    /** How many requests arrive meanwhile. */
    async count(work: () => Promise<unknown>): Promise<number> {
      requests = 0
      await work()
      return requests
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
      await redis.close()
    },
  }
}
