import type { SealingKey } from '../cache/seal.ts'
import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  type InfraError,
  known,
  type Operation,
  type PoolFigures,
  watchPool,
} from '../core/index.ts'
import {
  type Consistency,
  type CqlBatch,
  type CqlCapabilities,
  type CqlReply,
  type CqlRequest,
  consistencies,
  type Hosts,
  type ScyllaDriver,
  type SerialConsistency,
} from './driver.ts'
import { PagingStates } from './paging.ts'
import {
  type BatchOptions,
  type BatchStatement,
  checkConsistency,
  nameOf,
  operationOf,
  type Parameters,
  Requests,
  type StatementOptions,
  settingNames,
} from './request.ts'
import { atMostOne, objects, type Result, type Row, resultOf } from './rows.ts'
import { type Fetched, RowStream } from './stream.ts'
import { invalid } from './values.ts'

export interface ScyllaOptions extends ClientOptions {
  /** Default `LOCAL_QUORUM`: what was written is what is read, in the local data centre. */
  consistency?: Consistency | undefined
  /** For the conditions of lightweight transactions. Default: the server's, `SERIAL`. */
  serialConsistency?: SerialConsistency | undefined
  /** Rows that one round trip brings, of everything that may have more. 1 to 100,000, default 5000. */
  pageSize?: number | undefined
  /**
   * What `page` seals its states with: 32 random bytes, in base64 or hex or as they are. Of several, the first one
   * seals and every one opens.
   */
  pagingKey?: SealingKey | readonly SealingKey[] | undefined
}

export interface HealthOptions extends CallOptions {
  /**
   * At least this share of the hosts of the local data centre must be up: above 0, at most 1. One check at level
   * `critical` with 0.5, say, and another one at level `degraded` with 1 make a warning of the first host that is
   * down. Default: it is enough that one answers.
   */
  readonly minUpShare?: number | undefined
}

export interface ExecuteOptions extends StatementOptions {
  /** Default: the client's. */
  readonly pageSize?: number | undefined
}

export interface PageOptions extends ExecuteOptions {
  /** What the page before gave, for the same statement and parameters. Default: the first page. */
  readonly pagingState?: string | null | undefined
}

export interface Page<R = Row> {
  /** May be empty although there are more. */
  readonly rows: R[]
  /** Opaque and URL-safe: letters, digits, `-` and `_`. `null` after the last page. */
  readonly pagingState: string | null
}

/** What may name a consistency level. */
interface Leveled extends CallOptions {
  readonly consistency?: unknown
}

const none: ExecuteOptions = {}
const nothing: CqlReply = { columns: [], rows: [], pagingState: undefined, warnings: [] }
const names = { duration: 'scylladb_query_duration_seconds', label: 'consistency_level' }
const statementNames = [...settingNames, 'ttlSeconds', 'pageSize'] as const
const ping: Operation<void> = {
  name: 'ping',
  write: false,
  idempotent: true,
  probe: true,
  label: 'LOCAL_ONE',
}
const hosts: Operation<Hosts> = { ...ping, name: 'hosts' } as Operation<Hosts>

/**
 * CQL over any transport: `new ScyllaDB(cassandraDriver({ hosts, localDataCenter }))`. Statements are always
 * prepared, and values bound by their types, never spliced; `driver.ts` has the table of them.
 *
 * ```ts
 * const { rows } = await scylla.execute('SELECT at, celsius FROM readings WHERE device = ?', [7])
 * ```
 *
 * Every method settles by its deadline and rejects with an `InfraError` only.
 */
export class ScyllaDB extends Client<ScyllaDriver> {
  readonly #requests: Requests
  readonly #defaults: { readonly consistency: Consistency; readonly pageSize: number }
  readonly #states: PagingStates | undefined
  readonly #page: (request: CqlRequest, attempt: Attempt) => Promise<CqlReply>
  readonly #all: (request: CqlRequest, attempt: Attempt) => Promise<CqlReply>
  readonly #two: (request: CqlRequest, attempt: Attempt) => Promise<CqlReply>
  readonly #batch: (batch: CqlBatch, attempt: Attempt) => Promise<CqlReply>

  /** @throws InfraError `SCYLLADB_CONFIG` for options that cannot be */
  constructor(driver: ScyllaDriver, options: ScyllaOptions = {}) {
    super('scylladb', driver, names, options)
    const { consistency = 'LOCAL_QUORUM', serialConsistency, pageSize = 5000 } = options
    this.#requests = new Requests({ consistency, serialConsistency })
    this.#defaults = { consistency, pageSize }
    try {
      checkConsistency(consistency, serialConsistency)
      if (options.pagingKey !== undefined) {
        this.#states = new PagingStates(options.pagingKey, driver.keyspace)
      }
    } catch (error) {
      const failed = error instanceof DriverFailure ? error.failure.detail : undefined
      const detail = failed ?? 'pagingKey is not 32 bytes in base64 or hex'
      throw this.calls.error({ name: 'configure' }, { kind: 'config', detail })
    }
    this.#page = (request, attempt) => driver.execute(request, attempt)
    this.#all = (request, attempt) => readOn(driver, request, attempt, Infinity)
    this.#two = (request, attempt) => readOn(driver, request, attempt, 2)
    this.#batch = (batch, attempt) => driver.batch(batch, attempt)
    if (driver.pool !== undefined && options.metrics !== undefined) {
      watchPool('scylladb', driver.pool, options.metrics)
    }
    driver.onNotice = ({ event, details }) => {
      const { adapter, resource } = driver
      this.calls.logger?.warn({ component: 'scylladb', adapter, resource, ...details }, event)
    }
  }

