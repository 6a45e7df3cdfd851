import { expect, onTestFinished, test } from 'vitest'
import { type MemoryOptions, memory } from '../../adapters/keyvault/memory.ts'
import { isInfraError } from '../../src/core/index.ts'
import { KeyVault, type KeyVaultOptions, whyUnusable } from '../../src/keyvault/index.ts'

function vault(options: MemoryOptions = {}, clientOptions: KeyVaultOptions = {}): KeyVault {
  const keyvault = new KeyVault(memory(options), { logger: false, ...clientOptions })
  onTestFinished(() => keyvault.close())
  return keyvault
}

async function failureOf(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => 'it succeeded',
    (error) => error,
  )
  if (!isInfraError(error)) throw new Error(`not an InfraError: ${error}`)
  return error
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

test('each set makes a version, and the latest is what one gets', async () => {
  const keyvault = vault()
  const first = await keyvault.setSecret('a', 'one', {
    tags: { k: 'v' },
    contentType: 'text/plain',
  })
  const second = await keyvault.setSecret('A', 'two')
  expect(second.version).not.toBe(first.version)
  expect(second).toMatchObject({ name: 'a', enabled: true, tags: {}, contentType: undefined })
  expect((await keyvault.getSecret('a')).reveal()).toBe('two')
  expect((await keyvault.getSecret('a', { version: first.version })).reveal()).toBe('one')
  expect((await all(keyvault.listVersions('a'))).map(({ version }) => version)).toEqual([
    first.version,
    second.version,
  ])
  expect(await failureOf(keyvault.getSecret('a', { version: 'f'.repeat(32) }))).toMatchObject({
    code: 'KEYVAULT_NOT_FOUND',
  })
})

test('an update changes what is named and leaves the rest', async () => {
  let now = 1_700_000_000_500
  const keyvault = vault({ clock: () => now })
  const { version } = await keyvault.setSecret('a', 'one', { contentType: 'x', tags: { k: 'v' } })
  now += 60_000
  const expiresOn = new Date('2100-01-01T00:00:00.999Z')
  expect(await keyvault.updateSecret('a', { expiresOn })).toMatchObject({
    version,
    contentType: 'x',
    tags: { k: 'v' },
    expiresOn: new Date('2100-01-01T00:00:00Z'),
    createdOn: new Date(1_700_000_000_000),
    updatedOn: new Date(1_700_000_060_000),
  })
  expect((await keyvault.updateSecret('a', { version, tags: {} })).tags).toEqual({})
  expect(await failureOf(keyvault.updateSecret('a', {}))).toMatchObject({ kind: 'invalid' })
})

test('deleted, recovered, deleted, purged', async () => {
  const keyvault = vault()
  await keyvault.setSecret('a', 'one')
  const deleted = await keyvault.deleteSecret('a')
  expect(deleted.scheduledPurgeOn!.getTime()).toBeGreaterThan(deleted.deletedOn!.getTime())
  expect(await failureOf(keyvault.getSecret('a'))).toMatchObject({ kind: 'not-found' })
  expect(await failureOf(keyvault.setSecret('a', 'two'))).toMatchObject({
    code: 'KEYVAULT_CONFLICT',
    outcome: 'not-applied',
  })
  expect(await all(keyvault.listSecrets())).toEqual([])
  expect(await all(keyvault.listDeletedSecrets())).toMatchObject([{ name: 'a' }])
  await keyvault.recoverSecret('a')
  expect((await keyvault.getSecret('a')).reveal()).toBe('one')
  await keyvault.deleteSecret('a')
  await keyvault.purgeSecret('a')
  expect(await failureOf(keyvault.getDeletedSecret('a'))).toMatchObject({ kind: 'not-found' })
  await keyvault.setSecret('a', 'two')
})

test('a deleted secret is gone when its time is over', async () => {
  let now = Date.now()
  const keyvault = vault({ clock: () => now })
  await keyvault.setSecret('a', 'one')
  now = (await keyvault.deleteSecret('a')).scheduledPurgeOn!.getTime()
  expect(await all(keyvault.listDeletedSecrets())).toEqual([])
  expect(await failureOf(keyvault.recoverSecret('a'))).toMatchObject({ kind: 'not-found' })
})

