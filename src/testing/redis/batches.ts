import type { Reply } from '../../redis/index.ts'
import { equal, ok, rejects, show } from '../assert.ts'
import type { RedisCase } from './fixture.ts'

export const pipelines: readonly RedisCase[] = [
  {
    name: 'results come in the order of the commands, each with its own type',
    async run({ redis, key }) {
      const results: [
        boolean,
        string | null,
        number,
        string[],
        number | null,
        Record<string, string>,
        Reply,
      ] = await redis
        .pipeline()
        .set(key(), 'v')
        .get(key())
        .rpush(key('list'), ['a', 'b'])
        .lrange(key('list'), 0, -1)
        .zscore(key('none'), 'a')
        .hgetAll(key('none'))
        .command(['STRLEN', key()])
        .exec()
      equal(results, [true, 'v', 2, ['a', 'b'], null, {}, 1])
    },
  },
  {
    name: 'an empty one has no results',
    async run({ redis }) {
      equal(await redis.pipeline().exec(), [])
      equal(await redis.pipeline().settle(), [])
      equal(redis.pipeline().length, 0)
    },
  },
  {
    name: 'nothing is sent before exec, and length says what is collected',
    async run({ redis, key }) {
      const pipeline = redis.pipeline().set(key(), 'v').incrBy(key('n'))
      equal(pipeline.length, 2)
      equal(await redis.exists([key(), key('n')]), 0)
      equal(await pipeline.exec(), [true, 1])
    },
  },
  {
    name: 'thousands of commands go through together',
    async run({ redis, key }) {
      const pipeline = redis.pipeline()
      for (let i = 0; i < 2500; i++) pipeline.incrBy(key()).append(key('text'), '.')
      const results = (await pipeline.exec()) as unknown[]
      equal(
        results,
        Array.from({ length: 5000 }, (_, i) => Math.floor(i / 2) + 1),
      )
    },
  },
  {
    name: 'two at once do not mix their results',
    async run({ redis, key }) {
      const [a, b] = await Promise.all([
        redis.pipeline().set(key('a'), 'a').get(key('a')).exec(),
        redis.pipeline().set(key('b'), 'b').get(key('b')).strlen(key('b')).exec(),
      ])
      equal(a, [true, 'a'])
      equal(b, [true, 'b', 1])
    },
  },
  {
    name: 'when a command fails the others are applied, and the error says which',
    async run({ redis, key }) {
      const error = await rejects(
        redis.pipeline().set(key(), 'text').incrBy(key()).append(key(), '!').get(key()).exec(),
        { kind: 'invalid', outcome: 'partial', retryable: false },
      )
      equal(error.operation, 'pipeline')
      const [set, incr, append, get] = error.items ?? []
      equal(set, { status: 'fulfilled', value: true })
      equal(append, { status: 'fulfilled', value: 5 })
      equal(get, { status: 'fulfilled', value: 'text!' })
      ok(incr?.status === 'rejected', `the incrby: ${show(incr)}`)
      await rejects(Promise.reject(incr.reason), {
        kind: 'invalid',
        outcome: 'not-applied',
        retryable: false,
      })
      equal(incr.reason.operation, 'incrby')
      equal(await redis.get(key()), 'text!')
    },
  },
  {
    name: 'a failure among reads leaves nothing behind',
    async run({ redis, key }) {
      await redis.set(key(), 'text')
      const error = await rejects(redis.pipeline().get(key()).llen(key()).exec(), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
      equal(error.items?.[0], { status: 'fulfilled', value: 'text' })
    },
  },
  {
    name: 'when every write was refused nothing was applied',
    async run({ redis, key }) {
      await redis.set(key(), 'text')
      await rejects(redis.pipeline().incrBy(key()).rpush(key(), 'a').get(key()).exec(), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
      equal(await redis.get(key()), 'text')
    },
  },
  {
    name: 'settle gives the failures in their places',
    async run({ redis, key }) {
      const [set, incr, get] = await redis
        .pipeline()
        .set(key(), 'text')
        .incrBy(key())
        .get(key())
        .settle()
      equal(set, { status: 'fulfilled', value: true })
      equal(get, { status: 'fulfilled', value: 'text' })
      ok(incr.status === 'rejected', `the incrby: ${show(incr)}`)
      await rejects(Promise.reject(incr.reason), { kind: 'invalid', outcome: 'not-applied' })
    },
  },
  {
    name: 'a command that the server does not know fails alone',
    async run({ redis, key }) {
      const [set, unknown] = await redis
        .pipeline()
        .set(key(), 'v')
        .command(['NOSUCHCOMMAND', key()])
        .settle()
      equal(set, { status: 'fulfilled', value: true })
      ok(unknown.status === 'rejected', `the unknown command: ${show(unknown)}`)
      equal(unknown.reason.kind, 'unsupported')
    },
  },
  {
    name: 'bad input is refused while collecting, and what was collected stays',
    async run({ redis, key }) {
      const pipeline = redis.pipeline().set(key(), 'v')
      await rejects(() => pipeline.set('', 'v'), { kind: 'invalid', outcome: 'not-applied' })
      await rejects(() => pipeline.command(['MULTI']), { kind: 'unsupported' })
      equal(pipeline.length, 1)
      equal(await pipeline.exec(), [true])
    },
  },
]

export const transactions: readonly RedisCase[] = [
  {
    name: 'results come in the order of the commands, each with its own type',
    async run({ redis, key }) {
      const results: [boolean, number, string | null, Reply] = await redis
        .transaction()
        .set(key(), 1)
        .incrBy(key())
        .get(key())
        .command(['STRLEN', key()])
        .exec()
      equal(results, [true, 2, '2', 1])
    },
  },
  {
    name: 'an empty one has no results',
    async run({ redis }) {
      equal(await redis.transaction().exec(), [])
    },
  },
  {
    name: 'nothing comes between its commands',
    async run({ redis, key }) {
      const clients = 20
      const pairs = await Promise.all(
        Array.from({ length: clients }, () =>
          redis.transaction().incrBy(key()).incrBy(key()).exec(),
        ),
      )
      for (const [first, second] of pairs) equal(second, first + 1)
      equal(await redis.get(key()), String(clients * 2))
    },
  },
  {
    name: 'a command that fails while it runs does not undo the others',
    async run({ redis, key }) {
      const error = await rejects(
        redis.transaction().set(key(), 'text').incrBy(key()).append(key(), '!').exec(),
        { kind: 'invalid', outcome: 'partial', retryable: false },
      )
      equal(error.operation, 'transaction')
      equal(
        error.items?.map((item) => item.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      equal(await redis.get(key()), 'text!')
    },
  },
  {
    name: 'settle gives the failures in their places',
    async run({ redis, key }) {
      const [set, incr] = await redis.transaction().set(key(), 'text').incrBy(key()).settle()
      equal(set, { status: 'fulfilled', value: true })
      ok(incr.status === 'rejected', `the incrby: ${show(incr)}`)
      equal(incr.reason.kind, 'invalid')
    },
  },
  {
    name: 'a command that the server refuses to queue cancels all of it',
    async run({ redis, key }) {
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await rejects(
        redis.transaction().set(key(), 'v').command(['NOSUCHCOMMAND', key()]).exec(),
        refused,
        'an unknown command',
      )
      await rejects(
        redis.transaction().set(key(), 'v').command(['GET']).settle(),
        refused,
        'a wrong number of arguments',
      )
      equal(await redis.get(key()), null)
      equal(await redis.transaction().set(key(), 'after').exec(), [true])
    },
  },
]

export const ordering: readonly RedisCase[] = [
  {
    name: 'calls of one tick run in the order in which they were made',
    async run({ redis, key }) {
      const replies = await Promise.all(Array.from({ length: 100 }, () => redis.incrBy(key())))
      equal(
        replies,
        Array.from({ length: 100 }, (_, i) => i + 1),
      )
    },
  },
  {
    name: 'a read sees the write before it that nobody awaited',
    async run({ redis, key }) {
      const written = redis.set(key(), 'first')
      const first = redis.get(key())
      const overwritten = redis.set(key(), 'second')
      const second = redis.get(key())
      equal(await Promise.all([written, first, overwritten, second]), [
        true,
        'first',
        true,
        'second',
      ])
    },
  },
  {
    name: 'pipelines and transactions keep their place among single calls',
    async run({ redis, key }) {
      const calls = [
        redis.set(key(), '1'),
        redis.pipeline().get(key()).append(key(), '2').exec(),
        redis.append(key(), '3'),
        redis.transaction().append(key(), '4').get(key()).exec(),
        redis.append(key(), '5'),
        redis.get(key()),
      ]
      equal(await Promise.all(calls), [true, ['1', 2], 3, [4, '1234'], 5, '12345'])
    },
  },
  {
    name: 'the first calls of a client keep their order while it connects',
    async run({ create, key }) {
      const redis = create()
      const calls = [
        redis.append(key(), '1'),
        redis.transaction().append(key(), '2').get(key()).exec(),
        redis.append(key(), '3'),
        redis.pipeline().append(key(), '4').get(key()).exec(),
        redis.get(key()),
      ]
      equal(await Promise.all(calls), [1, [2, '12'], 3, [4, '1234'], '1234'])
    },
  },
  {
    name: 'a call that fails does not disturb those around it',
    async run({ redis, key }) {
      await redis.set(key('text'), 'text')
      const before = redis.incrBy(key())
      const failing = rejects(redis.incrBy(key('text')), { kind: 'invalid' })
      const after = redis.incrBy(key())
      await failing
      equal(await Promise.all([before, after]), [1, 2])
    },
  },
  {
    name: 'answers reach their own callers',
    async run({ redis, key }) {
      const names = Array.from({ length: 50 }, (_, i) => `k${i}`)
      await Promise.all(names.map((name) => redis.set(key(name), name)))
      equal(
        await Promise.all(names.toReversed().map((name) => redis.get(key(name)))),
        names.toReversed(),
      )
    },
  },
  {
    name: 'big and small calls of one tick stay in order',
    async run({ redis, key }) {
      const big = 'x'.repeat(300_000)
      const calls = [
        redis.append(key(), 'a'),
        redis.append(key(), big),
        redis.append(key(), big),
        redis.append(key(), 'z'),
      ]
      equal(await Promise.all(calls), [1, 300_001, 600_001, 600_002])
    },
  },
]
