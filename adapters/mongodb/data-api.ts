import {
  basic,
  bearer,
  type Credentials,
  type EndpointOptions,
  fetchFailure,
  HttpEndpoint,
  type Secret,
  statusFailure,
} from '../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure, InfraError } from '../../src/core/index.ts'
import { errorHeader, kindOf, parseFailures } from '../../src/core/wire.ts'
import { type Bson, type Ejson, EjsonError, ejsonWith } from '../../src/mongodb/ejson.ts'
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
} from '../../src/mongodb/index.ts'
import { type Dialect, type DialectName, dialects } from './data-api/dialects.ts'
import { readers, requestOf } from './data-api/replies.ts'

export interface DataApiOptions extends EndpointOptions {
  /** Sent as `Authorization: Bearer`. */
  token?: Secret | undefined
  /** Sent as the header `apiKey`, as Atlas wanted it. */
  apiKey?: string | undefined
  /** With `password`, sent as `Authorization: Basic`, as FerretDB wants it. */
  username?: string | undefined
  password?: Secret | undefined
  /** What the server calls its cluster. Default `default`; dualport's gateway does not look at it. */
  dataSource?: string | undefined
  /** Default `test`. */
  database?: string | undefined
  /**
   * Which server it is: `dualport` for our gateway (the default), `atlas` for one that speaks the protocol as
   * Atlas had it, `ferretdb` for FerretDB 2, whose replies lose types. What each cannot do is in `capabilities`.
   */
  dialect?: DialectName | undefined
  /** The largest document that the server takes, in bytes of BSON. Default 16 MB. */
  maxDocumentBytes?: number | undefined
}

/**
 * MongoDB over HTTP by the Data API: dualport's gateway, and other servers of that protocol. Plain `fetch`, so
 * it runs everywhere; it holds no connection, so that it may live at module level in a Worker. Loads `bson` on
 * first use (`npm install bson`).
 * Protocol: https://www.mongodb.com/docs/atlas/app-services/data-api/openapi/
 * @throws InfraError `MONGODB_CONFIG` for malformed options
 */
export function dataApi(options: DataApiOptions): MongoDriver {
  return new DataApiDriver(options)
}

interface Codec {
  readonly bson: Bson
  readonly ejson: Ejson
}

const known = [
  ...['url', 'fetch', 'token', 'apiKey', 'username', 'password'],
  ...['dataSource', 'database', 'dialect', 'maxDocumentBytes'],
]
const mb16 = 16 * 1024 * 1024

class DataApiDriver implements MongoDriver {
  readonly adapter = 'data-api'
  readonly resource: string
  readonly capabilities: MongoCapabilities
  readonly database: string
  readonly #endpoint: HttpEndpoint
  readonly #dialect: Dialect
  readonly #dataSource: string
  readonly #apiKey: string | undefined
  readonly #open = new Set<AbortController>()
  #codec: Codec | undefined

  constructor(options: DataApiOptions) {
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
    if (!this.#dialect.actions.has(name)) throw new DriverFailure({ kind: 'unsupported' })
    const { bson } = await this.#load()
    const request = requestOf(operation as OperationOf<OperationName>, () => new bson.ObjectId())
    const reply = await this.#action(name, { ...rest, ...request }, attempt)
    return understood(() => readers[name as N](reply, { ...operation, ...request }))
  }

  async open(operation: CursorOperation, attempt: Attempt): Promise<Page> {
    const { name, ...rest } = operation
    // A server without cursors gives all that it gives at once.
    const { batchSize, ...request } = rest
    const whole = this.capabilities.cursors ? rest : request
    return this.#page(await this.#action(name, whole, attempt))
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
      'content-type': 'application/ejson',
      accept: 'application/ejson',
      // Of a write that was refused in part, the parts, and not an error for all of it.
      'dualport-partial': '1',
    }
    if (this.#apiKey !== undefined) headers.apikey = this.#apiKey
    try {
      const response = await this.#endpoint.request({
        method: 'POST',
        path: `/action/${action}`,
        body: ejson.write({ dataSource: this.#dataSource, ...request }, 'ejson'),
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
    const now: Attempt = {
      operation: 'closeCursor',
      due: performance.now() + 1000,
      context: undefined,
      correlationId: undefined,
      over: false,
      sent: false,
      onCancel: undefined,
    }
    this.#action('closeCursor', { cursor }, now).catch(() => {})
  }

  /** A settled value: what is pending may not be shared by the requests of a Worker. */
  async #load(): Promise<Codec> {
    if (this.#codec !== undefined) return this.#codec
    let bson: Bson
    try {
      bson = await import('bson')
    } catch (cause) {
      const detail = 'bson is not installed: npm install bson'
      throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
    }
    this.#codec = { bson, ejson: ejsonWith(bson, 'number') }
    return this.#codec
  }
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

// Replies ----------------------------------------------------------------------------------------

/** What a status other than 2xx means. */
function failureOf(response: Response, text: string): Error {
  let body: { error?: unknown; code?: unknown; index?: unknown; error_code?: unknown } | null = null
  try {
    body = JSON.parse(text)
  } catch {
    // A proxy's page: the status has to do.
  }
  const whole = parseFailures(response.headers.get(errorHeader))?.whole
  const code = body?.code
  if (typeof code === 'number') {
    const { error, index } = body ?? {}
    // In the server's own form, so that one place reads the name of the index.
    const message = typeof index === 'string' ? duplicateKey(index) : String(error ?? '')
    const failure = classifyServerError(new ServerError(code, message), '')
    if (whole === undefined) return new ServerError(code, message)
    return new DriverFailure({
      ...failure,
      outcome: whole.outcome,
      retryAfterMs: whole.retryAfterMs,
    })
  }
  if (whole === undefined) return new DriverFailure(statusFailure(response))
  const { outcome, retryAfterMs } = whole
  return new DriverFailure({ kind: kindOf(whole.code) ?? 'internal', outcome, retryAfterMs })
}

/** As MongoDB words it, but for the value. */
export function duplicateKey(index: string): string {
  return `E11000 duplicate key error collection: - index: ${index} dup key:`
}

function understood<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DriverFailure) throw error
    throw error instanceof EjsonError || error instanceof TypeError ? notDataApi() : error
  }
}

function notDataApi(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
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
