import type { Failure } from '../core/index.ts'

/** An error that Kafka itself answered with, by its number in the protocol. */
export class KafkaError extends Error {
  /** https://kafka.apache.org/protocol.html#protocol_error_codes */
  readonly code: number
  constructor(code: number, options?: ErrorOptions) {
    super(`Kafka error ${code}`, options)
    this.code = code
  }
}

type Row = readonly [kind: Failure['kind'], detail: string, more?: Partial<Failure>]

const notApplied = { outcome: 'not-applied' } as const
const unknown = { outcome: 'unknown' } as const
const staleGeneration: Row = ['conflict', 'the group has rebalanced']
const notLeader: Row = ['unavailable', 'the partition has no leader there now', notApplied]
const coordinator: Row = ['unavailable', 'the group coordinator is not there now', notApplied]

/** By the number of the protocol. Texts are ours: Kafka's may quote names. */
const table: Readonly<Record<number, Row>> = {
  1: ['not-found', 'the offset is out of range'],
  2: ['internal', 'the message arrived corrupt', notApplied],
  3: ['not-found', 'there is no such topic or partition'],
  5: notLeader,
  6: notLeader,
  7: ['timeout', 'the replicas did not acknowledge in time', unknown],
  8: ['unavailable', 'the broker is not available', notApplied],
  9: notLeader,
  10: ['invalid', 'a message is larger than the broker takes'],
  13: ['unavailable', 'the broker lost the connection', unknown],
  14: coordinator,
  15: coordinator,
  16: coordinator,
  17: ['invalid', 'the name of the topic is not valid'],
  18: ['invalid', 'the batch is larger than the broker takes'],
  19: ['unavailable', 'there are too few in-sync replicas', notApplied],
  20: ['unavailable', 'too few replicas acknowledged', unknown],
  22: staleGeneration,
  23: ['invalid', 'the members of the group have no assignment strategy in common'],
  25: staleGeneration,
  26: ['invalid', 'the session timeout is not within the limits of the broker'],
  27: staleGeneration,
  29: ['forbidden', 'not permitted for this topic'],
  30: ['forbidden', 'not permitted for this group'],
  31: ['forbidden', 'not permitted for this cluster'],
  32: ['invalid', 'the timestamp of a message is out of range'],
  34: ['unauthenticated', 'the SASL state is not valid'],
  33: ['unauthenticated', 'the broker does not take this SASL mechanism'],
  35: ['unsupported', 'the broker does not know this version of the protocol'],
  36: ['conflict', 'the topic exists'],
  37: ['invalid', 'the number of partitions is not valid'],
  38: ['invalid', 'the number of replicas is not valid'],
  39: ['invalid', 'the assignment of replicas is not valid'],
  40: ['invalid', 'a setting of the topic is not valid'],
  41: ['unavailable', 'the controller is elsewhere now', notApplied],
  42: ['invalid', 'the broker found an error in the request'],
  44: ['forbidden', 'a policy of the broker refuses it'],
  // The producer's sequence is lost: what became of the batch cannot be told from this answer.
  45: ['unavailable', 'the sequence of the producer is out of order', unknown],
  47: ['conflict', 'another producer took the place of this one'],
  53: ['forbidden', 'not permitted for this transactional ID'],
  54: ['forbidden', 'security is disabled at the broker'],
  56: ['unavailable', 'the storage of the broker failed', unknown],
  58: ['unauthenticated', 'the broker refused the credentials'],
  59: ['unavailable', 'the broker does not know this producer', unknown],
  60: ['unavailable', 'a reassignment is in progress', notApplied],
  72: notLeader,
  74: notLeader,
  76: ['unsupported', 'the broker does not know this compression'],
  77: notLeader,
  79: staleGeneration,
  81: ['throttled', 'the group has its largest number of members'],
  82: ['conflict', 'another member took the place of this instance'],
  87: ['invalid', 'the broker refused a message'],
  89: ['throttled', 'the quota is exceeded', notApplied],
  100: ['not-found', 'there is no such topic'],
  110: staleGeneration,
  113: staleGeneration,
}

/** What an answer of Kafka's means. */
export function classifyCode(code: number): Failure {
  const row = table[code]
  if (row === undefined) return { kind: 'unavailable', detail: `Kafka error ${code}` }
  const [kind, detail, more] = row
  return { kind, detail, ...more }
}
