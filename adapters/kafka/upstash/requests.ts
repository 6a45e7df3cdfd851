import { fetchFailure, statusFailure } from '../../../src/core/http.ts'
import {
  type Attempt,
  DriverFailure,
  type Failure,
  type InfraError,
} from '../../../src/core/index.ts'
import { correlationHeader, kindOf, parseFailures, timeoutHeader } from '../../../src/core/wire.ts'
import { classifyCode, KafkaError } from '../../../src/kafka/index.ts'

export interface UpstashOptions {
  readonly url: string
  readonly username: string
  readonly password: string
}

/** What the SDK sends requests with: `HttpClient` of @upstash/kafka, whose `Kafka` keeps it in `client`. */
interface Requester {
  readonly baseUrl?: unknown
  post(request: SdkRequest): Promise<unknown>
  get(request: SdkRequest): Promise<unknown>
}

interface SdkRequest {
  readonly path: string[]
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly retries: number
}

/** What the SDK's errors hold, and what takes the place of an item that failed. */
interface WireError {
  readonly error: string
  readonly status?: unknown
  readonly result?: unknown
}

const install = 'run: npm install @upstash/kafka'

/** One request each, none of them repeated. */
export class UpstashRequests {
  readonly resource: string | undefined
  readonly #options: UpstashOptions | undefined
  #requester: Requester | undefined
  #native: object | undefined

  constructor(
    options: UpstashOptions | { readonly client: object },
    refuse: (detail: string) => InfraError,
  ) {
    if ('client' in options) {
      const requester = requesterOf(options.client)
      if (requester === undefined) throw refuse(`this is no Kafka of @upstash/kafka; ${install}`)
      this.#requester = requester
      this.#native = options.client
      this.resource = resourceOf(requester.baseUrl)
      return
    }
    const { url, username, password } = options
    this.resource = resourceOf(url)
    if (this.resource === undefined) {
      throw refuse('url is not a URL that begins with https:// or http://')
    }
    // The SDK encodes both byte by byte.
    if (
      ![username, password].every((text) => typeof text === 'string' && /^[\x20-\x7e]+$/.test(text))
    ) {
      throw refuse('username and password are not printable ASCII')
    }
    this.#options = options
  }

  /** @param path Its parts, as they are: the SDK does not encode them. */
  async post(attempt: Attempt, path: string[], body?: unknown, headers?: Record<string, string>) {
    const requester = await this.#ready()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    return requester.post({
      path: path.map(encodeURIComponent),
      body,
      headers: { ...headersOf(attempt), ...headers },
      retries: 0,
    })
  }

  async get(attempt: Attempt, path: string[]): Promise<unknown> {
    const requester = await this.#ready()
    attempt.sent = true
    return requester.get({ path, headers: headersOf(attempt), retries: 0 })
  }

  /** The `Kafka` of @upstash/kafka. */
  async native(): Promise<object | undefined> {
    await this.#ready()
    return this.#native
  }

  async #ready(): Promise<Requester> {
    if (this.#requester !== undefined) return this.#requester
    let library: typeof import('@upstash/kafka')
    try {
      library = await import('@upstash/kafka')
    } catch (cause) {
      const detail = `@upstash/kafka is not installed; ${install}`
      throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
    }
    this.#native = new library.Kafka(this.#options as UpstashOptions)
    this.#requester = requesterOf(this.#native)
    if (this.#requester === undefined) {
      const detail = `this @upstash/kafka is not one of version 1; ${install}@1`
      throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail })
    }
    return this.#requester
  }
}

/** dualport's gateway stops the work when the caller's time is over, which the SDK cannot. */
function headersOf({ due, correlationId }: Attempt): Record<string, string> {
  return {
    [timeoutHeader]: String(Math.max(1, Math.ceil(due - performance.now()))),
    ...(correlationId !== undefined && { [correlationHeader]: correlationId }),
  }
}

function requesterOf(kafka: object | null): Requester | undefined {
  const { client } = (kafka ?? {}) as { client?: Partial<Requester> }
  const works = typeof client?.post === 'function' && typeof client.get === 'function'
  return works ? (client as Requester) : undefined
}

function resourceOf(url: unknown): string | undefined {
  if (typeof url !== 'string' || !/^https?:\/\//i.test(url) || !URL.canParse(url)) return undefined
  const { host, pathname } = new URL(url)
  return host + pathname.replace(/\/+$/, '')
}

/** An error of one item of a reply. */
export class ItemError extends Error {
  readonly wire: WireError

  constructor(wire: WireError) {
    super(wire.error)
    this.wire = wire
  }
}

export function isWireError(value: unknown): value is WireError {
  return typeof (value as { error?: unknown } | null)?.error === 'string'
}

/** The SDK's error for a status other than 2xx, an item's, `fetch`'s, or that of a reply which is not JSON. */
export function classify(error: unknown): Failure {
  if (error instanceof KafkaError) return classifyCode(error.code)
  if (error instanceof SyntaxError) return notKafka().failure
  const wire = error instanceof ItemError ? error.wire : error
  if (!isWireError(wire)) return fetchFailure(error)
  // dualport's gateway says what failed and what it left behind.
  const whole = parseFailures(typeof wire.result === 'string' ? wire.result : null)?.whole
  if (whole !== undefined) {
    const { code, outcome, retryAfterMs } = whole
    return { kind: kindOf(code) ?? 'internal', outcome, retryAfterMs }
  }
  const status = Number(wire.status)
  if (!(status >= 400 && status < 600)) return { kind: 'unavailable', detail: 'the server failed' }
  return statusFailure(new Response(null, { status }))
}

export function notKafka(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}

// Numbers of replies. JSON rounds those beyond 2^53, and a wrong offset would lose messages. --------------

export function offsetOf(value: unknown): bigint {
  if (!Number.isSafeInteger(value)) throw notKafka()
  return BigInt(value as number)
}

export function wholeOf(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw notKafka()
  return value as number
}

export function listOf<T>(value: unknown): readonly T[] {
  if (!Array.isArray(value)) throw notKafka()
  return value
}
