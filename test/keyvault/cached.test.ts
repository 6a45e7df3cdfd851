import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, describe, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest'
import { azureRest } from '../../adapters/keyvault/azure-rest.ts'
import { memory } from '../../adapters/keyvault/memory.ts'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import { memory as memoryRedis } from '../../adapters/redis/memory.ts'
import { DriverFailure, type InfraError, isInfraError } from '../../src/core/index.ts'
import {
  type CachedKeyVault,
  type CachedOptions,
  cached,
  type KeyVaultClient,
} from '../../src/keyvault/cached.ts'
import { KeyVault, type KeyVaultDriver, whyUnusable } from '../../src/keyvault/index.ts'
import { Clock, counters, eventually, freshPrefix } from '../cache/fixture.ts'
import { json, serve } from '../chaos/http.ts'
import { engine, needs } from '../engines/index.ts'
import { client } from '../redis/failures.ts'

const server = await engine('redis')

const key = randomBytes(32)
const value = 'value-of-the-tests'
const softTtlMs = 300_000

/** A vault with one secret, a cache before it, and what the vault was asked for. */
async function setUp(options: CachedOptions = {}) {
  const driver = memory()
  const asked = vi.spyOn(driver, 'getSecret')
  const keyvault = new KeyVault(driver, { logger: false, retry: false, breaker: false })
  const first = await keyvault.setSecret('db-password', value, { tags: { team: 'ä' } })
  const clock = new Clock()
  clock.now = Date.now()
  const process = (more: CachedOptions = {}) => {
    const vault = new KeyVault(driver, { logger: false, retry: false, breaker: false })
    const secrets = cached(vault, { clock: clock.read, ...options, ...more })
    onTestFinished(() => secrets.close())
    return secrets
  }
  return { driver, asked, keyvault, first, clock, process, secrets: process() }
}

async function failureOf(call: Promise<unknown>): Promise<InfraError> {
  const error: unknown = await call.then(
    () => 'it succeeded',
    (error: unknown) => error,
  )
  if (!isInfraError(error)) throw new Error(`not an InfraError: ${error}`)
  return error
}

test('a secret is read once, each version of its own', async () => {
  const { asked, first, secrets } = await setUp()
  for (let i = 0; i < 3; i++) {
    const secret = await secrets.getSecret('db-password')
    expect(secret.reveal()).toBe(value)
    expect(secret).toMatchObject({ ...first, stale: false })
    await secrets.getSecret('db-password', { version: first.version })
  }
  expect(asked).toHaveBeenCalledTimes(2)
})

test('names that differ in case only are one name', async () => {
  const { asked, keyvault, secrets } = await setUp()
  await secrets.getSecret('DB-Password')
  await secrets.getSecret('db-password')
  expect(asked).toHaveBeenCalledTimes(1)
  await keyvault.setSecret('DB-PASSWORD', 'another')
  await secrets.invalidate('db-PASSWORD')
  expect((await secrets.getSecret('DB-Password')).reveal()).toBe('another')
})

test('what was written through it is what is read', async () => {
  const { first, secrets } = await setUp()
  const name = 'db-password'
  const current = async () => (await secrets.getSecret(name)).reveal()
  expect(await current()).toBe(value)
  const second = await secrets.setSecret(name, 'second')
  expect(await current()).toBe('second')
  await secrets.updateSecret(name, { tags: { changed: 'yes' } })
  expect((await secrets.getSecret(name)).tags).toEqual({ changed: 'yes' })
  await secrets.updateSecret(name, { version: second.version, enabled: false })
  expect(whyUnusable(await failureOf(secrets.getSecret(name)))).toBe('disabled')
  await secrets.updateSecret(name, { version: second.version, enabled: true })
  expect(await current()).toBe('second')

  await secrets.getSecret(name, { version: first.version })
  const backup = await secrets.backupSecret(name)
  await secrets.deleteSecret(name)
  expect(await failureOf(secrets.getSecret(name))).toMatchObject({ kind: 'not-found' })
  const { version } = first
  expect(await failureOf(secrets.getSecret(name, { version }))).toMatchObject({ kind: 'not-found' })
  await secrets.recoverSecret(name)
  expect(await current()).toBe('second')

  await secrets.deleteSecret(name)
  await secrets.purgeSecret(name)
  expect(await failureOf(secrets.getSecret(name))).toMatchObject({ kind: 'not-found' })
  await secrets.restoreSecret(backup)
  expect(await current()).toBe('second')
})

