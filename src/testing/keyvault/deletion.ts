import { equal, ok, rejects, until } from '../assert.ts'
import { all, type KeyVaultCase, missing, onceFree, taken } from './fixture.ts'

export const deletion: readonly KeyVaultCase[] = [
  {
    name: 'a deleted secret is gone, with all its versions',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one')
      await keyvault.setSecret(name(), 'two')
      await keyvault.deleteSecret(name())
      await rejects(keyvault.getSecret(name()), missing, 'the latest')
      await rejects(keyvault.getSecret(name(), { version }), missing, 'the first')
      await rejects(keyvault.updateSecret(name(), { enabled: true }), missing, 'updateSecret')
      await rejects(keyvault.backupSecret(name()), missing, 'backupSecret')
    },
  },
  {
    name: 'a deletion says what was deleted, and when it is over',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'a-value-of-the-tests', { tags: { a: 'b' } })
      const deleted = await keyvault.deleteSecret(name())
      const found = await keyvault.getDeletedSecret(name())
      for (const each of [deleted, found]) {
        equal([each.name, each.tags, each.enabled], [name(), { a: 'b' }, true])
        ok(Number(each.scheduledPurgeOn) > Number(each.deletedOn), 'the purge is not after it')
        ok(!JSON.stringify(each).includes('a-value-of-the-tests'), 'it shows the value')
      }
    },
  },
  {
    name: 'the name of a deleted secret is taken: KEYVAULT_CONFLICT',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await keyvault.deleteSecret(name())
      const error = await rejects(keyvault.setSecret(name(), 'two'), taken)
      equal(error.code, 'KEYVAULT_CONFLICT')
      equal(error.message, 'keyvault setSecret: a deleted secret has the name; recover or purge it')
    },
  },
  {
    name: 'a recovered secret has its versions and properties',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one', { tags: { a: 'b' } })
      await keyvault.setSecret(name(), 'two', { contentType: 'text/plain' })
      await keyvault.deleteSecret(name())
      const recovered = await keyvault.recoverSecret(name())
      equal(recovered.name, name())
      const latest = await keyvault.getSecret(name())
      equal([latest.reveal(), latest.contentType], ['two', 'text/plain'])
      const first = await keyvault.getSecret(name(), { version })
      equal([first.reveal(), first.tags], ['one', { a: 'b' }])
      await rejects(keyvault.getDeletedSecret(name()), missing)
      await keyvault.setSecret(name(), 'three')
    },
  },
  {
    name: 'a purged secret is gone for good, and its name is free',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await keyvault.deleteSecret(name())
      equal(await keyvault.purgeSecret(name()), undefined)
      const { version } = await onceFree(() => keyvault.setSecret(name(), 'two'))
      equal(
        (await all(keyvault.listVersions(name()))).map((each) => each.version),
        [version],
      )
      await rejects(keyvault.getDeletedSecret(name()), missing, 'getDeletedSecret')
      await rejects(keyvault.recoverSecret(name()), missing, 'recoverSecret')
    },
  },
  {
    name: 'what is not deleted can be neither recovered nor purged',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await rejects(keyvault.getDeletedSecret(name()), missing, 'getDeletedSecret')
      await rejects(keyvault.recoverSecret(name()), missing, 'recoverSecret')
      await rejects(keyvault.purgeSecret(name()), missing, 'purgeSecret')
      equal((await keyvault.getSecret(name())).reveal(), 'one')
    },
  },
  {
    name: 'what is not there cannot be deleted, and nothing is deleted twice',
    async run({ keyvault, name }) {
      await rejects(keyvault.deleteSecret(name()), missing, 'never made')
      await keyvault.setSecret(name(), 'one')
      await keyvault.deleteSecret(name())
      await rejects(keyvault.deleteSecret(name()), missing, 'the second time')
    },
  },
  {
    name: 'who does not want to wait for the vault says so',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      equal((await keyvault.deleteSecret(name(), { wait: false })).name, name())
      // The vault is still at it, maybe.
      await until(
        () => keyvault.getDeletedSecret(name()).then(Boolean, () => false),
        'the secret is deleted',
      )
      equal((await keyvault.recoverSecret(name(), { wait: false })).name, name())
    },
  },
]

export const backups: readonly KeyVaultCase[] = [
  {
    name: 'what was backed up and purged can be restored, with its versions and properties',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one ä', { tags: { größe: '大' } })
      await keyvault.setSecret(name(), 'two', { contentType: 'text/plain' })
      const backup = await keyvault.backupSecret(name())
      await keyvault.deleteSecret(name())
      await keyvault.purgeSecret(name())
      const restored = await onceFree(() => keyvault.restoreSecret(backup))
      equal(restored.name, name())
      const latest = await keyvault.getSecret(name())
      equal([latest.reveal(), latest.contentType], ['two', 'text/plain'])
      const first = await keyvault.getSecret(name(), { version })
      equal([first.reveal(), first.tags], ['one ä', { größe: '大' }])
    },
  },
  {
    name: 'a backup is bytes, which their owner may change',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const backup = await keyvault.backupSecret(name())
      ok(backup instanceof Uint8Array && backup.length > 0, 'it is none')
      backup.fill(0)
      equal((await keyvault.getSecret(name())).reveal(), 'one')
    },
  },
  {
    name: 'nothing is restored over a secret, deleted or not',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const backup = await keyvault.backupSecret(name())
      await keyvault.setSecret(name(), 'two')
      await rejects(keyvault.restoreSecret(backup), taken, 'over a secret')
      equal((await keyvault.getSecret(name())).reveal(), 'two')
      await keyvault.deleteSecret(name())
      await rejects(keyvault.restoreSecret(backup), taken, 'over a deleted one')
    },
  },
  {
    name: 'bytes that are no backup are invalid',
    async run({ keyvault }) {
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      for (const backup of [Uint8Array.of(0), new TextEncoder().encode('{"value":"one"}')]) {
        await rejects(keyvault.restoreSecret(backup), refused)
      }
    },
  },
  {
    name: 'what is not there cannot be backed up',
    async run({ keyvault, name }) {
      await rejects(keyvault.backupSecret(name()), missing)
    },
  },
]
