import type { KeyVaultCapabilities } from '../keyvault/index.ts'
import { backups, deletion } from './keyvault/deletion.ts'
import { type KeyVaultFixture, type KeyVaultTarget, setUp, tearDown } from './keyvault/fixture.ts'
import { cancellation, health, lifecycle } from './keyvault/lifecycle.ts'
import { lists } from './keyvault/lists.ts'
import { secrecy } from './keyvault/secrecy.ts'
import { attributes, secrets, tags, versions } from './keyvault/secrets.ts'
import { several } from './keyvault/several.ts'
import { telemetry } from './keyvault/telemetry.ts'
import { validation } from './keyvault/validation.ts'
import { validity } from './keyvault/validity.ts'
import { about, type Suite } from './suite.ts'

/** What every Key Vault adapter must do, whatever vault is behind it. */
export const keyVaultSuite: Suite<KeyVaultTarget, KeyVaultFixture, KeyVaultCapabilities> = {
  name: 'keyvault',
  capabilities: ({ keyvault }) => keyvault.capabilities,
  setUp,
  tearDown,
  cases: [
    ...about('secrets', secrets),
    ...about('versions', versions),
    ...about('attributes', attributes),
    ...about('tags', tags),
    ...about('lists', lists),
    ...about('deletion', deletion),
    ...about('backups', backups),
    ...about('validity', validity),
    ...about('several', several),
    ...about('validation', validation),
    ...about('cancellation', cancellation),
    ...about('health', health),
    ...about('lifecycle', lifecycle),
    ...about('telemetry', telemetry),
    ...about('secrecy', secrecy),
  ],
}