  /** What this adapter can do. */
  get capabilities(): CqlCapabilities {
    return this.driver.capabilities
  }

  /** In which names without a keyspace are looked up. */
  get keyspace(): string | undefined {
    return this.driver.keyspace
  }

  /**
   * Runs one statement and reads all that it gives, in one time for all pages: `stream` is for more than fits.
   * `R` declares the columns, for the types only. @throws InfraError
   */
  execute<R = Row>(
    cql: string,
    parameters: Parameters = [],
    options?: ExecuteOptions,
  ): Promise<Result<R>> {
    return this.#run(cql, parameters, options, this.#defaults.pageSize, resultOf<R>, this.#all)
  }

  /** The one row that there is. @throws InfraError `SCYLLADB_NOT_FOUND` for none, `SCYLLADB_INVALID` for several */
  one<R = Row>(cql: string, parameters: Parameters = [], options?: StatementOptions): Promise<R> {
    return this.#run(cql, parameters, options, 2, only<R>, this.#two)
  }

  /** The one row that there is, or `null`. @throws InfraError `SCYLLADB_INVALID` for several */
  maybeOne<R = Row>(
    cql: string,
    parameters: Parameters = [],
    options?: StatementOptions,
  ): Promise<R | null> {
    return this.#run(cql, parameters, options, 2, atMostOne<R>, this.#two)
  }

