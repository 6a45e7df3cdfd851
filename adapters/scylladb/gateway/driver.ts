import { toBase64 } from '../../../src/core/base64.ts'
import { bearer, fetchFailure, HttpEndpoint } from '../../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure, InfraError } from '../../../src/core/index.ts'
import { ValueError, writeValue } from '../../../src/core/values.ts'
import type {
  CqlBatch,
  CqlReply,
  CqlRequest,
  CqlSettings,
  CqlStatement,
  Hosts,
  ScyllaDriver,
} from '../../../src/scylladb/index.ts'
import type { GatewayOptions } from './options.ts'
import { failureOf, hostsOf, objectOf, replyOf } from './replies.ts'

const known = ['url', 'fetch', 'token', 'keyspace']

export class GatewayDriver implements ScyllaDriver {
  readonly adapter = 'gateway'
  readonly capabilities = { cancel: false, hosts: true }
  readonly keyspace: string | undefined
  readonly resource: string
  readonly #endpoint: HttpEndpoint
  readonly #open = new Set<AbortController>()

  constructor(options: GatewayOptions) {
    if (Object.keys(options).some((name) => !known.includes(name))) {
      throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
    }
    const { token, keyspace } = options
    if (keyspace !== undefined && (typeof keyspace !== 'string' || keyspace === '')) {
      throw misconfigured('keyspace is not a name')
    }
    const credentials = token === undefined ? undefined : { secret: token, scheme: bearer }
    this.#endpoint = new HttpEndpoint(options, credentials, misconfigured)
    this.keyspace = keyspace
    this.resource = this.#endpoint.resource + (keyspace === undefined ? '' : `/${keyspace}`)
  }

  async execute(request: CqlRequest, attempt: Attempt): Promise<CqlReply> {
    const { pageSize, pagingState } = request
    const fields = {
      ...written(request),
      ...settings(request),
      pageSize,
      pagingState: pagingState && toBase64(pagingState),
    }
    return replyOf(await this.#ask('/execute', fields, attempt))
  }

  async batch(batch: CqlBatch, attempt: Attempt): Promise<CqlReply> {
    const { type, statements } = batch
    const fields = { type, statements: statements.map(written), ...settings(batch) }
    return replyOf(await this.#ask('/batch', fields, attempt))
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#ask('/ping', {}, attempt)
  }

  async hosts(attempt: Attempt): Promise<Hosts> {
    return hostsOf(await this.#ask('/hosts', {}, attempt))
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
    return fetchFailure(error)
  }

  async #ask(path: string, fields: object, attempt: Attempt) {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    try {
      const response = await this.#endpoint.request({
        method: 'POST',
        path,
        body: JSON.stringify({ keyspace: this.keyspace, ...fields }),
        headers: { 'content-type': 'application/json' },
        attempts: [attempt],
        signal: controller.signal,
      })
      const text = await response.text()
      if (!response.ok) throw failureOf(response, text)
      return objectOf(text)
    } finally {
      this.#open.delete(controller)
    }
  }
}

/** @throws DriverFailure for what is no value */
function written({ cql, parameters }: CqlStatement): object {
  try {
    return { cql, parameters: writeValue(parameters) }
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail: error.message })
  }
}

function settings({ consistency, serialConsistency, timestamp, idempotent }: CqlSettings): object {
  return {
    consistency,
    serialConsistency,
    timestamp: timestamp === undefined ? undefined : String(timestamp),
    idempotent,
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'scylladb',
    adapter: 'gateway',
    operation: 'configure',
    detail,
  })
}
