import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { type EngineProcess, freePort, startProcess, until } from './process.ts'

export interface MysqlServer {
  /** `mysql://root@127.0.0.1:49152/`, without a database. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly user: string
  /** Empty: none. */
  readonly password: string
  /** It speaks MySQL's protocol, in a dialect of its own: its `JSON` is text, and it has `RETURNING`. */
  readonly isMariadb: boolean
  stop(): Promise<void>
}

/** A MariaDB of our own, which may be paused, killed and started again with its data. */
export interface MysqlProcess extends MysqlServer, EngineProcess {
  /** After `kill`: again where it was, with its data. Resolves when it answers. */
  start(): Promise<void>
}

/** The server that MYSQL_URL names, or else a MariaDB of our own. */
export async function mysqlServer(): Promise<MysqlServer> {
  const url = process.env.MYSQL_URL
  return url === undefined ? startMysql() : mysqlAt(url)
}

/** A server that runs. */
export async function mysqlAt(given: string): Promise<MysqlServer> {
  const url = new URL('/', given)
  url.search = new URL(given).search
  const version = await versionOf(url.href)
  return { ...partsOf(url), isMariadb: version.includes('MariaDB'), stop: async () => {} }
}

/** Starts MariaDB with an empty data directory and resolves when it answers. */
export async function startMysql(options: readonly string[] = []): Promise<MysqlProcess> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const url = `mysql://root@127.0.0.1:${port}/`
    const server = await startProcess(
      // Debian has it where the PATH of an ordinary user does not lead.
      existsSync('/usr/sbin/mariadbd') ? '/usr/sbin/mariadbd' : 'mariadbd',
      (directory) => [
        ...settings(directory),
        ...[`--port=${port}`, '--bind-address=127.0.0.1', `--tmpdir=${directory}`],
        ...[`--socket=${join(directory, 'socket')}`, `--pid-file=${join(directory, 'pid')}`],
        ...['--skip-log-bin', '--max-connections=300', '--max-allowed-packet=64M'],
        // As in MySQL 8.
        '--character-set-server=utf8mb4',
        // At commit it is handed to the kernel, which outlives the process.
        '--innodb-flush-log-at-trx-commit=2',
        ...options,
      ],
      install,
    )
    try {
      await answers(url, server)
      return mysqlProcess(url, server)
    } catch (error) {
      await server.stop()
      // Someone else may have taken the port between our look and MariaDB's bind.
      if (attempt === 3) throw error
    }
  }
}

/** Fills the directory with the system's tables: root has no password. */
async function install(directory: string): Promise<void> {
  const root = ['--auth-root-authentication-method=normal', '--skip-test-db']
  await promisify(execFile)('mariadb-install-db', [...settings(directory), ...root])
}

/** Small, and without waiting for the disk. MariaDB wants to be told which user to be if root starts it. */
function settings(directory: string): string[] {
  return [
    ...['--no-defaults', `--datadir=${directory}`, ...(process.getuid?.() ? [] : ['--user=mysql'])],
    ...['--skip-name-resolve', '--performance-schema=off', '--debug-no-sync'],
    ...['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M'],
  ]
}

function mysqlProcess(url: string, server: EngineProcess): MysqlProcess {
  return {
    ...partsOf(new URL(url)),
    isMariadb: true,
    get pid() {
      return server.pid
    },
    get ended() {
      return server.ended
    },
    pause: server.pause,
    resume: server.resume,
    kill: server.kill,
    start: async () => {
      await server.start()
      await answers(url, server)
    },
    stop: server.stop,
  }
}

function partsOf(url: URL) {
  return {
    url: url.href,
    host: url.hostname,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
}

function answers(url: string, server: EngineProcess): Promise<void> {
  return until(async () => (await versionOf(url)) !== '', server)
}

async function versionOf(url: string): Promise<string> {
  const connection = await createConnection({ uri: url, connectTimeout: 5_000 })
  try {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT VERSION() AS version')
    return rows[0]?.version
  } finally {
    await connection.end()
  }
}
