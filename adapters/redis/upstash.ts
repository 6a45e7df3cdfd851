import { type Attempt, DriverFailure, type Failure, InfraError } from '../../src/core/index.ts'
import {
  type Arg,
  type Command,
  classifyReply,
  type RedisCapabilities,
  type RedisDriver,
  type Reply,
  ReplyError,
  type Subscription,
} from '../../src/redis/index.ts'
import { type Entry, TickBatcher } from '../../src/redis/tick-batcher.ts'

/** What the SDK sends requests with: `HttpClient` of @upstash/redis, whose `Redis` keeps it in `client`. */
interface Requester {
  readonly options?: object
  readonly headers?: Readonly<Record<string, string>>
  request(request: {
    path?: string[]
    body?: unknown
    signal?: () => AbortSignal
  }): Promise<unknown>
}

/**
 * Redis over HTTP through a client of @upstash/redis that you already have (`npm install @upstash/redis`);
 * for anything new, `rest` can more. Its transport is used without its retries, which would send a write
 * twice, and without its auto-pipelining and JSON conversion; your client itself is left as it is.
 *
 * Limits, each a capability: no bytes that are not UTF-8, no integers beyond 2^53 - 1 (a typed error), no
 * subscriptions (it hides a cut stream), no HTTP status and no `Retry-After` in failures.
 * @throws InfraError `REDIS_CONFIG` if it is not such a client.
 */
export function upstash(redis: object): RedisDriver {
  return new UpstashDriver(redis)
}

class UpstashDriver implements RedisDriver {
  readonly adapter = 'upstash'
  readonly resource = undefined
  readonly capabilities: RedisCapabilities = {
    bytes: false,
    exactIntegers: false,
    scripts: true,
    blocking: false,
    subscribe: false,
    patternSubscribe: false,
    cancel: true,
    slots: false,
    maxRequestBytes: 10_000_000,
  }
  readonly #redis: object
  readonly #requester: Requester
  readonly #batcher: TickBatcher<string[]>

  constructor(redis: object) {
    const client = (redis as { client?: Partial<Requester> } | null)?.client
    if (typeof client?.request !== 'function') {
      throw new InfraError({
        kind: 'config',
        component: 'redis',
        adapter: 'upstash',
        operation: 'configure',
        detail: 'this is not a client of @upstash/redis; run: npm install @upstash/redis',
      })
    }
    this.#redis = redis
    // The caller's transport with properties of its own: it tries once, and asks for text as it is, since
    // its decoding of base64 drops a byte order mark.
    const { 'Upstash-Encoding': _, ...headers } = client.headers ?? {}
    this.#requester = Object.create(client as Requester, {
      retry: { value: { attempts: 0, backoff: () => 0 } },
      options: { value: { ...client.options, responseEncoding: false } },
      headers: { value: headers },
    }) as Requester
    this.#batcher = new TickBatcher({
      maxCommands: 5000,
      maxSize: this.capabilities.maxRequestBytes,
      encode(command) {
        const encoded = command.args.map(asText)
        return { encoded, size: encoded.reduce((size, text) => size + text.length + 3, 2) }
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

  async subscribe(): Promise<Subscription> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.execute({ args: ['PING'] }, attempt)
  }

  async close(): Promise<void> {}

  /** Your own client. */
  async native(): Promise<object> {
    return this.#redis
  }

  classify(error: unknown): Failure {
    if (error instanceof ReplyError) return classifyReply(error.message)
    const { name, cause } = error as { name?: string; cause?: { name?: string; code?: string } }
    if (notTheProtocol.has(name) || notTheProtocol.has(cause?.name)) {
      return { kind: 'internal', detail: 'the reply is not of the protocol' }
    }
    if (cause?.code === 'ECONNREFUSED' || cause?.code === 'ENOTFOUND') {
      return {
        kind: 'unavailable',
        outcome: 'not-applied',
        detail: `the request failed (${cause.code})`,
      }
    }
    return { kind: 'unavailable', detail: 'the request failed' }
  }

  async #send(
    entries: readonly Entry<string[]>[],
    atomic: boolean,
    signal: AbortSignal,
  ): Promise<(Reply | Error)[]> {
    for (const { attempt } of entries) attempt.sent = true
    let body: unknown
    try {
      body = await this.#requester.request({
        path: [atomic ? 'multi-exec' : 'pipeline'],
        body: entries.map((entry) => entry.encoded),
        // A function: with a plain signal the SDK makes up a reply when it fires.
        signal: () => signal,
      })
    } catch (error) {
      const { name, message } = error as Error
      // The server's text, followed by the whole command, values included: only the text is taken.
      throw name === 'UpstashError'
        ? errorOf(message.split(', command was: ')[0] as string, true)
        : error
    }
    if (!Array.isArray(body) || body.length !== entries.length) {
      throw new DriverFailure({ kind: 'internal' })
    }
    return body.map((item: { result?: unknown; error?: unknown } | null, i) =>
      item?.error === undefined
        ? replyOf(item?.result, entries[i]?.bytes === true)
        : errorOf(String(item.error), false),
    )
  }
}

/** The names of what comes of a reply that is not JSON, nested too deep, or not even HTTP. */
const notTheProtocol: ReadonlySet<string | undefined> = new Set([
  'UpstashJSONParseError',
  'RangeError',
  'HTTPParserError',
])

/** The SDK shows nothing but the text of an error: that of one command, or of the request as a `whole`. */
function errorOf(text: string, whole: boolean): Error {
  if (whole && /^(unauthorized|(invalid|missing).*token|WRONGPASS)/i.test(text)) {
    return new DriverFailure({ kind: 'unauthenticated' })
  }
  // A failure of the gateway's, not of the engine's, which says in the end what became of a write.
  if (/^ERR redis \w+: /.test(text)) {
    const outcome = text.endsWith(' applied') ? 'unknown' : 'not-applied'
    return new DriverFailure({ kind: 'unavailable', outcome })
  }
  // The engine's errors begin with a word in capitals. This one is a proxy's, whatever its status.
  if (whole && !/^[A-Z]+ /.test(text)) return new DriverFailure({ kind: 'unavailable' })
  return new ReplyError(text)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function asText(arg: Arg): string {
  if (!(arg instanceof Uint8Array)) return String(arg)
  try {
    return strictUtf8.decode(arg)
  } catch {
    throw new DriverFailure({
      kind: 'unsupported',
      outcome: 'not-applied',
      detail: 'bytes that are not UTF-8 cannot go through @upstash/redis; the rest adapter can',
    })
  }
}

/** What was not UTF-8 is already lost, and large integers are already rounded. */
function replyOf(result: unknown, bytes: boolean): Reply | Error {
  if (typeof result === 'number' && Number.isInteger(result) && !Number.isSafeInteger(result)) {
    return new DriverFailure({
      kind: 'unsupported',
      outcome: 'unknown',
      detail: 'an integer beyond 2^53 - 1 does not survive @upstash/redis; the rest adapter can',
    })
  }
  if (typeof result === 'string') return bytes ? new TextEncoder().encode(result) : result
  if (typeof result === 'number' || result === null) return result
  if (!Array.isArray(result)) return new DriverFailure({ kind: 'internal' })
  const items: Reply[] = []
  for (const item of result) {
    const reply = replyOf(item, bytes)
    if (reply instanceof Error) return reply
    items.push(reply)
  }
  return items
}
