import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  azureRest,
  type Credential,
  clientSecret,
  managedIdentity,
  workloadIdentity,
} from '../../adapters/keyvault/azure-rest.ts'
import { DriverFailure } from '../../src/core/index.ts'
import { KeyVault } from '../../src/keyvault/index.ts'
import { type Handler, json, reset, type ScriptedServer, serve, silence } from '../chaos/http.ts'

const secretOfTests = 'client-secret-of-the-tests'
const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const clientId = '00000000-0000-0000-0000-000000000001'
const now = 1_700_000_000_000

async function authority(handler: Handler): Promise<ScriptedServer> {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  return server
}

function ask(credential: Credential, challenged?: string, signal = AbortSignal.timeout(10_000)) {
  return Promise.resolve(
    credential({
      resource: 'https://vault.azure.net',
      scope: 'https://vault.azure.net/.default',
      tenantId: challenged,
      signal,
      now: () => now,
    }),
  )
}

async function failureOf(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => 'it succeeded',
    (error) => error,
  )
  if (!(error instanceof DriverFailure)) throw new Error(`not a DriverFailure: ${error}`)
  expect(error.failure.outcome).toBe('not-applied')
  expect(JSON.stringify(error.failure)).not.toContain(secretOfTests)
  return error.failure
}

const token = json({ token_type: 'Bearer', expires_in: 3599, access_token: 'token-of-the-tests' })
const formOf = ({ requests }: ScriptedServer) =>
  Object.fromEntries(new URLSearchParams(requests.at(-1)!.body))

describe('a client secret', () => {
  const credentialAt = (server: ScriptedServer, options = {}) =>
    clientSecret({
      tenantId,
      clientId,
      clientSecret: secretOfTests,
      authorityHost: server.url,
      allowHttp: true,
      ...options,
    })

  test('is exchanged for a token', async () => {
    const server = await authority(token)
    expect(await ask(credentialAt(server))).toEqual({
      token: 'token-of-the-tests',
      expiresOn: new Date(now + 3_599_000),
    })
    expect(server.requests).toMatchObject([
      { method: 'POST', path: `/${tenantId}/oauth2/v2.0/token` },
    ])
    expect(formOf(server)).toEqual({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: secretOfTests,
      scope: 'https://vault.azure.net/.default',
    })
  })

  test('may be a function, and the tenant the one that the vault names', async () => {
    const server = await authority(token)
    const given = async () => 'another'
    await ask(credentialAt(server, { tenantId: undefined, clientSecret: given }), 'contoso.example')
    expect(server.requests[0]!.path).toBe('/contoso.example/oauth2/v2.0/token')
    expect(formOf(server).client_secret).toBe('another')
    expect(await failureOf(ask(credentialAt(server, { tenantId: undefined })))).toMatchObject({
      kind: 'config',
    })
  })

  test.each<[string, Handler, string, string | undefined]>([
    [
      'a wrong secret',
      json(
        {
          error: 'invalid_client',
          error_description: `AADSTS7000215: Invalid client secret provided: ${secretOfTests}`,
          error_codes: [7000215],
        },
        401,
      ),
      'unauthenticated',
      'no token: refused (AADSTS7000215)',
    ],
    [
      'a wrong tenant, without a list of codes',
      json({ error: 'invalid_request', error_description: 'AADSTS90002: Tenant not found.' }, 400),
      'unauthenticated',
      'no token: refused (AADSTS90002)',
    ],
    [
      'a reply that quotes the secret',
      json({ error: secretOfTests, error_description: secretOfTests, error_codes: ['x'] }, 400),
      'unauthenticated',
      'no token: refused',
    ],
    ['a proxy’s page', json('<html>', 502), 'unavailable', 'no token: HTTP status 502'],
    ['no token in it', json({}), 'internal', undefined],
    ['null', json(null), 'internal', undefined],
    ['a redirect', json({}, 302, { location: 'http://elsewhere.example' }), 'config', undefined],
    ['a reset', reset, 'unavailable', undefined],
  ])('%s', async (_, handler, kind, detail) => {
    const failure = await failureOf(ask(credentialAt(await authority(handler))))
    expect(failure.kind).toBe(kind)
    if (detail !== undefined) expect(failure.detail).toBe(detail)
  })

  test('429 says how long to wait', async () => {
    const server = await authority(json({}, 429, { 'retry-after': '7' }))
    expect(await failureOf(ask(credentialAt(server)))).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 7000,
    })
  })

  test('a request for a token ends when nobody waits', async () => {
    const server = await authority(silence)
    const controller = new AbortController()
    server.on('request', () => controller.abort())
    const failure = await failureOf(ask(credentialAt(server), undefined, controller.signal))
    expect(failure.kind).toBe('unavailable')
  })

  test.each([
    ['http', { authorityHost: 'http://127.0.0.1:1', allowHttp: false }],
    ['http to another machine', { authorityHost: 'http://login.example' }],
    ['a tenant that leads elsewhere', { tenantId: '../x' }],
    ['no client', { clientId: '' }],
  ])('%s is refused at once', (_, options) => {
    const make = () => credentialAt({ url: 'https://login.example' } as ScriptedServer, options)
    expect(make).toThrow(expect.objectContaining({ code: 'KEYVAULT_CONFIG' }))
  })
})

