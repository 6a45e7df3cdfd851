import { bearer, fetchFailure, HttpEndpoint } from '../../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure, InfraError } from '../../../src/core/index.ts'
import type {
  Dialect,
  Executor,
  Reply,
  ServerTransaction,
  SqlCapabilities,
  SqlDriver,
  Statement,
  TransactionSettings,
} from '../../../src/sql/index.ts'
import { fieldsOf, notOfProtocol, readReply, writeStatement } from '../../../src/sql/wire.ts'
import { executorOver, type Post } from './executor.ts'
import { failureOf } from './failures.ts'
import { capabilitiesOf, type GatewayOptions } from './options.ts'
import { transactionOver } from './transaction.ts'

const known = ['url', 'fetch', 'token', 'dialect']

export class GatewayDriver implements SqlDriver {
  readonly adapter = 'gateway'
  readonly resource: string
  readonly dialect: Dialect
  readonly capabilities: SqlCapabilities
  readonly #endpoint: HttpEndpoint
  readonly #open = new Set<AbortController>()
  readonly run: Executor['run']
  readonly open: Executor['open']
  readonly call: Executor['call']
  readonly insert: Executor['insert']

  constructor(options: GatewayOptions) {
    if (Object.keys(options).some((name) => !known.includes(name))) {
      throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
    }
    const { token, dialect = 'sqlserver' } = options
    if (!Object.hasOwn(capabilitiesOf, dialect)) {
      throw misconfigured(`dialect is none of ${Object.keys(capabilitiesOf).join(', ')}`)
    }
    const credentials = token === undefined ? undefined : { secret: token, scheme: bearer }
    this.#endpoint = new HttpEndpoint(options, credentials, misconfigured)
    this.resource = this.#endpoint.resource
    this.dialect = dialect
    this.capabilities = capabilitiesOf[dialect]
    const executor = executorOver(this.#post)
    this.run = executor.run
    this.open = executor.open
    this.call = executor.call
    this.insert = executor.insert
  }

  async begin({ isolation }: TransactionSettings, attempt: Attempt): Promise<ServerTransaction> {
    const { transaction } = await this.#post('/begin', { isolation }, attempt)
    if (typeof transaction !== 'string') throw notOfProtocol()
    return transactionOver(this.#post, transaction)
  }

  async batch(
    statements: readonly Statement[],
    { isolation }: TransactionSettings,
    attempt: Attempt,
  ): Promise<readonly Reply[]> {
    const body = { statements: statements.map(writeStatement), isolation }
    const { replies } = await this.#post('/batch', body, attempt)
    if (!Array.isArray(replies) || replies.length !== statements.length) throw notOfProtocol()
    return replies.map(readReply)
  }

  ping(attempt: Attempt): Promise<void> {
    return this.#ping({}, attempt)
  }

  /** True, or the gateway's own answer that it does not. */
  async isWritable(attempt: Attempt): Promise<boolean> {
    await this.#ping({ writable: true }, attempt)
    return true
  }

  async #ping(body: object, attempt: Attempt): Promise<void> {
    const { dialect } = await this.#post('/ping', body, attempt)
    if (dialect === this.dialect) return
    const detail = 'the gateway serves a database of another dialect'
    throw new DriverFailure({ kind: 'config', detail })
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

  readonly #post: Post = async (path, body, attempt) => {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    try {
      const response = await this.#endpoint.request({
        method: 'POST',
        path,
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        attempts: [attempt],
        signal: controller.signal,
      })
      const text = await response.text()
      if (!response.ok) throw failureOf(response, text)
      return fieldsOf(parsed(text))
    } finally {
      this.#open.delete(controller)
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notOfProtocol()
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'sql',
    adapter: 'gateway',
    operation: 'configure',
    detail,
  })
}
