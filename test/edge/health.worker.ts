import { Hono } from 'hono'
import { rest } from '../../adapters/redis/rest.ts'
import { HealthChecker } from '../../src/health/index.ts'
import { healthRouter } from '../../src/health/router.ts'
import { Redis } from '../../src/redis/index.ts'
import { type HealthTarget, healthSuite, runCase } from '../../src/testing/index.ts'

interface Env {
  readonly REDIS_URL: string
  readonly REDIS_TOKEN: string
}

const target: HealthTarget = {
  capabilities: { sharedProbes: false, abort: true },
  url: 'http://localhost/health',
  serve: (checker, options) => new Hono().route('/health', healthRouter(checker, options)).fetch,
}

/** One checker and one client for all requests, as a Worker would have them. */
const checker = new HealthChecker({ timeoutMs: 3000, ttlMs: 20, logger: false })
const app = new Hono().route('/health', healthRouter(checker, { authorize: () => true }))
let redis: Redis | undefined

function register({ REDIS_URL, REDIS_TOKEN }: Env): void {
  redis = new Redis(rest({ url: REDIS_URL, token: REDIS_TOKEN }), { logger: false })
  checker
    .register('redis', redis)
    .register('hanging', () => new Promise(() => {}), { level: 'degraded', timeoutMs: 60 })
    .register('timer', () => new Promise((resolve) => setTimeout(resolve, 15)))
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (redis === undefined) register(env)
    const name = new URL(request.url).searchParams.get('case')
    if (name === null) return app.fetch(request)
    const found = healthSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(healthSuite, found, target)
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
