import {
  type EndpointOptions,
  fetchFailure,
  HttpEndpoint,
  retryAfter,
  statusFailure,
} from '../../src/core/http.ts'
import { type Attempt, DriverFailure, type Failure } from '../../src/core/index.ts'
import {
  classifyVault,
  type DeletedSecretProperties,
  type KeyVaultCapabilities,
  type KeyVaultDriver,
  type NewSecret,
  type Page,
  type PageRequest,
  type SecretData,
  type SecretId,
  type SecretProperties,
  type SecretUpdate,
  VaultError,
} from '../../src/keyvault/index.ts'
import { isSafe, misconfigured } from './azure-rest/address.ts'
import { type Challenge, parseChallenge } from './azure-rest/challenge.ts'
import {
  decodeBackup,
  decodeDeleted,
  decodeError,
  decodePage,
  decodeProperties,
  decodeSecret,
  encodeAttributes,
  encodeBackup,
  notVault,
} from './azure-rest/codec.ts'
import { type Credential, Tokens } from './azure-rest/tokens.ts'

export {
  type ClientSecretOptions,
  clientSecret,
  type ManagedIdentityOptions,
  managedIdentity,
  type WorkloadIdentityOptions,
  workloadIdentity,
} from './azure-rest/credentials.ts'
export type { AccessToken, Credential, TokenRequest } from './azure-rest/tokens.ts'

export interface AzureRestOptions extends EndpointOptions {
  /** `clientSecret(...)`, `managedIdentity()`, `workloadIdentity(...)`, or any function that gets a token. */
  credential: Credential
  /** Default `7.6`. */
  apiVersion?: string | undefined
  /** Lets `url` be http on this machine, which is refused otherwise: for emulators. */
  allowHttp?: boolean | undefined
  /** `false` lets a host ask for a token that is not for it: for emulators. Default `true`. */
  verifyChallenge?: boolean | undefined
  /** Epoch milliseconds, for the expiry of tokens. Default `Date.now`. */
  clock?: (() => number) | undefined
}

/** What several callers wait for has a limit of its own: the first one's deadline is not theirs. */
const authenticationMs = 10_000

/**
 * Azure Key Vault by its REST API. Plain `fetch`, so it runs everywhere; it holds no connection, so that it
 * may live at module level in a Worker. https://learn.microsoft.com/rest/api/keyvault/
 * @throws InfraError `KEYVAULT_CONFIG` for malformed options.
 */
export function azureRest(options: AzureRestOptions): KeyVaultDriver {
  return new AzureRestDriver(options)
}

interface Named {
  readonly name: string
}

class AzureRestDriver implements KeyVaultDriver {
  readonly adapter = 'azure-rest'
  readonly resource: string
  readonly capabilities: KeyVaultCapabilities = { cancel: true, asynchronous: true }
  readonly #endpoint: HttpEndpoint
  /** With the path, and without a slash at the end. */
  readonly #base: string
  /** The host that challenges are checked against. */
  readonly #host: string | undefined
  readonly #version: string
  readonly #tokens: Tokens
  readonly #open = new Set<AbortController>()

