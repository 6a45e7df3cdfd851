import { basic, fetchFailure, HttpEndpoint } from '../../../src/core/http.ts'
import {
  type Attempt,
  DriverFailure,
  detachedAttempt,
  type Failure,
  InfraError,
  stepOf,
} from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  Isolation,
  Page,
  ProcedureCall,
  Reply,
  ServerTransaction,
  SqlCapabilities,
  SqlDriver,
  Statement,
  TransactionSettings,
} from '../../../src/sql/index.ts'
import { type PlanetscaleOptions, targetOf } from './options.ts'
import { type Sdk, Session } from './session.ts'
import { PlanetscaleTransaction } from './transaction.ts'

const path = '/psdb.v1alpha1.Database/Execute'
const dayMs = 86_400_000
const isolation: readonly Isolation[] = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
]

export class PlanetscaleDriver implements SqlDriver {
  readonly adapter = 'planetscale'
  readonly dialect = 'mysql'
  readonly resource: string
  readonly capabilities: SqlCapabilities = {
    streaming: false,
    procedures: true,
    resultSets: false,
    outputParameters: false,
    cancel: true,
    isolation,
    maxParameters: 65_535,
    maxInsertValues: 1_000_000,
  }
  readonly #endpoint: HttpEndpoint
  readonly #open = new Set<AbortController>()
  readonly #loadSdk: () => Promise<Sdk>
  #sdk: Sdk | undefined
  /** The server reads texts as they are written here. */
  #trusted = false

  /** @param loadSdk Rejects with `notInstalled`. */
  constructor(options: PlanetscaleOptions, loadSdk: () => Promise<Sdk>) {
    const { url, username, password } = targetOf(options, misconfigured)
    const credentials = { secret: password, scheme: basic(username) }
    this.#endpoint = new HttpEndpoint({ url, fetch: options.fetch }, credentials, misconfigured)
    this.resource = this.#endpoint.resource
    this.#loadSdk = loadSdk
  }

  async run(statement: Statement, attempt: Attempt): Promise<Reply> {
    return this.#one(attempt, (session) => session.run(statement, attempt))
  }

  async open(): Promise<Page> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async call(call: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    return this.#one(attempt, (session) => session.call(call, attempt))
  }

  async insert(insertion: Insertion, attempt: Attempt): Promise<number> {
    return this.#one(attempt, async (session) => {
      const texts = session.insertions(insertion)
      const [text, ...more] = texts
      if (text === undefined) return 0
      if (more.length === 0) return (await session.execute(text, attempt)).rowsAffected
      await session.begin(stepOf(attempt))
      try {
        let inserted = 0
        for (const each of texts)
          inserted += (await session.execute(each, stepOf(attempt))).rowsAffected
        await session.execute('COMMIT', attempt)
        return inserted
      } catch (error) {
        await session.execute('ROLLBACK', detachedAttempt('ROLLBACK', 5000)).catch(() => {})
        throw error
      }
    })
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#one(attempt, (session) => session.execute('select 1', attempt))
  }

  async isWritable(attempt: Attempt): Promise<boolean> {
    const text = 'select @@global.read_only'
    const { rows } = await this.#one(attempt, (session) => session.execute(text, attempt))
    return Number(rows[0]?.[0]) === 0
  }

  async begin({ isolation }: TransactionSettings, attempt: Attempt): Promise<ServerTransaction> {
    return this.#one(attempt, async (session) => {
      if (isolation !== undefined) {
        const text = `SET TRANSACTION ISOLATION LEVEL ${isolation.toUpperCase()}`
        await session.execute(text, stepOf(attempt))
      }
      await session.begin(attempt)
      return new PlanetscaleTransaction(session)
    })
  }

  async close(): Promise<void> {
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** A `Client` of `@planetscale/database`. */
  async native(): Promise<object> {
    const { Client } = await this.#load()
    const { signal } = new AbortController()
    return new Client({
      host: this.#endpoint.resource,
      username: '',
      password: '',
      fetch: (_, init) => this.#send(init?.body, detachedAttempt('native', dayMs), signal),
    })
  }

  classify(error: unknown): Failure {
    return fetchFailure(error)
  }

  // Requests -----------------------------------------------------------------------------------

  /** A session of its own, so that statements at the same time do not share one. */
  async #one<T>(attempt: Attempt, work: (session: Session) => Promise<T>): Promise<T> {
    const sdk = await this.#load()
    const session = () =>
      new Session(sdk, (body, attempt, signal) => this.#send(body, attempt, signal), this.#open)
    if (!this.#trusted) await this.#check(session(), stepOf(attempt))
    return work(session())
  }

  /** Whether what is formatted here is read there as it was meant. */
  async #check(session: Session, attempt: Attempt): Promise<void> {
    const { rows } = await session.execute(
      "select @@sql_mode, @@character_set_client, unix_timestamp('2000-01-01 00:00:00')",
      attempt,
    )
    const [mode, charset, utc] = rows[0] ?? []
    const problem = /NO_BACKSLASH_ESCAPES|ANSI_QUOTES/.exec(String(mode))?.[0]
    if (problem !== undefined) throw unfit(`its sql_mode has ${problem}`)
    if (!/^utf8/.test(String(charset))) throw unfit('its character_set_client is not UTF-8')
    if (Number(utc) !== Date.UTC(2000) / 1000) throw unfit('its time_zone is not UTC')
    this.#trusted = true
  }

  #send(body: string | undefined, attempt: Attempt, signal: AbortSignal): Promise<Response> {
    return this.#endpoint.request({
      method: 'POST',
      path,
      body,
      headers: { 'content-type': 'application/json', 'user-agent': 'dualport' },
      attempts: [attempt],
      signal,
    })
  }

  /** A settled value: what is pending may not be shared by the requests of a Worker. */
  async #load(): Promise<Sdk> {
    this.#sdk ??= await this.#loadSdk()
    return this.#sdk
  }
}

function unfit(detail: string): DriverFailure {
  return new DriverFailure({
    kind: 'config',
    outcome: 'not-applied',
    detail: `values cannot be written safely for this server: ${detail}`,
  })
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'sql',
    adapter: 'planetscale',
    operation: 'configure',
    detail,
  })
}

/** `@planetscale/database` could not be loaded. */
export function notInstalled(cause: unknown): DriverFailure {
  const detail = '@planetscale/database is not installed: npm install @planetscale/database'
  return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
}
