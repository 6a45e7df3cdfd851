import { equal, ok, rejects, until } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

function within(actual: number, least: number, most: number): void {
  ok(actual >= least && actual <= most, `expected ${least} to ${most}, got ${actual}`)
}

export const expiry: readonly RedisCase[] = [
  {
    name: 'ttlSeconds counts in seconds',
    async run({ redis, key }) {
      await redis.set(key(), 'v', { ttlSeconds: 100 })
      within(await redis.ttl(key()), 80, 100)
      within(await redis.pttl(key()), 80_000, 100_000)
    },
  },
  {
    name: 'ttlMs counts in milliseconds',
    async run({ redis, key }) {
      await redis.set(key(), 'v', { ttlMs: 100_000 })
      within(await redis.pttl(key()), 80_000, 100_000)
    },
  },
  {
    name: 'a key without an expiry has a ttl of -1, a missing key -2',
    async run({ redis, key }) {
      await redis.set(key(), 'v')
      equal([await redis.ttl(key()), await redis.pttl(key())], [-1, -1], 'no expiry')
      equal([await redis.ttl(key('none')), await redis.pttl(key('none'))], [-2, -2], 'no key')
    },
  },
  {
    name: 'an expired key is gone for every command',
    async run({ redis, key }) {
      await redis.set(key(), 'v', { ttlMs: 30 })
      await until(async () => (await redis.get(key())) === null, 'the key has expired')
      equal(await redis.exists(key()), 0, 'exists')
      equal(await redis.ttl(key()), -2, 'ttl')
      equal(await redis.type(key()), 'none', 'type')
      equal(await redis.set(key(), 'new', { ifAbsent: true }), true, 'set ifAbsent')
      equal(await redis.ttl(key()), -1, 'ttl of the new key')
    },
  },
  {
    name: 'expire reaches every type of key',
    async run({ redis, key }) {
      await redis.hset(key('hash'), { field: 'v' })
      await redis.rpush(key('list'), 'v')
      equal(await redis.expire(key('hash'), 1), true)
      equal(await redis.expire(key('list'), 1), true)
      await until(
        async () => (await redis.exists([key('hash'), key('list')])) === 0,
        'both are gone',
      )
      equal(await redis.hgetAll(key('hash')), {})
      equal(await redis.rpush(key('list'), 'first again'), 1)
    },
  },
  {
    name: 'expire and persist answer whether they did something',
    async run({ redis, key }) {
      equal(await redis.expire(key('none'), 10), false, 'expire of nothing')
      equal(await redis.persist(key('none')), false, 'persist of nothing')
      await redis.set(key(), 'v')
      equal(await redis.persist(key()), false, 'persist without an expiry')
      equal(await redis.expire(key(), 100), true, 'expire')
      within(await redis.ttl(key()), 80, 100)
      equal(await redis.persist(key()), true, 'persist')
      equal(await redis.ttl(key()), -1)
      equal(await redis.get(key()), 'v')
    },
  },
  {
    name: 'set drops the old expiry unless it is told to keep it',
    async run({ redis, key }) {
      await redis.set(key(), 'a', { ttlSeconds: 100 })
      await redis.set(key(), 'b', { keepTtl: true })
      within(await redis.ttl(key()), 80, 100)
      equal(await redis.get(key()), 'b')
      await redis.set(key(), 'c')
      equal(await redis.ttl(key()), -1)
    },
  },
  {
    name: 'a set that did not write leaves the expiry alone',
    async run({ redis, key }) {
      await redis.set(key(), 'a', { ttlSeconds: 100 })
      equal(await redis.set(key(), 'b', { ifAbsent: true, ttlSeconds: 1000 }), false)
      within(await redis.ttl(key()), 80, 100)
    },
  },
  {
    name: 'changing a value in place keeps its expiry',
    async run({ redis, key }) {
      await redis.set(key(), 1, { ttlSeconds: 100 })
      await redis.incrBy(key())
      await redis.append(key(), '0')
      equal(await redis.get(key()), '20')
      within(await redis.ttl(key()), 80, 100)
    },
  },
  {
    name: 'the longest expiry that a number can hold is kept to the second',
    async run({ redis, key }) {
      const ttlSeconds = Number.MAX_SAFE_INTEGER
      equal(await redis.set(key(), 'v', { ttlSeconds }), true)
      within(await redis.ttl(key()), ttlSeconds - 20, ttlSeconds)
      await rejects(redis.pttl(key()), { kind: 'unsupported', outcome: 'not-applied' })
      equal(await redis.get(key()), 'v')
    },
  },
  {
    name: 'an expiry beyond the range of the server is invalid and writes nothing',
    async run({ redis, key }) {
      await rejects(redis.command(['SET', key(), 'v', 'EX', 2n ** 63n - 1n]), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
      equal(await redis.get(key()), null)
    },
  },
]
