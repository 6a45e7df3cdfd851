import type { Client, Host } from 'cassandra-driver'
import { type Attempt, DriverFailure, type Failure, type Pool } from '../../src/core/index.ts'
import type {
  CqlBatch,
  CqlCapabilities,
  CqlReply,
  CqlRequest,
  Hosts,
  Notice,
  ScyllaDriver,
} from '../../src/scylladb/index.ts'
import { explain } from './cassandra-driver/failures.ts'
import { clientOf, load, typeParser } from './cassandra-driver/library.ts'
import type { CassandraDriverOptions } from './cassandra-driver/options.ts'
import {
  type Bytes,
  bind,
  checkAwaited,
  type Library,
  type Prepared,
  Preparing,
  preparedOf,
  replyOf,
  Sending,
} from './cassandra-driver/requests.ts'
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

/** The library's client, and what is needed beside it. */
interface Opened extends Library {
  /** Shared with the client. */
  readonly contactPoints: string[]
  readonly localDataCenter: string
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

  async execute(request: CqlRequest, attempt: Attempt): Promise<CqlReply> {
    const opened = this.#ready() ?? (await this.#connected(attempt))
    this.#begin()
    try {
      const { cql, parameters } = request
      const statement = preparedOf(opened, cql) ?? (await this.#prepare(opened, cql, attempt))
      const values = bind(statement, parameters, '')
      const options = new Sending(opened, attempt, request, request)
      return replyOf(await opened.client.execute(cql, values, options), opened.parse)
    } finally {
      this.#end()
    }
  }

  async batch(batch: CqlBatch, attempt: Attempt): Promise<CqlReply> {
    const opened = this.#ready() ?? (await this.#connected(attempt))
    this.#begin()
    try {
      const queries: { query: string; params: Bytes[] }[] = []
      for (const [i, { cql, parameters }] of batch.statements.entries()) {
        const statement = preparedOf(opened, cql) ?? (await this.#prepare(opened, cql, attempt))
        queries.push({ query: cql, params: bind(statement, parameters, `statement ${i + 1}: `) })
      }
      const options = new Sending(opened, attempt, batch, undefined)
      options.logged = batch.type === 'logged'
      options.counter = batch.type === 'counter'
      return replyOf(await opened.client.batch(queries, options), opened.parse)
    } finally {
      this.#end()
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    const opened = this.#ready() ?? (await this.#connected(attempt))
    this.#begin()
    try {
      const options = new Sending(opened, attempt, undefined, undefined)
      options.prepare = false
      await opened.client.execute('SELECT key FROM system.local', [], options)
    } finally {
      this.#end()
    }
  }

  async hosts(attempt: Attempt): Promise<Hosts> {
    const local = localHosts(this.#ready() ?? (await this.#connected(attempt)))
    return { up: local.filter((host) => host.isUp()).length, total: local.length }
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

  async #connected(attempt: Attempt): Promise<Opened> {
    this.#waiting++
    this.pool.onChange?.()
    try {
      const opened = await this.#open()
      checkAwaited(attempt)
      return opened
    } finally {
      this.#waiting--
      this.pool.onChange?.()
    }
  }

  #begin(): void {
    this.#inFlight++
    this.pool.onChange?.()
  }

  #end(): void {
    if (--this.#inFlight === 0) this.#lastUse = performance.now()
    this.pool.onChange?.()
  }

  /** The library prepares a statement when it is run, and only then. So it is run, up to where it would be sent. */
  async #prepare(opened: Opened, cql: string, attempt: Attempt): Promise<Prepared> {
    const options = new Preparing()
    try {
      await opened.client.execute(cql, [], options)
    } catch (error) {
      if (!options.isPrepared) throw error
    }
    checkAwaited(attempt)
    const statement = preparedOf(opened, cql)
    if (statement !== undefined) return statement
    throw new DriverFailure({ kind: 'internal', detail: 'the statement was not prepared' })
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
      statements: new Map(),
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
