import { setImmediate } from 'node:timers/promises'
import { createInfrastructure } from '../config/auto.node.ts'
import type { Infrastructure } from '../config/infrastructure.ts'
import { type Context, isInfraError, jsonLogger } from '../core/index.ts'
import { exchangeOf, type HttpResult, headersOf, isEventBridgeEvent } from './lambda/events.ts'
import { contextOf } from './request-context.ts'
import { startService } from './service.ts'

export type { Infrastructure } from '../config/infrastructure.ts'
export type { HttpResult } from './lambda/events.ts'

/** What Lambda says of an invocation, as far as it is needed here. */
export interface LambdaContext {
  readonly awsRequestId: string
  getRemainingTimeInMillis(): number
}

export interface LambdaOptions {
  /** Answers every request that is not for `/health`. Default: 404. */
  readonly fetch?: (
    request: Request,
    infra: Infrastructure,
    context: LambdaContext,
  ) => Response | Promise<Response>
}

/** How long the Init phase waits for connections, in milliseconds: Lambda gives it 10 s in all. */
const warmMs = 2000
/** What an invocation keeps for handing back its result, in milliseconds. */
const reserveMs = 100

// Once for each execution environment: connections outlive invocations.
const service = startService(() => createInfrastructure(process.env), process.env.HEALTH_TOKEN)
// Whoever imports this elsewhere, for tests say, connects to nothing before there is an event.
if (process.env.AWS_LAMBDA_RUNTIME_API !== undefined) {
  process.once('SIGTERM', () => void stop())
  await warm()
}

/**
 * A handler of your own: `export const handler = lambdaHandler(async (event, context, infra) => ...)`. `infra` is
 * configured by the environment and shared by all invocations. What `work` does over it is over shortly
 * before the invocation is, and logs with the event's `x-correlation-id`, or else the ID of the invocation.
 * Rejects as `work` does, and with an InfraError if the configuration is wrong.
 */
export function lambdaHandler<Event, Result>(
  work: (event: Event, context: LambdaContext, infra: Infrastructure) => Result | Promise<Result>,
): (event: Event, context: LambdaContext) => Promise<Result> {
  return async (event, context) => {
    await thawed()
    return service.run(contextFor(event, context), (infra) => work(event, context, infra))
  }
}

const refresh = lambdaHandler((_event, _context, infra) => infra.health.check({ fresh: true }))

/**
 * A handler of HTTP events, whether from API Gateway (REST and HTTP APIs), a function URL or a load
 * balancer, that answers `/health` itself. For an event of EventBridge it runs the health checks and returns
 * nothing; whatever else comes is answered with 400. If the configuration is wrong, every request is answered
 * with 500, and the log says what is.
 */
export function createLambda({
  fetch,
}: LambdaOptions = {}): (
  event: unknown,
  context: LambdaContext,
) => Promise<HttpResult | undefined> {
  return async (event, context) => {
    if (isEventBridgeEvent(event)) {
      await refresh(event, context)
      return undefined
    }
    const exchange = exchangeOf(event)
    if (exchange === undefined) return refused(context)
    const { request } = exchange
    await thawed()
    const response = await service.answer(
      request,
      contextFor(event, context),
      fetch && ((infra) => fetch(request, infra, context)),
    )
    return exchange.toResult(response)
  }
}

/** Answers `/health` for what the environment configures. */
export const handler = createLambda()

/**
 * Until what else came in while the process was frozen has been dealt with: a connection that the server closed
 * is replaced then, and not written to. Its end is known two turns of the event loop later; one is to spare.
 */
async function thawed(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate()
}

function contextFor(event: unknown, context: LambdaContext): Context {
  const { correlationId = context.awsRequestId, traceparent } = contextOf(headersOf(event))
  const deadline = Date.now() + context.getRemainingTimeInMillis() - reserveMs
  return { correlationId, traceparent, deadline }
}

function refused({ awsRequestId }: LambdaContext): HttpResult {
  jsonLogger.warn({ component: 'lambda', correlationId: awsRequestId }, 'event_refused')
  return {
    statusCode: 400,
    headers: { 'content-type': 'application/json' },
    body: '{"error":"the event is no HTTP request"}',
    isBase64Encoded: false,
  }
}

/** A backend that is down now may be back for the first invocation, which says so if it is not. */
async function warm(): Promise<void> {
  const warmed = service
    .run({ deadline: Date.now() + warmMs }, (infra) => infra.warm())
    .catch((error: unknown) => {
      const reason = isInfraError(error) ? error.message : 'unexpected'
      jsonLogger.warn({ component: 'lambda', error: reason }, 'warm_failed')
    })
  // Node loads all of fetch with it: now, while the connections open, and not during the first invocation.
  await setImmediate()
  new Response()
  await warmed
}

async function stop(): Promise<void> {
  try {
    await service.run({}, (infra) => infra.close())
  } finally {
    process.exit()
  }
}
