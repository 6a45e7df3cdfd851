import { equal, ok, rejects } from '../assert.ts'
import { all, inSeconds, type KeyVaultCase, missing } from './fixture.ts'

/** Each is what a password, a key or a file may look like. */
const values: Readonly<Record<string, string>> = {
  'a space': ' ',
  'spaces around': '  a  ',
  'lines and tabs': 'a\r\n\tb\n',
  'quotes and backslashes': '"\\\'`',
  JSON: '{"user":"a","password":"b"}',
  'percent signs and slashes': '100%/?#&=+',
  markup: '<a href="b">&amp;</a>',
  'letters of several scripts': 'ä ж 大 🔑',
  'a mark of byte order': '\ufeffa',
  'line separators': 'a\u2028b\u2029c',
  digits: '0123',
  'a word of JSON': 'null',
  'a reference': 'keyvault:another',
}

export const secrets: readonly KeyVaultCase[] = [
  {
    name: 'what was set is what one gets',
    async run({ keyvault, name }) {
      const made = await keyvault.setSecret(name(), 'one')
      equal(made.reveal(), 'one')
      const read = await keyvault.getSecret(name())
      equal(read.reveal(), 'one')
      equal(read.name, name())
      equal(read.version, made.version)
    },
  },
  {
    name: 'a secret of which only the value was said is enabled, without limits and tags',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      const { enabled, expiresOn, notBefore, contentType, tags, stale } = await keyvault.getSecret(
        name(),
      )
      equal(
        { enabled, expiresOn, notBefore, contentType, tags, stale },
        {
          enabled: true,
          expiresOn: undefined,
          notBefore: undefined,
          contentType: undefined,
          tags: {},
          stale: false,
        },
      )
    },
  },
  {
    name: 'the vault says when it was made and changed, and what deletion means',
    async run({ keyvault, name }) {
      const { createdOn, updatedOn, recoveryLevel } = await keyvault.setSecret(name(), 'one')
      ok(createdOn instanceof Date && updatedOn instanceof Date, 'an instant is missing')
      equal([createdOn.getTime() % 1000, updatedOn.getTime() % 1000], [0, 0])
      ok(Math.abs(createdOn.getTime() - Date.now()) < 3_600_000, `made at ${createdOn}`)
      ok(typeof recoveryLevel === 'string', 'the recovery level is missing')
    },
  },
  ...Object.entries(values).map(
    ([what, value]): KeyVaultCase => ({
      name: `a value comes back as it was: ${what}`,
      async run({ keyvault, name }) {
        await keyvault.setSecret(name(), value)
        equal((await keyvault.getSecret(name())).reveal(), value)
      },
    }),
  ),
  {
    name: 'a value may have 25,600 bytes',
    async run({ keyvault, name }) {
      for (const value of ['a'.repeat(25_600), '大'.repeat(8533)]) {
        await keyvault.setSecret(name(), value)
        ok((await keyvault.getSecret(name())).reveal() === value, 'it is another')
      }
    },
  },
  {
    name: 'a name may have 127 characters',
    async run({ keyvault, name }) {
      const long = name('x'.repeat(127 - name('').length))
      equal(long.length, 127)
      await keyvault.setSecret(long, 'one')
      equal((await keyvault.getSecret(long)).name, long)
    },
  },
  {
    name: 'names that differ in case only are one name',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name('Case'), 'one')
      const upper = name('Case').toUpperCase()
      equal((await keyvault.getSecret(upper)).reveal(), 'one')
      await keyvault.setSecret(upper, 'two')
      equal((await keyvault.getSecret(name('Case'))).reveal(), 'two')
      equal((await all(keyvault.listVersions(name('Case').toLowerCase()))).length, 2)
    },
  },
  {
    name: 'a secret that is not there is KEYVAULT_NOT_FOUND',
    async run({ keyvault, name }) {
      const error = await rejects(keyvault.getSecret(name()), missing)
      equal(error.code, 'KEYVAULT_NOT_FOUND')
      equal(error.component, 'keyvault')
      equal(error.adapter, keyvault.adapter)
      equal(error.operation, 'getSecret')
      equal(error.message, 'keyvault getSecret: there is no such secret or version')
    },
  },
  {
    name: 'many calls at once do not mix up their answers',
    async run({ keyvault, name }) {
      const numbers = Array.from({ length: 20 }, (_, i) => i)
      await Promise.all(numbers.map((i) => keyvault.setSecret(name(`${i}`), `value ${i}`)))
      const read = await Promise.all(numbers.map((i) => keyvault.getSecret(name(`${i}`))))
      equal(
        read.map((secret) => secret.reveal()),
        numbers.map((i) => `value ${i}`),
      )
    },
  },
]

