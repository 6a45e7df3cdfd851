import { once } from 'node:events'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Connection, type TdsRequest } from './connection.ts'
import { type Connection as Database, Store } from './database.ts'
import type { SqlServerError } from './errors.ts'
import * as errors from './errors.ts'
import type { Login } from './login.ts'
import type { Reply } from './reply.ts'
import type { Call, Called, Host, Session } from './session.ts'
import { type SqlType, typeNamed, type Value } from './types.ts'
import { convert, fromJs, infer, toJs } from './values.ts'

/** Shapes and defaults: see TdsOptions in ../tds.ts, which this is made from. */
export interface Settings {
  readonly user: string
  readonly password: string
  readonly database: string
  readonly readOnly: boolean
  readonly tls: boolean | 'required'
  readonly certificate: { readonly cert: string; readonly key: string } | undefined
  readonly accessToken: string | (() => string) | undefined
  readonly columnTypes: ColumnTypes | undefined
  readonly procedures: Readonly<Record<string, Procedure>>
  readonly fail: ((request: TdsRequest) => SqlServerError | undefined) | undefined
}

type Types = Readonly<Record<string, string>>
export type ColumnTypes = Types | ((sql: string) => Types | undefined)

/** Gets its parameters by name: bits boolean, bigint bigint, other integers number, decimals and dates text. */
export type Procedure = (
  input: Readonly<Record<string, unknown>>,
  context: ProcedureContext,
) => ProcedureResult | undefined | Promise<ProcedureResult | undefined>

interface ProcedureContext {
  readonly spid: number
  /** Aborted by attention, and when the client is gone. */
  readonly signal: AbortSignal
}

interface ProcedureResult {
  readonly sets?: readonly ResultSet[]
  readonly output?: Readonly<Record<string, unknown>>
  /** 0 */
  readonly returnValue?: number
}

interface ResultSet {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Types by name of the column, in their order; of the others the values tell. */
  readonly columns?: Types
}

export type Hook = (request: TdsRequest) => void | Promise<void>
export type Stage = 'execute' | 'reply'

export class Server implements Host {
  readonly settings: Settings
  readonly secureContext: SecureContext | undefined
  readonly counts = { connections: 0, logins: 0, attentions: 0 }
  /** Of batches and calls, in their order. */
  readonly texts: string[] = []
  /** What went wrong here, not in SQL. */
  readonly failures: unknown[] = []
  readonly #hooks: Record<Stage, Set<Hook>> = { execute: new Set(), reply: new Set() }
  readonly #connections = new Set<Connection>()
  readonly #leaving = new Set<Promise<void>>()
  readonly #store: Store
  readonly #procedures: ReadonlyMap<string, Procedure>
  #listener: NetServer | undefined
  /** Those up to 50 are the server's own. */
  #spid = 50
  port = 0

