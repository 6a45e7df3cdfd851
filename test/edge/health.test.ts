import { expect, test } from 'vitest'
import type { CheckResult } from '../../src/health/index.ts'
import { needs } from '../engines/index.ts'
import { suite } from '../health/suite.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'
import { startWorker } from './worker.ts'

const gateway = await gatewayOverRedis()
const worker = await startWorker(new URL('./health.worker.ts', import.meta.url), {
  REDIS_URL: gateway.url,
  REDIS_TOKEN: gateway.token,
})

suite(
  'inside workerd',
  {
    capabilities: { sharedProbes: false, abort: true },
    url: '',
    serve: () => () => Response.error(),
  },
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)

test('1,000 requests share a module-level checker and client, and some of their callers leave', {
  ...needs(gateway),
  timeout: 60_000,
}, async () => {
  const requests = 1000
  /** The checker's deadline. Whatever hangs in workerd hangs until then, and shows as a timeout. */
  const timeoutMs = 3000
  let answered = 0
  let left = 0
  let slowest = 0

  async function request(i: number): Promise<void> {
    const leaves = i % 10 === 0
    const abort = new AbortController()
    if (leaves) setTimeout(() => abort.abort(), i % 70)
    const startedAt = performance.now()
    try {
      const response = await fetch(new URL('/health/ready?format=map', worker.url), {
        signal: abort.signal,
      })
      const results = (await response.json()) as Record<string, CheckResult>
      slowest = Math.max(slowest, performance.now() - startedAt)
      expect(response.status, JSON.stringify(results)).toBe(200)
      expect(results).toMatchObject({
        redis: { status: 'healthy' },
        hanging: { status: 'degraded', error: 'HEALTH_TIMEOUT' },
        timer: { status: 'healthy' },
      })
      answered++
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
  expect(answered + left).toBe(requests)
  expect(slowest).toBeLessThan(timeoutMs)
})
