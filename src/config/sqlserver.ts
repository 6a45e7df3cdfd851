import * as v from 'valibot'
import type { GatewayOptions } from '../../adapters/sql/gateway/options.ts'
import type { MssqlOptions } from '../../adapters/sql/mssql/options.ts'
import { Sql, type SqlDriver } from '../sql/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, secret, text, validate } from './validation.ts'

export type SqlServerAdapter = 'mssql' | 'gateway' | 'memory'

/** The options of the adapters, and which adapter it is. */
export interface SqlServerConfig extends MssqlOptions, Omit<Partial<GatewayOptions>, 'url'> {
  /**
   * Its scheme names the adapter: `mssql:`, `sqlserver:` and connection strings of ADO.NET mssql, `https:` and
   * `http:` gateway, `memory:` memory.
   */
  url?: string | undefined
  /** Default: by the scheme of `url`, or mssql for `host`. `memory` overrides everything. */
  adapter?: SqlServerAdapter | undefined
}

/** The adapters that a runtime can use. */
export interface SqlServerAdapters {
  readonly memory: (() => SqlDriver) | undefined
  readonly gateway: (options: GatewayOptions) => SqlDriver
  readonly mssql: ((options: MssqlOptions) => SqlDriver) | undefined
}

export function sqlserverBackend(adapters: SqlServerAdapters): Backend<Sql> {
  return {
    variables: {
      url: ['SQLSERVER_URL'],
      token: ['SQLSERVER_TOKEN'],
      adapter: ['SQLSERVER_ADAPTER'],
      host: ['SQLSERVER_HOST'],
      port: ['SQLSERVER_PORT'],
      database: ['SQLSERVER_DATABASE'],
      username: ['SQLSERVER_USERNAME'],
      password: ['SQLSERVER_PASSWORD'],
      encrypt: ['SQLSERVER_ENCRYPT'],
      trustServerCertificate: ['SQLSERVER_TRUST_SERVER_CERTIFICATE'],
      maxPoolSize: ['SQLSERVER_MAX_POOL_SIZE'],
    },
    fields: Object.keys(fields),
    componentType: 'datastore',
    embedded: adapters.memory && open(adapters.memory),
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const wantedUrl =
  'give it mssql://host, sqlserver://host, Server=host;Database=name, https://host or memory:'
/** A connection string of ADO.NET. */
const isAdo = (text: string) => /^[a-z][a-z ]*=/i.test(text)
const url = v.pipe(
  v.string(),
  v.check((text) => isAdo(text) || /^(memory:$|(mssql|sqlserver|https?):\/\/[^/])/i.test(text)),
)

const limit = integer(1, 2 ** 31 - 1)
const wantedLimit = 'give it a whole number above 0'
const wantedFlag = 'give it true or false'

const fields = {
  url: [url, wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  adapter: [v.picklist(['mssql', 'gateway', 'memory']), 'give it mssql, gateway or memory'],
  host: [v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), 'give it a name or address, and nothing else'],
  port: [integer(1, 65_535), 'give it a port from 1 to 65535'],
  instanceName: [text, 'give it the name of an instance'],
  database: [text, 'give it the name of a database'],
  username: [text, 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  accessToken: [secret(/^[\x21-\x7e]+$/), 'give it a token, or a function that gives one'],
  encrypt: [v.union([flag, v.literal('strict')]), 'give it true, false or strict'],
  trustServerCertificate: [flag, wantedFlag],
  ca: [v.union([text, v.array(text)]), 'give it certificates in PEM'],
  applicationName: [text, 'give it a name, or unset it'],
  readOnly: [flag, wantedFlag],
  maxPoolSize: [limit, wantedLimit],
  maxIdleMs: [limit, wantedLimit],
  connectTimeoutMs: [limit, wantedLimit],
  fetch: [aFunction, 'give it a function'],
  dialect: [v.picklist(['sqlserver', 'mysql', 'sqlite']), 'give it sqlserver, mysql or sqlite'],
} as const

type Field = keyof typeof fields

const adapterByScheme: Readonly<Record<string, SqlServerAdapter>> = {
  'mssql:': 'mssql',
  'sqlserver:': 'mssql',
  'http:': 'gateway',
  'https:': 'gateway',
  'memory:': 'memory',
}

const overTcp = Object.keys(fields).filter(
  (field) => !['url', 'token', 'adapter', 'fetch', 'dialect'].includes(field),
)
const takenBy: Readonly<Record<string, readonly SqlServerAdapter[]>> = {
  token: ['gateway'],
  fetch: ['gateway'],
  dialect: ['gateway'],
  ...Object.fromEntries(overTcp.map((field) => [field, ['mssql'] as const])),
}

function configure(
  adapters: SqlServerAdapters,
  settings: Settings,
  problems: Problems,
): Open<Sql> | undefined {
  const valid = validate(fields, settings, problems)
  const { url } = valid
  const { memory, mssql } = adapters
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  const adapter = chooseAdapter<SqlServerAdapter>(settings, valid, problems, {
    byScheme: adapterByScheme,
    otherwise: given.has('host') || (url !== undefined && isAdo(url)) ? 'mssql' : undefined,
    unable: mssql === undefined ? ['mssql'] : [],
    takenBy,
  })
  if (adapter === 'memory') {
    if (memory === undefined)
      problems.add(name('url'), 'set it to https://host; memory: is for Node')
    return memory && open(memory)
  }
  if (!given.has('url')) {
    if (adapter === 'gateway') problems.add(name('url'), 'set it to https://host')
    else if (!given.has('host')) problems.add(name('url'), `set it, or ${name('host')}`)
  }
  if (adapter === undefined) return undefined
  if (adapter === 'gateway' || mssql === undefined) {
    const { token, fetch, dialect } = valid
    if (!given.has('token'))
      problems.add(name('token'), `set it, since ${name('url')} is over HTTP`)
    if (url === undefined) return undefined
    return open(() => adapters.gateway({ url, token, fetch, dialect }))
  }
  for (const field of ['host', 'port'] as const) {
    if (!given.has('url') || !given.has(field)) continue
    problems.add(name(field), `unset it; ${name('url')} says where SQL Server is`)
  }
  if (given.has('accessToken') && (given.has('username') || given.has('password'))) {
    problems.add(name('accessToken'), `unset it, or ${name('username')} and ${name('password')}`)
  } else if (!given.has('accessToken') && !given.has('url')) {
    for (const field of ['username', 'password'] as const) {
      if (!given.has(field)) problems.add(name(field), 'set it, since SQL Server wants a login')
    }
  }
  const { adapter: _, token: __, fetch: ___, dialect: ____, ...options } = valid
  return open(() => mssql(options as MssqlOptions))
}

function open(driver: () => SqlDriver): Open<Sql> {
  return (options) => {
    const opened = driver()
    return { client: new Sql(opened, options), resource: opened.resource }
  }
}
