import type { Failure } from '../../../src/core/index.ts'
import { classifyServerError, type ServerErrorLike } from '../../../src/mongodb/index.ts'

const serverErrors = /^Mongo(Server|BulkWrite|WriteConcern)Error$/
/** The driver, or BSON, cannot make a command of it. */
const badInput = /^(MongoInvalidArgument|MongoAPI|MongoCompatibility|BSON)\w*Error$/
const badConfig = /^Mongo(Parse|MissingCredentials|MissingDependency|Kerberos|AWS|OIDC)Error$/

/** What the driver rejected with. Whether it was sent, the pipeline knows. */
export function explain(error: unknown, operation: string): Failure {
  const { name, code, cause } = error as { name: string; code?: unknown; cause?: unknown }
  if (serverErrors.test(name)) return classifyServerError(error as ServerErrorLike, operation)
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return { kind: 'config', detail: 'mongodb is not installed; run: npm install mongodb' }
  }
  // BSON's buffer is a little larger than a document may be.
  if (code === 'ERR_OUT_OF_RANGE') return invalid('the document is too large')
  if (name === 'BSONVersionError') return invalid('a value is of another major version of bson')
  if (badConfig.test(name)) return { kind: 'config', detail: 'the driver refused its options' }
  if (badInput.test(name)) return invalid('the driver refused the operation')
  if (name === 'MongoWaitQueueTimeoutError') {
    return { kind: 'unavailable', detail: 'no connection was free in time' }
  }
  return unreachable(cause ?? error)
}

function invalid(detail: string): Failure {
  return { kind: 'invalid', outcome: 'not-applied', detail }
}

/** A connection that failed, or never was. A socket's error names the address at most. */
export function unreachable(error: unknown): Failure {
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
    const { code, cause } = inner as { code?: unknown; cause?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code
    inner = cause
  }
  return undefined
}
