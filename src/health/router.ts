import { Hono } from 'hono'
import type { HealthChecker } from './checker.ts'
import { type HealthHandlerOptions, healthHandler } from './handler.ts'

/**
 * `healthHandler` at `/`, `/live`, `/ready` and `/startup`, to mount into an application of Hono:
 * `app.route('/health', healthRouter(checker))`.
 * @throws InfraError `HEALTH_CONFIG` for a token that cannot be.
 */
export function healthRouter(checker: HealthChecker, options?: HealthHandlerOptions): Hono {
  const handle = healthHandler(checker, options)
  const app = new Hono({ strict: false })
  app.all('/', (c) => handle(c.req.raw))
  for (const group of ['live', 'ready', 'startup'] as const) {
    app.all(`/${group}`, (c) => handle(c.req.raw, group))
  }
  return app
}
