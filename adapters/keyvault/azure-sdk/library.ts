import { DriverFailure } from '../../../src/core/index.ts'
import type { Bundle } from './bundles.ts'

type Secrets = typeof import('@azure/keyvault-secrets')
type Identity = typeof import('@azure/identity')

export async function loadSecrets(): Promise<Secrets> {
  // In a `try`, so that bundlers let it be missing.
  try {
    return await import('@azure/keyvault-secrets')
  } catch (cause) {
    throw notLoaded('@azure/keyvault-secrets', cause)
  }
}

export async function loadIdentity(): Promise<Identity> {
  try {
    return await import('@azure/identity')
  } catch (cause) {
    throw notLoaded('@azure/identity', cause)
  }
}

function notLoaded(name: string, cause: unknown): DriverFailure {
  const { code } = cause as { code?: unknown }
  const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
  const detail = missing
    ? `${name} is not installed; run: npm install ${name}`
    : `${name} could not be loaded`
  return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail }, { cause })
}

export interface RawResponse {
  readonly status: number
  readonly headers: { get(name: string): string | undefined }
}

export interface CallSettings {
  readonly abortSignal: AbortSignal
  readonly onResponse: (response: RawResponse) => void
}

type Pages = CallSettings & { readonly maxresults: number }

interface Paged {
  byPage(settings: {
    continuationToken?: string | undefined
  }): AsyncIterator<readonly Bundle[] & { readonly continuationToken?: string | undefined }>
}

export interface SecretParameters {
  readonly value?: string
  readonly contentType?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly secretAttributes: {
    readonly enabled?: boolean | undefined
    readonly expires?: Date | undefined
    readonly notBefore?: Date | undefined
  }
}

/**
 * What `SecretClient` itself calls, and keeps in `client`. Its own methods lose where the next page is, and
 * delete and recover by pollers that ask for the secret before and after.
 */
export interface Operations {
  getSecret(name: string, version: string, settings: CallSettings): Promise<Bundle>
  setSecret(name: string, secret: SecretParameters, settings: CallSettings): Promise<Bundle>
  updateSecret(
    name: string,
    version: string,
    secret: SecretParameters,
    settings: CallSettings,
  ): Promise<Bundle>
  getSecrets(settings: Pages): Paged
  getSecretVersions(name: string, settings: Pages): Paged
  getDeletedSecrets(settings: Pages): Paged
  deleteSecret(name: string, settings: CallSettings): Promise<Bundle>
  getDeletedSecret(name: string, settings: CallSettings): Promise<Bundle>
  recoverDeletedSecret(name: string, settings: CallSettings): Promise<Bundle>
  purgeDeletedSecret(name: string, settings: CallSettings): Promise<void>
  backupSecret(name: string, settings: CallSettings): Promise<{ readonly value?: Uint8Array }>
  restoreSecret(
    backup: { readonly secretBundleBackup: Uint8Array },
    settings: CallSettings,
  ): Promise<Bundle>
}

/** `undefined` if it is no such client. */
export function operationsOf(client: object): Operations | undefined {
  const { client: operations } = client as { client?: Partial<Operations> }
  return typeof operations?.getSecrets === 'function' ? (operations as Operations) : undefined
}
