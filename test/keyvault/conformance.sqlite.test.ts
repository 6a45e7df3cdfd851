import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { sqlite } from '../../adapters/keyvault/sqlite.ts'
import { KeyVault, type KeyVaultOptions } from '../../src/keyvault/index.ts'
import { conformance } from './conformance.ts'

const directory = mkdtempSync(join(tmpdir(), 'dualport-'))
afterAll(() => rmSync(directory, { recursive: true }))
const create = (options: KeyVaultOptions) =>
  new KeyVault(sqlite({ path: join(directory, crypto.randomUUID()) }), options)

conformance('sqlite', { keyvault: create({ logger: false }), create })
