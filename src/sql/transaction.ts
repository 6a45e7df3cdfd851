import {
  type Attempt,
  type CallOptions,
  DriverFailure,
  type InfraError,
  isInfraError,
  type Operation,
} from '../core/index.ts'
import type { Executor, Page, ServerCursor, ServerTransaction } from './driver.ts'
import { Queries } from './queries.ts'
import type { Scope } from './scope.ts'
import { invalid } from './values.ts'

const once = { write: false, idempotent: false, once: true }
const steps = {
  savepoint: { name: 'SAVEPOINT', ...once } as Operation<void>,
  rollbackTo: { name: 'ROLLBACK', ...once } as Operation<void>,
  release: { name: 'RELEASE', ...once } as Operation<void>,
}

/** Failures after which nobody knows what the server made of the transaction, or it is no more. */
const fatal: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'aborted',
  'internal',
  'closed',
])

/** The statements of a transaction, one after another, up to its end. */
export class Lane {
  #last: Promise<unknown> = Promise.resolve()
  #broken: InfraError | undefined
  #over = false
  /** A result that is not read to its end, which takes the connection for itself. */
  #result: ServerCursor | undefined
  savepoints = 0

  readonly turn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = this.#last.then(work)
    this.#last = mine.catch((error) => this.#note(error))
    return mine
  }

  /** @throws DriverFailure once it is over: a statement must never run outside of its transaction. */
  check(): void {
    if (!this.open) throw new DriverFailure({ kind: 'closed', detail: 'the transaction is over' })
    if (this.#result !== undefined) throw invalid('a stream of the transaction is not at its end')
  }

  /** What is left of a result may be read as long as the transaction is open, and before anything else. */
  hold(page: Page): Page {
    const { rest } = page
    this.#result = undefined
    if (rest === undefined) return page
    const result: ServerCursor = {
      next: async (attempt) => {
        this.#result = undefined
        this.check()
        return this.hold(await rest.next(attempt))
      },
      close: async (attempt) => {
        if (this.#result !== result) return
        this.#result = undefined
        await rest.close(attempt)
      },
    }
    this.#result = result
    return { ...page, rest: result }
  }

  /** Ends what is not read to its end. */
  async stop(attempt: Attempt): Promise<void> {
    await this.#result?.close(attempt)
  }

  get open(): boolean {
    return !this.#over && this.#broken === undefined
  }

  /** Something that should have undone a part did not. */
  break(error: InfraError): void {
    this.#broken ??= error
  }

  /** @throws what broke it, instead of committing the rest */
  end(commit: () => Promise<void>): Promise<void> {
    return this.turn(async () => {
      if (this.#broken !== undefined) throw this.#broken
      if (this.#over) this.check()
      this.#over = true
      await commit()
    })
  }

  /** Never rejects. */
  async abandon(rollback: () => Promise<void>): Promise<void> {
    this.#over = true
    await this.turn(rollback).catch(() => {})
  }

  #note(error: unknown): void {
    // A deadlock has undone everything: it can be retried, as a whole.
    if (isInfraError(error) && (error.retryable || fatal.has(error.kind))) this.break(error)
  }
}

/**
 * Runs statements within a transaction, one after another. Once it is over, or a statement of it was stopped,
 * it refuses every further one with kind `closed`. While a stream of it is open, it refuses every other one with
 * kind `invalid`: the stream has the connection.
 */
export class Transaction extends Queries {
  readonly #scope: Scope
  readonly #executor: ServerTransaction
  readonly #lane: Lane

  /** @internal */
  constructor(scope: Scope, executor: ServerTransaction, lane: Lane) {
    const within = { ...scope, executor: guarded(executor, lane), once: true, turn: lane.turn }
    super(within)
    this.#scope = within
    this.#executor = executor
    this.#lane = lane
  }

  /**
   * A part that can be undone by itself: what `work` throws undoes what it did, and comes out as it was thrown.
   * By a savepoint.
   */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const lane = this.#lane
    const name = `dualport_${++lane.savepoints}`
    await this.savepoint('savepoint', name)
    try {
      const result = await work(this)
      await this.savepoint('release', name)
      return result
    } catch (error) {
      if (lane.open) {
        await this.savepoint('rollbackTo', name).catch((failed: InfraError) => lane.break(failed))
      }
      throw error
    }
  }

  /** @internal One step, for the gateway, whose caller has the whole. */
  savepoint(method: keyof typeof steps, name: string, options?: CallOptions): Promise<void> {
    const { calls, turn } = this.#scope
    return turn(() =>
      calls.run(
        steps[method],
        name,
        async (name, attempt) => {
          this.#lane.check()
          await this.#executor[method](name, attempt)
        },
        options,
      ),
    )
  }
}

function guarded(executor: Executor, lane: Lane): Executor {
  const checked = (): Executor => {
    lane.check()
    return executor
  }
  return {
    run: (statement, attempt) => checked().run(statement, attempt),
    open: async (statement, pageRows, attempt) =>
      lane.hold(await checked().open(statement, pageRows, attempt)),
    call: (call, attempt) => checked().call(call, attempt),
    insert: (insertion, attempt) => checked().insert(insertion, attempt),
  }
}
