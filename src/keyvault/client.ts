import { passing } from '../core/errors.ts'
import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  type InfraError,
  known,
  type Operation,
} from '../core/index.ts'
import {
  attributesOf,
  checkBackup,
  checkContinuation,
  checkName,
  checkValue,
  checkVersion,
  invalid,
  wholeNumber,
} from './arguments.ts'
import type {
  DeletedSecretProperties,
  KeyVaultCapabilities,
  KeyVaultDriver,
  Page,
  PageRequest,
  SecretAttributes,
  SecretData,
  SecretId,
  SecretProperties,
} from './driver.ts'
import { Listing } from './listing.ts'
import { Secret } from './secret.ts'
import { failureOfReads, settleAll } from './several.ts'
import { checkUsable, defaultClockSkewMs } from './validity.ts'

export interface KeyVaultOptions extends ClientOptions {
  /**
   * How far this machine's clock may be off before an expired secret is refused, or one that is not valid yet.
   * Milliseconds from 0, default 60,000.
   */
  clockSkewMs?: number | undefined
}

export interface GetSecretOptions extends CallOptions {
  /** Default: the latest. */
  readonly version?: string | undefined
  /** Gives the value of a secret that has expired or is not valid yet, as the vault does: to recover, to test. */
  readonly ignoreValidity?: boolean | undefined
}

export interface GetSecretsOptions extends Omit<GetSecretOptions, 'version'> {
  /** How many at a time, 1 to 100. Default 6, what a Worker may have open at once. */
  readonly concurrency?: number | undefined
}

export interface SetSecretOptions extends SecretAttributes, CallOptions {}

export interface UpdateSecretOptions extends SecretAttributes, CallOptions {
  /** Default: the latest. */
  readonly version?: string | undefined
}

export interface ListOptions extends CallOptions {
  /** The most items of a page, 1 to 25. Default 25. */
  readonly pageSize?: number | undefined
}

export interface WaitOptions extends CallOptions {
  /** `false`: do not wait until the vault is done, which may take it some seconds. Default `true`. */
  readonly wait?: boolean | undefined
}

export interface HealthOptions extends CallOptions {
  /** This secret must be readable too. What the vault says of it is kept for `secretTtlMs`. */
  readonly secret?: string | undefined
  /** Milliseconds from 60,000, the default: reads are counted, and the vault's limits are low. */
  readonly secretTtlMs?: number | undefined
}

const names = { duration: 'keyvault_operation_duration_seconds', label: 'operation' }

const getSecret: Operation<Secret> = {
  ...read('getSecret'),
  decode: (data: SecretData) => new Secret(data),
}
/** Neither retried nor held back by the circuit: it is asked to learn how the vault is. */
const probeSecret: Operation<Secret> = { ...getSecret, probe: true }
const setSecret: Operation<Secret> = {
  ...write('setSecret'),
  decode: (data: SecretData) => new Secret(data),
}
const updateSecret: Operation<SecretProperties> = write('updateSecret')
/** Of a version that is named: the latest could be another the second time. */
const updateVersion: Operation<SecretProperties> = { ...updateSecret, idempotent: true }
const listSecrets: Operation<Page<SecretProperties>> = read('listSecrets')
const listVersions: Operation<Page<SecretProperties>> = read('listVersions')
const deleteSecret: Operation<DeletedSecretProperties> = write('deleteSecret')
const getDeletedSecret: Operation<DeletedSecretProperties> = read('getDeletedSecret')
const listDeletedSecrets: Operation<Page<DeletedSecretProperties>> = read('listDeletedSecrets')
const recoverSecret: Operation<SecretProperties> = write('recoverSecret')
const purgeSecret: Operation<void> = write('purgeSecret')
const backupSecret: Operation<Uint8Array> = read('backupSecret')
const restoreSecret: Operation<SecretProperties> = write('restoreSecret')

function read<T>(name: string): Operation<T> {
  return { name, write: false, idempotent: true }
}

/** The second time the reply is another: a new version, a conflict, or that there is no such secret. */
function write<T>(name: string): Operation<T> {
  return { name, write: true, idempotent: false }
}

const attributeNames = ['enabled', 'expiresOn', 'notBefore', 'contentType', 'tags'] as const

const minSecretTtlMs = 60_000

