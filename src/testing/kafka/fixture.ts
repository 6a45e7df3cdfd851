import {
  type ConsumerOptions,
  Kafka,
  type KafkaCapabilities,
  type KafkaConsumer,
  type KafkaDriver,
  type KafkaMessage,
  type ProducerOptions,
} from '../../kafka/index.ts'
import { ok } from '../assert.ts'
import type { Case } from '../suite.ts'

/** The adapter under test, and a cluster for it. The cluster may be shared: the suite uses topics and groups of its own. */
export interface KafkaTarget {
  /** A driver over the same cluster each time. */
  driver(): KafkaDriver
  /** Resolves when the topic takes messages. */
  createTopic(name: string, partitions: number): Promise<void>
  /** In front of the names of topics and groups. Default `dualport-test`. */
  readonly prefix?: string
}

export interface KafkaFixture {
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  readonly kafka: (options?: ProducerOptions) => Kafka
  /** A new topic. */
  readonly topic: (partitions?: number) => Promise<string>
  /** A name that nothing else has: of a group, or of a topic that does not exist. */
  readonly name: () => string
  /** A member of a group of the case's own, from the first message unless it says otherwise. */
  readonly consumer: (
    topics: string | readonly string[],
    options?: Partial<ConsumerOptions>,
  ) => KafkaConsumer
  /** What `tearDown` closes. */
  readonly clients: readonly Kafka[]
}

export type KafkaCase = Case<KafkaFixture, KafkaCapabilities>

export function setUp(target: KafkaTarget): KafkaFixture {
  const clients: Kafka[] = []
  const name = () => `${target.prefix ?? 'dualport-test'}-${crypto.randomUUID()}`
  const group = name()
  const kafka = (options?: ProducerOptions) => {
    const client = new Kafka(target.driver(), { logger: false, timeoutMs: 15_000, ...options })
    clients.push(client)
    return client
  }
  return {
    kafka,
    name,
    async topic(partitions = 1) {
      const topic = name()
      await target.createTopic(topic, partitions)
      return topic
    },
    consumer: (topics, options) =>
      kafka().consumer({ group, topics, from: 'earliest', ...options }),
    clients,
  }
}

export async function tearDown({ clients }: KafkaFixture): Promise<void> {
  await Promise.all(clients.map((client) => client.close()))
}

/** Polls until there are so many messages; fails after 20 seconds. */
export async function read(consumer: KafkaConsumer, count: number): Promise<KafkaMessage[]> {
  const messages: KafkaMessage[] = []
  const due = Date.now() + 20_000
  while (messages.length < count) {
    ok(Date.now() < due, `20 seconds passed, and ${messages.length} of ${count} messages came`)
    messages.push(...(await consumer.poll({ waitMs: 500 })))
  }
  return messages
}

/** Waits out the forming of the group: resolves when the member reads, and has read what there is. */
export async function join(consumer: KafkaConsumer): Promise<void> {
  for (let quiet = 0; quiet < 2; ) {
    const messages = await consumer.poll({ waitMs: 400 })
    quiet = messages.length === 0 ? quiet + 1 : 0
  }
}

export const values = (messages: readonly KafkaMessage[]) => messages.map(({ value }) => value)

/** `['0', '1', ...]` */
export const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i))

/** What the types forbid, for JavaScript callers. */
export const not = <T>(value: unknown): T => value as T

export const notFound = { kind: 'not-found', outcome: 'not-applied' } as const
export const invalid = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
export const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
export const config = { kind: 'config' } as const
