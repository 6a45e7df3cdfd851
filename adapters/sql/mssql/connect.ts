import type { Connection, ConnectionConfiguration } from 'tedious'
import { DriverFailure } from '../../../src/core/index.ts'
import { explain } from './failures.ts'
import { load } from './library.ts'
import { Link } from './link.ts'
import type { Secret } from './options.ts'
import type { Settings } from './settings.ts'

/** What tedious waits for beyond its own limit, when its server falls silent in the middle of the login. */
const graceMs = 100

/** @throws DriverFailure */
export async function connect(settings: Settings): Promise<Link> {
  const library = await load()
  const config = await configOf(settings)
  let connection: Connection
  try {
    connection = new library.Connection(config)
  } catch (cause) {
    const detail = 'the driver refused its options'
    throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
  }
  // Its requests say the same, and an error without a listener ends the process.
  connection.on('error', () => {})
  try {
    await established(connection, settings.connectTimeoutMs + graceMs)
  } catch (error) {
    connection.close()
    throw new DriverFailure({ ...explain(error), outcome: 'not-applied' }, { cause: error })
  }
  return new Link(connection, library)
}

function established(connection: Connection, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Of a login that is refused, the error that tedious makes lacks the number. The first is the reason.
    let refusal: unknown
    const onMessage = (message: unknown) => {
      refusal ??= message
    }
    const settle = (error?: unknown) => {
      clearTimeout(timer)
      connection.removeListener('errorMessage', onMessage)
      if (error) reject(refusal ?? error)
      else resolve()
    }
    const lost = () => settle({ code: 'ESOCKET' })
    const timer = setTimeout(() => settle({ code: 'ETIMEOUT' }), timeoutMs)
    connection.on('errorMessage', onMessage)
    connection.once('connect', settle)
    connection.once('error', settle)
    connection.once('end', lost)
    connection.connect()
  })
}

async function configOf(settings: Settings): Promise<ConnectionConfiguration> {
  const { host, port, instanceName, database, serverName, ca, login } = settings
  const authentication =
    'accessToken' in login
      ? {
          type: 'azure-active-directory-access-token' as const,
          options: { token: await ask(login.accessToken) },
        }
      : {
          type: 'default' as const,
          options: { userName: login.username, password: await ask(login.password) },
        }
  return {
    server: host,
    authentication,
    options: {
      ...(port !== undefined && { port }),
      ...(instanceName !== undefined && { instanceName }),
      ...(database !== undefined && { database }),
      ...(serverName !== undefined && { serverName }),
      ...(ca !== undefined && { cryptoCredentialsDetails: { ca: [ca].flat() } }),
      encrypt: settings.encrypt,
      trustServerCertificate: settings.trustServerCertificate,
      appName: settings.applicationName,
      readOnlyIntent: settings.readOnly,
      multiSubnetFailover: settings.multiSubnetFailover,
      connectTimeout: settings.connectTimeoutMs,
      // The deadline, what may be tried again and how long a cancelled request may take are not its affair.
      requestTimeout: 0,
      maxRetriesOnTransientErrors: 0,
      cancelTimeout: 0,
      useUTC: true,
      lowerCaseGuids: true,
      tdsVersion: '7_4',
    },
  }
}

async function ask(secret: Secret): Promise<string> {
  if (typeof secret === 'string') return secret
  try {
    return await secret()
  } catch (cause) {
    const detail = 'the function for the password or the token failed'
    throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
  }
}

/** A pool of mssql's own. */
export async function connectionPool(settings: Settings): Promise<{ close(): Promise<unknown> }> {
  let library: typeof import('mssql').default
  try {
    library = (await import('mssql')).default
  } catch (cause) {
    const detail = 'mssql is not installed; run: npm install mssql'
    throw new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
  }
  const { server, options, authentication } = await configOf(settings)
  const { maxPoolSize: max, maxIdleMs: idleTimeoutMillis, port } = settings
  const config = { server, port, options, authentication, pool: { max, idleTimeoutMillis } }
  return new library.ConnectionPool(config).connect()
}
