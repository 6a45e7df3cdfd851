import {
  basic,
  bearer,
  type Credentials,
  fetchFailure,
  HttpEndpoint,
} from '../../../src/core/http.ts'
import {
  type Attempt,
  DriverFailure,
  detachedAttempt,
  type Failure,
  InfraError,
} from '../../../src/core/index.ts'
import { type BsonValues, type Ejson, EjsonError, ejsonWith } from '../../../src/mongodb/ejson.ts'
import {
  type CursorOperation,
  classifyServerError,
  type Document,
  type MongoCapabilities,
  type MongoDriver,
  type OperationName,
  type OperationOf,
  type Page,
  type ReplyOf,
  ServerError,
} from '../../../src/mongodb/index.ts'
import { type Dialect, dialects } from './dialects.ts'
import { failureOf } from './failures.ts'
import type { DataApiOptions } from './options.ts'
import { notDataApi, readers, requestOf } from './replies.ts'

interface Codec {
  readonly bson: BsonValues
  readonly ejson: Ejson
}

const known = [
  ...['url', 'fetch', 'token', 'apiKey', 'username', 'password'],
  ...['dataSource', 'database', 'dialect', 'maxDocumentBytes'],
]
const mb16 = 16 * 1024 * 1024

export class DataApiDriver implements MongoDriver {
  readonly adapter = 'data-api'
  readonly resource: string
  readonly capabilities: MongoCapabilities
  readonly database: string
  readonly #endpoint: HttpEndpoint
  readonly #dialect: Dialect
  readonly #dataSource: string
  readonly #apiKey: string | undefined
  readonly #open = new Set<AbortController>()
  readonly #loadBson: () => Promise<BsonValues>
  #codec: Codec | undefined

  /** @param loadBson Rejects with `notInstalled`. */
  constructor(options: DataApiOptions, loadBson: () => Promise<BsonValues>) {
    this.#loadBson = loadBson
    if (Object.keys(options).some((name) => !known.includes(name))) {
      throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
    }
    const { database = 'test', dataSource = 'default', dialect = 'dualport' } = options
    const { maxDocumentBytes = mb16, apiKey } = options
    if (!Object.hasOwn(dialects, dialect)) {
      throw misconfigured(`dialect is none of ${Object.keys(dialects).join(', ')}`)
    }
    if (!(maxDocumentBytes > 0)) throw misconfigured('maxDocumentBytes is not above 0')
    if (apiKey !== undefined && bearer(apiKey) === undefined) {
      throw misconfigured('apiKey has a character that none may have')
    }
    this.#endpoint = new HttpEndpoint(options, credentialsOf(options), misconfigured)
    this.resource = `${this.#endpoint.resource}/${database}`
    this.database = database
    this.#dialect = dialects[dialect]
    this.#dataSource = dataSource
    this.#apiKey = apiKey
    this.capabilities = { ...this.#dialect.capabilities, cancel: true, maxDocumentBytes }
  }

  async execute<N extends OperationName>(
    operation: OperationOf<N>,
    attempt: Attempt,
  ): Promise<ReplyOf<N>> {
    const { name, ...rest } = operation
    const asked = this.#dialect.request(name, rest)
    const { bson } = await this.#load()
    const request = requestOf(operation as OperationOf<OperationName>, () => new bson.ObjectId())
    const reply = await this.#action(name, { ...asked, ...request }, attempt)
    return understood(() => readers[name as N](reply, { ...operation, ...request }))
  }

  async open(operation: CursorOperation, attempt: Attempt): Promise<Page> {
    const { name, ...rest } = operation
    return this.#page(await this.#action(name, this.#dialect.request(name, rest), attempt))
  }

  #page({ documents, cursor }: Document): Page {
    if (!Array.isArray(documents)) throw notDataApi()
    if (typeof cursor !== 'string') return { documents, rest: undefined }
    return {
      documents,
      rest: {
        next: async (attempt) => {
          try {
            return this.#page(await this.#action('nextPage', { cursor }, attempt))
          } catch (error) {
            // The page may be lost on its way: nobody can go on from here.
            this.#abandon(cursor)
            throw error
          }
        },
        close: async (attempt) => {
          await this.#action('closeCursor', { cursor }, attempt)
        },
      },
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    const { ping } = this.#dialect
    await this.#action(ping.action, { ...ping.request, database: this.database }, attempt)
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const { ping } = this.#dialect
    if (ping.action !== 'ping') throw new DriverFailure({ kind: 'unsupported' })
    const request = { database: this.database, writable: true }
    const { writable } = await this.#action('ping', request, attempt)
    return writable === true
  }

  async close(): Promise<void> {
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#endpoint.fetch
  }

  classify(error: unknown, { operation }: { operation: string }): Failure {
    if (error instanceof ServerError) return classifyServerError(error, operation)
    return fetchFailure(error)
  }

  // Requests -----------------------------------------------------------------------------------

  async #action(action: string, request: Document, attempt: Attempt): Promise<Document> {
    const { ejson } = await this.#load()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    const headers: Record<string, string> = {
      'content-type': this.#dialect.contentType,
      accept: 'application/ejson',
      // Of a write that was refused in part, the parts, and not an error for all of it.
      'dualport-partial': '1',
    }
    if (this.#apiKey !== undefined) headers.apikey = this.#apiKey
    try {
      const response = await this.#endpoint.request({
        method: 'POST',
        path: `/action/${action}`,
        body: written({ dataSource: this.#dataSource, ...request }, ejson),
        headers,
        attempts: [attempt],
        signal: controller.signal,
      })
      const text = await response.text()
      if (!response.ok) throw failureOf(response, text)
      const reply = understood(() => ejson.read(text))
      if (typeof reply !== 'object' || reply === null) throw notDataApi()
      return reply as Document
    } finally {
      this.#open.delete(controller)
    }
  }

  /** Frees a cursor that nobody reads any more. Nobody waits for it: the server's own limit frees it otherwise. */
  #abandon(cursor: string): void {
    const now = detachedAttempt('closeCursor', 1000)
    this.#action('closeCursor', { cursor }, now).catch(() => {})
  }

  /** A settled value: what is pending may not be shared by the requests of a Worker. */
  async #load(): Promise<Codec> {
    if (this.#codec !== undefined) return this.#codec
    const bson = await this.#loadBson()
    this.#codec = { bson, ejson: ejsonWith(bson, 'number') }
    return this.#codec
  }
}

/** Limits as plain numbers, which every server takes; the values in documents with their types. */
function written(request: Document, ejson: Ejson): string {
  const fields = Object.entries(request).map(([name, value]) => {
    const text = typeof value === 'number' ? String(value) : ejson.write(value, 'ejson')
    return `${JSON.stringify(name)}:${text}`
  })
  return `{${fields.join(',')}}`
}

function credentialsOf({ token, username, password }: DataApiOptions): Credentials | undefined {
  if (username !== undefined || password !== undefined) {
    if (token !== undefined) throw misconfigured('token does not go with username and password')
    if (username === undefined || password === undefined) {
      throw misconfigured('username and password go together')
    }
    return { secret: password, scheme: basic(username) }
  }
  return token === undefined ? undefined : { secret: token, scheme: bearer }
}

function understood<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DriverFailure) throw error
    throw error instanceof EjsonError || error instanceof TypeError ? notDataApi() : error
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'mongodb',
    adapter: 'data-api',
    operation: 'configure',
    detail,
  })
}

/** `bson` could not be loaded. */
export function notInstalled(cause: unknown): DriverFailure {
  const detail = 'bson is not installed: npm install bson'
  return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
}
