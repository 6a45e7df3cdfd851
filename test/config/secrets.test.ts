import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ConfigError, createInfrastructure, resolveSecrets } from '../../src/config/auto.node.ts'
import { CachedKeyVault } from '../../src/keyvault/cached.ts'
import { startWorker } from '../edge/worker.ts'
import { needs } from '../engines/index.ts'
import { identity, startEmulator } from '../gateway/keyvault-emulator.ts'
import { serveHttp } from '../keyvault/emulator.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'

const emulator = await startEmulator()
const gateway = await gatewayOverRedis()

const vault = {
  KEYVAULT_URL: emulator.url,
  KEYVAULT_VERIFY_CHALLENGE: 'false',
  AZURE_TENANT_ID: identity.tenantId,
  AZURE_CLIENT_ID: identity.clientId,
  AZURE_CLIENT_SECRET: identity.clientSecret,
  AZURE_AUTHORITY_HOST: emulator.url,
}
const value = 'value-of-the-tests'
const first = await emulator.keyvault.setSecret('config-a', 'the first')
await emulator.keyvault.setSecret('config-a', value)
await emulator.keyvault.setSecret('config-b', 'keyvault:config-a')
await emulator.keyvault.setSecret('config-off', value, { enabled: false })
await emulator.keyvault.setSecret('config-token', gateway.token)
await emulator.keyvault.setSecret('config-key', randomBytes(32).toString('base64'))

const asked = vi.spyOn(emulator.keyvault, 'getSecret')
afterEach(() => asked.mockClear())

const quiet = { logger: false, retry: false } as const

async function failureOf(source: object) {
  const error: unknown = await resolveSecrets(source, quiet).then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(value)
  return error as ConfigError
}

test('a reference is the value of the secret, everything else is as it was', async () => {
  const source = {
    ...vault,
    STRIPE_KEY: 'keyvault:config-a',
    OLD_KEY: `keyvault:config-a/${first.version}`,
    OTHER: 'a keyvault:config-a',
    BINDING: new Map([['a', 'keyvault:config-a']]),
    call: () => 1,
    number: 7,
    nothing: undefined,
  }
  const before = { ...source }
  const resolved = await resolveSecrets(source, quiet)
  expect(resolved).toEqual({ ...source, STRIPE_KEY: value, OLD_KEY: 'the first' })
  expect([resolved.BINDING, resolved.call]).toEqual([source.BINDING, source.call])
  expect(source).toEqual(before)
})

test('settings by backend have them, too, however deep', async () => {
  const { KEYVAULT_URL: url, AZURE_CLIENT_SECRET: clientSecret } = vault
  const resolved = await resolveSecrets(
    {
      keyvault: { ...identity, url, clientSecret, verifyChallenge: false, authorityHost: url },
      redis: { host: 'h', password: 'keyvault:config-a', tls: { ca: ['keyvault:config-b'] } },
    },
    quiet,
  )
  expect(resolved.redis).toEqual({
    host: 'h',
    password: value,
    tls: { ca: ['keyvault:config-a'] },
  })
})

test('each secret is asked for once, and what it holds is not resolved again', async () => {
  const resolved = await resolveSecrets(
    { ...vault, A: 'keyvault:config-b', B: 'keyvault:config-b', C: 'keyvault:config-b' },
    quiet,
  )
  expect(resolved).toMatchObject({ A: 'keyvault:config-a', B: 'keyvault:config-a' })
  expect(asked).toHaveBeenCalledTimes(1)
})

test('without a reference nothing is asked, and no vault is needed', async () => {
  const source = { REDIS_URL: 'redis://host' }
  expect(await resolveSecrets(source)).toBe(source)
  expect(await resolveSecrets(process.env)).toBe(process.env)
  expect(asked).not.toHaveBeenCalled()
})

test('the key of the cache may be in the vault', async () => {
  const source = { ...vault, KEYVAULT_CACHE_KEY: 'keyvault:config-key' }
  const infra = createInfrastructure(await resolveSecrets(source, quiet), quiet)
  onTestFinished(() => infra.close())
  expect(infra.keyvault).toBeInstanceOf(CachedKeyVault)
})

