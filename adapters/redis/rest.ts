import { type Attempt, DriverFailure, type Failure, InfraError } from '../../src/core/index.ts'
import {
  correlationHeader,
  errorHeader,
  kindOf,
  parseFailures,
  timeoutHeader,
  type WireFailure,
  type WireFailures,
} from '../../src/core/wire.ts'
import {
  type Command,
  classifyReply,
  type RedisCapabilities,
  type RedisDriver,
  type Reply,
  ReplyError,
  type Subscription,
} from '../../src/redis/index.ts'
import { type Entry, TickBatcher } from '../../src/redis/tick-batcher.ts'
import { decodeResult, type Encoded, encodeCommand, maybeRounded, parseJson } from './rest/codec.ts'
import { SseSubscription } from './rest/sse.ts'

export interface RestOptions {
  /** `https://` (or `http://`), with the path if the server is mounted below one: `https://edge.example/redis`. */
  url: string
  /** A function is asked before the first request, and once more when its answer was refused. */
  token: string | (() => string | Promise<string>)
  /** For service bindings, private networks and tests. Default: the runtime's own. */
  fetch?: typeof fetch | undefined
  /** What the server takes in one request, in bytes. Default 10 MB, the hosted service's limit. */
  maxRequestBytes?: number | undefined
}

/** More than this many commands of one tick go out as several requests, one after the other. */
const maxCommands = 5000

/**
 * Redis over HTTP by the Upstash REST protocol: hosted Upstash, serverless-redis-http, dualport's gateway.
 * Plain `fetch`, so it runs everywhere; it holds no connection, so that it may live at module level in a
 * Worker. Protocol: https://upstash.com/docs/redis/features/restapi
 * @throws InfraError `REDIS_CONFIG` for malformed options.
 */
export function rest(options: RestOptions): RedisDriver {
  return new RestDriver(options)
}

class RestDriver implements RedisDriver {
  readonly adapter = 'rest'
  readonly resource: string
  readonly capabilities: RedisCapabilities
  readonly #url: string
  readonly #givenToken: RestOptions['token']
  readonly #fetch: typeof fetch
  #token: string | undefined
  #syncToken: string | undefined
  readonly #batcher: TickBatcher<Encoded>
  readonly #open = new Set<AbortController>()