/** What the vault said of a secret that `health` read. */
interface Finding {
  readonly until: number
  readonly error: InfraError | undefined
}

/**
 * Azure Key Vault's secrets over any transport: `new KeyVault(azureRest({ url, credential }))`.
 *
 * Every operation takes `{ signal, timeoutMs, correlationId }` last and rejects with an `InfraError` only.
 * Bad input rejects with kind `invalid` before anything is sent. When the signal fires, the call rejects
 * with kind `aborted`; a write that had been sent may have been applied, and `outcome` says so.
 */
export class KeyVault extends Client<KeyVaultDriver> {
  readonly #clockSkewMs: number
  readonly #throttled: ((increment: number) => void) | undefined
  readonly #found = new Map<string, Finding>()

  constructor(driver: KeyVaultDriver, options: KeyVaultOptions = {}) {
    super('keyvault', driver, names, options)
    const { clockSkewMs = defaultClockSkewMs, metrics } = options
    if (!(clockSkewMs >= 0 && clockSkewMs < Infinity)) {
      throw this.calls.error(
        { name: 'configure' },
        { kind: 'config', detail: 'clockSkewMs is not a number of milliseconds from 0' },
      )
    }
    this.#clockSkewMs = clockSkewMs
    // The errors that callers see do not tell: most of these are waited out.
    this.#throttled = metrics?.counter({
      name: 'keyvault_throttled_total',
      help: 'answers of the vault that asked to slow down, those before a retry included',
      labels: {},
    })
  }

  /** What this adapter can do. */
  get capabilities(): KeyVaultCapabilities {
    return this.driver.capabilities
  }

  /**
   * The value of a secret, by `reveal()`, and its properties. Kind `not-found` if there is no such secret or
   * version; kind `forbidden` if it is disabled, expired or not valid yet, and `whyUnusable` says which.
   */
  getSecret(name: string, options?: GetSecretOptions): Promise<Secret> {
    return this.#read(getSecret, { name, version: options?.version }, options)
  }

  /**
   * Several secrets, in order, a few at a time under one deadline.
   * @throws InfraError if any failed, with the kind of the first that did; `items` has the fate of each.
   */
  async getSecrets(
    ids: readonly (string | SecretId)[],
    options: GetSecretsOptions = {},
  ): Promise<Secret[]> {
    const { concurrency = 6, ...rest } = options
    try {
      known(rest, 'ignoreValidity')
      if (!Array.isArray(ids)) throw invalid('the names are not a list')
      wholeNumber(concurrency, 1, 100, 'concurrency')
    } catch (error) {
      return this.calls.refuse('getSecrets', error)
    }
    const due = this.#due(rest)
    const items = await settleAll(ids, concurrency, (given) => {
      const { name, version } = typeof given === 'string' ? { name: given } : { ...given }
      return this.#read(getSecret, { name, version }, { ...rest, timeoutMs: timeLeft(due) })
    })
    const failure = failureOfReads(items)
    if (failure !== undefined) throw this.calls.error({ name: 'getSecrets' }, failure)
    return items.map((item) => (item as { value: Secret }).value)
  }

  /**
   * Makes a new version, the latest from now on, with these attributes and none of the version before; kind
   * `conflict` if a deleted secret has the name. Never sent twice, since each time would make a version.
   */
  setSecret(name: string, value: string, options?: SetSecretOptions): Promise<Secret> {
    return this.#run(
      setSecret,
      () => {
        known(options, ...attributeNames)
        checkName(name)
        checkValue(value)
        return { name, value, ...attributesOf(options ?? {}) }
      },
      (request, attempt) => this.driver.setSecret(request, attempt),
      options,
    )
  }

  /** Changes what is named and leaves the rest; `tags` are replaced as a whole. The value cannot be changed. */
  updateSecret(name: string, options: UpdateSecretOptions): Promise<SecretProperties> {
    const { version } = options ?? {}
    return this.#run(
      version === undefined ? updateSecret : updateVersion,
      () => {
        known(options, 'version', ...attributeNames)
        checkName(name)
        checkVersion(version)
        const attributes = attributesOf(options ?? {})
        if (Object.keys(attributes).length === 0) throw invalid('there is nothing to change')
        return { name, version, ...attributes }
      },
      (request, attempt) => this.driver.updateSecret(request, attempt),
      options,
    )
  }

  /** Every secret, with the properties of its latest version and no value. The deadline is for each page. */
  listSecrets(options?: ListOptions): Listing<SecretProperties> {
    return this.#list(
      listSecrets,
      {},
      (request, attempt) => this.driver.listSecrets(request, attempt),
      options,
    )
  }

  /** Every version of a secret, in no certain order, without values; none if there is no such secret. The deadline is for each page. */
  listVersions(name: string, options?: ListOptions): Listing<SecretProperties> {
    return this.#list(
      listVersions,
      { name },
      (request, attempt) => this.driver.listVersions(request, attempt),
      options,
    )
  }

  /** Every deleted secret that can still be recovered. The deadline is for each page. */
  listDeletedSecrets(options?: ListOptions): Listing<DeletedSecretProperties> {
    return this.#list(
      listDeletedSecrets,
      {},
      (request, attempt) => this.driver.listDeletedSecrets(request, attempt),
      options,
    )
  }

  /**
   * Deletes a secret with all its versions; it can be recovered until it is purged, and until then its name
   * is taken. Waits until the vault is done: give it some seconds, or `wait: false`. When the deadline is
   * over, the deletion goes on.
   */
  deleteSecret(name: string, options?: WaitOptions): Promise<DeletedSecretProperties> {
    return this.#run(
      deleteSecret,
      () => byName(name, options, 'wait'),
      async (request, attempt) => {
        const deleted = await this.driver.deleteSecret(request, attempt)
        if (this.#waits(options)) {
          await this.#until(attempt, () => this.driver.getDeletedSecret(request, attempt))
        }
        return deleted
      },
      options,
    )
  }

  /** A deleted secret that can still be recovered, without its value. */
  getDeletedSecret(name: string, options?: CallOptions): Promise<DeletedSecretProperties> {
    return this.#run(
      getDeletedSecret,
      () => byName(name, options),
      (request, attempt) => this.driver.getDeletedSecret(request, attempt),
      options,
    )
  }

  /** Undoes `deleteSecret`. Waits until the vault is done, as that does. */
  recoverSecret(name: string, options?: WaitOptions): Promise<SecretProperties> {
    return this.#run(
      recoverSecret,
      () => byName(name, options, 'wait'),
      async (request, attempt) => {
        const recovered = await this.driver.recoverSecret(request, attempt)
        if (this.#waits(options)) {
          await this.#until(attempt, () => this.driver.getSecret(request, attempt))
        }
        return recovered
      },
      options,
    )
  }

  /** Ends a deleted secret for good. The vault may take some seconds until the name is free. */
  purgeSecret(name: string, options?: CallOptions): Promise<void> {
    return this.#run(
      purgeSecret,
      () => byName(name, options),
      (request, attempt) => this.driver.purgeSecret(request, attempt),
      options,
    )
  }

  /** All versions of a secret, in a form that only vaults of the same kind and owner read. */
  backupSecret(name: string, options?: CallOptions): Promise<Uint8Array> {
    return this.#run(
      backupSecret,
      () => byName(name, options),
      (request, attempt) => this.driver.backupSecret(request, attempt),
      options,
    )
  }

  /** Puts back what `backupSecret` gave; kind `conflict` if the name is taken. */
  restoreSecret(backup: Uint8Array, options?: CallOptions): Promise<SecretProperties> {
    return this.#run(
      restoreSecret,
      () => {
        known(options)
        checkBackup(backup)
        return { backup }
      },
      (request, attempt) => this.driver.restoreSecret(request, attempt),
      options,
    )
  }

  /**
   * Resolves if the vault answers, and if `secret` is named, also if it can be read: the vault was asked for
   * it at most `secretTtlMs` ago.
   * @throws InfraError that says why not; on cancellation, kind `aborted`.
   */
  override async health(options: HealthOptions = {}): Promise<void> {
    const { secret, secretTtlMs = minSecretTtlMs, ...rest } = options
    try {
      known(rest)
      if (secret !== undefined) checkName(secret)
      wholeNumber(secretTtlMs, minSecretTtlMs, 2 ** 31 - 1, 'secretTtlMs')
    } catch (error) {
      return this.calls.refuse('ping', error)
    }
    const due = this.#due(rest)
    await super.health(rest)
    if (secret === undefined) return
    const found = this.#found.get(secret)
    if (found !== undefined && performance.now() < found.until) {
      if (found.error !== undefined) throw found.error
      return
    }
    const error = await this.#read(
      probeSecret,
      { name: secret, version: undefined },
      { ...rest, timeoutMs: timeLeft(due) },
    ).then(
      () => undefined,
      (error: InfraError) => error,
    )
    // What passes with time is no finding about the secret.
    if (error === undefined || !(passing.has(error.kind) || error.kind === 'aborted')) {
      this.#found.set(secret, { until: performance.now() + secretTtlMs, error })
    }
    if (error !== undefined) throw error
  }

  #read(
    operation: Operation<Secret>,
    id: SecretId,
    options: GetSecretOptions | undefined,
  ): Promise<Secret> {
    return this.#run(
      operation,
      () => {
        known(options, 'version', 'ignoreValidity')
        checkName(id.name)
        checkVersion(id.version)
        return id
      },
      async (request, attempt) => {
        const data = await this.driver.getSecret(request, attempt)
        const problem = checkUsable(data, Date.now(), this.#clockSkewMs)
        if (problem !== undefined && !(options?.ignoreValidity && data.enabled)) throw problem
        return data
      },
      options,
    )
  }

  #list<T>(
    operation: Operation<Page<T>>,
    target: { readonly name?: string },
    send: (request: PageRequest & { readonly name: string }, attempt: Attempt) => Promise<Page<T>>,
    options: ListOptions | undefined,
  ): Listing<T> {
    return new Listing((continuation) =>
      this.#run(
        operation,
        () => {
          known(options, 'pageSize')
          const { pageSize = 25 } = options ?? {}
          wholeNumber(pageSize, 1, 25, 'pageSize')
          if ('name' in target) checkName(target.name)
          checkContinuation(continuation)
          return { name: target.name as string, continuation, pageSize }
        },
        send,
        options,
      ),
    )
  }

  #run<R, T>(
    operation: Operation<T>,
    check: () => R,
    send: (request: R, attempt: Attempt) => Promise<unknown>,
    options: CallOptions | undefined,
  ): Promise<T> {
    let request: R
    try {
      request = check()
    } catch (error) {
      return this.calls.refuse(operation.name, error)
    }
    const throttled = this.#throttled
    if (throttled === undefined) return this.calls.run(operation, request, send, options)
    const counted = async (request: R, attempt: Attempt) => {
      try {
        return await send(request, attempt)
      } catch (error) {
        if (this.calls.explain(error, operation.name, attempt.sent).kind === 'throttled')
          throttled(1)
        throw error
      }
    }
    return this.calls.run(operation, request, counted, options)
  }

  #waits(options: WaitOptions | undefined): boolean {
    return this.capabilities.asynchronous && options?.wait !== false
  }

  /**
   * Asks until the vault gives what it was told to make. It has accepted that, so no failure here is one of
   * the operation: either the wait goes on until the deadline, or one cannot know (who may delete need not
   * be allowed to read).
   */
  async #until(attempt: Attempt, ask: () => Promise<unknown>): Promise<void> {
    for (let waitMs = 200; !attempt.over; waitMs = Math.min(2 * waitMs, 2000)) {
      try {
        await ask()
        return
      } catch (error) {
        const { kind, retryAfterMs = 0 } = this.calls.explain(error, attempt.operation, true)
        if (kind !== 'not-found' && kind !== 'conflict' && !passing.has(kind)) return
        await pause(Math.max(waitMs, retryAfterMs), attempt)
      }
    }
  }

  /** Of what is made of several calls, on the clock of `performance.now()`. */
  #due({ timeoutMs = this.calls.timeoutMs }: CallOptions): number {
    return performance.now() + timeoutMs
  }
}

function byName(
  name: string,
  options: CallOptions | undefined,
  ...more: string[]
): { readonly name: string } {
  known(options, ...more)
  checkName(name)
  return { name }
}

/** Never 0, which no call takes: the call that is given so little ends as soon as it begins. */
function timeLeft(due: number): number {
  return Math.max(Number.MIN_VALUE, due - performance.now())
}

function pause(ms: number, attempt: Attempt): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    attempt.onCancel = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}
