import type { Logger } from '../../core/index.ts'
import {
  type Check,
  type CheckResult,
  HealthChecker,
  type HealthCheckerOptions,
  type HealthHandlerOptions,
} from '../../health/index.ts'
import type { Case } from '../suite.ts'

export interface HealthCapabilities {
  /** Callers at the same time share one probe: everywhere but in workerd. */
  readonly sharedProbes: boolean
  /** The endpoint notices that its caller has left. */
  readonly abort: boolean
}

/** How the runtime under test serves a checker. */
export interface HealthTarget {
  readonly capabilities: HealthCapabilities
  /** Where the endpoint is, without a slash at the end: `http://127.0.0.1:8080/health`. */
  readonly url: string
  /** The endpoint of this checker. It is given requests for `url` and what is below. */
  serve(
    checker: HealthChecker,
    options: HealthHandlerOptions,
  ): (request: Request) => Response | Promise<Response>
}

/** What the endpoint shows to those who may see everything. */
interface Shown {
  /** The HTTP status. */
  readonly code: number
  readonly results: Record<string, CheckResult>
}

export interface HealthFixture {
  /** Quiet unless it is given a logger, and without a TTL unless it is given one. */
  readonly create: (options?: HealthCheckerOptions) => HealthChecker
  /** The endpoint of a checker: `get('/ready')`. */
  readonly serve: (
    checker: HealthChecker,
    options?: HealthHandlerOptions,
  ) => (path?: string, init?: RequestInit) => Promise<Response>
  /** Asks the endpoint of a checker for everything, as a map. */
  readonly look: (checker: HealthChecker, path?: string) => Promise<Shown>
}

export type HealthCase = Case<HealthFixture, HealthCapabilities>

export const token = 'token-of-the-health-suite'
export const bearer = { headers: { authorization: `Bearer ${token}` } }

export function setUp(target: HealthTarget): HealthFixture {
  const serve: HealthFixture['serve'] = (checker, options = {}) => {
    const handle = target.serve(checker, options)
    return async (path = '', init) => handle(new Request(target.url + path, init))
  }
  return {
    create: (options) => new HealthChecker({ logger: false, ttlMs: 0, ...options }),
    serve,
    async look(checker, path = '') {
      const response = await serve(checker, { token })(`${path}?format=map`, bearer)
      return {
        code: response.status,
        results: (await response.json()) as Record<string, CheckResult>,
      }
    },
  }
}

export const pass = () => {}
export const fail = () => Promise.reject(new Error('out of order'))
export const hang = () => new Promise<never>(() => {})

/** A check that counts its runs, and does what `step` says in each. */
export function counting(step: (run: number) => unknown = pass): { runs: number; check: Check } {
  const counted = {
    runs: 0,
    check: () => step(++counted.runs),
  }
  return counted
}

/** A check that waits until it is told how to end. */
export function held(): { check: Check; runs: () => number; pass(): void; fail(): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  promise.catch(() => {})
  const counted = counting(() => promise)
  return {
    check: counted.check,
    runs: () => counted.runs,
    pass: resolve,
    fail: () => reject(new Error('out of order')),
  }
}

export interface Line {
  readonly level: string
  readonly message: string
  readonly record: Readonly<Record<string, unknown>>
}

export function collector(): { lines: Line[]; logger: Logger } {
  const lines: Line[] = []
  const at = (level: string) => (record: object, message: string) => {
    lines.push({ level, message, record: { ...record } })
  }
  return {
    lines,
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  }
}

/** More than a deadline may be missed by, for the noise of a busy machine; far less than the next deadline. */
const slackMs = 250

/** What the work gives, if it ends by a deadline of so many milliseconds. */
export async function within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const value = await work()
  const elapsedMs = performance.now() - startedAt
  if (elapsedMs < timeoutMs + slackMs) return value
  throw new Error(`it took ${elapsedMs} ms, with a deadline of ${timeoutMs}`)
}
