import type { Client, Host, QueryOptions, types } from 'cassandra-driver'
import { type Attempt, DriverFailure, type Failure, type Pool } from '../../src/core/index.ts'
import {
  type CqlBatch,
  type CqlCapabilities,
  type CqlReply,
  type CqlRequest,
  type CqlSettings,
  type CqlStatement,
  type CqlValue,
  consistencies,
  type Hosts,
  type Notice,
  type ScyllaDriver,
} from '../../src/scylladb/index.ts'
import { type Codec, codecOf, type NativeType } from './cassandra-driver/codec.ts'
import { explain } from './cassandra-driver/failures.ts'
import { clientOf, load, typeParser } from './cassandra-driver/library.ts'
import type { CassandraDriverOptions } from './cassandra-driver/options.ts'
import { type Settings, settingsOf } from './cassandra-driver/settings.ts'

export type { CassandraDriverOptions, TlsOptions } from './cassandra-driver/options.ts'

/** For a server to answer that it closes its end, too. One that is silent is left in the end by the library. */
const closeMs = 500
const capabilities: CqlCapabilities = { cancel: false, hosts: true }

/**
 * ScyllaDB and Cassandra over TCP, by cassandra-driver 4 (`npm install cassandra-driver`), which is loaded on first
 * use.
 * @throws InfraError `SCYLLADB_CONFIG` for malformed options
 */
export function cassandraDriver(options: CassandraDriverOptions = {}): ScyllaDriver {
  return new CassandraDriver(settingsOf(options))
}

/** The library's client, and what is known of the statements that it has prepared. */
interface Opened {
  readonly client: Client
  /** Shared with the client. */
  readonly contactPoints: string[]
  readonly localDataCenter: string
  readonly parse: (name: string) => NativeType
  readonly timestamp: (microseconds: bigint) => number | types.Long
  /** By the columns that the server described: others come when it prepares anew. */
  readonly codecs: WeakMap<object, readonly Codec[]>
}

/** What the library knows of a prepared statement. It does not declare it. */
interface PreparedInfo {
  readonly meta?: { readonly columns: readonly Column[] }
}
interface Column {
  readonly name: string
  readonly type: NativeType
}

