import type {
  DeletedSecretProperties,
  Page,
  Secret,
  SecretAttributes,
  SecretProperties,
} from '../keyvault/index.ts'
import { Refusal } from './face.ts'

// The bodies of Azure Key Vault's REST API. https://learn.microsoft.com/rest/api/keyvault/secrets/

/** `base` is the vault's URL, as its client knows it. */
export function propertiesBundle(base: string, properties: SecretProperties): object {
  const { name, version, contentType, tags } = properties
  return {
    id: [`${base}/secrets/${name}`, ...(version === undefined ? [] : [version])].join('/'),
    contentType,
    tags,
    attributes: {
      enabled: properties.enabled,
      nbf: seconds(properties.notBefore),
      exp: seconds(properties.expiresOn),
      created: seconds(properties.createdOn),
      updated: seconds(properties.updatedOn),
      recoveryLevel: properties.recoveryLevel,
      recoverableDays: properties.recoverableDays,
    },
  }
}

export function secretBundle(base: string, secret: Secret): object {
  return { value: secret.reveal(), ...propertiesBundle(base, secret) }
}

export function deletedBundle(base: string, deleted: DeletedSecretProperties): object {
  return {
    recoveryId: `${base}/deletedsecrets/${deleted.name}`,
    deletedDate: seconds(deleted.deletedOn),
    scheduledPurgeDate: seconds(deleted.scheduledPurgeOn),
    ...propertiesBundle(base, deleted),
  }
}

/** `url` is the request's; `nextLink` is the same for the page behind. */
export function pageBundle<T>(
  { items, continuation }: Page<T>,
  url: string,
  item: (item: T) => object,
): object {
  let nextLink: string | null = null
  if (continuation !== undefined) {
    const next = new URL(url)
    next.searchParams.set('$skiptoken', continuation)
    nextLink = next.href
  }
  return { value: items.map(item), nextLink }
}

function seconds(instant: Date | undefined): number | undefined {
  return instant && instant.getTime() / 1000
}

// Requests. What a value must be, the vault's client says. -----------------------------------------

type Fields = Readonly<Record<string, unknown>>

/** @throws Refusal */
export function textIn(body: unknown, field: string): string {
  const value = fieldsOf(body)[field]
  if (typeof value !== 'string') throw malformed(`${field} is not text`)
  return value
}

/** @throws Refusal */
export function attributesIn(body: unknown): SecretAttributes {
  const { contentType, tags, attributes } = fieldsOf(body)
  const { enabled, exp, nbf } = fieldsOf(attributes ?? {})
  return {
    enabled: (enabled ?? undefined) as boolean | undefined,
    expiresOn: instant(exp, 'exp'),
    notBefore: instant(nbf, 'nbf'),
    contentType: (contentType ?? undefined) as string | undefined,
    tags: (tags ?? undefined) as Record<string, string> | undefined,
  }
}

function fieldsOf(given: unknown): Fields {
  if (typeof given === 'object' && given !== null) return given as Fields
  throw malformed('the body, or a part of it, is not an object')
}

function instant(given: unknown, what: string): Date | undefined {
  if (given === undefined || given === null) return undefined
  if (Number.isSafeInteger(given)) return new Date((given as number) * 1000)
  throw malformed(`${what} is not a whole number of seconds`)
}

function malformed(detail: string): Refusal {
  return new Refusal('invalid', detail)
}
