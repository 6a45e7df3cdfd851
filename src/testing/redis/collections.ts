import { equal, ok } from '../assert.ts'
import { bytesOf, type RedisCase } from './fixture.ts'

export const hashes: readonly RedisCase[] = [
  {
    name: 'fields are written, counted when new, and read back',
    async run({ redis, key }) {
      equal(await redis.hset(key(), { a: 'text', b: 2, c: 3n }), 3)
      equal(await redis.hset(key(), { a: 'other', d: '' }), 1)
      equal(await redis.hget(key(), 'a'), 'other')
      equal(await redis.hget(key(), 'd'), '')
      equal(await redis.hgetBytes(key(), 'b'), bytesOf('2'))
      equal(await redis.hgetAll(key()), { a: 'other', b: '2', c: '3', d: '' })
    },
  },
  {
    name: 'a missing hash is empty',
    async run({ redis, key }) {
      equal(await redis.hgetAll(key()), {}, 'hgetAll')
      equal(await redis.hget(key(), 'a'), null, 'hget')
      equal(await redis.hgetBytes(key(), 'a'), null, 'hgetBytes')
      equal(await redis.hmget(key(), ['a', 'b']), [null, null], 'hmget')
      equal(await redis.hkeys(key()), [], 'hkeys')
      equal(await redis.hvals(key()), [], 'hvals')
      equal(await redis.hlen(key()), 0, 'hlen')
      equal(await redis.hexists(key(), 'a'), false, 'hexists')
      equal(await redis.hdel(key(), 'a'), 0, 'hdel')
    },
  },
  {
    name: 'hmget answers in the order of the fields, with gaps and repetitions',
    async run({ redis, key }) {
      await redis.hset(key(), { a: '1', b: '2' })
      equal(await redis.hmget(key(), ['b', 'none', 'a', 'b']), ['2', null, '1', '2'])
    },
  },
  {
    name: 'any text is a field, __proto__ and the empty one too',
    async run({ redis, key }) {
      const names = ['__proto__', 'constructor', 'toString', '', '10', '2', 'größe', '😀', 'a\r\nb']
      const fields = Object.fromEntries(names.map((name) => [name, `of ${name}`]))
      equal(await redis.hset(key(), fields), names.length)
      const all = await redis.hgetAll(key())
      equal(all, fields)
      equal(Object.getPrototypeOf(all) === Object.prototype, true, 'the prototype is untouched')
      equal(await redis.hget(key(), '__proto__'), 'of __proto__')
    },
  },
  {
    name: 'a Map takes the place of an object',
    async run({ redis, key }) {
      const fields = new Map<string | Uint8Array, string>([
        ['text', '1'],
        [bytesOf('bytes'), '2'],
      ])
      equal(await redis.hset(key(), fields), 2)
      equal(await redis.hgetAll(key()), { text: '1', bytes: '2' })
    },
  },
  {
    name: 'hkeys and hvals go together',
    async run({ redis, key }) {
      const fields = { one: '1', two: '2', three: '3' }
      await redis.hset(key(), fields)
      const [names, items] = [await redis.hkeys(key()), await redis.hvals(key())]
      equal(Object.fromEntries(names.map((name, i) => [name, items[i]])), fields)
      equal(await redis.hlen(key()), 3)
    },
  },
  {
    name: 'hdel counts what existed, and a hash without fields is gone',
    async run({ redis, key }) {
      await redis.hset(key(), { a: '1', b: '2', c: '3' })
      equal(await redis.hdel(key(), ['a', 'none']), 1)
      equal(await redis.hexists(key(), 'a'), false)
      equal(await redis.hexists(key(), 'b'), true)
      equal(await redis.hdel(key(), ['b', 'c']), 2)
      equal(await redis.exists(key()), 0)
    },
  },
  {
    name: 'hincrBy counts from 0, by 1 unless told otherwise',
    async run({ redis, key }) {
      equal(await redis.hincrBy(key(), 'n'), 1)
      equal(await redis.hincrBy(key(), 'n', -5), -4)
      equal(await redis.hincrBy(key(), 'n', 10n), 6)
      equal(await redis.hget(key(), 'n'), '6')
    },
  },
  {
    name: 'a thousand fields go in and come out together',
    async run({ redis, key }) {
      const fields = Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`field-${i}`, `${i}`]),
      )
      equal(await redis.hset(key(), fields), 1000)
      equal(await redis.hgetAll(key()), fields)
    },
  },
]

