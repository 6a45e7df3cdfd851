import { DriverFailure } from '../../../src/core/index.ts'
import {
  type DeletedSecretProperties,
  type Page,
  type SecretAttributes,
  type SecretData,
  type SecretProperties,
  VaultError,
} from '../../../src/keyvault/index.ts'

// https://learn.microsoft.com/rest/api/keyvault/secrets/

interface Bundle {
  readonly id?: unknown
  readonly value?: unknown
  readonly contentType?: unknown
  readonly tags?: unknown
  readonly attributes?: {
    readonly enabled?: unknown
    readonly exp?: unknown
    readonly nbf?: unknown
    readonly created?: unknown
    readonly updated?: unknown
    readonly recoveryLevel?: unknown
    readonly recoverableDays?: unknown
  } | null
  readonly deletedDate?: unknown
  readonly scheduledPurgeDate?: unknown
}

export function encodeAttributes(given: SecretAttributes): object {
  const { enabled, expiresOn, notBefore, contentType, tags } = given
  return {
    attributes: { enabled, exp: seconds(expiresOn), nbf: seconds(notBefore) },
    contentType,
    tags,
  }
}

function seconds(instant: Date | undefined): number | undefined {
  return instant && instant.getTime() / 1000
}

export function decodeProperties(reply: unknown): SecretProperties {
  const { id, contentType, tags, attributes } = (reply ?? {}) as Bundle
  const path = /\/(?:deleted)?secrets\/([0-9a-zA-Z-]+)(?:\/([0-9a-zA-Z]+))?\/?$/.exec(String(id))
  if (path === null) throw notVault()
  const { enabled, exp, nbf, created, updated, recoveryLevel, recoverableDays } = attributes ?? {}
  return {
    name: path[1] as string,
    version: path[2],
    enabled: enabled !== false,
    expiresOn: instant(exp),
    notBefore: instant(nbf),
    createdOn: instant(created),
    updatedOn: instant(updated),
    contentType: typeof contentType === 'string' ? contentType : undefined,
    tags: typeof tags === 'object' && tags !== null ? (tags as Record<string, string>) : {},
    recoveryLevel: typeof recoveryLevel === 'string' ? recoveryLevel : undefined,
    recoverableDays: typeof recoverableDays === 'number' ? recoverableDays : undefined,
  }
}

export function decodeSecret(reply: unknown): SecretData {
  const properties = decodeProperties(reply)
  const { value } = reply as Bundle
  const { version } = properties
  if (typeof value !== 'string' || version === undefined) throw notVault()
  return { ...properties, version, value }
}

export function decodeDeleted(reply: unknown): DeletedSecretProperties {
  const { deletedDate, scheduledPurgeDate } = (reply ?? {}) as Bundle
  return {
    ...decodeProperties(reply),
    deletedOn: instant(deletedDate),
    scheduledPurgeOn: instant(scheduledPurgeDate),
  }
}

export function decodePage<T>(reply: unknown, item: (reply: unknown) => T): Page<T> {
  const { value, nextLink } = (reply ?? {}) as { value?: unknown; nextLink?: unknown }
  if (!Array.isArray(value)) throw notVault()
  const continuation = typeof nextLink === 'string' && nextLink !== '' ? nextLink : undefined
  return { items: value.map(item), continuation }
}

/** Base64 in the alphabet for URLs, without padding. */
export function encodeBackup(backup: Uint8Array): string {
  let text = ''
  for (let i = 0; i < backup.length; i += 8192) {
    text += String.fromCharCode(...backup.subarray(i, i + 8192))
  }
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

export function decodeBackup(reply: unknown): Uint8Array {
  const { value } = (reply ?? {}) as Bundle
  try {
    const text = atob(String(value).replaceAll('-', '+').replaceAll('_', '/'))
    if (typeof value === 'string') return Uint8Array.from(text, (char) => char.charCodeAt(0))
  } catch {
    // Not base64.
  }
  throw notVault()
}

interface ErrorBody {
  readonly code?: unknown
  readonly message?: unknown
  readonly innererror?: ErrorBody | null
}

/** `undefined` if the text is not what a vault says of an error. */
export function decodeError(
  status: number,
  text: string,
  retryAfterMs: number | undefined,
): VaultError | undefined {
  let error: ErrorBody | null | undefined
  try {
    error = (JSON.parse(text) as { error?: ErrorBody | null } | null)?.error
  } catch {
    // A proxy's page.
  }
  if (typeof error?.code !== 'string') return undefined
  let { code } = error
  for (let inner = error.innererror; inner; inner = inner.innererror) {
    if (typeof inner.code === 'string') code = inner.code
  }
  return new VaultError(status, code, String(error.message), retryAfterMs)
}

function instant(given: unknown): Date | undefined {
  return typeof given === 'number' ? new Date(given * 1000) : undefined
}

export function notVault(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}
