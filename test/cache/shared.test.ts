import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { engine, needs } from '../engines/index.ts'
import { freePort } from '../engines/process.ts'
import { startRedis } from '../engines/redis.ts'
import { client } from '../redis/failures.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'
import {
  Clock,
  CountedSource,
  cacheOf,
  counters,
  eventually,
  failed,
  freshPrefix,
  key,
  sharedBy,
} from './fixture.ts'

const server = await engine('redis')
const cluster = await engine('redis-cluster')
const gateway = await gatewayOverRedis()

const softTtlMs = 300_000
const fresh = (value: string) => ({ value, stale: false })

describe.each([
  { name: 'memory', missing: undefined, connect: () => client(memory()) },
  {
    name: 'ioredis',
    missing: server.missing,
    connect: () => client(ioredis({ url: server.url })),
  },
  {
    name: 'a cluster',
    missing: cluster.missing,
    connect: () => {
      const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
      return client(ioredis({ cluster: nodes }))
    },
  },
  { name: 'rest', missing: gateway.missing, connect: () => client(rest(gateway)) },
])('over Redis by $name', ({ missing, connect }) => {
  describe('', needs({ ...(missing !== undefined && { missing }) }), () => {
    function setUp() {
      const redis = connect()
      const prefix = freshPrefix()
      const clock = new Clock()
      const source = new CountedSource()
      source.values.set('a', '1')
      const { sink, counts } = counters()
      const process = (options?: Parameters<typeof sharedBy>[2]) =>
        cacheOf(source, {
          clock: clock.read,
          metrics: sink,
          shared: sharedBy(redis, prefix, options),
        })
      /** Resolves when what the load leaves in Redis is there. */
      const filled = (name = 'a') =>
        eventually(async () => {
          const value = await redis.get(valueName(prefix, name))
          expect(value).not.toBeNull()
          return value as string
        })
      return { redis, prefix, clock, source, counts, process, filled }
    }

    test('what one process has loaded, another has', async () => {
      const { source, process, filled, counts } = setUp()
      expect(await process().get('a')).toEqual(fresh('1'))
      await filled()
      const other = process()
      expect(await other.get('a')).toEqual(fresh('1'))
      expect(await other.get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(1)
      expect(counts.get('cache_requests_total{test,shared}')).toBe(1)
    })

    test('its age goes on there: what is no longer fresh is loaded again', async () => {
      const { clock, source, process, filled } = setUp()
      await process().get('a')
      await filled()
      clock.now += softTtlMs
      source.values.set('a', '2')
      expect(await process().get('a')).toEqual(fresh('2'))
    })

    test('of several processes whose value is no longer fresh, one loads and the others follow', async () => {
      const { clock, source, process, filled } = setUp()
      const all = [process(), process(), process()]
      for (const each of all) {
        await each.get('a')
        // Otherwise the next one loads, too, and what it leaves may come late.
        await filled()
      }
      clock.now += softTtlMs * 1.1
      source.values.set('a', '2')
      source.loads = 0
      for (const each of all) {
        await eventually(async () => expect(await each.get('a')).toEqual(fresh('2')))
        // Then what it leaves is there, before the next one looks.
        await each.close()
      }
      expect(source.loads).toBe(1)
    })

    test('a process that starts while the source is down has the last value, marked stale', async () => {
      const { clock, source, process, filled } = setUp()
      await process().get('a')
      await filled()
      clock.now += softTtlMs * 2
      source.failure = failed('unavailable')
      const other = process()
      expect(await other.get('a')).toEqual({ value: '1', stale: true })
      expect(await other.get('a')).toEqual({ value: '1', stale: true })
    })

    test('after the hard TTL it is of no use there either', async () => {
      const { clock, source, process, filled } = setUp()
      await process().get('a')
      await filled()
      clock.now += 28_800_000
      source.failure = failed('unavailable')
      await expect(process().get('a')).rejects.toBe(source.failure)
    })

    test('an invalidation in one process holds in the others', async () => {
      const { source, process } = setUp()
      const [one, other] = [process(), process()]
      await one.get('a')
      await other.get('a')
      source.values.set('a', '2')
      await one.invalidate('a')
      expect(await one.get('a')).toEqual(fresh('2'))
      await eventually(async () => expect((await other.get('a'))?.value).toBe('2'))
    })

    test('a load that began before an invalidation elsewhere leaves nothing', async () => {
      const { source, process, redis, prefix } = setUp()
      const [one, other] = [process(), process()]
      const gate = Promise.withResolvers<void>()
      source.gate = gate.promise
      const before = one.get('a')
      await eventually(() => expect(source.loads).toBe(1))
      source.values.set('a', '2')
      source.gate = Promise.resolve()
      await other.invalidate('a')
      gate.resolve()
      await before
      await eventually(async () => expect(await redis.get(valueName(prefix, 'a'))).not.toBeNull())
      expect(await process().get('a')).toEqual(fresh('2'))
      await eventually(async () => expect((await one.get('a'))?.value).toBe('2'))
    })

    test.each([
      ['tampered', (value: string) => flipped(value, 30)],
      ['tampered', (value: string) => flipped(value, Buffer.from(value, 'base64').length - 1)],
      ['unknown-key', (value: string) => flipped(value, 2)],
      ['malformed', (value: string) => flipped(value, 0)],
      ['malformed', (value: string) => value.slice(0, 20)],
      ['malformed', () => ''],
      ['malformed', () => 'not base64 *'],
    ])('a %s value is dropped, counted and loaded again (%#)', async (reason, change) => {
      const { redis, prefix, source, process, filled, counts } = setUp()
      await process().get('a')
      const changed = change(await filled())
      await redis.set(valueName(prefix, 'a'), changed)
      expect(await process().get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(2)
      expect(counts.get(`cache_dropped_total{test,${reason}}`)).toBe(1)
      await eventually(async () => {
        expect(await redis.get(valueName(prefix, 'a'))).not.toBe(changed)
      })
    })

    test('a value that was swapped with that of another key is dropped', async () => {
      const { redis, prefix, source, process, filled, counts } = setUp()
      source.values.set('b', 'of b')
      await process().get('b')
      await redis.set(valueName(prefix, 'a'), await filled('b'))
      expect(await process().get('a')).toEqual(fresh('1'))
      expect(counts.get('cache_dropped_total{test,tampered}')).toBe(1)
    })

    test('a value that was swapped with that of another variant is dropped', async () => {
      const { redis, prefix, source, process, filled, counts } = setUp()
      source.values.set('a/v1', 'older')
      await process().get('a')
      await redis.set(`${valueName(prefix, 'a')}v1`, await filled())
      expect(await process().get('a', 'v1')).toEqual(fresh('older'))
      expect(counts.get('cache_dropped_total{test,tampered}')).toBe(1)
    })

    test('when the key rotates, what the old one sealed is still found', async () => {
      const { source, process, filled } = setUp()
      const rotated = crypto.getRandomValues(new Uint8Array(32))
      await process().get('a')
      await filled()
      expect(await process({ keys: [rotated, key] }).get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(1)
      expect(await process({ keys: rotated }).get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(2)
    })

    test('Redis was flushed: the source is asked again', async () => {
      const { redis, prefix, source, process, filled } = setUp()
      const one = process()
      await one.get('a')
      await filled()
      for await (const name of redis.scan({ match: `${prefix}*` })) await redis.del(name)
      expect(await one.get('a')).toEqual(fresh('1'))
      expect(await process().get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(2)
    })

    test('with the lock, caches that miss at once make one load', async () => {
      const { source, process } = setUp()
      const all = Array.from({ length: 5 }, () => process({ lock: true }))
      const found = await Promise.all(all.map((cache) => cache.get('a')))
      expect(found).toEqual(all.map(() => fresh('1')))
      expect(source.loads).toBe(1)
    })

    test('a lock whose owner is gone keeps nobody waiting for longer than it holds', async () => {
      const { redis, prefix, source, process } = setUp()
      await redis.set(`${prefix}{a}:lock:`, 'someone', { ttlMs: 200 })
      expect(await process({ lock: true }).get('a')).toEqual(fresh('1'))
      expect(source.loads).toBe(1)
    })

    test('the lock of another is left alone', async () => {
      const redis = connect()
      const { store } = sharedBy(redis, freshPrefix())
      const mine = await store.lock('a', '', 10_000)
      expect(await store.lock('a', '', 10_000)).toBeUndefined()
      await store.unlock('a', '', 'another')
      expect(await store.lock('a', '', 10_000)).toBeUndefined()
      await store.unlock('a', '', mine!)
      expect(await store.lock('a', '', 10_000)).toBeTypeOf('string')
    })

    test('what is in Redis does not show the value, and expires', async () => {
      const { redis, prefix, source, process, filled } = setUp()
      source.values.set('a', 'a-very-plain-text')
      const cache = process({ lock: true })
      await cache.get('a')
      await filled()
      await cache.invalidate('a')
      await cache.get('a')
      await filled()
      let count = 0
      for await (const name of redis.scan({ match: `${prefix}*` })) {
        const value = (await redis.get(name)) ?? ''
        for (const encoding of ['utf8', 'base64', 'hex'] as const) {
          expect(Buffer.from(value, encoding).includes('a-very-plain-text')).toBe(false)
        }
        expect(await redis.command(['PTTL', name])).toBeGreaterThan(0)
        count++
      }
      expect(count).toBeGreaterThanOrEqual(2)
    })
  })
})

describe('when Redis fails', needs(server), () => {
  function setUp(url: string) {
    const clock = new Clock()
    const source = new CountedSource()
    source.values.set('a', '1')
    const prefix = freshPrefix()
    const cache = (redis = client(ioredis({ url }))) =>
      cacheOf(source, { clock: clock.read, shared: sharedBy(redis, prefix, { timeoutMs: 250 }) })
    return { clock, source, cache, prefix }
  }

  test('nobody listens on its port: everything works, from the source', async () => {
    const { source, cache } = setUp(`redis://127.0.0.1:${await freePort()}`)
    const one = cache()
    expect(await one.get('a')).toEqual(fresh('1'))
    source.values.set('a', '2')
    await one.invalidate('a')
    expect(await one.get('a')).toEqual(fresh('2'))
    expect(await one.get('a')).toEqual(fresh('2'))
    expect(source.loads).toBe(2)
  })

  test('it accepts and never answers: everything works, from the source', async () => {
    await using redis = disposable(await startRedis())
    const { source, cache } = setUp(redis.url)
    const one = cache()
    await one.get('a')
    redis.pause()
    source.values.set('a', '2')
    await one.invalidate('a')
    expect(await one.get('a')).toEqual(fresh('2'))
    source.values.set('b', 'of b')
    expect(await one.get('b')).toEqual(fresh('of b'))
  })

  test('what it was not told, it is told before it is believed again', async () => {
    await using redis = disposable(await startRedis())
    const { source, cache, prefix } = setUp(redis.url)
    const one = cache()
    await one.get('a')
    await eventually(async () => {
      expect(await redis.command('GET', valueName(prefix, 'a'))).not.toBeNull()
    })
    redis.pause()
    source.values.set('a', '2')
    await one.invalidate('a')
    redis.resume()
    expect(await one.get('a')).toEqual(fresh('2'))
    await eventually(async () => expect(await cache().get('a')).toEqual(fresh('2')))
  })

  test('it was gone for a while: what may have been missed is looked up again', async () => {
    const first = await startRedis()
    const { source, cache, prefix } = setUp(first.url)
    const one = cache()
    expect(await one.get('a')).toEqual(fresh('1'))
    await eventually(async () => {
      expect(await first.command('GET', valueName(prefix, 'a'))).not.toBeNull()
    })
    await first.stop()
    // Nobody can hear of it.
    source.values.set('a', '2')
    await using second = disposable(await startRedis({ port: first.port }))
    await eventually(async () => expect(await one.get('a')).toEqual(fresh('2')))
    expect(second.port).toBe(first.port)
  })
})

describe('four processes that miss at once', needs(server), () => {
  async function start(env: Record<string, string>) {
    const program = fileURLToPath(new URL('./program.ts', import.meta.url))
    const child = spawn(process.execPath, [program], {
      env: { REDIS_URL: server.url, KEY: Buffer.from(key).toString('hex'), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface(child.stdout)
    await once(lines, 'line')
    return {
      async read() {
        child.stdin.write('go\n')
        const [line] = (await once(lines, 'line')) as [string]
        await once(child, 'exit')
        return line
      },
    }
  }

  test.each([
    ['without the lock', 'at most 4', 'off', 4],
    ['with the lock', '1', 'on', 1],
  ])('%s ask the source %s times', async (_, __, lock, most) => {
    const prefix = freshPrefix()
    const env = { PREFIX: prefix, LOCK: lock }
    const all = await Promise.all([start(env), start(env), start(env), start(env)])
    expect(await Promise.all(all.map((each) => each.read()))).toEqual(Array(4).fill('found'))
    expect(Number(await server.command('GET', `${prefix}loads`))).toBeLessThanOrEqual(most)
  })
})

function valueName(prefix: string, name: string): string {
  return `${prefix}{${name}}:value:`
}

/** The text with one bit of one of its bytes changed. */
function flipped(base64: string, at: number): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes[at]! ^= 1
  return bytes.toString('base64')
}

function disposable<T extends { stop(): Promise<void> }>(started: T): T & AsyncDisposable {
  return { ...started, [Symbol.asyncDispose]: () => started.stop() }
}
