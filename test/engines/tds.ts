import { selfSigned } from '../../src/gateway/keyvault-certificate.ts'
import type { TdsRequest } from './tds/connection.ts'
import type { SqlServerError } from './tds/errors.ts'
import {
  type ColumnTypes,
  type Hook,
  type Procedure,
  type Running,
  Server,
  type Stage,
} from './tds/server.ts'

export type { TdsRequest } from './tds/connection.ts'
/** The errors of SQL Server, to give with `fail` or to throw in a procedure. */
export * as sqlServerErrors from './tds/errors.ts'
export { SqlServerError } from './tds/errors.ts'

export interface TdsOptions {
  /** 'sa' */
  readonly user?: string
  /** 'P@ssw0rd' */
  readonly password?: string
  /** 'dualport' */
  readonly database?: string
  /** True takes TLS when the client wants it; 'required' takes nothing else. Off by default. */
  readonly tls?: boolean | 'required'
  /** Of logins by federated authentication, such as Microsoft Entra ID's. */
  readonly accessToken?: string | (() => string)
  /** Updates are refused, and DATABASEPROPERTYEX says so. */
  readonly readOnly?: boolean
  /** Types of result columns that nothing else tells: `{ total: 'decimal(19,4)' }`, or by text. */
  readonly columnTypes?: ColumnTypes
  /** Stored procedures: `{ 'dbo.add': ({ a, b }) => ({ output: { sum: a + b } }) }` */
  readonly procedures?: Readonly<Record<string, Procedure>>
  /** The error that a request is to end with: `sqlServerErrors.deadlock()`. */
  readonly fail?: (request: TdsRequest) => SqlServerError | undefined
}

export interface TdsServer {
  /** `mssql://sa:P%40ssw0rd@127.0.0.1:49152/dualport?encrypt=false` */
  readonly url: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** PEM. What clients of TLS are to trust. */
  readonly certificate: string | undefined
  /** Connections accepted so far. */
  readonly connections: number
  /** Connections that are open. */
  readonly open: number
  /** Logins tried so far. */
  readonly logins: number
  /** The texts and calls received so far, in their order. */
  readonly batches: readonly string[]
  /** Attentions received so far. */
  readonly attentions: number
  /** What went wrong in the server itself. A test that failed may want to see it. */
  readonly failures: readonly unknown[]
  /** What runs at this moment, as sys.dm_exec_requests has it. */
  running(): Running[]
  /** Called before a request is run, which waits for it. Gives back what removes it. */
  beforeExecute(hook: Hook): () => void
  /** Called when a request is done, or has so much to say that some is to be sent. Likewise. */
  beforeReply(hook: Hook): () => void
  /** Cuts all connections, with RST. */
  dropConnections(): void
  /** As a machine that went down: connections are cut, and nobody listens. The data is kept. */
  kill(): Promise<void>
  /** After `kill`: again at the same port, with what was committed. */
  start(): Promise<void>
  /** For good: the data is gone. */
  stop(): Promise<void>
}

/**
 * A stand-in for SQL Server, for tests alone: TDS 7.4 in front of SQLite. It behaves as SQL Server does as
 * far as a client can see on the wire: logins, types, transactions, attention, errors. It is none for
 * T-SQL, of which it knows what adapters and tests commonly write.
 *
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds
 */
export async function startTdsServer(options: TdsOptions = {}): Promise<TdsServer> {
  const { user = 'sa', password = 'P@ssw0rd', database = 'dualport', tls = false } = options
  const certificate = tls === false ? undefined : selfSigned(['127.0.0.1', 'localhost'])
  const server = await Server.create({
    ...{ user, password, database, tls, certificate },
    readOnly: options.readOnly ?? false,
    accessToken: options.accessToken,
    columnTypes: options.columnTypes,
    procedures: options.procedures ?? {},
    fail: options.fail,
  })
  await server.listen()
  const { port, counts } = server
  const login = [user, password].map(encodeURIComponent).join(':')
  const query = `encrypt=${tls !== false}&trustServerCertificate=${tls !== false}`
  const hook = (stage: Stage) => (run: Hook) => server.hook(stage, run)
  return {
    url: `mssql://${login}@127.0.0.1:${port}/${database}?${query}`,
    ...{ port, user, password, database },
    certificate: certificate?.cert,
    get connections() {
      return counts.connections
    },
    get open() {
      return server.open
    },
    get logins() {
      return counts.logins
    },
    get attentions() {
      return counts.attentions
    },
    batches: server.texts,
    failures: server.failures,
    running: () => server.running(),
    beforeExecute: hook('execute'),
    beforeReply: hook('reply'),
    dropConnections: () => server.dropConnections(),
    kill: () => server.close(),
    start: () => server.listen(),
    stop: () => server.stop(),
  }
}
