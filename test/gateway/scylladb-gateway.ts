import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'
import { type GatewayOptions as AdapterOptions, gateway } from '../../adapters/scylladb/gateway.ts'
import type { Attempt, Logger } from '../../src/core/index.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { ScyllaDB, type ScyllaOptions } from '../../src/scylladb/index.ts'
import { readOnlyToken, token } from './scylladb-scripted.ts'

interface Engine {
  readonly hosts: readonly string[]
  readonly localDataCenter: string
}

export interface ScylladbGateway {
  /** `http://127.0.0.1:49152/scylladb` */
  readonly url: string
  readonly port: number
  /** Straight to the engine, as the gateway's own client is. */
  readonly direct: ScyllaDB
  /** What has been asked of the engine through the gateway. */
  readonly attempts: readonly Attempt[]
  /** All that the gateway and its client have logged. */
  readonly log: readonly object[]
  /** A client over HTTP, with the full token unless the options say otherwise. */
  open(options?: Partial<AdapterOptions>, clientOptions?: ScyllaOptions): ScyllaDB
}

/** A gateway over TCP to the engine, on a port of its own, until the last test of the file. */
export async function startScylladbGateway(
  { hosts, localDataCenter }: Engine,
  keyspace: string | undefined,
  { client: clientOptions, ...options }: Partial<GatewayOptions> & { client?: ScyllaOptions } = {},
): Promise<ScylladbGateway> {
  const log: object[] = []
  const write = (record: object) => void log.push(record)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const driver = cassandraDriver({ hosts, localDataCenter, keyspace })
  const attempts: Attempt[] = []
  const execute = driver.execute.bind(driver)
  driver.execute = (request, attempt) => {
    attempts.push(attempt)
    return execute(request, attempt)
  }
  const quiet = { retry: false, breaker: false, drainTimeoutMs: 1000 } as const
  const client = new ScyllaDB(driver, { ...quiet, logger, ...clientOptions })
  const direct = new ScyllaDB(cassandraDriver({ hosts, localDataCenter, keyspace }), {
    ...quiet,
    logger: false,
  })
  const served = createGateway({ token, readOnlyToken, scylladb: client, logger, ...options })
  const server = createServer(getRequestListener(served.fetch))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/scylladb`
  const clients: ScyllaDB[] = [client, direct]
  afterAll(async () => {
    served.close()
    server.close()
    server.closeAllConnections()
    await Promise.all(clients.map((each) => each.close()))
  })
  return {
    url,
    port,
    direct,
    attempts,
    log,
    open(adapter, clientOptions) {
      const http = gateway({ url, token, ...adapter })
      const opened = new ScyllaDB(http, { ...quiet, logger: false, ...clientOptions })
      clients.push(opened)
      return opened
    },
  }
}
