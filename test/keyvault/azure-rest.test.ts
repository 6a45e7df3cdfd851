import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type AzureRestOptions,
  azureRest,
  type Credential,
} from '../../adapters/keyvault/azure-rest.ts'
import { type InfraError, isInfraError } from '../../src/core/index.ts'
import {
  KeyVault,
  type KeyVaultOptions,
  VaultError,
  whyUnusable,
} from '../../src/keyvault/index.ts'
import {
  cutShort,
  garbage,
  type Handler,
  json,
  reset,
  type ScriptedServer,
  serve,
  silence,
} from '../chaos/http.ts'

const value = 'value-of-the-tests'
const version = '0123456789abcdef0123456789abcdef'
const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'

/** As Azure's own. */
const challenge =
  `Bearer authorization="https://login.microsoftonline.com/${tenantId}", ` +
  'resource="https://vault.azure.net"'

const bundle = {
  value,
  id: `https://v.vault.azure.net/secrets/a/${version}`,
  attributes: { enabled: true, created: 1_700_000_000, updated: 1_700_000_000 },
  tags: { k: '✓' },
}
const secret = json(bundle)

function refusal(status: number, code: string, inner?: string, headers = {}): Handler {
  const innererror = inner === undefined ? undefined : { code: inner }
  return json({ error: { code, message: `about ${value}`, innererror } }, status, headers)
}

/** A vault that asks for a token, and answers who has one as `handler` says. */
function asking(handler: Handler, header = challenge): Handler {
  return (request, response) => {
    const { authorization } = request.headers
    if (authorization !== undefined) return handler(request, response)
    return json({ error: { code: 'Unauthorized', message: 'no token' } }, 401, {
      'www-authenticate': header,
    })(request, response)
  }
}

/** Requests to `https://v.vault.azure.net` arrive at the server. */
function sentTo(server: ScriptedServer): typeof fetch {
  return (input, init) => {
    const { pathname, search } = new URL(String(input))
    return fetch(server.url + pathname + search, init)
  }
}

interface Setup {
  readonly server: ScriptedServer
  readonly keyvault: KeyVault
  /** Requests with a token. */
  readonly served: () => ScriptedServer['requests']
}

async function against(
  handler: Handler,
  options: Partial<AzureRestOptions> = {},
  clientOptions: KeyVaultOptions = {},
): Promise<Setup> {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  const driver = azureRest({
    url: 'https://v.vault.azure.net/',
    credential: () => 'token-of-the-tests',
    fetch: sentTo(server),
    ...options,
  })
  const keyvault = new KeyVault(driver, { logger: false, drainTimeoutMs: 1000, ...clientOptions })
  onTestFinished(() => keyvault.close())
  const served = () => server.requests.filter(({ headers }) => headers.authorization !== undefined)
  return { server, keyvault, served }
}

async function failureOf(promise: Promise<unknown>): Promise<InfraError> {
  const error: unknown = await promise.then(
    () => 'it succeeded',
    (error) => error,
  )
  if (!isInfraError(error)) throw new Error(`not an InfraError: ${error}`)
  expect(`${error.message}${JSON.stringify(error)}`).not.toContain(value)
  expect(`${error.message}${JSON.stringify(error)}`).not.toContain('token-of-the-tests')
  return error
}