export const versions: readonly KeyVaultCase[] = [
  {
    name: 'each set makes a version, and the latest is what one gets',
    async run({ keyvault, name }) {
      const first = await keyvault.setSecret(name(), 'one')
      const second = await keyvault.setSecret(name(), 'two')
      ok(first.version !== second.version, 'both have one version')
      const read = await keyvault.getSecret(name())
      equal([read.reveal(), read.version], ['two', second.version])
    },
  },
  {
    name: 'the same value again is another version',
    async run({ keyvault, name }) {
      const first = await keyvault.setSecret(name(), 'one')
      ok((await keyvault.setSecret(name(), 'one')).version !== first.version, 'it is the same')
    },
  },
  {
    name: 'an earlier version is there by its name',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name(), 'one', { tags: { number: '1' } })
      await keyvault.setSecret(name(), 'two')
      const read = await keyvault.getSecret(name(), { version })
      equal([read.reveal(), read.version, read.tags], ['one', version, { number: '1' }])
    },
  },
  {
    name: 'a new version inherits nothing',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', {
        contentType: 'text/plain',
        tags: { a: 'b' },
        expiresOn: inSeconds(3600),
        notBefore: inSeconds(-3600),
        enabled: false,
      })
      const { contentType, tags, expiresOn, notBefore, enabled } = await keyvault.setSecret(
        name(),
        'two',
      )
      equal(
        [contentType, tags, expiresOn, notBefore, enabled],
        [undefined, {}, undefined, undefined, true],
      )
    },
  },
  {
    name: 'a version that is not there is not found',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one')
      await rejects(keyvault.getSecret(name(), { version: 'f'.repeat(32) }), missing)
    },
  },
  {
    name: 'a version of another secret is not found',
    async run({ keyvault, name }) {
      const { version } = await keyvault.setSecret(name('a'), 'one')
      await keyvault.setSecret(name('b'), 'two')
      await rejects(keyvault.getSecret(name('b'), { version }), missing)
    },
  },
]

