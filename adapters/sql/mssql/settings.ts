import { InfraError } from '../../../src/core/index.ts'
import { type Address, AddressError, parseAddress } from './address.ts'
import type { MssqlOptions, Secret } from './options.ts'

export interface Settings {
  readonly host: string
  readonly port: number | undefined
  readonly instanceName: string | undefined
  readonly database: string | undefined
  /** `db.example.com:1433/app` */
  readonly resource: string
  readonly login:
    | { readonly username: string; readonly password: Secret }
    | { readonly accessToken: Secret }
  readonly encrypt: boolean | 'strict'
  readonly trustServerCertificate: boolean
  readonly serverName: string | undefined
  readonly ca: string | readonly string[] | undefined
  readonly applicationName: string
  readonly readOnly: boolean
  readonly multiSubnetFailover: boolean
  readonly maxPoolSize: number
  readonly maxIdleMs: number
  readonly connectTimeoutMs: number
}

const texts = ['host', 'instanceName', 'database', 'username', 'applicationName'] as const
const secrets = ['password', 'accessToken'] as const
const flags = ['trustServerCertificate', 'readOnly'] as const
const limits = ['maxPoolSize', 'maxIdleMs', 'connectTimeoutMs'] as const
const known = ['url', 'port', 'encrypt', 'ca', ...texts, ...secrets, ...flags, ...limits]

/** @throws InfraError `SQL_CONFIG` */
export function settingsOf(options: MssqlOptions): Settings {
  if (Object.keys(options).some((name) => !known.includes(name))) {
    throw misconfigured(`there is no option of this name; there are ${known.join(', ')}`)
  }
  check(options)
  const address = addressOf(options)
  const given: Address = { ...address }
  for (const name of [...texts, ...flags, ...limits, 'encrypt'] as const) {
    if (options[name] !== undefined) Object.assign(given, { [name]: options[name] })
  }
  const { host = '127.0.0.1', instanceName, database } = given
  const port = options.port ?? address.port ?? (instanceName === undefined ? 1433 : undefined)
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw misconfigured('port is not from 1 to 65535')
  }
  if (port !== undefined && instanceName !== undefined) {
    throw misconfigured('an instance and a port do not go together: the port says it all')
  }
  if (!/^[^\s/\\?#@,;]+$/.test(host)) throw misconfigured('host is not a name or address')
  const place = port === undefined ? `\\${instanceName}` : `:${port}`
  const { maxPoolSize = 5, connectTimeoutMs = 5000 } = given
  if (maxPoolSize < 1) throw misconfigured('maxPoolSize is not a whole number from 1')
  if (connectTimeoutMs < 1) throw misconfigured('connectTimeoutMs is not a whole number from 1')
  return {
    host,
    port,
    instanceName,
    database,
    resource: `${host.includes(':') ? `[${host}]` : host}${place}${database ? `/${database}` : ''}`,
    login: loginOf(options, given),
    encrypt: given.encrypt ?? true,
    trustServerCertificate: given.trustServerCertificate ?? false,
    serverName: given.serverName,
    ca: options.ca,
    applicationName: given.applicationName ?? 'dualport',
    readOnly: given.readOnly ?? false,
    multiSubnetFailover: given.multiSubnetFailover ?? false,
    maxPoolSize,
    maxIdleMs: options.maxIdleMs ?? 25_000,
    connectTimeoutMs,
  }
}

function check(options: MssqlOptions): void {
  for (const name of [...texts, 'url'] as const) {
    const value = options[name]
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw misconfigured(`${name} is not a text`)
    }
  }
  for (const name of secrets) {
    const value = options[name]
    if (value !== undefined && typeof value !== 'string' && typeof value !== 'function') {
      throw misconfigured(`${name} is neither a text nor a function`)
    }
  }
  for (const name of flags) {
    const value = options[name]
    if (value !== undefined && typeof value !== 'boolean') {
      throw misconfigured(`${name} is not a boolean`)
    }
  }
  for (const name of limits) {
    const value = options[name]
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      throw misconfigured(`${name} is not a whole number from 0`)
    }
  }
  const { url, host, port, encrypt, ca } = options
  if (encrypt !== undefined && typeof encrypt !== 'boolean' && encrypt !== 'strict') {
    throw misconfigured("encrypt is neither a boolean nor 'strict'")
  }
  if (ca !== undefined && ![ca].flat().every((each) => typeof each === 'string')) {
    throw misconfigured('ca is no text, nor several')
  }
  if (url !== undefined && (host ?? port) !== undefined) {
    throw misconfigured('host and port do not go with url')
  }
}

function addressOf({ url }: MssqlOptions): Address {
  if (url === undefined) return {}
  try {
    return parseAddress(url)
  } catch (error) {
    if (error instanceof AddressError) throw misconfigured(error.message)
    throw error
  }
}

function loginOf(options: MssqlOptions, given: Address): Settings['login'] {
  const { accessToken } = options
  const { username } = given
  const password = options.password ?? given.password
  if (accessToken !== undefined) {
    if ((username ?? password) !== undefined) {
      throw misconfigured('accessToken does not go with username and password')
    }
    return { accessToken }
  }
  if ((username === undefined) !== (password === undefined)) {
    throw misconfigured('username and password go together')
  }
  if (username === undefined || password === undefined) {
    throw misconfigured('there is no login: set username and password, or accessToken')
  }
  return { username, password }
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'sql',
    adapter: 'mssql',
    operation: 'configure',
    detail,
  })
}
