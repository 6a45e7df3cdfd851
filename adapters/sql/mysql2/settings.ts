import { InfraError } from '../../../src/core/index.ts'
import type { Mysql2Options, Mysql2Tls } from './options.ts'

type Password = NonNullable<Mysql2Options['password']>

export interface Settings {
  readonly host: string
  readonly port: number
  /** Empty: none. */
  readonly database: string
  readonly username: string
  readonly password: Password
  /** What the library takes for it. */
  readonly ssl: Ssl | undefined
  /** In the server's certificate, where that is not the host. */
  readonly servername: string | undefined
  /** `127.0.0.1:3306/app` */
  readonly resource: string
  readonly maxPoolSize: number
  readonly maxIdleMs: number
  readonly connectTimeoutMs: number
  readonly maxPreparedStatements: number
  /** The server behind Hyperdrive is another one for each statement: nothing can be stopped there by its number. */
  readonly isHyperdrive: boolean
}

interface Ssl extends Omit<Mysql2Tls, 'servername'> {
  readonly rejectUnauthorized: boolean
  readonly verifyIdentity: boolean
}

/** With the smallest value that makes sense. */
const limits = [
  ['maxPoolSize', 5, 1],
  ['maxIdleMs', 25_000, 0],
  ['connectTimeoutMs', 5000, 1],
  ['maxPreparedStatements', 50, 1],
] as const
const address = ['url', 'host', 'port', 'database', 'username', 'password', 'tls'] as const
const names = [...address, ...limits.map(([name]) => name), 'hyperdrive']
const tlsNames = ['ca', 'cert', 'key', 'passphrase', 'servername', 'rejectUnauthorized']

/** @throws InfraError `SQL_CONFIG` */
export function settingsOf(options: Mysql2Options, isWorkerd: boolean): Settings {
  if (Object.keys(options).some((name) => !names.includes(name))) {
    throw misconfigured(`there is no option of this name; there are ${names.join(', ')}`)
  }
  const given: Record<string, number> = {}
  for (const [name, standard, least] of limits) {
    const value = options[name] ?? standard
    if (!(Number.isSafeInteger(value) && value >= least && value < 2 ** 31)) {
      throw misconfigured(`${name} is not a whole number from ${least}`)
    }
    given[name] = value
  }
  const rest = given as Record<(typeof limits)[number][0], number>
  const { hyperdrive } = options
  if (hyperdrive !== undefined) {
    if (address.some((name) => options[name] !== undefined)) {
      throw misconfigured('hyperdrive has the address and the credentials already')
    }
    const { host, port, user, password, database } = hyperdrive
    const target = checked({ host, port: Number(port), username: user, password, database })
    return { ...target, ...rest, ssl: undefined, servername: undefined, isHyperdrive: true }
  }
  if (isWorkerd) {
    throw misconfigured(
      'in a Worker it goes through a Hyperdrive binding only: mysql2({ hyperdrive: env.HYPERDRIVE })',
    )
  }
  const { target, tls } = options.url === undefined ? byHost(options) : byUrl(options)
  return { ...target, ...rest, ...encryption(options.tls ?? tls, target.host), isHyperdrive: false }
}

type Target = Pick<Settings, 'host' | 'port' | 'database' | 'username' | 'password' | 'resource'>
interface Located {
  readonly target: Target
  readonly tls: boolean | Mysql2Tls | undefined
}

function byHost(options: Mysql2Options): Located {
  const { host = '127.0.0.1', port = 3306, database = '', username, password } = options
  if (username === undefined && password !== undefined) {
    throw misconfigured('there is a password but no username')
  }
  const target = { host, port, database, username: username ?? 'root', password: password ?? '' }
  return { target: checked(target), tls: undefined }
}