test('a write that may have been applied counts as one', async () => {
  const { driver, secrets } = await setUp()
  await secrets.getSecret('db-password')
  const set = driver.setSecret.bind(driver)
  vi.spyOn(driver, 'setSecret').mockImplementation(async (request, attempt) => {
    await set(request, attempt)
    throw new DriverFailure({ kind: 'unavailable' })
  })
  const failure = await failureOf(secrets.setSecret('db-password', 'second'))
  expect(failure.outcome).toBe('unknown')
  expect((await secrets.getSecret('db-password')).reveal()).toBe('second')
})

test('a secret that its user refused is read again', async () => {
  const { keyvault, secrets } = await setUp()
  await secrets.getSecret('db-password')
  await keyvault.setSecret('db-password', 'rotated elsewhere')
  expect((await secrets.getSecret('db-password')).reveal()).toBe(value)
  await secrets.invalidate('db-password')
  expect((await secrets.getSecret('db-password')).reveal()).toBe('rotated elsewhere')
})

test('that there is no such secret is kept for a short time, and said as the vault says it', async () => {
  const { asked, keyvault, clock, secrets } = await setUp()
  const plain = await failureOf(keyvault.getSecret('missing'))
  asked.mockClear()
  for (let i = 0; i < 3; i++) {
    const failure = await failureOf(secrets.getSecret('missing'))
    expect({ ...failure }).toEqual({ ...plain })
    expect(failure.message).toBe(plain.message)
    expect(failure.native).toMatchObject({ status: 404, code: 'SecretNotFound' })
  }
  expect(asked).toHaveBeenCalledTimes(1)
  await keyvault.setSecret('missing', 'here')
  clock.now += 10_000
  expect((await secrets.getSecret('missing')).reveal()).toBe('here')
})

test('a secret that is disabled, expired or not valid yet is asked for each time', async () => {
  const { asked, keyvault, secrets } = await setUp()
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000)
  await keyvault.setSecret('disabled', value, { enabled: false })
  await keyvault.setSecret('expired', value, { expiresOn: inDays(-1) })
  await keyvault.setSecret('not-yet-valid', value, { notBefore: inDays(1) })
  for (const name of ['disabled', 'expired', 'not-yet-valid']) {
    asked.mockClear()
    for (let i = 0; i < 2; i++) {
      const failure = await failureOf(secrets.getSecret(name))
      expect(failure).toMatchObject({ kind: 'forbidden' })
      expect(whyUnusable(failure)).toBe(name)
    }
    expect(asked).toHaveBeenCalledTimes(2)
  }
  const secret = await secrets.getSecret('expired', { ignoreValidity: true })
  expect(secret.reveal()).toBe(value)
})

test('a secret is not given beyond its expiry, though the vault is down', async () => {
  const { asked, keyvault, clock, secrets } = await setUp()
  const expiresOn = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000)
  await keyvault.setSecret('expiring', value, { expiresOn })
  await secrets.getSecret('expiring')
  asked.mockRejectedValue(new DriverFailure({ kind: 'unavailable' }))
  clock.now = expiresOn.getTime() - 1
  expect(await secrets.getSecret('expiring')).toMatchObject({ stale: true })
  clock.now = expiresOn.getTime()
  expect(await failureOf(secrets.getSecret('expiring'))).toMatchObject({ kind: 'unavailable' })
})

test('when the vault is down, the last value is given, and says that it is stale', async () => {
  const { asked, clock, secrets } = await setUp()
  await secrets.getSecret('db-password')
  asked.mockRejectedValue(new DriverFailure({ kind: 'unavailable' }))
  clock.now += softTtlMs * 1.1
  const secret = await secrets.getSecret('db-password')
  expect(secret.reveal()).toBe(value)
  expect(secret).toMatchObject({ name: 'db-password', tags: { team: 'ä' }, stale: true })
  expect(inspect(secret, { showHidden: true, depth: null })).not.toContain(value)
  clock.now += 28_800_000
  expect(await failureOf(secrets.getSecret('db-password'))).toMatchObject({
    code: 'KEYVAULT_UNAVAILABLE',
  })
})

test('several secrets: in order, each read once, the fate of each if one fails', async () => {
  const { asked, keyvault, secrets } = await setUp()
  await keyvault.setSecret('other', 'of other')
  for (let i = 0; i < 2; i++) {
    const all = await secrets.getSecrets(['other', 'db-password', { name: 'other' }])
    expect(all.map((secret) => secret.reveal())).toEqual(['of other', value, 'of other'])
  }
  expect(asked).toHaveBeenCalledTimes(2)
  const failure = await failureOf(secrets.getSecrets(['other', 'missing']))
  const plain = await failureOf(keyvault.getSecrets(['other', 'missing']))
  expect({ ...failure }).toEqual({ ...plain })
  expect(failure.message).toBe(plain.message)
  expect(failure.items).toMatchObject([
    { status: 'fulfilled', value: { name: 'other' } },
    { status: 'rejected', reason: { kind: 'not-found' } },
  ])
  expect(await secrets.getSecrets([])).toEqual([])
})

