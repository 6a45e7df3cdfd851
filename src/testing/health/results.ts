import { InfraError } from '../../core/index.ts'
import type { CheckContext, CheckResult } from '../../health/index.ts'
import { equal, ok } from '../assert.ts'
import { counting, fail, type HealthCase, hang, pass, within } from './fixture.ts'

const unavailable = () => {
  throw new InfraError({
    kind: 'unavailable',
    component: 'redis',
    adapter: 'ioredis',
    operation: 'ping',
    detail: 'the connection was refused',
  })
}

export const wholes: readonly HealthCase[] = [
  {
    name: 'no check at all is healthy',
    async run({ create, look }) {
      const checker = create()
      equal(await look(checker), { code: 200, results: {} })
      equal(await checker.isHealthy(), true)
      await checker.verifyStartup({ timeoutMs: 100 })
    },
  },
  {
    name: 'a check that passes is healthy, with its time, latency and age',
    async run({ create, look }) {
      const { code, results } = await look(create().register('database', pass))
      equal(code, 200)
      equal(Object.keys(results), ['database'])
      const { status, error, latencyMs, time, ageMs } = results.database as CheckResult
      equal([status, error], ['healthy', undefined])
      ok(latencyMs >= 0 && ageMs >= 0, `latency ${latencyMs}, age ${ageMs}`)
      equal(new Date(time).toISOString(), time)
    },
  },
  {
    name: 'a critical check that fails makes the whole unhealthy',
    async run({ create, look }) {
      const checker = create().register('good', pass).register('bad', fail)
      const { code, results } = await look(checker)
      equal([code, results.good?.status, results.bad?.status], [503, 'healthy', 'unhealthy'])
      equal(await checker.isHealthy(), false)
    },
  },
  {
    name: 'one of level degraded makes it degraded, which is served',
    async run({ create, serve, look }) {
      const checker = create().register('bad', fail, { level: 'degraded' })
      const { code, results } = await look(checker)
      equal([code, results.bad?.status], [200, 'degraded'])
      equal(await (await serve(checker)()).json(), { status: 'warn' })
      equal(await checker.isHealthy(), true)
    },
  },
  {
    name: 'one of level info never changes the whole',
    async run({ create, serve, look }) {
      const checker = create().register('bad', fail, { level: 'info' })
      const { code, results } = await look(checker)
      equal([code, results.bad?.status], [200, 'degraded'])
      equal(await (await serve(checker)()).json(), { status: 'pass' })
    },
  },
  {
    name: 'unhealthy outweighs degraded, in whatever order',
    async run({ create, look }) {
      const checker = create()
        .register('first', fail, { level: 'degraded' })
        .register('second', fail)
        .register('third', fail, { level: 'degraded' })
      equal((await look(checker)).code, 503)
    },
  },
  {
    name: 'what has recovered is healthy again, without a restart',
    async run({ create, look }) {
      const { check } = counting((run) => (run === 1 ? fail() : pass()))
      const checker = create().register('database', check)
      equal((await look(checker)).code, 503)
      const { code, results } = await look(checker)
      equal([code, results.database?.status, results.database?.error], [200, 'healthy', undefined])
    },
  },
  {
    name: 'liveness runs no check that is not put there',
    async run({ create, look }) {
      const outside = counting(fail)
      const inside = counting()
      const checker = create().register('database', outside.check)
      equal(await look(checker, '/live'), { code: 200, results: {} })
      checker.register('event loop', inside.check, { groups: ['live'] })
      equal(Object.keys((await look(checker, '/live')).results), ['event loop'])
      equal([outside.runs, inside.runs], [0, 1])
    },
  },
  {
    name: 'each group runs its own checks, and the root all of them',
    async run({ create, look }) {
      const checker = create()
        .register('default', pass)
        .register('starting', pass, { groups: ['startup'] })
        .register('alive', pass, { groups: ['live', 'ready'] })
      const names = async (path: string) => Object.keys((await look(checker, path)).results)
      equal(await names(''), ['default', 'starting', 'alive'])
      equal(await names('/ready'), ['default', 'alive'])
      equal(await names('/startup'), ['default', 'starting'])
      equal(await names('/live'), ['alive'])
    },
  },
  {
    name: 'while it drains it is not ready, but alive',
    async run({ create, serve }) {
      const checker = create().register('database', pass)
      const get = serve(checker)
      equal(checker.draining, false)
      checker.drain()
      checker.drain()
      equal(checker.draining, true)
      const codes = await Promise.all(
        ['', '/ready', '/live', '/startup'].map(async (path) => (await get(path)).status),
      )
      equal(codes, [503, 503, 200, 200])
      equal(await checker.isHealthy({ group: 'ready' }), false)
      equal(await checker.isHealthy({ group: 'live' }), true)
    },
  },
]

