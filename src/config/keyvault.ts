import * as v from 'valibot'
import { isSafe } from '../../adapters/keyvault/azure-rest/address.ts'
import {
  clientSecret,
  managedIdentity,
  workloadIdentity,
} from '../../adapters/keyvault/azure-rest/credentials.ts'
import type { AzureRestOptions, Credential } from '../../adapters/keyvault/azure-rest.ts'
import { type CachedOptions, cached, type KeyVaultClient } from '../keyvault/cached.ts'
import { KeyVault, type KeyVaultDriver } from '../keyvault/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, secret, text, validate } from './validation.ts'

export type KeyVaultAdapter = 'azure-rest' | 'azure-sdk' | 'memory'

/** As @azure/identity has it, whose types are not needed for all else. */
interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: { readonly abortSignal?: AbortSignal; readonly tenantId?: string },
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}

interface SdkOptions {
  url: string
  credential?: TokenCredential | undefined
  clientOptions: {
    allowInsecureConnection: boolean
    disableChallengeResourceVerification: boolean
  }
}

/** The options of the adapters and their credentials, which adapter it is, and the cache before it. */
export interface KeyVaultConfig
  extends Omit<Partial<AzureRestOptions>, 'url' | 'credential' | 'clock'> {
  /** `https://NAME.vault.azure.net`, or `memory:`. */
  url?: string | undefined
  /** Default: by the scheme of `url`, azure-rest for `https:`. `memory` overrides everything. */
  adapter?: KeyVaultAdapter | undefined
  /**
   * Default: an application, if there is `clientSecret` or `federatedTokenFile`; else the managed identity of where
   * this runs, or for azure-sdk its `DefaultAzureCredential`. One of @azure/identity is for azure-sdk only.
   */
  credential?: Credential | TokenCredential | undefined
  tenantId?: string | undefined
  clientId?: string | undefined
  /** A function is asked each time a token is. */
  clientSecret?: string | (() => string | Promise<string>) | undefined
  federatedTokenFile?: string | undefined
  /** Default `https://login.microsoftonline.com`. */
  authorityHost?: string | undefined
  identityEndpoint?: string | undefined
  identityHeader?: string | undefined
  /**
   * Turns the cache on, and seals what it keeps in Redis, if that is configured: 32 random bytes in hex or base64.
   * Of several, a list or text with commas, the first seals.
   */
  cacheKey?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
  /** For how long a secret counts as fresh. Default 300. */
  cacheTtlSeconds?: number | undefined
  /** For how long it is given when the vault cannot be asked. Default 28,800. */
  cacheHardTtlSeconds?: number | undefined
  /** For how long it is believed that there is no such secret. Default 10. */
  cacheNegativeTtlSeconds?: number | undefined
  /** One process at a time asks the vault for a secret. Default `false`. */
  cacheLock?: boolean | undefined
}

/** The adapters that a runtime can use. */
export interface KeyVaultAdapters {
  readonly memory: () => KeyVaultDriver
  readonly azureRest: (options: AzureRestOptions) => KeyVaultDriver
  readonly azureSdk: ((options: SdkOptions) => KeyVaultDriver) | undefined
}

export interface KeyVaultBackend extends Backend<KeyVaultClient> {
  /** The fields without which there is no vault: all but the cache's. */
  readonly vaultFields: readonly string[]
  /** The vault alone, without its cache. `undefined` if there are problems. */
  configureVault(settings: Settings, problems: Problems): (() => KeyVaultDriver) | undefined
}

export function keyvaultBackend(adapters: KeyVaultAdapters): KeyVaultBackend {
  const configureVault = (settings: Settings, problems: Problems) =>
    configure(adapters, settings, problems)
  return {
    variables: {
      url: ['KEYVAULT_URL'],
      adapter: ['KEYVAULT_ADAPTER'],
      allowHttp: ['KEYVAULT_ALLOW_HTTP'],
      verifyChallenge: ['KEYVAULT_VERIFY_CHALLENGE'],
      cacheKey: ['KEYVAULT_CACHE_KEY'],
      cacheTtlSeconds: ['KEYVAULT_CACHE_TTL_SECONDS'],
      cacheHardTtlSeconds: ['KEYVAULT_CACHE_HARD_TTL_SECONDS'],
      cacheNegativeTtlSeconds: ['KEYVAULT_CACHE_NEGATIVE_TTL_SECONDS'],
      cacheLock: ['KEYVAULT_CACHE_LOCK'],
      ...ambient,
    },
    ambient: Object.keys(ambient),
    fields: [...Object.keys(vaultFields), ...Object.keys(cacheFields)],
    vaultFields: Object.keys(vaultFields),
    componentType: 'component',
    embedded: (options) => opened(new KeyVault(adapters.memory(), options)),
    configureVault,
    configure(settings, problems) {
      const driver = configureVault(settings, problems)
      const cache = configureCache(settings, problems)
      if (driver === undefined) return undefined
      return (options, { redis }) => {
        const keyvault = new KeyVault(driver(), options)
        // Whoever has a vault of their own shares nothing.
        if (cache === undefined || keyvault.adapter === 'memory') return opened(keyvault)
        const { metrics, timeoutMs } = options
        return {
          ...opened(cached(keyvault, { ...cache, redis, metrics, timeoutMs })),
          uses: redis,
        }
      }
    },
  }
}