  /** The rows of a SELECT, page by page as they are read. Sends nothing before the first is asked for. */
  stream<R = Row>(
    cql: string,
    parameters: Parameters = [],
    options?: ExecuteOptions,
  ): RowStream<R> {
    const fetch = (pagingState: Uint8Array | undefined, given: CallOptions | undefined) =>
      this.#run(
        cql,
        parameters,
        { ...options, ...given },
        this.#defaults.pageSize,
        fetched<R>,
        this.#page,
        { pagingState, reads: 'stream' },
      )
    return new RowStream<R>(fetch, options)
  }

  /**
   * One page of a SELECT, and a state with which the next one is asked for: by whoever has it, in another process
   * and at another time, but for the same statement, parameters and keyspace only.
   * @throws InfraError `SCYLLADB_CONFIG` without `pagingKey`; `SCYLLADB_INVALID` for a state that is another's
   */
  async page<R = Row>(
    cql: string,
    parameters: Parameters = [],
    options: PageOptions = {},
  ): Promise<Page<R>> {
    const states = this.#states
    let statement: CqlRequest
    let pagingState: Uint8Array | undefined
    const { pagingState: sealed, ...rest } = options
    try {
      if (states === undefined) {
        throw new DriverFailure({ kind: 'config', detail: 'page needs the option pagingKey' })
      }
      const { pageSize = this.#defaults.pageSize } = known(rest, ...statementNames) ?? {}
      statement = this.#requests.statement(cql, parameters, rest, pageSize, undefined).request
      if (sealed !== undefined && sealed !== null)
        pagingState = await states.open(sealed, statement)
    } catch (error) {
      return this.#refuse('SELECT', error, rest)
    }
    const { rows, pagingState: next } = await this.#run(
      cql,
      parameters,
      rest,
      this.#defaults.pageSize,
      fetched<R>,
      this.#page,
      { pagingState, reads: 'page' },
    )
    return { rows, pagingState: next === undefined ? null : await states.seal(next, statement) }
  }

  /**
   * Several INSERT, UPDATE and DELETE in one request. With conditions, which all must be of one partition, none is
   * applied unless all hold. @throws InfraError `SCYLLADB_INVALID` for more bytes than the server takes
   */
  batch<R = Row>(
    statements: readonly BatchStatement[],
    options?: BatchOptions,
  ): Promise<Result<R>> {
    return this.#runBatch(statements, options, resultOf<R>)
  }

  /** @internal One page as the driver gives it, for the gateway, which says where it starts. */
  reply(
    cql: string,
    parameters: Parameters,
    options: ExecuteOptions | undefined,
    pagingState: Uint8Array | undefined,
  ): Promise<CqlReply> {
    const { pageSize } = this.#defaults
    return this.#run(cql, parameters, options, pageSize, asItCame, this.#page, { pagingState })
  }

  /** @internal As `batch`, with the driver's own reply. */
  batchReply(
    statements: readonly BatchStatement[],
    options: BatchOptions | undefined,
  ): Promise<CqlReply> {
    return this.#runBatch(statements, options, asItCame)
  }

  /** @internal For what is built on this client: the error of input that it refuses. */
  refusal(error: unknown): InfraError {
    return this.calls.refusal('OTHER', error, this.#defaults.consistency)
  }

  /**
   * Resolves if the cluster answers through the application's own connections, and enough of its hosts are up if
   * that is asked. Whatever the circuit's state, never retried. @throws InfraError that says why not
   */
  override health(options: HealthOptions = {}): Promise<void> {
    const { minUpShare, ...rest } = options
    const { driver } = this
    if (minUpShare !== undefined && !isShare(minUpShare)) {
      return this.#refuse('ping', invalid('minUpShare is not above 0 and at most 1'), options)
    }
    const isHealthy = async (_: undefined, attempt: Attempt) => {
      await driver.ping(attempt)
      if (minUpShare === undefined) return
      if (driver.hosts === undefined) throw new DriverFailure({ kind: 'unsupported' })
      const { up, total } = await driver.hosts(attempt)
      if (up >= minUpShare * total) return
      const detail = `${up} of ${total} hosts of the local data centre are up`
      throw new DriverFailure({ kind: 'unavailable', detail })
    }
    return this.calls.run(ping, undefined, isHealthy, rest)
  }

  /** The hosts of the local data centre. @throws InfraError of kind `unsupported` where the adapter does not know them */
  hosts(options?: CallOptions): Promise<Hosts> {
    const { driver } = this
    const ask = async (_: undefined, attempt: Attempt) => {
      if (driver.hosts === undefined) throw new DriverFailure({ kind: 'unsupported' })
      return driver.hosts(attempt)
    }
    return this.calls.run(hosts, undefined, ask, options)
  }

  /** How the connections are used at this moment; `undefined` for adapters that hold none. */
  pool(): PoolFigures | undefined {
    return this.driver.pool?.figures
  }

  // ------------------------------------------------------------------------------------------------

  #run<T>(
    cql: string,
    parameters: Parameters,
    options: ExecuteOptions | undefined,
    standard: number,
    decode: (reply: CqlReply) => T,
    send: (request: CqlRequest, attempt: Attempt) => Promise<CqlReply>,
    { pagingState, reads }: { pagingState?: Uint8Array | undefined; reads?: string } = {},
  ): Promise<T> {
    let operation: Operation<T>
    let request: CqlRequest
    try {
      const given = options === undefined ? none : (known(options, ...statementNames) ?? none)
      const { pageSize = standard } = given
      const made = this.#requests.statement(cql, parameters, given, pageSize, pagingState)
      if (reads !== undefined && !made.reading.reads) throw invalid(`${reads} is for SELECT`)
      request = made.request
      operation = operationOf(nameOf(made.reading), made.reading.reads, request, decode)
    } catch (error) {
      return this.#refuse('OTHER', error, options)
    }
    return this.calls.run(operation, request, send, options)
  }

  async #runBatch<T>(
    statements: readonly BatchStatement[],
    options: BatchOptions | undefined,
    decode: (reply: CqlReply) => T,
  ): Promise<T> {
    let operation: Operation<T>
    let batch: CqlBatch
    try {
      known(options, ...settingNames, 'type')
      const made = this.#requests.batch(statements, options ?? {})
      batch = made.batch
      operation = operationOf(made.name, false, batch, decode)
    } catch (error) {
      return this.#refuse('BATCH', error, options)
    }
    if (batch.statements.length === 0) return decode(nothing)
    return this.calls.run(operation, batch, this.#batch, options)
  }

  /** The level that it would have had; what is none must not become a label. */
  #refuse(name: string, error: unknown, options: Leveled | undefined): Promise<never> {
    const all: readonly unknown[] = consistencies
    const { consistency = this.#defaults.consistency } = options ?? {}
    const label = all.includes(consistency) ? String(consistency) : 'unknown'
    return this.calls.refuse(name, error, label)
  }
}

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= 1
}

/** Page after page, up to so many rows. */
function readOn(
  driver: ScyllaDriver,
  request: CqlRequest,
  attempt: Attempt,
  most: number,
): Promise<CqlReply> {
  return driver
    .execute(request, attempt)
    .then((first) =>
      first.pagingState === undefined || first.rows.length >= most
        ? first
        : readRest(driver, request, attempt, most, first),
    )
}

async function readRest(
  driver: ScyllaDriver,
  request: CqlRequest,
  attempt: Attempt,
  most: number,
  first: CqlReply,
): Promise<CqlReply> {
  const rows = [...first.rows]
  let { pagingState } = first
  while (pagingState !== undefined && rows.length < most) {
    const reply: CqlReply = await driver.execute({ ...request, pagingState }, attempt)
    // Not `push(...rows)`: a page may have more than a call may have arguments.
    for (const row of reply.rows) rows.push(row)
    pagingState = reply.pagingState
  }
  return { ...first, rows, pagingState }
}

// Replies ----------------------------------------------------------------------------------------

function only<R>(reply: CqlReply): R {
  const row = atMostOne<R>(reply)
  if (row !== null) return row
  throw new DriverFailure({ kind: 'not-found', detail: 'there is no such row' })
}

function fetched<R>(reply: CqlReply): Fetched<R> {
  return { rows: objects<R>(reply), pagingState: reply.pagingState }
}

function asItCame(reply: CqlReply): CqlReply {
  return reply
}
