import type {
  AbstractCursor,
  ClientSession,
  Collection,
  Document,
  MongoClient,
  ObjectId,
} from 'mongodb'
import { type Attempt, DriverFailure, type Failure, type Pool } from '../../src/core/index.ts'
import {
  type CursorOperation,
  classifyServerError,
  type MongoCapabilities,
  type MongoDriver,
  type OperationName,
  type OperationOf,
  type Page,
  type ReplyOf,
  type ServerTransaction,
} from '../../src/mongodb/index.ts'
import { explain, unreachable } from './mongodb/failures.ts'
import { Flight, type Waiting } from './mongodb/flight.ts'
import { handlers } from './mongodb/operations.ts'
import type { MongodbOptions } from './mongodb/options.ts'
import { type Settings, settingsOf } from './mongodb/settings.ts'

export type { MongodbOptions } from './mongodb/options.ts'

const capabilities: MongoCapabilities = {
  transactions: true,
  cursors: true,
  indexes: true,
  extended: true,
  exactTypes: true,
  writeErrors: true,
  cancel: true,
  maxDocumentBytes: 16 * 1024 * 1024,
}

/**
 * MongoDB over TCP, by mongodb 7 (`npm install mongodb`), which is loaded on first use. A small pool of
 * connections, each replaced before use once it was idle for long.
 * @throws InfraError `MONGODB_CONFIG` for malformed options
 */
export function mongodb(options: MongodbOptions = {}): MongoDriver {
  return new MongodbDriver(settingsOf(options))
}

type Password = NonNullable<Settings['user']>['password']

/** The library, and the one client that is made with it. */
interface Opened {
  readonly client: MongoClient
  readonly newId: () => ObjectId
  readonly collections: Map<string, Collection>
}

class MongodbDriver implements MongoDriver {
  readonly adapter = 'mongodb'
  readonly resource: string
  readonly capabilities = capabilities
  readonly database: string
  readonly pool: Pool
  readonly #settings: Settings
  readonly #waiting: Waiting = new Set()
  /** Those that wait for a page. */
  readonly #pages = new Set<Flight>()
  /** Servers that answered when they were last asked. */
  readonly #alive = new Set<string>()
  #opening: Promise<Opened> | undefined
  #opened: Opened | undefined
  #open = 0
  #inUse = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
    this.database = settings.database
    const figures = () => ({ open: this.#open, inUse: this.#inUse, waiting: this.#waiting.size })
    this.pool = {
      get figures() {
        return figures()
      },
      onChange: undefined,
    }
  }

  execute<N extends OperationName>(
    operation: OperationOf<N>,
    attempt: Attempt,
  ): Promise<ReplyOf<N>> {
    return this.#execute(operation, attempt, undefined)
  }

  open(operation: CursorOperation, attempt: Attempt): Promise<Page> {
    return this.#find(operation, attempt, undefined)
  }

  async begin(): Promise<ServerTransaction> {
    const { client } = this.#opened ?? (await this.#load())
    const session = client.startSession()
    session.startTransaction()
    return {
      execute: (operation, attempt) => this.#execute(operation, attempt, session),
      open: (operation, attempt) => this.#find(operation, attempt, session),
      async commit(attempt) {
        attempt.sent = true
        await session.commitTransaction()
        await session.endSession()
      },
      async abort(attempt) {
        attempt.sent = true
        // Ends the transaction as well, if it is still under way.
        await session.endSession()
      },
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#command({ ping: 1 }, attempt)
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const { isWritablePrimary } = await this.#command({ hello: 1 }, attempt)
    return isWritablePrimary === true
  }

  async close(): Promise<void> {
    const opened = this.#opened ?? (await this.#opening?.catch(() => undefined))
    await opened?.client.close()
  }

  async native(): Promise<MongoClient> {
    const { client } = this.#opened ?? (await this.#load())
    return client.connect()
  }

  classify(error: unknown, { operation }: { operation: string }): Failure {
    return explain(error, operation)
  }

  // Operations -----------------------------------------------------------------------------------

  async #execute<N extends OperationName>(
    operation: OperationOf<N>,
    attempt: Attempt,
    session: ClientSession | undefined,
  ): Promise<ReplyOf<N>> {
    const opened = this.#opened ?? (await this.#load())
    const flight = this.#board(attempt)
    // It has no comment that could tell, and to repeat it does no harm.
    if (operation.name === 'createIndex') attempt.sent = true
    const { database, collection } = operation
    const { newId } = opened
    try {
      return await handlers[operation.name as N](operation, {
        collection: this.#collection(opened, database, collection),
        flight,
        session,
        newId,
      })
    } catch (error) {
      this.#refused(error)
      throw error
    } finally {
      this.#land(flight)
    }
  }

  async #command(command: Document, attempt: Attempt): Promise<Document> {
    const { client } = this.#opened ?? (await this.#load())
    const flight = this.#board(attempt)
    try {
      return await client.db(this.database).command(command, flight.options(undefined))
    } catch (error) {
      this.#refused(error)
      throw error
    } finally {
      this.#land(flight)
    }
  }

