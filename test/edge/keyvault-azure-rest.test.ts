import { afterAll, expect, test } from 'vitest'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { memory } from '../../adapters/keyvault/memory.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { identity, token } from '../gateway/keyvault-emulator.ts'
import { conformance } from '../keyvault/conformance.ts'
import { serveHttp } from '../keyvault/emulator.ts'
import { startWorker } from './worker.ts'

const vault = new KeyVault(memory(), { logger: false, retry: false })
afterAll(() => vault.close())
const { url } = await serveHttp(vault)

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
