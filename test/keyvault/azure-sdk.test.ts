import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { type AzureSdkOptions, azureSdk } from '../../adapters/keyvault/azure-sdk.ts'
import { isInfraError } from '../../src/core/index.ts'
import { serveKeyVault } from '../../src/gateway/index.ts'
import {
  KeyVault,
  type KeyVaultOptions,
  VaultError,
  whyUnusable,
} from '../../src/keyvault/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { sdkOptions, startEmulator } from '../gateway/keyvault-emulator.ts'

const secret = 'tell-nobody'

type Handler = (request: Request) => Response | Promise<Response> | undefined

/** Answers before the emulator does, if it gives anything. The challenge that comes first is left alone. */
let interfere: Handler | undefined
/** What was asked with a token. */
let seen: string[] = []

const emulator = await startEmulator()
const vault = await serveKeyVault({
  emulator: {
    fetch(request) {
      if (request.headers.has('authorization')) {
        seen.push(`${request.method} ${new URL(request.url).pathname}`)
        const answer = interfere?.(request)
        if (answer !== undefined) return answer
      }
      return emulator.emulator.fetch(request)
    },
  },
  port: 0,
})
// The emulator's certificate is trusted by default; this server has one of its own.
const clientOptions = { ...sdkOptions, tlsOptions: { ca: vault.certificate } }
const credential = emulator.credential()

function connect(
  options: AzureSdkOptions = { url: vault.url, credential, clientOptions },
  more: KeyVaultOptions = {},
): KeyVault {
  const keyvault = new KeyVault(azureSdk(options), { retry: false, logger: false, ...more })
  afterAll(() => keyvault.close())
  return keyvault
}

afterAll(() => vault.close())

const keyvault = connect()

/** While `work` runs. */
async function interfering<T>(handler: Handler, work: () => Promise<T>): Promise<T> {
  // With a token at hand, so that the next request is the one that is meant.
  await keyvault.health()
  seen = []
  interfere = handler
  try {
    return await work()
  } finally {
    interfere = undefined
  }
}

let names = 0
const freshName = () => `adapter-${names++}`

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('a secret', () => {
  test('is set, read, by version too, and listed', async () => {
    const name = freshName()
    const given = {
      contentType: 'text/plain',
      notBefore: new Date('2020-01-01T00:00:00Z'),
      expiresOn: new Date('2037-12-31T00:00:00Z'),
      tags: { Größe: 'überall', 鍵: '🔑' },
    }
    const first = await keyvault.setSecret(name, secret, given)
    const second = await keyvault.setSecret(name, 'ü'.repeat(12_800))
    expect(first).toMatchObject({
      name,
      enabled: true,
      ...given,
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
      createdOn: expect.any(Date),
      updatedOn: expect.any(Date),
    })
    expect((await keyvault.getSecret(name)).reveal()).toBe('ü'.repeat(12_800))
    expect(await keyvault.getSecret(name, { version: first.version })).toEqual(first)
    const versions = (await all(keyvault.listVersions(name))).map(({ version }) => version)
    expect(versions.sort()).toEqual([first.version, second.version].sort())
  })

  test('is updated, deleted, recovered, purged, backed up and restored', async () => {
    const name = freshName()
    await keyvault.setSecret(name, 'v', { tags: { a: 'b' } })
    const updated = await keyvault.updateSecret(name, { contentType: 'x' })
    expect(updated).toMatchObject({ contentType: 'x', tags: { a: 'b' } })
    const backup = await keyvault.backupSecret(name)

    const deleted = await keyvault.deleteSecret(name)
    expect(deleted).toMatchObject({ name, deletedOn: expect.any(Date) })
    expect(await keyvault.getDeletedSecret(name)).toEqual(deleted)
    expect((await all(keyvault.listDeletedSecrets())).map((each) => each.name)).toEqual([name])
    expect(await keyvault.recoverSecret(name)).toMatchObject({ name, contentType: 'x' })

    await keyvault.deleteSecret(name)
    await keyvault.purgeSecret(name)
    expect(await keyvault.restoreSecret(backup)).toMatchObject({ name, tags: { a: 'b' } })
    expect((await keyvault.getSecret(name)).reveal()).toBe('v')
  })

  test('is deleted and recovered by one request each, if nobody waits', async () => {
    const name = freshName()
    await keyvault.setSecret(name, 'v')
    await interfering(
      () => undefined,
      async () => {
        await keyvault.deleteSecret(name, { wait: false })
        await keyvault.recoverSecret(name, { wait: false })
      },
    )
    expect(seen).toEqual([`DELETE /secrets/${name}`, `POST /deletedsecrets/${name}/recover`])
  })

  test('is on a page that a continuation leads to', async () => {
    const paged = await startEmulator()
    const client = connect({
      url: paged.url,
      credential: paged.credential(),
      clientOptions: sdkOptions,
    })
    const expected = Array.from({ length: 61 }, (_, i) => `many-${String(i).padStart(2, '0')}`)
    for (const name of expected) await paged.keyvault.setSecret(name, 'v')
    expect((await all(client.listSecrets())).map(({ name }) => name)).toEqual(expected)
    const first = await client.listSecrets({ pageSize: 10 }).page()
    expect(first.items).toHaveLength(10)
    const second = await client.listSecrets({ pageSize: 10 }).page(first.continuation)
    expect(second.items.map(({ name }) => name)).toEqual(expected.slice(10, 20))
  })
})

