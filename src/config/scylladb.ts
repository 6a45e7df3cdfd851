import * as v from 'valibot'
import type { CassandraDriverOptions } from '../../adapters/scylladb/cassandra-driver/options.ts'
import type { GatewayOptions } from '../../adapters/scylladb/gateway/options.ts'
import {
  consistencies,
  ScyllaDB,
  type ScyllaDriver,
  type ScyllaOptions,
} from '../scylladb/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, milliseconds, secret, text, validate } from './validation.ts'

export type ScylladbAdapter = 'cassandra-driver' | 'gateway'

/** The options of the adapters and of the client, and which adapter it is. */
export interface ScylladbConfig
  extends CassandraDriverOptions,
    Omit<Partial<GatewayOptions>, 'url' | 'keyspace'>,
    Pick<ScyllaOptions, 'consistency' | 'pagingKey'> {
  /** Its scheme names the adapter: `cql:` cassandra-driver, `https:` and `http:` gateway. */
  url?: string | undefined
  /** Default: by the scheme of `url`, or cassandra-driver for `hosts`. */
  adapter?: ScylladbAdapter | undefined
}

/** The adapters that a runtime can use. */
export interface ScylladbAdapters {
  readonly gateway: (options: GatewayOptions) => ScyllaDriver
  readonly cassandraDriver: ((options: CassandraDriverOptions) => ScyllaDriver) | undefined
}

export function scylladbBackend(adapters: ScylladbAdapters): Backend<ScyllaDB> {
  return {
    variables: {
      url: ['SCYLLADB_URL'],
      token: ['SCYLLADB_TOKEN'],
      adapter: ['SCYLLADB_ADAPTER'],
      hosts: ['SCYLLADB_HOSTS'],
      port: ['SCYLLADB_PORT'],
      keyspace: ['SCYLLADB_KEYSPACE'],
      localDataCenter: ['SCYLLADB_LOCAL_DC'],
      username: ['SCYLLADB_USERNAME'],
      password: ['SCYLLADB_PASSWORD'],
      tls: ['SCYLLADB_TLS'],
      profile: ['SCYLLADB_PROFILE'],
      consistency: ['SCYLLADB_CONSISTENCY'],
      pagingKey: ['SCYLLADB_PAGING_KEY'],
    },
    fields: Object.keys(fields),
    componentType: 'datastore',
    embedded: undefined,
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const wantedUrl = 'give it cql://host/keyspace or https://host'
const url = v.pipe(v.string(), v.regex(/^(cql|https?):\/\/[^/]/i))

const host = v.pipe(v.string(), v.regex(/^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i))
const hosts = v.pipe(v.array(host), v.minLength(1))
const hostList = v.pipe(
  v.string(),
  v.transform((text) => text.split(',').map((each) => each.trim())),
  hosts,
)
const tlsOptions = v.custom<object>((value) => typeof value === 'object' && value !== null)
/** 32 bytes, in base64 or hex. Several, to change them. */
const keyText = v.pipe(v.string(), v.regex(/^([\w+/-]{43}=?|[\da-f]{64})$/i))
const key = v.custom<NonNullable<ScyllaOptions['pagingKey']>>((value) => typeof value === 'object')

const fields = {
  url: [url, wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  adapter: [v.picklist(['cassandra-driver', 'gateway']), 'give it cassandra-driver or gateway'],
  hosts: [v.union([hosts, hostList]), 'give it host,host:port'],
  port: [integer(1, 65_535), 'give it a port from 1 to 65535'],
  keyspace: [v.pipe(v.string(), v.regex(/^\w{1,222}$/)), 'give it the name of a keyspace'],
  localDataCenter: [text, 'give it the name of a data centre'],
  username: [text, 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  tls: [v.union([flag, tlsOptions]), 'give it true or false'],
  profile: [v.picklist(['serverless', 'server']), 'give it serverless or server'],
  maxIdleMs: [milliseconds, 'give it a number of milliseconds above 0'],
  connectTimeoutMs: [milliseconds, 'give it a number of milliseconds above 0'],
  fetch: [aFunction, 'give it a function'],
  consistency: [v.picklist(consistencies), `give it one of ${consistencies.join(', ')}`],
  pagingKey: [
    v.union([keyText, key]),
    'give it 32 random bytes in base64: openssl rand -base64 32',
  ],
} as const

type Field = keyof typeof fields

const adapterByScheme: Readonly<Record<string, ScylladbAdapter>> = {
  'cql:': 'cassandra-driver',
  'http:': 'gateway',
  'https:': 'gateway',
}

const takenBy: Readonly<Partial<Record<Field, readonly ScylladbAdapter[]>>> = {
  token: ['gateway'],
  fetch: ['gateway'],
  hosts: ['cassandra-driver'],
  port: ['cassandra-driver'],
  localDataCenter: ['cassandra-driver'],
  username: ['cassandra-driver'],
  password: ['cassandra-driver'],
  tls: ['cassandra-driver'],
  profile: ['cassandra-driver'],
  maxIdleMs: ['cassandra-driver'],
  connectTimeoutMs: ['cassandra-driver'],
}

function configure(
  { gateway, cassandraDriver }: ScylladbAdapters,
  settings: Settings,
  problems: Problems,
): Open<ScyllaDB> | undefined {
  const valid = validate(fields, settings, problems)
  const { url, consistency, pagingKey } = valid
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  const adapter = chooseAdapter<ScylladbAdapter>(settings, valid, problems, {
    byScheme: adapterByScheme,
    otherwise: given.has('hosts') ? 'cassandra-driver' : undefined,
    unable: cassandraDriver === undefined ? ['cassandra-driver'] : [],
    takenBy,
  })
  if (!given.has('url')) {
    if (adapter === 'gateway') problems.add(name('url'), 'set it to https://host')
    else if (!given.has('hosts')) problems.add(name('url'), `set it, or ${name('hosts')}`)
  }
  if (adapter === undefined) return undefined
  const client = { consistency, pagingKey }
  if (adapter === 'gateway' || cassandraDriver === undefined) {
    const { token, fetch, keyspace } = valid
    if (!given.has('token'))
      problems.add(name('token'), `set it, since ${name('url')} is over HTTP`)
    if (url === undefined || token === undefined) return undefined
    return open(() => gateway({ url, token, fetch, keyspace }), client)
  }
  for (const field of ['hosts', 'port'] as const) {
    if (!given.has('url') || !given.has(field)) continue
    problems.add(name(field), `unset it; ${name('url')} says where the cluster is`)
  }
  if (given.has('username') !== given.has('password') && !given.has('url')) {
    const missing = given.has('username') ? 'password' : 'username'
    problems.add(name(missing), 'set it; a user has both a name and a password')
  }
  const {
    adapter: _,
    token: __,
    fetch: ___,
    consistency: ____,
    pagingKey: _____,
    ...options
  } = valid
  return open(() => cassandraDriver(options as CassandraDriverOptions), client)
}

function open(
  driver: () => ScyllaDriver,
  client: Pick<ScyllaOptions, 'consistency' | 'pagingKey'>,
): Open<ScyllaDB> {
  return (options) => {
    const opened = driver()
    return { client: new ScyllaDB(opened, { ...options, ...client }), resource: opened.resource }
  }
}
