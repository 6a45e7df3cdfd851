import { withoutContext } from '../core/context.ts'
import { codeOf, isInfraError } from '../core/index.ts'
import { deadlines, type Timed } from '../core/timers.ts'
import { failed } from './errors.ts'

/** What a check is told. */
export interface CheckContext {
  /** Fires when the time is over: nobody waits any more. */
  readonly signal: AbortSignal
  /** How long the check may take. */
  readonly timeoutMs: number
}

/** Throws or rejects if something is wrong; whatever it returns otherwise is ignored. */
export type Check = (context: CheckContext) => unknown

/** What a probe found out. */
export interface Finding {
  /** Why the check failed, safe to show; `undefined` if it passed. */
  readonly error: string | undefined
  readonly latencyMs: number
  /** On the clock of `performance.now()`, as `endedAt`. */
  readonly startedAt: number
  readonly endedAt: number
  /** When it ended, ISO 8601. */
  readonly time: string
}

/**
 * One run of a check. It ends when the check settles or its time is over, whichever comes first, and at
 * no caller's wish, since others may wait for it as well.
 */
export class Probe implements Timed {
  readonly startedAt: number
  readonly due: number
  slot: unknown = undefined
  readonly ended: Promise<Finding>
  readonly #end: (finding: Finding) => void
  readonly #timeoutMs: number
  readonly #controller = new AbortController()
  #finding: Finding | undefined

  constructor(startedAt: number, timeoutMs: number) {
    this.startedAt = startedAt
    this.due = startedAt + timeoutMs
    this.#timeoutMs = timeoutMs
    const { promise, resolve } = Promise.withResolvers<Finding>()
    this.ended = promise
    this.#end = resolve
  }

  run(check: Check): this {
    const context = { signal: this.#controller.signal, timeoutMs: this.#timeoutMs }
    deadlines.add(this)
    withoutContext(() => new Promise((resolve) => resolve(check(context)))).then(
      () => this.#settle(undefined),
      (error: unknown) => this.#settle(describe(error)),
    )
    return this
  }

  /** What is known by now: for who waits no longer, a probe without an answer is one that came too late. */
  get finding(): Finding {
    return this.#finding ?? this.#found(codeOf('health', 'timeout'))
  }

  /** The check's time is over. */
  expire(): void {
    if (this.#finding !== undefined) return
    this.#settle(codeOf('health', 'timeout'))
    this.#controller.abort(failed('timeout'))
  }

  #settle(error: string | undefined): void {
    if (this.#finding !== undefined) return
    deadlines.remove(this)
    this.#finding = this.#found(error)
    this.#end(this.#finding)
  }

  #found(error: string | undefined): Finding {
    const endedAt = performance.now()
    return {
      error,
      startedAt: this.startedAt,
      latencyMs: Math.round((endedAt - this.startedAt) * 1000) / 1000,
      endedAt,
      time: new Date().toISOString(),
    }
  }
}

function describe(error: unknown): string {
  try {
    // Only our own errors are known to hold no secret.
    if (isInfraError(error)) return error.code
  } catch {
    // It throws when it is looked at.
  }
  return 'the check failed'
}