class CassandraDriver implements ScyllaDriver {
  readonly adapter = 'cassandra-driver'
  readonly resource: string
  readonly capabilities = capabilities
  readonly keyspace: string | undefined
  readonly pool: Pool
  onNotice: ((notice: Notice) => void) | undefined
  readonly #settings: Settings
  #opening: Promise<Opened> | undefined
  #opened: Opened | undefined
  #closed = false
  /** Requests that have begun and not ended, and those of them that wait for a connection. */
  #inFlight = 0
  #waiting = 0
  #lastUse = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
    this.keyspace = settings.keyspace
    const figures = () => this.#figures()
    this.pool = {
      get figures() {
        return figures()
      },
      onChange: undefined,
    }
  }

  execute(request: CqlRequest, attempt: Attempt): Promise<CqlReply> {
    return this.#run(attempt, async (opened) => {
      const { cql, parameters } = request
      const columns = this.#columns(opened, cql) ?? (await this.#prepare(opened, cql, attempt))
      const values = bind(this.#codecs(opened, columns), columns, parameters)
      const options = new Sending(opened, attempt, request, request)
      return this.#reply(opened, await opened.client.execute(cql, values, options))
    })
  }

  batch(batch: CqlBatch, attempt: Attempt): Promise<CqlReply> {
    return this.#run(attempt, async (opened) => {
      const queries: { query: string; params: Bytes[] }[] = []
      for (const [i, { cql, parameters }] of batch.statements.entries()) {
        const columns = this.#columns(opened, cql) ?? (await this.#prepare(opened, cql, attempt))
        const where = `statement ${i + 1}: `
        const params = bind(this.#codecs(opened, columns), columns, parameters, where)
        queries.push({ query: cql, params })
      }
      const options = new Sending(opened, attempt, batch, undefined)
      options.logged = batch.type === 'logged'
      options.counter = batch.type === 'counter'
      return this.#reply(opened, await opened.client.batch(queries, options))
    })
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#run(attempt, (opened) => {
      const options = new Sending(opened, attempt, undefined, undefined)
      options.prepare = false
      return opened.client.execute('SELECT key FROM system.local', [], options)
    })
  }

  async hosts(attempt: Attempt): Promise<Hosts> {
    return this.#run(attempt, async (opened) => {
      const local = localHosts(opened)
      return { up: local.filter((host) => host.isUp()).length, total: local.length }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = this.#opened ?? (await this.#opening?.catch(() => undefined))
    if (opened !== undefined) await this.#retire(opened)
    this.pool.onChange?.()
  }

  async native(): Promise<Client> {
    return (this.#ready() ?? (await this.#open())).client
  }

  classify(error: unknown, { operation }: { operation: string }): Failure {
    return explain(error, operation)
  }

  // Requests -------------------------------------------------------------------------------------

  async #run<T>(attempt: Attempt, work: (opened: Opened) => Promise<T>): Promise<T> {
    let opened = this.#ready()
    this.#inFlight++
    try {
      if (opened === undefined) {
        this.#waiting++
        this.pool.onChange?.()
        try {
          opened = await this.#open()
        } finally {
          this.#waiting--
        }
        checkAwaited(attempt)
      }
      this.pool.onChange?.()
      return await work(opened)
    } finally {
      this.#inFlight--
      this.#lastUse = performance.now()
      this.pool.onChange?.()
    }
  }

  /** What the server says of the parameters, if it has been asked. */
  #columns({ client }: Opened, cql: string): readonly Column[] | undefined {
    const metadata = client.metadata as unknown as {
      getPreparedInfo(keyspace: string | undefined, query: string): PreparedInfo
    }
    return metadata.getPreparedInfo(client.keyspace, cql).meta?.columns
  }

  /** The library prepares a statement when it is run, and only then. So it is run, up to where it would be sent. */
  async #prepare(opened: Opened, cql: string, attempt: Attempt): Promise<readonly Column[]> {
    const options = new Preparing()
    try {
      await opened.client.execute(cql, [], options)
    } catch (error) {
      if (!options.isPrepared) throw error
    }
    checkAwaited(attempt)
    const columns = this.#columns(opened, cql)
    if (columns !== undefined) return columns
    throw new DriverFailure({ kind: 'internal', detail: 'the statement was not prepared' })
  }

  #codecs({ codecs, parse }: Opened, columns: readonly Column[]): readonly Codec[] {
    let found = codecs.get(columns)
    if (found === undefined) {
      found = columns.map(({ type }) => codecOf(type, parse))
      codecs.set(columns, found)
    }
    return found
  }

  #reply({ parse }: Opened, result: types.ResultSet): CqlReply {
    const described: readonly Column[] = (result.columns as readonly Column[] | null) ?? []
    const warnings: readonly string[] = result.info.warnings ?? []
    const codecs = described.map(({ type }) => codecOf(type, parse))
    const columns = described.map(({ name }, i) => ({ name, type: (codecs[i] as Codec).name }))
    if (new Set(columns.map(({ name }) => name)).size < columns.length) {
      // The library has rows by name, and so only one of the two.
      const detail = 'two columns of the result have the same name: give them names by AS'
      throw new DriverFailure({ kind: 'invalid', detail })
    }
    const native = (result.rows ?? []) as readonly Readonly<Record<string, unknown>>[]
    const rows = native.map((row) => {
      const values = new Array<CqlValue>(columns.length)
      for (let i = 0; i < values.length; i++) {
        const value = row[(described[i] as Column).name]
        const { decode } = codecs[i] as Codec
        if (value === null || value === undefined) values[i] = null
        else values[i] = decode === undefined ? (value as CqlValue) : decode(value as never)
      }
      return values
    })
    const { rawPageState } = result as { rawPageState?: Buffer }
    return { columns, rows, pagingState: rawPageState && new Uint8Array(rawPageState), warnings }
  }

  // The client -----------------------------------------------------------------------------------

  /** Unless it was idle for so long that its connections may be dead: then they are replaced before use. */
  #ready(): Opened | undefined {
    const opened = this.#opened
    const { profile, maxIdleMs } = this.#settings
    if (opened === undefined || profile === 'server' || this.#inFlight > 0) return opened
    if (performance.now() - this.#lastUse <= maxIdleMs) return opened
    void this.#retire(opened)
    return undefined
  }

  /** Memoised, but not its failure. */
  #open(): Promise<Opened> {
    if (this.#opening === undefined) {
      const opening = this.#connect()
      this.#opening = opening
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined
      })
    }
    return this.#opening
  }

  async #connect(): Promise<Opened> {
    const library = await load()
    let localDataCenter = this.#settings.localDataCenter
    const contactPoints = [...this.#settings.contactPoints]
    const client = clientOf(library, this.#settings, contactPoints, (learned) => {
      localDataCenter = learned
      const details = { localDataCenter: learned }
      this.onNotice?.({ event: 'local_data_center_learned', details })
    })
    // Without a listener, an error event would end the process.
    client.on('error', () => {})
    await client.connect()
    const parser = typeParser(library)
    const { Long } = library.types
    const opened: Opened = {
      client,
      contactPoints,
      localDataCenter: localDataCenter as string,
      parse: (name) => parser.parseFqTypeName(name),
      timestamp: (microseconds) => {
        const number = Number(microseconds)
        return Number.isSafeInteger(number) ? number : Long.fromString(String(microseconds))
      },
      codecs: new WeakMap(),
    }
    if (this.#closed) {
      await this.#retire(opened)
      throw new DriverFailure({ kind: 'closed' })
    }
    this.#opened = opened
    this.#lastUse = performance.now()
    for (const event of ['hostUp', 'hostAdd', 'hostRemove']) {
      client.on(event, () => this.pool.onChange?.())
    }
    client.on('hostDown', () => {
      if (!localHosts(opened).some((host) => host.isUp())) void this.#retire(opened)
      this.pool.onChange?.()
    })
    return opened
  }

  /**
   * Closes it; the next request has another one made. Also done when none of its hosts is up: the library would
   * go on reconnecting, and each time lose a connection that it does not close.
   */
  async #retire({ client, contactPoints }: Opened): Promise<void> {
    if (this.#opened?.client === client) {
      this.#opened = undefined
      this.#opening = undefined
    }
    // It looks them up again even after its shutdown, and then leaves a connection open.
    contactPoints.length = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const soon = new Promise((resolve) => {
      timer = setTimeout(resolve, closeMs)
    })
    try {
      await Promise.race([client.shutdown(), soon])
    } catch {
      // It is gone either way.
    } finally {
      clearTimeout(timer)
    }
  }

  /** Requests share connections: of a host, at most as many are in use as it has requests. */
  #figures(): Pool['figures'] {
    const state = this.#opened?.client.getState()
    let open = 0
    let inUse = 0
    for (const host of state?.getConnectedHosts() ?? []) {
      const connections = state?.getOpenConnections(host) ?? 0
      open += connections
      inUse += Math.min(connections, state?.getInFlightQueries(host) ?? 0)
    }
    return { open, inUse, waiting: this.#waiting }
  }
}

