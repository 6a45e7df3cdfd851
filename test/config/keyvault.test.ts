import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createInfrastructure as onEdge } from '../../src/config/auto.edge.ts'
import { ConfigError, createInfrastructure as onNode } from '../../src/config/auto.node.ts'
import { CachedKeyVault } from '../../src/keyvault/cached.ts'
import { KeyVault } from '../../src/keyvault/index.ts'
import { json, serve } from '../chaos/http.ts'
import { engine, needs } from '../engines/index.ts'
import { identity, startEmulator, token } from '../gateway/keyvault-emulator.ts'

const emulator = await startEmulator()
const server = await engine('redis')

const vault = { KEYVAULT_URL: emulator.url, KEYVAULT_VERIFY_CHALLENGE: 'false' }
const application = {
  AZURE_TENANT_ID: identity.tenantId,
  AZURE_CLIENT_ID: identity.clientId,
  AZURE_CLIENT_SECRET: identity.clientSecret,
  AZURE_AUTHORITY_HOST: emulator.url,
}
const key = randomBytes(32).toString('base64')

function infrastructure(source: object) {
  const infra = onNode(source, { logger: false, retry: false })
  onTestFinished(() => infra.close())
  return infra
}

async function identityEndpoint(): Promise<object> {
  const endpoint = await serve((request, response) =>
    json({ access_token: request.headers['x-identity-header'], expires_on: '4000000000' })(
      request,
      response,
    ),
  )
  onTestFinished(() => endpoint.close())
  return { IDENTITY_ENDPOINT: endpoint.url, IDENTITY_HEADER: token }
}

async function tokenFile(): Promise<object> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'token')
  await writeFile(path, `${identity.clientSecret}\n`)
  const { AZURE_CLIENT_SECRET: _, ...rest } = application
  return { ...rest, AZURE_FEDERATED_TOKEN_FILE: path }
}

const { tenantId, clientId, clientSecret } = identity
const object = { url: emulator.url, verifyChallenge: false }

test.each<[string, string, () => object | Promise<object>]>([
  ['an application', 'azure-rest', () => ({ ...vault, ...application })],
  ['a federated token', 'azure-rest', async () => ({ ...vault, ...(await tokenFile()) })],
  ['a managed identity', 'azure-rest', async () => ({ ...vault, ...(await identityEndpoint()) })],
  [
    'the SDK and an application',
    'azure-sdk',
    () => ({ ...vault, ...application, KEYVAULT_ADAPTER: 'azure-sdk' }),
  ],
  [
    'the SDK and its own credential',
    'azure-sdk',
    () => ({ keyvault: { ...object, adapter: 'azure-sdk', credential: emulator.credential() } }),
  ],
  [
    'the SDK and a function',
    'azure-sdk',
    () => ({ keyvault: { ...object, adapter: 'azure-sdk', credential: () => token } }),
  ],
  [
    'an object with a function',
    'azure-rest',
    () => ({ keyvault: { ...object, credential: async () => token } }),
  ],
  [
    'an object with a secret that is a function',
    'azure-rest',
    () => ({
      keyvault: {
        ...object,
        ...{ tenantId, clientId, clientSecret: async () => clientSecret },
        authorityHost: emulator.url,
      },
    }),
  ],
  ['memory', 'memory', () => ({ KEYVAULT_URL: 'memory:' })],
  [
    'memory over all else',
    'memory',
    () => ({ ...vault, ...application, KEYVAULT_ADAPTER: 'memory' }),
  ],
])('the same program runs with %s', async (_, adapter, source) => {
  const infra = infrastructure(await source())
  await infra.warm()
  expect(infra.keyvault.adapter).toBe(adapter)
  expect(infra.describe()).toMatchObject({ keyvault: { adapter } })
  await infra.keyvault.setSecret('config-test', 'one')
  expect((await infra.keyvault.getSecret('config-test')).reveal()).toBe('one')
  expect(await infra.health.check()).toMatchObject({ keyvault: { status: 'healthy' } })
})

