import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type IoredisOptions, ioredis } from '../../adapters/redis/ioredis.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { client, failure, freshKey } from './failures.ts'

const server = await engine('redis-process')

async function through(options: IoredisOptions = {}, clientOptions: ClientOptions = {}) {
  const proxy = await startProxy(options.port ?? server.port)
  onTestFinished(() => proxy.close())
  const redis = client(ioredis({ ...options, port: proxy.port }), clientOptions)
  return { proxy, redis }
}

/** What the connections of the server are doing: `['get', 'blpop']`. */
async function lastCommands(): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
  return Array.from(list.matchAll(/ cmd=(\S+)/g), ([, name]) => name!)
}

describe('connections over TCP', needs(server), () => {
  test('one serves all calls, whenever they come', async () => {
    const { proxy, redis } = await through()
    expect(proxy.connections).toBe(0)
    await Promise.all(Array.from({ length: 100 }, () => redis.get(freshKey())))
    await redis.pipeline().get(freshKey()).exec()
    await redis.transaction().get(freshKey()).exec()
    await redis.health()
    expect(proxy.connections).toBe(1)
  })

  test('one that was idle for too long is replaced before it is used', async () => {
    const { proxy, redis } = await through({ maxIdleMs: 40 })
    const key = freshKey()
    await redis.set(key, 'v')
    await sleep(60)
    // Dead without a word, as after a freeze: a call that took it would not get an answer.
    await proxy.setMode('blackhole')
    const connected = once(proxy, 'connection')
    const reply = redis.incrBy(`${key}:n`)
    await connected
    await proxy.setMode('pass')
    expect(await reply).toBe(1)
    expect(proxy.connections).toBe(2)
    await vi.waitFor(() => expect(proxy.open).toBe(1))
  })

  test('one with a call in flight is not idle', async () => {
    const { proxy, redis } = await through({ maxIdleMs: 20 })
    await redis.health()
    await proxy.setMode({ delayMs: 60 })
    const sent = once(proxy, 'request')
    const first = redis.get(freshKey())
    await sent
    await sleep(30)
    await Promise.all([first, redis.get(freshKey())])
    expect(proxy.connections).toBe(1)
  })

  test('one that the server closed while idle is replaced, and a write goes through', async () => {
    const { proxy, redis } = await through()
    await redis.health()
    const native = (await redis.native()) as { status: string }
    proxy.disconnect()
    await vi.waitFor(() => expect(native.status).toBe('end'))
    expect(await redis.incrBy(freshKey())).toBe(1)
    expect(proxy.connections).toBe(2)
  })

  describe('blocking commands', () => {
    test('hold up nobody else, and take what they waited for', async () => {
      const { proxy, redis } = await through()
      const key = freshKey()
      const waiting = redis.command(['BLPOP', key, 0])
      await vi.waitFor(async () => expect(await lastCommands()).toContain('blpop'))
      expect(await redis.get(freshKey())).toBeNull()
      expect(await redis.rpush(key, 'item')).toBe(1)
      expect(await waiting).toEqual([key, 'item'])
      expect(proxy.connections).toBe(2)
    })

    test('after one another share a connection', async () => {
      const { proxy, redis } = await through()
      for (let i = 0; i < 5; i++)
        expect(await redis.command(['BLPOP', freshKey(), 0.01])).toBeNull()
      expect(proxy.connections).toBe(1)
    })

    test.each([
      'aborted',
      'out of time',
    ])('one that is %s is stopped at the server', async (how) => {
      const { redis } = await through()
      const key = freshKey()
      const abort = new AbortController()
      const options = how === 'aborted' ? { signal: abort.signal } : { timeoutMs: 200 }
      const stopped = failure(() => redis.command(['BLPOP', key, 0], options), 5000)
      await vi.waitFor(async () => expect(await lastCommands()).toContain('blpop'))
      if (how === 'aborted') abort.abort()
      expect(await stopped).toMatchObject({
        code: how === 'aborted' ? 'REDIS_ABORTED' : 'REDIS_TIMEOUT',
        outcome: 'unknown',
      })
      await vi.waitFor(async () => expect(await lastCommands()).not.toContain('blpop'))
      // Nobody who has left takes the item.
      await redis.rpush(key, 'item')
      expect(await redis.lrange(key, 0, -1)).toEqual(['item'])
    })

    test('whose connection is cut end at once, and are not repeated', async () => {
      const { proxy, redis } = await through()
      const cut = failure(() => redis.command(['BLPOP', freshKey(), 0]), 2000)
      await vi.waitFor(async () => expect(await lastCommands()).toContain('blpop'))
      proxy.disconnect('rst')
      expect(await cut).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
      expect(await redis.command(['BLPOP', freshKey(), 0.01])).toBeNull()
    })
  })

  describe('a password that is a function', () => {
    const secured = async (password: string) => {
      const process = await startRedis({ password })
      onTestFinished(() => process.stop())
      return process
    }

    test('is asked for every connection, and not for every call', async () => {
      const { port } = await secured('secret-1')
      let asked = 0
      const password = async () => {
        asked++
        return 'secret-1'
      }
      const { proxy, redis } = await through({ port, password })
      expect(asked).toBe(0)
      await Promise.all(Array.from({ length: 20 }, () => redis.get(freshKey())))
      expect(asked).toBe(1)
      await using _ = await redis.subscribe(freshKey())
      await redis.command(['BLPOP', freshKey(), 0.01])
      expect([asked, proxy.connections]).toEqual([3, 3])
    })

    test('is asked once more when its answer was refused', async () => {
      const { port, command } = await secured('secret-1')
      const answers = ['secret-1', 'secret-1', 'secret-2']
      const given: string[] = []
      const password = () => {
        const answer = answers.shift() ?? 'secret-2'
        given.push(answer)
        return answer
      }
      const { proxy, redis } = await through({ port, password })
      await redis.health()
      // Those who are in stay in: only the next connection needs the new one.
      await command('CONFIG', 'SET', 'requirepass', 'secret-2')
      await redis.health()
      const native = (await redis.native()) as { status: string }
      proxy.disconnect()
      await vi.waitFor(() => expect(native.status).toBe('end'))
      const replies = [redis.incrBy('n'), redis.incrBy('n'), redis.incrBy('n')]
      expect(await Promise.all(replies)).toEqual([1, 2, 3])
      expect(given).toEqual(['secret-1', 'secret-1', 'secret-2'])
      await vi.waitFor(() => expect(proxy.open).toBe(1))
    })

    test('that is wrong twice is a failure; the next call asks again', async () => {
      const { port } = await secured('secret-1')
      const answers = ['wrong', 'wrong again']
      const { redis } = await through({ port, password: () => answers.shift() ?? 'secret-1' })
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
        code: 'REDIS_UNAUTHENTICATED',
        outcome: 'not-applied',
      })
      expect(await redis.incrBy('n')).toBe(1)
    })

    test('that rejects, or never resolves, is a failure in time', async () => {
      const { redis } = await through({
        password: () => Promise.reject(new Error('the vault is shut: secret-1')),
      })
      const error = await failure(() => redis.get(freshKey()), 1000)
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' })
      expect(error.message).toBe('redis get: the password function failed')
      const { redis: other } = await through({ password: () => new Promise(() => {}) })
      expect(await failure(() => other.incrBy('n', 1, { timeoutMs: 100 }), 100)).toMatchObject({
        code: 'REDIS_TIMEOUT',
        outcome: 'not-applied',
      })
    })
  })

  describe('close', () => {
    test('waits for the calls in flight, then ends every connection', async () => {
      const { proxy, redis } = await through({}, { drainTimeoutMs: 5000 })
      const key = freshKey()
      const subscription = await redis.subscribe(key)
      await redis.command(['BLPOP', key, 0.01])
      await proxy.setMode({ delayMs: 50 })
      const writes = Array.from({ length: 20 }, () => redis.incrBy(`${key}:n`))
      const blocking = redis.command(['BLPOP', key, 0.05])
      const ended = failure(() => subscription.next(), 2000)
      const closing = redis.close()
      const refused = { code: 'REDIS_CLOSED', outcome: 'not-applied' }
      expect(await failure(() => redis.incrBy(`${key}:n`), 0)).toMatchObject(refused)
      expect((await Promise.all(writes)).at(-1)).toBe(20)
      expect(await blocking).toBeNull()
      await closing
      expect(await ended).toMatchObject({ kind: 'closed' })
      await vi.waitFor(() => expect(proxy.open).toBe(0))
      expect(await failure(() => redis.health(), 0)).toMatchObject(refused)
      expect(await server.command('GET', `${key}:n`)).toBe('20')
    })

    test('does not wait longer than it may, and what is left fails', async () => {
      const { proxy, redis } = await through({}, { drainTimeoutMs: 250 })
      await redis.health()
      await proxy.setMode('blackhole')
      const left = failure(() => redis.incrBy(freshKey()), 1000)
      await redis.close()
      expect(await left).toMatchObject({ outcome: 'unknown' })
    })
  })
})
