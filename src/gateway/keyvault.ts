import { type Context, Hono } from 'hono'
import {
  type CallOptions,
  InfraError,
  isInfraError,
  jsonLogger,
  type Logger,
} from '../core/index.ts'
import { type KeyVault, type ListOptions, VaultError } from '../keyvault/index.ts'
import { Refusal, statusFor } from './face.ts'
import { Authority } from './keyvault-authority.ts'
import {
  attributesIn,
  deletedBundle,
  pageBundle,
  propertiesBundle,
  secretBundle,
  textIn,
} from './keyvault-bundles.ts'

export interface KeyVaultEmulatorOptions {
  /** The vault behind it. It remains the caller's to close. */
  readonly keyvault: KeyVault
  /** For which the emulator gives tokens. As hard to guess as a key; it also signs them. */
  readonly clientSecret: string
  /** Default `00000000-0000-0000-0000-000000000001`. */
  readonly clientId?: string | undefined
  /** Default `00000000-0000-0000-0000-000000000001`. */
  readonly tenantId?: string | undefined
  /** A token that opens the vault as it is, for who has no client of Azure: `curl`. */
  readonly token?: string | undefined
  /** Answers plain http too, to clients on this machine; everything is refused otherwise that is not https. */
  readonly allowHttp?: boolean | undefined
  /** For what fails in the emulator itself; the client of the vault logs its own failures. Default: JSON lines. `false` for none. */
  readonly logger?: Logger | false | undefined
  /** Epoch milliseconds, for the expiry of tokens. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

export interface KeyVaultEmulator {
  /**
   * Answers one request. Never rejects. The work stops when the request's signal fires. The vault is at the
   * root, where Azure's own clients look for it, and at `/keyvault` as well.
   */
  fetch(request: Request): Response | Promise<Response>
}

export const defaultIdentity = '00000000-0000-0000-0000-000000000001'

/**
 * Azure Key Vault's REST API for secrets over any client of a vault, with the tokens of Microsoft Entra ID
 * that its clients come with: for development and tests, where `dualport/keyvault/azure-rest` and
 * `@azure/keyvault-secrets` use it as they are. https://learn.microsoft.com/rest/api/keyvault/
 * @throws InfraError `GATEWAY_CONFIG` for malformed options.
 */
export function createKeyVaultEmulator(options: KeyVaultEmulatorOptions): KeyVaultEmulator {
  const { keyvault, clientSecret, token, allowHttp = false, clock = Date.now } = options
  const { tenantId = defaultIdentity, clientId = defaultIdentity } = options
  for (const [name, value] of Object.entries({ clientSecret, clientId, token })) {
    if (value === undefined && name === 'token') continue
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
      throw misconfigured(`${name} is not printable ASCII without spaces`)
    }
  }
  if (!/^[0-9a-zA-Z][0-9a-zA-Z.-]*$/.test(tenantId)) {
    throw misconfigured('tenantId is not an ID or a domain')
  }
  const authority = new Authority({ tenantId, clientId, clientSecret, token, clock })
  const logger = options.logger === false ? undefined : (options.logger ?? jsonLogger)

  const app = new Hono({ strict: false })
  app.onError((error) => failure(error, logger))
  app.notFound(() => failure(new Refusal('not-found', 'there is no such operation'), logger))
  app.use(async (c, next) => {
    if (!isSafe(new URL(c.req.url), allowHttp)) {
      throw new Refusal(
        'forbidden',
        'this vault is for https, and for http on its own machine if it is told so',
      )
    }
    await next()
    c.header('cache-control', 'no-store')
  })
  // The root last: who may enter is asked there of everything behind.
  for (const path of [prefix, '/']) {
    app.route(path, authorityRoutes(authority))
    app.route(path, vaultRoutes(keyvault, authority))
  }
  return { fetch: (request) => app.fetch(request) }
}

const prefix = '/keyvault'