describe('the cache', () => {
  test('without a key there is none', () => {
    expect(infrastructure({ ...vault, ...application }).keyvault).toBeInstanceOf(KeyVault)
  })

  test('without a Redis it is in the process', async () => {
    const { keyvault } = infrastructure({ ...vault, ...application, KEYVAULT_CACHE_KEY: key })
    expect(keyvault).toBeInstanceOf(CachedKeyVault)
    await emulator.keyvault.setSecret('config-cached', 'one')
    expect((await keyvault.getSecret('config-cached')).reveal()).toBe('one')
    await emulator.keyvault.setSecret('config-cached', 'two')
    expect((await keyvault.getSecret('config-cached')).reveal()).toBe('one')
  })

  test('a vault in memory has none, whatever the key', () => {
    const { keyvault } = infrastructure({ KEYVAULT_URL: 'memory:', KEYVAULT_CACHE_KEY: key })
    expect(keyvault).toBeInstanceOf(KeyVault)
  })

  test('that there is no such secret is not believed for a moment, if its TTL is 0', async () => {
    const { keyvault } = infrastructure({
      keyvault: { ...object, credential: () => token, cacheKey: key, cacheNegativeTtlSeconds: 0 },
    })
    const missing = { code: 'KEYVAULT_NOT_FOUND' }
    await expect(keyvault.getSecret('config-late')).rejects.toMatchObject(missing)
    await emulator.keyvault.setSecret('config-late', 'one')
    expect((await keyvault.getSecret('config-late')).reveal()).toBe('one')
  })

  describe('over the Redis that is configured', needs(server), () => {
    test('processes share it, and it is sealed', async () => {
      const old = randomBytes(32).toString('hex')
      const source = { ...vault, ...application, REDIS_URL: server.url }
      await emulator.keyvault.setSecret('config-shared', 'value-of-the-tests')
      const one = infrastructure({ ...source, KEYVAULT_CACHE_KEY: old })
      await one.keyvault.getSecret('config-shared')
      // Which waits until it is in Redis.
      await one.close()
      await emulator.keyvault.setSecret('config-shared', 'another')
      const rotated = infrastructure({ ...source, KEYVAULT_CACHE_KEY: `${key},${old}` })
      const secret = await rotated.keyvault.getSecret('config-shared')
      expect(secret.reveal()).toBe('value-of-the-tests')
      const names: string[] = []
      for await (const name of rotated.redis.scan({ match: '*config-shared*' })) names.push(name)
      expect(names.length).toBeGreaterThan(0)
      expect((await rotated.redis.mget(names)).join()).not.toContain('value-of-the-tests')
      await rotated.redis.del(names)
    })
  })
})

/** The problems of a configuration, one line each; none if it is accepted. */
function problems(source: object, create = onNode): readonly string[] {
  try {
    create(source)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
  }
}

const azure = { KEYVAULT_URL: 'https://v.vault.azure.net' }

