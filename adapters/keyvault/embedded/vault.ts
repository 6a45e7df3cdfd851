import {
  type DeletedSecretProperties,
  type NewSecret,
  type Page,
  type PageRequest,
  type SecretAttributes,
  type SecretData,
  type SecretId,
  type SecretProperties,
  type SecretUpdate,
  VaultError,
} from '../../../src/keyvault/index.ts'
import { fromBackup, toBackup } from './backup.ts'

/** One version as it is stored: JSON, instants in seconds since the epoch as in Azure's API. */
export interface StoredVersion {
  readonly version: string
  readonly value: string
  readonly enabled: boolean
  readonly exp?: number | undefined
  readonly nbf?: number | undefined
  readonly created: number
  readonly updated: number
  readonly contentType?: string | undefined
  readonly tags: Readonly<Record<string, string>>
}

export interface StoredSecret {
  readonly name: string
  /** In the order in which they were made; the last is the latest. Never empty. */
  readonly versions: readonly StoredVersion[]
  readonly deleted?: { readonly on: number; readonly purge: number } | undefined
}

/** Where a vault keeps its secrets. Names are as `keyOf` gives them. */
export interface Storage {
  get(key: string): StoredSecret | undefined
  set(key: string, secret: StoredSecret): void
  delete(key: string): unknown
  /** Those that are deleted or those that are not, by key, after `key`. */
  after(key: string, deleted: boolean, count: number): StoredSecret[]
}

/** Names are compared without regard to case. */
function keyOf(name: string): string {
  return name.toLowerCase()
}

const recoverableDays = 90
const recoveryLevel = 'Recoverable+Purgeable'

/**
 * What Azure Key Vault does with secrets, over any storage. Not asynchronous, so that no call comes in
 * between another's read and write. Throws `VaultError` with Azure's codes.
 */
export class Vault {
  readonly #storage: Storage
  readonly #clock: () => number

  /** @param clock epoch milliseconds */
  constructor(storage: Storage, clock: () => number) {
    this.#storage = storage
    this.#clock = clock
  }

  get({ name, version }: SecretId): SecretData {
    const secret = this.#active(name)
    const found = versionOf(secret, version)
    if (!found.enabled) throw new VaultError(403, 'SecretDisabled', 'the secret is disabled')
    return dataOf(secret, found)
  }

  set({ name, value, ...attributes }: NewSecret): SecretData {
    const before = this.#find(name)
    if (before?.deleted !== undefined) throw deletedButRecoverable()
    const now = this.#now()
    const made: StoredVersion = {
      version: crypto.randomUUID().replaceAll('-', ''),
      value,
      enabled: true,
      created: now,
      updated: now,
      tags: {},
      ...changes(attributes),
    }
    const secret = { name, ...before, versions: [...(before?.versions ?? []), made] }
    this.#storage.set(keyOf(name), secret)
    return dataOf(secret, made)
  }

