import type { Failure } from '../../../src/core/index.ts'
import { type CqlErrorLike, classifyCqlError } from '../../../src/scylladb/index.ts'

/** What the driver's errors are known by. */
interface Native {
  readonly code?: unknown
  readonly isSocketError?: boolean
  /** Beside `isSocketError`: nothing of it has left. */
  readonly requestNotWritten?: boolean
  readonly innerError?: unknown
  readonly innerErrors?: Readonly<Record<string, unknown>>
  /** A fixed text for each class. Their names do not survive a bundler that shortens them. */
  readonly info?: unknown
}

/** What the driver rejected with. Whether it was sent, the pipeline knows. Pure. */
export function explain(error: unknown, operation: string): Failure {
  const native = error as Native
  const { code, innerErrors } = native
  const info = String(native.info)
  if (typeof code === 'number') return classifyCqlError(error as CqlErrorLike, operation)
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const detail = 'cassandra-driver is not installed; run: npm install cassandra-driver'
    return { kind: 'config', detail }
  }
  // No host took it: it was never sent, or the one that got it has answered that it does not know the statement.
  if (innerErrors !== undefined) {
    return { ...ofHosts(Object.values(innerErrors), operation), outcome: 'not-applied' }
  }
  if (info.includes('authentication error')) {
    return { kind: 'unauthenticated', detail: 'the server refused the credentials, or wants some' }
  }
  if (info.includes('did not hear back')) {
    return { kind: 'timeout', detail: 'no answer in time' }
  }
  if (info.includes('in-flight requests')) {
    return { kind: 'throttled', outcome: 'not-applied', detail: 'all connections are busy' }
  }
  const lost = unreachable(native.innerError ?? error)
  return native.requestNotWritten === true ? { ...lost, outcome: 'not-applied' } : lost
}

const order = ['config', 'unauthenticated', 'throttled']

/** The one that tells most: what all of them would say, or a host that answers. */
function ofHosts(errors: readonly unknown[], operation: string): Failure {
  const failures = errors
    .filter((error) => typeof error === 'object' && error !== null)
    .map((error) => explain(error, operation))
  const telling = order.flatMap((kind) => failures.filter((failure) => failure.kind === kind))
  const none = { kind: 'unavailable', detail: 'no host of the data centre is up' } as const
  return telling[0] ?? failures[0] ?? none
}

/** A connection that failed, or never was. A socket's error names the address at most. */
function unreachable(error: unknown): Failure {
  const code = (error as Native).code
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]+$/.test(code)) {
    return { kind: 'unavailable', detail: 'the connection was lost' }
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return { kind: 'config', detail: `the TLS connection was refused (${code})` }
  }
  return { kind: 'unavailable', detail: `the connection failed (${code})` }
}
