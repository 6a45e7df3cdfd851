import { equal, ok, rejects } from '../assert.ts'
import { all, type KeyVaultCase, type KeyVaultFixture } from './fixture.ts'

/** Of what is in the vault, what the case made. */
function own<T extends { readonly name: string }>(
  items: readonly T[],
  { used }: KeyVaultFixture,
): T[] {
  return items.filter(({ name }) => used.names.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

const value = 'a-value-that-no-list-shows'

export const lists: readonly KeyVaultCase[] = [
  {
    name: 'every secret is in the list, with the properties of its latest version and no value',
    async run(fixture) {
      const { keyvault, name } = fixture
      await keyvault.setSecret(name('a'), value)
      const latest = { contentType: 'text/plain', tags: { größe: '大' }, enabled: false }
      await keyvault.setSecret(name('a'), value, latest)
      await keyvault.setSecret(name('b'), value)
      const listed = own(await all(keyvault.listSecrets()), fixture)
      equal(
        listed.map(({ name, version, contentType, tags, enabled }) => ({
          name,
          version,
          contentType,
          tags,
          enabled,
        })),
        [
          { name: name('a'), version: undefined, ...latest },
          { name: name('b'), version: undefined, contentType: undefined, tags: {}, enabled: true },
        ],
      )
      ok(!JSON.stringify(listed).includes(value), 'there is a value')
    },
  },
  {
    name: 'a list comes in pages, of which none has more than was asked for',
    async run(fixture) {
      const { keyvault, name } = fixture
      const ends = ['a', 'b', 'c', 'd', 'e']
      for (const end of ends) await keyvault.setSecret(name(end), value)
      const found: { name: string }[] = []
      let continuation: string | undefined
      let pages = 0
      do {
        // Made anew each time: whoever has a continuation can go on.
        const page = await keyvault.listSecrets({ pageSize: 2 }).page(continuation)
        ok(page.items.length <= 2, `a page has ${page.items.length}`)
        found.push(...page.items)
        continuation = page.continuation
        pages++
      } while (continuation !== undefined)
      ok(pages >= 3, `there are ${pages} pages`)
      equal(
        own(found, fixture).map(({ name }) => name),
        ends.map((end) => name(end)),
      )
    },
  },
  {
    name: 'a list gives each secret once, as often as one goes through it',
    async run(fixture) {
      const { keyvault, name } = fixture
      const ends = ['a', 'b', 'c']
      for (const end of ends) await keyvault.setSecret(name(end), value)
      const listing = keyvault.listSecrets({ pageSize: 1 })
      for (let i = 0; i < 2; i++) {
        const listed = own(await all(listing), fixture)
        equal(
          listed.map(({ name }) => name),
          ends.map((end) => name(end)),
        )
      }
    },
  },
  {
    name: 'a list may be left before its end',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name('a'), value)
      await keyvault.setSecret(name('b'), value)
      let seen = 0
      for await (const _ of keyvault.listSecrets({ pageSize: 1 })) if (++seen === 1) break
      equal(seen, 1)
    },
  },
  {
    name: 'the versions of a secret are listed with their properties and no value',
    async run({ keyvault, name }) {
      const made = []
      for (const number of ['1', '2', '3']) {
        made.push(await keyvault.setSecret(name(), value, { tags: { number } }))
      }
      const listed = await all(keyvault.listVersions(name()))
      const row = (each: { version?: string | undefined; tags: object; name: string }) =>
        `${each.version} ${JSON.stringify(each.tags)} ${each.name}`
      equal(listed.map(row).sort(), made.map(row).sort())
      ok(!JSON.stringify(listed).includes(value), 'there is a value')
    },
  },
  {
    name: 'the versions come in pages, too',
    async run({ keyvault, name }) {
      const made: string[] = []
      for (let i = 0; i < 3; i++) made.push((await keyvault.setSecret(name(), value)).version)
      const listing = keyvault.listVersions(name(), { pageSize: 2 })
      const first = await listing.page()
      ok(first.items.length <= 2 && first.continuation !== undefined, 'there is one page')
      const rest = await listing.page(first.continuation)
      const found = [...first.items, ...rest.items].map(({ version }) => version)
      equal(found.sort(), made.sort())
    },
  },
  {
    name: 'the versions of one secret are not those of another whose name begins with its own',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name('a'), value)
      await keyvault.setSecret(name('ab'), value)
      equal(
        (await all(keyvault.listVersions(name('a')))).map((each) => each.name),
        [name('a')],
      )
    },
  },
  {
    name: 'what is not there has no versions',
    async run({ keyvault, name }) {
      equal(await all(keyvault.listVersions(name())), [])
    },
  },
  {
    name: 'a deleted secret is in the list of those, and in no other',
    async run(fixture) {
      const { keyvault, name } = fixture
      await keyvault.setSecret(name('a'), value, { tags: { a: 'b' } })
      await keyvault.setSecret(name('b'), value)
      await keyvault.deleteSecret(name('a'))
      const names = (items: { name: string }[]) => own(items, fixture).map(({ name }) => name)
      equal(names(await all(keyvault.listSecrets())), [name('b')])
      equal(await all(keyvault.listVersions(name('a'))), [])
      const deleted = await all(keyvault.listDeletedSecrets({ pageSize: 1 }))
      equal(names(deleted), [name('a')])
      const [found] = own(deleted, fixture)
      ok(found?.deletedOn instanceof Date, 'when it was deleted is not said')
      equal(found.tags, { a: 'b' })
      ok(!JSON.stringify(deleted).includes(value), 'there is a value')
    },
  },
  {
    name: 'a signal ends a list between its pages',
    async run({ keyvault, name }) {
      for (const end of ['a', 'b']) await keyvault.setSecret(name(end), value)
      const abort = new AbortController()
      const { signal } = abort
      await rejects(
        async () => {
          for await (const _ of keyvault.listSecrets({ pageSize: 1, signal })) abort.abort()
        },
        { kind: 'aborted', outcome: 'not-applied' },
      )
    },
  },
]
