import type { HealthChecker, HealthReport } from './checker.ts'
import { failed } from './errors.ts'
import type { HealthGroup, HealthStatus } from './registered.ts'
import { settledBy } from './wait.ts'

export interface HealthHandlerOptions {
  /** Whoever sends it as `Authorization: Bearer ...` is shown the checks. Printable ASCII without spaces. */
  token?: string | undefined
  /** Whether this request may be shown the checks. What throws, rejects or takes too long is a no. */
  authorize?: ((request: Request) => boolean | Promise<boolean>) | undefined
}

/** Answers for one group, or for all checks without one. Never rejects. */
export type HealthHandler = (request: Request, group?: HealthGroup) => Promise<Response>

/**
 * The health endpoint without a router: 200 or 503 for GET and HEAD, 405 for the rest, and in the body
 * the status; the checks too for those who may see them. `application/health+json`
 * (draft-inadarei-api-health-check-06), or with `?format=map` the results of `check()` by name.
 * @throws InfraError `HEALTH_CONFIG` for a token that cannot be.
 */
export function healthHandler(
  checker: HealthChecker,
  { token, authorize }: HealthHandlerOptions = {},
): HealthHandler {
  if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))) {
    throw failed('config', 'token is not printable ASCII without spaces')
  }

  async function mayLook(request: Request): Promise<boolean> {
    if (token !== undefined) {
      const given = /^bearer ([\x21-\x7e]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      if (given !== undefined && (await same(given, token))) return true
    }
    return (await authorize?.(request)) === true
  }

  return async (request, group) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, {
        status: 405,
        headers: { allow: 'GET, HEAD', 'cache-control': 'no-store' },
      })
    }
    let report: HealthReport
    let authorised: boolean | undefined
    try {
      const due = performance.now() + checker.timeoutMs
      ;[report, authorised] = await Promise.all([
        checker.report({ group, signal: request.signal }),
        settledBy(
          mayLook(request).catch(() => false),
          due,
        ),
      ])
    } catch {
      // The caller has left, so nobody reads this.
      return new Response(null, { status: 499 })
    }
    const { status, checks } = report
    const map = new URL(request.url).searchParams.get('format') === 'map'
    const shown = !authorised
      ? { status: map ? status : words[status] }
      : map
        ? checks
        : healthJson(report)
    return new Response(request.method === 'HEAD' ? null : JSON.stringify(shown), {
      status: status === 'unhealthy' ? 503 : 200,
      headers: {
        'content-type': map ? 'application/json' : 'application/health+json',
        'cache-control': 'no-store',
      },
    })
  }
}

/** Digests are of one length and say nothing about what they are of, so neither does the time that this takes. */
async function same(a: string, b: string): Promise<boolean> {
  const [x, y] = (await Promise.all([digest(a), digest(b)])) as [Uint8Array, Uint8Array]
  return x.reduce((difference, byte, i) => difference | (byte ^ (y[i] as number)), 0) === 0
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

const words: Readonly<Record<HealthStatus, string>> = {
  healthy: 'pass',
  degraded: 'warn',
  unhealthy: 'fail',
}

/** draft-inadarei-api-health-check-06. */
function healthJson({ status, draining, checks }: HealthReport): object {
  return {
    status: words[status],
    output: draining ? 'draining' : undefined,
    checks: Object.fromEntries(
      Object.entries(checks).map(([name, { status, error, latencyMs, time, componentType }]) => [
        `${name}:responseTime`,
        [
          {
            componentType,
            observedValue: latencyMs,
            observedUnit: 'ms',
            status: words[status],
            time,
            output: error,
          },
        ],
      ]),
    ),
  }
}
