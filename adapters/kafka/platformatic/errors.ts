import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import { classifyCode, KafkaError } from '../../../src/kafka/index.ts'

/** What the library's errors have beside `Error`, which ones do depends on the class. */
interface LibraryError extends Error {
  readonly code?: unknown
  /** The number in Kafka's protocol. */
  readonly apiCode?: unknown
  readonly errors?: unknown
  readonly response?: unknown
}

/** The error and all that it was made of, outermost first. */
export function partsOf(error: unknown): LibraryError[] {
  const parts: LibraryError[] = []
  const visit = (part: unknown) => {
    if (!(part instanceof Error) || parts.includes(part)) return
    parts.push(part)
    const { errors, cause } = part as LibraryError
    if (Array.isArray(errors)) errors.forEach(visit)
    visit(cause)
  }
  visit(error)
  return parts
}

/** What Kafka answered last, as a number of its protocol. */
export function codeOf(error: unknown): number | undefined {
  if (error instanceof KafkaError) return error.code
  return partsOf(error).findLast(({ apiCode }) => typeof apiCode === 'number')?.apiCode as
    | number
    | undefined
}

/** True if a connection was lost or silent: then a later answer does not say what became of an earlier try. */
export function lostConnection(error: unknown): boolean {
  return partsOf(error).some(({ code }) => code === 'PLT_KFK_NETWORK')
}

/** Texts are ours: the library's quote topics and addresses. */
export function classify(error: unknown): Failure {
  const parts = partsOf(error)
  const ours = parts.find((part) => part instanceof DriverFailure)
  if (ours !== undefined) return (ours as DriverFailure).failure
  const code = codeOf(error)
  if (code !== undefined) return classifyCode(code)
  for (const { code, message } of parts) {
    if (message.startsWith('Unknown topic') || message === 'Unknown partition.') {
      return classifyCode(3)
    }
    if (message === 'Broker requires TLS.')
      return { kind: 'config', detail: 'the broker wants TLS' }
    if (message.startsWith('TLS handshake failed')) {
      return { kind: 'config', detail: 'the broker does not speak TLS' }
    }
    if (typeof code !== 'string') continue
    if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) {
      return { kind: 'config', detail: `the TLS connection was refused (${code})`, cause: error }
    }
    if (/^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_')) {
      return { kind: 'unavailable', detail: `the connection failed (${code})` }
    }
    if (code.startsWith('PLT_KFK_UNSUPPORTED')) {
      return { kind: 'unsupported', detail: 'the broker or the library cannot do that' }
    }
  }
  const last = parts.at(-1)
  switch (last?.code) {
    case 'PLT_KFK_NETWORK':
      return { kind: 'unavailable', detail: 'the connection was lost' }
    case 'PLT_KFK_AUTHENTICATION':
      return { kind: 'unauthenticated', detail: 'the broker refused the credentials' }
    default:
      return { kind: 'internal', detail: 'the reply could not be read' }
  }
}
