import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import type { Logger } from '../../src/core/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { Redis } from '../../src/redis/index.ts'

export const token = 'full-access-token'
export const readOnlyToken = 'read-only-token'

export interface TestGateway {
  /** `http://127.0.0.1:49152` */
  readonly url: string
  readonly port: number
  readonly gateway: Gateway
  readonly redis: Redis
  /** All that the gateway and its client have logged. */
  readonly log: readonly object[]
  /** `fetch`, with the full token unless headers say otherwise, of a path below the gateway's URL. */
  request(path: string, init?: RequestInit): Promise<Response>
  /** One request to `/redis` and the JSON that it answers. */
  run(body: unknown, path?: string, headers?: Record<string, string>): Promise<unknown>
  close(): Promise<void>
}

/** A gateway over TCP to the Redis at `url`, on a port of its own, until the last test of the file. */
export async function startGateway(
  url: string,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const redis = new Redis(ioredis({ url }), { retry: false, logger })
  const gateway = createGateway({ token, readOnlyToken, redis, logger, ...options })
  const server = createServer(getRequestListener(gateway.fetch))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const base = `http://127.0.0.1:${port}`
  let closing: Promise<void> | undefined
  const close = async () => {
    gateway.close()
    server.close()
    server.closeAllConnections()
    await redis.close()
  }
  const request: TestGateway['request'] = (path, { headers, ...init } = {}) =>
    fetch(base + path, { ...init, headers: { authorization: `Bearer ${token}`, ...headers } })
  const result: TestGateway = {
    url: base,
    port,
    gateway,
    redis,
    log,
    request,
    async run(body, path = '', headers = {}) {
      const init = { method: 'POST', body: JSON.stringify(body), headers }
      return (await request(`/redis${path}`, init)).json()
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
  afterAll(() => result.close())
  return result
}

let keys = 0
/** A key that no other test uses. */
export function freshKey(): string {
  return `gateway-test:${process.pid}:${Date.now()}:${keys++}`
}
