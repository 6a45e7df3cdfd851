import { azureSdk } from '../../adapters/keyvault/azure-sdk.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { startEmulator } from '../gateway/keyvault-emulator.ts'
import { conformance } from './conformance.ts'

const { sdk } = await startEmulator()
const client = sdk()
const create = (options: KeyVaultOptions) => new KeyVault(azureSdk({ client }), options)

conformance('@azure/keyvault-secrets and the emulator', {
  keyvault: create({ logger: false }),
  create,
})
