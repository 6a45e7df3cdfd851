import type { ErrorKind, Failure } from '../core/index.ts'

/** What a vault answered instead of what it was asked for. Its message is the vault's, so it stays out of `InfraError`'s. */
export class VaultError extends Error {
  override readonly name: string = 'VaultError'
  /** The HTTP status: 404. */
  readonly status: number
  /** Azure's code, and the innermost where errors are nested: `SecretNotFound`, `ObjectIsDeletedButRecoverable`. */
  readonly code: string | undefined
  /** The vault's hint, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    status: number,
    code: string | undefined,
    message?: string,
    retryAfterMs?: number | undefined,
  ) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * By code, in our words. `SecretExpired` and `SecretNotYetValid` are not Azure's: it leaves both to clients.
 * https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
 */
const byCode: Readonly<Record<string, readonly [ErrorKind, string]>> = {
  SecretNotFound: ['not-found', 'there is no such secret or version'],
  SecretDisabled: ['forbidden', 'the secret is disabled'],
  SecretExpired: ['forbidden', 'the secret has expired'],
  SecretNotYetValid: ['forbidden', 'the secret is not valid yet'],
  AccessDenied: ['forbidden', 'the access policy does not permit it'],
  ForbiddenByPolicy: ['forbidden', 'the access policy does not permit it'],
  ForbiddenByRbac: ['forbidden', 'no role permits it'],
  ForbiddenByFirewall: ['forbidden', 'the firewall of the vault does not let this client in'],
  ForbiddenByConnection: ['forbidden', 'the vault takes no public connections'],
  ObjectIsDeletedButRecoverable: ['conflict', 'a deleted secret has the name; recover or purge it'],
  ObjectIsBeingDeleted: ['conflict', 'the secret is being deleted'],
  ObjectIsBeingRecovered: ['conflict', 'the secret is being recovered'],
  BadParameter: ['invalid', 'the vault refused the input'],
}

const byStatus: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  408: 'timeout',
  409: 'conflict',
  413: 'invalid',
  429: 'throttled',
  504: 'timeout',
}

/** What a vault's answer means, the same for every transport. Nothing is applied by an answer below 500. */
export function classifyVault({ status, code, retryAfterMs }: VaultError): Failure {
  const known = code !== undefined && Object.hasOwn(byCode, code) ? byCode[code] : undefined
  const [kind, detail] = known ?? [
    byStatus[status] ?? (status >= 500 ? 'unavailable' : 'invalid'),
    `the vault answered with status ${status}`,
  ]
  return {
    kind,
    detail,
    outcome: status < 500 && status !== 408 ? 'not-applied' : undefined,
    // These two pass by themselves.
    retryable: code?.startsWith('ObjectIsBeing') ? true : undefined,
    retryAfterMs,
  }
}

/** Why a secret that is there gives no value. */
export type Unusable = 'disabled' | 'expired' | 'not-yet-valid'

const unusable: Readonly<Record<string, Unusable>> = {
  SecretDisabled: 'disabled',
  SecretExpired: 'expired',
  SecretNotYetValid: 'not-yet-valid',
}

/** Tells the errors of `getSecret` with kind `forbidden` apart; `undefined` for every other error. */
export function whyUnusable(error: unknown): Unusable | undefined {
  const code = ((error as { native?: unknown } | null)?.native as VaultError | undefined)?.code
  return typeof code === 'string' && Object.hasOwn(unusable, code) ? unusable[code] : undefined
}
