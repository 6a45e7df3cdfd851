import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { engine } from '../engines/index.ts'
import { ownDatabase } from './database.ts'

/** A gateway over the shared engine for one test file, and a database of its own; `missing` says why there is none. */
export async function gatewayOverMongodb(): Promise<{
  readonly url: string
  readonly token: string
  readonly database: string
  readonly isFerretdb?: boolean
  readonly missing?: string
}> {
  const server = await engine('mongodb')
  const token = 'token-of-the-tests'
  const database = ownDatabase(server)
  if (server.missing !== undefined) return { url: '', token, database, missing: server.missing }
  const options = { logger: false, retry: false } as const
  const client = new MongoDB(mongodb({ url: server.url, database }), options)
  const gateway = createGateway({ token, mongodb: client, logger: false })
  const http = createServer(getRequestListener(gateway.fetch))
  await once(http.listen(0, '127.0.0.1'), 'listening')
  afterAll(async () => {
    gateway.close()
    http.closeAllConnections()
    await once(http.close(), 'close')
    await client.close()
  })
  const { port } = http.address() as AddressInfo
  const { isFerretdb } = server
  return { url: `http://127.0.0.1:${port}/mongodb`, token, database, isFerretdb }
}