  constructor({ url, token, fetch: injected, maxRequestBytes = 10_000_000, ...rest }: RestOptions) {
    if (Object.keys(rest).length > 0) {
      throw misconfigured('unknown option; there are url, token, fetch and maxRequestBytes')
    }
    if (!(maxRequestBytes > 0)) throw misconfigured('maxRequestBytes is not above 0')
    const parsed = parseUrl(url)
    this.#url = parsed.url
    this.resource = parsed.resource
    this.#givenToken = token
    if (typeof token !== 'function') {
      if (!isToken(token)) throw misconfigured(badToken)
      this.#token = token
    }
    this.#fetch = injected ?? ((input, init) => globalThis.fetch(input, init))
    this.capabilities = {
      bytes: true,
      exactIntegers: true,
      scripts: true,
      blocking: false,
      subscribe: true,
      patternSubscribe: true,
      cancel: true,
      slots: false,
      maxRequestBytes,
    }
    this.#batcher = new TickBatcher({
      maxCommands,
      maxSize: maxRequestBytes,
      ready: () => this.#authenticated(),
      encode(command) {
        const encoded = encodeCommand(command)
        return { encoded, size: encoded.json.length }
      },
      send: (entries, atomic, signal) => this.#send(entries, atomic, signal),
    })
  }

  execute(command: Command, attempt: Attempt): Promise<Reply> {
    return this.#batcher.execute(command, attempt)
  }

  batch(
    commands: readonly Command[],
    atomic: boolean,
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    return this.#batcher.batch(commands, atomic, attempt)
  }

  async subscribe(
    channels: readonly string[],
    patterns: boolean,
    attempt: Attempt,
  ): Promise<Subscription> {
    const controller = new AbortController()
    this.#open.add(controller)
    const abort = () => {
      this.#open.delete(controller)
      controller.abort()
    }
    attempt.onCancel = abort
    const path = channels.map(encodeURIComponent).join('/')
    try {
      const response = await this.#post(
        `/${patterns ? 'psubscribe' : 'subscribe'}/${path}`,
        undefined,
        [attempt],
        controller.signal,
        { accept: 'text/event-stream', 'dualport-encoding': 'base64' },
      )
      if (!response.ok) throw await failureOf(response)
      if (response.body === null) throw notRedis()
      const alive = response.headers.get('dualport-encoding') === 'base64'
      const { signal } = controller
      const subscription = new SseSubscription(response.body, channels, alive, signal, abort)
      await subscription.confirmed()
      return subscription
    } catch (error) {
      abort()
      throw error
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.execute({ args: ['PING'] }, attempt)
  }

  async close(): Promise<void> {
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#fetch
  }

  classify(error: unknown): Failure {
    if (error instanceof ReplyError) return classifyReply(error.message)
    const { cause } = (error ?? {}) as { cause?: { name?: unknown; code?: unknown } }
    const { name, code } = cause ?? {}
    // What Node says of a reply that is not HTTP.
    if (name === 'HTTPParserError') return notRedis().failure
    if (typeof code !== 'string' || !/^(E|UND_ERR_)[A-Z_]+$/.test(code)) {
      // Refused, reset, cut: workerd says the same words for all, so a write may have arrived.
      return { kind: 'unavailable', detail: 'the request failed' }
    }
    return {
      kind: 'unavailable',
      outcome: neverConnected.has(code) ? 'not-applied' : undefined,
      detail: `the request failed (${code})`,
    }
  }

  // Requests -----------------------------------------------------------------------------------

  async #send(
    entries: readonly Entry<Encoded>[],
    atomic: boolean,
    signal: AbortSignal,
  ): Promise<(Reply | Error)[]> {
    const single = entries.length === 1 && !atomic
    const commands = entries.map((entry) => entry.encoded.json)
    const response = await this.#post(
      single ? '' : atomic ? '/multi-exec' : '/pipeline',
      single ? (commands[0] as string) : `[${commands.join(',')}]`,
      entries.map((entry) => entry.attempt),
      signal,
    )
    const failures = parseFailures(response.headers.get(errorHeader))
    if (!response.ok) throw await failureOf(response, failures)
    const body = parsed(await response.text())
    const items = single ? [body] : itemsOf(body, entries.length, atomic)
    return items.map((item, i) =>
      replyOf(entries[i] as Entry<Encoded>, item, failures?.items.get(i)),
    )
  }

  /** Nothing to wait for once there is a token. */
  #authenticated(): Promise<void> | undefined {
    const ask = this.#givenToken
    if (this.#token !== undefined || typeof ask !== 'function') return undefined
    return (async () => {
      let token: unknown
      try {
        token = await ask()
      } catch (cause) {
        const detail = 'the token could not be had from its function'
        throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
      }
      if (!isToken(token)) throw new DriverFailure({ kind: 'config', detail: badToken })
      this.#token = token
    })()
  }

  async #post(
    path: string,
    body: string | undefined,
    attempts: readonly Attempt[],
    signal: AbortSignal,
    more?: Record<string, string>,
  ): Promise<Response> {
    const response = await this.#postOnce(path, body, attempts, signal, more)
    // A refused token may have been replaced since it was given: ask once more. A 401 applied nothing.
    if (response.status !== 401 || typeof this.#givenToken !== 'function') return response
    await response.body?.cancel()
    this.#token = undefined
    return this.#postOnce(path, body, attempts, signal, more)
  }

  async #postOnce(
    path: string,
    body: string | undefined,
    attempts: readonly Attempt[],
    signal: AbortSignal,
    more: Record<string, string> | undefined,
  ): Promise<Response> {
    await this.#authenticated()
    const [first] = attempts
    let due = 0
    for (const attempt of attempts) {
      if (attempt.over) continue
      attempt.sent = true
      due = Math.max(due, attempt.due)
    }
    if (due === 0) throw new DriverFailure({ kind: 'aborted' })
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#token}`,
      // Some servers of the protocol insist on exactly this.
      'content-type': 'application/json',
      'upstash-encoding': 'base64',
      [timeoutHeader]: String(Math.max(1, Math.ceil(due - performance.now()))),
      ...more,
    }
    if (this.#syncToken !== undefined) headers['upstash-sync-token'] = this.#syncToken
    if (first?.correlationId !== undefined) headers[correlationHeader] = first.correlationId
    if (first?.context?.traceparent !== undefined) headers.traceparent = first.context.traceparent
    const response = await this.#fetch(this.#url + path, {
      method: 'POST',
      headers,
      signal,
      // A redirect would take the token and the values elsewhere.
      redirect: 'manual',
      ...(body !== undefined && { body }),
    })
    this.#syncToken = response.headers.get('upstash-sync-token') ?? this.#syncToken
    return response
  }
}

