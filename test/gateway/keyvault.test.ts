import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { azureRest, clientSecret } from '../../adapters/keyvault/azure-rest.ts'
import { memory } from '../../adapters/keyvault/memory.ts'
import { sqlite } from '../../adapters/keyvault/sqlite.ts'
import {
  createGateway,
  createKeyVaultEmulator,
  type KeyVaultEmulatorOptions,
} from '../../src/gateway/index.ts'
import { KeyVault, VaultError } from '../../src/keyvault/index.ts'
import { identity, startEmulator, token } from './keyvault-emulator.ts'

const hourMs = 3_600_000

let nowMs = Date.now()
const emulator = await startEmulator({ clock: () => nowMs })
const { request, url } = emulator

let names = 0
const freshName = () => `face-${names++}`

function put(path: string, body: unknown): Promise<Response> {
  return request(path, { method: 'PUT', body: JSON.stringify(body) })
}

/** Status and codes, outermost first. */
async function refusal(response: Response): Promise<unknown[]> {
  const { error } = (await response.json()) as {
    error: { code: string; message: string; innererror?: { code: string } }
  }
  expect(error.message).toEqual(expect.any(String))
  return [response.status, error.code, ...(error.innererror ? [error.innererror.code] : [])]
}

describe('who may enter', () => {
  test.each([
    '',
    'Bearer wrong',
    'Bearer a.b.c',
    `Basic ${btoa(`u:${token}`)}`,
  ])('not with %j: it is told where to get a token', async (authorization) => {
    const response = await fetch(`${url}/secrets?api-version=7.6`, { headers: { authorization } })
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer authorization="${url}/${identity.tenantId}", resource="https://vault.azure.net"`,
    )
    expect(await refusal(response)).toEqual([401, 'Unauthorized'])
  })

  test('anybody may ask whether it is well', async () => {
    expect((await fetch(`${url}/healthstatus`)).status).toBe(200)
  })

  test('the token that was configured opens it', async () => {
    expect((await request('/secrets')).status).toBe(200)
  })

  const form = {
    grant_type: 'client_credentials',
    client_id: identity.clientId,
    client_secret: identity.clientSecret,
    scope: 'https://vault.azure.net/.default',
  }
  const ask = (change: Record<string, string>, tenantId = identity.tenantId) =>
    fetch(`${url}/${tenantId}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, ...change }),
    })

  test('so does a token that it gave, for an hour', async () => {
    const { access_token, expires_in } = (await (await ask({})).json()) as {
      access_token: string
      expires_in: number
    }
    expect(expires_in).toBe(3600)
    const status = async (bearer: string) => {
      const headers = { authorization: `Bearer ${bearer}` }
      return (await request('/secrets', { headers })).status
    }
    expect(await status(access_token)).toBe(200)
    const [head, claims, signature] = access_token.split('.') as [string, string, string]
    const later = JSON.parse(Buffer.from(claims, 'base64url').toString())
    later.exp += 3600
    const forged = Buffer.from(JSON.stringify(later)).toString('base64url')
    expect(await status(`${head}.${forged}.${signature}`)).toBe(401)
    nowMs += hourMs
    expect(await status(access_token)).toBe(401)
  })

  test.each<[object, number, string, number, string?]>([
    [{ client_secret: 'wrong' }, 401, 'invalid_client', 7000215],
    [{ client_secret: '' }, 401, 'invalid_client', 7000215],
    [{ client_id: 'other' }, 400, 'unauthorized_client', 700016],
    [{ grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
    [{ scope: 'https://graph.microsoft.com/.default' }, 400, 'invalid_resource', 500011],
    [{}, 400, 'invalid_request', 90002, 'elsewhere'],
  ])('no token for %j', async (change, status, error, code, tenantId) => {
    const response = await ask(change as Record<string, string>, tenantId)
    expect([response.status, await response.json()]).toEqual([
      status,
      { error, error_codes: [code], error_description: expect.stringContaining(`AADSTS${code}`) },
    ])
  })
})

