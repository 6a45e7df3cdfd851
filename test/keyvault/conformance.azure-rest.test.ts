import { azureRest, clientSecret } from '../../adapters/keyvault/azure-rest.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { identity, startEmulator } from '../gateway/keyvault-emulator.ts'
import { conformance } from './conformance.ts'

const { url } = await startEmulator()
const credential = clientSecret({ ...identity, authorityHost: url })
const create = (options: KeyVaultOptions) =>
  new KeyVault(azureRest({ url, credential, verifyChallenge: false }), options)

conformance('azure-rest and the emulator', { keyvault: create({ logger: false }), create })
