import type { MongoClientOptions } from 'mongodb'
import { InfraError } from '../../../src/core/index.ts'
import type { MongodbOptions } from './options.ts'

export interface Settings {
  readonly url: string
  readonly database: string
  /** `127.0.0.1:27017/app` */
  readonly resource: string
  readonly client: MongoClientOptions
  readonly user:
    | { readonly username: string; readonly password: NonNullable<MongodbOptions['password']> }
    | undefined
}

/** Ours, the driver's, and the default. */
const limits = [
  ['maxPoolSize', 'maxPoolSize', 5],
  ['minPoolSize', 'minPoolSize', 0],
  ['maxIdleMs', 'maxIdleTimeMS', 25_000],
  ['waitQueueTimeoutMs', 'waitQueueTimeoutMS', 0],
  ['connectTimeoutMs', 'connectTimeoutMS', 5000],
  ['serverSelectionTimeoutMs', 'serverSelectionTimeoutMS', 5000],
] as const
const others = ['url', 'host', 'port', 'database', 'username', 'password', 'tls']

/** @throws InfraError `MONGODB_CONFIG` */
export function settingsOf(options: MongodbOptions): Settings {
  const known = [...others, ...limits.map(([name]) => name)]
  if (Object.keys(options).some((name) => !known.includes(name))) {
    throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
  }
  const { host = '127.0.0.1', port = 27_017, username, password, tls } = options
  if (options.url !== undefined && (options.host ?? options.port) !== undefined) {
    throw misconfigured('host and port do not go with url')
  }
  if (typeof host !== 'string' || !/^[^\s/?#@,]+$/.test(host)) {
    throw misconfigured('host is not a name or address')
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw misconfigured('port is not from 1 to 65535')
  }
  if ((username === undefined) !== (password === undefined)) {
    throw misconfigured('username and password go together')
  }
  const url = options.url ?? `mongodb://${host.includes(':') ? `[${host}]` : host}:${port}/`
  // Several hosts are no URL in the sense of the `URL` class.
  const parts = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(
    url,
  )
  if (parts === null) throw misconfigured('url is not mongodb://host/database or mongodb+srv://...')
  const [, hosts, path = '', query = ''] = parts
  const database = options.database ?? (decoded(path) || 'test')
  const inUrl = new Set([...new URLSearchParams(query).keys()].map((name) => name.toLowerCase()))
  const given: Record<string, number> = {}
  for (const [name, native, standard] of limits) {
    const value = options[name]
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      throw misconfigured(`${name} is not a whole number from 0`)
    }
    if (value !== undefined || !inUrl.has(native.toLowerCase())) given[native] = value ?? standard
  }
  return {
    url,
    database,
    resource: `${hosts}/${database}`,
    user: username === undefined || password === undefined ? undefined : { username, password },
    client: {
      ...given,
      ...(tls !== undefined && { tls }),
      // What may be sent again is decided by the client, which knows.
      retryReads: false,
      retryWrites: false,
      maxAdaptiveRetries: 0,
      // A connection that waits for news of the server would be dead after every freeze.
      serverMonitoringMode: 'poll',
      useBigInt64: true,
      bsonRegExp: true,
      ignoreUndefined: true,
    },
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw misconfigured('the database in url is not percent-encoded')
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'mongodb',
    adapter: 'mongodb',
    operation: 'configure',
    detail,
  })
}