test('lists come in pages that can be gone on with later, and hold no values', async () => {
  const keyvault = vault()
  const names = Array.from({ length: 7 }, (_, i) => `s${i}`)
  for (const name of names) await keyvault.setSecret(name, 'value-of-the-tests')
  const listing = keyvault.listSecrets({ pageSize: 3 })
  const first = await listing.page()
  expect(first.items.map(({ name }) => name)).toEqual(['s0', 's1', 's2'])
  await keyvault.deleteSecret('s2')
  const second = await listing.page(first.continuation)
  expect(second.items.map(({ name }) => name)).toEqual(['s3', 's4', 's5'])
  expect(JSON.stringify(await all(listing))).not.toContain('value-of-the-tests')
  expect(await all(listing)).toHaveLength(6)
})

test('what is disabled, expired or not valid yet says so', async () => {
  const keyvault = vault()
  await keyvault.setSecret('disabled', 'x', { enabled: false })
  await keyvault.setSecret('expired', 'x', { expiresOn: inSeconds(-120) })
  await keyvault.setSecret('early', 'x', { notBefore: inSeconds(120) })
  const reasons = { disabled: 'disabled', expired: 'expired', early: 'not-yet-valid' }
  for (const [name, reason] of Object.entries(reasons)) {
    const error = await failureOf(keyvault.getSecret(name))
    expect(error).toMatchObject({ code: 'KEYVAULT_FORBIDDEN', retryable: false })
    expect(whyUnusable(error)).toBe(reason)
  }
  const ignoreValidity = true
  expect((await keyvault.getSecret('expired', { ignoreValidity })).reveal()).toBe('x')
  expect((await keyvault.getSecret('early', { ignoreValidity })).reveal()).toBe('x')
  expect(whyUnusable(await failureOf(keyvault.getSecret('disabled', { ignoreValidity })))).toBe(
    'disabled',
  )
  await keyvault.updateSecret('disabled', { enabled: true })
  expect((await keyvault.getSecret('disabled')).reveal()).toBe('x')
})

test('a clock that is a little off keeps nobody out; how much is settable', async () => {
  const driver = memory()
  const tolerant = new KeyVault(driver, { logger: false })
  const strict = new KeyVault(driver, { logger: false, clockSkewMs: 0 })
  await tolerant.setSecret('late', 'x', { expiresOn: inSeconds(-20) })
  await tolerant.setSecret('early', 'x', { notBefore: inSeconds(20) })
  for (const name of ['late', 'early']) {
    expect((await tolerant.getSecret(name)).reveal()).toBe('x')
    expect(await failureOf(strict.getSecret(name))).toMatchObject({ kind: 'forbidden' })
  }
})

test('a backup brings back every version, and is refused if it was changed', async () => {
  const keyvault = vault()
  const { version } = await keyvault.setSecret('a', 'one')
  await keyvault.setSecret('a', 'two', { tags: { k: '✓' } })
  const backup = await keyvault.backupSecret('a')
  expect(await failureOf(keyvault.restoreSecret(backup))).toMatchObject({ kind: 'conflict' })
  const elsewhere = vault()
  await elsewhere.restoreSecret(backup)
  expect(await elsewhere.getSecret('a')).toMatchObject({ tags: { k: '✓' } })
  expect((await elsewhere.getSecret('a', { version })).reveal()).toBe('one')
  for (const bad of [backup.slice(1), backup.slice(0, -1), new TextEncoder().encode('{}')]) {
    expect(await failureOf(vault().restoreSecret(bad))).toMatchObject({ kind: 'invalid' })
  }
})

