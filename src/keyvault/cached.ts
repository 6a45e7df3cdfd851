import {
  Cache,
  type Cached,
  type CacheOptions,
  type Codec,
  RedisStore,
  type RedisStoreOptions,
  Sealer,
  type SealingKey,
  type SharedOptions,
} from '../cache/index.ts'
import { type CallOptions, type Failure, InfraError, isInfraError, known } from '../core/index.ts'
import { checkName, checkVersion, wholeNumber } from './arguments.ts'
import type {
  GetSecretOptions,
  GetSecretsOptions,
  HealthOptions,
  KeyVault,
  ListOptions,
  SetSecretOptions,
  UpdateSecretOptions,
  WaitOptions,
} from './client.ts'
import type {
  DeletedSecretProperties,
  KeyVaultCapabilities,
  SecretData,
  SecretId,
  SecretProperties,
} from './driver.ts'
import { classifyVault, VaultError } from './errors.ts'
import type { Listing } from './listing.ts'
import { Secret } from './secret.ts'
import { failureOfReads, settleAll } from './several.ts'

/** What programs use of a vault, with a cache or without. */
export type KeyVaultClient = Pick<KeyVault, keyof KeyVault>

export interface CachedOptions
  extends Pick<
    CacheOptions<Secret>,
    'softTtlMs' | 'hardTtlMs' | 'negativeTtlMs' | 'maxEntries' | 'timeoutMs' | 'metrics' | 'clock'
  > {
  /** Shared with other processes: a client of any adapter. Stays open when the cache is closed. */
  readonly redis?: RedisStoreOptions['redis'] | undefined
  /**
   * Seals what goes to Redis, and is not known there: 32 random bytes, as such, in hex or in base64. The first of
   * several seals, all open. Required with `redis`.
   */
  readonly key?: SealingKey | readonly SealingKey[] | undefined
  /** Of everything in Redis. Default `dualport:keyvault:`. */
  readonly prefix?: string | undefined
  /** For each command. Milliseconds, default 250. */
  readonly redisTimeoutMs?: number | undefined
  /** When several processes miss a secret at once, only one asks the vault, and the others wait for it. Default `false`. */
  readonly lock?: boolean | undefined
}

/**
 * A vault whose secrets are read through a cache: in memory, and with `redis` also there, sealed. Everything else
 * goes to the vault as it did. Writes and deletions invalidate the secret: when they resolve, this process gives the
 * new state, and so do others that hear of it through Redis; what neither hears nor reaches Redis gives the old one
 * until its soft TTL is over.
 *
 * ```ts
 * const secrets = cached(keyvault, { redis, key: process.env.KEYVAULT_CACHE_KEY })
 * ```
 * @throws InfraError `KEYVAULT_CONFIG` for `redis` without `key`, `CACHE_CONFIG` for what else cannot be.
 */
export function cached(keyvault: KeyVault, options: CachedOptions = {}): CachedKeyVault {
  return new CachedKeyVault(keyvault, options)
}

/** The component of errors and metrics, and the operation. */
const name = 'keyvault'
const operation = 'getSecret'

/** See `cached`. */
export class CachedKeyVault implements KeyVaultClient {
  readonly #keyvault: KeyVault
  readonly #cache: Cache<Secret>
  readonly #timeoutMs: number
  readonly #unwrap = (found: Cached<Secret> | undefined) => this.#found(found)