export const attributes: readonly KeyVaultCase[] = [
  {
    name: 'what was said of a version is kept',
    async run({ keyvault, name }) {
      const given = {
        enabled: true,
        contentType: 'application/x-pem-file; charset="utf-8" ä',
        expiresOn: new Date('2037-06-01T12:00:00Z'),
        notBefore: new Date('2020-01-01T00:00:00Z'),
        tags: { team: 'blue' },
      }
      await keyvault.setSecret(name(), 'one', given)
      const { enabled, contentType, expiresOn, notBefore, tags } = await keyvault.getSecret(name())
      equal({ enabled, contentType, expiresOn, notBefore, tags }, given)
    },
  },
  {
    name: 'instants are cut to whole seconds',
    async run({ keyvault, name }) {
      const { expiresOn, notBefore } = await keyvault.setSecret(name(), 'one', {
        expiresOn: new Date('2037-06-01T12:00:00.999Z'),
        notBefore: new Date('2020-01-01T00:00:00.001Z'),
      })
      equal(
        [expiresOn, notBefore],
        [new Date('2037-06-01T12:00:00Z'), new Date('2020-01-01T00:00:00Z')],
      )
    },
  },
  {
    name: 'an update changes what is named and leaves the rest',
    async run({ keyvault, name }) {
      const made = await keyvault.setSecret(name(), 'one', {
        contentType: 'text/plain',
        tags: { a: 'b' },
        notBefore: new Date('2020-01-01T00:00:00Z'),
      })
      const expiresOn = new Date('2037-06-01T12:00:00Z')
      const updated = await keyvault.updateSecret(name(), { expiresOn })
      const read = await keyvault.getSecret(name())
      for (const each of [updated, read]) {
        equal(
          [each.version, each.expiresOn, each.notBefore, each.contentType, each.tags],
          [made.version, expiresOn, made.notBefore, 'text/plain', { a: 'b' }],
        )
      }
      equal(read.reveal(), 'one')
    },
  },
  {
    name: 'an update gives no value',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'a-value-of-the-tests')
      const updated = await keyvault.updateSecret(name(), { contentType: 'text/plain' })
      ok(!JSON.stringify(updated).includes('a-value-of-the-tests'), 'it does')
    },
  },
  {
    name: 'an update of a version leaves the others',
    async run({ keyvault, name }) {
      const first = await keyvault.setSecret(name(), 'one')
      await keyvault.setSecret(name(), 'two')
      const { version } = first
      const updated = await keyvault.updateSecret(name(), { version, contentType: 'text/plain' })
      equal(updated.version, version)
      equal((await keyvault.getSecret(name())).contentType, undefined)
      equal((await keyvault.getSecret(name(), { version })).contentType, 'text/plain')
    },
  },
  {
    name: 'the time of the last change does not go back',
    async run({ keyvault, name }) {
      const made = await keyvault.setSecret(name(), 'one')
      const { createdOn, updatedOn } = await keyvault.updateSecret(name(), { tags: { a: 'b' } })
      equal(createdOn, made.createdOn)
      ok(Number(updatedOn) >= Number(made.updatedOn), `${updatedOn} is before ${made.updatedOn}`)
    },
  },
  {
    name: 'a content type may have 255 characters',
    async run({ keyvault, name }) {
      const contentType = 'c'.repeat(255)
      await keyvault.setSecret(name(), 'one', { contentType })
      equal((await keyvault.getSecret(name())).contentType, contentType)
    },
  },
  {
    name: 'an update of what is not there is not found',
    async run({ keyvault, name }) {
      const change = { contentType: 'text/plain' }
      await rejects(keyvault.updateSecret(name(), change), missing, 'the secret')
      await keyvault.setSecret(name('there'), 'one')
      const version = 'f'.repeat(32)
      await rejects(
        keyvault.updateSecret(name('there'), { ...change, version }),
        missing,
        'the version',
      )
    },
  },
]

export const tags: readonly KeyVaultCase[] = [
  {
    name: 'names and values may be any text',
    async run({ keyvault, name }) {
      const tags = { größe: '大', '🔑': '✓ ä', 'a b/c"': '\\"', empty: '', constructor: 'x' }
      await keyvault.setSecret(name(), 'one', { tags })
      equal((await keyvault.getSecret(name())).tags, tags)
    },
  },
  {
    name: 'there may be 15',
    async run({ keyvault, name }) {
      const tags = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`tag ${i}`, `${i}`]))
      await keyvault.setSecret(name(), 'one', { tags })
      equal((await keyvault.getSecret(name())).tags, tags)
    },
  },
  {
    name: 'an update replaces them all',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', { tags: { a: '1', b: '2' } })
      equal((await keyvault.updateSecret(name(), { tags: { b: '3' } })).tags, { b: '3' })
      equal((await keyvault.getSecret(name())).tags, { b: '3' })
    },
  },
  {
    name: 'an update with none removes them, one that does not name them leaves them',
    async run({ keyvault, name }) {
      await keyvault.setSecret(name(), 'one', { tags: { a: '1' } })
      equal((await keyvault.updateSecret(name(), { contentType: 'x' })).tags, { a: '1' })
      equal((await keyvault.updateSecret(name(), { tags: {} })).tags, {})
      equal((await keyvault.getSecret(name())).tags, {})
    },
  },
]
