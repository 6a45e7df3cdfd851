import type { InfraError } from '../../core/index.ts'
import { type KeyVault, type Unusable, whyUnusable } from '../../keyvault/index.ts'
import { equal, rejects } from '../assert.ts'
import { all, forbidden, inSeconds, type KeyVaultCase } from './fixture.ts'

async function refused(work: Promise<unknown>, why: Unusable): Promise<InfraError> {
  const error = await rejects(work, forbidden, why)
  equal(error.code, 'KEYVAULT_FORBIDDEN')
  equal(whyUnusable(error), why)
  return error
}

const expired = () => ({ expiresOn: inSeconds(-3600) })
const early = () => ({ notBefore: inSeconds(3600) })

async function revealed(keyvault: KeyVault, name: string): Promise<string> {
  return (await keyvault.getSecret(name, { ignoreValidity: true })).reveal()
}

export const validity: readonly KeyVaultCase[] = [
  {
    name: 'a disabled secret says that it is disabled',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', { enabled: false })
      const error = await refused(keyvault.getSecret(name()), 'disabled')
      equal(error.message, 'keyvault getSecret: the secret is disabled')
    },
  },
  {
    name: 'an expired secret says that it has expired',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', expired())
      const error = await refused(keyvault.getSecret(name()), 'expired')
      equal(error.message, 'keyvault getSecret: the secret has expired')
    },
  },
  {
    name: 'a secret before its time says that it is not valid yet',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', early())
      const error = await refused(keyvault.getSecret(name()), 'not-yet-valid')
      equal(error.message, 'keyvault getSecret: the secret is not valid yet')
    },
  },
  {
    name: 'whyUnusable is undefined for every other error',
    async run({ keyvault, name }) {
      equal(
        whyUnusable(await rejects(keyvault.getSecret(name()), { kind: 'not-found' })),
        undefined,
      )
      equal(whyUnusable(await rejects(keyvault.getSecret(''), { kind: 'invalid' })), undefined)
      for (const other of [undefined, null, 'text', new Error('no')])
        equal(whyUnusable(other), undefined)
    },
  },
  {
    name: 'ignoreValidity gives what has expired and what is early, and never what is disabled',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name('expired'), 'one', expired())
      await keyvault.setSecret(name('early'), 'two', early())
      await keyvault.setSecret(name('disabled'), 'three', { ...expired(), enabled: false })
      equal(await revealed(keyvault, name('expired')), 'one')
      equal(await revealed(keyvault, name('early')), 'two')
      await refused(revealed(keyvault, name('disabled')), 'disabled')
    },
  },
  {
    name: 'a disabled secret is enabled again by an update',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      equal((await keyvault.updateSecret(name(), { enabled: false })).enabled, false)
      await refused(keyvault.getSecret(name()), 'disabled')
      equal((await keyvault.updateSecret(name(), { enabled: true })).enabled, true)
      equal((await keyvault.getSecret(name())).reveal(), 'one')
    },
  },
  {
    name: 'an update moves the times',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', expired())
      await keyvault.updateSecret(name(), { expiresOn: inSeconds(3600) })
      equal((await keyvault.getSecret(name())).reveal(), 'one')
    },
  },
  {
    name: 'each version has its own state',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one', { enabled: false })
      await keyvault.setSecret(name(), 'two')
      await refused(keyvault.getSecret(name(), { version }), 'disabled')
      equal((await keyvault.getSecret(name())).reveal(), 'two')
    },
  },
  {
    name: 'what is unusable can still be listed, changed, backed up and deleted',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', { ...expired(), enabled: false })
      equal((await all(keyvault.listVersions(name()))).length, 1)
      await keyvault.updateSecret(name(), { contentType: 'text/plain' })
      await keyvault.backupSecret(name())
      await keyvault.deleteSecret(name())
    },
  },
  {
    name: 'clocks may be a minute apart, or what the client is told',
    async run({ create, name }) {
      const [usual, exact] = [create(), create({ clockSkewMs: 0 })]
      for (const keyvault of [usual, exact]) {
        await keyvault.setSecret(name('expired'), 'one', { expiresOn: inSeconds(-30) })
        await keyvault.setSecret(name('early'), 'two', { notBefore: inSeconds(30) })
      }
      equal((await usual.getSecret(name('expired'))).reveal(), 'one')
      equal((await usual.getSecret(name('early'))).reveal(), 'two')
      await refused(exact.getSecret(name('expired')), 'expired')
      await refused(exact.getSecret(name('early')), 'not-yet-valid')
    },
  },
]
