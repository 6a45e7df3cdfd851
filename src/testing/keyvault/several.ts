import { equal, ok, rejects } from '../assert.ts'
import { type KeyVaultCase, missing } from './fixture.ts'

export const several: readonly KeyVaultCase[] = [
  {
    name: 'several secrets come in the order in which they were asked for',
    async run({ keyvault, name }) {
      const ends = ['c', 'a', 'b']
      for (const end of ends) await keyvault.setSecret(name(end), `value of ${end}`)
      const names = [...ends, 'a'].map((end) => name(end))
      const read = await keyvault.getSecrets(names)
      equal(
        read.map((secret) => secret.reveal()),
        ['value of c', 'value of a', 'value of b', 'value of a'],
      )
    },
  },
  {
    name: 'they may be of certain versions',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one')
      await keyvault.setSecret(name(), 'two')
      const ids = [name(), { name: name(), version }, { name: name() }]
      equal(
        (await keyvault.getSecrets(ids)).map((secret) => secret.reveal()),
        ['two', 'one', 'two'],
      )
    },
  },
  {
    name: 'none are none',
    async run({ keyvault }) {
      equal(await keyvault.getSecrets([]), [])
    },
  },
  {
    name: 'when some fail, the error has the fate of each, and the kind of the first that failed',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name('a'), 'one')
      await keyvault.setSecret(name('off'), 'two', { enabled: false })
      const error = await rejects(
        keyvault.getSecrets([name('a'), name('none'), name('off'), 'no name!']),
        missing,
      )
      equal(error.operation, 'getSecrets')
      equal(
        error.message,
        'keyvault getSecrets: 3 of 4 secrets failed, the first with KEYVAULT_NOT_FOUND',
      )
      equal(
        error.items?.map((item) => (item.status === 'rejected' ? item.reason.kind : 'fulfilled')),
        ['fulfilled', 'not-found', 'forbidden', 'invalid'],
      )
      ok(!JSON.stringify(error).includes('items'), 'the error prints what was read')
    },
  },
  {
    name: 'no more are under way at once than are allowed, and six if nothing is said',
    async run({ create, name }) {
      let current = 0
      let most = 0
      const keyvault = create({
        tracer: {
          startSpan() {
            most = Math.max(most, ++current)
            return {
              end: () => {
                current--
              },
            }
          },
        },
      })
      await keyvault.setSecret(name(), 'one')
      const names = Array.from({ length: 20 }, () => name())
      for (const [concurrency, expected] of [
        [1, 1],
        [3, 3],
        [undefined, 6],
        [100, 20],
      ] as const) {
        most = 0
        await keyvault.getSecrets(names, { concurrency })
        equal(most, expected, `under way at once, of ${concurrency}`)
      }
    },
  },
  {
    name: 'one signal ends them all',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const abort = new AbortController()
      const reading = rejects(
        keyvault.getSecrets(
          Array.from({ length: 20 }, () => name()),
          { concurrency: 1, signal: abort.signal },
        ),
        { kind: 'aborted', outcome: 'not-applied' },
      )
      abort.abort()
      await reading
    },
  },
]
