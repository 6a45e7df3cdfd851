import { fetchFailure, statusFailure } from '../../../src/core/http.ts'
import { DriverFailure } from '../../../src/core/index.ts'
import { isSafe, misconfigured } from './address.ts'
import { isTenant } from './challenge.ts'
import type { AccessToken, Credential } from './tokens.ts'

interface EntraOptions {
  /** Default: the tenant that the vault names. */
  tenantId?: string | undefined
  clientId: string
  /** Default `https://login.microsoftonline.com`. */
  authorityHost?: string | undefined
  /** Lets `authorityHost` be http on this machine: for emulators. */
  allowHttp?: boolean | undefined
  /** Default: the runtime's own. */
  fetch?: typeof fetch | undefined
}

export interface ClientSecretOptions extends EntraOptions {
  /** A function is asked each time a token is. */
  clientSecret: string | (() => string | Promise<string>)
}

/**
 * An application and its secret, at Microsoft Entra ID.
 * @throws InfraError `KEYVAULT_CONFIG` for malformed options.
 */
export function clientSecret({ clientSecret, ...options }: ClientSecretOptions): Credential {
  return entra(options, async () => ({
    client_secret: await (typeof clientSecret === 'function' ? clientSecret() : clientSecret),
  }))
}

export interface WorkloadIdentityOptions extends EntraOptions {
  /** Read each time a token is asked for, since its owner replaces it. `AZURE_FEDERATED_TOKEN_FILE`. Node only. */
  tokenFile?: string | undefined
  /** In place of a file. */
  readToken?: (() => string | Promise<string>) | undefined
}

/**
 * An application that another identity provider (Kubernetes, GitHub Actions) vouches for.
 * @throws InfraError `KEYVAULT_CONFIG` for malformed options.
 */
export function workloadIdentity(options: WorkloadIdentityOptions): Credential {
  const { tokenFile, readToken, ...rest } = options
  if ((tokenFile === undefined) === (readToken === undefined)) {
    throw misconfigured('workloadIdentity needs either tokenFile or readToken')
  }
  const read = readToken ?? (() => readFile(tokenFile as string))
  return entra(rest, async () => ({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: (await read()).trim(),
  }))
}

async function readFile(path: string): Promise<string> {
  // Not imported: this module must load at the edge, where there is no such thing.
  const runtime = globalThis as { process?: { getBuiltinModule?: typeof process.getBuiltinModule } }
  const fs = runtime.process?.getBuiltinModule?.('node:fs/promises')
  if (fs === undefined) {
    throw new DriverFailure({
      kind: 'unsupported',
      outcome: 'not-applied',
      detail: 'this runtime has no files; give readToken in place of tokenFile',
    })
  }
  try {
    return await fs.readFile(path, 'utf8')
  } catch (cause) {
    throw new DriverFailure(
      { kind: 'config', outcome: 'not-applied', detail: 'the token file cannot be read' },
      { cause },
    )
  }
}

/** The client credentials grant of OAuth 2.0. */
function entra(options: EntraOptions, proof: () => Promise<Record<string, string>>): Credential {
  const { tenantId, clientId, fetch, allowHttp = false } = options
  const host = options.authorityHost ?? 'https://login.microsoftonline.com'
  if (!URL.canParse(host) || !isSafe(new URL(host), allowHttp)) {
    throw misconfigured('authorityHost is not a URL that begins with https://')
  }
  if (tenantId !== undefined && !isTenant(tenantId)) throw misconfigured('tenantId is not a tenant')
  if (typeof clientId !== 'string' || clientId === '') throw misconfigured('clientId is missing')
  return async ({ tenantId: challenged, scope, signal, now }) => {
    const tenant = tenantId ?? challenged
    if (tenant === undefined) {
      throw failed('config', 'tenantId is missing, and the vault names none')
    }
    const reply = await ask(
      `${host.replace(/\/+$/, '')}/${tenant}/oauth2/v2.0/token`,
      {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: clientId,
          scope,
          ...(await proof()),
        }),
        signal,
      },
      fetch,
    )
    return tokenOf(reply, now)
  }
}

export interface ManagedIdentityOptions {
  /** Of a user-assigned identity. Default: the system-assigned one. */
  clientId?: string | undefined
  /**
   * Functions and App Service say in `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` where to ask; elsewhere it is the
   * metadata service of the virtual machine. Default: the process's own.
   */
  env?: Readonly<Record<string, unknown>> | undefined
  /** Default: the runtime's own. */
  fetch?: typeof fetch | undefined
}