/** What Azure and its tools set, for other clients as well. */
const ambient = {
  tenantId: ['AZURE_TENANT_ID'],
  clientId: ['AZURE_CLIENT_ID'],
  clientSecret: ['AZURE_CLIENT_SECRET'],
  federatedTokenFile: ['AZURE_FEDERATED_TOKEN_FILE'],
  authorityHost: ['AZURE_AUTHORITY_HOST'],
  identityEndpoint: ['IDENTITY_ENDPOINT'],
  identityHeader: ['IDENTITY_HEADER'],
}

const url = v.pipe(
  v.string(),
  v.check((text) => {
    if (text === 'memory:') return true
    if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return false
    const { username, password, search, hash } = new URL(text)
    return username + password + search + hash === ''
  }),
)
const httpUrl = v.pipe(
  v.string(),
  v.check((text) => /^https?:/i.test(text) && URL.canParse(text)),
)

const vaultFields = {
  url: [url, 'give it https://NAME.vault.azure.net or memory:, and nothing behind it'],
  adapter: [
    v.picklist(['azure-rest', 'azure-sdk', 'memory']),
    'give it azure-rest, azure-sdk or memory',
  ],
  credential: [
    v.custom<Credential | TokenCredential>(
      (value) =>
        typeof value === 'function' ||
        typeof (value as TokenCredential | null)?.getToken === 'function',
    ),
    'give it a function, or a credential of @azure/identity',
  ],
  tenantId: [
    v.pipe(v.string(), v.regex(/^[\da-z][\da-z.-]*$/i)),
    'give it the ID or a domain of the tenant',
  ],
  clientId: [text, 'give it the ID of the application, or unset it'],
  clientSecret: [secret(/./s), 'give it the secret of the application, or unset it'],
  federatedTokenFile: [text, 'give it the path of a file, or unset it'],
  authorityHost: [httpUrl, 'give it a URL that begins with https://'],
  identityEndpoint: [httpUrl, 'give it a URL'],
  identityHeader: [text, 'give it the text that the identity endpoint wants'],
  allowHttp: [flag, 'give it true or false'],
  verifyChallenge: [flag, 'give it true or false'],
  apiVersion: [v.pipe(v.string(), v.regex(/^[\w.-]{1,32}$/)), 'give it a version such as 7.6'],
  fetch: [aFunction, 'give it a function'],
} as const

const textKey = v.pipe(v.string(), v.regex(/^([\da-f]{64}|[\w+/-]{43}=?)$/i))
const bytesKey = v.pipe(
  v.instance(Uint8Array),
  v.check((bytes) => bytes.length === 32),
)
const keys = v.union([
  v.pipe(v.array(v.union([textKey, bytesKey])), v.minLength(1)),
  v.pipe(
    v.string(),
    v.transform((text) => text.split(',')),
    v.array(textKey),
  ),
  bytesKey,
])
const seconds = [integer(1, 2 ** 31 - 1), 'give it a whole number of seconds from 1'] as const

const cacheFields = {
  cacheKey: [keys, 'give it 32 random bytes in hex or base64, or several with commas between'],
  cacheTtlSeconds: seconds,
  cacheHardTtlSeconds: seconds,
  cacheNegativeTtlSeconds: [integer(0, 2 ** 31 - 1), 'give it a whole number of seconds from 0'],
  cacheLock: [flag, 'give it true or false'],
} as const

const takenBy: Readonly<Partial<Record<keyof typeof vaultFields, readonly KeyVaultAdapter[]>>> = {
  apiVersion: ['azure-rest'],
  fetch: ['azure-rest'],
}

