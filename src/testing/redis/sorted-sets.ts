import { equal, rejects } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

const abcd = [
  { member: 'a', score: 1 },
  { member: 'b', score: 2 },
  { member: 'c', score: 3 },
  { member: 'd', score: 4 },
]

export const sortedSets: readonly RedisCase[] = [
  {
    name: 'members are counted when new, and a new score replaces the old one',
    async run({ redis, key }) {
      equal(await redis.zadd(key(), abcd), 4)
      equal(await redis.zadd(key(), { member: 'a', score: 10 }), 0)
      equal(await redis.zscore(key(), 'a'), 10)
      equal(await redis.zcard(key()), 4)
      equal(await redis.zrange(key(), 0, -1), ['b', 'c', 'd', 'a'])
    },
  },
  {
    name: 'a missing sorted set is empty',
    async run({ redis, key }) {
      equal(await redis.zrange(key(), 0, -1), [], 'zrange')
      equal(await redis.zrangeWithScores(key(), 0, -1), [], 'zrangeWithScores')
      equal(await redis.zscore(key(), 'a'), null, 'zscore')
      equal(await redis.zrank(key(), 'a'), null, 'zrank')
      equal(await redis.zcard(key()), 0, 'zcard')
      equal(await redis.zcount(key(), -Infinity, Infinity), 0, 'zcount')
      equal(await redis.zrem(key(), 'a'), 0, 'zrem')
    },
  },
  {
    name: 'scores are doubles, exact to the last digit, and may be infinite',
    async run({ redis, key }) {
      const scores = [
        -Infinity,
        -1.5,
        0,
        5e-324,
        1e-7,
        0.1,
        0.1 + 0.2,
        3,
        1e21,
        1.7976931348623157e308,
        Infinity,
      ]
      const members = scores.map((score, i) => ({ member: `m${i}`, score }))
      await redis.zadd(key(), members.toReversed())
      equal(await redis.zrangeWithScores(key(), 0, -1), members)
      for (const { member, score } of members) equal(await redis.zscore(key(), member), score)
    },
  },
  {
    name: 'by rank both ends are included and negative ones count from the end',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      equal(await redis.zrange(key(), 1, 2), ['b', 'c'])
      equal(await redis.zrange(key(), -2, -1), ['c', 'd'])
      equal(await redis.zrange(key(), 3, 100), ['d'])
      equal(await redis.zrange(key(), 2, 1), [])
      equal(await redis.zrange(key(), 0, 1, { reverse: true }), ['d', 'c'])
      equal(await redis.zrangeWithScores(key(), 0, 0, { reverse: true }), [
        { member: 'd', score: 4 },
      ])
    },
  },
  {
    name: 'by score both ends are included, whichever direction is read',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      equal(await redis.zrange(key(), 2, 3, { by: 'score' }), ['b', 'c'])
      equal(await redis.zrange(key(), 2, 3, { by: 'score', reverse: true }), ['c', 'b'])
      equal(await redis.zrange(key(), 2.5, Infinity, { by: 'score' }), ['c', 'd'])
      equal(await redis.zrange(key(), -Infinity, 1, { by: 'score' }), ['a'])
      equal(await redis.zrange(key(), 3, 2, { by: 'score' }), [])
      equal(await redis.zrangeWithScores(key(), 4, 9, { by: 'score' }), [{ member: 'd', score: 4 }])
    },
  },
  {
    name: 'by score, limit and offset page through the range',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      const all = [key(), -Infinity, Infinity] as const
      equal(await redis.zrange(...all, { by: 'score', limit: 2 }), ['a', 'b'])
      equal(await redis.zrange(...all, { by: 'score', limit: 2, offset: 1 }), ['b', 'c'])
      equal(await redis.zrange(...all, { by: 'score', offset: 3 }), ['d'])
      equal(await redis.zrange(...all, { by: 'score', offset: 9 }), [])
      equal(await redis.zrange(...all, { by: 'score', limit: 0 }), [])
      equal(await redis.zrange(...all, { by: 'score', reverse: true, limit: 1, offset: 1 }), ['c'])
    },
  },
  {
    name: 'members of the same score are in the order of their bytes',
    async run({ redis, key }) {
      const members = ['', '1', '10', '2', 'B', 'a', 'ab', 'b', 'é', '漢', '\ufb01', '😀']
      await redis.zadd(
        key(),
        members.toReversed().map((member) => ({ member, score: 0 })),
      )
      equal(await redis.zrange(key(), 0, -1), members)
      equal(await redis.zrange(key(), 0, 0, { by: 'score', reverse: true }), members.toReversed())
    },
  },
  {
    name: 'zrank is 0 for the lowest score and null for no member',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      equal(await redis.zrank(key(), 'a'), 0)
      equal(await redis.zrank(key(), 'd'), 3)
      equal(await redis.zrank(key(), 'none'), null)
    },
  },
  {
    name: 'zcount counts both ends',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      equal(await redis.zcount(key(), 2, 3), 2)
      equal(await redis.zcount(key(), -Infinity, Infinity), 4)
      equal(await redis.zcount(key(), 3, 2), 0)
    },
  },
  {
    name: 'zincrBy answers the new score as a number',
    async run({ redis, key }) {
      equal(await redis.zincrBy(key(), 1.5, 'a'), 1.5)
      equal(await redis.zincrBy(key(), -2, 'a'), -0.5)
      equal(await redis.zincrBy(key(), Infinity, 'a'), Infinity)
      await rejects(redis.zincrBy(key(), -Infinity, 'a'), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
      equal(await redis.zscore(key(), 'a'), Infinity)
    },
  },
  {
    name: 'zrem counts what existed, and a sorted set without members is gone',
    async run({ redis, key }) {
      await redis.zadd(key(), abcd)
      equal(await redis.zrem(key(), ['a', 'none', 'b']), 2)
      equal(await redis.zrem(key(), ['c', 'd']), 2)
      equal(await redis.exists(key()), 0)
    },
  },
]
