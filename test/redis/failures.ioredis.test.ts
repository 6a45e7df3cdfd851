import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConsecutiveBreaker } from 'cockatiel'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type IoredisOptions, ioredis } from '../../adapters/redis/ioredis.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import type { Redis } from '../../src/redis/index.ts'
import { type ChaosProxy, type Mode, startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { client, failure, freshKey } from './failures.ts'

const server = await engine('redis-process')
const timeoutMs = 200

/** A client whose connections go through a proxy, to the server of all tests unless a port is given. */
async function through(
  options: IoredisOptions = {},
  clientOptions: ClientOptions = {},
): Promise<{ proxy: ChaosProxy; redis: Redis }> {
  const proxy = await startProxy(options.port ?? server.port)
  onTestFinished(() => proxy.close())
  const redis = client(ioredis({ ...options, port: proxy.port }), clientOptions)
  return { proxy, redis }
}

const secured = async () => {
  const process = await startRedis({ password: 'right' })
  onTestFinished(() => process.stop())
  return process
}

const times = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))

interface Fault {
  readonly mode: Mode
  readonly kind: string
  readonly outcome: string
  /** What the server's counter may be after an INCR that failed so. */
  readonly applied: readonly (string | null)[]
}

const faults: Record<string, Fault> = {
  'a server that accepts and never answers': {
    mode: 'blackhole',
    kind: 'timeout',
    outcome: 'unknown',
    // What was held back arrives when the line is free again.
    applied: [null, '1'],
  },
  'a server that drips': {
    mode: { dripBytes: 1, everyMs: 200 },
    kind: 'timeout',
    outcome: 'unknown',
    applied: ['1'],
  },
  'a reset when the request comes': {
    mode: 'reset',
    kind: 'unavailable',
    outcome: 'unknown',
    applied: [null],
  },
  'a cut before the reply': {
    mode: 'cut',
    kind: 'unavailable',
    outcome: 'unknown',
    applied: ['1'],
  },
  'a reply that is garbage': {
    mode: 'garbage',
    kind: 'internal',
    outcome: 'unknown',
    applied: [null],
  },
}

