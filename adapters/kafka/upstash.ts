import { InfraError } from '../../src/core/index.ts'
import type { KafkaCapabilities, KafkaDriver } from '../../src/kafka/index.ts'
import { UpstashAdmin } from './upstash/admin.ts'
import { UpstashConsumer } from './upstash/consumer.ts'
import { UpstashProducer } from './upstash/producer.ts'
import { type UpstashOptions, UpstashRequests } from './upstash/requests.ts'

export type { UpstashOptions } from './upstash/requests.ts'

/**
 * Kafka over HTTP by the Upstash protocol, through @upstash/kafka (`npm install @upstash/kafka`), for those who
 * hold its code: the hosted service ended in 2025, and dualport's gateway speaks the protocol. For anything
 * new, `rest` can more. Takes the settings of its `Kafka`, or one that is there.
 *
 * It is used below its public methods, since those repeat every request up to five times, and a message would
 * be stored as often. Limits, each a capability: no bytes that are not UTF-8, no tombstones, no lag, and a
 * request cannot be cancelled: what a caller has given up may be stored later, and `outcome` is `unknown`.
 * @throws InfraError `KAFKA_CONFIG` for malformed options, or what is no `Kafka` of @upstash/kafka.
 */
export function upstash(options: UpstashOptions | { readonly client: object }): KafkaDriver {
  const requests = new UpstashRequests(options, misconfigured)
  return {
    adapter: 'upstash',
    resource: requests.resource,
    capabilities,
    producer: (setup) => new UpstashProducer(requests, setup),
    consumer: (setup) => new UpstashConsumer(requests, setup),
    admin: () => new UpstashAdmin(requests),
  }
}

const capabilities: KafkaCapabilities = {
  bytes: false,
  tombstones: false,
  headers: true,
  timestamps: true,
  consumeMetadata: true,
  idempotent: false,
  consume: true,
  from: ['earliest', 'latest'],
  lag: false,
  listTopics: true,
  describeTopics: false,
  createTopics: false,
  offsets: true,
  cancel: false,
  // What the hosted service took.
  maxRequestBytes: 1_000_000,
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'kafka',
    adapter: 'upstash',
    operation: 'configure',
    detail,
  })
}
