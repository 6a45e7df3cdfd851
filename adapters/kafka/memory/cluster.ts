import {
  KafkaError,
  type NewTopic,
  type ProducerRecord,
  type RecordMetadata,
} from '../../../src/kafka/index.ts'
import { Group } from './group.ts'
import type { Partition } from './partition.ts'
import { Topic } from './topic.ts'

const unknownTopicOrPartition = 3
const messageTooLarge = 10
const invalidTimestamp = 32
const topicExists = 36

/** What Kafka's format adds to the records that one request brings for one partition. */
const batchHeaderBytes = 61
/** How far in the future a timestamp may be, as Kafka's brokers have it by default. */
const maxAheadMs = 3_600_000

/** The topics and groups that all clients of one driver share. */
export class Cluster {
  readonly #clock: () => number
  readonly #keep: number
  readonly #topics = new Map<string, Topic>()
  readonly #groups = new Map<string, Group>()
  /** Polls that wait for something to happen. */
  readonly #waiting = new Set<() => void>()

  /** `keep`: how many messages a partition holds. */
  constructor(clock: () => number, keep: number) {
    this.#clock = clock
    this.#keep = keep
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return Math.floor(this.#clock())
  }

  get topicNames(): string[] {
    return [...this.#topics.keys()].sort()
  }

  create(topic: NewTopic): void {
    if (this.#topics.has(topic.name)) throw new KafkaError(topicExists)
    this.#topics.set(topic.name, new Topic(topic, this.#keep))
  }

  /** @throws KafkaError if there is none of that name. */
  topic(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new KafkaError(unknownTopicOrPartition)
    return topic
  }

  group(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new Group()
      this.#groups.set(name, group)
    }
    return group
  }

  /** The fate of each, in order. As at a broker, what comes for one partition is taken or refused as a whole. */
  append(records: readonly ProducerRecord[]): (RecordMetadata | Error)[] {
    const now = this.now
    const fates: (RecordMetadata | Error)[] = []
    const batches = new Map<Partition, { readonly maxBytes: number; readonly places: number[] }>()
    for (const [place, { topic: name, key, partition: number }] of records.entries()) {
      try {
        const topic = this.topic(name)
        const partition = number === undefined ? topic.partitionFor(key) : topic.partition(number)
        const batch = batches.get(partition) ?? { maxBytes: topic.maxBatchBytes, places: [] }
        batch.places.push(place)
        batches.set(partition, batch)
      } catch (error) {
        fates[place] = error as Error
      }
    }
    for (const [partition, { maxBytes, places }] of batches) {
      const batch = places.map((place) => records[place] as ProducerRecord)
      const refusal = refusalOf(batch, maxBytes, now)
      for (const [i, { key, value, headers, timestamp = now }] of batch.entries()) {
        fates[places[i] as number] = refusal ?? {
          topic: partition.topic,
          partition: partition.number,
          offset: partition.append({ key, value, headers, timestamp }),
          timestamp: new Date(timestamp),
        }
      }
    }
    this.notify()
    return fates
  }

  /** Calls it whenever messages may have come or moved, until the function that it gives is called. */
  watch(look: () => void): () => void {
    this.#waiting.add(look)
    return () => void this.#waiting.delete(look)
  }

  notify(): void {
    for (const look of this.#waiting) look()
  }
}

function refusalOf(
  batch: readonly ProducerRecord[],
  maxBytes: number,
  now: number,
): KafkaError | undefined {
  const bytes = batch.reduce((sum, record) => sum + record.size, batchHeaderBytes)
  if (bytes > maxBytes) return new KafkaError(messageTooLarge)
  const ahead = batch.some(({ timestamp = now }) => timestamp > now + maxAheadMs)
  return ahead ? new KafkaError(invalidTimestamp) : undefined
}