describe('ioredis', needs(server), () => {
  describe.each(Object.entries(faults))('%s', (_, { mode, kind, outcome, applied }) => {
    const expected = { kind, code: `REDIS_${kind.toUpperCase()}` }
    const timeoutMs = kind === 'timeout' ? 200 : 5000

    test.each(['on a new connection', 'on one that works'])('%s', async (which) => {
      const { proxy, redis } = await through()
      const key = freshKey()
      if (which === 'on one that works') await redis.health()
      await proxy.setMode(mode)
      const error = await failure(() => redis.incrBy(key, 1, { timeoutMs }), timeoutMs)
      expect(error).toMatchObject({ ...expected, outcome })
      expect(await failure(() => redis.get(key, { timeoutMs }), timeoutMs)).toMatchObject({
        ...expected,
        outcome: 'not-applied',
      })
      await proxy.setMode('pass')
      expect(await redis.set(`${key}:next`, 'works')).toBe(true)
      expect(applied).toContain(await server.command('GET', key))
    })

    test('a pipeline, a transaction and a subscription', async () => {
      const { proxy, redis } = await through()
      const key = freshKey()
      await proxy.setMode(mode)
      const calls = {
        pipeline: () => redis.pipeline().incrBy(key).get(key).exec({ timeoutMs }),
        transaction: () => redis.transaction().incrBy(key).get(key).exec({ timeoutMs }),
        blocking: () => redis.command(['BLPOP', key, 1], { timeoutMs }),
      }
      for (const [name, call] of Object.entries(calls)) {
        expect(await failure(call, timeoutMs), name).toMatchObject({ ...expected, outcome })
      }
      expect(
        await failure(() => redis.subscribe(key, { timeoutMs }), timeoutMs),
        'subscribe',
      ).toMatchObject(expected)
      await proxy.setMode('pass')
      expect(await redis.pipeline().get(freshKey()).exec()).toEqual([null])
    })
  })

  test('a server that is down', async () => {
    const { proxy, redis } = await through()
    const down = { code: 'REDIS_UNAVAILABLE', outcome: 'not-applied', retryable: true }
    const key = freshKey()
    await redis.health()
    const native = (await redis.native()) as { status: string }
    await proxy.setMode('refuse')
    await vi.waitFor(() => expect(native.status).toBe('end'))
    const calls = {
      incr: () => redis.incrBy(key),
      get: () => redis.get(key),
      pipeline: () => redis.pipeline().incrBy(key).exec(),
      transaction: () => redis.transaction().incrBy(key).exec(),
      blocking: () => redis.command(['BLPOP', key, 1]),
      subscribe: () => redis.subscribe(key),
      health: () => redis.health(),
    }
    for (const [name, call] of Object.entries(calls)) {
      expect(await failure(call, 1000), name).toMatchObject(down)
    }
    await proxy.setMode('pass')
    expect(await redis.incrBy(key)).toBe(1)
  })

  test('a server that drips in time is but slow', async () => {
    const { proxy, redis } = await through()
    await proxy.setMode({ dripBytes: 7 })
    const value = 'x'.repeat(500)
    const key = freshKey()
    expect(await Promise.all([redis.set(key, value), redis.get(key)])).toEqual([true, value])
  })

  test.each<IoredisOptions>([
    { password: 'wrong' },
    {},
    { username: 'nobody', password: 'right' },
  ])('credentials that are refused: %o', async (credentials) => {
    const { port, command } = await secured()
    const { redis } = await through({ port, ...credentials })
    const refused = { code: 'REDIS_UNAUTHENTICATED', outcome: 'not-applied', retryable: false }
    const key = freshKey()
    expect(await failure(() => redis.incrBy(key), 1000)).toMatchObject(refused)
    expect(await failure(() => redis.subscribe(key), 1000)).toMatchObject(refused)
    expect(await failure(() => redis.health(), 1000)).toMatchObject(refused)
    expect(await failure(() => redis.command(['BLPOP', key, 1]), 2000)).toMatchObject(refused)
    expect(await command('EXISTS', key)).toBe(0)
  })

  test('a database that does not exist: nothing is written to another one', async () => {
    const { redis } = await through({ db: 99 })
    const key = freshKey()
    expect(await failure(() => redis.set(key, 'v'), 1000)).toMatchObject({
      code: 'REDIS_INVALID',
      outcome: 'not-applied',
    })
    expect(await server.command('EXISTS', key)).toBe(0)
  })

  describe('nothing is sent twice', () => {
    test('a read whose connection is cut is repeated, and nobody notices', async () => {
      const { proxy, redis } = await through()
      const key = freshKey()
      await redis.set(key, 'v')
      await proxy.setMode('cut')
      proxy.once('connection', () => void proxy.setMode('pass'))
      expect(await redis.get(key)).toBe('v')
      expect(proxy.connections).toBe(2)
    })

    test('50 writes in flight on a cut connection: each applied once, each of unknown fate', async () => {
      const { proxy, redis } = await through()
      const keys = times(50, freshKey)
      await redis.health()
      await proxy.setMode('cut')
      proxy.once('connection', () => void proxy.setMode('pass'))
      const errors = await Promise.all(
        keys.map((key) => failure(() => redis.incrBy(key, 1, { timeoutMs: 5000 }), 1000)),
      )
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
      }
      expect(await redis.mget(keys)).toEqual(keys.map(() => '1'))
    })

    test.each([
      'fin',
      'rst',
    ] as const)('calls in flight settle at once when their connection is cut (%s)', async (how) => {
      const { proxy, redis } = await through({}, { retry: false })
      await redis.health()
      await proxy.setMode('blackhole')
      const sent = once(proxy, 'request')
      const settled = times(50, (i) =>
        failure(() => (i % 2 === 0 ? redis.incrBy(freshKey()) : redis.get(freshKey())), 1000),
      )
      await sent
      proxy.disconnect(how)
      for (const [i, error] of (await Promise.all(settled)).entries()) {
        expect(error).toMatchObject({
          code: 'REDIS_UNAVAILABLE',
          outcome: i % 2 === 0 ? 'unknown' : 'not-applied',
        })
      }
    })

    test('what was given up while the connection was opening is never applied', async () => {
      const { port, command } = await secured()
      const { proxy, redis } = await through({ port, password: 'right' })
      const keys = times(5, freshKey)
      await proxy.setMode('blackhole')
      const abort = new AbortController()
      const [a, b, c, d, e] = keys as [string, string, string, string, string]
      const lasting = redis.set(e, 'v')
      const given = [
        failure(() => redis.set(a, 'v', { timeoutMs }), timeoutMs),
        failure(() => redis.pipeline().set(b, 'v').exec({ timeoutMs }), timeoutMs),
        failure(() => redis.transaction().set(c, 'v').exec({ timeoutMs }), timeoutMs),
        failure(() => redis.set(d, 'v', { signal: abort.signal }), timeoutMs),
      ]
      await once(proxy, 'request')
      abort.abort()
      for (const error of await Promise.all(given)) expect(error.outcome).toBe('not-applied')
      await proxy.setMode('pass')
      expect(await lasting).toBe(true)
      await redis.set(e, 'w')
      expect(await command('MGET', ...keys)).toEqual([null, null, null, null, 'w'])
    })

    test('a write of a try that failed is not repeated by the next try of another call', async () => {
      const { proxy, redis } = await through({}, { retry: { retries: 5, baseMs: 1 } })
      const key = freshKey()
      await redis.health()
      await proxy.setMode('cut')
      await Promise.all([
        failure(() => redis.incrBy(key), 1000),
        failure(() => redis.get(key), 2000),
      ])
      await proxy.setMode('pass')
      expect(await redis.get(key)).toBe('1')
    })
  })

  test('after a timeout without any reply the next call takes a new connection', async () => {
    const { proxy, redis } = await through()
    await redis.health()
    await proxy.setMode('blackhole')
    await failure(() => redis.get(freshKey(), { timeoutMs }), timeoutMs)
    const connected = once(proxy, 'connection')
    const next = redis.get(freshKey())
    await connected
    await proxy.setMode('pass')
    expect(await next).toBeNull()
    expect(proxy.connections).toBe(2)
  })

  test('a server that stands still: calls end by their deadline, and go on in order', async () => {
    const { redis } = await through()
    const key = freshKey()
    await redis.health()
    server.pause()
    try {
      const late = await Promise.all(
        times(20, () => failure(() => redis.get(key, { timeoutMs }), timeoutMs)),
      )
      for (const error of late) expect(error).toMatchObject({ code: 'REDIS_TIMEOUT' })
      const pushed = times(20, (i) => redis.rpush(key, `${i}`))
      const listed = redis.lrange(key, 0, -1)
      expect(await failure(() => redis.health({ timeoutMs }), timeoutMs)).toMatchObject({
        code: 'REDIS_TIMEOUT',
      })
      server.resume()
      expect(await Promise.all(pushed)).toEqual(times(20, (i) => i + 1))
      expect(await listed).toEqual(times(20, String))
    } finally {
      server.resume()
    }
    expect(await redis.llen(key)).toBe(20)
  })

  describe('subscriptions', () => {
    test.each([
      'fin',
      'rst',
    ] as const)('a cut (%s) ends the iteration with an error', async (how) => {
      const { proxy, redis } = await through()
      const channel = freshKey()
      const subscription = await redis.subscribe(channel)
      await redis.publish(channel, 'before')
      expect((await subscription.next()).value?.message).toBe('before')
      const lost = failure(() => subscription.next(), 1000)
      proxy.disconnect(how)
      expect(await lost).toMatchObject({ code: 'REDIS_UNAVAILABLE', operation: 'subscribe' })
      expect(await subscription.next()).toEqual({ done: true, value: undefined })

      await using again = await redis.subscribe(channel)
      await redis.publish(channel, 'after')
      expect((await again.next()).value?.message).toBe('after')
    })

    test('a server that is killed ends them, and another one in its place has new ones', async () => {
      const first = await startRedis()
      onTestFinished(() => first.stop())
      const redis = client(ioredis({ port: first.port }))
      const channel = freshKey()
      const subscription = await redis.subscribe(channel)
      const lost = failure(() => subscription.next(), 2000)
      await first.stop()
      expect(await lost).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
      const second = await startRedis({ port: first.port })
      onTestFinished(() => second.stop())
      await using again = await redis.subscribe(channel)
      await redis.publish(channel, 'after')
      expect((await again.next()).value?.message).toBe('after')
    })
  })

  describe('an outage', () => {
    test('is not multiplied: 3 retries, or a fifth of the calls', async () => {
      const { proxy, redis } = await through(
        {},
        { breaker: false, retry: { retries: 5, baseMs: 1, maxMs: 2 } },
      )
      await proxy.setMode('reset')
      for (let i = 0; i < 25; i++) await failure(() => redis.get(freshKey()), 1000)
      expect(proxy.connections).toBe(25 + 5)
    })

    test('opens the circuit; one call probes, and closes it when the server is back', async () => {
      const { proxy, redis } = await through(
        {},
        {
          retry: false,
          breaker: { breaker: new ConsecutiveBreaker(3), halfOpenAfterMs: 300, maxOpenMs: 300 },
        },
      )
      const read = () => redis.get(freshKey())
      await proxy.setMode('reset')
      const open = { code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' }
      const refused = await vi.waitFor(
        async () => {
          const error = await failure(() => redis.incrBy(freshKey()), 1000)
          expect(error).toMatchObject({ ...open, retryAfterMs: expect.any(Number) })
          return error
        },
        { interval: 20 },
      )
      expect(refused.retryAfterMs).toBeGreaterThan(0)
      expect(refused.retryAfterMs).toBeLessThanOrEqual(300)
      const { connections } = proxy
      await Promise.all(times(5, () => failure(read, 0)))
      expect(proxy.connections).toBe(connections)
      // A health check goes out all the same.
      await failure(() => redis.health(), 1000)
      expect(proxy.connections).toBe(connections + 1)

      await proxy.setMode('blackhole')
      // A timer may be a millisecond early.
      await sleep(refused.retryAfterMs! + 2)
      const probing = once(proxy, 'request')
      const probe = read()
      expect(await failure(read, 0)).toMatchObject(open)
      await probing
      await proxy.setMode('pass')
      expect(await probe).toBeNull()
      expect(await Promise.all(times(5, read))).toEqual(times(5, () => null))
      expect(proxy.connections).toBe(connections + 2)
    })
  })
})
