import type { ConnectionOptions } from 'node:tls'
import { InfraError } from '../../../src/core/index.ts'
import type { CassandraDriverOptions, TlsOptions } from './options.ts'

export interface Settings {
  /** With their ports. */
  readonly contactPoints: readonly string[]
  readonly port: number
  readonly keyspace: string | undefined
  readonly localDataCenter: string | undefined
  readonly user:
    | {
        readonly username: string
        readonly password: NonNullable<CassandraDriverOptions['password']>
      }
    | undefined
  readonly tls: ConnectionOptions | undefined
  readonly profile: 'serverless' | 'server'
  readonly maxIdleMs: number
  readonly connectTimeoutMs: number
  /** `127.0.0.1:9042/app` */
  readonly resource: string
}

const known = [
  ...['url', 'hosts', 'port', 'keyspace', 'localDataCenter', 'username', 'password', 'tls'],
  ...['profile', 'maxIdleMs', 'connectTimeoutMs'],
]

/** @throws InfraError `SCYLLADB_CONFIG`. It does not show what was given. */
export function settingsOf(given: CassandraDriverOptions): Settings {
  if (Object.keys(given).some((name) => !known.includes(name))) {
    throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
  }
  if (given.url !== undefined && given.hosts !== undefined) {
    throw misconfigured('hosts do not go with url')
  }
  const options = { ...(given.url === undefined ? {} : optionsOf(given.url)), ...defined(given) }
  const { hosts = ['127.0.0.1'], port = 9042, keyspace, localDataCenter } = options
  const { username, password, profile = 'serverless' } = options
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw misconfigured('port is not from 1 to 65535')
  }
  if (!Array.isArray(hosts) || hosts.length === 0) throw misconfigured('hosts are none')
  const contactPoints = hosts.map((host) => contactPoint(host, port))
  if (keyspace !== undefined && !/^\w{1,222}$/.test(keyspace)) {
    throw misconfigured('keyspace is not a name')
  }
  if (localDataCenter !== undefined && (typeof localDataCenter !== 'string' || !localDataCenter)) {
    throw misconfigured('localDataCenter is not a name')
  }
  if ((username === undefined) !== (password === undefined)) {
    throw misconfigured('username and password go together')
  }
  if (profile !== 'serverless' && profile !== 'server') {
    throw misconfigured('profile is not serverless or server')
  }
  return {
    contactPoints,
    port,
    keyspace,
    localDataCenter,
    user: username === undefined || password === undefined ? undefined : { username, password },
    tls: tlsOf(options.tls),
    profile,
    maxIdleMs: duration('maxIdleMs', options.maxIdleMs, 25_000),
    connectTimeoutMs: duration('connectTimeoutMs', options.connectTimeoutMs, 5000),
    resource: `${contactPoints.join(',')}${keyspace === undefined ? '' : `/${keyspace}`}`,
  }
}

/** Several hosts are no URL in the sense of the `URL` class. */
function optionsOf(url: string): CassandraDriverOptions {
  const parts =
    /^cql:\/\/(?:([^:@/]*):([^@/]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url) ?? []
  const [, username, password, hosts, path, query = ''] = parts
  if (hosts === undefined) {
    throw misconfigured('url is not cql://host/keyspace or cql://user:password@host,host/keyspace')
  }
  const { localDataCenter, tls, ...others } = Object.fromEntries(new URLSearchParams(query))
  if (Object.keys(others).length > 0 || (tls !== undefined && !/^(true|false)$/.test(tls))) {
    throw misconfigured(
      'url has other parameters than localDataCenter and tls, which is true or false',
    )
  }
  return defined({
    hosts: hosts.split(','),
    keyspace: path ? decoded(path) : undefined,
    username: username === undefined ? undefined : decoded(username),
    password: password === undefined ? undefined : decoded(password),
    localDataCenter,
    tls: tls === undefined ? undefined : tls === 'true',
  })
}

function contactPoint(host: string, port: number): string {
  const [, name, own] = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(host) ?? []
  if (name === undefined)
    throw misconfigured('a host is not a name or address, with a port or without')
  return `${name}:${own ?? port}`
}

function tlsOf(tls: boolean | TlsOptions | undefined): ConnectionOptions | undefined {
  if (tls === undefined || tls === false) return undefined
  if (tls === true) return { rejectUnauthorized: true }
  if (typeof tls !== 'object' || tls === null)
    throw misconfigured('tls is not true, false or options')
  return { rejectUnauthorized: true, ...defined(tls) }
}

function duration(name: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard
  if (Number.isSafeInteger(value) && value > 0) return value
  throw misconfigured(`${name} is not a whole number of milliseconds above 0`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw misconfigured('a part of url is not percent-encoded')
  }
}

function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'scylladb',
    adapter: 'cassandra-driver',
    operation: 'configure',
    detail,
  })
}
