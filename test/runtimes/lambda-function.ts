import { Hono } from 'hono'
import { isInfraError } from '../../src/core/index.ts'
import { healthRouter } from '../../src/health/router.ts'
import { createLambda, type LambdaContext, lambdaHandler } from '../../src/runtimes/lambda.ts'
import { type HealthTarget, healthSuite, runCase } from '../../src/testing/index.ts'

/** A function of a user's, for the tests: `index.increment`, `index.patient`, `index.suite`. */

export const increment = lambdaHandler(({ key }: { key: string }, _context, infra) =>
  infra.redis.incrBy(key),
)

/** Waits for Redis as long as it can, and says what it has left then. */
export const patient = lambdaHandler(async (_event: object, context, infra) => {
  const error: unknown = await infra.redis.incrBy('n').catch((error: unknown) => error)
  return {
    code: isInfraError(error) ? error.code : undefined,
    leftMs: context.getRemainingTimeInMillis(),
  }
})

const apps = new Map<string, Hono>()

/** Serves the health of whatever checker the case has made. */
const serving = createLambda({
  fetch: (request) => {
    const app = apps.get(request.headers.get('x-app') ?? '')
    return app === undefined ? new Response(null, { status: 404 }) : app.fetch(request)
  },
})

/** Runs a case of the health suite, whose requests come as events and leave as results. */
export async function suite({ name }: { name: string }, context: LambdaContext): Promise<object> {
  const found = healthSuite.cases.find((each) => each.name === name)
  if (found === undefined) return { passed: false, error: 'there is no such case' }
  const target: HealthTarget = {
    capabilities: { sharedProbes: true, abort: false },
    url: 'https://lambda.example/suite',
    serve(checker, options) {
      const id = String(apps.size)
      apps.set(id, new Hono().route('/suite', healthRouter(checker, options)))
      return async (request) => {
        const { pathname, search, host } = new URL(request.url)
        const event = {
          version: '2.0',
          rawPath: pathname,
          rawQueryString: search.slice(1),
          headers: { ...Object.fromEntries(request.headers), host, 'x-app': id },
          requestContext: { http: { method: request.method }, stage: '$default' },
          ...(request.body !== null && { body: await request.text() }),
        }
        const { statusCode, body, headers } = (await serving(event, context))!
        const empty = body === '' || statusCode === 204
        return new Response(empty ? null : body, { status: statusCode, headers: { ...headers } })
      }
    },
  }
  try {
    await runCase(healthSuite, found, target)
    return { passed: true }
  } catch (error) {
    return { passed: false, error: (error as Error).stack }
  }
}