  update({ name, version, ...attributes }: SecretUpdate): SecretProperties {
    const secret = this.#active(name)
    const before = versionOf(secret, version)
    const after = { ...before, ...changes(attributes), updated: this.#now() }
    const versions = secret.versions.map((each) => (each === before ? after : each))
    this.#storage.set(keyOf(name), { ...secret, versions })
    return propertiesOf(secret, after)
  }

  list(request: PageRequest): Page<SecretProperties> {
    return this.#page(request, false, (secret) => ({
      ...propertiesOf(secret, latestOf(secret)),
      version: undefined,
    }))
  }

  versions({
    name,
    continuation,
    pageSize,
  }: PageRequest & { name: string }): Page<SecretProperties> {
    const secret = this.#find(name)
    if (secret === undefined || secret.deleted !== undefined) return { items: [] }
    const start = secret.versions.findIndex(({ version }) => version === continuation) + 1
    if (continuation !== undefined && start === 0) throw badParameter()
    const items = secret.versions.slice(start, start + pageSize)
    return {
      items: items.map((each) => propertiesOf(secret, each)),
      continuation: start + pageSize < secret.versions.length ? items.at(-1)?.version : undefined,
    }
  }

  delete(name: string): DeletedSecretProperties {
    const on = this.#now()
    const deleted = { on, purge: on + recoverableDays * 86_400 }
    const secret = { ...this.#active(name), deleted }
    this.#storage.set(keyOf(name), secret)
    return deletedPropertiesOf(secret)
  }

  getDeleted(name: string): DeletedSecretProperties {
    return deletedPropertiesOf(this.#deleted(name))
  }

  listDeleted(request: PageRequest): Page<DeletedSecretProperties> {
    return this.#page(request, true, (secret) => ({
      ...deletedPropertiesOf(secret),
      version: undefined,
    }))
  }

  recover(name: string): SecretProperties {
    const { deleted: _, ...secret } = this.#deleted(name)
    this.#storage.set(keyOf(name), secret)
    return propertiesOf(secret, latestOf(secret))
  }

  purge(name: string): void {
    this.#deleted(name)
    this.#storage.delete(keyOf(name))
  }

  backup(name: string): Uint8Array {
    return toBackup(this.#active(name))
  }

  restore(backup: Uint8Array): SecretProperties {
    const secret = fromBackup(backup)
    if (secret === undefined) throw badParameter()
    const before = this.#find(secret.name)
    if (before?.deleted !== undefined) throw deletedButRecoverable()
    if (before !== undefined) throw new VaultError(409, 'Conflict', 'the name is taken')
    this.#storage.set(keyOf(secret.name), secret)
    return propertiesOf(secret, latestOf(secret))
  }

  #now(): number {
    return Math.floor(this.#clock() / 1000)
  }

  /** A deleted secret whose time is over is gone, when somebody looks. */
  #find(name: string): StoredSecret | undefined {
    const secret = this.#storage.get(keyOf(name))
    if (secret === undefined || !this.#isOver(secret)) return secret
    this.#storage.delete(keyOf(name))
    return undefined
  }

  #isOver({ deleted }: StoredSecret): boolean {
    return deleted !== undefined && deleted.purge <= this.#now()
  }

  #active(name: string): StoredSecret {
    const secret = this.#find(name)
    if (secret === undefined || secret.deleted !== undefined) throw notFound()
    return secret
  }

  #deleted(name: string): Required<StoredSecret> {
    const secret = this.#find(name)
    if (secret?.deleted === undefined) throw notFound()
    return secret as Required<StoredSecret>
  }

  #page<T>(
    { continuation = '', pageSize }: PageRequest,
    deleted: boolean,
    item: (secret: StoredSecret) => T,
  ): Page<T> {
    const found = this.#storage.after(continuation, deleted, pageSize + 1)
    const last = found.length > pageSize ? found[pageSize - 1] : undefined
    return {
      items: found
        .slice(0, pageSize)
        .filter((secret) => !this.#isOver(secret))
        .map(item),
      continuation: last && keyOf(last.name),
    }
  }
}

function latestOf({ versions }: StoredSecret): StoredVersion {
  return versions.at(-1) as StoredVersion
}

function versionOf(secret: StoredSecret, version: string | undefined): StoredVersion {
  if (version === undefined) return latestOf(secret)
  const found = secret.versions.find((each) => each.version === version)
  if (found === undefined) throw notFound()
  return found
}

function changes({ enabled, expiresOn, notBefore, contentType, tags }: SecretAttributes) {
  return {
    ...(enabled !== undefined && { enabled }),
    ...(expiresOn !== undefined && { exp: expiresOn.getTime() / 1000 }),
    ...(notBefore !== undefined && { nbf: notBefore.getTime() / 1000 }),
    ...(contentType !== undefined && { contentType }),
    ...(tags !== undefined && { tags }),
  }
}

function propertiesOf({ name }: StoredSecret, version: StoredVersion) {
  return {
    name,
    version: version.version,
    enabled: version.enabled,
    expiresOn: instant(version.exp),
    notBefore: instant(version.nbf),
    createdOn: instant(version.created),
    updatedOn: instant(version.updated),
    contentType: version.contentType,
    tags: { ...version.tags },
    recoveryLevel,
    recoverableDays,
  }
}

function dataOf(secret: StoredSecret, version: StoredVersion): SecretData {
  return { ...propertiesOf(secret, version), value: version.value }
}

function deletedPropertiesOf(secret: StoredSecret): DeletedSecretProperties {
  return {
    ...propertiesOf(secret, latestOf(secret)),
    deletedOn: instant(secret.deleted?.on),
    scheduledPurgeOn: instant(secret.deleted?.purge),
  }
}

function instant(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000)
}

function notFound(): VaultError {
  return new VaultError(404, 'SecretNotFound', 'there is no such secret or version')
}

function badParameter(): VaultError {
  return new VaultError(400, 'BadParameter', 'the request is malformed')
}

function deletedButRecoverable(): VaultError {
  const text = 'the name is that of a deleted secret, which can only be recovered or purged'
  return new VaultError(409, 'ObjectIsDeletedButRecoverable', text)
}