  constructor(settings: Settings, store: Store) {
    this.settings = settings
    this.#store = store
    const { certificate, procedures } = settings
    this.secureContext = certificate === undefined ? undefined : createSecureContext(certificate)
    this.#procedures = new Map(
      Object.entries(procedures).map(([name, procedure]) => [bareName(name), procedure]),
    )
  }

  static async create(settings: Settings): Promise<Server> {
    return new Server(settings, await Store.create(settings.readOnly))
  }

  get database(): string {
    return this.settings.database
  }
  get readOnly(): boolean {
    return this.settings.readOnly
  }
  get tls(): boolean | 'required' {
    return this.settings.tls
  }
  get federates(): boolean {
    return this.settings.accessToken !== undefined
  }

  // Listening --------------------------------------------------------------------------------------

  async listen(): Promise<void> {
    const listener = createServer((socket) => this.#accept(socket))
    listener.listen(this.port, '127.0.0.1')
    await once(listener, 'listening')
    this.#listener = listener
    this.port = (listener.address() as { port: number }).port
  }

  /** Nobody is served any more, and what was not committed is lost. */
  async close(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    const closed = listener === undefined ? undefined : once(listener, 'close')
    listener?.close()
    this.dropConnections()
    await closed
    await Promise.all(this.#leaving)
  }

  async stop(): Promise<void> {
    await this.close()
    await this.#store.close()
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.drop()
  }

  get open(): number {
    return this.#connections.size
  }

  #accept(socket: Socket): void {
    this.counts.connections++
    this.#spid = this.#spid >= 30_000 ? 51 : this.#spid + 1
    const connection = new Connection(this, socket, this.#spid)
    this.#connections.add(connection)
    const left = connection.left.catch((error) => this.report(error))
    this.#leaving.add(left)
    left.then(() => this.#leaving.delete(left))
  }

  /** KILL. Throws 6106. */
  kill(spid: number): void {
    const found = [...this.#connections].find(
      (connection) => connection.spid === spid && connection.session !== undefined,
    )
    if (found === undefined) throw errors.noSuchProcess(spid)
    found.drop()
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  connect(): Database {
    return this.#store.connect()
  }

  release(database: Database): Promise<void> {
    return this.#store.release(database)
  }

  report(error: unknown): void {
    this.failures.push(error)
  }

  // Logins -----------------------------------------------------------------------------------------

  refuses(login: Login): SqlServerError[] {
    const { user, password, accessToken, database } = this.settings
    if (typeof login.federation === 'object') {
      const token = typeof accessToken === 'function' ? accessToken() : accessToken
      if (login.federation.token !== token) {
        return [errors.loginFailed('<token-identified principal>')]
      }
    } else if (login.user.toLowerCase() !== user.toLowerCase() || login.password !== password) {
      return [errors.loginFailed(login.user)]
    }
    const known = ['', 'master', database.toLowerCase()]
    if (known.includes(login.database.toLowerCase())) return []
    return [errors.cannotOpenDatabase(login.database), errors.loginFailed(login.user)]
  }

  // For the tests ----------------------------------------------------------------------------------

  hook(stage: Stage, hook: Hook): () => void {
    this.#hooks[stage].add(hook)
    return () => void this.#hooks[stage].delete(hook)
  }

  async hooked(stage: Stage, request: TdsRequest): Promise<void> {
    for (const hook of this.#hooks[stage]) await hook(request)
  }

  fails(request: TdsRequest): SqlServerError | undefined {
    return this.settings.fail?.(request)
  }

  running(): Running[] {
    return this.#sessions()
      .filter((session) => session.command !== undefined)
      .map(({ spid, command, waiting, sql }) => ({
        session_id: spid,
        status: waiting ? 'suspended' : 'running',
        command: command!.toUpperCase(),
        sql,
      }))
  }

  #sessions(): Session[] {
    return [...this.#connections].flatMap(({ session }) => (session === undefined ? [] : [session]))
  }

  // What sessions ask ------------------------------------------------------------------------------

  columnTypes(sql: string): Types | undefined {
    const { columnTypes } = this.settings
    const types = typeof columnTypes === 'function' ? columnTypes(sql) : columnTypes
    if (types === undefined) return undefined
    return Object.fromEntries(
      Object.entries(types).map(([name, type]) => [name.toLowerCase(), type]),
    )
  }

  view(name: string): string | undefined {
    switch (name) {
      case 'dm_exec_requests': {
        const rows = this.running().map(
          ({ session_id, status, command }) =>
            `select ${session_id} as session_id, '${status}' as status, '${command}' as command`,
        )
        return rows.join(' union all ')
      }
      case 'dm_exec_sessions':
        return this.#sessions()
          .map(
            ({ spid, user, command, transactions }) =>
              `select ${spid} as session_id, '${user.replaceAll("'", "''")}' as login_name, ` +
              `'${command === undefined ? 'sleeping' : 'running'}' as status, ` +
              `${transactions} as open_transaction_count`,
          )
          .join(' union all ')
      case 'databases':
        return `select 5 as database_id, '${this.database.replaceAll("'", "''")}' as name, 'ONLINE' as state_desc`
      default:
        return undefined
    }
  }

  async call(
    { procedure, parameters }: Call,
    session: Session,
    reply: Reply,
    signal: AbortSignal,
  ): Promise<Called> {
    const known = this.#procedures.get(bareName(procedure))
    if (known === undefined) throw errors.noSuchProcedure(procedure)
    const input = Object.fromEntries(
      parameters.map(({ name, type, value }, at) => [name === '' ? at : name, toJs(value, type)]),
    )
    const result = await known(input, { spid: session.spid, signal })
    for (const set of result?.sets ?? []) writeSet(set, reply)
    const output = Object.entries(result?.output ?? {}).map(([name, value]): [string, Value] => [
      name.toLowerCase(),
      fromJs(value),
    ])
    return { returned: result?.returnValue ?? 0, output: new Map(output) }
  }
}

export interface Running {
  readonly session_id: number
  readonly status: 'running' | 'suspended'
  readonly command: string
  readonly sql: string
}

/** `[dbo].[Add]` is `add`. */
function bareName(name: string): string {
  const bare = name.replaceAll(/[[\]"]/g, '').toLowerCase()
  return bare.replace(/^.*\./, '')
}

function writeSet({ rows, columns: types = {} }: ResultSet, reply: Reply): void {
  const names = [...new Set([...Object.keys(types), ...rows.flatMap((row) => Object.keys(row))])]
  const columns = names.map((name) => {
    const said = types[name]
    return { name, type: said === undefined ? inferred(rows, name) : typeNamed(said) }
  })
  reply.columns(columns)
  for (const row of rows) {
    reply.row(
      columns,
      columns.map(({ name, type }) => convert(fromJs(row[name]), type)),
    )
  }
  reply.done({ count: rows.length })
}

function inferred(rows: ResultSet['rows'], name: string): SqlType {
  const values = rows.map((row) => row[name])
  if (values.some((value) => typeof value === 'boolean')) return { name: 'bit' }
  if (values.some((value) => value instanceof Date)) return { name: 'datetime2', scale: 7 }
  return infer(values.map(fromJs), true)
}
