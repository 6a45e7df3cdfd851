import { DriverFailure, detachedAttempt } from '../../../src/core/index.ts'
import { isWorkerd } from '../../../src/core/runtime.ts'
import { explain, unconnected } from './failures.ts'
import type { Library, NativeConnection } from './library.ts'
import { type Kill, Session } from './session.ts'
import type { Settings } from './settings.ts'

/** Modes of which one reads a text in another way than MySQL's own, and those that imply it. */
const foreignModes =
  'ANSI_QUOTES NO_BACKSLASH_ESCAPES ANSI DB2 MAXDB MSSQL ORACLE POSTGRESQL'.split(' ')
const sqlMode = foreignModes.reduce(
  (text, mode) => `REPLACE(${text}, ',${mode},', ',')`,
  `CONCAT(',', @@sql_mode, ',STRICT_TRANS_TABLES,')`,
)

/** What every session must have, whatever the server's defaults are. One round trip. */
const setUp = [
  'SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci',
  "time_zone = '+00:00'",
  'autocommit = 1',
  `sql_mode = TRIM(BOTH ',' FROM ${sqlMode})`,
].join(', ')

/** Makes connections. */
export class Connector {
  readonly #settings: Settings
  #loading: Promise<Library> | undefined
  /** What the password function said last. */
  #answer: string | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Memoised, but not its failure: what is installed meanwhile is found. */
  library(): Promise<Library> {
    if (this.#loading === undefined) {
      const loading = load()
      this.#loading = loading
      loading.catch(() => {
        this.#loading = undefined
      })
    }
    return this.#loading
  }

  /** @throws DriverFailure, `not-applied` */
  open(kill?: Kill): Promise<Session> {
    return this.#connect(async (native) => {
      const { connectTimeoutMs, maxPreparedStatements } = this.#settings
      const session = new Session(native, kill, maxPreparedStatements)
      await session.query(setUp, detachedAttempt('CONNECT', connectTimeoutMs))
      return session
    })
  }

  /** A connection for whoever asked for the library itself. */
  openNative(): Promise<NativeConnection> {
    return this.#connect((native) => {
      return new Promise((resolve, reject) => {
        native.once('error', reject)
        native.query(setUp, (error) => {
          native.off('error', reject)
          if (error === null) resolve(native)
          else reject(error)
        })
      })
    })
  }

  async #connect<T>(use: (native: NativeConnection) => Promise<T>): Promise<T> {
    try {
      const library = await this.library()
      const { password } = this.#settings
      if (typeof password === 'string') return await this.#bounded(library, password, use)
      const known = this.#answer
      try {
        return await this.#bounded(library, known ?? (await this.#ask(password)), use)
      } catch (error) {
        if (explain(error).kind !== 'unauthenticated') throw error
        // It may have been replaced since.
        this.#answer = undefined
        if (known === undefined) throw error
        return await this.#bounded(library, await this.#ask(password), use)
      }
    } catch (error) {
      throw unconnected(error)
    }
  }

  async #ask(password: () => string | Promise<string>): Promise<string> {
    try {
      this.#answer = await password()
      return this.#answer
    } catch (cause) {
      throw new DriverFailure(
        { kind: 'unavailable', detail: 'the password function failed' },
        { cause },
      )
    }
  }

  async #bounded<T>(
    library: Library,
    password: string,
    use: (native: NativeConnection) => Promise<T>,
  ): Promise<T> {
    const native = library.createConnection(await this.#options(password))
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const detail = 'the server did not answer in time'
      timer = setTimeout(
        () => reject(new DriverFailure({ kind: 'unavailable', detail })),
        this.#settings.connectTimeoutMs,
      )
    })
    try {
      return await Promise.race([use(native), late])
    } catch (error) {
      native.on('error', () => {})
      native.destroy()
      native.stream.destroy()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async #options(password: string): Promise<object> {
    const { host, port, database, username, ssl, servername, maxPreparedStatements } =
      this.#settings
    const options = {
      host,
      port,
      user: username,
      password,
      ...(database !== '' && { database }),
      ...(ssl !== undefined && { ssl }),
      connectTimeout: 0,
      // A function would be a hole in the server's protocol; names of functions stay free for columns.
      flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
      rowsAsArray: true,
      supportBigNumbers: true,
      dateStrings: true,
      jsonStrings: true,
      timezone: 'Z',
      disableEval: isWorkerd,
      // The session keeps them, and closes them in time.
      maxPreparedStatements: maxPreparedStatements + 1,
    }
    if (servername === undefined) return options
    const { connect } = await import('node:net')
    const stream = () => connect({ host, port, keepAlive: true, noDelay: true })
    return { ...options, host: servername, stream }
  }
}

async function load(): Promise<Library> {
  try {
    const module = (await import('mysql2')) as unknown as Library & { readonly default?: Library }
    return module.default ?? module
  } catch (cause) {
    throw new DriverFailure(explain(cause), { cause })
  }
}
