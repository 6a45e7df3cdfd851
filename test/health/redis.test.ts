import { Hono } from 'hono'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { HealthChecker, type HealthCheckerOptions } from '../../src/health/index.ts'
import { healthRouter } from '../../src/health/router.ts'
import { Redis } from '../../src/redis/index.ts'
import { engine, needs } from '../engines/index.ts'
import { type RedisProcess, startRedis } from '../engines/redis.ts'
import { serveHttp } from './http.ts'

const server = await engine('redis-process')
let app = new Hono()
const url = await serveHttp((request) => app.fetch(request))

const token = 'token-of-the-tests'
const authorised = { headers: { authorization: `Bearer ${token}` } }

/** An application whose health is that of a Redis. */
function serve(
  { url }: Pick<RedisProcess, 'url'>,
  options: HealthCheckerOptions = {},
): HealthChecker {
  const redis = new Redis(ioredis({ url }), { logger: false, drainTimeoutMs: 100 })
  onTestFinished(() => redis.close())
  const checker = new HealthChecker({ logger: false, ttlMs: 0, ...options })
  checker.register('redis', redis, { componentType: 'datastore' })
  app = new Hono().route('/health', healthRouter(checker, { token }))
  return checker
}

async function status(path = '/health'): Promise<number> {
  const response = await fetch(url + path)
  await response.arrayBuffer()
  return response.status
}

async function pings(): Promise<number> {
  const info = String(await server.command('INFO', 'commandstats'))
  return Number(/cmdstat_ping:calls=(\d+)/.exec(info)?.[1] ?? 0)
}

async function connectionsReceived(): Promise<number> {
  const info = String(await server.command('INFO', 'stats'))
  return Number(/total_connections_received:(\d+)/.exec(info)?.[1])
}

describe('the health of a real Redis', needs(server), () => {
  test('killed and back during probes: 503, then 200, without a restart', async () => {
    let redis = await startRedis()
    onTestFinished(() => redis.stop())
    const checker = serve(redis)
    await checker.verifyStartup({ timeoutMs: 10_000 })
    expect(await status()).toBe(200)

    const seen = new Set<number>()
    let over = false
    const probing = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!over) seen.add(await status())
      }),
    )
    try {
      await redis.stop()
      await vi.waitFor(async () => expect(await status()).toBe(503), 5000)
      const body = await (await fetch(`${url}/health?format=map`, authorised)).json()
      expect(body).toMatchObject({ redis: { status: 'unhealthy', error: 'REDIS_UNAVAILABLE' } })
      expect(await status('/health/live')).toBe(200)

      redis = await startRedis({ port: redis.port })
      await vi.waitFor(async () => expect(await status()).toBe(200), 5000)
    } finally {
      over = true
      await probing
    }
    expect(seen).toEqual(new Set([200, 503]))
  })

  test('paused: the answer comes in time, and is 200 once it goes on', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    serve(redis, { timeoutMs: 200 })
    expect(await status()).toBe(200)
    redis.pause()
    const body = await (await fetch(`${url}/health/ready?format=map`, authorised)).json()
    expect(body).toMatchObject({ redis: { status: 'unhealthy', error: 'HEALTH_TIMEOUT' } })
    redis.resume()
    await vi.waitFor(async () => expect(await status()).toBe(200), 5000)
  })

  test('1,000 probes take no connection but the one that the client has', async () => {
    const checker = serve(server)
    await checker.check()
    const clients = String(await server.command('CLIENT', 'LIST')).split('\n').length
    const before = await pings()
    const connections = await connectionsReceived()
    for (let i = 0; i < 1000; i++) expect(await checker.isHealthy()).toBe(true)
    // One more: that of this question itself.
    expect((await connectionsReceived()) - connections).toBe(1)
    expect((await pings()) - before).toBe(1000)
    expect(String(await server.command('CLIENT', 'LIST')).split('\n')).toHaveLength(clients)
  })

  test('1,000 requests at once are one PING within the TTL', async () => {
    serve(server, { ttlMs: 60_000 })
    const before = await pings()
    const codes = await Promise.all(Array.from({ length: 1000 }, () => status('/health/ready')))
    expect(new Set(codes)).toEqual(new Set([200]))
    expect((await pings()) - before).toBe(1)
  })

  test('a Redis that is not there at startup is named', async () => {
    const redis = await startRedis()
    await redis.stop()
    const checker = serve(redis)
    await expect(checker.verifyStartup({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'HEALTH_UNAVAILABLE',
      message: expect.stringContaining('redis (REDIS_UNAVAILABLE)'),
    })
    const again = await startRedis({ port: redis.port })
    onTestFinished(() => again.stop())
    await checker.verifyStartup({ timeoutMs: 10_000 })
  })
})
