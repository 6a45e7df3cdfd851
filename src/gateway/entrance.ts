import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { InfraError, isInfraError, jsonLogger, type Logger } from '../core/index.ts'
import { correlationHeader, errorHeader, formatFailures, type WireFailure } from '../core/wire.ts'
import {
  type Access,
  type Answer,
  Call,
  type Face,
  type Failed,
  type Limits,
  type Methods,
  Refusal,
  statusFor,
  type Token,
  wireFailure,
} from './face.ts'

export interface EntranceOptions {
  readonly token: string
  readonly readOnlyToken?: string | undefined
  readonly limits?: Partial<Limits> | undefined
  readonly logger?: Logger | false | undefined
}

const defaults: Limits = {
  bodyBytes: 10_000_000,
  bodyTimeoutMs: 10_000,
  commands: 10_000,
  consumers: 1000,
  consumerIdleMs: 300_000,
  pollMs: 30_000,
  documentBodyBytes: 48_000_000,
  writes: 100_000,
  documents: 50_000,
  cursors: 1000,
  cursorIdleMs: 60_000,
  rows: 100_000,
  transactions: 100,
  transactionIdleMs: 20_000,
  keepAliveMs: 15_000,
}

/** What is the same for every protocol: who may enter, within which limits, and how failures look from outside. */
export class Entrance {
  readonly #limits: Limits
  readonly #logger: Logger | undefined
  readonly #tokens: [digest: Buffer, token: Token][] = []
  readonly #closing = new AbortController()

  constructor({ token, readOnlyToken, limits, logger }: EntranceOptions) {
    if (token === readOnlyToken) throw misconfigured('token and readOnlyToken are the same')
    this.#admit('token', token, 'full')
    if (readOnlyToken !== undefined) this.#admit('readOnlyToken', readOnlyToken, 'read')
    this.#limits = { ...defaults, ...limits }
    for (const [name, value] of Object.entries(this.#limits)) {
      if (!Object.hasOwn(defaults, name)) throw misconfigured('a limit has an unknown name')
      const most = name === 'keepAliveMs' ? defaults.keepAliveMs : 2 ** 31 - 1
      if (!Number.isSafeInteger(value) || value < 1 || value > most) {
        throw misconfigured(`limits.${name} is not a whole number from 1 to ${most}`)
      }
    }
    this.#logger = logger === false ? undefined : (logger ?? jsonLogger)
  }

  close(): void {
    this.#closing.abort()
  }

  /** A request at one of the paths of a protocol. Never rejects. */
  async serve(face: Face, methods: Methods, request: Request): Promise<Response> {
    const startedAt = performance.now()
    const { name, component = name } = face
    let call: Call | undefined
    try {
      const token = this.#authorise(face, request)
      call = new Call(request, token, this.#limits, this.#closing.signal)
      const answer = await handlerOf(methods, request.method)(call)
      // Nobody would read the stream, and so nobody would end it.
      if (request.method === 'HEAD' && answer.body instanceof ReadableStream)
        await answer.body.cancel()
      return respond(answer, call, itemsHeader(answer.failedItems, component))
    } catch (thrown) {
      const error = isFailed(thrown) ? thrown : unexpected(component)
      const answer = face.failure(error, request)
      const status = answer.status ?? statusFor(error)
      this.#log(thrown, {
        component: 'gateway',
        face: name,
        status,
        durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
        correlationId: call?.correlationId,
      })
      return respond({ ...answer, status }, call, failureHeaders(error, component))
    }
  }

  /** @throws Refusal */
  #authorise(face: Face, request: Request): Token {
    const token =
      tokenOf(request.headers.get('authorization') ?? '') ??
      headerOf(request, face.tokenHeaders ?? []) ??
      new URL(request.url).searchParams.get('_token') ??
      undefined
    let found: Token | undefined
    if (token !== undefined) {
      const given = digest(token)
      // Every token is looked at, and digests are of one length: the time says nothing.
      for (const [known, grants] of this.#tokens) if (timingSafeEqual(known, given)) found = grants
    }
    if (found !== undefined) return found
    throw new Refusal('unauthenticated', 'invalid or missing auth token', 401, {
      'www-authenticate': 'Bearer',
    })
  }