test('several secrets, each with its own fate', async () => {
  const keyvault = vault()
  const { version } = await keyvault.setSecret('a', 'one')
  await keyvault.setSecret('a', 'two')
  await keyvault.setSecret('b', 'three')
  const secrets = await keyvault.getSecrets(['a', 'b', { name: 'a', version }], { concurrency: 2 })
  expect(secrets.map((secret) => secret.reveal())).toEqual(['two', 'three', 'one'])
  expect(await keyvault.getSecrets([])).toEqual([])
  const error = await failureOf(keyvault.getSecrets(['a', 'missing', 'b', 'not a name']))
  expect(error).toMatchObject({ code: 'KEYVAULT_NOT_FOUND', outcome: 'not-applied' })
  expect(error.items!.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
  ])
  expect(error.items![3]).toMatchObject({ reason: { kind: 'invalid' } })
})

const bad: Record<string, (keyvault: KeyVault) => Promise<unknown>> = {
  'no name': (keyvault) => keyvault.getSecret(''),
  'a name with a slash': (keyvault) => keyvault.getSecret('a/b'),
  'a name of 128 characters': (keyvault) => keyvault.getSecret('a'.repeat(128)),
  'a version that leads elsewhere': (keyvault) => keyvault.getSecret('a', { version: '../b' }),
  'an empty value': (keyvault) => keyvault.setSecret('a', ''),
  'a value of 25,601 bytes': (keyvault) => keyvault.setSecret('a', `${'é'.repeat(12_800)}x`),
  'half a surrogate pair': (keyvault) => keyvault.setSecret('a', '\ud83d'),
  '16 tags': (keyvault) =>
    keyvault.setSecret('a', 'x', {
      tags: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [i, ''])),
    }),
  'a tag of 257 characters': (keyvault) =>
    keyvault.setSecret('a', 'x', { tags: { k: 'v'.repeat(257) } }),
  'an expiry that is no date': (keyvault) =>
    keyvault.setSecret('a', 'x', { expiresOn: new Date(Number.NaN) }),
  'an expiry before the beginning': (keyvault) =>
    keyvault.setSecret('a', 'x', { expiresOn: inSeconds(1), notBefore: inSeconds(2) }),
  'a long content type': (keyvault) =>
    keyvault.setSecret('a', 'x', { contentType: 'x'.repeat(256) }),
  'an option that is not one': (keyvault) =>
    keyvault.getSecret('a', { versoin: 'x' } as Parameters<KeyVault['getSecret']>[1]),
  'a page of 26': (keyvault) => all(keyvault.listSecrets({ pageSize: 26 })),
  'an empty backup': (keyvault) => keyvault.restoreSecret(new Uint8Array()),
}

test.each(Object.entries(bad))('%s is refused', async (_, call) => {
  expect(await failureOf(call(vault()))).toMatchObject({
    code: 'KEYVAULT_INVALID',
    outcome: 'not-applied',
  })
})

test('what is at the limit is not', async () => {
  const keyvault = vault()
  const value = 'é'.repeat(12_800)
  const tags = Object.fromEntries(
    Array.from({ length: 15 }, (_, i) => [`${'名'.repeat(510)}${i}`, '値'.repeat(256)]),
  )
  await keyvault.setSecret('a'.repeat(127), value, { tags, contentType: 'x'.repeat(255) })
  const secret = await keyvault.getSecret('a'.repeat(127))
  expect(secret.reveal()).toBe(value)
  expect(secret.tags).toEqual(tags)
})

test('health asks for a secret at most once a minute', async () => {
  const keyvault = vault()
  await keyvault.health()
  expect(await failureOf(keyvault.health({ secret: 'a' }))).toMatchObject({ kind: 'not-found' })
  await keyvault.setSecret('a', 'x')
  expect(await failureOf(keyvault.health({ secret: 'a' }))).toMatchObject({ kind: 'not-found' })
  await keyvault.setSecret('b', 'x')
  await keyvault.health({ secret: 'b' })
  await keyvault.deleteSecret('b')
  await keyvault.health({ secret: 'b' })
  expect(await failureOf(keyvault.health({ secretTtlMs: 1000 }))).toMatchObject({ kind: 'invalid' })
  await keyvault.close()
  expect(await failureOf(keyvault.health({ secret: 'b' }))).toMatchObject({ kind: 'closed' })
})
