import { type Attempt, DriverFailure } from './driver.ts'
import type { Failure, InfraError } from './errors.ts'
import { correlationHeader, timeoutHeader } from './wire.ts'

// What the HTTP adapters of every backend have in common, below their protocols.

/** Where an adapter's server is. */
export interface EndpointOptions {
  /** `https://` (or `http://`), with the path if the server is mounted below one: `https://edge.example/redis`. */
  url: string
  /** For service bindings, private networks and tests. Default: the runtime's own. */
  fetch?: typeof fetch | undefined
}

/** A function is asked before the first request, and once more when its answer was refused. */
export type Secret = string | (() => string | Promise<string>)

/** How requests say who sends them. */
export interface Credentials {
  readonly secret: Secret
  /** Puts it into the `authorization` header: `bearer`, or `basic` with a name. */
  readonly scheme: Scheme
}

/** Gives `undefined` for what cannot be in a header, since `Headers` would quote it in its error. */
type Scheme = (secret: string) => string | undefined

export const bearer: Scheme = (token) =>
  /^[\x21-\x7e]+$/.test(token) ? `Bearer ${token}` : undefined

/** RFC 7617, in UTF-8. */
export function basic(username: string): Scheme {
  return (password) => {
    const text = `${username}:${password}`
    if (username.includes(':') || /\p{Cc}/u.test(text)) return undefined
    return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`
  }
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the endpoint's own path, with the query. */
  readonly path: string
  readonly body?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Those whose work it is: they count as sent, and the last of their deadlines travels along. */
  readonly attempts: readonly Attempt[]
  readonly signal: AbortSignal
}

const badSecret = 'the credentials have a character that none may have'

/** A server over HTTP, with its credentials. Holds no connection and nothing pending. */
export class HttpEndpoint {
  readonly resource: string
  readonly fetch: typeof fetch
  readonly #url: string
  readonly #credentials: Credentials | undefined
  #authorization: string | undefined

  /** @throws what `refuse` makes of a malformed option */
  constructor(
    { url, fetch }: EndpointOptions,
    credentials: Credentials | undefined,
    refuse: (detail: string) => InfraError,
  ) {
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      throw refuse('url is not a URL that begins with https:// or http://')
    }
    const { origin, host, pathname, username, password, search, hash } = new URL(url)
    if (username + password + search + hash !== '') {
      throw refuse('url has more than a host and a path')
    }
    this.#credentials = credentials
    if (credentials !== undefined && typeof credentials.secret !== 'function') {
      if (!this.#take(credentials.secret)) throw refuse(badSecret)
    }
    const path = pathname.replace(/\/+$/, '')
    this.#url = origin + path
    this.resource = host + path
    this.fetch = fetch ?? ((input, init) => globalThis.fetch(input, init))
  }

  /** False if it is none. */
  #take(secret: unknown): boolean {
    this.#authorization = typeof secret === 'string' ? this.#credentials?.scheme(secret) : undefined
    return this.#authorization !== undefined
  }

  /** Nothing to wait for once there is a token, or if none is needed. */
  authenticated(): Promise<void> | undefined {
    const ask = this.#credentials?.secret
    return this.#authorization === undefined && typeof ask === 'function'
      ? this.#ask(ask)
      : undefined
  }

  async #ask(ask: () => string | Promise<string>): Promise<void> {
    let secret: unknown
    try {
      secret = await ask()
    } catch (cause) {
      const detail = 'the token function failed'
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
    }
    if (!this.#take(secret)) throw new DriverFailure({ kind: 'config', detail: badSecret })
  }

  /** Gives whatever answer comes; rejects with `fetch`'s error, or with a DriverFailure if nothing was sent. */
  async request(request: HttpRequest): Promise<Response> {
    const response = await this.#request(request)
    // A refused token may have been replaced since it was given: ask once more. A 401 applied nothing.
    if (response.status !== 401 || typeof this.#credentials?.secret !== 'function') return response
    await response.body?.cancel()
    this.#authorization = undefined
    return this.#request(request)
  }

  async #request(request: HttpRequest): Promise<Response> {
    const { method, path, body, headers, attempts, signal } = request
    await this.authenticated()
    let due = 0
    for (const attempt of attempts) {
      if (attempt.over) continue
      attempt.sent = true
      due = Math.max(due, attempt.due)
    }
    if (due === 0) throw new DriverFailure({ kind: 'aborted' })
    const all: Record<string, string> = {
      [timeoutHeader]: String(Math.max(1, Math.ceil(due - performance.now()))),
      ...headers,
    }
    if (this.#authorization !== undefined) all.authorization = this.#authorization
    const { correlationId, context } = attempts[0] as Attempt
    if (correlationId !== undefined) all[correlationHeader] = correlationId
    if (context?.traceparent !== undefined) all.traceparent = context.traceparent
    return this.fetch(this.#url + path, {
      method,
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

/** What the header of that name asks for, in milliseconds: it has seconds, or a date. */
export function retryAfter(header: string): number | undefined {
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}
