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

/** One command on its way. */
interface Entry {
  readonly encoded: Encoded
  readonly bytes: boolean
  readonly attempt: Attempt
  resolve(reply: Reply): void
  reject(error: unknown): void
}

/** What goes out in one request. */
interface Segment {
  readonly atomic: boolean
  readonly entries: Entry[]
  size: number
  /** Entries whose callers still wait. */
  live: number
  controller: AbortController | undefined
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
  /** What this tick has issued so far. Never awaited across ticks, and so never across requests of a Worker. */
  #tick: Segment[] | undefined
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
  }

  execute(command: Command, attempt: Attempt): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const encoded = encodeCommand(command)
      const entry: Entry = { encoded, bytes: command.bytes === true, attempt, resolve, reject }
      const segment = this.#segment(encoded.json.length)
      segment.entries.push(entry)
      attempt.onCancel = () => release(segment, 1)
    })
  }

  async batch(
    commands: readonly Command[],
    atomic: boolean,
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    const encoded = commands.map(encodeCommand)
    const used = new Map<Segment, number>()
    const whole = atomic ? this.#segment(0, true) : undefined
    const replies = commands.map((command, i) => {
      const item = encoded[i] as Encoded
      const segment = whole ?? this.#segment(item.json.length)
      if (segment === whole) grow(segment, item.json.length)
      used.set(segment, (used.get(segment) ?? 0) + 1)
      return new Promise<Reply>((resolve, reject) => {
        const bytes = command.bytes === true
        segment.entries.push({ encoded: item, bytes, attempt, resolve, reject })
      })
    })
    attempt.onCancel = () => {
      for (const [segment, count] of used) release(segment, count)
    }
    const settled = await Promise.allSettled(replies)
    const items = settled.map((item) =>
      item.status === 'fulfilled' ? item.value : (item.reason as Error),
    )
    const first = items[0]
    if (first instanceof Whole) throw first.reason
    if (first instanceof Error && items.every(isTransportError)) throw first
    return items
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
        controller,
        { accept: 'text/event-stream', 'dualport-encoding': 'base64' },
      )
      if (!response.ok) throw await failureOf(response)
      if (response.body === null) throw notRedis()
      const alive = response.headers.get('dualport-encoding') === 'base64'
      const subscription = new SseSubscription(response.body, channels, alive, abort)
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
    const code = (error as { cause?: { code?: unknown } } | null)?.cause?.code
    if (typeof code !== 'string') {
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

  /** Where the next command of this tick goes. */
  #segment(size: number, atomic = false): Segment {
    let tick = this.#tick
    if (tick === undefined) {
      tick = []
      this.#tick = tick
      const due = tick
      queueMicrotask(() => {
        this.#tick = undefined
        void this.#flush(due)
      })
    }
    const last = tick.at(-1)
    if (
      last !== undefined &&
      !atomic &&
      !last.atomic &&
      last.entries.length < maxCommands &&
      last.size + size <= this.capabilities.maxRequestBytes
    ) {
      grow(last, size)
      return last
    }
    const segment: Segment = { atomic, entries: [], size: 0, live: 0, controller: undefined }
    if (!atomic) grow(segment, size)
    tick.push(segment)
    return segment
  }

  /** One request at most times. Several go one after the other, since the order of the calls is a promise. */
  async #flush(segments: readonly Segment[]): Promise<void> {
    for (const segment of segments) await this.#send(segment)
  }

  async #send(segment: Segment): Promise<void> {
    const entries = segment.entries.filter((entry) => !entry.attempt.over)
    if (entries.length === 0) return
    const controller = new AbortController()
    segment.controller = controller
    const single = entries.length === 1 && !segment.atomic
    const commands = entries.map((entry) => entry.encoded.json)
    try {
      const response = await this.#post(
        single ? '' : segment.atomic ? '/multi-exec' : '/pipeline',
        single ? (commands[0] as string) : `[${commands.join(',')}]`,
        entries.map((entry) => entry.attempt),
        controller,
      )
      const failures = parseFailures(response.headers.get(errorHeader))
      if (!response.ok) throw await failureOf(response, failures)
      const body = parsed(await response.text())
      if (single) settle(entries[0] as Entry, body, undefined)
      else settleAll(entries, body, failures, segment.atomic)
    } catch (error) {
      // An error reply to a transaction as a whole is not an item's.
      const reason = segment.atomic && error instanceof ReplyError ? new Whole(error) : error
      for (const entry of entries) entry.reject(reason)
    }
  }

  async #post(
    path: string,
    body: string | undefined,
    attempts: readonly Attempt[],
    controller: AbortController,
    more?: Record<string, string>,
  ): Promise<Response> {
    const known = this.#token !== undefined
    const response = await this.#postOnce(path, body, attempts, controller, more)
    // A refused token may have been replaced since it was given: ask once more. A 401 applied nothing.
    if (response.status !== 401 || !known || typeof this.#givenToken !== 'function') return response
    await response.body?.cancel()
    this.#token = undefined
    return this.#postOnce(path, body, attempts, controller, more)
  }

  async #postOnce(
    path: string,
    body: string | undefined,
    attempts: readonly Attempt[],
    controller: AbortController,
    more: Record<string, string> | undefined,
  ): Promise<Response> {
    if (this.#token === undefined && typeof this.#givenToken === 'function') {
      const token: unknown = await this.#givenToken()
      if (!isToken(token)) throw new DriverFailure({ kind: 'config', detail: badToken })
      this.#token = token
    }
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
      signal: controller.signal,
      // A redirect would take the token and the values elsewhere.
      redirect: 'manual',
      ...(body !== undefined && { body }),
    })
    this.#syncToken = response.headers.get('upstash-sync-token') ?? this.#syncToken
    return response
  }
}

