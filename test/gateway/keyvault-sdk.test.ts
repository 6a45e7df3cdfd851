import { ClientAssertionCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { describe, expect, test } from 'vitest'
import { identity, sdkOptions, startEmulator } from './keyvault-emulator.ts'

// What Microsoft's own client, with Microsoft's own credentials, sees of the emulator over https.

const emulator = await startEmulator()
const client = emulator.sdk()

let names = 0
const freshName = () => `sdk-${names++}`

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('@azure/keyvault-secrets', () => {
  test('sets a secret and gets it', async () => {
    const name = freshName()
    const set = await client.setSecret(name, 'one')
    expect(set).toMatchObject({
      name,
      value: 'one',
      properties: {
        enabled: true,
        vaultUrl: emulator.url,
        recoverableDays: 90,
        recoveryLevel: 'Recoverable+Purgeable',
      },
    })
    expect(set.properties.id).toBe(`${emulator.url}/secrets/${name}/${set.properties.version}`)
    expect(set.properties.createdOn).toBeInstanceOf(Date)
    expect(await client.getSecret(name)).toEqual(set)
  })

  test('has versions', async () => {
    const name = freshName()
    const version = (await client.setSecret(name, 'one')).properties.version!
    await client.setSecret(name, 'two')
    expect((await client.getSecret(name)).value).toBe('two')
    expect((await client.getSecret(name, { version })).value).toBe('one')
    const versions = await all(client.listPropertiesOfSecretVersions(name))
    expect(versions).toHaveLength(2)
    expect(versions.map((each) => each.version)).toContain(version)
  })

  test('keeps attributes, unicode tags and 25 KB', async () => {
    const name = freshName()
    const options = {
      contentType: 'text/plain',
      enabled: true,
      notBefore: new Date('2020-01-01T00:00:00Z'),
      expiresOn: new Date('2037-12-31T00:00:00Z'),
      tags: { Größe: 'überall', 鍵: '🔑', empty: '' },
    }
    const value = 'ü'.repeat(12_800)
    await client.setSecret(name, value, options)
    const got = await client.getSecret(name)
    expect(got.value).toBe(value)
    expect(got.properties).toMatchObject(options)
  })

  test('updates what it names and nothing else', async () => {
    const name = freshName()
    const { version = '' } = (
      await client.setSecret(name, 'v', { contentType: 'a', tags: { b: 'c' } })
    ).properties
    const expiresOn = new Date('2037-12-31T00:00:00Z')
    await client.updateSecretProperties(name, version, { expiresOn })
    expect((await client.getSecret(name)).properties).toMatchObject({
      contentType: 'a',
      tags: { b: 'c' },
      expiresOn,
    })
    await client.updateSecretProperties(name, '', { tags: {} })
    expect((await client.getSecret(name)).properties.tags).toEqual({})
  })

  test('gets the value of an expired secret, and not of a disabled one', async () => {
    const name = freshName()
    await client.setSecret(name, 'old', { expiresOn: new Date('2020-01-01T00:00:00Z') })
    expect((await client.getSecret(name)).value).toBe('old')
    await client.updateSecretProperties(name, '', { enabled: false })
    await expect(client.getSecret(name)).rejects.toMatchObject({
      statusCode: 403,
      code: 'Forbidden',
      details: { error: { innerError: { code: 'SecretDisabled' } } },
    })
  })

  test('deletes, shows what is deleted, recovers and purges', async () => {
    const name = freshName()
    await client.setSecret(name, 'v')
    const deleted = await (await client.beginDeleteSecret(name)).pollUntilDone()
    expect(deleted).toMatchObject({
      name,
      recoveryId: `${emulator.url}/deletedsecrets/${name}`,
      properties: { deletedOn: expect.any(Date), scheduledPurgeDate: expect.any(Date) },
    })
    await expect(client.getSecret(name)).rejects.toMatchObject({
      statusCode: 404,
      code: 'SecretNotFound',
    })
    await expect(client.setSecret(name, 'w')).rejects.toMatchObject({
      statusCode: 409,
      code: 'Conflict',
      details: { error: { innerError: { code: 'ObjectIsDeletedButRecoverable' } } },
    })
    expect((await all(client.listDeletedSecrets())).map((each) => each.name)).toEqual([name])

    await (await client.beginRecoverDeletedSecret(name)).pollUntilDone()
    expect((await client.getSecret(name)).value).toBe('v')

    await (await client.beginDeleteSecret(name)).pollUntilDone()
    await client.purgeDeletedSecret(name)
    await expect(client.getDeletedSecret(name)).rejects.toMatchObject({ statusCode: 404 })
    await client.setSecret(name, 'anew')
  })

  test('backs up and restores, with every version', async () => {
    const name = freshName()
    const set = await client.setSecret(name, 'one', { tags: { a: 'b' } })
    const version = set.properties.version!
    await client.setSecret(name, 'two')
    const backup = await client.backupSecret(name)
    await expect(client.restoreSecretBackup(backup!)).rejects.toMatchObject({ statusCode: 409 })
    await (await client.beginDeleteSecret(name)).pollUntilDone()
    await client.purgeDeletedSecret(name)
    expect((await client.restoreSecretBackup(backup!)).name).toBe(name)
    expect((await client.getSecret(name)).value).toBe('two')
    expect((await client.getSecret(name, { version })).properties.tags).toEqual({ a: 'b' })
  })

  test('lists more secrets than fit a page', async () => {
    const paged = await startEmulator()
    const client = paged.sdk()
    const expected = Array.from({ length: 63 }, (_, i) => `many-${String(i).padStart(2, '0')}`)
    for (const name of expected) await paged.keyvault.setSecret(name, 'v')
    expect((await all(client.listPropertiesOfSecrets())).map(({ name }) => name)).toEqual(expected)
    const sizes: number[] = []
    for await (const page of client.listPropertiesOfSecrets().byPage({ maxPageSize: 10 })) {
      sizes.push(page.length)
    }
    expect(sizes).toEqual([10, 10, 10, 10, 10, 10, 3])
    for (const name of expected) await paged.keyvault.deleteSecret(name)
    expect(await all(client.listDeletedSecrets())).toHaveLength(63)
    expect(await all(client.listPropertiesOfSecrets())).toEqual([])
  })

  test('is told what is wrong', async () => {
    await expect(client.setSecret('not_a_name', 'v')).rejects.toMatchObject({
      statusCode: 400,
      code: 'BadParameter',
    })
    await expect(client.setSecret(freshName(), 'v'.repeat(25_601))).rejects.toMatchObject({
      statusCode: 400,
    })
    await expect(client.purgeDeletedSecret('nobody')).rejects.toMatchObject({ statusCode: 404 })
  })
})

describe('@azure/identity', () => {
  test.each([
    ['secret', { clientSecret: 'wrong' }, /AADSTS7000215/],
    ['tenant', { tenantId: 'elsewhere.example' }, /tenant|openid|endpoints/i],
    ['application', { clientId: 'somebody-else' }, /AADSTS700016/],
  ])('a wrong %s gets no token', async (_, as, message) => {
    const refused = emulator.sdk(as).getSecret('any')
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.not.toThrow(identity.clientSecret)
  })

  test('a client assertion will do', async () => {
    const { tenantId, clientId, clientSecret } = identity
    const credential = new ClientAssertionCredential(tenantId, clientId, async () => clientSecret, {
      authorityHost: emulator.url,
      disableInstanceDiscovery: true,
    })
    const client = new SecretClient(emulator.url, credential, sdkOptions)
    const name = freshName()
    await client.setSecret(name, 'v')
    expect((await client.getSecret(name)).value).toBe('v')
  })
})