describe('the challenge', () => {
  test('the first request has no token and no body, and the vault is asked once', async () => {
    const asked: unknown[] = []
    const credential: Credential = ({ scope, resource, tenantId }) => {
      asked.push({ scope, resource, tenantId })
      return 'token-of-the-tests'
    }
    const { server, keyvault } = await against(asking(secret), { credential })
    expect((await keyvault.setSecret('a', value)).reveal()).toBe(value)
    expect((await keyvault.getSecret('a')).tags).toEqual({ k: '✓' })
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /secrets?maxresults=1&api-version=7.6',
      'PUT /secrets/a?api-version=7.6',
      'GET /secrets/a/?api-version=7.6',
    ])
    expect(server.requests[0]!.body).toBe('')
    expect(server.requests[1]!.headers.authorization).toBe('Bearer token-of-the-tests')
    expect(asked).toEqual([
      { scope: 'https://vault.azure.net/.default', resource: 'https://vault.azure.net', tenantId },
    ])
  })

  test.each([
    ['of another service', 'Bearer authorization="https://l/t", resource="https://graph.example"'],
    ['of another cloud', 'Bearer authorization="https://l/t", resource="https://vault.azure.cn"'],
    ['of a part of the name', 'Bearer authorization="https://l/t", resource="https://azure.ne"'],
    ['over http', 'Bearer authorization="https://l/t", resource="http://vault.azure.net"'],
    ['by a scope', 'Bearer authorization="https://l/t", scope="https://graph.example/.default"'],
  ])('a host that wants a token %s gets nothing', async (_, header) => {
    let asked = 0
    const credential = () => `token-${asked++}`
    const { server, keyvault } = await against(asking(secret, header), { credential })
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({
      code: 'KEYVAULT_CONFIG',
      outcome: 'not-applied',
    })
    expect(asked).toBe(0)
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]!.body).toBe('')
  })

  test('emulators may be excepted', async () => {
    const header = 'Bearer authorization="https://localhost/t", resource="https://other.example"'
    const { keyvault } = await against(asking(secret, header), { verifyChallenge: false })
    expect((await keyvault.getSecret('a')).reveal()).toBe(value)
  })

  test.each([
    ['a reply without a challenge', json({}, 401)],
    ['a server that wants no token', json({ value: [] })],
    ['a challenge of another kind', json({}, 401, { 'www-authenticate': 'Basic realm="x"' })],
  ])('%s is no vault', async (_, handler) => {
    const { server, keyvault } = await against(handler)
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({
      kind: 'internal',
      outcome: 'not-applied',
    })
    expect(server.requests.map(({ body }) => body).join('')).toBe('')
  })
})

describe('tokens', () => {
  test('100 callers wait for one challenge and one token', async () => {
    let asked = 0
    const { server, keyvault } = await against(asking(secret), {
      credential: async () => `token-${asked++}`,
    })
    await Promise.all(Array.from({ length: 100 }, () => keyvault.getSecret('a')))
    expect(asked).toBe(1)
    expect(server.requests).toHaveLength(101)
  })

  test('a refused token is replaced once for all, and each request is sent once more', async () => {
    let asked = 0
    const good = asking((request, response) => {
      const { authorization } = request.headers
      const handler =
        authorization === 'Bearer token-1'
          ? secret
          : json({}, 401, { 'www-authenticate': `${challenge}, error="invalid_token"` })
      return handler(request, response)
    })
    const { keyvault, served } = await against(good, { credential: async () => `token-${asked++}` })
    await Promise.all(Array.from({ length: 100 }, () => keyvault.getSecret('a')))
    expect(asked).toBe(2)
    expect(served().length).toBeLessThanOrEqual(200)
    await keyvault.setSecret('a', value)
    expect(asked).toBe(2)
  })

  test('one that is refused again is the end', async () => {
    const { keyvault, served } = await against(asking(json({}, 401)))
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({
      code: 'KEYVAULT_UNAUTHENTICATED',
      outcome: 'not-applied',
      retryable: false,
    })
    expect(served()).toHaveLength(2)
  })

  test('a refusal whose challenge is for elsewhere is not answered', async () => {
    const elsewhere = { 'www-authenticate': 'Bearer resource="https://graph.example"' }
    const { keyvault, served } = await against(asking(json({}, 401, elsewhere)))
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({ kind: 'config' })
    expect(served()).toHaveLength(1)
  })

  test('shortly before it expires it is replaced, and kept if that fails', async () => {
    let now = Date.now()
    let asked = 0
    let fails = false
    const { keyvault, served } = await against(
      asking(secret),
      {
        clock: () => now,
        credential: ({ now }) => {
          asked++
          if (fails) throw new Error('the network is down')
          return { token: `token-${asked}`, expiresOn: new Date(now() + 3_600_000) }
        },
      },
      { retry: false },
    )
    await keyvault.getSecret('a')
    now += 54 * 60_000
    await keyvault.getSecret('a')
    expect(asked).toBe(1)
    now += 2 * 60_000
    fails = true
    await keyvault.getSecret('a')
    fails = false
    await keyvault.getSecret('a')
    expect(served().map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-3',
    ])
    now += 61 * 60_000
    fails = true
    expect(await failureOf(keyvault.getSecret('a'))).toMatchObject({ kind: 'unavailable' })
  })

  test('a caller who leaves does not end what others wait for', async () => {
    let give: ((token: string) => void) | undefined
    const credential = () =>
      new Promise<string>((resolve) => {
        give = resolve
      })
    const { server, keyvault, served } = await against(asking(secret), { credential })
    const controller = new AbortController()
    const leaves = failureOf(keyvault.setSecret('a', value, { signal: controller.signal }))
    const stays = keyvault.getSecret('a')
    await once(server, 'request')
    await expect.poll(() => give).toBeDefined()
    controller.abort()
    expect(await leaves).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    give!('token-of-the-tests')
    expect((await stays).reveal()).toBe(value)
    expect(served().map(({ method }) => method)).toEqual(['GET'])
  })

  test.each([
    ['with a line break', 'a\r\nb'],
    ['that is not text', 7],
  ])('one %s is refused and not shown', async (_, token) => {
    const { keyvault } = await against(asking(secret), { credential: () => token as string })
    expect(await failureOf(keyvault.getSecret('a'))).toMatchObject({ kind: 'config' })
  })
})

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of a write. */
  readonly outcome: string
}