const metadataService = 'http://169.254.169.254/metadata/identity/oauth2/token'

/** Outside of Azure nothing has that address, and a connection attempt would last until the deadline. */
const metadataConnectMs = 1000

/** The identity that Azure gives to the function, app, container or virtual machine that this runs in. */
export function managedIdentity(options: ManagedIdentityOptions = {}): Credential {
  const { clientId, fetch } = options
  const env = options.env ?? globalThis.process?.env ?? {}
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = env
  const onAppService =
    typeof endpoint === 'string' && URL.canParse(endpoint) && typeof header === 'string'
  let found = onAppService
  return async ({ resource, signal, now }) => {
    if (!found) {
      await findMetadataService(fetch, signal)
      found = true
    }
    const url = new URL(onAppService ? endpoint : metadataService)
    url.searchParams.set('api-version', onAppService ? '2019-08-01' : '2018-02-01')
    url.searchParams.set('resource', resource)
    if (clientId !== undefined) url.searchParams.set('client_id', clientId)
    const headers: Record<string, string> = onAppService
      ? { 'x-identity-header': header }
      : { metadata: 'true' }
    return tokenOf(await ask(url.href, { headers, signal }, fetch), now)
  }
}

/** Whatever it answers to a request without its header proves that it is there. */
async function findMetadataService(
  given: typeof fetch | undefined,
  signal: AbortSignal,
): Promise<void> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(metadataConnectMs)])
  try {
    const response = await (given ?? fetch)(metadataService, { signal: soon, redirect: 'manual' })
    await response.body?.cancel()
  } catch {
    throw failed('unavailable', 'there is no managed identity here')
  }
}

interface Reply {
  readonly access_token?: unknown
  readonly expires_in?: unknown
  readonly expires_on?: unknown
  readonly error_codes?: unknown
  readonly error_description?: unknown
}

async function ask(
  url: string,
  init: RequestInit,
  given: typeof fetch | undefined,
): Promise<Reply> {
  let response: Response
  let text: string
  try {
    response = await (given ?? fetch)(url, { ...init, redirect: 'manual' })
    text = await response.text()
  } catch (error) {
    throw new DriverFailure({
      ...fetchFailure(error),
      outcome: 'not-applied',
      detail: 'no token: the request for it failed',
    })
  }
  let reply: Reply | undefined
  try {
    reply = JSON.parse(text) as Reply
  } catch {
    // A proxy's page: the status has to do.
  }
  if (response.ok && typeof reply === 'object' && reply !== null) return reply
  if (response.status === 400 || response.status === 401) {
    const code = errorCode(reply)
    throw failed('unauthenticated', `no token: refused${code === undefined ? '' : ` (${code})`}`)
  }
  const failure = statusFailure(response)
  if (response.ok) throw failed('internal', 'no token: the reply is not of the protocol')
  throw new DriverFailure({
    ...failure,
    outcome: 'not-applied',
    detail: `no token: ${failure.detail}`,
  })
}

/** `AADSTS7000215`. The text behind it may quote what it was given. */
function errorCode(reply: Reply | null | undefined): string | undefined {
  const [code] = Array.isArray(reply?.error_codes) ? reply.error_codes : []
  if (Number.isSafeInteger(code)) return `AADSTS${code}`
  return /^AADSTS\d{1,9}\b/.exec(String(reply?.error_description))?.[0]
}

function tokenOf(reply: Reply, now: () => number): AccessToken {
  const { access_token: token, expires_in: life, expires_on: end } = reply
  if (typeof token !== 'string') {
    throw failed('internal', 'no token: the reply is not of the protocol')
  }
  // Seconds or a date; seconds are text in some places.
  const expiresAt = isCount(life)
    ? now() + Number(life) * 1000
    : isCount(end)
      ? Number(end) * 1000
      : Date.parse(String(end))
  return { token, expiresOn: Number.isNaN(expiresAt) ? undefined : new Date(expiresAt) }
}

function isCount(given: unknown): boolean {
  return /^\d{1,12}$/.test(String(given))
}

function failed(
  kind: 'config' | 'internal' | 'unauthenticated' | 'unavailable',
  detail: string,
): DriverFailure {
  return new DriverFailure({ kind, outcome: 'not-applied', detail })
}
