import type { KeyVault } from '../../keyvault/index.ts'
import { equal, rejects } from '../assert.ts'
import { collectLines } from '../collect.ts'
import { type KeyVaultCase, not } from './fixture.ts'

type Calls = Record<string, () => unknown>

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

/** Every call is `invalid`, and nothing was sent. */
function invalidCase(
  name: string,
  calls: (keyvault: KeyVault, name: string) => Calls,
): KeyVaultCase {
  return {
    name,
    async run({ create, name }) {
      const { lines, logger } = collectLines()
      const keyvault = create({ logger })
      for (const [what, call] of Object.entries(calls(keyvault, name()))) {
        await rejects(call, refused, what)
        equal(lines.at(-1)?.record.attempts, 0, `${what}: the tries`)
      }
    },
  }
}

/** One call for each value. */
function each(values: readonly unknown[], call: (value: never) => unknown): Calls {
  return Object.fromEntries(values.map((value, i) => [`number ${i}`, () => call(not(value))]))
}

const noNames = ['', 'a b', 'a_b', 'a.b', 'a/b', '../a', 'a?b', 'ä', 'a\n', 'x'.repeat(128)]
const noTexts = [undefined, null, 7, true, {}, [], ['a'], Symbol('a')]

export const validation: readonly KeyVaultCase[] = [
  invalidCase('what is no name is invalid', (keyvault) =>
    each([...noNames, ...noTexts], (name) => keyvault.getSecret(name)),
  ),
  invalidCase('no method takes what is no name', (keyvault) => ({
    setSecret: () => keyvault.setSecret('a b', 'one'),
    updateSecret: () => keyvault.updateSecret('a b', { enabled: true }),
    deleteSecret: () => keyvault.deleteSecret('a b'),
    getDeletedSecret: () => keyvault.getDeletedSecret('a b'),
    recoverSecret: () => keyvault.recoverSecret('a b'),
    purgeSecret: () => keyvault.purgeSecret('a b'),
    backupSecret: () => keyvault.backupSecret('a b'),
    listVersions: () => keyvault.listVersions('a b').page(),
    health: () => keyvault.health({ secret: 'a b' }),
  })),
  invalidCase('what is no version is invalid', (keyvault, name) => {
    const versions = ['', 'a-b', '../a', 'x'.repeat(65), null, 7]
    return {
      ...each(versions, (version) => keyvault.getSecret(name, { version })),
      updateSecret: () => keyvault.updateSecret(name, { version: 'a/b', enabled: true }),
    }
  }),
  invalidCase('a value that is no text, or empty, is invalid', (keyvault, name) =>
    each(['', 'a\ud800b', ...noTexts, new Uint8Array(1)], (value) =>
      keyvault.setSecret(name, value),
    ),
  ),
  invalidCase('a value beyond 25,600 bytes is invalid', (keyvault, name) =>
    each(['a'.repeat(25_601), '大'.repeat(8534), '🔑'.repeat(6401)], (value) =>
      keyvault.setSecret(name, value),
    ),
  ),
  invalidCase('tags that a vault does not take are invalid', (keyvault, name) => {
    const tags = [
      Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`${i}`, ''])),
      { '': 'a' },
      { ['x'.repeat(513)]: 'a' },
      { a: 'x'.repeat(257) },
      { a: '\ud800' },
      { '\ud800': 'a' },
      { a: 7 },
      { a: null },
      null,
      'a=b',
    ]
    return {
      ...each(tags, (tags) => keyvault.setSecret(name, 'one', { tags })),
      updateSecret: () => keyvault.updateSecret(name, { tags: not({ a: 7 }) }),
    }
  }),
  invalidCase('a content type that is no text of 255 characters is invalid', (keyvault, name) =>
    each(['x'.repeat(256), '\ud800', null, 7], (contentType) =>
      keyvault.setSecret(name, 'one', { contentType }),
    ),
  ),
  invalidCase('what is no instant from 1970 to 2106 is invalid', (keyvault, name) => {
    const instants = [
      new Date(Number.NaN),
      new Date(-1),
      new Date('2107-01-01'),
      Date.now(),
      '2030-01-01',
      null,
    ]
    return {
      ...each(instants, (expiresOn) => keyvault.setSecret(name, 'one', { expiresOn })),
      notBefore: () => keyvault.setSecret(name, 'one', { notBefore: not('2030-01-01') }),
      updateSecret: () => keyvault.updateSecret(name, { expiresOn: not(7) }),
    }
  }),
  invalidCase('a secret that would end before it begins is invalid', (keyvault, name) => {
    const [sooner, later] = [new Date('2030-01-01'), new Date('2031-01-01')]
    return {
      setSecret: () => keyvault.setSecret(name, 'one', { notBefore: later, expiresOn: sooner }),
      'at once': () => keyvault.setSecret(name, 'one', { notBefore: later, expiresOn: later }),
      updateSecret: () => keyvault.updateSecret(name, { notBefore: later, expiresOn: sooner }),
    }
  }),
  invalidCase('enabled that is no boolean is invalid', (keyvault, name) =>
    each(['true', 1, null], (enabled) => keyvault.setSecret(name, 'one', { enabled })),
  ),
  invalidCase('an update of nothing is invalid', (keyvault, name) => ({
    nothing: () => keyvault.updateSecret(name, {}),
    'a version': () => keyvault.updateSecret(name, { version: 'a' }),
    'no options': () => keyvault.updateSecret(name, not(undefined)),
  })),
  invalidCase('a backup that is no bytes, or empty, is invalid', (keyvault) =>
    each([new Uint8Array(), 'text', [1], null, new ArrayBuffer(1)], (backup) =>
      keyvault.restoreSecret(backup),
    ),
  ),
  invalidCase('a page that cannot be is invalid', (keyvault, name) => ({
    ...each([0, 26, 1.5, '5', null], (pageSize) => keyvault.listSecrets({ pageSize }).page()),
    listVersions: () => keyvault.listVersions(name, { pageSize: 0 }).page(),
    listDeletedSecrets: () => keyvault.listDeletedSecrets({ pageSize: 26 }).page(),
    'an empty continuation': () => keyvault.listSecrets().page(''),
    'a continuation that is no text': () => keyvault.listSecrets().page(not(1)),
  })),
  invalidCase(
    'what is no list of secrets, or no number of calls, is invalid',
    (keyvault, name) => ({
      ...each(['a', undefined, null, {}], (names) => keyvault.getSecrets(names)),
      'concurrency 0': () => keyvault.getSecrets([name], { concurrency: 0 }),
      'concurrency 101': () => keyvault.getSecrets([name], { concurrency: 101 }),
      'concurrency of a text': () => keyvault.getSecrets([name], { concurrency: not('6') }),
    }),
  ),
  invalidCase(
    'a time for which health trusts a secret that is too short is invalid',
    (keyvault, name) =>
      each([59_999, 0, Infinity, '60000'], (secretTtlMs) =>
        keyvault.health({ secret: name, secretTtlMs }),
      ),
  ),
  invalidCase('an unknown option is invalid', (keyvault, name) => ({
    getSecret: () => keyvault.getSecret(name, not({ ignore: true })),
    getSecrets: () => keyvault.getSecrets([name], not({ parallel: 2 })),
    setSecret: () => keyvault.setSecret(name, 'one', not({ expires: new Date() })),
    updateSecret: () => keyvault.updateSecret(name, not({ enabled: true, value: 'two' })),
    deleteSecret: () => keyvault.deleteSecret(name, not({ purge: true })),
    purgeSecret: () => keyvault.purgeSecret(name, not({ wait: true })),
    listSecrets: () => keyvault.listSecrets(not({ limit: 5 })).page(),
    health: () => keyvault.health(not({ deep: true })),
    'options that are no object': () => keyvault.getSecret(name, not('latest')),
  })),
  invalidCase(
    'a timeoutMs, signal or correlationId of the wrong kind is invalid',
    (keyvault, name) => ({
      ...each([0, -1, Number.NaN, Infinity, 2 ** 31, '5'], (timeoutMs) =>
        keyvault.getSecret(name, { timeoutMs }),
      ),
      signal: () => keyvault.getSecret(name, { signal: not({ aborted: false }) }),
      'a line break': () => keyvault.getSecret(name, { correlationId: 'a\r\nx-header: b' }),
      'an empty one': () => keyvault.getSecret(name, { correlationId: '' }),
      'a list': () => keyvault.listSecrets({ timeoutMs: 0 }).page(),
      health: () => keyvault.health({ timeoutMs: -1 }),
    }),
  ),
]
