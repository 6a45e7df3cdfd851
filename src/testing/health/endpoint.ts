import type { HealthHandlerOptions } from '../../health/index.ts'
import { equal, ok } from '../assert.ts'
import { bearer, fail, type HealthCase, hang, pass, token, within } from './fixture.ts'

interface Detail {
  readonly status: string
  readonly componentType?: string
  readonly observedValue: number
  readonly observedUnit: string
  readonly time: string
  readonly output?: string
}

export const endpoint: readonly HealthCase[] = [
  {
    name: 'strangers are told the status and nothing else',
    async run({ create, serve }) {
      const checker = create().register('secret-database', fail, { level: 'degraded' })
      for (const options of [{}, { token }, { authorize: () => false }]) {
        const get = serve(checker, options)
        equal(await (await get()).json(), { status: 'warn' })
        equal(await (await get('/ready?format=map')).json(), { status: 'degraded' })
        equal(await (await get('/live')).json(), { status: 'pass' })
      }
    },
  },
  {
    name: 'the token shows the checks, another one does not',
    async run({ create, serve }) {
      const get = serve(create().register('database', pass), { token })
      const shows = async (authorization: string) => {
        const response = await get('', { headers: { authorization } })
        equal(response.status, 200)
        return 'checks' in ((await response.json()) as object)
      }
      equal(await shows(`Bearer ${token}`), true)
      equal(await shows(`bearer ${token}`), true)
      for (const wrong of [
        `Bearer ${token}x`,
        `Bearer ${token.slice(0, -1)}`,
        `Bearer ${token.toUpperCase()}`,
        `Basic ${token}`,
        token,
        'Bearer ',
        'Bearer undefined',
      ]) {
        equal(await shows(wrong), false, wrong)
      }
    },
  },
  {
    name: 'a function decides who sees the checks; anything but a yes in time is a no',
    async run({ create, serve }) {
      const checker = create({ timeoutMs: 100 }).register('database', pass)
      const shows = async (authorize: HealthHandlerOptions['authorize']) => {
        const response = await within(100, () =>
          serve(checker, { authorize })('', { headers: { 'x-role': 'operator' } }),
        )
        equal(response.status, 200)
        return 'checks' in ((await response.json()) as object)
      }
      equal(await shows((request) => request.headers.get('x-role') === 'operator'), true)
      equal(await shows(async () => true), true)
      equal(await shows((request) => request.headers.get('x-role') === 'nobody'), false)
      equal(await shows(async () => false), false)
      equal(await shows(() => 'yes' as never), false)
      equal(await shows(() => Promise.reject(new Error('no'))), false)
      equal(
        await shows(() => {
          throw new Error('no')
        }),
        false,
      )
      equal(await shows(hang), false)
    },
  },
  {
    name: 'the body is application/health+json as the draft has it',
    async run({ create, serve }) {
      const checker = create()
        .register('database', pass, { componentType: 'datastore' })
        .register('mail', fail, { level: 'degraded' })
      const response = await serve(checker, { token })('', bearer)
      equal(response.status, 200)
      ok(
        /^application\/health\+json\b/.test(response.headers.get('content-type') ?? ''),
        `its type is ${response.headers.get('content-type')}`,
      )
      equal(response.headers.get('cache-control'), 'no-store')
      const { status, checks, ...rest } = (await response.json()) as {
        status: string
        checks: Record<string, Detail[]>
      }
      equal([status, rest], ['warn', {}])
      equal(Object.keys(checks), ['database:responseTime', 'mail:responseTime'])
      const [database, mail] = Object.values(checks).flat() as [Detail, Detail]
      for (const { observedValue, observedUnit, time } of [database, mail]) {
        ok(typeof observedValue === 'number', 'observedValue is not a number')
        equal([observedUnit, new Date(time).toISOString()], ['ms', time])
      }
      equal([database.status, database.componentType], ['pass', 'datastore'])
      ok(!('output' in database), 'there is output, though it passed')
      equal([mail.status, mail.output], ['warn', 'the check failed'])
    },
  },
  {
    name: 'a failure is 503 and fail, and draining is told to those who may know',
    async run({ create, serve }) {
      const checker = create().register('database', fail)
      const get = serve(checker, { token })
      const response = await get('/ready')
      equal([response.status, await response.json()], [503, { status: 'fail' }])
      equal(response.headers.get('cache-control'), 'no-store')
      checker.drain()
      const { output } = (await (await get('/ready', bearer)).json()) as { output: string }
      equal(output, 'draining')
    },
  },
  {
    name: 'the map is what check gives',
    async run({ create, serve }) {
      const checker = create({ ttlMs: 60_000 }).register('good', pass).register('bad', fail)
      const response = await serve(checker, { token })('?format=map', bearer)
      equal(response.status, 503)
      ok(
        /^application\/json\b/.test(response.headers.get('content-type') ?? ''),
        `its type is ${response.headers.get('content-type')}`,
      )
      const ageless = (results: object) =>
        Object.entries(results).map(([name, result]) => [name, { ...result, ageMs: 0 }])
      equal(ageless((await response.json()) as object), ageless(await checker.check()))
    },
  },
  {
    name: 'HEAD is GET without a body; other methods are refused',
    async run({ create, serve }) {
      const get = serve(create().register('database', fail))
      for (const [path, status] of [
        ['', 503],
        ['/live', 200],
        ['/ready?format=map', 503],
        ['/startup', 503],
      ] as const) {
        const response = await get(path, { method: 'HEAD' })
        equal([response.status, await response.text()], [status, ''], path)
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
          const refused = await get(path, { method })
          equal([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'], method)
        }
      }
    },
  },
  {
    name: 'a query that means nothing here is ignored',
    async run({ create, serve }) {
      const get = serve(create().register('database', pass))
      for (const query of ['?', '?x=1', '?format=', '?format=xml', '?%', '?a=b&format=map&c']) {
        equal((await get(`/ready${query}`)).status, 200, query)
      }
    },
  },
]
