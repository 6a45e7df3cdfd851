import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import { classifyMysql } from '../../../src/sql/index.ts'

/** What the server answered, or `undefined` if the error is not its own. */
export function serverErrno(error: unknown): number | undefined {
  const { errno, sqlState } = error as { errno?: unknown; sqlState?: unknown }
  return typeof errno === 'number' && typeof sqlState === 'string' ? errno : undefined
}

/** What the library rejected with. Whether it was sent, the pipeline knows. */
export function explain(error: unknown): Failure {
  const errno = serverErrno(error)
  const { message, code, name } = error as Error & { code?: unknown }
  if (errno !== undefined) return classifyMysql({ errno, message })
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return { kind: 'config', detail: 'mysql2 is not installed; run: npm install mysql2' }
  }
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return { kind: 'config', detail: 'the server does not offer TLS: tls: false does without' }
  }
  if (code === 'HANDSHAKE_SSL_ERROR' && !isNetwork(error as Error)) {
    return { kind: 'config', detail: `the TLS connection was refused (${reasonOf(message)})` }
  }
  if (name === 'TypeError' || name === 'RangeError') {
    return { kind: 'invalid', outcome: 'not-applied', detail: 'the driver refused a value' }
  }
  return {
    kind: 'unavailable',
    detail: isSocketCode(code) ? `the connection failed (${code})` : 'the connection was lost',
  }
}

/** The library gives all that fails during the TLS handshake one code. */
function isNetwork(error: Error & { syscall?: unknown }): boolean {
  return error.syscall !== undefined || /disconnected before secure TLS/.test(error.message)
}

/** OpenSSL's words, which name no host. */
function reasonOf(message: string): string {
  const known = [
    'self-signed certificate',
    'certificate has expired',
    "does not match certificate's",
  ]
  return known.find((words) => message.includes(words)) ?? 'handshake'
}

function isSocketCode(code: unknown): code is string {
  return typeof code === 'string' && /^E[A-Z_]+$/.test(code)
}

/** Whatever kept a connection from being made: nothing of the work was sent. */
export function unconnected(error: unknown): DriverFailure {
  const failure = error instanceof DriverFailure ? error.failure : explain(error)
  return new DriverFailure({ ...failure, outcome: 'not-applied' }, { cause: error })
}
