import { withoutContext } from '../core/context.ts'
import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  isInfraError,
  type Operation,
  type PoolFigures,
  watchPool,
  withContext,
} from '../core/index.ts'
import { fullJitter } from '../core/resilience.ts'
import { Collection } from './collection.ts'
import { Checker, invalid } from './documents.ts'
import type { MongoCapabilities, MongoDriver, ServerTransaction } from './driver.ts'
import { hasLabel } from './errors.ts'
import { type OperatorPolicy, Operators } from './operators.ts'
import type { Scope } from './scope.ts'
import type { Document } from './types.ts'

export interface MongoOptions<Allowed extends string = never> extends ClientOptions {
  /** Default: what MongoDB has for filters and updates but scripts (`$where`); every stage of pipelines. */
  operators?: OperatorPolicy<Allowed> | undefined
}

export interface HealthOptions extends CallOptions {
  /** Also asks whether the server takes writes; `unavailable` if not. */
  readonly writable?: boolean | undefined
}

export interface TransactionOptions extends CallOptions {
  /** The whole, repetitions included. Milliseconds, default 60,000, as long as a server lets one live. */
  readonly timeoutMs?: number | undefined
}

const names = { duration: 'mongodb_query_duration_seconds', label: 'operation' }

const ping: Operation<void> = { name: 'ping', write: false, idempotent: true, probe: true }
const begin: Operation<ServerTransaction> = { name: 'begin', write: false, idempotent: true }
/** Repeated, a commit gives the same reply: that is what a server keeps its transactions' numbers for. */
const commit: Operation<void> = { name: 'commit', write: true, idempotent: true }
const abort: Operation<void> = { name: 'abort', write: true, idempotent: true }

/**
 * MongoDB over any transport: `new MongoDB(mongodb({ url }))`, `new MongoDB(dataApi({ url, token }))`.
 * Values are those of the `bson` package on each of them; `driver.ts` has the table.
 */
export class MongoDB<Allowed extends string = never> extends Client<MongoDriver> {
  readonly #scope: Scope
  readonly #isWritable: (request: undefined, attempt: Attempt) => Promise<void>

  constructor(driver: MongoDriver, options: MongoOptions<Allowed> = {}) {
    super('mongodb', driver, names, options)
    const { capabilities } = driver
    const checker = new Checker(new Operators(options.operators), capabilities.maxDocumentBytes)
    this.#scope = { calls: this.calls, executor: driver, capabilities, checker }
    this.#isWritable = async (_, attempt) => {
      if (await driver.isWritable(attempt)) return
      throw new DriverFailure({ kind: 'unavailable', detail: 'the server does not take writes' })
    }
    const { pool } = driver
    if (pool !== undefined && options.metrics !== undefined) {
      watchPool('mongodb', pool, options.metrics)
    }
  }

  /** What this adapter can do. */
  get capabilities(): MongoCapabilities {
    return this.driver.capabilities
  }

  /**
   * Default: the adapter's own, which its URL names. Sends nothing.
   * @throws InfraError `MONGODB_INVALID` for a name that no database can have
   */
  database(name: string = this.driver.database): Database<Allowed> {
    return databaseOf(this.#scope, name)
  }

  /**
   * Runs `work` in a transaction: what it does through `transaction` is applied as a whole or not at all, one
   * operation after another. When the transaction conflicts with another, or the primary changes, `work` runs
   * again from the start, so it must have no other effects. What it throws undoes the transaction. Each
   * operation has its own deadline, within that of the whole.
   * @throws InfraError of kind `unsupported` where there are no transactions; `outcome` `unknown` if the commit
   *   got no answer
   */
  async withTransaction<R>(
    work: (transaction: Transaction<Allowed>) => Promise<R>,
    options: TransactionOptions = {},
  ): Promise<R> {
    const { timeoutMs = 60_000, signal, correlationId } = options
    if (!this.capabilities.transactions) {
      return this.calls.refuse('begin', new DriverFailure({ kind: 'unsupported' }))
    }
    if (!(timeoutMs > 0)) {
      return this.calls.refuse('begin', invalid('timeoutMs is not above 0'))
    }
    const context = {
      deadline: Date.now() + timeoutMs,
      ...(signal !== undefined && { signal }),
      ...(correlationId !== undefined && { correlationId }),
    }
    return withContext(context, async () => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#transaction(work)
        } catch (error) {
          if (!isTransient(error)) throw error
        }
        // Two that conflict would otherwise meet again. The deadline ends it: `begin` fails once it is over.
        await new Promise((resolve) => setTimeout(resolve, fullJitter(attempt, 5, 500)))
      }
    })
  }

  /** @throws what `work` throws, or the commit's InfraError */
  async #transaction<R>(work: (transaction: Transaction<Allowed>) => Promise<R>): Promise<R> {
    const { calls } = this
    const executor = await calls.run(
      begin,
      undefined,
      (_, attempt) => (this.driver.begin as NonNullable<MongoDriver['begin']>)(attempt),
      undefined,
    )
    const scope: Scope = { ...this.#scope, executor }
    const end = (operation: Operation<void>) =>
      calls.run(
        operation,
        executor,
        (it, attempt) => it[operation.name as 'commit'](attempt),
        undefined,
      )
    try {
      const result = await work({
        database: (name = this.driver.database) => databaseOf(scope, name),
      })
      await end(commit)
      return result
    } catch (error) {
      // Also when the whole is over: what the transaction holds at the server must be freed.
      await withoutContext(() => end(abort)).catch(() => {})
      throw error
    }
  }

  /**
   * Resolves if the server answers a ping on the application's database, and takes writes if that is asked.
   * @throws InfraError that says why not
   */
  override health(options: HealthOptions = {}): Promise<void> {
    const { writable, ...rest } = options
    return writable ? this.calls.run(ping, undefined, this.#isWritable, rest) : super.health(rest)
  }

  /** How the connections are used at this moment; `undefined` for adapters that hold none. */
  pool(): PoolFigures | undefined {
    return this.driver.pool?.figures
  }
}

/** The way to the collections inside of a transaction. */
export interface Transaction<Allowed extends string = never> {
  /** Default: the adapter's own. */
  database(name?: string): Database<Allowed>
}

export interface Database<Allowed extends string = never> {
  readonly name: string
  /**
   * `T` declares the fields, for the types only. Sends nothing.
   * @throws InfraError `MONGODB_INVALID` for a name that no collection can have
   */
  collection<T extends object = Document>(name: string): Collection<T, Allowed>
}

function databaseOf<Allowed extends string>(scope: Scope, database: string): Database<Allowed> {
  // https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
  if (!isName(database, 63) || /[/\\. "$*<>:|?]/.test(database)) {
    throw scope.calls.refusal('database', invalid('the name of the database is not valid'))
  }
  return {
    name: database,
    collection<T extends object>(collection: string) {
      if (!isName(collection, 200) || /^\.|\.$|\.\.|\$/.test(collection)) {
        throw scope.calls.refusal('collection', invalid('the name of the collection is not valid'))
      }
      return new Collection<T, Allowed>(scope, { database, collection })
    },
  }
}

function isName(name: unknown, maxBytes: number): boolean {
  return (
    typeof name === 'string' &&
    name !== '' &&
    name.isWellFormed() &&
    !name.includes('\0') &&
    new TextEncoder().encode(name).length <= maxBytes
  )
}

/** The server's word that a transaction may succeed if it is run again as a whole. */
function isTransient(error: unknown): boolean {
  if (!isInfraError(error)) return false
  const { native } = error
  const cause = native instanceof DriverFailure ? native.cause : native
  return hasLabel(cause, 'TransientTransactionError')
}
