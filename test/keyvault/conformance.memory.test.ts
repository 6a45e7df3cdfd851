import { memory } from '../../adapters/keyvault/memory.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { conformance } from './conformance.ts'

const create = (options: KeyVaultOptions) => new KeyVault(memory(), options)

conformance('memory', { keyvault: create({ logger: false }), create })
