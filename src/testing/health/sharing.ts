import { withContext } from '../../core/index.ts'
import { equal, ok, rejects, until } from '../assert.ts'
import { bearer, counting, fail, type HealthCase, hang, held, token, within } from './fixture.ts'

export const sharing: readonly HealthCase[] = [
  {
    name: '1,000 requests at once make one probe of each check',
    needs: ['sharedProbes'],
    async run({ create, serve }) {
      const first = counting(() => new Promise((resolve) => setTimeout(resolve, 5)))
      const second = counting(fail)
      const checker = create({ ttlMs: 60_000 })
        .register('first', first.check)
        .register('second', second.check, { level: 'degraded' })
      const get = serve(checker, { token })
      const codes = await Promise.all(
        Array.from({ length: 1000 }, async () => (await get('', bearer)).status),
      )
      equal(new Set(codes), new Set([200]))
      equal([first.runs, second.runs], [1, 1])
    },
  },
  {
    name: 'requests at once do not wait for one another, and share what is known',
    without: 'sharedProbes',
    async run({ create, serve }) {
      const counted = counting(() => new Promise((resolve) => setTimeout(resolve, 5)))
      const get = serve(create({ ttlMs: 60_000 }).register('database', counted.check))
      const ask20 = () => Promise.all(Array.from({ length: 20 }, async () => (await get()).status))
      equal(await ask20(), Array(20).fill(200))
      equal(counted.runs, 20)
      equal(await ask20(), Array(20).fill(200))
      equal(counted.runs, 20)
    },
  },
  {
    name: 'within the TTL a result serves everybody, and says how old it is',
    async run({ create, look }) {
      const counted = counting()
      const checker = create({ ttlMs: 60_000 }).register('database', counted.check)
      const first = await look(checker)
      await new Promise((resolve) => setTimeout(resolve, 20))
      const second = await look(checker, '/ready')
      equal(counted.runs, 1)
      equal(second.results.database?.time, first.results.database?.time)
      ok((second.results.database?.ageMs ?? 0) >= 10, 'it claims to be fresh')
    },
  },
  {
    name: 'a failure is shared like a success',
    async run({ create, look }) {
      const counted = counting(fail)
      const checker = create({ ttlMs: 60_000 }).register('database', counted.check)
      await look(checker)
      equal((await look(checker)).code, 503)
      equal(counted.runs, 1)
    },
  },
  {
    name: 'after the TTL a check runs again',
    async run({ create }) {
      const counted = counting()
      const checker = create().register('database', counted.check, { ttlMs: 20 })
      await until(async () => {
        await checker.check()
        return counted.runs === 2
      }, 'a second run')
    },
  },
  {
    name: 'a TTL of 0 asks each time, and so does fresh',
    async run({ create }) {
      const always = counting()
      const cached = counting()
      const checker = create()
        .register('always', always.check)
        .register('cached', cached.check, { ttlMs: 60_000 })
      await checker.check()
      await checker.check()
      equal([always.runs, cached.runs], [2, 1])
      await checker.check({ fresh: true })
      equal([always.runs, cached.runs], [3, 2])
    },
  },
  {
    name: 'what one caller does with the results, no other sees',
    async run({ create }) {
      const checker = create({ ttlMs: 60_000 }).register('database', () => {})
      const mine: Record<string, object> = await checker.check()
      Object.assign(mine.database ?? {}, { status: 'mine' })
      mine.other = {}
      const yours = await checker.check()
      equal([Object.keys(yours), yours.database?.status], [['database'], 'healthy'])
    },
  },
  {
    name: 'when a caller gives up, the probe goes on for the others',
    needs: ['sharedProbes'],
    async run({ create }) {
      const check = held()
      const checker = create().register('database', check.check)
      const abort = new AbortController()
      const leaves = rejects(checker.check({ signal: abort.signal }), { kind: 'aborted' })
      const stays = checker.check()
      abort.abort()
      await leaves
      check.pass()
      equal((await stays).database?.status, 'healthy')
      equal(check.runs(), 1)
    },
  },
  {
    name: 'the context of the caller that came first is not that of the probe',
    needs: ['sharedProbes'],
    async run({ create }) {
      const inner = create({ timeoutMs: 5000 }).register('inner', hang)
      const check = held()
      const checker = create()
        .register('database', check.check)
        // Would end with the first caller, if it ran in its context.
        .register('nested', () => Promise.race([inner.check(), check.check({} as never)]))
      const abort = new AbortController()
      const leaves = withContext({ signal: abort.signal }, () =>
        rejects(checker.check(), { kind: 'aborted' }),
      )
      const stays = checker.check()
      abort.abort()
      await leaves
      check.pass()
      equal((await stays).nested?.status, 'healthy')
    },
  },
  {
    name: 'a deadline of the context bounds the wait',
    async run({ create }) {
      const checker = create({ timeoutMs: 10_000 }).register('hanging', hang)
      const results = await within(50, () =>
        withContext({ deadline: Date.now() + 50 }, () => checker.check()),
      )
      equal(results.hanging?.error, 'HEALTH_TIMEOUT')
    },
  },
  {
    name: 'a caller in a hurry does not make it fail for the others',
    needs: ['sharedProbes'],
    async run({ create }) {
      const check = held()
      const checker = create({ ttlMs: 60_000 }).register('database', check.check)
      const patient = checker.check({ timeoutMs: 10_000 })
      const hasty = await within(20, () => checker.check({ timeoutMs: 20 }))
      equal(hasty.database?.error, 'HEALTH_TIMEOUT')
      check.pass()
      equal((await patient).database?.status, 'healthy')
      equal((await checker.check()).database?.status, 'healthy')
      equal(check.runs(), 1)
    },
  },
  {
    name: 'a signal that has fired already starts nothing',
    async run({ create }) {
      const counted = counting()
      const checker = create().register('database', counted.check)
      await rejects(checker.check({ signal: AbortSignal.abort() }), { kind: 'aborted' })
      await rejects(checker.isHealthy({ signal: AbortSignal.abort() }), { kind: 'aborted' })
      equal(counted.runs, 0)
    },
  },
  {
    name: 'a request that is aborted leaves a good answer for the next one',
    needs: ['abort'],
    async run({ create, serve }) {
      const check = held()
      const get = serve(create({ ttlMs: 60_000 }).register('database', check.check))
      const abort = new AbortController()
      const aborted = Promise.allSettled([get('', { signal: abort.signal })])
      await until(async () => check.runs() === 1, 'the probe runs')
      abort.abort()
      await aborted
      check.pass()
      equal((await get()).status, 200)
    },
  },
]
