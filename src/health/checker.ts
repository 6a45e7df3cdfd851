import { currentContext } from '../core/context.ts'
import { jsonLogger, type Logger, type MetricsSink } from '../core/index.ts'
import { failed } from './errors.ts'
import { type Check, type CheckContext, type Finding, Probe } from './probe.ts'
import {
  type CheckResult,
  type HealthGroup,
  type HealthLevel,
  type HealthStatus,
  RegisteredCheck,
} from './registered.ts'
import { settledBy } from './wait.ts'

export interface HealthReport {
  /** `unhealthy` if a critical check fails or the process drains, `degraded` if one of level `degraded` fails. */
  readonly status: HealthStatus
  /** It is unhealthy because the process drains, whatever the checks say. */
  readonly draining: boolean
  readonly checks: Record<string, CheckResult>
}

export interface HealthCheckerOptions {
  /** For a whole answer, and for each check that has no limit of its own. Milliseconds, default 800: below the 1 s of a kubelet. */
  timeoutMs?: number | undefined
  /** How long a result serves all callers. Milliseconds, default 1000; 0 for not at all. */
  ttlMs?: number | undefined
  /** Gets one record for each change of a check's status. Default: JSON lines. `false` for none. */
  logger?: Logger | false | undefined
  /** Gets `health_check_duration_seconds{check_name}`. */
  metrics?: MetricsSink | undefined
}

export interface CheckOptions {
  /** What its failure makes of the whole: `unhealthy`, `degraded`, or nothing. Default `critical`. */
  level?: HealthLevel | undefined
  /** Milliseconds. Default: the checker's. */
  timeoutMs?: number | undefined
  /** Milliseconds. Default: the checker's. */
  ttlMs?: number | undefined
  /** Default `ready` and `startup`. What is `live` must not depend on another machine. */
  groups?: readonly HealthGroup[] | undefined
  /** For `application/health+json`: `datastore`, `component`, `system` or a word of your own. */
  componentType?: string | undefined
}

export interface HealthOptions {
  /** Only the checks of this group. Default: all checks. */
  group?: HealthGroup | undefined
  /** Ends the wait: it rejects with kind `aborted`. Checks that are running go on for other callers. */
  signal?: AbortSignal | undefined
  /** How long to wait; what has no result by then counts as failed. Milliseconds, default: the checker's. */
  timeoutMs?: number | undefined
  /** Not satisfied with a result that is there already. Joins a check that is running. */
  fresh?: boolean | undefined
}

/** Every client of this library is such. */
export interface HealthSource {
  health(context: CheckContext): Promise<unknown>
}

const levels: readonly unknown[] = ['critical', 'degraded', 'info'] satisfies HealthLevel[]
const groups: readonly unknown[] = ['live', 'ready', 'startup'] satisfies HealthGroup[]
const startupRetryMs = 100

/**
 * Asks the components that a program depends on whether they work: all at once, each within its own time,
 * the answer within one deadline. May live at module level anywhere, Workers included.
 */
export class HealthChecker {
  readonly #checks = new Map<string, RegisteredCheck>()
  readonly #ttlMs: number
  readonly #logger: Logger | undefined
  readonly #metrics: MetricsSink | undefined
  #timeoutMs: number
  #draining = false

  /** @throws InfraError `HEALTH_CONFIG` for a duration that cannot be. */
  constructor(options: HealthCheckerOptions = {}) {
    this.#timeoutMs = limit(options.timeoutMs ?? 800, 'config')
    this.#ttlMs = ttl(options.ttlMs ?? 1000)
    this.#logger = options.logger === false ? undefined : (options.logger ?? jsonLogger)
    this.#metrics = options.metrics
  }

