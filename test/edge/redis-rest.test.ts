import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { rest } from '../../adapters/redis/rest.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { needs } from '../engines/index.ts'
import { conformance } from '../redis/conformance.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'
import { startWorker } from './worker.ts'

const gateway = await gatewayOverRedis()
const worker =
  gateway.missing === undefined
    ? await startWorker(new URL('./redis-suite.worker.ts', import.meta.url), {
        REDIS_URL: gateway.url,
        REDIS_TOKEN: gateway.token,
      })
    : undefined!

const create = (options: ClientOptions) =>
  new Redis(rest({ url: gateway.url, token: gateway.token }), options)

conformance(
  'rest inside workerd',
  gateway,
  () => ({ redis: create({ logger: false }), create }),
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)

test('1,000 requests share a module-level client, and some of their callers leave', {
  ...needs(gateway),
  timeout: 60_000,
}, async () => {
  const requests = 1000
  const run = randomUUID()
  const counts = new Set<number>()
  let left = 0

  async function request(i: number): Promise<void> {
    const key = `${run}:${i}`
    const leaves = i % 10 === 0
    const abort = new AbortController()
    if (leaves) setTimeout(() => abort.abort(), i % 7)
    try {
      const response = await fetch(new URL(`/load?key=${key}`, worker.url), {
        signal: abort.signal,
      })
      const { count, ...rest } = (await response.json()) as { count: number }
      expect(rest).toEqual({
        set: true,
        get: key,
        pipeline: [key.length + 1, `${key}!`, 1],
      })
      counts.add(count)
    } catch (error) {
      if (!leaves || (error as Error).name !== 'AbortError') throw error
      left++
    }
  }

  let next = 0
  const callers = Array.from({ length: 40 }, async () => {
    while (next < requests) await request(next++)
  })
  await Promise.all(callers)

  expect(left).toBeGreaterThan(0)
  expect(counts.size + left).toBe(requests)
  const redis = create({ logger: false })
  const count = Number(await redis.getDel(`${run}:count`))
  expect(count).toBeGreaterThanOrEqual(counts.size)
  expect(count).toBeLessThanOrEqual(requests)
  await redis.close()
})