test('a client that one has already will do', async () => {
  const client = emulator.sdk()
  const keyvault = connect({ client })
  const name = freshName()
  await keyvault.setSecret(name, 'v')
  expect((await keyvault.getSecret(name)).reveal()).toBe('v')
  expect(await keyvault.native()).toBe(client)
})

describe('failures', () => {
  test.each([
    ['disabled', { enabled: false }],
    ['expired', { expiresOn: new Date('2020-01-01T00:00:00Z') }],
    ['not-yet-valid', { notBefore: new Date('2037-01-01T00:00:00Z') }],
  ])('a secret that is %s', async (why, attributes) => {
    const name = freshName()
    await keyvault.setSecret(name, 'v', attributes)
    const error = await keyvault.getSecret(name).catch((error: unknown) => error)
    expect([isInfraError(error, 'forbidden'), whyUnusable(error)]).toEqual([true, why])
  })

  test('no such secret, and one that is deleted', async () => {
    const name = freshName()
    await expect(keyvault.getSecret(name)).rejects.toMatchObject({
      kind: 'not-found',
      native: { status: 404, code: 'SecretNotFound' },
    })
    await keyvault.setSecret(name, 'v')
    await keyvault.deleteSecret(name)
    await expect(keyvault.setSecret(name, 'v')).rejects.toMatchObject({
      kind: 'conflict',
      outcome: 'not-applied',
      native: { status: 409, code: 'ObjectIsDeletedButRecoverable' },
    })
  })

  test.each<[string, Response, object]>([
    [
      '429',
      Response.json(
        { error: { code: 'Throttled', message: '' } },
        { status: 429, headers: { 'retry-after': '7' } },
      ),
      { kind: 'throttled', outcome: 'not-applied', retryAfterMs: 7000 },
    ],
    [
      '503 without a body',
      new Response(null, { status: 503 }),
      { kind: 'unavailable', outcome: 'unknown' },
    ],
    [
      "a proxy's page",
      new Response('<html>', { status: 502, headers: { 'content-type': 'text/html' } }),
      { kind: 'unavailable', outcome: 'unknown' },
    ],
    [
      'a redirect',
      new Response(null, { status: 307, headers: { location: '/elsewhere' } }),
      { kind: 'config', outcome: 'not-applied' },
    ],
    [
      'what is no JSON',
      new Response(`{"value":"${secret}"`, { headers: { 'content-type': 'application/json' } }),
      { kind: 'internal', outcome: 'unknown' },
    ],
    ['no secret', Response.json({}), { kind: 'internal', outcome: 'unknown' }],
  ])('%s is one try', async (_, response, expected) => {
    const error = await interfering(
      () => response,
      () => keyvault.setSecret(freshName(), secret).catch((error: unknown) => error),
    )
    expect(error).toMatchObject(expected)
    expect(seen).toHaveLength(1)
    expect(inspect(error) + inspect((error as { native: unknown }).native)).not.toContain(secret)
  })

  test('a cut connection leaves open what became of a write', async () => {
    const proxy = await startProxy(Number(new URL(vault.url).port))
    onTestFinished(() => proxy.close())
    const url = `https://127.0.0.1:${proxy.port}`
    const cut = connect({ url, credential, clientOptions })
    await cut.health()
    await proxy.setMode('cut')
    const name = freshName()
    seen = []
    await expect(cut.setSecret(name, secret)).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
    })
    expect(seen).toEqual([`PUT /secrets/${name}`])
    expect((await keyvault.getSecret(name)).reveal()).toBe(secret)
  })

  test('a caller that gives up also stops the request', async () => {
    const controller = new AbortController()
    let stopped: Promise<unknown> | undefined
    const error = await interfering(
      ({ signal }) => {
        stopped = once(signal, 'abort')
        controller.abort()
        return stopped.then(() => new Response())
      },
      () =>
        keyvault.getSecret('any', { signal: controller.signal }).catch((error: unknown) => error),
    )
    expect(error).toMatchObject({ kind: 'aborted' })
    await stopped
  })

  test('the next page is not asked for at another host', async () => {
    const nextLink = 'https://127.0.0.1:1/secrets?$skiptoken=a'
    const page = await interfering(
      () => Response.json({ value: [], nextLink }),
      () => keyvault.listSecrets().page(),
    )
    expect(page.continuation).toBe(nextLink)
    await expect(keyvault.listSecrets().page(nextLink)).rejects.toMatchObject({
      kind: 'internal',
      message: expect.stringContaining('another host'),
    })
  })

  test('a wrong secret of the application', async () => {
    const { credential } = emulator
    const wrong = connect({
      url: vault.url,
      credential: credential({ clientSecret: 'wrong-secret' }),
      clientOptions,
    })
    const error = await wrong.setSecret(freshName(), secret).catch((error: unknown) => error)
    expect(error).toMatchObject({
      kind: 'unauthenticated',
      outcome: 'not-applied',
      message: expect.stringContaining('AADSTS7000215'),
    })
    expect(inspect(error)).not.toMatch(/wrong-secret|tell-nobody/)
  })

  test('a host that asks for the token of another', async () => {
    const { disableChallengeResourceVerification: _, ...options } = clientOptions
    const strict = connect({ url: vault.url, credential, clientOptions: options })
    await expect(strict.setSecret(freshName(), secret)).rejects.toMatchObject({
      kind: 'config',
      outcome: 'not-applied',
      message: expect.stringContaining('not for it'),
    })
  })

  test('a certificate that is not trusted', async () => {
    const tlsOptions = { ca: emulator.certificate }
    const distrusting = connect({
      url: vault.url,
      credential,
      clientOptions: { ...clientOptions, tlsOptions },
    })
    await expect(distrusting.setSecret(freshName(), secret)).rejects.toMatchObject({
      kind: 'config',
      outcome: 'not-applied',
      message: expect.stringContaining('TLS'),
    })
  })

  test('nobody there', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const nobody = connect({ url: `https://127.0.0.1:${port}`, credential, clientOptions })
    await expect(nobody.setSecret(freshName(), secret)).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
  })

  test('an instant that the SDK would garble', async () => {
    const expiresOn = new Date('2038-01-20T00:00:00Z')
    await expect(keyvault.setSecret(freshName(), 'v', { expiresOn })).rejects.toMatchObject({
      kind: 'unsupported',
      outcome: 'not-applied',
    })
  })
})

