import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { startWorker } from '../edge/worker.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { serveHttp } from '../health/http.ts'

/** What wrangler.toml deploys. */
const deployed = new URL('../../src/runtimes/worker.ts', import.meta.url)
const server = await engine('redis-process')

/** A Redis over HTTP, and the correlation IDs of the requests for it. */
async function overHttp(url: string) {
  const token = 'token-1'
  const redis = new Redis(ioredis({ url }), { logger: false, retry: false, drainTimeoutMs: 100 })
  afterAll(() => redis.close())
  const gateway = createGateway({ token, redis, logger: false })
  const correlationIds: (string | null)[] = []
  const base = await serveHttp((request) => {
    correlationIds.push(request.headers.get('x-correlation-id'))
    return gateway.fetch(request)
  })
  return { correlationIds, bindings: { REDIS_URL: `${base}/redis`, REDIS_TOKEN: token } }
}

async function pings(): Promise<number> {
  const info = String(await server.command('INFO', 'commandstats'))
  return Number(/cmdstat_ping:calls=(\d+)/.exec(info)?.[1] ?? 0)
}

describe('the Worker that is deployed, over a real Redis', needs(server), async () => {
  if (server.missing !== undefined) return
  const { bindings } = await overHttp(server.url)
  const worker = await startWorker(deployed, { ...bindings, HEALTH_TOKEN: 'token-2' })

  test('strangers see the status, the token shows the checks, and there is nothing else', async () => {
    const response = await fetch(new URL('/health', worker.url))
    expect(response.headers.get('content-type')).toBe('application/health+json')
    expect(await response.json()).toEqual({ status: 'pass' })
    const headers = { authorization: 'Bearer token-2' }
    const shown = await fetch(new URL('/health?format=map', worker.url), { headers })
    expect(await shown.json()).toMatchObject({ redis: { status: 'healthy' } })
    expect((await fetch(worker.url)).status).toBe(404)
  })

  test('one infrastructure serves all requests; a Cron Trigger refreshes its results', async () => {
    const before = await pings()
    for (let i = 0; i < 50; i++) await (await fetch(new URL('/health', worker.url))).text()
    const asked = (await pings()) - before
    expect(asked).toBeLessThan(25)
    expect(await worker.scheduled()).toBe('ok')
    expect(await pings()).toBe(before + asked + 1)
  })

  describe('that dies', async () => {
    let redis = await startRedis()
    afterAll(() => redis.stop())
    const { bindings } = await overHttp(redis.url)
    const worker = await startWorker(deployed, bindings, { log: [] })
    const status = async (path = '/health') => (await fetch(new URL(path, worker.url))).status

    test('503, and 200 as soon as it is back', async () => {
      expect(await status()).toBe(200)
      await redis.stop()
      await vi.waitFor(async () => expect(await status()).toBe(503), 10_000)
      expect(await status('/health/live')).toBe(200)
      redis = await startRedis({ port: redis.port })
      await vi.waitFor(async () => expect(await status()).toBe(200), 10_000)
    })
  })
})

describe('a Worker of a user, over a real Redis', needs(server), async () => {
  if (server.missing !== undefined) return
  const { bindings, correlationIds } = await overHttp(server.url)
  const log: string[] = []
  const worker = await startWorker(new URL('./user.worker.ts', import.meta.url), bindings, { log })

  test('what it does carries the correlation ID of the request; a malformed one is dropped', async () => {
    for (const id of ['request-1', 'request 2', undefined]) {
      await fetch(new URL(`/${randomUUID()}`, worker.url), {
        headers: id === undefined ? {} : { 'x-correlation-id': id },
      })
    }
    await vi.waitFor(() => expect(correlationIds.length).toBeGreaterThanOrEqual(6))
    expect(new Set(correlationIds)).toEqual(new Set(['request-1', null]))
  })

  test('1,000 requests, some of whose callers leave: every other one is answered', {
    timeout: 60_000,
  }, async () => {
    const key = `/${randomUUID()}`
    const counts = new Set<number>()
    let left = 0
    const answered: number[] = []

    async function request(i: number): Promise<void> {
      const leaves = i % 10 === 0
      const abort = new AbortController()
      if (leaves) setTimeout(() => abort.abort(), i % 7)
      const isHealth = i % 3 === 0
      try {
        const url = new URL(isHealth ? '/health' : key, worker.url)
        const response = await fetch(url, { signal: abort.signal })
        const body = (await response.json()) as { count?: number }
        // Health has 800 ms, which a busy machine may not give it: it is answered all the same.
        if (isHealth) answered.push(response.status)
        else expect(response.status, JSON.stringify(body)).toBe(200)
        if (!isHealth) counts.add(body.count!)
      } catch (error) {
        if (!leaves || (error as Error).name !== 'AbortError') throw error
        left++
      }
    }

    let next = 0
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        while (next < 1000) await request(next++)
      }),
    )
    expect(left).toBeGreaterThan(0)
    // No reply went to two requests, or to none.
    expect(counts.size + answered.length + left).toBe(1000)
    expect(answered).toContain(200)
    expect(answered.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(Number(await server.command('GET', key))).toBeGreaterThanOrEqual(counts.size)
    if (!answered.includes(503)) expect(log).toEqual([])
    await vi.waitFor(async () => {
      const later = Number(await server.command('GET', `${key}:later`))
      expect(later).toBeGreaterThanOrEqual(counts.size)
    })
  })
})

describe.each([
  ['REDIS_URL', { REDIS_URL: 'redis://:secret-1@127.0.0.1' }],
  ['REDIS_URL', { REDIS_URL: 'https://user:secret-1@example.com', REDIS_TOKEN: 'secret-1' }],
  ['REDIS_TOKEN', { REDIS_URL: 'https://secret-1.example' }],
  ['token', { HEALTH_TOKEN: 'secret-1 secret-1' }],
])('a Worker whose %s is wrong: %j', async (name, bindings) => {
  const log: string[] = []
  const worker = await startWorker(deployed, bindings, { log })

  test('says so in its log, once, and answers 500', async () => {
    for (const path of ['/health', '/health/live', '/']) {
      const response = await fetch(new URL(path, worker.url))
      expect(response.status).toBe(500)
      expect(await response.json()).toEqual({ error: expect.stringMatching(/_CONFIG$/) })
    }
    await vi.waitFor(() => expect(log).toHaveLength(1))
    expect(log[0]).toMatch(new RegExp(`"msg":"start_failed".*\\b${name}\\b`))
    expect(await worker.scheduled()).toBe('exception')
    expect(log.join()).not.toContain('secret-1')
  })
})

describe('a Worker without nodejs_compat', async () => {
  const log: string[] = []
  const worker = await startWorker(deployed, {}, { flags: [], log })

  test('names the flag in its log, and answers 500', async () => {
    expect((await fetch(new URL('/health', worker.url))).status).toBe(500)
    await vi.waitFor(() => expect(log.join()).toContain('nodejs_compat'))
  })
})