test('bad input is refused as without a cache', async () => {
  const { keyvault, secrets } = await setUp()
  type Call = (vault: KeyVaultClient) => Promise<unknown>
  const calls: Call[] = [
    (vault) => vault.getSecret(''),
    (vault) => vault.getSecret('not a name'),
    (vault) => vault.getSecret(42 as unknown as string),
    (vault) => vault.getSecret(undefined as unknown as string),
    (vault) => vault.getSecret('db-password', { version: 'not a version' }),
    (vault) => vault.getSecret('db-password', { wrong: 1 } as object),
    (vault) => vault.getSecret('db-password', 7 as unknown as object),
    (vault) => vault.getSecrets('db-password' as unknown as string[]),
    (vault) => vault.getSecrets([''], {}),
    (vault) => vault.getSecrets(['db-password'], { concurrency: 0 }),
    (vault) => vault.getSecrets(['db-password'], { wrong: 1 } as object),
    (vault) => vault.setSecret('db-password', ''),
    (vault) => vault.deleteSecret('not a name'),
    (vault) => vault.restoreSecret(new Uint8Array()),
  ]
  for (const call of calls) {
    const [plain, ours] = [await failureOf(call(keyvault)), await failureOf(call(secrets))]
    expect({ ...ours }).toEqual({ ...plain })
    expect(ours.message).toBe(plain.message)
    expect(ours.kind).toBe('invalid')
  }
})

test('everything else is what the vault has', async () => {
  const { keyvault, secrets } = await setUp()
  const names: string[] = []
  for await (const { name } of secrets.listSecrets()) names.push(name)
  expect(names).toEqual(['db-password'])
  expect((await secrets.listVersions('db-password').page()).items).toHaveLength(1)
  await secrets.deleteSecret('db-password')
  expect((await secrets.listDeletedSecrets().page()).items).toHaveLength(1)
  expect(await secrets.getDeletedSecret('db-password')).toMatchObject({ name: 'db-password' })
  await secrets.health()
  expect(secrets.adapter).toBe('memory')
  expect(secrets.resource).toBe(keyvault.resource)
  expect(secrets.capabilities).toBe(keyvault.capabilities)
  expect(await secrets.native()).toEqual(await keyvault.native())
  expectTypeOf<KeyVault>().toExtend<KeyVaultClient>()
  expectTypeOf<CachedKeyVault>().toExtend<KeyVaultClient>()
})

test('closing it closes the client of the vault, and leaves Redis open', async () => {
  const redis = client(memoryRedis())
  const { secrets } = await setUp({ redis, key })
  await secrets.getSecret('db-password')
  await secrets.close()
  await secrets.close()
  expect(secrets.closed).toBe(true)
  expect(await failureOf(secrets.getSecret('db-password'))).toMatchObject({
    code: 'KEYVAULT_CLOSED',
  })
  expect(await failureOf(secrets.listSecrets().page())).toMatchObject({ kind: 'closed' })
  await redis.health()
})

test('Redis without a key is refused, and so is a key that is none, without showing it', async () => {
  const keyvault = new KeyVault(memory(), { logger: false })
  const redis = client(memoryRedis())
  expect(() => cached(keyvault, { redis })).toThrow(
    expect.objectContaining({ code: 'KEYVAULT_CONFIG' }),
  )
  for (const wrong of ['', 'hunter2', []]) {
    expect(() => cached(keyvault, { redis, key: wrong })).toThrow(
      expect.objectContaining({
        code: 'CACHE_CONFIG',
        message: expect.not.stringContaining('hunter2'),
      }),
    )
  }
})