/** The vault's URL, as its client knows it. */
function baseOf(c: Context): string {
  const { origin, pathname } = new URL(c.req.url)
  return pathname.startsWith(`${prefix}/`) ? origin + prefix : origin
}

function authorityRoutes(authority: Authority): Hono {
  const app = new Hono({ strict: false })
  app.get('/:tenant/v2.0/.well-known/openid-configuration', (c) => {
    const { status, body } = authority.discover(baseOf(c), c.req.param('tenant'))
    return json(body, status)
  })
  app.post('/:tenant/oauth2/v2.0/token', async (c) => {
    const form = new URLSearchParams(await bodyOf(c))
    const { status, body } = authority.grant(baseOf(c), c.req.param('tenant'), form)
    return json(body, status)
  })
  return app
}

function vaultRoutes(vault: KeyVault, authority: Authority): Hono {
  const app = new Hono({ strict: false })
  app.get('/healthstatus', async (c) => {
    await vault.health(optionsOf(c))
    return json({})
  })

  app.use(async (c, next) => {
    if (!authority.admits(c.req.header('authorization'))) {
      // Clients take the tenant from the first part of the path, so there is no prefix in it.
      const headers = { 'www-authenticate': authority.challenge(new URL(c.req.url).origin) }
      throw new Refusal('unauthenticated', 'the token is missing, wrong or expired', 401, headers)
    }
    if (!apiVersion.test(c.req.query('api-version') ?? '')) {
      throw new Refusal('invalid', 'api-version is missing or unknown')
    }
    await next()
  })

  app.get('/secrets', async (c) => {
    const page = await vault.listSecrets(pageOptionsOf(c)).page(c.req.query('$skiptoken'))
    return json(pageBundle(page, c.req.url, (item) => propertiesBundle(baseOf(c), item)))
  })
  app.get('/deletedsecrets', async (c) => {
    const page = await vault.listDeletedSecrets(pageOptionsOf(c)).page(c.req.query('$skiptoken'))
    return json(pageBundle(page, c.req.url, (item) => deletedBundle(baseOf(c), item)))
  })
  app.post('/secrets/restore', async (c) => {
    const backup = Buffer.from(textIn(await jsonOf(c), 'value'), 'base64url')
    return json(propertiesBundle(baseOf(c), await vault.restoreSecret(backup, optionsOf(c))))
  })
  app.get('/secrets/:name/versions', async (c) => {
    const { name } = c.req.param()
    const page = await vault.listVersions(name, pageOptionsOf(c)).page(c.req.query('$skiptoken'))
    return json(pageBundle(page, c.req.url, (item) => propertiesBundle(baseOf(c), item)))
  })
  app.post('/secrets/:name/backup', async (c) => {
    const backup = await vault.backupSecret(c.req.param('name'), optionsOf(c))
    return json({ value: Buffer.from(backup).toString('base64url') })
  })
  app.put('/secrets/:name', async (c) => {
    const body = await jsonOf(c)
    const options = { ...attributesIn(body), ...optionsOf(c) }
    const secret = await vault.setSecret(c.req.param('name'), textIn(body, 'value'), options)
    return json(secretBundle(baseOf(c), secret))
  })
  app.get('/secrets/:name/:version?', async (c) => {
    const { name, version } = c.req.param()
    // A vault gives the values of secrets that have expired: it is for clients to judge.
    const options = { version, ignoreValidity: true, ...optionsOf(c) }
    return json(secretBundle(baseOf(c), await vault.getSecret(name, options)))
  })
  app.patch('/secrets/:name/:version?', async (c) => {
    const { name, version } = c.req.param()
    const options = { version, ...attributesIn(await jsonOf(c)), ...optionsOf(c) }
    return json(propertiesBundle(baseOf(c), await vault.updateSecret(name, options)))
  })
  app.delete('/secrets/:name', async (c) => {
    const deleted = await vault.deleteSecret(c.req.param('name'), { wait: false, ...optionsOf(c) })
    return json(deletedBundle(baseOf(c), deleted))
  })

  app.get('/deletedsecrets/:name', async (c) => {
    const deleted = await vault.getDeletedSecret(c.req.param('name'), optionsOf(c))
    return json(deletedBundle(baseOf(c), deleted))
  })
  app.delete('/deletedsecrets/:name', async (c) => {
    await vault.purgeSecret(c.req.param('name'), optionsOf(c))
    return c.body(null, 204)
  })
  app.post('/deletedsecrets/:name/recover', async (c) => {
    const options = { wait: false, ...optionsOf(c) }
    const recovered = await vault.recoverSecret(c.req.param('name'), options)
    return json(propertiesBundle(baseOf(c), recovered))
  })
  return app
}