// Replies ----------------------------------------------------------------------------------------

/** Failures of undici in which no connection came about, so nothing was sent. */
const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

interface Item {
  readonly result?: unknown
  readonly error?: unknown
}

/** @throws ReplyError for a transaction that was refused as a whole */
function itemsOf(body: unknown, count: number, atomic: boolean): unknown[] {
  if (Array.isArray(body) && body.length === count) return body
  const error = (body as Item | null)?.error
  throw atomic && typeof error === 'string' ? new ReplyError(error) : notRedis()
}

function replyOf(
  { encoded, bytes }: Entry<Encoded>,
  body: unknown,
  failure: WireFailure | undefined,
): Reply | Error {
  if (typeof body !== 'object' || body === null) return notRedis()
  const { result, error } = body as Item
  if (error !== undefined) return itemError(String(error), failure)
  if (result === undefined) return notRedis()
  let reply: Reply
  try {
    reply = decodeResult(result, bytes)
  } catch {
    return notRedis()
  }
  if (!encoded.sealed || !maybeRounded(reply)) return reply
  return new DriverFailure({
    kind: 'unsupported',
    outcome: 'unknown',
    detail: 'an integer beyond 2^53 - 1 does not survive a command with bytes over HTTP',
  })
}

/** The engine's own error, unless the gateway says that it is one of its own. */
function itemError(text: string, failure: WireFailure | undefined): Error {
  if (failure === undefined) return new ReplyError(text)
  const kind = kindOf(failure.code) ?? 'internal'
  if (classifyReply(text).kind === kind) return new ReplyError(text)
  const { outcome, retryAfterMs } = failure
  return new DriverFailure({ kind, outcome, retryAfterMs })
}

/** What a status other than 2xx means. */
async function failureOf(response: Response, failures?: WireFailures): Promise<Error> {
  const text = await response.text()
  const { status } = response
  let error: unknown
  try {
    error = (JSON.parse(text) as Item | null)?.error
  } catch {
    // A proxy's page: the status has to do.
  }
  if (failures?.whole !== undefined) return itemError(String(error ?? ''), failures.whole)
  if (status === 400 && typeof error === 'string') return new ReplyError(error)
  const retryAfterMs = retryAfter(response.headers.get('retry-after'))
  return new DriverFailure({ ...byStatus(status), retryAfterMs })
}

function byStatus(status: number): Failure {
  const detail = `the server answered with HTTP status ${status}`
  switch (status) {
    case 401:
      return { kind: 'unauthenticated' }
    case 403:
      return { kind: 'forbidden' }
    case 413:
      return { kind: 'invalid', detail: 'the request is too large for the server' }
    case 429:
      return { kind: 'throttled', outcome: 'not-applied' }
    case 408:
    case 504:
      return { kind: 'timeout', detail }
  }
  if (status >= 500) return { kind: 'unavailable', detail }
  return { kind: 'config', detail: `${detail}: the URL does not lead to Redis over HTTP` }
}

/** Seconds, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    throw notRedis()
  }
}

function notRedis(): DriverFailure {
  return new DriverFailure({
    kind: 'internal',
    detail: 'the reply is not one of the Redis REST protocol',
  })
}

// Options ----------------------------------------------------------------------------------------

function parseUrl(text: string): { url: string; resource: string } {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw misconfigured('url is not a URL')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw misconfigured('url does not begin with https:// or http://')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw misconfigured('url has credentials, a query or a fragment; the token goes into token')
  }
  const path = url.pathname.replace(/\/+$/, '')
  return { url: url.origin + path, resource: url.host + path }
}

const badToken = 'token is not printable ASCII without spaces'

/** Anything else is refused by `Headers`, which quotes it in its error. */
function isToken(token: unknown): token is string {
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'redis',
    adapter: 'rest',
    operation: 'configure',
    detail,
  })
}
