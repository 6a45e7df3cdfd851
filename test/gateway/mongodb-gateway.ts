import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { MongoClient } from 'mongodb'
import { afterAll, vi } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import type { Logger } from '../../src/core/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import {
  MongoDB,
  type MongoDriver,
  type MongoOptions,
  type Page,
  type ServerCursor,
} from '../../src/mongodb/index.ts'

export const token = 'full-access-token'
export const readOnlyToken = 'read-only-token'

/** Resolves once the check passes. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 10_000 })
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The JSON as it is. */
  readonly body: Record<string, unknown>
}

export interface MongodbGateway {
  /** `http://127.0.0.1:49152/mongodb` */
  readonly url: string
  readonly gateway: Gateway
  /** Of this gateway alone; dropped in the end. */
  readonly database: string
  /** All that the gateway and its client have logged. */
  readonly log: readonly object[]
  /** Cursors that the gateway holds open at the engine. */
  readonly openCursors: ReadonlySet<unknown>
  /** Of queries and their further pages, how many were asked of the engine. */
  readonly pages: { asked: number; answered: number }
  /** A client beside the gateway, straight to the engine. */
  readonly direct: MongoClient
  /** `fetch` of an action, with the full token and a collection of that name, unless the init says otherwise. */
  request(
    action: string,
    collection: string,
    body: string | object,
    init?: RequestInit,
  ): Promise<Response>
  /** The same, and what it answers. */
  act(
    action: string,
    collection: string,
    body: object,
    headers?: Record<string, string>,
  ): Promise<Answer>
  close(): Promise<void>
}

/** A gateway over TCP to the engine at `url`, on a port of its own, until the last test of the file. */
export async function startMongodbGateway(
  url: string,
  {
    client: clientOptions,
    ...options
  }: Partial<GatewayOptions> & { client?: MongoOptions<string> } = {},
): Promise<MongodbGateway> {
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const database = `dualport-gateway-${randomUUID()}`
  const driver = mongodb({ url, database })
  const { openCursors, pages } = watch(driver)
  const client = new MongoDB(driver, {
    retry: false,
    logger,
    ...clientOptions,
  })
  const gateway = createGateway({ token, readOnlyToken, mongodb: client, logger, ...options })
  const server = createServer(getRequestListener(gateway.fetch))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const base = `http://127.0.0.1:${port}/mongodb`
  const direct = new MongoClient(url)
  let closing: Promise<void> | undefined
  const close = async () => {
    gateway.close()
    server.close()
    server.closeAllConnections()
    await client.close()
    await direct.db(database).dropDatabase()
    await direct.close()
  }
  const request: MongodbGateway['request'] = (action, collection, body, init = {}) =>
    fetch(`${base}/action/${action}`, {
      method: 'POST',
      body:
        typeof body === 'string'
          ? body
          : JSON.stringify({ dataSource: 'mongodb-atlas', database, collection, ...body }),
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/ejson',
        accept: 'application/json',
        ...(init.headers as Record<string, string>),
      },
    })
  const result: MongodbGateway = {
    url: base,
    gateway,
    database,
    log,
    openCursors,
    pages,
    direct,
    request,
    async act(action, collection, asked, headers = {}) {
      const response = await request(action, collection, asked, { headers })
      const { status } = response
      const body = (await response.json()) as Answer['body']
      return { status, headers: response.headers, body }
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
  afterAll(() => result.close())
  return result
}

function watch(driver: MongoDriver) {
  const openCursors = new Set<ServerCursor>()
  const pages = { asked: 0, answered: 0 }
  const watched = async (work: Promise<Page>): Promise<Page> => {
    pages.asked++
    const { documents, rest } = await work
    pages.answered++
    if (rest === undefined) return { documents, rest }
    const cursor: ServerCursor = {
      next(attempt) {
        openCursors.delete(cursor)
        return watched(rest.next(attempt))
      },
      async close(attempt) {
        await rest.close(attempt)
        openCursors.delete(cursor)
      },
    }
    openCursors.add(cursor)
    return { documents, rest: cursor }
  }
  const open = driver.open.bind(driver)
  driver.open = (operation, attempt) => watched(open(operation, attempt))
  return { openCursors, pages }
}
