import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { engine } from '../engines/index.ts'
import { ownKeyspace } from '../engines/own.ts'

/** A gateway over the shared engine for one test file, and a keyspace of its own; `missing` says why there is none. */
export async function gatewayOverScylladb(): Promise<{
  readonly url: string
  readonly token: string
  readonly keyspace: string
  readonly missing?: string
}> {
  const server = await engine('cassandra')
  const token = 'token-of-the-tests'
  const keyspace = await ownKeyspace(server)
  if (server.missing !== undefined) return { url: '', token, keyspace, missing: server.missing }
  const { hosts, localDataCenter } = server
  const options = { logger: false, retry: false } as const
  const client = new ScyllaDB(cassandraDriver({ hosts, localDataCenter, keyspace }), options)
  const gateway = createGateway({ token, scylladb: client, logger: false })
  const http = createServer(getRequestListener(gateway.fetch))
  await once(http.listen(0, '127.0.0.1'), 'listening')
  afterAll(async () => {
    gateway.close()
    http.closeAllConnections()
    await once(http.close(), 'close')
    await client.close()
  })
  const { port } = http.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/scylladb`, token, keyspace }
}
