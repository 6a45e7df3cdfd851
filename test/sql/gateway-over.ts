import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, vi } from 'vitest'
import { gateway as overHttp } from '../../adapters/sql/gateway.ts'
import type { ClientOptions, Logger } from '../../src/core/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { Sql, type SqlDriver } from '../../src/sql/index.ts'

export const token = 'full-access-token'
export const readOnlyToken = 'read-only-token'

/** Resolves once the check passes. */
export function eventually<T>(check: () => T): Promise<T> {
  return vi.waitFor(check, { timeout: 10_000 })
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown> & { readonly error?: Record<string, unknown> }
}

export interface SqlGateway {
  /** `http://127.0.0.1:49152/sqlserver` */
  readonly url: string
  readonly gateway: Gateway
  /** The gateway's own client: another way to the same database. */
  readonly direct: Sql
  /** All that the gateway and its client have logged. */
  readonly log: readonly object[]
  /** One request, with the full token unless the init says otherwise. */
  request(path: string, body: string | object, init?: RequestInit): Promise<Response>
  /** The same, and what it answers. */
  post(path: string, body: string | object, init?: RequestInit): Promise<Answer>
  /** Over HTTP. */
  driver(): SqlDriver
  /** A client over HTTP, which the caller closes. */
  client(options?: ClientOptions): Sql
  close(): Promise<void>
}

/** A gateway over that driver, on a port of its own, until the last test of the file. */
export async function gatewayOver(
  below: SqlDriver,
  { direct, ...options }: Partial<GatewayOptions> & { direct?: Sql } = {},
): Promise<SqlGateway> {
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const sqlserver = direct ?? new Sql(below, { retry: false, logger })
  const gateway = createGateway({ token, readOnlyToken, sqlserver, logger, ...options })
  const http = createAdaptorServer({ fetch: gateway.fetch }) as Server
  await once(http.listen(0, '127.0.0.1'), 'listening')
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/sqlserver`
  let closing: Promise<void> | undefined
  const close = async () => {
    gateway.close()
    http.closeAllConnections()
    await once(http.close(), 'close')
    await sqlserver.close()
  }
  const request: SqlGateway['request'] = (path, body, init = {}) =>
    fetch(url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    })
  const driver = () => overHttp({ url, token, dialect: below.dialect })
  const result: SqlGateway = {
    url,
    gateway,
    direct: sqlserver,
    log,
    request,
    async post(path, body, init) {
      const response = await request(path, body, init)
      const { status, headers } = response
      return { status, headers, body: (await response.json()) as Answer['body'] }
    },
    driver,
    client: (options) =>
      new Sql(driver(), {
        logger: false,
        retry: false,
        ...options,
      }),
    close: () => {
      closing ??= close()
      return closing
    },
  }
  afterAll(() => result.close())
  return result
}