function configure(
  adapters: KeyVaultAdapters,
  settings: Settings,
  problems: Problems,
): (() => KeyVaultDriver) | undefined {
  const valid = validate(vaultFields, settings, problems)
  const { url, credential, allowHttp = false, verifyChallenge, apiVersion, fetch } = valid
  const { azureSdk } = adapters
  const name = (field: keyof typeof vaultFields) => settings.nameOf(field)
  const overHttp = valid.adapter === 'azure-sdk' ? 'azure-sdk' : 'azure-rest'
  const adapter = chooseAdapter<KeyVaultAdapter>(settings, valid, problems, {
    byScheme: { 'https:': overHttp, 'http:': overHttp, 'memory:': 'memory' },
    otherwise: undefined,
    unable: [],
    takenBy,
  })
  if (adapter === 'memory') return adapters.memory
  if (!Object.hasOwn(settings.values, 'url')) {
    problems.add(name('url'), 'set it to https://NAME.vault.azure.net')
  }
  if (adapter === undefined) return undefined
  for (const field of ['url', 'authorityHost'] as const) {
    const given = valid[field]
    if (given === undefined || isSafe(new URL(given), allowHttp)) continue
    const fix = `give it https://; http is for this machine, with ${name('allowHttp')}`
    problems.add(name(field), fix)
  }
  if (adapter === 'azure-sdk') {
    if (azureSdk === undefined) {
      problems.add(name('adapter'), 'unset it; this runtime cannot use azure-sdk')
    }
    if (url !== undefined && new URL(url).pathname !== '/') {
      problems.add(name('url'), 'take the path out of it; azure-sdk does not take one')
    }
  } else if (typeof credential === 'object') {
    problems.add(name('credential'), 'give it a function; credentials of the SDK are for azure-sdk')
  }
  const application = applicationOf(valid, problems, name)
  if (url === undefined || problems.count > 0) return undefined

  if (adapter === 'azure-sdk' && azureSdk !== undefined) {
    const own = credential ?? application
    return () =>
      azureSdk({
        url,
        credential: typeof own === 'function' ? forSdk(own) : own,
        clientOptions: {
          allowInsecureConnection: allowHttp,
          disableChallengeResourceVerification: verifyChallenge === false,
        },
      })
  }
  const { clientId, identityEndpoint, identityHeader } = valid
  const env = { IDENTITY_ENDPOINT: identityEndpoint, IDENTITY_HEADER: identityHeader }
  const given = typeof credential === 'function' ? credential : application
  return () =>
    adapters.azureRest({
      url,
      credential: given ?? managedIdentity({ clientId, env, fetch }),
      allowHttp,
      verifyChallenge,
      apiVersion,
      fetch,
    })
}

/** An application of Entra ID, if that is what is configured: by its secret, or by who vouches for it. */
function applicationOf(
  valid: KeyVaultConfig,
  problems: Problems,
  name: (field: keyof typeof vaultFields) => string,
): Credential | undefined {
  const { credential, clientId, clientSecret: secret, federatedTokenFile: tokenFile } = valid
  const { tenantId, authorityHost, allowHttp, fetch } = valid
  const proof = secret === undefined ? 'federatedTokenFile' : 'clientSecret'
  if (credential !== undefined || valid[proof] === undefined) return undefined
  if (clientId === undefined) {
    problems.add(name('clientId'), `set it; ${name(proof)} is an application's`)
  }
  if (clientId === undefined || problems.count > 0) return undefined
  const options = { tenantId, clientId, authorityHost, allowHttp, fetch }
  return secret === undefined
    ? workloadIdentity({ ...options, tokenFile })
    : clientSecret({ ...options, clientSecret: secret })
}

/** A credential of ours as the SDK takes it. */
function forSdk(credential: Credential): TokenCredential {
  return {
    async getToken(scopes, { abortSignal, tenantId } = {}) {
      const scope = [scopes].flat()[0] as string
      const given = await credential({
        tenantId,
        scope,
        resource: scope.replace(/\/\.default$/, ''),
        signal: abortSignal ?? new AbortController().signal,
        now: Date.now,
      })
      const { token, expiresOn } = typeof given === 'string' ? { token: given } : given
      return { token, expiresOnTimestamp: expiresOn?.getTime() ?? Date.now() + 3_600_000 }
    },
  }
}

/** All of its options but where it is: `undefined` for no cache. */
function configureCache(
  settings: Settings,
  problems: Problems,
): Omit<CachedOptions, 'redis'> | undefined {
  const valid = validate(cacheFields, settings, problems)
  const given = Object.keys(cacheFields).filter((field) => Object.hasOwn(settings.values, field))
  const { cacheKey, cacheTtlSeconds, cacheHardTtlSeconds, cacheNegativeTtlSeconds } = valid
  const { nameOf } = settings
  if (given.length > 0 && !given.includes('cacheKey')) {
    problems.add(nameOf('cacheKey'), `set it, since ${nameOf(given[0] as string)} is of a cache`)
  }
  if ((cacheTtlSeconds ?? 300) > (cacheHardTtlSeconds ?? 28_800)) {
    const fix = `set it to no less than ${nameOf('cacheTtlSeconds')} has`
    problems.add(nameOf('cacheHardTtlSeconds'), fix)
  }
  if (cacheKey === undefined) return undefined
  return {
    key: cacheKey,
    softTtlMs: milliseconds(cacheTtlSeconds),
    hardTtlMs: milliseconds(cacheHardTtlSeconds),
    negativeTtlMs: milliseconds(cacheNegativeTtlSeconds),
    lock: valid.cacheLock,
  }
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds && seconds * 1000
}

function opened(client: KeyVaultClient) {
  return { client, resource: client.resource }
}