/** The reply to a transaction that was refused as a whole. */
class Whole extends Error {
  readonly reason: ReplyError
  constructor(reason: ReplyError) {
    super()
    this.reason = reason
  }
}

const isTransportError = (item: Reply | Error) =>
  item instanceof Error && !(item instanceof ReplyError)

function grow(segment: Segment, size: number): void {
  segment.size += size
  segment.live++
}

/** So many callers wait no longer. When none does, the request is pointless. */
function release(segment: Segment, count: number): void {
  segment.live -= count
  if (segment.live <= 0) segment.controller?.abort()
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

function settle(entry: Entry, body: unknown, failure: WireFailure | undefined): void {
  try {
    entry.resolve(replyOf(entry, body, failure))
  } catch (error) {
    entry.reject(error)
  }
}

function settleAll(
  entries: readonly Entry[],
  body: unknown,
  failures: WireFailures | undefined,
  atomic: boolean,
): void {
  if (!Array.isArray(body)) {
    const error = (body as Item | null)?.error
    if (atomic && typeof error === 'string') throw new ReplyError(error)
    throw notRedis()
  }
  if (body.length !== entries.length) throw notRedis()
  entries.forEach((entry, i) => {
    settle(entry, body[i], failures?.items.get(i))
  })
}

/** @throws ReplyError, DriverFailure */
function replyOf(entry: Entry, body: unknown, failure: WireFailure | undefined): Reply {
  if (typeof body !== 'object' || body === null) throw notRedis()
  const { result, error } = body as Item
  if (error !== undefined) throw itemError(String(error), failure)
  if (result === undefined) throw notRedis()
  let reply: Reply
  try {
    reply = decodeResult(result, entry.bytes)
  } catch {
    throw notRedis()
  }
  if (entry.encoded.sealed && maybeRounded(reply)) {
    throw new DriverFailure({
      kind: 'unsupported',
      outcome: 'unknown',
      detail: 'an integer beyond 2^53 - 1 does not survive a command with bytes over HTTP',
    })
  }
  return reply
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
