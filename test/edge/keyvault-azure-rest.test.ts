import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll, expect, test } from 'vitest'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { memory } from '../../adapters/keyvault/memory.ts'
import { createKeyVaultEmulator } from '../../src/gateway/index.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { identity } from '../gateway/keyvault-emulator.ts'
import { conformance } from '../keyvault/conformance.ts'
import { startWorker } from './worker.ts'

const token = 'token-of-the-tests'
const vault = new KeyVault(memory(), { logger: false, retry: false })
// workerd knows no certificate of ours, so over http.
const emulator = createKeyVaultEmulator({ keyvault: vault, token, ...identity, allowHttp: true })
const server = createServer(getRequestListener(emulator.fetch))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
afterAll(async () => {
  server.closeAllConnections()
  await once(server.close(), 'close')
  await vault.close()
})
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keyvault`

const worker = await startWorker(new URL('./keyvault-suite.worker.ts', import.meta.url), {
  KEYVAULT_URL: url,
  AZURE_TENANT_ID: identity.tenantId,
  AZURE_CLIENT_ID: identity.clientId,
  AZURE_CLIENT_SECRET: identity.clientSecret,
})

const create = (options: KeyVaultOptions) => {
  const credential = () => token
  return new KeyVault(
    azureRest({ url, credential, allowHttp: true, verifyChallenge: false }),
    options,
  )
}

conformance(
  'azure-rest inside workerd',
  { keyvault: create({ logger: false }), create },
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)

test('200 requests share a module-level client and its token', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `load-${i}`)
  const replies = await Promise.all(
    names.map(async (name) => {
      const response = await fetch(new URL(`/load?name=${name}`, worker.url))
      return (await response.json()) as string[]
    }),
  )
  expect(replies).toEqual(names.map((name) => [`value of ${name}`, `value of ${name}`]))
})