export const lists: readonly RedisCase[] = [
  {
    name: 'rpush adds at the tail, lpush at the head, one after the other',
    async run({ redis, key }) {
      equal(await redis.rpush(key(), ['a', 'b']), 2)
      equal(await redis.lpush(key(), ['c', 'd']), 4)
      equal(await redis.rpush(key(), 1), 5)
      equal(await redis.lpush(key(), ''), 6)
      equal(await redis.lrange(key(), 0, -1), ['', 'd', 'c', 'a', 'b', '1'])
      equal(await redis.llen(key()), 6)
    },
  },
  {
    name: 'a missing list is empty',
    async run({ redis, key }) {
      equal(await redis.lrange(key(), 0, -1), [], 'lrange')
      equal(await redis.lrangeBytes(key(), 0, -1), [], 'lrangeBytes')
      equal(await redis.llen(key()), 0, 'llen')
      equal(await redis.lindex(key(), 0), null, 'lindex')
      equal(await redis.lpop(key()), null, 'lpop')
      equal(await redis.rpop(key()), null, 'rpop')
      equal(await redis.lrem(key(), 0, 'a'), 0, 'lrem')
      equal(await redis.ltrim(key(), 0, 1), undefined, 'ltrim')
    },
  },
  {
    name: 'lpop and rpop take from the ends until the list is gone',
    async run({ redis, key }) {
      await redis.rpush(key(), ['a', 'b', 'c'])
      equal(await redis.lpop(key()), 'a')
      equal(await redis.rpop(key()), 'c')
      equal(await redis.rpop(key()), 'b')
      equal(await redis.exists(key()), 0)
    },
  },
  {
    name: 'ranges include both ends, count from the tail when negative, and stop at the ends',
    async run({ redis, key }) {
      await redis.rpush(key(), ['a', 'b', 'c', 'd'])
      equal(await redis.lrange(key(), 1, 2), ['b', 'c'])
      equal(await redis.lrange(key(), -2, -1), ['c', 'd'])
      equal(await redis.lrange(key(), 2, 100), ['c', 'd'])
      equal(await redis.lrange(key(), -100, 0), ['a'])
      equal(await redis.lrange(key(), 3, 1), [])
      equal(await redis.lrangeBytes(key(), 0, 0), [bytesOf('a')])
    },
  },
  {
    name: 'lindex counts from either end',
    async run({ redis, key }) {
      await redis.rpush(key(), ['a', 'b', 'c'])
      equal(await redis.lindex(key(), 0), 'a')
      equal(await redis.lindex(key(), -1), 'c')
      equal(await redis.lindex(key(), 3), null)
    },
  },
  {
    name: 'lrem removes from the head, from the tail, or all',
    async run({ redis, key }) {
      await redis.rpush(key(), ['x', 'a', 'x', 'b', 'x', 'c', 'x'])
      equal(await redis.lrem(key(), 1, 'x'), 1)
      equal(await redis.lrange(key(), 0, -1), ['a', 'x', 'b', 'x', 'c', 'x'])
      equal(await redis.lrem(key(), -1, 'x'), 1)
      equal(await redis.lrange(key(), 0, -1), ['a', 'x', 'b', 'x', 'c'])
      equal(await redis.lrem(key(), 0, 'x'), 2)
      equal(await redis.lrange(key(), 0, -1), ['a', 'b', 'c'])
    },
  },
  {
    name: 'ltrim keeps the range, and nothing if it is empty',
    async run({ redis, key }) {
      await redis.rpush(key(), ['a', 'b', 'c', 'd'])
      await redis.ltrim(key(), 1, -2)
      equal(await redis.lrange(key(), 0, -1), ['b', 'c'])
      await redis.ltrim(key(), 5, 9)
      equal(await redis.exists(key()), 0)
    },
  },
]

export const sets: readonly RedisCase[] = [
  {
    name: 'members are counted when new and held once',
    async run({ redis, key }) {
      equal(await redis.sadd(key(), ['b', 'a', 'b']), 2)
      equal(await redis.sadd(key(), ['a', 'c']), 1)
      equal(await redis.sadd(key(), 1), 1)
      equal((await redis.smembers(key())).sort(), ['1', 'a', 'b', 'c'])
      equal(await redis.scard(key()), 4)
    },
  },
  {
    name: 'a missing set is empty',
    async run({ redis, key }) {
      equal(await redis.smembers(key()), [], 'smembers')
      equal(await redis.scard(key()), 0, 'scard')
      equal(await redis.sismember(key(), 'a'), false, 'sismember')
      equal(await redis.srem(key(), 'a'), 0, 'srem')
      equal(await redis.spop(key()), null, 'spop')
    },
  },
  {
    name: 'sismember tells members that differ in a single character apart',
    async run({ redis, key }) {
      await redis.sadd(key(), ['a', '', '1', 'ü'])
      equal(await redis.sismember(key(), 'a'), true)
      equal(await redis.sismember(key(), ''), true)
      equal(await redis.sismember(key(), 1n), true)
      equal(await redis.sismember(key(), 'A'), false)
      equal(await redis.sismember(key(), 'u'), false)
    },
  },
  {
    name: 'srem counts what existed, and a set without members is gone',
    async run({ redis, key }) {
      await redis.sadd(key(), ['a', 'b'])
      equal(await redis.srem(key(), ['a', 'none']), 1)
      equal(await redis.srem(key(), 'b'), 1)
      equal(await redis.exists(key()), 0)
    },
  },
  {
    name: 'spop takes each member once',
    async run({ redis, key }) {
      const members = ['a', 'b', 'c']
      await redis.sadd(key(), members)
      const taken = [await redis.spop(key()), await redis.spop(key()), await redis.spop(key())]
      equal(taken.toSorted(), members)
      ok((await redis.spop(key())) === null, 'a fourth member came out')
    },
  },
]
