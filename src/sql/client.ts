import { withoutContext } from '../core/context.ts'
import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  currentContext,
  DriverFailure,
  detachedAttempt,
  isInfraError,
  known,
  type Operation,
  type PoolFigures,
  stepOf,
  watchPool,
  withContext,
} from '../core/index.ts'
import { fullJitter } from '../core/resilience.ts'
import { maxDelayMs } from '../core/timers.ts'
import type {
  Dialect,
  Isolation,
  Reply,
  ServerTransaction,
  SqlCapabilities,
  SqlDriver,
  Statement,
  TransactionSettings,
} from './driver.ts'
import { type BatchResult, batchResult, commits, Queries } from './queries.ts'
import { orFree, type Scope } from './scope.ts'
import { type Fragment, type RawStatement, statementOf, Writer } from './statement.ts'
import { Lane, Transaction } from './transaction.ts'
import { invalid } from './values.ts'

export interface HealthOptions extends CallOptions {
  /** Also asks whether the server takes writes; `unavailable` if not. */
  readonly writable?: boolean | undefined
}

export interface TransactionOptions extends CallOptions {
  /** Default: the server's own. */
  readonly isolation?: Isolation | undefined
  /** The whole, repetitions included. Milliseconds, default 60,000. Each statement has its own time within it. */
  readonly timeoutMs?: number | undefined
  /**
   * How often it is run again, as a whole, after a deadlock, a lock that was not free in time or a connection that
   * was lost before the commit. Then what it does must have no other effects. 0 to 100, default 0.
   */
  readonly retries?: number | undefined
}

export interface BatchOptions extends CallOptions {
  readonly isolation?: Isolation | undefined
}

const ping: Operation<void> = { name: 'PING', write: false, idempotent: true, probe: true }
const begin: Operation<ServerTransaction> = { name: 'BEGIN', write: false, idempotent: true }
const rollback: Operation<void> = { name: 'ROLLBACK', write: false, idempotent: true, once: true }
const commitName = 'COMMIT'
/** What became of a commit that got no answer, nobody can tell. */
const commit: Operation<void> = { name: commitName, write: true, idempotent: false, once: true }
/** How long a rollback that nobody waits for may take. */
const rollbackMs = 5000
const batch: Operation<readonly Reply[]> = { name: 'BATCH', write: true, idempotent: false }

/** What is the same for every backend. */
class Backend extends Client<SqlDriver> {
  readonly scope: Scope

  constructor(driver: SqlDriver, options: ClientOptions) {
    const { dialect, capabilities } = driver
    super(
      'sql',
      driver,
      { duration: `${dialect}_query_duration_seconds`, label: 'query_type' },
      options,
    )
    this.scope = {
      calls: this.calls,
      executor: driver,
      capabilities,
      writer: new Writer(dialect, capabilities.maxParameters),
      once: false,
      turn: (work) => work(),
    }
  }

  get backend(): SqlDriver {
    return this.driver
  }
}

/**
 * SQL over any transport: `new Sql(mysql2({ url }))`, `new Sql(mssql({ url }))`. Values are bound as parameters,
 * never spliced; `driver.ts` has the table of their types.
 *
 * ```ts
 * const user = await sql.maybeOne`select id, name from users where id = ${id}`
 * ```
 *
 * Every method settles by its deadline and rejects with an `InfraError` only; a statement that nobody waits for
 * any more is stopped at the server.
 */
export class Sql extends Queries {
  readonly #client: Backend

  constructor(driver: SqlDriver, options: ClientOptions = {}) {
    const client = new Backend(driver, options)
    super(client.scope)
    this.#client = client
    if (driver.pool !== undefined && options.metrics !== undefined) {
      watchPool(driver.dialect, driver.pool, options.metrics)
    }
  }

  /** The name of the adapter in use. */
  get adapter(): string {
    return this.#client.adapter
  }

  /** Where it goes, without credentials, if it goes anywhere. */
  get resource(): string | undefined {
    return this.#client.resource
  }

  /** What the database is spoken to in. */
  get dialect(): Dialect {
    return this.#client.backend.dialect
  }

  /** What this adapter can do. */
  get capabilities(): SqlCapabilities {
    return this.#client.backend.capabilities
  }

  /**
   * Runs `work` in a transaction: what it does through `transaction` is applied as a whole or not at all. What it
   * throws undoes it, and comes out as it was thrown. A statement that was stopped, or that the server answered
   * by undoing everything (a deadlock), ends the transaction: it cannot be caught and gone on from.
   * @throws InfraError; with `outcome` `unknown` if the commit got no answer
   */
  async transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    const { calls } = this.#client.scope
    let given: TransactionOptions
    try {
      given = checked(known(options, 'isolation', 'retries') ?? {}, this.capabilities)
    } catch (error) {
      return calls.refuse(begin.name, error)
    }
    const { timeoutMs = 60_000, signal, correlationId, isolation, retries = 0 } = given
    const context = {
      deadline: Date.now() + timeoutMs,
      ...(signal !== undefined && { signal }),
      ...(correlationId !== undefined && { correlationId }),
    }
    return withContext(context, async () => {
      for (let attempt = 0; ; attempt++) {
        const state: State = { committing: false, over: false }
        // Two that conflict would otherwise meet again.
        const wait = fullJitter(attempt, 5, 500)
        try {
          return await this.#transaction(work, { isolation }, state)
        } catch (error) {
          if (attempt >= retries || state.over || leftOfContext() <= wait) throw error
          if (!isInfraError(error) || !error.retryable) throw error
          if (state.committing && error.outcome !== 'not-applied') throw error
        }
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    })
  }

