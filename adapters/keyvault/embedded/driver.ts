import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
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
} from '../../../src/keyvault/index.ts'
import type { Vault } from './vault.ts'

interface Named {
  readonly name: string
}

/** The driver of every vault inside the process. */
export class EmbeddedDriver implements KeyVaultDriver {
  readonly adapter: string
  readonly resource: string | undefined
  readonly capabilities: KeyVaultCapabilities = { cancel: true, asynchronous: false }
  readonly #vault: Vault
  readonly #release: () => void
  #closed = false

  constructor(
    adapter: string,
    resource: string | undefined,
    vault: Vault,
    release: () => void = () => {},
  ) {
    this.adapter = adapter
    this.resource = resource
    this.#vault = vault
    this.#release = release
  }

  getSecret(request: SecretId, attempt: Attempt): Promise<SecretData> {
    return this.#run(attempt, (vault) => vault.get(request))
  }

  setSecret(request: NewSecret, attempt: Attempt): Promise<SecretData> {
    return this.#run(attempt, (vault) => vault.set(request))
  }

  updateSecret(request: SecretUpdate, attempt: Attempt): Promise<SecretProperties> {
    return this.#run(attempt, (vault) => vault.update(request))
  }

  listSecrets(request: PageRequest, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#run(attempt, (vault) => vault.list(request))
  }

  listVersions(request: PageRequest & Named, attempt: Attempt): Promise<Page<SecretProperties>> {
    return this.#run(attempt, (vault) => vault.versions(request))
  }

  deleteSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return this.#run(attempt, (vault) => vault.delete(name))
  }

  getDeletedSecret({ name }: Named, attempt: Attempt): Promise<DeletedSecretProperties> {
    return this.#run(attempt, (vault) => vault.getDeleted(name))
  }

  listDeletedSecrets(
    request: PageRequest,
    attempt: Attempt,
  ): Promise<Page<DeletedSecretProperties>> {
    return this.#run(attempt, (vault) => vault.listDeleted(request))
  }

  recoverSecret({ name }: Named, attempt: Attempt): Promise<SecretProperties> {
    return this.#run(attempt, (vault) => vault.recover(name))
  }

  purgeSecret({ name }: Named, attempt: Attempt): Promise<void> {
    return this.#run(attempt, (vault) => vault.purge(name))
  }

  backupSecret({ name }: Named, attempt: Attempt): Promise<Uint8Array> {
    return this.#run(attempt, (vault) => vault.backup(name))
  }

  restoreSecret(
    { backup }: { readonly backup: Uint8Array },
    attempt: Attempt,
  ): Promise<SecretProperties> {
    return this.#run(attempt, (vault) => vault.restore(backup))
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#run(attempt, () => undefined)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#release()
  }

  classify(error: unknown): Failure {
    return error instanceof VaultError ? classifyVault(error) : { kind: 'internal' }
  }

  /** The vault itself. */
  async native(): Promise<Vault> {
    return this.#vault
  }

  async #run<T>(attempt: Attempt, work: (vault: Vault) => T): Promise<T> {
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    return work(this.#vault)
  }
}