describe('over a real Redis', needs(server), () => {
  test('what one process has read, another has, with all its properties', async () => {
    const redis = client(ioredis({ url: server.url }))
    const prefix = freshPrefix()
    const { sink, counts } = counters()
    const { asked, keyvault, process } = await setUp({
      redis,
      key,
      prefix,
      metrics: sink,
      redisTimeoutMs: 5000,
    })
    await keyvault.setSecret('full', value, {
      expiresOn: new Date('2100-01-01T00:00:00Z'),
      notBefore: new Date('2020-01-01T00:00:00Z'),
      contentType: 'text/plain',
      tags: { ключ: '値', __proto__x: '' },
    })
    const [one, other] = [process(), process()]
    const first = await one.getSecret('full')
    await eventually(async () => expect((await all(redis, prefix)).size).toBeGreaterThan(0))
    const second = await other.getSecret('full')
    expect(asked).toHaveBeenCalledTimes(1)
    expect(counts.get('cache_requests_total{keyvault,shared}')).toBe(1)
    expect({ ...second }).toEqual({ ...first })
    expect(second.reveal()).toBe(value)
  })

  test('a write in one process is what another reads', async () => {
    const redis = client(ioredis({ url: server.url }))
    const { process } = await setUp({ redis, key, prefix: freshPrefix(), redisTimeoutMs: 5000 })
    const [one, other] = [process(), process()]
    await other.getSecret('db-password')
    await one.setSecret('DB-password', 'second')
    await eventually(async () => {
      expect((await other.getSecret('db-password')).reveal()).toBe('second')
    })
    await one.deleteSecret('db-password')
    await eventually(async () => {
      expect(await failureOf(other.getSecret('db-password'))).toMatchObject({ kind: 'not-found' })
    })
  })

  test('no value is in Redis or in a log', async () => {
    const log: string[] = []
    const keep = (...record: unknown[]) => void log.push(inspect(record, { depth: null }))
    const logger = { debug: keep, info: keep, warn: keep, error: keep }
    const redis = client(ioredis({ url: server.url }), { logger, logSuccess: true })
    const prefix = freshPrefix()
    const keyvault = new KeyVault(memory(), { logger, logSuccess: true })
    const secrets = cached(keyvault, { redis, key, prefix, lock: true, redisTimeoutMs: 5000 })
    onTestFinished(() => secrets.close())
    const values = Array.from({ length: 20 }, (_, i) => `plain-text-${i}-of-the-tests`)
    await Promise.all(values.map((value, i) => secrets.setSecret(`s${i}`, value)))
    for (let i = 0; i < 20; i++) expect((await secrets.getSecret(`s${i}`)).reveal()).toBe(values[i])
    const stored = await eventually(async () => {
      const found = await all(redis, prefix)
      expect([...found.keys()].filter((name) => name.endsWith(':value:'))).toHaveLength(20)
      return found
    })
    for (const text of stored.values()) {
      for (const encoding of ['utf8', 'base64', 'hex'] as const) {
        expect(Buffer.from(text, encoding).includes('of-the-tests')).toBe(false)
        expect(Buffer.from(text, encoding).includes(key)).toBe(false)
      }
    }
    expect(log.join('\n')).toContain('operation_completed')
    expect(log.join('\n')).not.toContain('of-the-tests')
  })

  test('Redis that is given a value of another vault is not believed', async () => {
    const redis = client(ioredis({ url: server.url }))
    const prefix = freshPrefix()
    const { sink, counts } = counters()
    const vaults = await Promise.all(
      ['of one vault', 'of another vault'].map(async (value) => {
        const http = await serve((request, response) => {
          const answer =
            request.headers.authorization === undefined
              ? json({}, 401, { 'www-authenticate': 'Bearer resource="https://vault.azure.net"' })
              : json({ value, id: `${http.url}/secrets/a/0123456789abcdef`, attributes: {} })
          return answer(request, response)
        })
        afterAll(() => http.close())
        const credential = async () => 'token-of-the-tests'
        const driver: KeyVaultDriver = azureRest({
          url: http.url,
          allowHttp: true,
          verifyChallenge: false,
          credential,
        })
        const secrets = () => {
          const keyvault = new KeyVault(driver, { logger: false })
          return cached(keyvault, { redis, key, prefix, metrics: sink, redisTimeoutMs: 5000 })
        }
        const name = `${prefix}${driver.resource}:{a}:value:`
        const first = secrets()
        onTestFinished(() => first.close())
        expect((await first.getSecret('a')).reveal()).toBe(value)
        const sealed = await eventually(async () => {
          const text = await redis.get(name)
          expect(text).not.toBeNull()
          return text as string
        })
        return { name, sealed, secrets }
      }),
    )
    const [one, another] = vaults
    await redis.set(one!.name, another!.sealed)
    const secrets = one!.secrets()
    onTestFinished(() => secrets.close())
    expect((await secrets.getSecret('a')).reveal()).toBe('of one vault')
    expect(counts.get('cache_dropped_total{keyvault,tampered}')).toBe(1)
  })
})

async function all(redis: ReturnType<typeof client>, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const name of redis.scan({ match: `${prefix}*`, count: 1000 })) {
    found.set(name, (await redis.get(name)) ?? '')
  }
  return found
}
