/** What a URL or a connection string says. Pure: it knows no defaults. */
export interface Address {
  host?: string
  port?: number
  instanceName?: string
  database?: string
  username?: string
  password?: string
  encrypt?: boolean | 'strict'
  trustServerCertificate?: boolean
  /** The name that the certificate is to have, where it is not the host's. */
  serverName?: string
  applicationName?: string
  readOnly?: boolean
  multiSubnetFailover?: boolean
  maxPoolSize?: number
  connectTimeoutMs?: number
}

/** What is wrong with it. The message holds nothing of it: who knows what stands where a password should. */
export class AddressError extends Error {}

/**
 * Reads every form that drivers of SQL Server take:
 * https://learn.microsoft.com/sql/connect/jdbc/building-the-connection-url
 * https://learn.microsoft.com/dotnet/api/microsoft.data.sqlclient.sqlconnection.connectionstring
 * @throws AddressError
 */
export function parseAddress(text: string): Address {
  const url = /^(?:jdbc:)?(?:mssql|sqlserver):\/\/(.*)$/is.exec(text)?.[1]
  if (url === undefined) {
    if (!text.includes('=')) {
      throw new AddressError('url is no mssql:// or sqlserver:// and no connection string')
    }
    return settled(pairs(text, '"'))
  }
  // A password in a URL has its semicolons percent-encoded; a form with properties has no user before an @.
  const at = /^([^;/?#@]*)(?:;(.*))?$/s.exec(url)
  return at === null ? parseUrl(url) : parseJdbc(at[1] as string, at[2] ?? '')
}

function parseUrl(rest: string): Address {
  const parts =
    /^(?:([^/?#]*)@)?([^/?#@;]*)(?:\/([^?#/]*))?(?:\/([^?#/]*))?\/?(?:\?([^#]*))?$/.exec(rest)
  if (parts === null) throw new AddressError('url is not mssql://user:password@host:1433/database')
  const [, credentials, server = '', first = '', second = '', query = ''] = parts
  const properties = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) add(properties, name, value)
  const address = settled(properties)
  if (credentials !== undefined) {
    const [username = '', ...password] = credentials.split(':')
    address.username = decoded(username)
    if (password.length > 0) address.password = decoded(password.join(':'))
  }
  // `host/instance/database`, as the mssql package has it.
  const database = decoded(second || first)
  if (second !== '') address.instanceName = decoded(first)
  if (database !== '') address.database = database
  return Object.assign(address, serverOf(decoded(server)))
}

function parseJdbc(server: string, properties: string): Address {
  const address = settled(pairs(properties, '{'))
  if (server !== '') Object.assign(address, serverOf(server))
  return address
}

/** `name=value;`; a value with a semicolon stands in braces (JDBC), or in quotes (ADO.NET), doubled within. */
function pairs(text: string, quote: '{' | '"'): Map<string, string> {
  const value =
    quote === '{' ? /\{((?:[^}]|\}\})*)\}|([^;]*)/y : /"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^;]*)/y
  const name = /[\s;]*([^=;]+?)\s*=\s*/y
  const end = /\s*(?:;|$)/y
  const found = new Map<string, string>()
  let at = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) throw new AddressError('url is not a list of name=value;')
    at = pattern.lastIndex
    return match
  }
  while (/[^\s;]/.test(text.slice(at))) {
    const key = take(name)[1] as string
    const [whole, ...groups] = take(value)
    const read = groups.find((group) => group !== undefined) ?? ''
    const mark = whole[0] === '{' ? '}' : whole[0]
    const isQuoted = groups.at(-1) === undefined
    take(end)
    add(found, key, isQuoted ? read.replaceAll(`${mark}${mark}`, mark as string) : read.trim())
  }
  return found
}

function add(properties: Map<string, string>, name: string, value: string): void {
  const key = name.toLowerCase().replace(/[\s_]/g, '')
  if (properties.has(key)) throw new AddressError('url says the same thing twice')
  properties.set(key, value)
}

