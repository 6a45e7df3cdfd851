import { InfraError } from '../../src/core/index.ts'
import type { KafkaCapabilities, KafkaDriver } from '../../src/kafka/index.ts'
import { MemoryAdmin } from './memory/admin.ts'
import { Cluster } from './memory/cluster.ts'
import { MemoryConsumer } from './memory/consumer.ts'
import { MemoryProducer } from './memory/producer.ts'

export interface MemoryOptions {
  /** Epoch milliseconds, for timestamps and for the sessions of consumers. Default `Date.now`. */
  clock?: (() => number) | undefined
  /** Topics that are there from the start, and how many partitions each has: `{ events: 3 }`. */
  topics?: Readonly<Record<string, number>> | undefined
  /** How many messages a partition keeps; the oldest go. Default: all. */
  retainMessages?: number | undefined
}

/**
 * Kafka inside the process, for tests and development: the partitions, groups, limits and errors of Kafka 4,
 * on any runtime. Each call makes an empty cluster; clients of one driver share it. Topics have to be created
 * first. A consumer that neither polls nor commits for its session timeout has left its group. No compaction;
 * of a topic's settings only `max.message.bytes` has an effect.
 * @throws InfraError `KAFKA_CONFIG` for options that cannot be.
 */
export function memory(options: MemoryOptions = {}): KafkaDriver {
  const { clock = Date.now, topics = {}, retainMessages = Infinity } = options
  if (!(retainMessages >= 1)) throw misconfigured('retainMessages is not a number from 1')
  const cluster = new Cluster(clock, Math.floor(retainMessages))
  try {
    for (const [name, partitions] of Object.entries(topics)) cluster.create({ name, partitions })
  } catch {
    throw misconfigured('topics are not names with numbers of partitions')
  }
  return {
    adapter: 'memory',
    resource: undefined,
    capabilities,
    producer: (setup) => new MemoryProducer(cluster, setup),
    consumer: (setup) => new MemoryConsumer(cluster, setup),
    admin: () => new MemoryAdmin(cluster),
  }
}

const capabilities: KafkaCapabilities = {
  bytes: true,
  tombstones: true,
  headers: true,
  timestamps: true,
  consumeMetadata: true,
  idempotent: true,
  consume: true,
  from: ['earliest', 'latest'],
  lag: true,
  listTopics: true,
  describeTopics: true,
  createTopics: true,
  offsets: true,
  cancel: true,
  // With the header of a batch, what a broker takes by default.
  maxRequestBytes: 1_048_588 - 61,
}

function misconfigured(detail: string): InfraError {
  return new InfraError({
    kind: 'config',
    component: 'kafka',
    adapter: 'memory',
    operation: 'configure',
    detail,
  })
}