export const failures: readonly HealthCase[] = [
  {
    name: 'an error of ours is shown by its code',
    async run({ create, look }) {
      const { results } = await look(create().register('redis', unavailable))
      equal([results.redis?.status, results.redis?.error], ['unhealthy', 'REDIS_UNAVAILABLE'])
    },
  },
  {
    name: 'of any other error nothing is shown',
    async run({ create, look }) {
      const secret = 'redis://:hunter2@internal'
      const { results } = await look(
        create().register('redis', () => {
          throw Object.assign(new Error(secret, { cause: secret }), { code: secret })
        }),
      )
      equal(results.redis?.status, 'unhealthy')
      ok(!JSON.stringify(results).includes('hunter2'), 'the message is shown')
    },
  },
  {
    name: 'whatever is thrown is a failure',
    async run({ create, look }) {
      const circular: { self?: unknown } = {}
      circular.self = circular
      const hostile = new Proxy(Object.create(null), {
        get() {
          throw new Error('do not look at me')
        },
      })
      const getter = {
        get message() {
          throw new Error('do not look at me')
        },
        get code() {
          throw new Error('do not look at me')
        },
      }
      const thrown = ['a string', undefined, null, 0, Symbol('symbol'), circular, hostile, getter]
      const checker = create()
      thrown.forEach((value, i) => {
        checker.register(`throws ${i}`, () => {
          throw value
        })
        checker.register(`rejects ${i}`, () => Promise.reject(value))
      })
      const { code, results } = await look(checker)
      equal(code, 503)
      equal(Object.keys(results).length, 2 * thrown.length)
      for (const [name, { status, error }] of Object.entries(results)) {
        equal([status, error], ['unhealthy', 'the check failed'], name)
      }
    },
  },
  {
    name: 'of a check that settles twice the first time counts',
    async run({ create, look }) {
      const twice = (first: 'resolve' | 'reject') => () => ({
        // biome-ignore lint/suspicious/noThenProperty: a promise of somebody else's making.
        then(resolve: () => void, reject: (error: unknown) => void) {
          if (first === 'resolve') resolve()
          reject('the second time')
          resolve()
        },
      })
      const checker = create()
        .register('passed', twice('resolve'))
        .register('failed', twice('reject'))
      const { results } = await look(checker)
      equal([results.passed?.status, results.failed?.status], ['healthy', 'unhealthy'])
    },
  },
  {
    name: '20 checks that never settle are answered by the deadline',
    async run({ create, look }) {
      const timeoutMs = 150
      const checker = create({ timeoutMs })
      const signals: AbortSignal[] = []
      for (let i = 0; i < 20; i++) {
        checker.register(`hanging ${i}`, ({ signal }) => {
          signals.push(signal)
          return hang()
        })
      }
      checker.register('good', pass)
      const { code, results } = await within(timeoutMs, () => look(checker))
      equal(code, 503)
      equal(results.good?.status, 'healthy')
      equal(results['hanging 19']?.error, 'HEALTH_TIMEOUT')
      equal(Object.values(results).filter(({ status }) => status === 'unhealthy').length, 20)
      equal(signals.filter(({ aborted }) => aborted).length, 20, 'checks that were told to stop')
    },
  },
  {
    name: 'a check that ignores its signal and fails later changes nothing',
    async run({ create, look }) {
      let failLate: (error: Error) => void = () => {}
      const { check } = counting((run) => {
        if (run > 1) return
        return new Promise((_, reject) => {
          failLate = reject
        })
      })
      const checker = create({ timeoutMs: 30, ttlMs: 60_000 }).register('slow', check)
      equal((await look(checker)).results.slow?.error, 'HEALTH_TIMEOUT')
      await checker.check({ fresh: true })
      failLate(new Error('much too late'))
      await Promise.resolve()
      equal((await look(checker)).results.slow?.status, 'healthy')
    },
  },
  {
    name: 'each check has a limit of its own, and is told of it',
    async run({ create, look }) {
      let told: CheckContext | undefined
      const checker = create({ timeoutMs: 10_000 }).register(
        'hanging',
        (context) => {
          told = context
          return hang()
        },
        { timeoutMs: 30 },
      )
      const { results } = await within(30, () => look(checker))
      equal([told?.timeoutMs, results.hanging?.error], [30, 'HEALTH_TIMEOUT'])
      equal((told?.signal.reason as InfraError).code, 'HEALTH_TIMEOUT')
    },
  },
  {
    name: 'setTimeout changes the deadline of the whole',
    async run({ create, look }) {
      const checker = create({ timeoutMs: 10_000 }).register('hanging', hang)
      checker.setTimeout(30)
      equal((await within(30, () => look(checker))).code, 503)
    },
  },
  {
    name: 'a client is a check as it is',
    async run({ create, look }) {
      const client = {
        broken: false,
        async health({ signal, timeoutMs }: CheckContext): Promise<void> {
          ok(signal instanceof AbortSignal && timeoutMs === 700, 'signal or timeoutMs is missing')
          if (this.broken) unavailable()
        },
      }
      const checker = create({ timeoutMs: 700 }).register('client', client)
      equal((await look(checker)).code, 200)
      client.broken = true
      equal((await look(checker)).results.client?.error, 'REDIS_UNAVAILABLE')
    },
  },
]
