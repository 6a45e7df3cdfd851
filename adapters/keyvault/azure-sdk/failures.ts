import { fetchFailure, retryAfter } from '../../../src/core/http.ts'
import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import { classifyVault, VaultError } from '../../../src/keyvault/index.ts'
import { notVault } from './bundles.ts'
import type { RawResponse } from './library.ts'

interface Detail {
  readonly code?: unknown
  readonly innerError?: Detail | null
}

/** `RestError` of @azure/core-rest-pipeline, which keeps the request with its token and value. */
interface RestError {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly statusCode?: unknown
  readonly details?: { readonly error?: Detail | null } | null
}

/**
 * What the SDK threw, without the request. `response` is what the vault answered, if it did: the SDK itself
 * stumbles over some answers.
 */
export function errorOf(thrown: unknown, response: RawResponse | undefined): unknown {
  const { name, code, message, statusCode, details } = (thrown ?? {}) as RestError
  const status = response?.status ?? statusCode
  if (typeof status !== 'number') return thrown
  // Its message has the whole reply in it.
  if (status < 300) return thrown instanceof DriverFailure ? thrown : notVault()
  if (status < 400) {
    const detail = 'the vault redirects elsewhere, which is not followed'
    return new DriverFailure({ kind: 'config', outcome: 'not-applied', detail })
  }
  const rest = name === 'RestError'
  let inner = rest && typeof code === 'string' ? code : undefined
  for (let each = details?.error; each; each = each.innerError) {
    if (typeof each.code === 'string') inner = each.code
  }
  const hint = retryAfter(response?.headers.get('retry-after') ?? '')
  return new VaultError(status, inner, rest ? String(message) : undefined, hint)
}

const notIdentified = /^(Aggregate)?Authentication(Required)?Error$|^CredentialUnavailableError$/

export function explain(error: unknown): Failure {
  if (error instanceof VaultError) return classifyVault(error)
  const { name, code, message } = (error ?? {}) as Record<string, unknown>
  const text = String(message)
  if (typeof name === 'string' && notIdentified.test(name)) {
    // The text behind the number may quote what it was given.
    const number = /\bAADSTS\d{1,9}\b/.exec(text)?.[0]
    const detail = `no token: refused${number === undefined ? '' : ` (${number})`}`
    return { kind: 'unauthenticated', outcome: 'not-applied', detail }
  }
  if (text.includes('does not match the requested domain')) {
    const detail = 'the host of url asks for a token that is not for it; nothing was sent'
    return { kind: 'config', outcome: 'not-applied', detail }
  }
  if (name === 'AbortError') {
    // Not this one's own end, which nobody asks about: tokens are fetched by one caller for all.
    return { kind: 'unavailable', detail: 'the token was being fetched by a caller that gave up' }
  }
  if (typeof code === 'string' && /CERT|TLS|SSL|UNABLE_TO/.test(code)) {
    const detail = `the TLS connection was refused (${code})`
    return { kind: 'config', outcome: 'not-applied', detail }
  }
  return fetchFailure({ cause: error })
}
