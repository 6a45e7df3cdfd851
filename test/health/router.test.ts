import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { HealthChecker, healthHandler } from '../../src/health/index.ts'
import { healthRouter } from '../../src/health/router.ts'
import { serveHttp } from './http.ts'
import { suite } from './suite.ts'

const capabilities = { sharedProbes: true, abort: true }

suite('through the router alone', {
  capabilities,
  url: 'http://localhost',
  serve: (checker, options) => healthRouter(checker, options).fetch,
})

suite('mounted below a path of an application', {
  capabilities,
  url: 'http://localhost/internal/health',
  serve: (checker, options) =>
    new Hono()
      .get('/internal/other', (c) => c.text('other'))
      .route('/internal/health', healthRouter(checker, options)).fetch,
})

const served: Hono[] = []
const url = await serveHttp((request) => {
  const router = served[Number(request.headers.get('x-router'))]
  return router?.fetch(request) ?? new Response(null, { status: 404 })
})

suite('over HTTP', {
  capabilities,
  url: `${url}/health`,
  serve(checker, options) {
    const index = served.push(new Hono().route('/health', healthRouter(checker, options))) - 1
    return (request) => {
      request.headers.set('x-router', `${index}`)
      return fetch(request)
    }
  },
})

test('a path that the router does not have belongs to the application', async () => {
  const app = new Hono()
    .route('/health', healthRouter(new HealthChecker()))
    .notFound((c) => c.text('not here', 404))
  for (const path of ['/health/', '/health/other', '/health/live/x', '/healthy', '/']) {
    const response = await app.request(path)
    expect([path, response.status, await response.text()]).toEqual([path, 404, 'not here'])
  }
})

test('the handler needs no router', async () => {
  const checker = new HealthChecker({ logger: false }).register('database', () => {
    throw new Error('down')
  })
  const handle = healthHandler(checker)
  expect((await handle(new Request('http://localhost/anything'))).status).toBe(503)
  expect((await handle(new Request('http://localhost/anything'), 'live')).status).toBe(200)
})
