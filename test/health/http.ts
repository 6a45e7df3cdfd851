import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll } from 'vitest'

/** Serves over HTTP for one test file; gives the URL. */
export async function serveHttp(
  fetch: (request: Request) => Response | Promise<Response>,
): Promise<string> {
  const server = createAdaptorServer({ fetch }) as Server
  await once(server.listen(0, '127.0.0.1'), 'listening')
  afterAll(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