const answers: Record<string, Case> = {
  'no such secret': {
    handler: refusal(404, 'SecretNotFound'),
    kind: 'not-found',
    outcome: 'not-applied',
  },
  'no permission': {
    handler: refusal(403, 'Forbidden', 'AccessDenied'),
    kind: 'forbidden',
    outcome: 'not-applied',
  },
  'the firewall': {
    handler: refusal(403, 'Forbidden', 'ForbiddenByFirewall'),
    kind: 'forbidden',
    outcome: 'not-applied',
  },
  'a deleted secret of that name': {
    handler: refusal(409, 'Conflict', 'ObjectIsDeletedButRecoverable'),
    kind: 'conflict',
    outcome: 'not-applied',
  },
  'bad input': {
    handler: refusal(400, 'BadParameter'),
    kind: 'invalid',
    outcome: 'not-applied',
  },
  'status 500': {
    handler: refusal(500, 'InternalServerError'),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'a proxy’s page': { handler: json('<html>', 502), kind: 'unavailable', outcome: 'unknown' },
  'a page that is not there': { handler: json({}, 404), kind: 'config', outcome: 'not-applied' },
  'a redirect': {
    handler: json({}, 307, { location: 'http://elsewhere.example/' }),
    kind: 'config',
    outcome: 'not-applied',
  },
  'a reply that is cut short': {
    handler: cutShort(JSON.stringify(bundle)),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'a reset': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'what is not HTTP': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'what is not JSON': {
    handler: (_, response) => response.end('{"value":'),
    kind: 'internal',
    outcome: 'unknown',
  },
  'an empty reply': {
    handler: (_, response) => response.end(),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a secret without an ID': { handler: json({ value }), kind: 'internal', outcome: 'unknown' },
  null: { handler: json(null), kind: 'internal', outcome: 'unknown' },
}

describe('what vaults and others answer', () => {
  test.each(Object.entries(answers))('%s', async (_, { handler, kind, outcome }) => {
    const { keyvault, served } = await against(asking(handler))
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({ kind, outcome })
    expect(served()).toHaveLength(1)
    expect(await failureOf(keyvault.getSecret('a'))).toMatchObject({
      kind,
      outcome: 'not-applied',
    })
  })

  test('a disabled secret says so, whichever way the codes are nested', async () => {
    for (const handler of [
      refusal(403, 'Forbidden', 'SecretDisabled'),
      refusal(403, 'SecretDisabled'),
      json(
        {
          error: { code: 'a', innererror: { code: 'b', innererror: { code: 'SecretDisabled' } } },
        },
        403,
      ),
    ]) {
      const { keyvault } = await against(asking(handler))
      const error = await failureOf(keyvault.getSecret('a'))
      expect(whyUnusable(error)).toBe('disabled')
      expect(error.native).toBeInstanceOf(VaultError)
    }
  })

  test('429 with Retry-After: the next try comes no sooner', async () => {
    const counted: string[] = []
    const metrics = {
      histogram: () => () => {},
      gauge: () => () => {},
      counter:
        ({ name }: { name: string }) =>
        () =>
          void counted.push(name),
    }
    const slow = refusal(429, 'Throttled', undefined, { 'retry-after': '1' })
    const { server, keyvault } = await against(asking(slow), {}, { metrics })
    const arrivals: number[] = []
    server.on('request', ({ headers }) => {
      if (headers.authorization === undefined) return
      arrivals.push(performance.now())
      if (arrivals.length === 2) server.handler = asking(secret)
    })
    expect((await keyvault.setSecret('a', value)).version).toBe(version)
    expect(arrivals).toHaveLength(2)
    // A timer may be a fraction of a millisecond early.
    expect(arrivals[1]! - arrivals[0]!).toBeGreaterThan(990)
    expect(counted).toEqual(['keyvault_throttled_total'])
  })

  test('429 that asks for more time than there is fails at once', async () => {
    const slow = refusal(429, 'Throttled', undefined, { 'retry-after': '60' })
    const { keyvault, served } = await against(asking(slow))
    expect(await failureOf(keyvault.getSecret('a'))).toMatchObject({
      code: 'KEYVAULT_THROTTLED',
      retryAfterMs: 60_000,
    })
    expect(served()).toHaveLength(1)
  })

  test('a vault that never answers: by the deadline, and the request is stopped', async () => {
    const { server, keyvault } = await against(asking(silence))
    const abandoned = once(server, 'abandoned')
    expect(await failureOf(keyvault.setSecret('a', value, { timeoutMs: 300 }))).toMatchObject({
      code: 'KEYVAULT_TIMEOUT',
      outcome: 'unknown',
    })
    await abandoned
  })

  test('a vault that never answers the challenge: nothing was sent', async () => {
    const { server, keyvault } = await against(silence)
    expect(await failureOf(keyvault.setSecret('a', value, { timeoutMs: 200 }))).toMatchObject({
      code: 'KEYVAULT_TIMEOUT',
      outcome: 'not-applied',
    })
    expect(server.requests.map(({ body }) => body).join('')).toBe('')
  })

  test('a vault that is down', async () => {
    const { server, keyvault } = await against(asking(secret))
    await server.close()
    expect(await failureOf(keyvault.setSecret('a', value))).toMatchObject({
      code: 'KEYVAULT_UNAVAILABLE',
      outcome: 'not-applied',
    })
  })
})

describe('pages', () => {
  const item = (name: string) => ({ id: `https://v.vault.azure.net/secrets/${name}` })
  const pages =
    (nextLink: string): Handler =>
    (request, response) => {
      const first = !request.path.includes('skiptoken')
      json({
        value: [item(first ? 'one' : 'two')],
        nextLink: first ? nextLink : null,
      })(request, response)
    }

  test('the next one is where the vault says', async () => {
    const link =
      'https://v.vault.azure.net:443/secrets?api-version=7.6&$skiptoken=a%2Fb&maxresults=1'
    const { server, keyvault } = await against(asking(pages(link)))
    const names: string[] = []
    for await (const { name, version } of keyvault.listSecrets({ pageSize: 1 })) {
      expect(version).toBeUndefined()
      names.push(name)
    }
    expect(names).toEqual(['one', 'two'])
    expect(server.requests.slice(1).map(({ path }) => path)).toEqual([
      '/secrets?maxresults=1&api-version=7.6',
      '/secrets?api-version=7.6&$skiptoken=a%2Fb&maxresults=1',
    ])
  })

  test.each([
    'https://elsewhere.example/secrets?$skiptoken=x',
    'http://v.vault.azure.net/secrets?$skiptoken=x',
    'https://v.vault.azure.net.elsewhere.example/secrets?$skiptoken=x',
    'https://v.vault.azure.net@elsewhere.example/secrets?$skiptoken=x',
    'https://v.vault.azure.net:8443/secrets?$skiptoken=x',
    '//elsewhere.example/secrets?$skiptoken=x',
  ])('%s is not asked', async (link) => {
    const hosts: string[] = []
    const server = await serve(asking(pages(link)))
    onTestFinished(() => server.close())
    const { keyvault } = await against(silence, {
      fetch: (input, init) => {
        hosts.push(new URL(String(input)).host)
        return sentTo(server)(input, init)
      },
    })
    const listing = keyvault.listSecrets()
    const { items, continuation } = await listing.page()
    expect(items).toHaveLength(1)
    expect(await failureOf(listing.page(continuation))).toMatchObject({ kind: 'internal' })
    expect(hosts).toEqual(['v.vault.azure.net', 'v.vault.azure.net'])
  })
})

describe('deletion and recovery', () => {
  const deleted = { ...bundle, value: undefined, deletedDate: 1_700_000_000 }

  test('wait until the vault is done', async () => {
    let asked = 0
    const handler: Handler = (request, response) => {
      const done = request.method !== 'GET' || ++asked > 2
      const answer = done ? json(deleted) : refusal(404, 'SecretNotFound')
      return answer(request, response)
    }
    const { keyvault, served } = await against(asking(handler))
    expect((await keyvault.deleteSecret('a')).deletedOn).toEqual(new Date(1_700_000_000_000))
    expect(served().map(({ method, path }) => `${method} ${path.split('?')[0]}`)).toEqual([
      'DELETE /secrets/a',
      'GET /deletedsecrets/a',
      'GET /deletedsecrets/a',
      'GET /deletedsecrets/a',
    ])
  })

  test('or do not', async () => {
    const { keyvault, served } = await against(asking(json(deleted)))
    await keyvault.deleteSecret('a', { wait: false })
    await keyvault.recoverSecret('a', { wait: false })
    expect(served().map(({ method }) => method)).toEqual(['DELETE', 'POST'])
  })

  test('who may delete need not be allowed to look', async () => {
    const handler: Handler = (request, response) =>
      (request.method === 'GET' ? refusal(403, 'Forbidden', 'AccessDenied') : json(deleted))(
        request,
        response,
      )
    const { keyvault } = await against(asking(handler))
    await keyvault.deleteSecret('a')
    await keyvault.recoverSecret('a')
  })

  test('a wait that is too long ends by the deadline, and the deletion goes on', async () => {
    const handler: Handler = (request, response) =>
      (request.method === 'GET' ? refusal(404, 'SecretNotFound') : json(deleted))(request, response)
    const { keyvault, served } = await against(asking(handler))
    expect(await failureOf(keyvault.deleteSecret('a', { timeoutMs: 400 }))).toMatchObject({
      code: 'KEYVAULT_TIMEOUT',
      outcome: 'unknown',
    })
    expect(served().filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  })
})

test('attributes, backups and the version go out as Azure has them', async () => {
  const handler: Handler = (request, response) =>
    (request.path.includes('/backup') ? json({ value: '_-8' }) : secret)(request, response)
  const { keyvault, served } = await against(asking(handler), { apiVersion: '2025-07-01' })
  await keyvault.setSecret('a', value, {
    enabled: false,
    expiresOn: new Date('2100-01-01T00:00:00.500Z'),
    tags: { k: '✓' },
  })
  await keyvault.updateSecret('a', { version, contentType: 'x' })
  expect(await keyvault.backupSecret('a')).toEqual(new Uint8Array([0xff, 0xef]))
  await keyvault.restoreSecret(new Uint8Array([0xff, 0xef]))
  await keyvault.purgeSecret('a')
  const sent = served().map(({ method, path, body }) => [
    `${method} ${path}`,
    body === '' ? undefined : JSON.parse(body),
  ])
  expect(sent).toEqual([
    [
      'PUT /secrets/a?api-version=2025-07-01',
      { value, attributes: { enabled: false, exp: 4_102_444_800 }, tags: { k: '✓' } },
    ],
    [`PATCH /secrets/a/${version}?api-version=2025-07-01`, { attributes: {}, contentType: 'x' }],
    ['POST /secrets/a/backup?api-version=2025-07-01', undefined],
    ['POST /secrets/restore?api-version=2025-07-01', { value: '_-8' }],
    ['DELETE /deletedsecrets/a?api-version=2025-07-01', undefined],
  ])
})

test('health needs no token', async () => {
  const { server, keyvault } = await against(json({}))
  await keyvault.health()
  server.handler = json({}, 401)
  await keyvault.health()
  server.handler = json({}, 503)
  expect(await failureOf(keyvault.health())).toMatchObject({ kind: 'unavailable' })
  expect(server.requests.map(({ path }) => path)).toEqual(Array(3).fill('/healthstatus'))
})

test.each<[string, Partial<AzureRestOptions>]>([
  ['plain http', { url: 'http://127.0.0.1:1' }],
  ['plain http to another machine', { url: 'http://v.vault.azure.net', allowHttp: true }],
  ['a loopback that is not', { url: 'http://127.0.0.1.elsewhere.example', allowHttp: true }],
  ['credentials in the URL', { url: 'https://u:p@v.vault.azure.net' }],
  ['no credential', { credential: undefined as unknown as Credential }],
  ['an option that is not one', { tenant: 'x' } as Partial<AzureRestOptions>],
])('%s is refused at once', (_, options) => {
  const make = () =>
    azureRest({ url: 'https://v.vault.azure.net', credential: () => '', ...options })
  expect(make).toThrow(expect.objectContaining({ code: 'KEYVAULT_CONFIG' }))
})

test('plain http on this machine, for who asks for it', async () => {
  const header = 'Bearer authorization="http://127.0.0.1/t", resource="https://vault.azure.net"'
  const server = await serve(asking(secret, header))
  onTestFinished(() => server.close())
  const driver = azureRest({
    url: server.url,
    credential: () => 'token-of-the-tests',
    allowHttp: true,
    verifyChallenge: false,
  })
  const keyvault = new KeyVault(driver, { logger: false })
  expect((await keyvault.getSecret('a')).reveal()).toBe(value)
  await keyvault.close()
})