  constructor(keyvault: KeyVault, options: CachedOptions) {
    const { redis, key, prefix, redisTimeoutMs, lock, timeoutMs = 5000, ...rest } = options
    this.#keyvault = keyvault
    this.#timeoutMs = timeoutMs
    this.#cache = new Cache({
      ...rest,
      timeoutMs,
      name,
      operation,
      load: async (name, version) => {
        try {
          const secret = await keyvault.getSecret(name, version === '' ? {} : { version })
          return { value: secret, expiresAt: secret.expiresOn?.getTime() }
        } catch (error) {
          if (isInfraError(error, 'not-found')) return undefined
          throw error
        }
      },
      shared: this.#shared(options),
    })
  }

  get adapter(): string {
    return this.#keyvault.adapter
  }

  get resource(): string | undefined {
    return this.#keyvault.resource
  }

  get closed(): boolean {
    return this.#cache.closed
  }

  get capabilities(): KeyVaultCapabilities {
    return this.#keyvault.capabilities
  }

  /**
   * As that of `KeyVault`; `stale` says that the secret is older than the soft TTL. It is never given beyond its
   * own expiry. With `ignoreValidity` the vault is asked.
   */
  getSecret(name: string, options?: GetSecretOptions): Promise<Secret> {
    if (options?.ignoreValidity || !isValid(name, options)) {
      return this.#keyvault.getSecret(name, options)
    }
    return this.#cache.get(keyOf(name), options?.version, options).then(this.#unwrap)
  }

  async getSecrets(
    ids: readonly (string | SecretId)[],
    options: GetSecretsOptions = {},
  ): Promise<Secret[]> {
    const { concurrency = 6, ...rest } = options
    if (!areValid(ids, concurrency, rest)) return this.#keyvault.getSecrets(ids, options)
    const due = performance.now() + (rest.timeoutMs ?? this.#timeoutMs)
    const items = await settleAll(ids, concurrency, (id) => {
      const { name, version } = typeof id === 'string' ? { name: id, version: undefined } : id
      // Never 0, which no call takes.
      const timeoutMs = Math.max(Number.MIN_VALUE, due - performance.now())
      return this.getSecret(name, { ...rest, version, timeoutMs })
    })
    const failure = failureOfReads(items)
    if (failure !== undefined) throw this.#error('getSecrets', failure)
    return items.map((item) => (item as { value: Secret }).value)
  }

  /** Forgets a secret with all its versions: its user refused it, say. The vault is asked next time. Never rejects. */
  async invalidate(name: string): Promise<void> {
    await this.#cache.invalidate(keyOf(name))
  }

  setSecret(name: string, value: string, options?: SetSecretOptions): Promise<Secret> {
    return this.#changed(name, this.#keyvault.setSecret(name, value, options))
  }

  updateSecret(name: string, options: UpdateSecretOptions): Promise<SecretProperties> {
    return this.#changed(name, this.#keyvault.updateSecret(name, options))
  }

  deleteSecret(name: string, options?: WaitOptions): Promise<DeletedSecretProperties> {
    return this.#changed(name, this.#keyvault.deleteSecret(name, options))
  }

  recoverSecret(name: string, options?: WaitOptions): Promise<SecretProperties> {
    return this.#changed(name, this.#keyvault.recoverSecret(name, options))
  }

  async restoreSecret(backup: Uint8Array, options?: CallOptions): Promise<SecretProperties> {
    const restored = await this.#keyvault.restoreSecret(backup, options)
    await this.invalidate(restored.name)
    return restored
  }

  purgeSecret(name: string, options?: CallOptions): Promise<void> {
    return this.#keyvault.purgeSecret(name, options)
  }

  backupSecret(name: string, options?: CallOptions): Promise<Uint8Array> {
    return this.#keyvault.backupSecret(name, options)
  }

  getDeletedSecret(name: string, options?: CallOptions): Promise<DeletedSecretProperties> {
    return this.#keyvault.getDeletedSecret(name, options)
  }

  listSecrets(options?: ListOptions): Listing<SecretProperties> {
    return this.#keyvault.listSecrets(options)
  }

  listVersions(name: string, options?: ListOptions): Listing<SecretProperties> {
    return this.#keyvault.listVersions(name, options)
  }

  listDeletedSecrets(options?: ListOptions): Listing<DeletedSecretProperties> {
    return this.#keyvault.listDeletedSecrets(options)
  }

  /** Of the vault: the cache and Redis are not asked. */
  health(options?: HealthOptions): Promise<void> {
    return this.#keyvault.health(options)
  }

  native(): Promise<unknown> {
    return this.#keyvault.native()
  }

  /** The cache, then the vault's client. Redis stays open. */
  async close(): Promise<void> {
    try {
      await this.#cache.close()
    } finally {
      await this.#keyvault.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What failed may have been applied all the same. */
  async #changed<T>(name: string, write: Promise<T>): Promise<T> {
    try {
      const result = await write
      await this.invalidate(name)
      return result
    } catch (error) {
      if (isInfraError(error) && error.outcome !== 'not-applied') await this.invalidate(name)
      throw error
    }
  }

  #found(found: Cached<Secret> | undefined): Secret {
    if (found === undefined) {
      const missing = new VaultError(404, 'SecretNotFound')
      throw this.#error(operation, classifyVault(missing), missing)
    }
    return found.stale ? new Secret(dataOf(found.value), true) : found.value
  }

  #shared({
    redis,
    key,
    prefix = 'dualport:keyvault:',
    redisTimeoutMs = 250,
    lock,
  }: CachedOptions): SharedOptions<Secret> | undefined {
    if (redis === undefined) return undefined
    if (key === undefined) {
      const detail = 'a cache in Redis needs a key to seal the secrets with'
      throw this.#error('configure', { kind: 'config', detail })
    }
    const vault = this.resource ?? this.adapter
    return {
      store: new RedisStore({ redis, prefix: `${prefix}${vault}:`, timeoutMs: redisTimeoutMs }),
      sealer: new Sealer(key),
      codec,
      context: ['dualport:keyvault:1', vault],
      lock,
    }
  }

  #error(operation: string, failure: Failure, native?: unknown): InfraError {
    return new InfraError({
      ...failure,
      component: name,
      adapter: this.adapter,
      operation,
      native,
    })
  }
}

/** Vaults compare names without regard to case. */
function keyOf(name: string): string {
  return name.toLowerCase()
}

/** What is not valid the client refuses, as it would without a cache. */
function isValid(name: string, options: GetSecretOptions | undefined): boolean {
  try {
    known(options, 'version', 'ignoreValidity')
    checkName(name)
    checkVersion(options?.version)
    return true
  } catch {
    return false
  }
}

function areValid(
  ids: readonly (string | SecretId)[],
  concurrency: number,
  options: GetSecretsOptions,
): boolean {
  try {
    known(options, 'ignoreValidity')
    wholeNumber(concurrency, 1, 100, 'concurrency')
    return Array.isArray(ids)
  } catch {
    return false
  }
}

function dataOf(secret: Secret): SecretData {
  return { ...secret, value: secret.reveal() }
}

const instants = ['expiresOn', 'notBefore', 'createdOn', 'updatedOn'] as const

/** JSON of the data, instants as milliseconds since the epoch. */
const codec: Codec<Secret> = {
  encode(secret) {
    const data = dataOf(secret)
    return { ...data, ...Object.fromEntries(instants.map((name) => [name, data[name]?.getTime()])) }
  },
  decode(json) {
    const data = json as SecretData &
      Readonly<Record<(typeof instants)[number], number | undefined>>
    const dates = instants.map((name) => [name, data[name] && new Date(data[name])])
    return new Secret({ ...data, ...Object.fromEntries(dates) })
  },
}
