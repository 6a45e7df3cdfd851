import { DriverFailure } from '../../../src/core/index.ts'
import type {
  DeletedSecretProperties,
  SecretAttributes,
  SecretData,
  SecretProperties,
} from '../../../src/keyvault/index.ts'
import type { SecretParameters } from './library.ts'

/** A reply of the SDK, which may lack anything. */
export interface Bundle {
  readonly id?: string
  readonly value?: string
  readonly contentType?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly attributes?: {
    readonly enabled?: boolean
    readonly expires?: Date
    readonly notBefore?: Date
    readonly created?: Date
    readonly updated?: Date
    readonly recoveryLevel?: string
    readonly recoverableDays?: number
  }
  readonly deletedDate?: Date
  readonly scheduledPurgeDate?: Date
}

const maxMs = (2 ** 31 - 1) * 1000

/** @throws DriverFailure for an instant that the SDK would send as one before 1970: it counts in 32 bits. */
export function parametersOf(given: SecretAttributes): SecretParameters {
  const { enabled, expiresOn: expires, notBefore, contentType, tags } = given
  if (Math.max(expires?.getTime() ?? 0, notBefore?.getTime() ?? 0) > maxMs) {
    const detail = 'the SDK cannot send an instant after 2038-01-19'
    throw new DriverFailure({ kind: 'unsupported', outcome: 'not-applied', detail })
  }
  return { contentType, tags, secretAttributes: { enabled, expires, notBefore } }
}

export function propertiesOf({ id, contentType, tags, attributes }: Bundle): SecretProperties {
  const path = /\/(?:deleted)?secrets\/([0-9a-zA-Z-]+)(?:\/([0-9a-zA-Z]+))?\/?$/.exec(String(id))
  if (path === null) throw notVault()
  return {
    name: path[1] as string,
    version: path[2],
    enabled: attributes?.enabled !== false,
    expiresOn: attributes?.expires,
    notBefore: attributes?.notBefore,
    createdOn: attributes?.created,
    updatedOn: attributes?.updated,
    contentType,
    tags: tags ?? {},
    recoveryLevel: attributes?.recoveryLevel,
    recoverableDays: attributes?.recoverableDays,
  }
}

export function secretOf(bundle: Bundle): SecretData {
  const properties = propertiesOf(bundle)
  const { value } = bundle
  const { version } = properties
  if (typeof value !== 'string' || version === undefined) throw notVault()
  return { ...properties, version, value }
}

export function deletedOf(bundle: Bundle): DeletedSecretProperties {
  const { deletedDate: deletedOn, scheduledPurgeDate: scheduledPurgeOn } = bundle
  return { ...propertiesOf(bundle), deletedOn, scheduledPurgeOn }
}

export function notVault(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}
