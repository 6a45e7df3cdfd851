import { isCorrelationId } from '../core/context.ts'
import { type CallOptions, codeOf, type ErrorKind, type InfraError } from '../core/index.ts'
import { correlationHeader, timeoutHeader, type WireFailure } from '../core/wire.ts'

/** One protocol of the gateway: all that a backend adds to it. The rest of the gateway is shared. */
export interface Face {
  /** The path prefix: `redis`. */
  readonly name: string
  /** In error codes. Default: the name. */
  readonly component?: string
  /** What it serves, by the path below the prefix (`/pipeline`, `/subscribe/*`); the first that matches is taken. */
  readonly routes: Readonly<Record<string, Methods>>
  /** The same by the whole path, for clients that know of no prefix. */
  readonly rootRoutes?: Readonly<Record<string, Methods>>
  /** A failure of the whole request in the words of the protocol. Its status is by kind unless it is given. */
  failure(error: Failed, request: Request): Answer
  /** Headers that may carry the token beside `Authorization`, lower case: `apikey`. */
  readonly tokenHeaders?: readonly string[]
  /** The gateway closes: what the face holds between requests is let go. */
  close?(): void
}

/** What answers each method. It rejects with a `Refusal`, or with whatever the backend's client rejects with. */
export type Methods = {
  readonly [M in 'GET' | 'POST' | 'PUT' | 'DELETE']?: (call: Call) => Promise<Answer>
}

/** What goes wrong: the gateway turns the request down, or the backend's client fails. */
export type Failed = Refusal | InfraError

export interface Answer {
  /** Default: 200. */
  readonly status?: number | undefined
  readonly type: string
  /** `null` for a status that has none. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Of an answer to several things at once, what failed, by index: our own clients read it from a header. */
  readonly failedItems?: ReadonlyMap<number, Failed> | undefined
}

export interface Limits {
  /** The largest body. Default 10 MB. */
  readonly bodyBytes: number
  /** How long a body may take to arrive. Milliseconds, default 10 s. */
  readonly bodyTimeoutMs: number
  /** The most commands of one pipeline or transaction, statements of one batch, or messages of one request. Default 10,000. */
  readonly commands: number
  /** The most Kafka consumers at a time. Default 1000. */
  readonly consumers: number
  /** How long a Kafka consumer stays in its group without a request. Milliseconds, default 5 minutes. */
  readonly consumerIdleMs: number
  /** The longest that reading from Kafka waits for a first message. Milliseconds, default 30 s. */
  readonly pollMs: number
  /** The largest body of a request to MongoDB, SQL Server or ScyllaDB: a document of 16 MB takes more as EJSON. Default 48 MB, as a message over TCP. */
  readonly documentBodyBytes: number
  /** The most documents or writes of one MongoDB request, or rows of one insert into SQL Server. Default 100,000, as over TCP. */
  readonly writes: number
  /** The most documents of a MongoDB reply that has no cursor. Default 50,000, as Atlas had it. */
  readonly documents: number
  /** The most cursors at a time, of MongoDB and of SQL Server each. Default 1000. */
  readonly cursors: number
  /** How long a cursor stays open without a request. Milliseconds, default 60 s. */
  readonly cursorIdleMs: number
  /** The most rows of a reply from an SQL database, of which more are read by a stream, or of a page of ScyllaDB. Default 100,000. */
  readonly rows: number
  /** The most SQL transactions at a time: each holds a connection. Default 100. */
  readonly transactions: number
  /** How long an SQL transaction stays open without a request. Milliseconds, default 20 s. */
  readonly transactionIdleMs: number
  /** How often a quiet event stream shows that it is alive: clients give up after 45 s. Milliseconds, default and most 15 s. */
  readonly keepAliveMs: number
}

/** `read`: nothing that writes. */
export type Access = 'full' | 'read'

/** What a token is good for. */
export interface Token {
  readonly access: Access
  /** Derived from it, for signatures: the same in every process of a gateway. */
  readonly key: Uint8Array
}

/** A request that the gateway itself turns down. The message holds nothing of the request's. */
export class Refusal extends Error {
  readonly kind: ErrorKind
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>> | undefined

  constructor(
    kind: ErrorKind,
    message: string,
    status?: number,
    headers?: Readonly<Record<string, string>>,
  ) {
    super(message)
    this.kind = kind
    this.status = status
    this.headers = headers
  }
}

const statusOf: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unsupported: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  throttled: 429,
  // Nobody is there to read it.
  aborted: 499,
  internal: 500,
  config: 500,
  // The backend refused the gateway's credentials, not the caller's.
  unauthenticated: 502,
  unavailable: 503,
  closed: 503,
  timeout: 504,
}

/** By kind, unless a refusal has its own. */
export function statusFor(error: Failed): number {
  return (error instanceof Refusal ? error.status : undefined) ?? statusOf[error.kind]
}

