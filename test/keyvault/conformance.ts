import { afterAll, describe, expect, test } from 'vitest'
import { type KeyVaultTarget, keyVaultSuite, runSuite } from '../../src/testing/index.ts'
import { skipped } from '../engines/index.ts'

/**
 * Every case of the suite as a test of its own. `elsewhere` runs the case of that name in another runtime,
 * against the same adapter.
 */
export function conformance(
  over: string,
  target: KeyVaultTarget,
  elsewhere?: (name: string) => Promise<void>,
): void {
  describe(`Key Vault over ${over}`, () => {
    afterAll(() => target.keyvault.close())
    runSuite(keyVaultSuite, {
      target,
      test: (name, run) => test(name, elsewhere === undefined ? run : () => elsewhere(name)),
      skip: (name, reason) => test(name, skipped(reason), () => {}),
    })

    test('nothing of the suite is left in the vault', async () => {
      const { keyvault } = target
      const left: string[] = []
      for await (const { name } of keyvault.listSecrets()) left.push(name)
      for await (const { name } of keyvault.listDeletedSecrets()) left.push(name)
      expect(left.filter((name) => name.startsWith('dualport-test'))).toEqual([])
    })
  })
}
