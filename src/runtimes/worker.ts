import { createInfrastructure } from '../config/auto.edge.ts'
import type { Infrastructure } from '../config/infrastructure.ts'
import { contextOf } from './request-context.ts'
import { type Service, startService } from './service.ts'

/** What Cloudflare hands to every event, as far as it is needed here. */
export interface WorkerContext {
  waitUntil(work: Promise<unknown>): void
}

export interface WorkerOptions<Env extends object, Context extends WorkerContext> {
  /**
   * Answers every request that is not for `/health`. What it does over `infra` has the correlation ID of the
   * request. Default: 404.
   */
  fetch(
    request: Request,
    infra: Infrastructure,
    env: Env,
    context: Context,
  ): Response | Promise<Response>
}

/** What a Worker's module exports as `default`. */
export interface Worker<Env extends object, Context extends WorkerContext> {
  fetch(request: Request, env: Env, context: Context): Promise<Response>
  /** For a Cron Trigger: runs the health checks, so that requests find results that are fresh. */
  scheduled(event: unknown, env: Env, context: Context): Promise<void>
}

/**
 * A Worker whose infrastructure is configured by its bindings and serves `/health`:
 * `export default createWorker({ fetch: (request, infra) => ... })`. The compatibility flag `nodejs_compat` is
 * needed. If the configuration is wrong, every request is answered with 500, and the log says what is.
 */
export function createWorker<
  Env extends object = object,
  Context extends WorkerContext = WorkerContext,
>(options?: WorkerOptions<Env, Context>): Worker<Env, Context> {
  // Once for all requests of an isolate. There is no I/O in it that belongs to one of them.
  let current: { readonly env: Env; readonly service: Service } | undefined

  function serviceFor(env: Env): Service {
    if (current?.env !== env) {
      const { HEALTH_TOKEN } = env as { HEALTH_TOKEN?: string }
      current = {
        env,
        service: startService(
          () => createInfrastructure(env as Record<string, unknown>),
          HEALTH_TOKEN,
        ),
      }
    }
    return current.service
  }

  const contextFor = (context: Context, headers?: Headers) => ({
    ...contextOf(headers),
    waitUntil: (work: Promise<unknown>) => context.waitUntil(work),
  })

  return {
    fetch: (request, env, context) =>
      serviceFor(env).answer(
        request,
        contextFor(context, request.headers),
        options && ((infra) => options.fetch(request, infra, env, context)),
      ),
    async scheduled(_event, env, context) {
      await serviceFor(env).run(contextFor(context), ({ health }) => health.check({ fresh: true }))
    },
  }
}

/** Answers `/health` for what its bindings configure. */
export default createWorker()
