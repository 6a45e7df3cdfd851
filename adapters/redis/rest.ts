import {
  bearer,
  type EndpointOptions,
  fetchFailure,
  HttpEndpoint,
  type Secret,
  statusFailure,
} from '../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure, InfraError } from '../../src/core/index.ts'
import {
  errorHeader,
  kindOf,
  parseFailures,
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

export interface RestOptions extends EndpointOptions {
  token: Secret
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
  readonly #endpoint: HttpEndpoint
  #syncToken: string | undefined
  readonly #batcher: TickBatcher<Encoded>
  readonly #open = new Set<AbortController>()

  constructor({ url, token, fetch, maxRequestBytes = 10_000_000, ...rest }: RestOptions) {
    if (Object.keys(rest).length > 0) {
      throw misconfigured('unknown option')
    }
    if (!(maxRequestBytes > 0)) throw misconfigured('maxRequestBytes is not above 0')
    this.#endpoint = new HttpEndpoint(
      { url, fetch },
      { secret: token, scheme: bearer },
      misconfigured,
    )
    this.resource = this.#endpoint.resource
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
      ready: () => this.#endpoint.authenticated(),
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
    return this.#endpoint.fetch
  }

  classify(error: unknown): Failure {
    if (error instanceof ReplyError) return classifyReply(error.message)
    return fetchFailure(error)
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

  async #post(
    path: string,
    body: string | undefined,
    attempts: readonly Attempt[],
    signal: AbortSignal,
    more?: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const headers: Record<string, string> = {
      // Some servers of the protocol insist on exactly this.
      'content-type': 'application/json',
      'upstash-encoding': 'base64',
      ...more,
    }
    // Read your writes, on a server that has replicas.
    if (this.#syncToken !== undefined) headers['upstash-sync-token'] = this.#syncToken
    const method = 'POST'
    const response = await this.#endpoint.request({ method, path, body, headers, attempts, signal })
    this.#syncToken = response.headers.get('upstash-sync-token') ?? this.#syncToken
    return response
  }
}

// Replies ----------------------------------------------------------------------------------------

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
  let error: unknown
  try {
    error = (JSON.parse(text) as Item | null)?.error
  } catch {
    // A proxy's page: the status has to do.
  }
  if (failures?.whole !== undefined) return itemError(String(error ?? ''), failures.whole)
  if (response.status === 400 && typeof error === 'string') return new ReplyError(error)
  return new DriverFailure(statusFailure(response))
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
    detail: 'the reply is not of the protocol',
  })
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