function localHosts({ client, localDataCenter }: Opened): Host[] {
  return client.hosts.values().filter(({ datacenter }) => datacenter === localDataCenter)
}

/** How a request says what is to be done with it. */
class Sending implements QueryOptions {
  prepare = true
  readonly isIdempotent = false
  readonly consistency: number
  readonly readTimeout: number
  serialConsistency?: number
  timestamp?: number | types.Long
  fetchSize?: number
  pageState?: Buffer
  logged?: boolean
  counter?: boolean
  readonly #attempt: Attempt

  constructor(
    opened: Opened,
    attempt: Attempt,
    settings: CqlSettings | undefined,
    page: Pick<CqlRequest, 'pageSize' | 'pagingState'> | undefined,
  ) {
    const { consistency = 'LOCAL_ONE', serialConsistency, timestamp } = settings ?? {}
    this.#attempt = attempt
    // Their numbers on the wire are their places in the list.
    const level = consistencies.indexOf(consistency)
    // The library takes a 0, which is ANY, for none, and ONE in its place; but not this one.
    this.consistency = level === 0 ? (Object(0) as number) : level
    // The pipeline ends the wait. A moment later, so that an answer which never comes counts against the connection.
    this.readTimeout = Math.max(1, Math.ceil(attempt.due - performance.now())) + 50
    if (serialConsistency !== undefined) {
      this.serialConsistency = consistencies.indexOf(serialConsistency)
    }
    if (timestamp !== undefined) this.timestamp = opened.timestamp(timestamp)
    if (page !== undefined) this.fetchSize = page.pageSize
    if (page?.pagingState !== undefined) this.pageState = Buffer.from(page.pagingState)
  }

  /** The library asks for it while it writes the request, and at no other time: now, or never. */
  get traceQuery(): boolean {
    checkAwaited(this.#attempt)
    this.#attempt.sent = true
    return false
  }
}

/** Stops where `Sending` would be sent. */
class Preparing implements QueryOptions {
  readonly prepare = true
  readonly isIdempotent = false
  isPrepared = false

  get traceQuery(): boolean {
    this.isPrepared = true
    throw new DriverFailure({ kind: 'aborted', detail: 'prepared' })
  }
}

/** @throws DriverFailure if nobody waits any more: what has not been sent by then must not be */
function checkAwaited({ over }: Attempt): void {
  if (over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
}

type Bytes = Buffer | null | undefined

/** @throws DriverFailure of kind `invalid` */
function bind(
  codecs: readonly Codec[],
  columns: readonly Column[],
  parameters: CqlStatement['parameters'],
  where = '',
): Bytes[] {
  if (parameters.length !== codecs.length) {
    const detail = `${where}there are ${parameters.length} parameters for ${codecs.length} markers`
    throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
  }
  return codecs.map((codec, i) => {
    const value = parameters[i]
    if (value === null || value === undefined) return value
    const bytes = codec.encode(value)
    if (bytes !== undefined) return bytes
    const { name } = columns[i] as Column
    const detail = `${where}parameter ${i + 1} (${name}) is no ${codec.name}`
    throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
  })
}
