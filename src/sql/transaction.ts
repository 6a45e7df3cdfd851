import { DriverFailure, type InfraError, isInfraError, type Operation } from '../core/index.ts'
import type { Executor, ServerTransaction } from './driver.ts'
import { Queries } from './queries.ts'
import type { Scope } from './scope.ts'

const savepoint: Operation<void> = {
  name: 'SAVEPOINT',
  write: false,
  idempotent: false,
  once: true,
}
const release: Operation<void> = { name: 'RELEASE', write: false, idempotent: false, once: true }
const undo: Operation<void> = { name: 'ROLLBACK', write: false, idempotent: false, once: true }

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
  savepoints = 0

  readonly turn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = this.#last.then(work)
    this.#last = mine.catch((error) => this.#note(error))
    return mine
  }

  /** @throws DriverFailure once it is over: a statement must never run outside of its transaction. */
  check(): void {
    if (!this.#over && this.#broken === undefined) return
    throw new DriverFailure({ kind: 'closed', detail: 'the transaction is over' })
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
      this.check()
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
 * it refuses every further one with kind `closed`.
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
    await this.#do(savepoint, name, 'savepoint')
    try {
      const result = await work(this)
      await this.#do(release, name, 'release')
      return result
    } catch (error) {
      if (lane.open) {
        await this.#do(undo, name, 'rollbackTo').catch((failed: InfraError) => lane.break(failed))
      }
      throw error
    }
  }

  #do(
    operation: Operation<void>,
    name: string,
    method: 'savepoint' | 'release' | 'rollbackTo',
  ): Promise<void> {
    const { calls, turn } = this.#scope
    return turn(() =>
      calls.run(
        operation,
        name,
        async (name, attempt) => {
          this.#lane.check()
          await this.#executor[method](name, attempt)
        },
        undefined,
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
    open: (statement, pageRows, attempt) => checked().open(statement, pageRows, attempt),
    call: (call, attempt) => checked().call(call, attempt),
    insert: (insertion, attempt) => checked().insert(insertion, attempt),
  }
}