test('a vault that forbids to list is healthy, one that is away is not', async () => {
  const answering = (status: number, code: string) => () =>
    Response.json({ error: { code, message: '' } }, { status })
  await interfering(answering(403, 'Forbidden'), () => keyvault.health())
  await expect(
    interfering(answering(503, 'ServiceUnavailable'), () => keyvault.health()),
  ).rejects.toMatchObject({ kind: 'unavailable', native: expect.any(VaultError) })
})

test.each<[string, object]>([
  ['url', {}],
  ['url', { url: 'vault' }],
  ['url', { url: 'http://127.0.0.1' }],
  ['url', { url: `https://u:${secret}@127.0.0.1` }],
  ['url', { url: 'https://127.0.0.1/path' }],
  ['credential', { url: 'https://127.0.0.1', credential: secret }],
  ['client', { client: {} }],
  ['client', { client: undefined }],
  ['unknown', { url: 'https://127.0.0.1', token: secret }],
])('a bad %s is said at once: %j', (name, options) => {
  const error = (() => {
    try {
      return azureSdk(options as AzureSdkOptions)
    } catch (error) {
      return error
    }
  })()
  expect(error).toMatchObject({ code: 'KEYVAULT_CONFIG', message: expect.stringContaining(name) })
  expect(inspect(error)).not.toContain(secret)
})