test.each<[string, object, RegExp]>([
  ['an unknown scheme', { KEYVAULT_URL: 'ftp://secret' }, /^KEYVAULT_URL: give it https/],
  ['credentials in the URL', { KEYVAULT_URL: 'https://u:secret@v' }, /^KEYVAULT_URL: give it/],
  ['a query', { KEYVAULT_URL: 'https://v/?secret' }, /^KEYVAULT_URL: give it/],
  [
    'http',
    { KEYVAULT_URL: 'http://127.0.0.1' },
    /^KEYVAULT_URL: give it https.*KEYVAULT_ALLOW_HTTP/,
  ],
  [
    'http to another machine',
    { KEYVAULT_URL: 'http://v.example', KEYVAULT_ALLOW_HTTP: 'true' },
    /^KEYVAULT_URL: give it https/,
  ],
  ['an adapter alone', { KEYVAULT_ADAPTER: 'azure-rest' }, /^KEYVAULT_URL: set it/],
  ['an unknown adapter', { ...azure, KEYVAULT_ADAPTER: 'secret' }, /^KEYVAULT_ADAPTER: give it/],
  [
    'an adapter for another scheme',
    { KEYVAULT_URL: 'memory:', KEYVAULT_ADAPTER: 'azure-sdk' },
    /^KEYVAULT_ADAPTER: unset it/,
  ],
  [
    'a secret without an application',
    { ...azure, AZURE_CLIENT_SECRET: 'secret' },
    /^AZURE_CLIENT_ID: set it; AZURE_CLIENT_SECRET/,
  ],
  [
    'a token file without an application',
    { ...azure, AZURE_FEDERATED_TOKEN_FILE: '/secret' },
    /^AZURE_CLIENT_ID: set it; AZURE_FEDERATED_TOKEN_FILE/,
  ],
  ['an impossible tenant', { ...azure, AZURE_TENANT_ID: '../secret' }, /^AZURE_TENANT_ID: give it/],
  [
    'an authority over http',
    { ...azure, AZURE_AUTHORITY_HOST: 'http://secret' },
    /^AZURE_AUTHORITY_HOST: give it https/,
  ],
  [
    'a path for the SDK',
    { KEYVAULT_URL: 'https://v/secret', KEYVAULT_ADAPTER: 'azure-sdk' },
    /^KEYVAULT_URL: take the path/,
  ],
  [
    'a credential of the SDK for azure-rest',
    { keyvault: { url: 'https://v', credential: { getToken: async () => null } } },
    /^keyvault\.credential: give it a function/,
  ],
  [
    'a setting of azure-rest for the SDK',
    { keyvault: { url: 'https://v', adapter: 'azure-sdk', apiVersion: '7.6' } },
    /^keyvault\.apiVersion: unset it/,
  ],
  [
    'a cache without a key',
    { ...azure, KEYVAULT_CACHE_TTL_SECONDS: '60' },
    /^KEYVAULT_CACHE_KEY: set it, since KEYVAULT_CACHE_TTL_SECONDS/,
  ],
  [
    'a lock without a key',
    { ...azure, KEYVAULT_CACHE_LOCK: 'true' },
    /^KEYVAULT_CACHE_KEY: set it/,
  ],
  [
    'a key that is short',
    { ...azure, KEYVAULT_CACHE_KEY: 'secret' },
    /^KEYVAULT_CACHE_KEY: give it 32/,
  ],
  [
    'one of two that is',
    { ...azure, KEYVAULT_CACHE_KEY: `${key},secret` },
    /^KEYVAULT_CACHE_KEY: give it 32/,
  ],
  ['a cache without a vault', { KEYVAULT_CACHE_KEY: key }, /^KEYVAULT_URL: set it/],
  [
    'a TTL of nothing',
    { ...azure, KEYVAULT_CACHE_KEY: key, KEYVAULT_CACHE_TTL_SECONDS: '0' },
    /^KEYVAULT_CACHE_TTL_SECONDS: give it/,
  ],
  [
    'a TTL beyond the hard one',
    { ...azure, KEYVAULT_CACHE_KEY: key, KEYVAULT_CACHE_TTL_SECONDS: '86400' },
    /^KEYVAULT_CACHE_HARD_TTL_SECONDS: set it to no less/,
  ],
  ['a slip in a name', { KEYVALT_URL: azure.KEYVAULT_URL }, /^KEYVALT_URL: rename it/],
  [
    'no such setting',
    { keyvault: { url: 'memory:', secret: 1 } },
    /^keyvault\.secret: take it out/,
  ],
])('%s is one problem', (_, source, wanted) => {
  const lines = problems(source)
  expect(lines).toEqual([expect.stringMatching(wanted)])
  expect(lines.join().replaceAll('keyvault.secret', '')).not.toMatch(/\bsecret\b(?!-)/)
})

test.each<[string, object, string | undefined]>([
  ['a vault of Azure', azure, 'azure-rest v.vault.azure.net'],
  [
    'the same through the SDK',
    { ...azure, KEYVAULT_ADAPTER: 'azure-sdk' },
    'azure-sdk v.vault.azure.net',
  ],
  [
    'http on this machine',
    { KEYVAULT_URL: 'http://127.0.0.1:1/keyvault', KEYVAULT_ALLOW_HTTP: '1' },
    'azure-rest 127.0.0.1:1/keyvault',
  ],
  [
    'a key of two',
    { ...azure, KEYVAULT_CACHE_KEY: `${key},${'0f'.repeat(32)}` },
    'azure-rest v.vault.azure.net',
  ],
  [
    'keys of bytes',
    { keyvault: { url: azure.KEYVAULT_URL, cacheKey: [randomBytes(32)] } },
    'azure-rest v.vault.azure.net',
  ],
  [
    'what Azure sets everywhere',
    { ...application, IDENTITY_ENDPOINT: 'http://127.0.0.1:1', IDENTITY_HEADER: 'h' },
    undefined,
  ],
  ['names of somebody else', { AZURE_CLIENT_IDS: 'a', IDENTITY_HEADERS: 'b' }, undefined],
])('%s is accepted', (_, source, wanted) => {
  const { keyvault } = onNode(source).describe()
  expect(keyvault && `${keyvault.adapter} ${keyvault.resource}`).toBe(wanted)
})

test('the SDK is refused by name where it cannot run', () => {
  expect(problems({ ...azure, KEYVAULT_ADAPTER: 'azure-sdk' }, onEdge)).toEqual([
    'KEYVAULT_ADAPTER: unset it; this runtime cannot use azure-sdk',
  ])
  expect(problems({ ...azure, ...application }, onEdge)).toEqual([])
})

test('what is not configured is said when it is used', () => {
  expect(() => onNode(application).keyvault).toThrow(/KEYVAULT_URL: set it/)
  expect(onNode({}, { embedded: true }).keyvault.adapter).toBe('memory')
})
