import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { type Config, type Connection, connect } from '@planetscale/database'
import { createConnection, type Connection as Direct, type RowDataPacket } from 'mysql2/promise'
import { afterAll, vi } from 'vitest'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import type { Logger } from '../../src/core/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { Sql } from '../../src/sql/index.ts'

export const token = 'full-access-token'
export const readOnlyToken = 'read-only-token'

/** Resolves once the check passes. What MariaDB says of its transactions is only renewed after a pause of 100 ms. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 10_000, interval: 120 })
}

export interface MysqlGateway {
  /** `http://127.0.0.1:49152` */
  readonly url: string
  readonly gateway: Gateway
  /** The gateway's own client. */
  readonly sql: Sql
  /** A connection beside the gateway, straight to the engine. */
  readonly direct: Direct
  /** All that the gateway and its client have logged. */
  readonly log: readonly object[]
  /** A connection of PlanetScale's own client, with the full token unless the config says otherwise. */
  sdk(config?: Config): Connection
  /** A request of the protocol. */
  post(
    body: unknown,
    init?: { path?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>
  /** What the engine runs for the gateway at this moment, but for nothing. */
  running(): Promise<string[]>
  /** Transactions that the engine has open. */
  transactions(): Promise<number>
  close(): Promise<void>
}

/** A gateway over TCP to the database at `url`, on a port of its own, until the last test of the file. */
export async function startMysqlGateway(
  url: string,
  options: Partial<GatewayOptions> = {},
): Promise<MysqlGateway> {
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const mysql = new Sql(mysql2({ url, maxPoolSize: 10 }), { retry: false, logger })
  const gateway = createGateway({ token, readOnlyToken, mysql, logger, ...options })
  const server = createAdaptorServer({ fetch: gateway.fetch }) as Server
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const base = `http://127.0.0.1:${port}`
  const direct = await createConnection({ uri: url, rowsAsArray: true })
  let closing: Promise<void> | undefined
  const close = async () => {
    gateway.close()
    server.closeAllConnections()
    await once(server.close(), 'close')
    await mysql.close()
    await direct.end()
  }
  const result: MysqlGateway = {
    url: base,
    gateway,
    sql: mysql,
    direct,
    log,
    sdk: (config) => connect({ url: `http://app:${token}@127.0.0.1:${port}`, ...config }),
    post: (body, { path = '/psdb.v1alpha1.Database/Execute', headers, ...init } = {}) =>
      fetch(base + path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
        headers: { authorization: `Bearer ${token}`, ...headers },
      }),
    async running() {
      const [rows] = await direct.query<RowDataPacket[][]>(
        "select info from information_schema.processlist where db = database() and command <> 'Sleep' and id <> connection_id()",
      )
      return rows.map((row) => String(row[0]))
    },
    async transactions() {
      const [rows] = await direct.query<RowDataPacket[][]>(
        'select count(*) from information_schema.innodb_trx t join information_schema.processlist p on p.id = t.trx_mysql_thread_id where p.db = database()',
      )
      return Number(rows[0]?.[0])
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
  afterAll(() => result.close())
  return result
}