  async #transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    settings: TransactionSettings,
    state: State,
  ): Promise<T> {
    const { transaction, commit, rollback } = await this.begin(settings)
    const end = new ContextEnd()
    try {
      const result = await end.or(() => work(transaction))
      await commit(undefined, () => {
        state.committing = true
      })
      return result
    } catch (error) {
      // Also when the whole is over: what the transaction holds at the server must be freed.
      await withoutContext(rollback)
      if (end.failure === undefined || error !== end.failure) throw error
      state.over = true
      throw this.#client.scope.calls.refusal(commitName, error)
    } finally {
      end.forget()
    }
  }

  /** @internal A transaction whose end is said by somebody else: the gateway, which hears of it later. */
  async begin(settings: TransactionSettings, options?: CallOptions): Promise<OpenTransaction> {
    const { scope, backend } = this.#client
    const { calls } = scope
    const executor = await calls.run(
      begin,
      settings,
      async (settings, attempt) => {
        const begun = await backend.begin(settings, attempt)
        return orFree(begun, attempt, () => begun.rollback(detachedAttempt('ROLLBACK', rollbackMs)))
      },
      options,
    )
    const lane = new Lane()
    return {
      transaction: new Transaction(scope, executor, lane),
      get open() {
        return lane.open
      },
      commit: (options, onCommit) =>
        lane.end(() => {
          onCommit?.()
          const send = async (it: ServerTransaction, attempt: Attempt) => {
            await lane.stop(stepOf(attempt))
            await it.commit(attempt)
          }
          return calls.run(commit, executor, send, options)
        }),
      rollback: () =>
        lane.abandon(() => {
          const send = async (it: ServerTransaction, attempt: Attempt) => {
            await lane.stop(stepOf(attempt)).catch(() => {})
            await it.rollback(attempt)
          }
          return calls.run(rollback, executor, send, undefined)
        }),
    }
  }

  /**
   * Several statements in order, in one transaction, and in one round trip where the transport can. Each has its
   * rows and counts. @throws InfraError if one fails; then nothing was applied, unless `outcome` is `unknown`
   */
  async batch(
    statements: readonly (Fragment | RawStatement)[],
    options?: BatchOptions,
  ): Promise<BatchResult[]> {
    const replies = await this.batchReplies(statements, options)
    return replies.map((reply) => this.#result(reply))
  }

  /** @internal As `batch`, with the driver's own replies, for the gateway. */
  async batchReplies(
    statements: readonly (Fragment | RawStatement)[],
    options?: BatchOptions,
  ): Promise<readonly Reply[]> {
    const { scope, backend } = this.#client
    const { calls } = scope
    let prepared: Statement[]
    let given: BatchOptions
    try {
      given = checked(known(options, 'isolation') ?? {}, this.capabilities)
      if (!Array.isArray(statements)) throw invalid('statements are not an array')
      prepared = statements.map((each) => {
        const one = this.prepare(each)
        if (one.reading.commits) throw invalid(commits)
        return statementOf(one, true)
      })
    } catch (error) {
      return calls.refuse(batch.name, error)
    }
    if (prepared.length === 0) return []
    const { isolation, ...rest } = given
    return calls.run(
      batch,
      prepared,
      (prepared, attempt) => inOneTransaction(backend, prepared, { isolation }, attempt),
      rest,
    )
  }

  #result(reply: Reply): BatchResult {
    try {
      return batchResult(reply)
    } catch (error) {
      throw this.#client.scope.calls.refusal(batch.name, error)
    }
  }

  override async bulkInsert(
    ...[table, rows, options]: Parameters<Queries['bulkInsert']>
  ): Promise<number> {
    const parts = this.insertions(table, rows, options)
    try {
      const { value: first } = await parts.next()
      if (first === undefined) return 0
      const { value: second } = await parts.next()
      // One part is all or nothing by itself.
      if (second === undefined) return await this.insertPart(first, options)
      const { signal, correlationId } = options ?? {}
      const all = { signal, correlationId, timeoutMs: maxDelayMs }
      return await this.transaction(async (transaction) => {
        let inserted = await transaction.insertPart(first, options)
        inserted += await transaction.insertPart(second, options)
        for await (const part of parts) inserted += await transaction.insertPart(part, options)
        return inserted
      }, all)
    } finally {
      await parts.return(undefined)
    }
  }

  /**
   * Resolves if the server answers through the application's own pool, and takes writes if that is asked.
   * @throws InfraError that says why not
   */
  health(options: HealthOptions = {}): Promise<void> {
    const { writable, ...rest } = options
    if (!writable) return this.#client.health(rest)
    const { scope, backend } = this.#client
    const isWritable = async (_: undefined, attempt: Attempt) => {
      if (await backend.isWritable(attempt)) return
      throw new DriverFailure({ kind: 'unavailable', detail: 'the server does not take writes' })
    }
    return scope.calls.run(ping, undefined, isWritable, rest)
  }

  /** How the connections are used at this moment; `undefined` for adapters that hold none. */
  pool(): PoolFigures | undefined {
    return this.#client.backend.pool?.figures
  }

  /**
   * Refuses new calls (kind `closed`), waits for those in flight, at most `drainTimeoutMs`, then releases every
   * connection. Idempotent.
   */
  close(): Promise<void> {
    return this.#client.close()
  }

  /** `close` has been called. */
  get closed(): boolean {
    return this.#client.closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The library's own client. Its calls have no deadline and no retry of ours. */
  native(): Promise<unknown> {
    return this.#client.native()
  }
}

