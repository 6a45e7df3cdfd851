import type { Attempt, Driver } from '../core/index.ts'

/** What a vault says of a secret beside its value. */
export interface SecretProperties {
  /** Vaults compare names without regard to case. */
  readonly name: string
  /** Missing where a vault speaks of the secret and not of a version: in the lists of secrets and of deleted ones. */
  readonly version?: string | undefined
  readonly enabled: boolean
  /** The value is not to be used from this moment on. Whole seconds, as every instant here. */
  readonly expiresOn?: Date | undefined
  /** The value is not to be used before this moment. */
  readonly notBefore?: Date | undefined
  readonly createdOn?: Date | undefined
  readonly updatedOn?: Date | undefined
  readonly contentType?: string | undefined
  readonly tags: Readonly<Record<string, string>>
  /** `Recoverable+Purgeable` and the like: what deletion means in this vault. */
  readonly recoveryLevel?: string | undefined
  /** How long a deleted secret can be recovered. */
  readonly recoverableDays?: number | undefined
}

export interface DeletedSecretProperties extends SecretProperties {
  readonly deletedOn?: Date | undefined
  /** When the vault itself will purge it. */
  readonly scheduledPurgeOn?: Date | undefined
}

/** One version of a secret as adapters hand it on. Clients make a `Secret` of it, which does not print. */
export interface SecretData extends SecretProperties {
  readonly version: string
  readonly value: string
}

/** What a caller may say of a version, the same for a new one and for one that is there. */
export interface SecretAttributes {
  readonly enabled?: boolean | undefined
  /** Cut to whole seconds, which is all that a vault keeps. */
  readonly expiresOn?: Date | undefined
  /** Cut to whole seconds. */
  readonly notBefore?: Date | undefined
  /** A hint for readers, at most 255 characters: `application/json`. */
  readonly contentType?: string | undefined
  /** All of them: tags that are not named here go. At most 15, names up to 512 characters, values up to 256. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

export interface SecretId {
  readonly name: string
  /** Default: the latest. */
  readonly version?: string | undefined
}

export interface NewSecret extends SecretAttributes {
  readonly name: string
  readonly value: string
}

/** What is not named stays as it is. */
export interface SecretUpdate extends SecretId, SecretAttributes {}

export interface PageRequest {
  /** Of the page before, as it came. Default: the first page. */
  readonly continuation?: string | undefined
  /** The most items of a page, 1 to 25. A page may have fewer, or none, and still not be the last. */
  readonly pageSize: number
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Opaque. Missing: this was the last page. */
  readonly continuation?: string | undefined
}

/** What an adapter or the vault behind it cannot do, or does otherwise. Data: the conformance suite and the docs read it. */
export interface KeyVaultCapabilities {
  /** A caller who stops waiting also stops the request. */
  readonly cancel: boolean
  /**
   * Deletion and recovery go on after the reply, and the client asks until they are over. Until then reads
   * may give the old state, and writes are a conflict.
   */
  readonly asynchronous: boolean
}

/**
 * The seam that Key Vault adapters implement. The client has checked names, values and attributes before.
 * Rejects with a `VaultError` for what the vault itself says, a secret that is disabled included, and its
 * `classify` explains every `VaultError` by `classifyVault`, for the client throws some of its own: expiry
 * is the client's to judge, since vaults give the values of expired secrets.
 */
export interface KeyVaultDriver extends Driver {
  readonly capabilities: KeyVaultCapabilities
  getSecret(request: SecretId, attempt: Attempt): Promise<SecretData>
  /** Makes a new version, which inherits nothing of the one before. */
  setSecret(request: NewSecret, attempt: Attempt): Promise<SecretData>
  updateSecret(request: SecretUpdate, attempt: Attempt): Promise<SecretProperties>
  /** Every secret that is not deleted, disabled ones included, with the properties of its latest version. */
  listSecrets(request: PageRequest, attempt: Attempt): Promise<Page<SecretProperties>>
  listVersions(
    request: PageRequest & { readonly name: string },
    attempt: Attempt,
  ): Promise<Page<SecretProperties>>
  /** With all its versions, and so that it can be recovered. */
  deleteSecret(
    request: { readonly name: string },
    attempt: Attempt,
  ): Promise<DeletedSecretProperties>
  getDeletedSecret(
    request: { readonly name: string },
    attempt: Attempt,
  ): Promise<DeletedSecretProperties>
  listDeletedSecrets(request: PageRequest, attempt: Attempt): Promise<Page<DeletedSecretProperties>>
  recoverSecret(request: { readonly name: string }, attempt: Attempt): Promise<SecretProperties>
  purgeSecret(request: { readonly name: string }, attempt: Attempt): Promise<void>
  /** All versions with their values, in a form that only vaults read. */
  backupSecret(request: { readonly name: string }, attempt: Attempt): Promise<Uint8Array>
  restoreSecret(
    request: { readonly backup: Uint8Array },
    attempt: Attempt,
  ): Promise<SecretProperties>
}