/** As our own clients read it. */
export function wireFailure(error: Failed, component: string): WireFailure {
  if (error instanceof Refusal)
    return { code: codeOf(component, error.kind), outcome: 'not-applied' }
  const { code, outcome, retryAfterMs } = error
  return { code, outcome, retryAfterMs }
}

/** One authorised request. */
export class Call {
  readonly request: Request
  readonly access: Access
  /** Of its token: signs what the gateway gives out to it. */
  readonly key: Uint8Array
  readonly limits: Limits
  readonly correlationId: string | undefined
  /** Fires when the gateway closes: for what has no end of its own. */
  readonly closing: AbortSignal
  readonly #startedAt = performance.now()
  readonly #timeoutMs: number | undefined

  constructor(request: Request, { access, key }: Token, limits: Limits, closing: AbortSignal) {
    this.request = request
    this.access = access
    this.key = key
    this.limits = limits
    this.closing = closing
    this.correlationId = correlationIdOf(request)
    const timeout = request.headers.get(timeoutHeader)
    if (timeout !== null && !/^\d{1,9}$/.test(timeout)) {
      throw new Refusal('invalid', `${timeoutHeader} is not a whole number of milliseconds`)
    }
    this.#timeoutMs = timeout === null ? undefined : Number(timeout)
  }

  /** For every operation of a client: it ends when the caller's time is over or the caller is gone. */
  get options(): CallOptions {
    const { signal } = this.request
    const { correlationId } = this
    if (this.#timeoutMs === undefined) return { signal, correlationId }
    const spent = Math.floor(performance.now() - this.#startedAt)
    return { signal, correlationId, timeoutMs: Math.max(1, this.#timeoutMs - spent) }
  }

  /** The path below the prefix, split at `/` and decoded; `[]` for `/`. */
  segments(prefix: string): string[] {
    const path = new URL(this.request.url).pathname.slice(prefix.length + 1)
    if (path === '') return []
    try {
      return path.split('/').map(decodeURIComponent)
    } catch {
      throw new Refusal('invalid', 'the path is not percent-encoded UTF-8')
    }
  }

  /** The whole body, within the limits of size and time. */
  async body(bodyBytes = this.limits.bodyBytes): Promise<Uint8Array> {
    const { bodyTimeoutMs } = this.limits
    const timeoutMs = Math.min(bodyTimeoutMs, this.#timeoutMs ?? bodyTimeoutMs)
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const refuse = () => reject(new Refusal('timeout', 'the body did not arrive in time', 408))
      timer = setTimeout(refuse, timeoutMs)
    })
    try {
      return await Promise.race([readBody(this.request, bodyBytes), late])
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw new Refusal('aborted', 'the body was cut short', 400)
    } finally {
      clearTimeout(timer)
    }
  }

  /** The body as JSON. Whole numbers that a double cannot hold are text, so that they keep their digits. */
  async json(): Promise<unknown> {
    return parseJson(await this.body(), keepDigits)
  }

  /** As `json`; `undefined` for no body. */
  async jsonIfAny(): Promise<unknown> {
    const bytes = await this.body()
    return bytes.length === 0 ? undefined : parseJson(bytes, keepDigits)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const longNumber = /\d{16}/

/** What becomes of each value; `source` is the text of a number. */
type Reviver = (
  this: unknown,
  key: string,
  value: unknown,
  context?: { source?: string },
) => unknown

/** @throws Refusal. The reviver is for numbers of more digits than a double holds, and runs only if there is one. */
export function parseJson(bytes: Uint8Array, reviver: Reviver): unknown {
  try {
    const text = utf8.decode(bytes)
    return JSON.parse(text, longNumber.test(text) ? reviver : undefined)
  } catch {
    throw new Refusal('invalid', 'the body is not JSON in UTF-8')
  }
}

function keepDigits(
  this: unknown,
  _: string,
  value: unknown,
  context?: { source?: string },
): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  return source !== undefined && /^-?\d+$/.test(source) ? source : value
}

/** @throws Refusal for an ID that could forge a header or a log line. */
function correlationIdOf(request: Request): string | undefined {
  const id = request.headers.get(correlationHeader) ?? undefined
  if (!isCorrelationId(id)) {
    throw new Refusal('invalid', `${correlationHeader} is not 1 to 128 printable ASCII characters`)
  }
  return id
}

async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () => new Refusal('invalid', `the body is larger than ${limit} bytes`, 413)
  const length = request.headers.get('content-length')
  if (length !== null) {
    if (Number(length) > limit) throw tooLarge()
    // The HTTP parser ends the body there, so this is bounded, and it is faster than a stream.
    const bytes = new Uint8Array(await request.arrayBuffer())
    if (bytes.length > limit) throw tooLarge()
    return bytes
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
