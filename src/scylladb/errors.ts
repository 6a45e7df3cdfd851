import type { Failure } from '../core/index.ts'

/** What a server's error frame says, by the names that cassandra-driver has for it. */
export interface CqlErrorLike {
  readonly code: number
  readonly message?: string
  /** Replicas that answered, and that the consistency level needs. */
  readonly received?: number
  readonly blockFor?: number
  /** Replicas that are up, and that the consistency level needs. */
  readonly alive?: number
  readonly required?: number
  /** `SIMPLE`, `BATCH`, `BATCH_LOG`, `UNLOGGED_BATCH`, `COUNTER`, `CAS`, ... */
  readonly writeType?: string
}

/** What an InvalidRequest means, by the server's fixed words: neither code nor anything else tells it. */
const meanings: readonly (readonly [RegExp, Failure])[] = [
  [
    /unconfigured table|(table|view|index|type|function|role) .*(does ?n[o']t exist|not found)|^unknown (table|type)/i,
    { kind: 'not-found', detail: 'there is no such table, type or role' },
  ],
  [
    /keyspace .*(does not exist|not found)|unknown keyspace/i,
    { kind: 'not-found', detail: 'there is no such keyspace' },
  ],
  [
    /no keyspace has been specified/i,
    {
      kind: 'invalid',
      detail: 'neither the name of the table nor the configuration has a keyspace',
    },
  ],
  [
    /batch too large/i,
    { kind: 'invalid', detail: 'the batch has more bytes than the server takes' },
  ],
  [
    /undefined column name|unknown identifier|undefined name|unrecognized name/i,
    { kind: 'invalid', detail: 'there is no such column' },
  ],
  [
    /unset value/i,
    { kind: 'invalid', detail: 'a parameter that is undefined stands where a value must be' },
  ],
  [
    /null value|invalid null/i,
    { kind: 'invalid', detail: 'a parameter that is null stands where a value must be' },
  ],
  [
    /key length|too long|larger than|exceeds/i,
    { kind: 'invalid', detail: 'a value has more bytes than the server takes' },
  ],
]

/**
 * A server's error in our words. Pure.
 * https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec, section 9
 * @param operation its name: one with IF may have been decided before the replicas turned out to be missing,
 *   and the counters of a batch are written one after another
 */
export function classifyCqlError(error: CqlErrorLike, operation: string): Failure {
  switch (error.code) {
    case 0x0000:
      return { kind: 'internal', detail: 'the server failed' }
    case 0x000a:
      return refused('invalid', 'the server does not understand the request')
    case 0x0100:
      return refused('unauthenticated', 'the server refused the credentials')
    case 0x1000: {
      const detail = `${error.alive} replicas are up, and the consistency level needs ${error.required}`
      const mayBeApplied = /IF|COUNTER/.test(operation)
      return { kind: 'unavailable', outcome: mayBeApplied ? 'unknown' : 'not-applied', detail }
    }
    case 0x1001:
      // Some of the replicas may have it already.
      return { kind: 'throttled', outcome: 'unknown', detail: 'the server is overloaded' }
    case 0x1002:
      return refused('unavailable', 'the server is starting')
    case 0x1003:
      return {
        kind: 'unavailable',
        outcome: 'unknown',
        detail: 'the table was not truncated everywhere',
      }
    case 0x1100:
      return { kind: 'timeout', outcome: 'unknown', detail: writeTimeout(error) }
    case 0x1200:
      return { kind: 'timeout', detail: `${acks(error)} in the time that the server gives them` }
    case 0x1300:
      return {
        kind: 'internal',
        detail: 'replicas failed to read it, as they do when there are too many tombstones',
      }
    case 0x1400:
      return refused('invalid', 'a function that the statement calls has failed')
    case 0x1500:
    case 0x1600:
      return { kind: 'internal', outcome: 'unknown', detail: `${acks(error)}, and others failed` }
    case 0x1700:
      return {
        kind: 'timeout',
        outcome: 'unknown',
        detail: 'nobody knows whether the condition held',
      }
    case 0x2000:
      return refused('invalid', 'the server does not understand the statement')
    case 0x2100:
      return refused('forbidden', 'the credentials do not permit it')
    case 0x2200:
    case 0x2300:
      return invalidRequest(error.message ?? '')
    case 0x2400:
      return refused('conflict', 'it exists already')
    case 0x2500:
      return refused('unavailable', 'the server has forgotten the statement')
    default:
      return { kind: 'internal', detail: 'the server failed in a way that is not known here' }
  }
}

/** An answer that came before anything was done. */
function refused(kind: Failure['kind'], detail: string): Failure {
  return { kind, outcome: 'not-applied', detail }
}

function invalidRequest(message: string): Failure {
  const [, failure] = meanings.find(([pattern]) => pattern.test(message)) ?? []
  return {
    ...(failure ?? refused('invalid', 'the server refused the statement')),
    outcome: 'not-applied',
  }
}

function acks({ received, blockFor }: CqlErrorLike): string {
  return `${received} replicas answered of the ${blockFor} that the consistency level needs`
}

/** Whatever was received: a replica that did not answer may have it all the same, or get it later. */
function writeTimeout(error: CqlErrorLike): string {
  const answered = `${acks(error)} in the time that the server gives them`
  switch (error.writeType) {
    case 'BATCH':
      return `${answered}; the batch is in the log, from which it will be applied`
    case 'BATCH_LOG':
      return 'the batch was not logged in time'
    case 'UNLOGGED_BATCH':
      return `${answered}; some statements of the batch may be applied and others not`
    case 'CAS':
      return 'the replicas did not agree on the condition in time'
    default:
      return answered
  }
}
