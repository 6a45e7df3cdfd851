import { equal, ok, rejects } from '../assert.ts'
import { bytesOf, type RedisCase } from './fixture.ts'

export const rawCommands: readonly RedisCase[] = [
  {
    name: 'any command runs by its name, in either case',
    async run({ redis, key }) {
      equal(await redis.command(['SET', key(), 'value']), 'OK')
      equal(await redis.command(['get', key()]), 'value')
      equal(await redis.command(['StrLen', key()]), 5)
    },
  },
  {
    name: 'replies keep their types',
    async run({ redis, key }) {
      equal(await redis.command(['GET', key()]), null, 'nothing')
      equal(await redis.command(['DEL', key()]), 0, 'an integer')
      equal(await redis.command(['LRANGE', key(), 0, -1]), [], 'an empty list')
      equal(await redis.command(['SET', key(), 5]), 'OK', 'a status')
      equal(await redis.command(['GET', key()]), '5', 'text that looks like a number')
      equal(await redis.command(['MGET', key('none'), key()]), [null, '5'], 'a list with a gap')
      equal(await redis.command(['TYPE', key()]), 'string', 'a status that is not OK')
    },
  },
  {
    name: 'replies may be nested',
    async run({ redis, key }) {
      await redis.xadd(key(), { a: '1', b: 'ü' }, { id: '1-0' })
      await redis.xadd(key(), { c: '' }, { id: '2-0' })
      equal(await redis.command(['XRANGE', key(), '-', '+']), [
        ['1-0', ['a', '1', 'b', 'ü']],
        ['2-0', ['c', '']],
      ])
      equal(await redis.command(['XREAD', 'STREAMS', key(), '1-0']), [
        [key(), [['2-0', ['c', '']]]],
      ])
    },
  },
  {
    name: 'with bytes, every string comes as bytes, a status too',
    async run({ redis, key }) {
      equal(await redis.command(['SET', key(), 'OK'], { bytes: true }), bytesOf('OK'))
      equal(await redis.command(['TYPE', key()], { bytes: true }), bytesOf('string'))
      equal(await redis.command(['GET', key()], { bytes: true }), bytesOf('OK'))
      equal(await redis.command(['STRLEN', key()], { bytes: true }), 2)
      equal(await redis.command(['GET', key('none')], { bytes: true }), null)
      await redis.hset(key('hash'), { field: 'ü' })
      equal(await redis.command(['HGETALL', key('hash')], { bytes: true }), [
        bytesOf('field'),
        bytesOf('ü'),
      ])
    },
  },
  {
    name: 'a stored OK is told from the status OK',
    async run({ redis, key }) {
      await redis.rpush(key(), ['OK', 'T0s='])
      equal(await redis.lrange(key(), 0, -1), ['OK', 'T0s='])
      equal(await redis.lrangeBytes(key(), 0, -1), [bytesOf('OK'), bytesOf('T0s=')])
      equal(await redis.command(['LINDEX', key(), 0], { bytes: true }), bytesOf('OK'))
      await redis.set(key('text'), 'OK')
      equal(await redis.getBytes(key('text')), bytesOf('OK'))
      equal(await redis.mgetBytes([key('text')]), [bytesOf('OK')])
    },
  },
  {
    name: 'what would change the shared connection is refused as unsupported',
    async run({ redis, key }) {
      const commands = [
        ['SELECT', 1],
        ['select', 1],
        ['AUTH', 'x'],
        ['HELLO', 3],
        ['MULTI'],
        ['EXEC'],
        ['WATCH', key()],
        ['SUBSCRIBE', key()],
        ['MONITOR'],
        ['CLIENT', 'REPLY', 'OFF'],
        ['QUIT'],
        ['RESET'],
      ]
      for (const command of commands) {
        const expected = { kind: 'unsupported', outcome: 'not-applied' } as const
        await rejects(redis.command(command), expected, String(command[0]))
      }
      equal(await redis.set(key(), 'v'), true)
    },
  },
  {
    name: 'a command that the server does not know is unsupported',
    async run({ redis, key }) {
      await rejects(redis.command(['NOSUCHCOMMAND', key(), 'v']), {
        kind: 'unsupported',
        outcome: 'not-applied',
        retryable: false,
      })
    },
  },
  {
    name: 'a wrong number of arguments and a syntax error are invalid',
    async run({ redis, key }) {
      const invalid = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await rejects(redis.command(['GET']), invalid, 'too few')
      await rejects(redis.command(['GET', key(), key()]), invalid, 'too many')
      await rejects(redis.command(['SET', key(), 'v', 'NOSUCHOPTION']), invalid, 'syntax')
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'a blocking command waits without holding up the others',
    needs: ['blocking'],
    async run({ redis, key }) {
      const waiting = redis.command(['BLPOP', key(), 20], { timeoutMs: 20_000 })
      equal(await redis.set(key('other'), 'v'), true)
      equal(await redis.get(key('other')), 'v')
      await redis.rpush(key(), 'item')
      equal(await waiting, [key(), 'item'])
    },
  },
  {
    name: 'a blocking command answers null when its own time is over',
    needs: ['blocking'],
    async run({ redis, key }) {
      equal(await redis.command(['BLPOP', key(), 0.02]), null)
    },
  },
  {
    name: 'several blocking commands wait side by side',
    needs: ['blocking'],
    async run({ redis, key }) {
      const names = ['a', 'b', 'c', 'd']
      const waiting = names.map((name) =>
        redis.command(['BLPOP', key(name), 20], { timeoutMs: 20_000 }),
      )
      for (const name of names.toReversed()) await redis.rpush(key(name), name)
      equal(
        await Promise.all(waiting),
        names.map((name) => [key(name), name]),
      )
    },
  },
  {
    name: 'a blocking command that gets no answer ends at its deadline',
    needs: ['blocking'],
    async run({ redis, key }) {
      const error = await rejects(redis.command(['BLPOP', key(), 0], { timeoutMs: 50 }), {
        kind: 'timeout',
        retryable: true,
      })
      ok(error.message.includes('50 ms'), `the message names no time: ${error.message}`)
      equal(await redis.set(key('other'), 'v'), true, 'the next call')
    },
  },
  {
    name: 'a blocking command can be aborted while it waits',
    needs: ['blocking'],
    async run({ redis, key }) {
      const abort = new AbortController()
      const waiting = redis.command(['BLPOP', key(), 0], {
        signal: abort.signal,
        timeoutMs: 20_000,
      })
      // A round trip later it has left, too.
      await redis.get(key('other'))
      abort.abort()
      await rejects(waiting, { kind: 'aborted' })
      equal(await redis.set(key('other'), 'v'), true, 'the next call')
    },
  },
  {
    name: 'a blocking command does not go into a pipeline, which it would hold up',
    needs: ['blocking'],
    async run({ redis, key }) {
      const pipeline = redis.pipeline().set(key(), 'v').command(['BLPOP', key(), 1])
      await rejects(pipeline.exec(), { kind: 'unsupported', outcome: 'not-applied' })
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'a blocking command is refused as unsupported where nothing can wait',
    without: 'blocking',
    async run({ redis, key }) {
      const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
      await rejects(redis.command(['BLPOP', key(), 1]), unsupported)
      await rejects(redis.command(['bzpopmin', key(), 1]), unsupported, 'lower case')
      await rejects(() => redis.pipeline().command(['BLPOP', key(), 1]), unsupported, 'pipeline')
    },
  },
]