describe('requests', () => {
  test('a secret, as Azure writes it', async () => {
    const name = freshName()
    const response = await put(`/secrets/${name}`, {
      value: 'v',
      contentType: 'text/plain',
      tags: { a: 'b' },
      attributes: { enabled: true, nbf: 1_600_000_000, exp: 2_600_000_000 },
    })
    const bundle = (await response.json()) as { id: string }
    expect(bundle).toEqual({
      value: 'v',
      id: expect.stringMatching(new RegExp(`^${url}/secrets/${name}/[0-9a-f]{32}$`)),
      contentType: 'text/plain',
      tags: { a: 'b' },
      attributes: {
        enabled: true,
        nbf: 1_600_000_000,
        exp: 2_600_000_000,
        created: expect.any(Number),
        updated: expect.any(Number),
        recoveryLevel: 'Recoverable+Purgeable',
        recoverableDays: 90,
      },
    })
    for (const path of [`/secrets/${name}`, `/secrets/${name}/`, new URL(bundle.id).pathname]) {
      expect(await (await request(path)).json()).toEqual(bundle)
    }
  })

  test.each([
    ['/secrets?api-version='],
    ['/secrets?api-version=7'],
    ['/secrets?api-version=7.6&maxresults=0'],
    ['/secrets?api-version=7.6&maxresults=26'],
    ['/secrets?api-version=7.6&maxresults=ten'],
    ['/secrets/not_a_name'],
    ['/secrets/name/not-a-version'],
  ])('%s is refused', async (path) => {
    expect(await refusal(await request(path))).toEqual([400, 'BadParameter'])
  })

  test.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['no value', '{}'],
    ['a value that is no text', '{"value":1}'],
    ['an empty value', '{"value":""}'],
    ['tags that are none', '{"value":"v","tags":{"a":1}}'],
    ['attributes that are none', '{"value":"v","attributes":1}'],
    ['an instant that is none', '{"value":"v","attributes":{"exp":"soon"}}'],
  ])('a body with %s is refused', async (_, body) => {
    const response = await request(`/secrets/${freshName()}`, { method: 'PUT', body })
    expect(await refusal(response)).toEqual([400, 'BadParameter'])
  })

  test('a body without length, or of more than 10 MB, is refused', async () => {
    const body = new Blob(['{}']).stream()
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit
    expect((await request('/secrets/any', init)).status).toBe(411)
    const large = { method: 'PUT', body: 'x'.repeat(10_000_001) }
    expect((await request('/secrets/any', large)).status).toBe(413)
  })

  test('what is not there is 404', async () => {
    expect(await refusal(await request('/secrets/nobody'))).toEqual([404, 'SecretNotFound'])
    expect(await refusal(await request('/keys'))).toEqual([404, 'NotFound'])
  })

  test('a purge has no content', async () => {
    const name = freshName()
    await put(`/secrets/${name}`, { value: 'v' })
    await request(`/secrets/${name}`, { method: 'DELETE' })
    expect(await refusal(await put(`/secrets/${name}`, { value: 'v' }))).toEqual([
      409,
      'Conflict',
      'ObjectIsDeletedButRecoverable',
    ])
    const response = await request(`/deletedsecrets/${name}`, { method: 'DELETE' })
    expect([response.status, await response.text()]).toEqual([204, ''])
  })
})

describe('what the vault behind it says', () => {
  test.each<[VaultError, unknown[]]>([
    [new VaultError(429, 'Throttled', 'slowly', 1500), [429, 'Throttled']],
    [new VaultError(403, 'ForbiddenByRbac', 'no'), [403, 'Forbidden', 'ForbiddenByRbac']],
    [new VaultError(503, undefined), [503, 'ServiceUnavailable']],
    // About the credentials of the emulator's client, not about the caller's.
    [new VaultError(401, 'Unauthorized'), [502, 'InternalServerError']],
  ])('%s', async (error, expected) => {
    const driver = memory()
    driver.getSecret = () => Promise.reject(error)
    const { request } = await startEmulator({ driver })
    const response = await request('/secrets/any')
    expect(response.headers.get('retry-after')).toBe(error.status === 429 ? '2' : null)
    expect(await refusal(response)).toEqual(expected)
  })
})

