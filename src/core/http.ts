import { type Attempt, DriverFailure } from './driver.ts'
import type { Failure, InfraError } from './errors.ts'
import { correlationHeader, timeoutHeader } from './wire.ts'

// What the HTTP adapters of every backend have in common, below their protocols.

export interface EndpointOptions {
  /** `https://` (or `http://`), with the path if the server is mounted below one: `https://edge.example/redis`. */
  url: string
  /** A function is asked before the first request, and once more when its answer was refused. */
  token: string | (() => string | Promise<string>)
  /** For service bindings, private networks and tests. Default: the runtime's own. */
  fetch?: typeof fetch | undefined
}

export interface Post {
  /** Below the endpoint's own path. */
  readonly path: string
  readonly body: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Those whose work it is: they count as sent, and the last of their deadlines travels along. */
  readonly attempts: readonly Attempt[]
  readonly signal: AbortSignal
}

const badToken = 'token is not printable ASCII without spaces'

/** Anything else is refused by `Headers`, which quotes it in its error. */
function isToken(token: unknown): token is string {
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)
}

/** A server over HTTP, with its token. Holds no connection and nothing pending. */
export class HttpEndpoint {
  readonly resource: string
  readonly fetch: typeof fetch
  readonly #url: string
  readonly #given: EndpointOptions['token']
  #token: string | undefined

  /** @throws what `refuse` makes of a malformed option */
  constructor({ url, token, fetch }: EndpointOptions, refuse: (detail: string) => InfraError) {
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      throw refuse('url is not a URL that begins with https:// or http://')
    }
    const { origin, host, pathname, username, password, search, hash } = new URL(url)
    if (username + password + search + hash !== '') {
      throw refuse('url has more than a host and a path')
    }
    if (typeof token !== 'function') {
      if (!isToken(token)) throw refuse(badToken)
      this.#token = token
    }
    const path = pathname.replace(/\/+$/, '')
    this.#url = origin + path
    this.resource = host + path
    this.fetch = fetch ?? ((input, init) => globalThis.fetch(input, init))
    this.#given = token
  }

  /** Nothing to wait for once there is a token. */
  authenticated(): Promise<void> | undefined {
    const ask = this.#given
    return this.#token === undefined && typeof ask === 'function' ? this.#ask(ask) : undefined
  }

  async #ask(ask: () => string | Promise<string>): Promise<void> {
    let token: unknown
    try {
      token = await ask()
    } catch (cause) {
      const detail = 'the token function failed'
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
    }
    if (!isToken(token)) throw new DriverFailure({ kind: 'config', detail: badToken })
    this.#token = token
  }

  /** Gives whatever answer comes; rejects with `fetch`'s error, or with a DriverFailure if nothing was sent. */
  async post(post: Post): Promise<Response> {
    const response = await this.#post(post)
    // A refused token may have been replaced since it was given: ask once more. A 401 applied nothing.
    if (response.status !== 401 || typeof this.#given !== 'function') return response
    await response.body?.cancel()
    this.#token = undefined
    return this.#post(post)
  }

  async #post({ path, body, headers, attempts, signal }: Post): Promise<Response> {
    await this.authenticated()
    let due = 0
    for (const attempt of attempts) {
      if (attempt.over) continue
      attempt.sent = true
      due = Math.max(due, attempt.due)
    }
    if (due === 0) throw new DriverFailure({ kind: 'aborted' })
    const all: Record<string, string> = {
      authorization: `Bearer ${this.#token}`,
      [timeoutHeader]: String(Math.max(1, Math.ceil(due - performance.now()))),
      ...headers,
    }
    const { correlationId, context } = attempts[0] as Attempt
    if (correlationId !== undefined) all[correlationHeader] = correlationId
    if (context?.traceparent !== undefined) all.traceparent = context.traceparent
    return this.fetch(this.#url + path, {
      method: 'POST',
      headers: all,
      signal,
      // A redirect would take the token and the values elsewhere.
      redirect: 'manual',
      ...(body !== undefined && { body }),
    })
  }
}

/** Failures of undici in which no connection came about, so nothing was sent. */
const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/

/** What `fetch` rejected with. */
export function fetchFailure(error: unknown): Failure {
  const { cause } = (error ?? {}) as { cause?: { name?: unknown; code?: unknown } }
  const { name, code } = cause ?? {}
  // What Node says of a reply that is not HTTP.
  if (name === 'HTTPParserError') return { kind: 'internal', detail: 'the reply is not HTTP' }
  if (typeof code !== 'string' || !/^(E|UND_ERR_)[A-Z_]+$/.test(code)) {
    // Refused, reset, cut: workerd says the same words for all, so a write may have arrived.
    return { kind: 'unavailable', detail: 'the request failed' }
  }
  return {
    kind: 'unavailable',
    outcome: neverConnected.test(code) ? 'not-applied' : undefined,
    detail: `the request failed (${code})`,
  }
}

const kindByStatus: Readonly<Record<number, Failure['kind']>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  408: 'timeout',
  413: 'invalid',
  429: 'throttled',
  504: 'timeout',
}

/** What a status other than 2xx means if the body says nothing. */
export function statusFailure({ status, headers }: Response): Failure {
  const kind = kindByStatus[status] ?? (status >= 500 ? 'unavailable' : 'config')
  return {
    kind,
    detail: `HTTP status ${status}`,
    retryAfterMs: retryAfter(headers.get('retry-after') ?? ''),
  }
}

/** Seconds, or a date. */
function retryAfter(header: string): number | undefined {
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}