  async #find(
    operation: CursorOperation,
    attempt: Attempt,
    session: ClientSession | undefined,
  ): Promise<Page> {
    const opened = this.#opened ?? (await this.#load())
    const flight = this.#board(attempt)
    const target = this.#collection(opened, operation.database, operation.collection)
    let cursor: AbstractCursor
    if (operation.name === 'find') {
      const { name, database, collection, filter, ...options } = operation
      cursor = target.find(filter, { ...options, ...flight.bounded(session) } as object)
    } else {
      const { name, database, collection, pipeline, ...options } = operation
      const all = { ...options, ...flight.bounded(session) } as object
      cursor = target.aggregate([...pipeline], all)
    }
    return this.#page(cursor, flight)
  }

  async #page(cursor: AbstractCursor, flight: Flight): Promise<Page> {
    this.#pages.add(flight)
    try {
      // When a page fails, the driver first tries to close the cursor, and waits for a server to do it at.
      await flight.orAbandoned(cursor.hasNext())
    } catch (error) {
      this.#refused(error)
      throw error
    } finally {
      this.#pages.delete(flight)
      this.#land(flight)
    }
    const documents = cursor.readBufferedDocuments()
    if (cursor.closed) return { documents, rest: undefined }
    return {
      documents,
      rest: {
        next: (attempt) => {
          flight.board(attempt)
          this.pool.onChange?.()
          return this.#page(cursor, flight)
        },
        close: () => cursor.close(),
      },
    }
  }

  #board(attempt: Attempt): Flight {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const flight = new Flight(attempt, this.#waiting)
    this.pool.onChange?.()
    return flight
  }

  #land(flight: Flight): void {
    flight.land()
    this.pool.onChange?.()
  }

  #collection({ client, collections }: Opened, database: string, name: string): Collection {
    // A database's name has no dot.
    const key = `${database}.${name}`
    let collection = collections.get(key)
    if (collection === undefined) {
      collection = client.db(database).collection(name)
      // Names may be made of data: there must not be ever more of them.
      if (collections.size >= 1000) collections.clear()
      collections.set(key, collection)
    }
    return collection
  }

  // The client -----------------------------------------------------------------------------------

  /** Memoised, but not its failure: what is installed meanwhile is found. */
  #load(): Promise<Opened> {
    if (this.#opening === undefined) {
      const opening = this.#make()
      this.#opening = opening
      opening.catch(() => {
        this.#opening = undefined
      })
    }
    return this.#opening
  }

  async #make(): Promise<Opened> {
    const { url, client: options, user } = this.#settings
    let library: Pick<typeof import('mongodb'), 'MongoClient' | 'ObjectId'>
    try {
      library = await import('mongodb')
    } catch (cause) {
      throw new DriverFailure(explain(cause, 'load'), { cause })
    }
    const { MongoClient, ObjectId } = library
    const auth = user && { auth: { ...user, password: await ask(user.password) } }
    let client: MongoClient
    try {
      client = new MongoClient(url, { ...options, ...auth })
    } catch (cause) {
      const detail = 'url or options are not what the driver takes'
      throw new DriverFailure({ kind: 'config', detail }, { cause })
    }
    this.#observe(client)
    this.#opened = { client, newId: () => new ObjectId(), collections: new Map() }
    return this.#opened
  }

  /** A password that was asked for may have been replaced since: the next call asks again, for a client of its own. */
  #refused(error: unknown): void {
    const isFunction = typeof this.#settings.user?.password === 'function'
    if (!isFunction || explain(error, 'connect').kind !== 'unauthenticated') return
    void this.#opened?.client.close().catch(() => {})
    this.#opened = undefined
    this.#opening = undefined
  }

  #observe(client: MongoClient): void {
    const count = (open: number, inUse: number) => () => {
      this.#open += open
      this.#inUse += inUse
      this.pool.onChange?.()
    }
    client.on('connectionCreated', count(1, 0))
    client.on('connectionClosed', count(-1, 0))
    client.on('connectionCheckedOut', count(0, 1))
    client.on('connectionCheckedIn', count(0, -1))
    client.on('serverHeartbeatSucceeded', ({ connectionId }) => this.#alive.add(connectionId))
    client.on('serverHeartbeatFailed', ({ connectionId, failure }) => {
      this.#alive.delete(connectionId)
      if (this.#alive.size === 0) this.#giveUp(failure)
    })
  }

  /**
   * No server answers. The driver would go on waiting for one, and those who wait would learn no more at
   * their deadline than that it was over.
   */
  #giveUp(failure: Error): void {
    const reason: Failure =
      failure.name === 'MongoServerError'
        ? classifyServerError(failure, 'hello')
        : unreachable(failure)
    for (const flight of [...this.#waiting, ...this.#pages])
      flight.abandon({ ...reason, outcome: 'not-applied' })
  }
}

async function ask(password: Password): Promise<string> {
  if (typeof password === 'string') return password
  try {
    return await password()
  } catch (cause) {
    const detail = 'the password function failed'
    throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
  }
}
