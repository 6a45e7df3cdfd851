import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { memory } from '../../adapters/keyvault/memory.ts'
import { createKeyVaultEmulator, serveKeyVault } from '../../src/gateway/index.ts'
import { KeyVault } from '../../src/keyvault/index.ts'
import { type Figure, inTurns } from './figure.ts'
import { build } from './import.ts'

const run = promisify(execFile)

const identity = {
  tenantId: '11111111-2222-3333-4444-555555555555',
  clientId: '66666666-7777-8888-9999-000000000000',
  clientSecret: 'secret-of-the-benchmarks',
}

export const figures: Figure[] = [
  {
    name: 'keyvault.start',
    bare: 'azure-sdk',
    unit: 'ms',
    comparison: 'ratio',
    target: 3,
    async measure() {
      build()
      const keyvault = new KeyVault(memory())
      await keyvault.setSecret('secret', 'v'.repeat(100))
      const emulator = createKeyVaultEmulator({ keyvault, ...identity })
      const server = await serveKeyVault({ emulator, port: 0 })
      const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
      const certificate = join(directory, 'vault.pem')
      await writeFile(certificate, server.certificate)
      try {
        return await inTurns(
          15,
          () => firstSecret(azureRest(server.url), certificate),
          () => firstSecret(azureSdk(server.url), certificate),
        )
      } finally {
        await server.close()
        await keyvault.close()
        await rm(directory, { recursive: true })
      }
    },
  },
]

/** Milliseconds that a fresh process takes from its first import to the value of a secret. */
async function firstSecret(connect: string, certificate: string): Promise<number> {
  const program = `
    const started = performance.now()
    const { KeyVault } = await import('dualport/keyvault')
    ${connect}
    const secret = await keyvault.getSecret('secret')
    const elapsed = performance.now() - started
    if (secret.reveal().length !== 100) throw new Error('it is another')
    console.log(elapsed)
    await keyvault.close()
  `
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
  })
  return Number(stdout)
}

function azureRest(url: string): string {
  return `
    const { azureRest, clientSecret } = await import('dualport/keyvault/azure-rest')
    const credential = clientSecret(${JSON.stringify({ ...identity, authorityHost: url })})
    const keyvault = new KeyVault(azureRest({ url: '${url}', credential, verifyChallenge: false }))
  `
}

function azureSdk(url: string): string {
  const { tenantId, clientId, clientSecret } = identity
  return `
    const { ClientSecretCredential } = await import('@azure/identity')
    const { azureSdk } = await import('dualport/keyvault/azure-sdk')
    const credential = new ClientSecretCredential('${tenantId}', '${clientId}', '${clientSecret}', {
      authorityHost: '${url}',
      // It would ask Microsoft whether this is one of its hosts.
      disableInstanceDiscovery: true,
    })
    const clientOptions = { disableChallengeResourceVerification: true }
    const keyvault = new KeyVault(azureSdk({ url: '${url}', credential, clientOptions }))
  `
}
