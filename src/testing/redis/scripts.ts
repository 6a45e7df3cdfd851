import { equal, ok, rejects } from '../assert.ts'
import { allBytes, type RedisCase } from './fixture.ts'

export const scripts: readonly RedisCase[] = [
  {
    name: 'a script gets its keys and arguments',
    needs: ['scripts'],
    async run({ redis, key }) {
      const script =
        "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1]) .. ARGV[2]"
      equal(await redis.eval(script, [key()], ['größe', 7]), 'größe7')
      equal(await redis.get(key()), 'größe')
      equal(await redis.eval('return #KEYS + #ARGV'), 0)
    },
  },
  {
    name: 'what a script returns keeps its type',
    needs: ['scripts'],
    async run({ redis, key }) {
      const run = (script: string) => redis.eval(script, [key()])
      equal(await run('return 42'), 42, 'an integer')
      equal(await run('return 3.99'), 3, 'a number loses its fraction')
      equal(await run("return 'text'"), 'text', 'text')
      equal(await run("return ''"), '', 'empty text')
      equal(await run('return nil'), null, 'nil')
      equal(await run('return true'), 1, 'true')
      equal(await run('return false'), null, 'false')
      equal(await run("return redis.status_reply('FINE')"), 'FINE', 'a status')
      equal(await run("return redis.call('GET', KEYS[1])"), null, 'a missing key')
      equal(await run('return {}'), [], 'an empty table')
      equal(await run("return { 1, 'a', { 2, { false, 'b' } }, {} }"), [
        1,
        'a',
        [2, [null, 'b']],
        [],
      ])
    },
  },
  {
    name: 'bytes go into a script and come out of it',
    needs: ['scripts', 'bytes'],
    async run({ redis, key }) {
      equal(await redis.eval('return #ARGV[1]', [key()], [allBytes]), 256)
      equal(await redis.command(['EVAL', 'return ARGV[1]', 0, allBytes], { bytes: true }), allBytes)
    },
  },
  {
    name: 'a script that does not compile is invalid',
    needs: ['scripts'],
    async run({ redis }) {
      await rejects(redis.eval('return +'), { kind: 'invalid', retryable: false })
    },
  },
  {
    name: 'an error that a script returns is invalid',
    needs: ['scripts'],
    async run({ redis }) {
      await rejects(redis.eval("return redis.error_reply('CUSTOM no')"), { kind: 'invalid' })
    },
  },
  {
    name: 'a script that fails after a write is not said to have done nothing',
    needs: ['scripts'],
    async run({ redis, key }) {
      const failures = {
        'an error of its own': "error('no')",
        'a command of the wrong type': "redis.call('RPUSH', KEYS[1], 'a')",
        'an unknown command': "redis.call('NOSUCHCOMMAND')",
      }
      for (const [what, failure] of Object.entries(failures)) {
        await redis.del(key())
        const script = `redis.call('SET', KEYS[1], 'written') ${failure}`
        const error = await rejects(redis.eval(script, [key()]), { kind: 'invalid' }, what)
        ok(error.outcome !== 'not-applied', `${what}: the outcome is ${error.outcome}`)
        equal(await redis.get(key()), 'written')
      }
    },
  },
  {
    name: 'an unknown digest is not found',
    needs: ['scripts'],
    async run({ redis }) {
      await rejects(redis.command(['EVALSHA', '0'.repeat(40), 0]), {
        kind: 'not-found',
        outcome: 'not-applied',
      })
    },
  },
  {
    name: 'a script is refused as unsupported where none can run',
    without: 'scripts',
    async run({ redis, key }) {
      const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
      await rejects(redis.eval('return 1', [key()]), unsupported)
      await rejects(redis.command(['EVAL', 'return 1', 0]), unsupported)
    },
  },
]