describe('workload identity', () => {
  test('reads the file each time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dualport-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const tokenFile = join(folder, 'token')
    const server = await authority(token)
    const credential = workloadIdentity({
      tenantId,
      clientId,
      tokenFile,
      authorityHost: server.url,
      allowHttp: true,
    })
    expect(await failureOf(ask(credential))).toMatchObject({ kind: 'config' })
    await writeFile(tokenFile, 'first\n')
    await ask(credential)
    expect(formOf(server)).toMatchObject({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'first',
    })
    await writeFile(tokenFile, 'second\n')
    await ask(credential)
    expect(formOf(server).client_assertion).toBe('second')
  })

  test('or asks a function, and not both', async () => {
    const server = await authority(token)
    const options = { clientId, authorityHost: server.url, allowHttp: true }
    await ask(workloadIdentity({ ...options, readToken: () => 'federated' }), tenantId)
    expect(formOf(server).client_assertion).toBe('federated')
    expect(() => workloadIdentity(options)).toThrow(/tokenFile or readToken/)
  })
})

describe('managed identity', () => {
  test.each([
    ['seconds', '1700003600'],
    ['a number', 1_700_003_600],
    ['ISO 8601', '2023-11-14T23:13:20Z'],
    ['the date of older hosts', '11/14/2023 11:13:20 PM +00:00'],
  ])('on Functions and App Service, its expiry as %s', async (_, expires_on) => {
    const server = await authority(json({ access_token: 'token-of-the-tests', expires_on }))
    const env = { IDENTITY_ENDPOINT: `${server.url}/msi/token`, IDENTITY_HEADER: 'header-of-tests' }
    expect(await ask(managedIdentity({ clientId, env }))).toEqual({
      token: 'token-of-the-tests',
      expiresOn: new Date(1_700_003_600_000),
    })
    const [request] = server.requests
    expect(request!.headers['x-identity-header']).toBe('header-of-tests')
    expect(request!.path).toBe(
      `/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&client_id=${clientId}`,
    )
  })

  test('of a virtual machine: looks for the metadata service once', async () => {
    const server = await authority((request, response) =>
      (request.headers.metadata === 'true'
        ? json({ access_token: 'token-of-the-tests', expires_in: '3599' })
        : json({}, 400))(request, response),
    )
    const credential = managedIdentity({
      env: {},
      fetch: (input, init) => {
        const { host, pathname, search } = new URL(String(input))
        expect(host).toBe('169.254.169.254')
        return fetch(server.url + pathname + search, init)
      },
    })
    await ask(credential)
    expect(await ask(credential)).toMatchObject({ token: 'token-of-the-tests' })
    const path = '/metadata/identity/oauth2/token'
    const query = '?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net'
    expect(server.requests.map(({ path }) => path)).toEqual([path, path + query, path + query])
  })

  test('outside of Azure: gives up long before the deadline', async () => {
    const server = await authority(silence)
    const credential = managedIdentity({ env: {}, fetch: (_, init) => fetch(server.url, init) })
    expect(await failureOf(ask(credential))).toEqual({
      kind: 'unavailable',
      outcome: 'not-applied',
      detail: 'there is no managed identity here',
    })
  })
})

test('a vault, its authority and a secret, all over HTTP', async () => {
  const server = await authority((request, response) => {
    if (request.path.endsWith('/token')) return token(request, response)
    if (request.headers.authorization !== 'Bearer token-of-the-tests') {
      const header = `Bearer authorization="${server.url}/${tenantId}", resource="https://vault.azure.net"`
      return json({}, 401, { 'www-authenticate': header })(request, response)
    }
    const id = `${server.url}/secrets/a/0123456789abcdef0123456789abcdef`
    return json({ id, value: 'value-of-the-tests', attributes: {} })(request, response)
  })
  const keyvault = new KeyVault(
    azureRest({
      url: server.url,
      allowHttp: true,
      verifyChallenge: false,
      credential: clientSecret({
        clientId,
        clientSecret: secretOfTests,
        authorityHost: server.url,
        allowHttp: true,
      }),
    }),
    { logger: false },
  )
  expect((await keyvault.getSecret('a')).reveal()).toBe('value-of-the-tests')
  expect(server.requests.map(({ path }) => path.split('?')[0])).toEqual([
    '/secrets',
    `/${tenantId}/oauth2/v2.0/token`,
    '/secrets/a/',
  ])
  await keyvault.close()
})
