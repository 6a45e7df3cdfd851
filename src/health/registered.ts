import type { Logger, MetricsSink } from '../core/index.ts'
import { isWorkerd } from '../core/runtime.ts'
import { type Check, type Finding, Probe } from './probe.ts'

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'
export type HealthLevel = 'critical' | 'degraded' | 'info'
export type HealthGroup = 'live' | 'ready' | 'startup'

/** What is known of one component. */
export interface CheckResult {
  /** A check that fails is `unhealthy` if it is critical and `degraded` if it is not. */
  readonly status: HealthStatus
  /** Why it failed: the code of an `InfraError`, or a text that gives nothing away. */
  readonly error?: string
  /** How long the check took, or has taken so far. */
  readonly latencyMs: number
  /** When the check ended, ISO 8601. */
  readonly time: string
  /** How long ago that was: above 0 for a result that several callers share. */
  readonly ageMs: number
  /** As it was registered. */
  readonly componentType?: string
}

interface Registration {
  readonly name: string
  readonly run: Check
  readonly level: HealthLevel
  readonly groups: ReadonlySet<HealthGroup>
  readonly timeoutMs: number | undefined
  readonly ttlMs: number
  readonly componentType: string | undefined
  readonly logger: Logger | undefined
  readonly metrics: MetricsSink | undefined
}

/** A check with what is known of it: its latest finding, and the probe that is under way. */
export class RegisteredCheck {
  readonly name: string
  readonly level: HealthLevel
  readonly groups: ReadonlySet<HealthGroup>
  readonly #registration: Registration
  #observe: ((seconds: number) => void) | undefined
  #latest: Finding | undefined
  #pending: Probe | undefined

  constructor(registration: Registration) {
    this.name = registration.name
    this.level = registration.level
    this.groups = registration.groups
    this.#registration = registration
  }

  /** What is known, if it is younger than the TTL. */
  recent(now: number): Finding | undefined {
    const latest = this.#latest
    return latest !== undefined && now - latest.endedAt < this.#registration.ttlMs
      ? latest
      : undefined
  }

  /** The probe that is under way, or else a new one. */
  probe(now: number, timeoutMs: number): Probe {
    if (this.#pending !== undefined) return this.#pending
    const probe = new Probe(now, this.#registration.timeoutMs ?? timeoutMs)
    // In workerd what is pending belongs to one request and may end with it: who else waited would hang.
    if (!isWorkerd) this.#pending = probe
    probe.ended.then((finding) => this.#ended(finding))
    return probe.run(this.#registration.run)
  }

  result({ error, latencyMs, endedAt, time }: Finding): CheckResult {
    const { componentType } = this.#registration
    return {
      status: this.#statusOf(error),
      ...(error !== undefined && { error }),
      latencyMs,
      time,
      ageMs: Math.round(performance.now() - endedAt),
      ...(componentType !== undefined && { componentType }),
    }
  }

  #ended(finding: Finding): void {
    this.#pending = undefined
    const previous = this.#latest
    // Where probes are not shared, one that hung may end long after one that knows better.
    if (previous !== undefined && finding.startedAt < previous.startedAt) return
    this.#latest = finding
    try {
      this.#measure(finding)
      this.#log(finding, previous)
    } catch {
      // Telemetry that fails is not the caller's concern.
    }
  }

  #statusOf(error: string | undefined): HealthStatus {
    if (error === undefined) return 'healthy'
    return this.level === 'critical' ? 'unhealthy' : 'degraded'
  }

  #measure({ latencyMs }: Finding): void {
    this.#observe ??= this.#registration.metrics?.histogram({
      name: 'health_check_duration_seconds',
      help: 'Time of a health check in seconds',
      labels: { check_name: this.name },
    })
    this.#observe?.(latencyMs / 1000)
  }

  /** Changes only, and that a check passes the first time is none. */
  #log({ error, latencyMs }: Finding, before: Finding | undefined): void {
    const status = this.#statusOf(error)
    const previous = before === undefined ? undefined : this.#statusOf(before.error)
    if (status === (previous ?? 'healthy')) return
    const level = status === 'healthy' ? 'info' : status === 'degraded' ? 'warn' : 'error'
    this.#registration.logger?.[level](
      { component: 'health', check: this.name, status, previous, error, latencyMs },
      'health_changed',
    )
  }
}