// Requests ---------------------------------------------------------------------------------------

const apiVersion = /^(7\.\d|20\d\d-\d\d-\d\d)(-preview(\.\d)?)?$/

/** The same rule as for its clients: http shows tokens and values to the network. */
function isSafe({ protocol, hostname }: URL, allowHttp: boolean): boolean {
  if (protocol === 'https:') return true
  return allowHttp && /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

function optionsOf(c: Context): CallOptions {
  return { signal: c.req.raw.signal }
}

function pageOptionsOf(c: Context): ListOptions {
  const pageSize = c.req.query('maxresults')
  return pageSize === undefined ? optionsOf(c) : { pageSize: Number(pageSize), ...optionsOf(c) }
}

/** A backup holds every version of a secret. */
const maxBodyBytes = 10_000_000

/** @throws Refusal */
async function bodyOf(c: Context): Promise<string> {
  const length = c.req.header('content-length')
  // With it, the HTTP parser bounds what is read.
  if (length === undefined) throw new Refusal('invalid', 'content-length is missing', 411)
  if (Number(length) > maxBodyBytes) throw new Refusal('invalid', 'the body is too large', 413)
  return c.req.text()
}

/** @throws Refusal */
async function jsonOf(c: Context): Promise<unknown> {
  const text = await bodyOf(c)
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal('invalid', 'the body is not JSON')
  }
}

// Answers ----------------------------------------------------------------------------------------

function json(body: object, status = 200): Response {
  return Response.json(body, { status })
}

/** As Azure nests its errors: what the status says, with the reason within. */
const outerCode: Readonly<Record<number, string>> = {
  400: 'BadParameter',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  429: 'Throttled',
  503: 'ServiceUnavailable',
  504: 'GatewayTimeout',
}

function failure(error: unknown, logger: Logger | undefined): Response {
  if (!(error instanceof Refusal || isInfraError(error))) {
    // A bug of ours, whose message may hold anything.
    try {
      logger?.error(
        { component: 'gateway', face: 'keyvault', error: (error as Error).name },
        'request_failed',
      )
    } catch {
      // A log that fails is not the caller's concern.
    }
    return respond(500, 'the emulator failed', undefined, {})
  }
  if (error instanceof Refusal) {
    return respond(statusFor(error), error.message, undefined, error.headers)
  }
  const { native, retryAfterMs } = error
  const headers =
    retryAfterMs === undefined ? undefined : { 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` }
  // 401 would be about the vault's own credentials, which are not the caller's.
  if (!(native instanceof VaultError) || native.status === 401) {
    return respond(statusFor(error), error.message, undefined, headers)
  }
  return respond(native.status, native.message || error.message, native.code, headers)
}

function respond(
  status: number,
  message: string,
  reason: string | undefined,
  headers: Readonly<Record<string, string>> | undefined,
): Response {
  const outer = outerCode[status] ?? 'InternalServerError'
  const error =
    // What is not there is said without nesting.
    reason === undefined || reason === outer || status === 404
      ? { code: reason ?? outer, message }
      : { code: outer, message, innererror: { code: reason } }
  return Response.json({ error }, { status, ...(headers && { headers }) })
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'gateway',
    adapter: '-',
    operation: 'configure',
    detail,
  })
}