describe('azure-rest', () => {
  test('an expired token is replaced, once for all who wait', async () => {
    const credential = clientSecret({ ...identity, authorityHost: url })
    let asked = 0
    const driver = azureRest({
      url,
      credential(request) {
        asked++
        return credential(request)
      },
      verifyChallenge: false,
    })
    const keyvault = new KeyVault(driver, { retry: false, logger: false })
    const name = freshName()
    await keyvault.setSecret(name, 'v')
    expect(asked).toBe(1)
    nowMs += hourMs
    const read = () => keyvault.getSecret(name)
    for (const secret of await Promise.all([read(), read(), read()])) {
      expect(secret.reveal()).toBe('v')
    }
    expect(asked).toBe(2)
    await keyvault.close()
  })

  test.each([
    ['secret', { clientSecret: 'wrong' }, 'AADSTS7000215'],
    ['tenant', { tenantId: 'elsewhere' }, 'AADSTS90002'],
  ])('a wrong %s is unauthenticated', async (_, as, code) => {
    await expect(emulator.rest(as).getSecret('any')).rejects.toMatchObject({
      kind: 'unauthenticated',
      message: expect.stringContaining(code),
    })
  })

  test('lists what does not fit a page', async () => {
    const paged = await startEmulator()
    const expected = Array.from({ length: 61 }, (_, i) => `many-${String(i).padStart(2, '0')}`)
    for (const name of expected) await paged.keyvault.setSecret(name, 'v')
    const found: string[] = []
    for await (const { name } of paged.rest().listSecrets()) found.push(name)
    expect(found).toEqual(expected)
  })
})

describe('a SQLite file', () => {
  test('is there after a restart, and tokens are still good', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vault-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'vault.db')
    const first = await startEmulator({ driver: sqlite({ path }) })
    await first.sdk().setSecret('kept', 'v', { tags: { a: 'b' } })
    const { token: given } = await first.credential().getToken('https://vault.azure.net/.default')
    await first.close()
    const second = await startEmulator({ driver: sqlite({ path }) })
    expect(await second.sdk().getSecret('kept')).toMatchObject({
      value: 'v',
      properties: { tags: { a: 'b' } },
    })
    const headers = { authorization: `Bearer ${given}` }
    expect((await second.request('/secrets/kept', { headers })).status).toBe(200)
  })
})

describe('plain http', async () => {
  const keyvault = new KeyVault(memory(), { retry: false, logger: false })
  /** A gateway has no TLS of its own. */
  async function gateway(allowHttp: boolean): Promise<string> {
    const emulator = createKeyVaultEmulator({ keyvault, token, ...identity, allowHttp })
    const gateway = createGateway({ token: 'another-token', keyvault: emulator, logger: false })
    const server = createServer(getRequestListener(gateway.fetch)).listen(0, '127.0.0.1')
    afterAll(() => void server.close())
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keyvault`
  }
  const open = await gateway(true)
  const shut = await gateway(false)
  const headers = { authorization: `Bearer ${token}` }

  test('is refused', async () => {
    expect(await refusal(await fetch(`${shut}/secrets?api-version=7.6`, { headers }))).toEqual([
      403,
      'Forbidden',
    ])
  })

  test('is there on this machine for who asks for it, and at no other name', async () => {
    const { port } = new URL(open)
    const status = async (host: string) => {
      const request = new Request(`http://${host}:${port}/secrets?api-version=7.6`, { headers })
      return (
        await createKeyVaultEmulator({ keyvault, token, ...identity, allowHttp: true }).fetch(
          request,
        )
      ).status
    }
    expect(await status('localhost')).toBe(200)
    expect(await status('vault.example')).toBe(403)
  })

  test('azure-rest uses it below the gateway, page by page', async () => {
    const credential = clientSecret({ ...identity, authorityHost: open, allowHttp: true })
    const driver = azureRest({ url: open, credential, verifyChallenge: false, allowHttp: true })
    const client = new KeyVault(driver, { retry: false, logger: false })
    for (const name of ['a', 'b', 'c']) await client.setSecret(name, name)
    expect((await client.getSecret('b')).reveal()).toBe('b')
    const found: string[] = []
    for await (const { name } of client.listSecrets({ pageSize: 1 })) found.push(name)
    expect(found).toEqual(['a', 'b', 'c'])
    await client.close()
  })

  test("the gateway's own token does not open it", async () => {
    const other = { authorization: 'Bearer another-token' }
    const response = await fetch(`${open}/secrets?api-version=7.6`, { headers: other })
    expect(response.status).toBe(401)
  })
})

test.each<[string, Partial<KeyVaultEmulatorOptions>]>([
  ['clientSecret', { clientSecret: '' }],
  ['clientId', { clientId: 'a b' }],
  ['token', { token: '' }],
  ['tenantId', { tenantId: '../elsewhere' }],
])('%s cannot be %j', (name, options) => {
  const { keyvault } = emulator
  const expected = { code: 'GATEWAY_CONFIG', message: expect.stringContaining(name) }
  expect(() => createKeyVaultEmulator({ keyvault, ...identity, ...options })).toThrow(
    expect.objectContaining(expected),
  )
})
