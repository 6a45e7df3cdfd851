import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { createKeyVaultEmulator } from '../../src/gateway/index.ts'
import type { KeyVault } from '../../src/keyvault/index.ts'
import { identity, token } from '../gateway/keyvault-emulator.ts'

/** An emulator over http, for workerd, which knows no certificate of ours. Until the last test of the file. */
export async function serveHttp(keyvault: KeyVault): Promise<{ readonly url: string }> {
  const emulator = createKeyVaultEmulator({ keyvault, token, ...identity, allowHttp: true })
  const server = createServer(getRequestListener(emulator.fetch))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keyvault` }
}
