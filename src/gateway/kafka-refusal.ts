import type { ErrorKind } from '../core/index.ts'
import { type Access, type Failed, Refusal } from './face.ts'

const kinds: Readonly<Record<number, ErrorKind>> = {
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  429: 'throttled',
}

/** A refusal by its number in Confluent's REST API, whose first three digits are the status. */
export class KafkaRefusal extends Refusal {
  readonly errorCode: number

  constructor(errorCode: number, message: string) {
    const status = Math.floor(errorCode / 100)
    super(kinds[status] ?? 'invalid', message, status)
    this.errorCode = errorCode
  }
}

/** What is well-formed JSON, but not what the path takes. */
export function unprocessable(message: string): KafkaRefusal {
  return new KafkaRefusal(42200, message)
}

/** Producing writes, and so does consuming: it moves the group. */
export function requireFull(access: Access): void {
  if (access !== 'full') throw new KafkaRefusal(40301, 'this token only reads')
}

/** Confluent's number for a failure of the backend's. */
export function errorCodeOf(error: Failed): number {
  if (error instanceof KafkaRefusal) return error.errorCode
  switch (error.kind) {
    case 'not-found':
      return 40401
    case 'unauthenticated':
      return 40101
    case 'forbidden':
      return 40301
    case 'conflict':
      return 40903
    case 'invalid':
    case 'unsupported':
      return 40002
    case 'unavailable':
    case 'timeout':
    case 'throttled':
    case 'closed':
      return 50003
    default:
      return 50002
  }
}