/** @internal */
export interface OpenTransaction {
  readonly transaction: Transaction
  /** False once it is over, or a statement has broken it: then it can only be rolled back. */
  readonly open: boolean
  /** Rejects, and commits nothing, if a statement has broken it. Whatever it rejects with, `rollback` comes next. */
  commit(options: CallOptions | undefined, onCommit?: () => void): Promise<void>
  /** Undoes everything that is not committed, and frees what it holds. Never rejects. */
  rollback(): Promise<void>
}

/** How far a transaction has come. */
interface State {
  committing: boolean
  /** Its time was over, or the caller's signal fired, before it came to its end. */
  over: boolean
}

/** Milliseconds. */
function leftOfContext(): number {
  return (currentContext()?.due ?? Infinity) - performance.now()
}

/** Ends the wait for work once its context is over, though what the work waits for may not notice. */
class ContextEnd {
  /** What `or` threw, if it was the end. */
  failure: DriverFailure | undefined
  readonly #signal = currentContext()?.signal
  readonly #timer: ReturnType<typeof setTimeout>
  #end = (_: DriverFailure) => {}
  readonly #reached = new Promise<never>((_, reject) => {
    this.#end = reject
  })

  constructor() {
    this.#reached.catch(() => {})
    this.#timer = setTimeout(
      () => this.#fail('timeout', 'the time of the transaction is over'),
      Math.min(maxDelayMs, Math.max(0, leftOfContext())),
    )
    if (this.#signal?.aborted) this.handleEvent()
    this.#signal?.addEventListener('abort', this)
  }

  or<T>(work: () => Promise<T>): Promise<T> {
    return this.failure === undefined ? Promise.race([work(), this.#reached]) : this.#reached
  }

  /** @internal Called by the signal. */
  handleEvent(): void {
    this.#fail('aborted', 'the transaction was aborted')
  }

  forget(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this)
  }

  #fail(kind: 'timeout' | 'aborted', detail: string): void {
    this.failure ??= new DriverFailure({ kind, outcome: 'not-applied', detail })
    this.#end(this.failure)
  }
}

/** @throws DriverFailure */
function checked<O extends TransactionOptions>(options: O, capabilities: SqlCapabilities): O {
  const { isolation, retries = 0, timeoutMs = 1 } = options
  if (isolation !== undefined && !capabilities.isolation.includes(isolation)) {
    const all = capabilities.isolation.join(', ')
    throw new DriverFailure({ kind: 'unsupported', detail: `isolation is none of ${all}` })
  }
  if (!Number.isInteger(retries) || retries < 0 || retries > 100) {
    throw invalid('retries is not a whole number from 0 to 100')
  }
  if (!(timeoutMs > 0 && timeoutMs <= maxDelayMs)) throw invalid('timeoutMs is not above 0')
  return options
}

/** For drivers that have no such thing themselves. */
async function inOneTransaction(
  driver: SqlDriver,
  statements: readonly Statement[],
  settings: TransactionSettings,
  attempt: Attempt,
): Promise<readonly Reply[]> {
  if (driver.batch !== undefined) return driver.batch(statements, settings, attempt)
  const transaction = await driver.begin(settings, stepOf(attempt))
  const replies: Reply[] = []
  try {
    for (const statement of statements) {
      replies.push(await transaction.run(statement, stepOf(attempt)))
    }
    await transaction.commit(attempt)
    return replies
  } catch (error) {
    await transaction.rollback(detachedAttempt('ROLLBACK', rollbackMs)).catch(() => {})
    if (replies.length === statements.length) throw error
    const { operation } = attempt
    const failure =
      error instanceof DriverFailure
        ? error.failure
        : driver.classify(error, { operation, sent: true })
    const which = `statement ${replies.length + 1} of ${statements.length}`
    const detail = `${which}: ${failure.detail ?? failure.kind}`
    throw new DriverFailure({ ...failure, outcome: 'not-applied', detail }, { cause: error })
  }
}
