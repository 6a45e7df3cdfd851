import * as v from 'valibot'
import type { Mysql2Options } from '../../adapters/sql/mysql2/options.ts'
import type { PlanetscaleOptions } from '../../adapters/sql/planetscale/options.ts'
import { Sql, type SqlDriver } from '../sql/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, secret, text, validate } from './validation.ts'

export type MysqlAdapter = 'mysql2' | 'planetscale' | 'memory'

/** The options of the adapters, and which adapter it is. */
export interface MysqlConfig extends Omit<Mysql2Options, 'hyperdrive'> {
  /** Its scheme names the adapter: `mysql:` mysql2, `https:` and `http:` planetscale, `memory:` memory. */
  url?: string | undefined
  /** Default: by the scheme of `url`, mysql2 for `host`, planetscale for `planetscaleHost`. `memory` overrides everything. */
  adapter?: MysqlAdapter | undefined
  /** As PlanetScale gives it: `aws.connect.psdb.cloud`, for HTTP. */
  planetscaleHost?: string | undefined
  /** Of our gateway, in place of a name and a password. */
  token?: PlanetscaleOptions['password']
  fetch?: PlanetscaleOptions['fetch']
}

/** The adapters that a runtime can use. */
export interface MysqlAdapters {
  readonly memory: (() => SqlDriver) | undefined
  readonly planetscale: (options: PlanetscaleOptions) => SqlDriver
  readonly mysql2: ((options: Mysql2Options) => SqlDriver) | undefined
}

export function mysqlBackend(adapters: MysqlAdapters): Backend<Sql> {
  return {
    variables: {
      url: ['MYSQL_URL'],
      token: ['MYSQL_TOKEN'],
      adapter: ['MYSQL_ADAPTER'],
      host: ['MYSQL_HOST'],
      port: ['MYSQL_PORT'],
      // As PlanetScale's own pages name them.
      planetscaleHost: ['DATABASE_HOST'],
      username: ['MYSQL_USERNAME', 'DATABASE_USERNAME'],
      password: ['MYSQL_PASSWORD', 'DATABASE_PASSWORD'],
      database: ['MYSQL_DATABASE'],
      tls: ['MYSQL_TLS'],
      maxPoolSize: ['MYSQL_MAX_POOL_SIZE'],
    },
    fields: Object.keys(fields),
    componentType: 'datastore',
    // Its dialect is SQLite's, so it is not taken for a MySQL unless somebody says so.
    embedded: undefined,
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const wantedUrl = 'give it mysql://host, https://host or memory:'
const url = v.pipe(v.string(), v.regex(/^(memory:$|(mysql|https?):\/\/[^/])/i))

const limit = integer(1, 2 ** 31 - 1)
const wantedLimit = 'give it a whole number above 0'
const wantedHost = 'give it a name or address, and nothing else'
const tlsOptions = v.custom<object>((value) => typeof value === 'object' && value !== null)

const fields = {
  url: [url, wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  adapter: [
    v.picklist(['mysql2', 'planetscale', 'memory']),
    'give it mysql2, planetscale or memory',
  ],
  host: [v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), wantedHost],
  port: [integer(1, 65_535), 'give it a port from 1 to 65535'],
  planetscaleHost: [v.pipe(v.string(), v.regex(/^[\w.-]+(:\d+)?$/)), wantedHost],
  database: [text, 'give it the name of a database'],
  username: [text, 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  tls: [v.union([flag, tlsOptions]), 'give it true or false'],
  maxPoolSize: [limit, wantedLimit],
  maxIdleMs: [limit, wantedLimit],
  connectTimeoutMs: [limit, wantedLimit],
  maxPreparedStatements: [limit, wantedLimit],
  fetch: [aFunction, 'give it a function'],
} as const

type Field = keyof typeof fields

const adapterByScheme: Readonly<Record<string, MysqlAdapter>> = {
  'mysql:': 'mysql2',
  'http:': 'planetscale',
  'https:': 'planetscale',
  'memory:': 'memory',
}

const takenBy: Readonly<Partial<Record<Field, readonly MysqlAdapter[]>>> = {
  token: ['planetscale'],
  fetch: ['planetscale'],
  planetscaleHost: ['planetscale'],
  host: ['mysql2'],
  port: ['mysql2'],
  database: ['mysql2'],
  tls: ['mysql2'],
  maxPoolSize: ['mysql2'],
  maxIdleMs: ['mysql2'],
  connectTimeoutMs: ['mysql2'],
  maxPreparedStatements: ['mysql2'],
}

function configure(
  adapters: MysqlAdapters,
  settings: Settings,
  problems: Problems,
): Open<Sql> | undefined {
  const valid = validate(fields, settings, problems)
  const { memory, mysql2 } = adapters
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  const byHost = given.has('host') ? 'mysql2' : undefined
  const adapter = chooseAdapter<MysqlAdapter>(settings, valid, problems, {
    byScheme: adapterByScheme,
    otherwise: given.has('planetscaleHost') ? 'planetscale' : byHost,
    unable: mysql2 === undefined ? ['mysql2'] : [],
    takenBy,
  })
  if (adapter === 'memory') {
    if (memory === undefined)
      problems.add(name('url'), 'set it to https://host; memory: is for Node')
    return memory && open(memory)
  }
  const places = (['url', 'host', 'planetscaleHost'] as const).filter((field) => given.has(field))
  if (places.length === 0) {
    const over = adapter === 'planetscale' ? ' to https://host' : `, or ${name('host')}`
    problems.add(name('url'), `set it${over}`)
  }
  for (const place of places.slice(1)) {
    problems.add(name(place), `unset it; ${name(places[0] as Field)} says where MySQL is`)
  }
  if (given.has('url') && given.has('port')) {
    problems.add(name('port'), `unset it; ${name('url')} says where MySQL is`)
  }
  if (adapter === undefined) return undefined
  if (adapter === 'planetscale' || mysql2 === undefined) {
    return overHttp(adapters, settings, valid, problems)
  }
  const { adapter: _, token: __, fetch: ___, planetscaleHost: ____, ...options } = valid
  return open(() => mysql2(options as Mysql2Options))
}

function overHttp(
  { planetscale }: MysqlAdapters,
  { nameOf }: Settings,
  { url, planetscaleHost: host, token, username, password, fetch }: Partial<MysqlConfig>,
  problems: Problems,
): Open<Sql> | undefined {
  if (token !== undefined && (username ?? password) !== undefined) {
    problems.add(nameOf('token'), `unset it, or ${nameOf('username')} and ${nameOf('password')}`)
  }
  if (token !== undefined)
    return open(() => planetscale({ url, host, username: 'dualport', password: token, fetch }))
  const inUrl = url !== undefined && URL.canParse(url) && new URL(url).password !== ''
  for (const [field, value] of Object.entries({ username, password })) {
    if (value !== undefined || inUrl) continue
    const own = nameOf(field)
    const theirs =
      host !== undefined && own.startsWith('MYSQL_') ? own.replace('MYSQL', 'DATABASE') : own
    problems.add(theirs, 'set it, since MySQL is over HTTP')
  }
  return open(() => planetscale({ url, host, username, password, fetch }))
}

function open(driver: () => SqlDriver): Open<Sql> {
  return (options) => {
    const opened = driver()
    return { client: new Sql(opened, options), resource: opened.resource }
  }
}