function byUrl(options: Mysql2Options): Located {
  if ((options.host ?? options.port) !== undefined) {
    throw misconfigured('host and port do not go with url')
  }
  let url: URL
  try {
    url = new URL(options.url as string)
  } catch {
    throw misconfigured('url is none')
  }
  // MariaDB's own clients write it so.
  if (!/^(mysql|mysqls|mariadb):$/.test(url.protocol) || url.hostname === '') {
    throw misconfigured('url is not mysql://user:password@host:3306/database')
  }
  const [username, password] = [options.username ?? decoded(url.username), options.password]
  const target = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 3306),
    database: options.database ?? decoded(url.pathname.slice(1)),
    username: username || 'root',
    password: password ?? decoded(url.password),
  }
  return { target: checked(target), tls: tlsOf(url) }
}

function checked(target: Omit<Target, 'resource'>): Target {
  const { host, port, database, username, password } = target
  if (typeof host !== 'string' || !/^[^\s/?#@,]+$/.test(host)) {
    throw misconfigured('host is not a name or address')
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw misconfigured('port is not from 1 to 65535')
  }
  if (typeof database !== 'string' || database.length > 64 || database.includes('\0')) {
    throw misconfigured('database is not a name')
  }
  if (typeof username !== 'string' || username === '' || username.includes('\0')) {
    throw misconfigured('username is not a name')
  }
  if (typeof password !== 'string' && typeof password !== 'function') {
    throw misconfigured('password is not a text or a function')
  }
  const server = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const resource = database === '' ? server : `${server}/${database}`
  return { ...target, resource }
}

// Encryption -------------------------------------------------------------------------------------

const loopback = /^(localhost|127(\.\d+){3}|::1)$/
/** A name has a letter in its last part; https://url.spec.whatwg.org/#ends-in-a-number-checker */
const isAddress = (host: string) => host.includes(':') || /^[\d.]+$/.test(host)

function encryption(
  tls: boolean | Mysql2Tls | undefined,
  host: string,
): Pick<Settings, 'ssl' | 'servername'> {
  if (tls === false || (tls === undefined && loopback.test(host))) {
    return { ssl: undefined, servername: undefined }
  }
  if (tls !== undefined && tls !== true && (typeof tls !== 'object' || tls === null)) {
    throw misconfigured('tls is not true, false or an object')
  }
  const { servername, rejectUnauthorized = true, ...material } = typeof tls === 'object' ? tls : {}
  if (Object.keys(material).some((name) => !tlsNames.includes(name))) {
    throw misconfigured(`tls has no such option; there are ${tlsNames.join(', ')}`)
  }
  if (typeof rejectUnauthorized !== 'boolean') {
    throw misconfigured('tls.rejectUnauthorized is not true or false')
  }
  // The library would look for the name "localhost" in the certificate.
  if (rejectUnauthorized && isAddress(servername ?? host)) {
    const both = 'tls.servername with the name in its certificate, or tls: false'
    throw misconfigured(`the server is named by its address: say ${both}`)
  }
  return {
    ssl: { ...material, rejectUnauthorized, verifyIdentity: rejectUnauthorized },
    servername,
  }
}

/** What the URL says of it, in the words of several clients. None of them but one turns verification off. */
function tlsOf(url: URL): boolean | Mysql2Tls | undefined {
  let tls: boolean | Mysql2Tls | undefined = url.protocol === 'mysqls:' ? true : undefined
  for (const [name, value] of url.searchParams) {
    const said = `${name}=${value}`.toLowerCase()
    if (/^(ssl|tls)=(true|1)$|^ssl-?mode=(required|verify_ca|verify_identity)$/.test(said))
      tls = true
    else if (said === 'sslaccept=strict') tls = true
    else if (/^(ssl|tls)=(false|0)$|^ssl-?mode=disabled$/.test(said)) tls = false
    else if (/^(ssl|tls)=\{/.test(said)) tls = parsed(value)
    else throw misconfigured('url has a parameter that is none of ssl, ssl-mode and sslaccept')
  }
  return tls
}

function parsed(json: string): Mysql2Tls {
  try {
    return JSON.parse(json) as Mysql2Tls
  } catch {
    throw misconfigured('ssl in url is not JSON')
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw misconfigured('url is not percent-encoded')
  }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'sql',
    adapter: 'mysql2',
    operation: 'configure',
    detail,
  })
}
