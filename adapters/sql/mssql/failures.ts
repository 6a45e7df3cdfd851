import type { Failure } from '../../../src/core/index.ts'
import { classifySqlServer } from '../../../src/sql/index.ts'

interface Native {
  readonly code?: unknown
  readonly number?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: readonly unknown[]
}

/** What tedious gave, or a server's error token. Whether it was sent, the pipeline knows. */
export function explain(error: unknown): Failure {
  const { code, number, message, cause, errors } = error as Native
  // Of several, the first is the cause of the others.
  if (Array.isArray(errors) && errors.length > 0) return explain(errors[0])
  if (typeof number === 'number') return classifySqlServer({ number, message: String(message) })
  switch (code) {
    case 'ELOGIN':
      return login('the server refused the login')
    case 'EFEDAUTH':
      return login('the token was refused')
    case 'EENCRYPT':
      return {
        kind: 'config',
        outcome: 'not-applied',
        detail: 'encrypt is not what the server does',
      }
    case 'EINSTLOOKUP':
      return {
        kind: 'unavailable',
        outcome: 'not-applied',
        detail: 'the server does not say where the instance is',
      }
    case 'ETIMEOUT':
      return { kind: 'timeout', detail: 'the server did not answer in time' }
    case 'ECANCEL':
      return { kind: 'aborted' }
    case 'EPARAM':
      return { kind: 'invalid', outcome: 'not-applied', detail: 'a value does not fit its type' }
    case 'EPROTO':
      return { kind: 'internal', detail: 'the server sent what is no TDS' }
    case 'ECLOSE':
    case 'ESOCKET':
    case 'EINVALIDSTATE':
      return unreachable(cause)
    case 'UNKNOWN':
      return { kind: 'internal', detail: 'the server failed without saying why' }
  }
  return unreachable(error)
}

function login(detail: string): Failure {
  return { kind: 'unauthenticated', outcome: 'not-applied', detail }
}

/** A connection that failed, or never was. A socket's error names the address at most. */
function unreachable(error: unknown): Failure {
  const found = codeIn(error)
  if (found === undefined) return { kind: 'unavailable', detail: 'the connection was lost' }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(found)) {
    return { kind: 'config', detail: `the TLS connection was refused (${found})` }
  }
  return { kind: 'unavailable', detail: `the connection failed (${found})` }
}

/** The socket's own word for it, however deep it is wrapped: `ECONNREFUSED`. */
function codeIn(error: unknown): string | undefined {
  let inner = error
  for (let depth = 0; depth < 4 && typeof inner === 'object' && inner !== null; depth++) {
    const { code, cause, errors } = inner as Native
    if (typeof code === 'string' && /^(?!ESOCKET)[A-Z][A-Z0-9_]+$/.test(code)) return code
    inner = cause ?? errors?.[0]
  }
  return undefined
}
