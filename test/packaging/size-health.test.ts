import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'
import { workerSize } from './worker-size.ts'

const project = await installPackage()
await project.link('hono')
afterAll(() => project.remove())

const health = `
  import { HealthChecker, healthHandler } from 'dualport/health'
  const checker = new HealthChecker().register('origin', async ({ signal }) => {
    if (!(await fetch('https://origin.example', { signal })).ok) throw new Error('not ok')
  })
  const handle = healthHandler(checker)
  export default { fetch: (request) => handle(request) }
`

const healthOfRedis = `
  import { Hono } from 'hono'
  import { HealthChecker } from 'dualport/health'
  import { healthRouter } from 'dualport/health/router'
  import { Redis } from 'dualport/redis'
  import { rest } from 'dualport/redis/rest'
  let app
  export default {
    fetch(request, env) {
      if (app === undefined) {
        const redis = new Redis(rest({ url: env.REDIS_URL, token: env.REDIS_TOKEN }))
        const checker = new HealthChecker().register('redis', redis)
        app = new Hono()
        app.route('/health', healthRouter(checker, { token: env.HEALTH_TOKEN }))
        app.get('/', async (c) => c.text(await redis.get('greeting')))
      }
      return app.fetch(request)
    },
  }
`

test.for([
  { what: 'core and health', source: health, limit: 8 },
  { what: 'Hono, health, Redis and rest', source: healthOfRedis, limit: 25 },
])('a Worker with $what stays small', async ({ what, source, limit }, { task }) => {
  // As wrangler.toml has it: nothing here needs the names of functions, which cost more than 1 KB.
  await project.write('wrangler.toml', 'keep_names = false')
  const kilobytes = (await workerSize(project, source)) / 1024
  await project.write('wrangler.toml', '')
  const withNames = (await workerSize(project, source)) / 1024
  task.meta.report =
    `Worker with ${what}: ${kilobytes.toFixed(2)} KB gzip, of ${limit}; ` +
    `${withNames.toFixed(2)} with the names of functions, which wrangler keeps by default`
  expect(kilobytes).toBeLessThanOrEqual(limit)
})