  /**
   * Adds a check: `register('redis', redis)`, or a function that throws or rejects if something is wrong.
   * @param name 1 to 128 printable characters without a colon, unique. It is a label of the metric.
   * @throws InfraError `HEALTH_CONFIG`
   */
  register(name: string, source: Check | HealthSource, options: CheckOptions = {}): this {
    if (typeof name !== 'string' || !/^[^\p{C}:]{1,128}$/u.test(name) || name.trim() === '') {
      throw failed('config', 'a name is not 1 to 128 printable characters without a colon')
    }
    if (this.#checks.has(name)) throw failed('config', `${name} is registered already`)
    const isFunction = typeof source === 'function'
    if (!isFunction && typeof source?.health !== 'function') {
      throw failed('config', `${name} is neither a function nor a client`)
    }
    const { level = 'critical', groups: wanted = ['ready', 'startup'], componentType } = options
    if (!levels.includes(level)) throw failed('config', `${name} has an unknown level`)
    if (!Array.isArray(wanted) || !wanted.every((group) => groups.includes(group))) {
      throw failed('config', `${name} has an unknown group`)
    }
    const { timeoutMs, ttlMs = this.#ttlMs } = options
    if (timeoutMs !== undefined) limit(timeoutMs, 'config')
    const check = new RegisteredCheck({
      name,
      run: isFunction ? source : (context) => source.health(context),
      level,
      groups: new Set(wanted),
      timeoutMs,
      ttlMs: ttl(ttlMs),
      componentType,
      logger: this.#logger,
      metrics: this.#metrics,
    })
    this.#checks.set(name, check)
    return this
  }

  /** For a whole answer, in milliseconds. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** @throws InfraError `HEALTH_CONFIG` */
  setTimeout(ms: number): this {
    this.#timeoutMs = limit(ms, 'config')
    return this
  }

  /** True once `drain` was called. */
  get draining(): boolean {
    return this.#draining
  }

  /** From now on the program is not ready, so that no new work is sent to it; it stays alive. Call it on SIGTERM. */
  drain(): void {
    this.#draining = true
  }

  /**
   * The result of each check by its name. A check that fails is no error here.
   * @throws InfraError `HEALTH_ABORTED` when the signal fires, `HEALTH_INVALID` for malformed options.
   */
  async check(options?: HealthOptions): Promise<Record<string, CheckResult>> {
    return (await this.report(options)).checks
  }

  /** Whether no critical check fails, and the process does not drain. Rejects as `check` does. */
  async isHealthy(options?: HealthOptions): Promise<boolean> {
    return (await this.report(options)).status !== 'unhealthy'
  }

  /** The results and what they make of the whole. Rejects as `check` does. */
  async report(options: HealthOptions = {}): Promise<HealthReport> {
    const { group, signal, fresh = false } = options
    const timeoutMs = limit(options.timeoutMs ?? this.#timeoutMs, 'invalid')
    if (group !== undefined && !groups.includes(group)) throw failed('invalid', 'group is unknown')
    if (signal !== undefined && typeof signal.addEventListener !== 'function') {
      throw failed('invalid', 'signal is not an AbortSignal')
    }
    const signals = [signal, currentContext()?.signal].filter((each) => each !== undefined)
    if (signals.some((each) => each.aborted)) throw failed('aborted')

    const now = performance.now()
    const checks = [...this.#checks.values()].filter(
      (check) => group === undefined || check.groups.has(group),
    )
    const found = checks.map(
      (check) => (fresh ? undefined : check.recent(now)) ?? check.probe(now, this.#timeoutMs),
    )
    const probes = found.filter((each) => each instanceof Probe)
    if (probes.length > 0) {
      const ended = Promise.all(probes.map((probe) => probe.ended))
      const due = dueIn(timeoutMs, now)
      await settledBy(ended, due, signals)
      // Timers of one moment fire in any order, and in workerd none fires once the request is answered.
      for (const probe of probes) if (probe.due <= due) probe.expire()
    }

    const results = found.map((each) => (each instanceof Probe ? each.finding : each))
    const fails = (level: HealthLevel) =>
      checks.some((check, i) => check.level === level && results[i]?.error !== undefined)
    const draining = this.#draining && (group === undefined || group === 'ready')
    const status =
      draining || fails('critical') ? 'unhealthy' : fails('degraded') ? 'degraded' : 'healthy'
    // Unlike an assignment, this makes a property of its own even of the name __proto__.
    const named = checks.map((check, i) => [check.name, check.result(results[i] as Finding)])
    return { status, draining, checks: Object.fromEntries(named) }
  }

  /**
   * Resolves as soon as no critical check of the group `startup` fails; asks again until `timeoutMs` are over.
   * @throws InfraError `HEALTH_UNAVAILABLE` that names each component that still fails, with the reason.
   */
  async verifyStartup({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const due = dueIn(limit(timeoutMs, 'invalid'), performance.now())
    let left = timeoutMs
    for (;;) {
      const report = await this.report({ group: 'startup', timeoutMs: left, fresh: true })
      if (report.status !== 'unhealthy') return
      left = due - performance.now() - startupRetryMs
      if (left <= 0) {
        const failing = Object.entries(report.checks)
          .filter(([, { status }]) => status === 'unhealthy')
          .map(([name, { error }]) => `${name} (${error})`)
        throw failed('unavailable', `not healthy within ${timeoutMs} ms: ${failing.join(', ')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, startupRetryMs))
    }
  }
}

/** The earlier of both: the context's deadline is for everything inside. */
function dueIn(timeoutMs: number, now: number): number {
  return Math.min(now + timeoutMs, currentContext()?.due ?? Infinity)
}

/** @throws InfraError of that kind for what is no time limit. */
function limit(ms: number, kind: 'config' | 'invalid'): number {
  if (typeof ms === 'number' && ms > 0 && ms <= 2 ** 31 - 1) return ms
  throw failed(kind, 'timeoutMs is not a number of milliseconds above 0')
}

function ttl(ms: number): number {
  if (typeof ms === 'number' && ms >= 0) return ms
  throw failed('config', 'ttlMs is not a number of milliseconds from 0')
}
