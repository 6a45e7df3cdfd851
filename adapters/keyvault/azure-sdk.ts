import type { TokenCredential } from '@azure/identity'
import type { SecretClient, SecretClientOptions } from '@azure/keyvault-secrets'
import { type Attempt, DriverFailure, type Failure, InfraError } from '../../src/core/index.ts'
import {
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
import {
  type Bundle,
  deletedOf,
  notVault,
  parametersOf,
  propertiesOf,
  secretOf,
} from './azure-sdk/bundles.ts'
import { errorOf, explain } from './azure-sdk/failures.ts'
import {
  type CallSettings,
  loadIdentity,
  loadSecrets,
  type Operations,
  operationsOf,
  type RawResponse,
} from './azure-sdk/library.ts'

/** A client that you have, or what to make one of. */
export type AzureSdkOptions =
  | {
      /**
       * Make it with `retryOptions: { maxRetries: 0 }`: what the SDK sends again by itself may be a write that
       * was applied, which `outcome` then does not tell.
       */
      client: SecretClient
    }
  | {
      /** `https://NAME.vault.azure.net` */
      url: string
      /** Default: `new DefaultAzureCredential()`. */
      credential?: TokenCredential | undefined
      /** For the SDK: a proxy, `tlsOptions`. Its retries and redirects stay off. */
      clientOptions?: SecretClientOptions | undefined
    }

/**
 * Azure Key Vault through Microsoft's SDK (`npm install @azure/keyvault-secrets @azure/identity`), which is
 * loaded on first use: for its credentials, and for who has a `SecretClient` already. `azure-rest` starts
 * faster and runs at the edge.
 *
 * Limits of the SDK: a page behind the first is read to its end when its caller has gone; a token that the
 * vault refuses before its time is over is not replaced; `expiresOn` and `notBefore` end in January 2038.
 * @throws InfraError `KEYVAULT_CONFIG` for malformed options.
 */
export function azureSdk(options: AzureSdkOptions): KeyVaultDriver {
  return new AzureSdkDriver(options)
}

interface Named {
  readonly name: string
}

type Call<T> = (operations: Operations, settings: CallSettings) => Promise<T>

class AzureSdkDriver implements KeyVaultDriver {
  readonly adapter = 'azure-sdk'
  readonly resource: string
  readonly capabilities: KeyVaultCapabilities = { cancel: true, asynchronous: true }
  /** Without a slash at the end. */
  readonly #base: string
  readonly #make: () => Promise<SecretClient>
  #client: Promise<SecretClient> | undefined
  readonly #open = new Set<AbortController>()

  constructor(options: AzureSdkOptions) {
    let url: string
    let allowHttp = true
    if ('client' in options) {
      const { client, ...rest } = options
      if (Object.keys(rest).length > 0) throw misconfigured('unknown option')
      if (typeof client !== 'object' || client === null || operationsOf(client) === undefined) {
        throw misconfigured('client is not a SecretClient of @azure/keyvault-secrets')
      }
      url = client.vaultUrl
      this.#make = async () => client
    } else {
      const { url: given, credential, clientOptions, ...rest } = options
      if (Object.keys(rest).length > 0) throw misconfigured('unknown option')
      if (credential !== undefined && typeof credential?.getToken !== 'function') {
        throw misconfigured('credential is not a TokenCredential of @azure/identity')
      }
      url = given
      allowHttp = clientOptions?.allowInsecureConnection === true
      this.#make = () => make(given, credential, clientOptions)
    }
    const { protocol, host, pathname, username, password, search, hash } = parse(url)
    if (protocol !== 'https:' && !(allowHttp && protocol === 'http:')) {
      throw misconfigured('url does not begin with https://')
    }
    if (pathname !== '/' || username + password + search + hash !== '') {
      throw misconfigured('url has more than a host')
    }
    this.resource = host
    this.#base = `${protocol}//${host}`
  }

  getSecret({ name, version = '' }: SecretId, attempt: Attempt): Promise<SecretData> {
    return this.#call(attempt, async (sdk, settings) =>
      secretOf(await sdk.getSecret(name, version, settings)),
    )
  }

  setSecret({ name, value, ...more }: NewSecret, attempt: Attempt): Promise<SecretData> {
    return this.#call(attempt, async (sdk, settings) =>
      secretOf(await sdk.setSecret(name, { value, ...parametersOf(more) }, settings)),
    )
  }

  updateSecret(request: SecretUpdate, attempt: Attempt): Promise<SecretProperties> {
    const { name, version = '', ...more } = request
    return this.#call(attempt, async (sdk, settings) =>
      propertiesOf(await sdk.updateSecret(name, version, parametersOf(more), settings)),
    )
  }

  listSecrets(request: PageRequest, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#page(request, propertiesOf, attempt, (sdk, settings) => sdk.getSecrets(settings))
  }

  listVersions(request: PageRequest & Named, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#page(request, propertiesOf, attempt, (sdk, settings) =>
      sdk.getSecretVersions(request.name, settings),
    )
  }

  deleteSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return this.#call(attempt, async (sdk, settings) =>
      deletedOf(await sdk.deleteSecret(name, settings)),
    )
  }

  getDeletedSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return this.#call(attempt, async (sdk, settings) =>
      deletedOf(await sdk.getDeletedSecret(name, settings)),
    )
  }

  listDeletedSecrets(
    request: PageRequest,
    attempt: Attempt,
  ): Promise<Page<DeletedSecretProperties>> {
    return this.#page(request, deletedOf, attempt, (sdk, settings) =>
      sdk.getDeletedSecrets(settings),
    )
  }

  recoverSecret({ name }: Named, attempt: Attempt): Promise<SecretProperties> {
    return this.#call(attempt, async (sdk, settings) =>
      propertiesOf(await sdk.recoverDeletedSecret(name, settings)),
    )
  }

  purgeSecret({ name }: Named, attempt: Attempt): Promise<void> {
    return this.#call(attempt, (sdk, settings) => sdk.purgeDeletedSecret(name, settings))
  }

  backupSecret({ name }: Named, attempt: Attempt): Promise<Uint8Array> {
    return this.#call(attempt, async (sdk, settings) => {
      const { value } = await sdk.backupSecret(name, settings)
      if (!(value instanceof Uint8Array)) throw notVault()
      return value
    })
  }

  restoreSecret(
    { backup }: { readonly backup: Uint8Array },
    attempt: Attempt,
  ): Promise<SecretProperties> {
    return this.#call(attempt, async (sdk, settings) =>
      propertiesOf(await sdk.restoreSecret({ secretBundleBackup: backup }, settings)),
    )
  }

  /** Lists, since the SDK asks for nothing that needs no token. A vault that forbids it has answered too. */
  async ping(attempt: Attempt): Promise<void> {
    try {
      await this.listSecrets({ pageSize: 1 }, attempt)
    } catch (error) {
      if (!(error instanceof VaultError && error.status === 403)) throw error
    }
  }

  async close(): Promise<void> {
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** The `SecretClient`. */
  native(): Promise<SecretClient> {
    // Memoised, but not its failure: what is installed meanwhile is found.
    if (this.#client === undefined) {
      const client = this.#make()
      this.#client = client
      client.catch(() => {
        this.#client = undefined
      })
    }
    return this.#client
  }

  classify(error: unknown): Failure {
    return explain(error)
  }

  // Requests -----------------------------------------------------------------------------------

  #page<T>(
    { continuation, pageSize }: PageRequest,
    item: (bundle: Bundle) => T,
    attempt: Attempt,
    list: (
      operations: Operations,
      settings: CallSettings & { maxresults: number },
    ) => ReturnType<Operations['getSecrets']>,
  ): Promise<Page<T>> {
    return this.#call(attempt, async (sdk, settings) => {
      // The SDK would send the token wherever the link says.
      if (continuation !== undefined && !this.#isOwn(continuation)) {
        const detail = 'the next page is said to be at another host, which is not asked'
        throw new DriverFailure({ kind: 'internal', outcome: 'not-applied', detail })
      }
      const pages = list(sdk, { ...settings, maxresults: pageSize })
      const { value } = await pages.byPage({ continuationToken: continuation }).next()
      return { items: value.map(item), continuation: value.continuationToken || undefined }
    })
  }

  #isOwn(link: string): boolean {
    return URL.canParse(link) && new URL(link).href.startsWith(`${this.#base}/`)
  }

  async #call<T>(attempt: Attempt, work: Call<T>): Promise<T> {
    const sdk = operationsOf(await this.native())
    if (sdk === undefined) throw misfit()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    let response: RawResponse | undefined
    try {
      attempt.sent = true
      return await work(sdk, {
        abortSignal: controller.signal,
        onResponse(given) {
          response = given
        },
      })
    } catch (error) {
      throw error instanceof DriverFailure ? error : errorOf(error, response)
    } finally {
      this.#open.delete(controller)
    }
  }
}

async function make(
  url: string,
  credential: TokenCredential | undefined,
  options: SecretClientOptions | undefined,
): Promise<SecretClient> {
  const { SecretClient } = await loadSecrets()
  const known = credential ?? new (await loadIdentity()).DefaultAzureCredential()
  return new SecretClient(url, known, {
    ...options,
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
  })
}

function parse(url: unknown): URL {
  if (typeof url !== 'string' || !URL.canParse(url)) throw misconfigured('url is not a URL')
  return new URL(url)
}

function misfit(): DriverFailure {
  const detail =
    'this version of @azure/keyvault-secrets is not supported; run: npm install @azure/keyvault-secrets@4'
  return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail })
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'keyvault',
    adapter: 'azure-sdk',
    operation: 'configure',
    detail,
  })
}