test('every variable whose secret cannot be read is one line', async () => {
  const error = await failureOf({
    ...vault,
    FINE: 'keyvault:config-a',
    GONE: 'keyvault:config-none',
    ALSO: 'keyvault:config-none',
    OFF: 'keyvault:config-off',
    redis: { password: `keyvault:config-a/${'f'.repeat(32)}` },
  })
  expect(error).toBeInstanceOf(ConfigError)
  const none = 'keyvault getSecret: there is no such secret or version'
  expect(error.problems.toSorted()).toEqual([
    `ALSO: name a secret that can be read (${none})`,
    `GONE: name a secret that can be read (${none})`,
    'OFF: name a secret that can be read (keyvault getSecret: the secret is disabled)',
    `redis.password: name a secret that can be read (${none})`,
  ])
})

test.each([
  'keyvault:',
  'keyvault:a b',
  'keyvault:a/',
  'keyvault:a/b/c',
  'keyvault:ä',
])('%s is no reference', async (text) => {
  const { problems } = await failureOf({ ...vault, REDIS_TOKEN: text })
  expect(problems).toEqual(['REDIS_TOKEN: write it as keyvault:name or keyvault:name/version'])
  expect(asked).not.toHaveBeenCalled()
})

test('a vault that is not configured, or badly, is said before anything is asked', async () => {
  const reference = { REDIS_TOKEN: 'keyvault:config-a' }
  expect((await failureOf(reference)).problems).toEqual([
    'KEYVAULT_URL: set it, since REDIS_TOKEN names a secret',
  ])
  expect((await failureOf({ ...vault, ...reference, KEYVAULT_URL: 'ftp://v' })).problems).toEqual([
    expect.stringMatching(/^KEYVAULT_URL: give it https/),
  ])
  expect(asked).not.toHaveBeenCalled()
})

test('the vault is not opened with what is in it', async () => {
  const { problems } = await failureOf({ ...vault, AZURE_CLIENT_SECRET: 'keyvault:config-a' })
  expect(problems).toEqual(['AZURE_CLIENT_SECRET: give it as it is; the vault is opened with it'])
})

test('a vault that gives no answer, or none to these credentials, is no mistake of a variable', async () => {
  const reference = { REDIS_TOKEN: 'keyvault:config-a' }
  const down = { ...vault, ...reference, KEYVAULT_URL: 'https://127.0.0.1:1' }
  expect(await failureOf(down)).toMatchObject({ code: 'KEYVAULT_UNAVAILABLE', retryable: true })
  const stranger = { ...vault, ...reference, AZURE_CLIENT_SECRET: 'wrong' }
  expect(await failureOf(stranger)).toMatchObject({
    code: 'KEYVAULT_UNAUTHENTICATED',
    message: expect.stringContaining('AADSTS7000215'),
  })
})

describe('a token from the vault opens a Redis', needs(gateway), () => {
  const redis = { REDIS_URL: gateway.url, REDIS_TOKEN: 'keyvault:config-token' }

  test('on Node', async () => {
    const infra = createInfrastructure(await resolveSecrets({ ...vault, ...redis }, quiet), quiet)
    onTestFinished(() => infra.close())
    await infra.warm()
    expect(await infra.redis.set('config:secrets', 'v', { ttlSeconds: 60 })).toBe(true)
  })

  test('in a Worker, for several requests at once', async () => {
    await emulator.keyvault.setSecret('config-own', value)
    const { url } = await serveHttp(emulator.keyvault)
    const worker = await startWorker(new URL('./secrets.worker.ts', import.meta.url), {
      ...vault,
      ...redis,
      KEYVAULT_URL: url,
      AZURE_AUTHORITY_HOST: url,
      KEYVAULT_ALLOW_HTTP: 'true',
    })
    const replies = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(worker.url)).json()),
    )
    expect(replies).toEqual(Array(20).fill({ value: 'v', secret: value }))
  })
})
