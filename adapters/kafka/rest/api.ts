import { fetchFailure, type HttpEndpoint, type HttpRequest } from '../../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import { errorHeader, parseFailures, type WireFailures } from '../../../src/core/wire.ts'
import { classifyCode, type KafkaCapabilities, KafkaError } from '../../../src/kafka/index.ts'
import { parseJson } from './codec.ts'
import { type Dialect, dialects, unknownServer } from './dialects.ts'
import { classifyRest, RestError } from './errors.ts'

const v2 = 'application/vnd.kafka.v2+json'
export const binary = 'application/vnd.kafka.binary.v2+json'

export interface Ask extends Omit<HttpRequest, 'headers'> {
  /** Default: v2's own types; some servers insist on exactly these. */
  readonly type?: string | undefined
  readonly accept?: string | undefined
}

export interface Answer {
  /** `undefined` for none. */
  readonly body: unknown
  readonly failures: WireFailures | undefined
}

/** A Kafka REST server, and what is known of it. */
export class RestApi {
  readonly endpoint: HttpEndpoint
  /** Becomes the server's own when it is known. */
  readonly capabilities: KafkaCapabilities
  readonly #maxRequestBytes: number | undefined
  #dialect: Dialect | undefined

  constructor(
    endpoint: HttpEndpoint,
    dialect: Dialect | undefined,
    maxRequestBytes: number | undefined,
  ) {
    this.endpoint = endpoint
    this.#dialect = dialect
    this.#maxRequestBytes = maxRequestBytes
    this.capabilities = this.#capabilitiesOf(dialect ?? unknownServer)
  }

  /**
   * Resolves when a request can leave at once: the server is known, and there is a token. Nothing counts as
   * sent by then, and what fails here applied nothing.
   */
  async ready(attempt: Attempt, signal: AbortSignal): Promise<Dialect> {
    this.#dialect ??= await this.#detect(attempt, signal)
    await this.endpoint.authenticated()
    return this.#dialect
  }

  /** @throws RestError for a status other than 2xx */
  async ask({ type, accept = v2, ...request }: Ask): Promise<Answer> {
    const { method, body } = request
    const typed = body !== undefined || (method === 'DELETE' && this.#dialect?.typedDelete === true)
    const headers = { accept, ...(typed && { 'content-type': type ?? v2 }) }
    const response = await this.endpoint.request({ ...request, headers })
    const failures = parseFailures(response.headers.get(errorHeader))
    const text = await response.text()
    if (response.ok) return { body: text === '' ? undefined : parseJson(text), failures }
    throw new RestError(response, tryJson(text), failures?.whole)
  }

  /** As `ask`, for what goes before the work itself: it leaves nothing behind, and the attempt is not sent yet. */
  async look(
    path: string,
    attempt: Attempt,
    signal: AbortSignal,
    accept?: string,
  ): Promise<unknown> {
    const attempts = [aside(attempt)]
    try {
      return (await this.ask({ method: 'GET', path, accept, attempts, signal })).body
    } catch (error) {
      throw notApplied(error)
    }
  }

  #capabilitiesOf({
    capabilities,
    maxRequestBytes,
  }: Pick<Dialect, 'capabilities' | 'maxRequestBytes'>): KafkaCapabilities {
    return { ...capabilities, maxRequestBytes: this.#maxRequestBytes ?? maxRequestBytes }
  }

  async #detect(attempt: Attempt, signal: AbortSignal): Promise<Dialect> {
    let response: Response
    try {
      response = await this.endpoint.request({
        method: 'GET',
        path: '/',
        headers: { accept: `${v2}, application/json` },
        attempts: [aside(attempt)],
        signal,
      })
      const dialect = dialectOf(response, await response.text())
      Object.assign(this.capabilities, this.#capabilitiesOf(dialect))
      return dialect
    } catch (error) {
      throw notApplied(error)
    }
  }
}

/** By what each answers at its root. @throws RestError, or a DriverFailure for none of them. */
function dialectOf(response: Response, text: string): Dialect {
  const { headers, status, ok } = response
  if (headers.has('dualport')) return dialects.dualport
  const body = tryJson(text)
  if (ok && typeof body === 'object' && body !== null) {
    if ('bridge_version' in body) return dialects.strimzi
    return headers.get('content-type')?.startsWith('application/vnd.kafka') === true
      ? dialects.confluent
      : dialects.karapace
  }
  // It has no root, but says what it is made of.
  if (status === 404 && /seastar/i.test(headers.get('server') ?? '')) return dialects.redpanda
  if (!ok && status !== 404) throw new RestError(response, body, undefined)
  const detail = 'the server is none that is known: set dialect'
  throw new DriverFailure({ kind: 'config', detail })
}

function tryJson(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    // A proxy's page: the status has to do.
    return undefined
  }
}

/** For requests before the one that counts, which only look, and after it, which only tidy up. */
export function aside({
  operation,
  due,
  context,
  correlationId,
  over,
}: Omit<Attempt, 'sent' | 'onCancel'>): Attempt {
  return { operation, due, context, correlationId, over, sent: false, onCancel: undefined }
}

function notApplied(error: unknown): DriverFailure {
  return new DriverFailure({ ...classify(error), outcome: 'not-applied' }, { cause: error })
}

export function classify(error: unknown): Failure {
  if (error instanceof DriverFailure) return error.failure
  if (error instanceof RestError) return classifyRest(error)
  if (error instanceof KafkaError) return classifyCode(error.code)
  return fetchFailure(error)
}

/** Fires when the attempt is cancelled. */
export function signalOf(attempt: Attempt): AbortSignal {
  const controller = new AbortController()
  attempt.onCancel = () => controller.abort()
  return controller.signal
}

/** `/topics/orders%2Feu` */
export function pathOf(...segments: readonly (string | number)[]): string {
  return `/${segments.map((segment) => encodeURIComponent(segment)).join('/')}`
}
