import type { ConnectionOptions } from 'node:tls'
import { InfraError } from '../../../src/core/index.ts'

export interface IoredisOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. What follows overrides its parts. */
  url?: string | undefined
  /** Default `127.0.0.1`. */
  host?: string | undefined
  /** Default 6379. */
  port?: number | undefined
  username?: string | undefined
  /** A function is asked for every new connection, and once more when its answer was refused. */
  password?: string | (() => string | Promise<string>) | undefined
  /** 0 on a cluster. Default 0. */
  db?: number | undefined
  /** `true`, or options for `tls.connect`. */
  tls?: boolean | ConnectionOptions | undefined
  /** `true` if the server is a node of a cluster, or the nodes to begin with. */
  cluster?: boolean | readonly NodeAddress[] | undefined
  /** From nothing to a connection that answers. Milliseconds, default 5000. */
  connectTimeoutMs?: number | undefined
  /** A connection unused for longer is replaced before use. Milliseconds, default 25,000; `Infinity` for never. */
  maxIdleMs?: number | undefined
}

export type NodeAddress = { readonly host: string; readonly port: number }
/** What both a lone connection and a cluster's nodes are made with. */
export interface NodeOptions extends NodeAddress {
  readonly db: number
  readonly connectTimeout: number
  readonly disconnectTimeout: number
  readonly lazyConnect: boolean
  readonly retryStrategy: () => null
  readonly maxRetriesPerRequest: number
  readonly autoResendUnfulfilledCommands: boolean
  readonly autoResubscribe: boolean
  readonly enableReadyCheck: boolean
  readonly disableClientInfo: boolean
  readonly protocol: 2
  readonly stringNumbers: boolean
  readonly tls?: ConnectionOptions
  readonly username?: string
  readonly password?: string
}

export interface Settings {
  readonly redis: NodeOptions
  readonly nodes: NodeAddress[] | undefined
  readonly password: IoredisOptions['password']
  readonly connectTimeoutMs: number
  readonly maxIdleMs: number
  readonly resource: string
}

/** @throws InfraError `REDIS_CONFIG` */
export function settingsOf(options: IoredisOptions): Settings {
  const known = 'url host port username password db tls cluster connectTimeoutMs maxIdleMs'.split(
    ' ',
  )
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
  const from = options.url === undefined ? {} : parseUrl(options.url)
  const host = options.host ?? from.host ?? '127.0.0.1'
  const port = options.port ?? from.port ?? 6379
  const db = options.db ?? from.db ?? 0
  const { cluster, connectTimeoutMs = 5000, maxIdleMs = 25_000 } = options
  if (typeof host !== 'string' || host === '') throw misconfigured('host is not a name or address')
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw misconfigured('port is not from 1 to 65535')
  if (!Number.isInteger(db) || db < 0) throw misconfigured('db is not a whole number from 0')
  if (!(connectTimeoutMs > 0)) throw misconfigured('connectTimeoutMs is not above 0')
  if (!(maxIdleMs > 0)) throw misconfigured('maxIdleMs is not above 0')
  if (cluster && db !== 0) throw misconfigured('a cluster has only db 0')
  if (Array.isArray(cluster) && cluster.length === 0)
    throw misconfigured('cluster: the list of nodes is empty')
  const tls = options.tls ?? from.tls
  const username = options.username ?? from.username
  const password = options.password ?? from.password
  const redis: NodeOptions = {
    host,
    port,
    db,
    connectTimeout: connectTimeoutMs,
    // A peer that is gone does not answer our FIN, and `close` would wait for it.
    disconnectTimeout: 100,
    lazyConnect: true,
    // One connection, one life: what is lost is replaced here, where one knows what may be sent again.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    // RESP3 nests raw replies; numbers as strings are the exact ones.
    protocol: 2,
    stringNumbers: true,
    ...(tls && { tls: tls === true ? {} : tls }),
    ...(username && { username }),
    ...(typeof password === 'string' && { password }),
  }
  const nodes = cluster ? (Array.isArray(cluster) ? [...cluster] : [{ host, port }]) : undefined
  const resource =
    nodes?.map((node) => `${node.host}:${node.port}`).join(',') ?? `${host}:${port}/${db}`
  return { redis, nodes, password, connectTimeoutMs, maxIdleMs, resource }
}

function parseUrl(text: string): Partial<IoredisOptions & { password: string }> {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw misconfigured('url is not a URL')
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw misconfigured('url does not begin with redis:// or rediss://')
  }
  const db = url.pathname.slice(1)
  if (!/^\d*$/.test(db)) throw misconfigured('the path of url is not a database number')
  return {
    ...(url.hostname && { host: url.hostname.replace(/^\[|\]$/g, '') }),
    ...(url.port && { port: Number(url.port) }),
    ...(url.username && { username: decoded(url.username) }),
    ...(url.password && { password: decoded(url.password) }),
    ...(db && { db: Number(db) }),
    ...(url.protocol === 'rediss:' && { tls: true }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw misconfigured('the credentials in url are not percent-encoded')
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'redis',
    adapter: 'ioredis',
    operation: 'configure',
    detail,
  })
}
