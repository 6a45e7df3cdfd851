import { equal, ok, rejects } from '../assert.ts'
import { counting, fail, type HealthCase, hang, pass, within } from './fixture.ts'

export const startup: readonly HealthCase[] = [
  {
    name: 'verifyStartup asks until everything critical works',
    async run({ create }) {
      const slow = counting((run) => (run < 3 ? fail() : pass()))
      const other = counting(fail)
      await create({ ttlMs: 60_000 })
        .register('slow', slow.check)
        .register('optional', fail, { level: 'degraded' })
        .register('not yet', other.check, { groups: ['ready'] })
        .verifyStartup({ timeoutMs: 10_000 })
      equal([slow.runs, other.runs], [3, 0])
    },
  },
  {
    name: 'it names each component that fails, and why, and no other',
    async run({ create }) {
      const checker = create({ timeoutMs: 50 })
        .register('works', pass)
        .register('database', fail)
        .register('queue', hang)
        .register('optional', fail, { level: 'info' })
      const error = await within(300, () =>
        rejects(checker.verifyStartup({ timeoutMs: 300 }), { kind: 'unavailable' }),
      )
      equal(error.component, 'health')
      ok(error.message.includes('database (the check failed)'), error.message)
      ok(error.message.includes('queue (HEALTH_TIMEOUT)'), error.message)
      ok(!/works|optional|out of order/.test(error.message), error.message)
    },
  },
]
