import { equal, ok, rejects } from '../assert.ts'
import { fail, type HealthCase, pass } from './fixture.ts'

const config = { kind: 'config', outcome: 'not-applied', retryable: false } as const
const invalid = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

export const input: readonly HealthCase[] = [
  {
    name: 'a name that is empty, taken, or no name is refused',
    async run({ create }) {
      const checker = create().register('taken', pass)
      for (const name of ['', ' ', 'a:b', 'a\nb', 'a\u0000', '\ud800', 'x'.repeat(129), 'taken']) {
        await rejects(() => checker.register(name, pass), config, JSON.stringify(name))
      }
      for (const name of [undefined, null, 7, {}, ['a']]) {
        await rejects(() => checker.register(name as never, pass), config, String(name))
      }
      equal(Object.keys(await checker.check()), ['taken'])
    },
  },
  {
    name: 'names of what every object has are names like any other',
    async run({ create, look, serve }) {
      const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then']
      const checker = create()
      for (const name of names) checker.register(name, fail, { level: 'degraded' })
      const results = await checker.check()
      equal(Object.keys(results), names)
      equal(Object.getPrototypeOf(results), Object.prototype)
      equal(({} as { status?: unknown }).status, undefined)
      equal(Object.keys((await look(checker)).results), names)
      equal((await serve(checker)()).status, 200)
      await rejects(() => checker.register('__proto__', pass), config)
    },
  },
  {
    name: 'a check that cannot be run, or has options that cannot be, is refused',
    async run({ create }) {
      const checker = create()
      for (const check of [undefined, null, 'check', {}, { health: 'yes' }]) {
        await rejects(() => checker.register('name', check as never), config)
      }
      for (const options of [
        { level: 'fatal' },
        { groups: ['ready', 'steady'] },
        { groups: 'ready' },
        { timeoutMs: 0 },
        { timeoutMs: Number.NaN },
        { timeoutMs: '100' },
        { timeoutMs: 2 ** 31 },
        { ttlMs: -1 },
        { ttlMs: Number.NaN },
      ]) {
        const what = JSON.stringify(options)
        await rejects(() => checker.register('name', pass, options as never), config, what)
      }
      equal(await checker.check(), {})
    },
  },
  {
    name: 'a checker with durations that cannot be is refused',
    async run({ create }) {
      await rejects(() => create({ timeoutMs: 0 }), config)
      await rejects(() => create({ timeoutMs: Number.POSITIVE_INFINITY }), config)
      await rejects(() => create({ ttlMs: -1 }), config)
      await rejects(() => create().setTimeout(Number.NaN), config)
      equal(create().setTimeout(5).timeoutMs, 5)
    },
  },
  {
    name: 'a question with options that cannot be is refused',
    async run({ create }) {
      const checker = create()
      await rejects(checker.check({ group: 'steady' as never }), invalid)
      await rejects(checker.check({ timeoutMs: 0 }), invalid)
      await rejects(checker.isHealthy({ timeoutMs: Number.NaN }), invalid)
      await rejects(checker.check({ signal: {} as never }), invalid)
      await rejects(checker.verifyStartup({ timeoutMs: -1 }), invalid)
    },
  },
  {
    name: 'a token that cannot be is refused, and not repeated',
    async run({ create, serve }) {
      for (const bad of ['', 'two words', 'grün-secret', 'line\nbreak']) {
        const error = await rejects(() => serve(create(), { token: bad }), config)
        ok(bad === '' || !error.message.includes(bad), 'the message has the token')
      }
    },
  },
]