  #admit(name: string, token: string, access: Access): void {
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw misconfigured(`${name} is not printable ASCII without spaces`)
    }
    const key = createHmac('sha256', token).update('dualport gateway IDs').digest()
    this.#tokens.push([digest(token), { access, key }])
  }

  #log(error: unknown, record: object): void {
    // The client that failed has logged it.
    if (isInfraError(error)) return
    try {
      if (error instanceof Refusal) {
        this.#logger?.warn({ ...record, kind: error.kind }, 'request_refused')
      } else {
        this.#logger?.error({ ...record, error: (error as Error).name }, 'request_failed')
      }
    } catch {
      // A log that fails is not the caller's concern.
    }
  }
}

/** `Bearer TOKEN`, or Basic with the token as the password of any user. */
function tokenOf(authorization: string): string | undefined {
  const [, scheme, credentials] = /^(bearer|basic) ([\x21-\x7e]+)$/i.exec(authorization) ?? []
  if (credentials === undefined || scheme?.toLowerCase() === 'bearer') return credentials
  const pair = Buffer.from(credentials, 'base64').toString()
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}

/** The first of these headers that the request has. */
function headerOf({ headers }: Request, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers.get(name)
    if (value !== null) return value
  }
  return undefined
}

/** A path that no protocol has. */
export function notFound(): Response {
  const error = new Refusal('not-found', 'not found')
  return respond(
    { status: statusFor(error), type: 'application/json', body: '{"error":"not found"}' },
    undefined,
    failureHeaders(error, 'gateway'),
  )
}

function digest(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'gateway',
    adapter: '-',
    operation: 'configure',
    detail,
  })
}

/** @throws Refusal for a method that the path does not have. HEAD goes where GET goes; the body is left off. */
function handlerOf(methods: Methods, method: string): NonNullable<Methods['GET']> {
  const name = method === 'HEAD' ? 'GET' : method
  if (name === 'GET' || name === 'POST' || name === 'PUT' || name === 'DELETE') {
    const handler = methods[name]
    if (handler !== undefined) return handler
  }
  const allow = Object.keys(methods)
  if (methods.GET !== undefined) allow.push('HEAD')
  throw new Refusal('invalid', 'the method is not allowed', 405, { allow: allow.join(', ') })
}

// Failures ---------------------------------------------------------------------------------------

function isFailed(error: unknown): error is Failed {
  return error instanceof Refusal || isInfraError(error)
}

/** A bug of ours, whose message may hold anything. */
function unexpected(component: string): InfraError {
  return new InfraError({
    kind: 'internal',
    outcome: 'unknown',
    component,
    adapter: 'gateway',
    operation: 'serve',
    detail: 'the gateway failed',
  })
}

type Headers = Readonly<Record<string, string>>

function failureHeaders(error: Failed, component: string): Headers {
  const whole = wireFailure(error, component)
  const { retryAfterMs } = whole
  return {
    ...(error instanceof Refusal ? error.headers : undefined),
    ...(retryAfterMs === undefined
      ? undefined
      : { 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` }),
    [errorHeader]: formatFailures({ whole, items: new Map() }),
  }
}

/** Clients refuse headers that are much larger. */
const maxHeader = 8000

/** The fate of the items, shortened if it must be: an item that is not named was not applied and says why in the body. */
function itemsHeader(failed: Answer['failedItems'], component: string): Headers {
  if (failed === undefined || failed.size === 0) return {}
  const items = new Map<number, WireFailure>()
  for (const [i, error] of failed) items.set(i, wireFailure(error, component))
  let text = formatFailures({ items })
  if (text.length > maxHeader) {
    for (const [i, { outcome }] of items) if (outcome === 'not-applied') items.delete(i)
    text = formatFailures({ items })
  }
  if (text.length > maxHeader) {
    // Too scattered to tell apart: all that failed between the first and the last counts as the first.
    const indexes = [...items.keys()].sort((a, b) => a - b)
    const first = items.get(indexes[0] as number) as WireFailure
    const last = indexes.at(-1) as number
    for (let i = indexes[0] as number; i <= last; i++) items.set(i, first)
    text = formatFailures({ items })
  }
  return text === '' ? {} : { [errorHeader]: text }
}

function respond(answer: Answer, call: Call | undefined, headers: Headers): Response {
  return new Response(answer.body, {
    status: answer.status ?? 200,
    headers: {
      ...(answer.body === null ? undefined : { 'content-type': answer.type }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(call?.correlationId === undefined
        ? undefined
        : { [correlationHeader]: call.correlationId }),
      ...answer.headers,
      ...headers,
    },
  })
}
