import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { all, forbidden, type KeyVaultCase, missing } from './fixture.ts'

export const cancellation: readonly KeyVaultCase[] = [
  {
    name: 'a signal that has fired already stops the call before anything is sent',
    async run({ keyvault, name }) {
      const options = { signal: AbortSignal.abort() }
      const aborted = { kind: 'aborted', outcome: 'not-applied', retryable: false } as const
      await rejects(keyvault.setSecret(name(), 'one', options), aborted, 'setSecret')
      await rejects(keyvault.getSecret(name(), options), aborted, 'getSecret')
      await rejects(keyvault.getSecrets([name()], options), aborted, 'getSecrets')
      await rejects(keyvault.deleteSecret(name(), options), aborted, 'deleteSecret')
      await rejects(keyvault.listSecrets(options).page(), aborted, 'listSecrets')
      await rejects(keyvault.health(options), aborted, 'health')
      await rejects(keyvault.getSecret(name()), missing)
    },
  },
  {
    name: 'a signal that fires during a call ends it, and the outcome is the truth',
    async run({ keyvault, name }) {
      const abort = new AbortController()
      const { signal } = abort
      const writing = rejects(keyvault.setSecret(name(), 'one', { signal }), { kind: 'aborted' })
      abort.abort()
      const { outcome } = await writing
      const made = await all(keyvault.listVersions(name()))
      ok(outcome === 'unknown' || made.length === 0, `${outcome}, yet it was written`)
    },
  },
  {
    name: 'a signal that ends one call leaves the others alone',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const abort = new AbortController()
      const aborted = rejects(keyvault.getSecret(name(), { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const reading = keyvault.getSecret(name())
      abort.abort()
      await aborted
      equal((await reading).reveal(), 'one')
    },
  },
  {
    name: 'a signal that serves many calls keeps nothing of them',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const { signal } = new AbortController()
      let listeners = 0
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++
        add(...args)
      }
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--
        remove(...args)
      }
      await keyvault.getSecrets(
        Array.from({ length: 20 }, () => name()),
        { signal },
      )
      await rejects(keyvault.getSecret('', { signal }), { kind: 'invalid' })
      equal(listeners, 0, 'the listeners that are left')
    },
  },
  {
    name: 'a deadline in the past stops every call inside before anything is sent',
    async run({ keyvault, name }) {
      const timeout = { kind: 'timeout', outcome: 'not-applied', retryable: true } as const
      await withContext({ deadline: Date.now() - 1 }, async () => {
        await rejects(keyvault.setSecret(name(), 'one'), timeout, 'setSecret')
        await rejects(keyvault.getSecrets([name()]), timeout, 'getSecrets')
        await rejects(keyvault.listSecrets().page(), timeout, 'listSecrets')
      })
      await rejects(keyvault.getSecret(name()), missing)
    },
  },
]

export const health: readonly KeyVaultCase[] = [
  {
    name: 'it resolves while the vault answers',
    async run({ keyvault }) {
      equal(await keyvault.health(), undefined)
    },
  },
  {
    name: 'a secret that is named must be readable, too',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await keyvault.setSecret(name('off'), 'two', { enabled: false })
      equal(await keyvault.health({ secret: name() }), undefined)
      await rejects(keyvault.health({ secret: name('none') }), missing)
      await rejects(keyvault.health({ secret: name('off') }), forbidden)
    },
  },
  {
    name: 'what the vault said of that secret is believed for a minute, good or bad',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await keyvault.setSecret(name('off'), 'two', { enabled: false })
      await keyvault.health({ secret: name() })
      await rejects(keyvault.health({ secret: name('off') }), forbidden)
      await keyvault.updateSecret(name(), { enabled: false })
      await keyvault.updateSecret(name('off'), { enabled: true })
      equal(await keyvault.health({ secret: name() }), undefined)
      await rejects(keyvault.health({ secret: name('off') }), forbidden)
    },
  },
]

export const lifecycle: readonly KeyVaultCase[] = [
  {
    name: 'a closed client refuses every call as KEYVAULT_CLOSED',
    async run({ create, name }) {
      const client = create()
      await client.setSecret(name(), 'one')
      const listing = client.listSecrets()
      await client.close()
      const calls: Record<string, () => unknown> = {
        getSecret: () => client.getSecret(name()),
        getSecrets: () => client.getSecrets([name()]),
        setSecret: () => client.setSecret(name(), 'two'),
        updateSecret: () => client.updateSecret(name(), { enabled: false }),
        deleteSecret: () => client.deleteSecret(name()),
        getDeletedSecret: () => client.getDeletedSecret(name()),
        recoverSecret: () => client.recoverSecret(name()),
        purgeSecret: () => client.purgeSecret(name()),
        backupSecret: () => client.backupSecret(name()),
        restoreSecret: () => client.restoreSecret(Uint8Array.of(1)),
        'a list from before': () => listing.page(),
        listVersions: () => client.listVersions(name()).page(),
        listDeletedSecrets: () => client.listDeletedSecrets().page(),
        health: () => client.health(),
      }
      for (const [what, call] of Object.entries(calls)) {
        const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
        equal((await rejects(call, closed, what)).code, 'KEYVAULT_CLOSED', what)
      }
      equal(client.closed, true)
    },
  },
  {
    name: 'close may be called again, and before anything else',
    async run({ create }) {
      const client = create()
      const first = client.close()
      ok(client.close() === first, 'the second call gives another promise')
      await first
    },
  },
  {
    name: 'close waits for what is in flight',
    async run({ create, name }) {
      const client = create()
      await client.setSecret(name(), 'one')
      const reads = Array.from({ length: 10 }, () => client.getSecret(name()))
      const closing = client.close()
      await rejects(client.getSecret(name()), { kind: 'closed' })
      for (const secret of await Promise.all(reads)) equal(secret.reveal(), 'one')
      await closing
    },
  },
  {
    name: 'closing one client leaves the others alone',
    async run({ create, name }) {
      const [first, second] = [create(), create()]
      await Promise.all([first.health(), second.setSecret(name(), 'one')])
      await first.close()
      equal((await second.getSecret(name())).reveal(), 'one')
    },
  },
  {
    name: 'a client closes itself at the end of its block',
    async run({ create }) {
      const client = create()
      // What `await using` calls. Written so, it would cost every entry of the package a file of helpers.
      await client[Symbol.asyncDispose]()
      await rejects(client.health(), { kind: 'closed' })
    },
  },
  {
    name: 'adapter, resource and native tell what is underneath',
    async run({ keyvault }) {
      ok(keyvault.adapter.length > 0, 'the adapter has no name')
      const { resource } = keyvault
      ok(resource === undefined || resource.length > 0, 'the resource is empty')
      ok((await keyvault.native()) !== undefined, 'there is nothing underneath')
    },
  },
]