  constructor(options: AzureRestOptions) {
    const { url, fetch, credential, apiVersion = '7.6', allowHttp = false, ...more } = options
    const { verifyChallenge = true, clock = Date.now, ...rest } = more
    if (Object.keys(rest).length > 0) throw misconfigured('unknown option')
    this.#endpoint = new HttpEndpoint({ url, fetch }, undefined, misconfigured)
    const parsed = new URL(url)
    if (!isSafe(parsed, allowHttp)) throw misconfigured('url does not begin with https://')
    if (typeof credential !== 'function') throw misconfigured('credential is not a function')
    if (!/^[\w.-]{1,32}$/.test(apiVersion)) throw misconfigured('apiVersion is malformed')
    this.resource = this.#endpoint.resource
    this.#base = parsed.origin + parsed.pathname.replace(/\/+$/, '')
    this.#host = verifyChallenge ? parsed.hostname : undefined
    this.#version = `api-version=${apiVersion}`
    this.#tokens = new Tokens({
      credential,
      clock,
      challenge: (signal) => this.#challenge(signal),
      bounded: (work) => this.#bounded(work),
    })
  }

  async getSecret({ name, version = '' }: SecretId, attempt: Attempt): Promise<SecretData> {
    return decodeSecret(await this.#call('GET', `/secrets/${name}/${version}`, attempt))
  }

  async setSecret({ name, value, ...more }: NewSecret, attempt: Attempt): Promise<SecretData> {
    const body = { value, ...encodeAttributes(more) }
    return decodeSecret(await this.#call('PUT', `/secrets/${name}`, attempt, body))
  }

  async updateSecret(request: SecretUpdate, attempt: Attempt): Promise<SecretProperties> {
    const { name, version = '', ...more } = request
    const path = `/secrets/${name}/${version}`
    return decodeProperties(await this.#call('PATCH', path, attempt, encodeAttributes(more)))
  }

  listSecrets(request: PageRequest, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#page('/secrets', request, decodeProperties, attempt)
  }

  listVersions(request: PageRequest & Named, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#page(`/secrets/${request.name}/versions`, request, decodeProperties, attempt)
  }

  async deleteSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return decodeDeleted(await this.#call('DELETE', `/secrets/${name}`, attempt))
  }

  async getDeletedSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return decodeDeleted(await this.#call('GET', `/deletedsecrets/${name}`, attempt))
  }

  listDeletedSecrets(
    request: PageRequest,
    attempt: Attempt,
  ): Promise<Page<DeletedSecretProperties>> {
    return this.#page('/deletedsecrets', request, decodeDeleted, attempt)
  }

  async recoverSecret({ name }: Named, attempt: Attempt): Promise<SecretProperties> {
    const path = `/deletedsecrets/${name}/recover`
    return decodeProperties(await this.#call('POST', path, attempt))
  }

  async purgeSecret({ name }: Named, attempt: Attempt): Promise<void> {
    await this.#call('DELETE', `/deletedsecrets/${name}`, attempt)
  }

  async backupSecret({ name }: Named, attempt: Attempt): Promise<Uint8Array> {
    return decodeBackup(await this.#call('POST', `/secrets/${name}/backup`, attempt))
  }

  async restoreSecret(
    { backup }: { readonly backup: Uint8Array },
    attempt: Attempt,
  ): Promise<SecretProperties> {
    const body = { value: encodeBackup(backup) }
    return decodeProperties(await this.#call('POST', '/secrets/restore', attempt, body))
  }

  /** Anonymous, as load balancers ask. A vault that wants a token even here has answered too. */
  async ping(attempt: Attempt): Promise<void> {
    const response = await this.#cancellable(attempt, (signal) =>
      this.#send('GET', '/healthstatus', {}, attempt, signal),
    )
    if (!response.ok && response.status !== 401) throw await failureOf(response)
    await response.body?.cancel()
  }

  async close(): Promise<void> {
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#endpoint.fetch
  }

  classify(error: unknown): Failure {
    return error instanceof VaultError ? classifyVault(error) : fetchFailure(error)
  }

  // Requests -----------------------------------------------------------------------------------

  #page<T>(
    path: string,
    { continuation, pageSize }: PageRequest,
    item: (reply: unknown) => T,
    attempt: Attempt,
  ): Promise<Page<T>> {
    const url =
      continuation === undefined
        ? `${path}?maxresults=${pageSize}&${this.#version}`
        : this.#pathOf(continuation)
    return this.#authorized('GET', url, attempt).then((reply) => decodePage(reply, item))
  }

  /** The vault says where its next page is, and may be wrong: the token goes to the vault and nowhere else. */
  #pathOf(nextLink: string): string {
    const { href } = URL.canParse(nextLink) ? new URL(nextLink) : { href: '' }
    if (href.startsWith(`${this.#base}/`)) return href.slice(this.#base.length)
    throw new DriverFailure({
      kind: 'internal',
      outcome: 'not-applied',
      detail: 'the next page is said to be at another host, which is not asked',
    })
  }

  #call(method: Method, path: string, attempt: Attempt, body?: object): Promise<unknown> {
    return this.#authorized(method, `${path}?${this.#version}`, attempt, body)
  }

  #authorized(method: Method, path: string, attempt: Attempt, body?: object): Promise<unknown> {
    return this.#cancellable(attempt, async (signal) => {
      const send = (token: string) => {
        const headers: Record<string, string> = { authorization: `Bearer ${token}` }
        return this.#send(method, path, headers, attempt, signal, body)
      }
      const token = await this.#tokens.get()
      let response = await send(token)
      if (response.status === 401) {
        await response.body?.cancel()
        // A refusal applies nothing.
        attempt.sent = false
        const header = response.headers.get('www-authenticate')
        const challenge = header === null ? undefined : parseChallenge(header, this.#host)
        response = await send(await this.#tokens.replace(token, challenge))
      }
      if (!response.ok) throw await failureOf(response)
      if (response.status === 204) return undefined
      const text = await response.text()
      try {
        return JSON.parse(text)
      } catch {
        throw notVault()
      }
    })
  }

  #send(
    method: Method,
    path: string,
    headers: Record<string, string>,
    attempt: Attempt,
    signal: AbortSignal,
    body?: object,
  ): Promise<Response> {
    headers.accept = 'application/json'
    if (body !== undefined) headers['content-type'] = 'application/json'
    return this.#endpoint.request({
      method,
      path,
      headers,
      attempts: [attempt],
      signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  /** A request without token and body, for which a vault says what token it wants. */
  async #challenge(signal: AbortSignal): Promise<Challenge> {
    let response: Response
    try {
      const url = `${this.#base}/secrets?maxresults=1&${this.#version}`
      response = await this.#endpoint.fetch(url, { signal, redirect: 'manual' })
    } catch (error) {
      throw new DriverFailure({ ...fetchFailure(error), outcome: 'not-applied' })
    }
    if (response.status === 401) {
      await response.body?.cancel()
      return parseChallenge(response.headers.get('www-authenticate'), this.#host)
    }
    if (!response.ok) throw notApplied(await failureOf(response))
    await response.body?.cancel()
    throw notApplied(notVault())
  }

  async #cancellable<T>(attempt: Attempt, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    try {
      return await work(controller.signal)
    } finally {
      this.#open.delete(controller)
    }
  }

  async #bounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    this.#open.add(controller)
    const timer = setTimeout(() => controller.abort(), authenticationMs)
    try {
      return await work(controller.signal)
    } finally {
      clearTimeout(timer)
      this.#open.delete(controller)
    }
  }
}

type Method = 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE'

/** What a status other than 2xx means. */
async function failureOf(response: Response): Promise<VaultError | DriverFailure> {
  const { status, headers, type } = response
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await response.body?.cancel()
    const detail = 'the vault redirects elsewhere, which is not followed'
    return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail })
  }
  // A body that is cut short changes nothing about the status.
  const text = await response.text().catch(() => '')
  const hint = retryAfter(headers.get('retry-after') ?? '')
  return decodeError(status, text, hint) ?? new DriverFailure(statusFailure(response))
}

function notApplied(error: VaultError | DriverFailure): DriverFailure {
  const failure = error instanceof VaultError ? classifyVault(error) : error.failure
  return new DriverFailure({ ...failure, outcome: 'not-applied' }, { cause: error })
}
