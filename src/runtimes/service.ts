import type { Infrastructure } from '../config/infrastructure.ts'
import { type Context, InfraError, isInfraError, jsonLogger, withContext } from '../core/index.ts'
import { type HealthGroup, healthHandler } from '../health/index.ts'

type Otherwise = (infra: Infrastructure) => Response | Promise<Response>

/** An infrastructure and its health, for as long as an isolate or an execution environment lives. */
export interface Service {
  /** Rejects as `work` does, and with an InfraError if the configuration is wrong. */
  run<T>(context: Context, work: (infra: Infrastructure) => T | Promise<T>): Promise<T>
  /** Answers `/health` itself, and everything else by `otherwise`. Rejects only if that does. */
  answer(request: Request, context: Context, otherwise?: Otherwise): Promise<Response>
}

/**
 * A configuration that is wrong does not keep a program from starting, since nobody would see why: it is
 * logged once, and every request is refused.
 */
export function startService(
  create: () => Infrastructure,
  healthToken: string | undefined,
): Service {
  try {
    // Inside a context, so that a runtime that has none shows here and not by its first request.
    return working(withContext({}, create), healthToken)
  } catch (error) {
    const { component, code, message } = isInfraError(error) ? error : unexpected()
    jsonLogger.error({ component, code, error: message }, 'start_failed')
    return {
      run: () => Promise.reject(error),
      // The code alone: there is no telling who asks.
      answer: async () => Response.json({ error: code }, { status: 500 }),
    }
  }
}

/** The group is its first part. */
export const healthPath = /^\/health(?:\/(live|ready|startup))?\/?$/

function working(infra: Infrastructure, token: string | undefined): Service {
  // Not the router: it would take Hono along, for four paths.
  const health = healthHandler(infra.health, { token })
  return {
    run: async (context, work) => withContext(context, () => work(infra)),
    answer: async (request, context, otherwise = notFound) => {
      const match = healthPath.exec(new URL(request.url).pathname)
      return withContext(context, () =>
        match === null ? otherwise(infra) : health(request, match[1] as HealthGroup | undefined),
      )
    },
  }
}

function notFound(): Response {
  return Response.json({ error: 'not found' }, { status: 404 })
}

/** Its own message might quote what must not be seen. */
function unexpected(): InfraError {
  return new InfraError({ kind: 'internal', component: 'config', adapter: '-', operation: 'start' })
}