/** `tcp:host\instance,1433`, `host:1433`, `[::1]:1433`. */
function serverOf(text: string): Pick<Address, 'host' | 'port' | 'instanceName'> {
  const parts =
    /^(?:tcp:)?(?:\[([\da-f:.%]+)\]|([^\s\\,:/[\]]+)|([\da-f]*:[\da-f:.%]*:[\da-f.%]*))(?:\\([^\\,:]+))?(?:\s*[,:]\s*(\d{1,5}))?$/i.exec(
      text.trim(),
    )
  if (parts === null) throw new AddressError('the server in url is not tcp:host,1433 or the like')
  const [, bracketed, name, address, instanceName, port] = parts
  const host = (bracketed ?? name ?? address) as string
  const server: Pick<Address, 'host' | 'port' | 'instanceName'> = {
    host: host === '.' || host.toLowerCase() === '(local)' ? 'localhost' : host,
  }
  if (port !== undefined) server.port = Number(port)
  // The port says more than the instance.
  else if (instanceName !== undefined) server.instanceName = instanceName
  return server
}

type Setter = (address: Address, value: string) => void

const readers: readonly (readonly [names: string, set: Setter])[] = [
  [
    'server servername datasource address addr networkaddress',
    (address, value) => Object.assign(address, serverOf(value)),
  ],
  [
    'port portnumber',
    (address, value) => {
      address.port = whole(value)
      delete address.instanceName
    },
  ],
  [
    'instance instancename',
    (address, value) => {
      address.instanceName = value
    },
  ],
  [
    'database databasename initialcatalog',
    (address, value) => {
      address.database = value
    },
  ],
  [
    'userid uid user username',
    (address, value) => {
      address.username = value
    },
  ],
  [
    'password pwd',
    (address, value) => {
      address.password = value
    },
  ],
  [
    'encrypt',
    (address, value) => {
      address.encrypt = /^strict$/i.test(value)
        ? 'strict'
        : yes(value.replace(/^mandatory$/i, 'true').replace(/^optional$/i, 'false'))
    },
  ],
  [
    'trustservercertificate',
    (address, value) => {
      address.trustServerCertificate = yes(value)
    },
  ],
  [
    'hostnameincertificate',
    (address, value) => {
      address.serverName = value
    },
  ],
  [
    'applicationname app',
    (address, value) => {
      address.applicationName = value
    },
  ],
  [
    'applicationintent',
    (address, value) => {
      if (!/^read(only|write)$/i.test(value)) {
        throw new AddressError('ApplicationIntent in url is neither ReadOnly nor ReadWrite')
      }
      address.readOnly = /only$/i.test(value)
    },
  ],
  [
    'multisubnetfailover',
    (address, value) => {
      address.multiSubnetFailover = yes(value)
    },
  ],
  [
    'maxpoolsize',
    (address, value) => {
      address.maxPoolSize = whole(value)
    },
  ],
  [
    'connecttimeout connectiontimeout logintimeout timeout',
    (address, value) => {
      address.connectTimeoutMs = whole(value) * 1000
    },
  ],
  [
    'authentication',
    (_, value) => {
      if (/^(sqlpassword|notspecified|)$/i.test(value.replaceAll(' ', ''))) return
      throw new AddressError(
        'Authentication in url is not SqlPassword: for a token, set accessToken',
      )
    },
  ],
  [
    'integratedsecurity trustedconnection',
    (_, value) => {
      if (/^(false|no|)$/i.test(value)) return
      throw new AddressError('url asks for integrated security, which there is not')
    },
  ],
]

const settable = new Map(
  readers.flatMap(([names, set]) => names.split(' ').map((name) => [name, set])),
)
/** Of other drivers, whose affair they are: these have no meaning here, and do no harm. */
const ignored = new Set(
  `persistsecurityinfo minpoolsize pooling multipleactiveresultsets mars connectretrycount connectretryinterval
  connectionretrycount typesystemversion loadbalancetimeout connectionlifetime enlist packetsize workstationid wsid
  currentlanguage language commandtimeout asynchronousprocessing ipaddresspreference poolblockingperiod
  connectionreset replication userinstance contextconnection transactionbinding`.split(/\s+/),
)

function settled(properties: ReadonlyMap<string, string>): Address {
  const address: Address = {}
  for (const [name, value] of properties) {
    const set = settable.get(name)
    if (set !== undefined) set(address, value)
    else if (!ignored.has(name)) throw new AddressError('url has a setting that is not known')
  }
  return address
}

function yes(value: string): boolean {
  if (/^(true|yes|1)$/i.test(value)) return true
  if (/^(false|no|0)$/i.test(value)) return false
  throw new AddressError('a setting in url is neither true nor false')
}

function whole(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new AddressError('a setting in url is not a whole number')
  return Number(value)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AddressError('url is not percent-encoded')
  }
}
