import { KafkaError, type NewTopic, partitionForKey } from '../../../src/kafka/index.ts'
import { Partition } from './partition.ts'

const unknownTopicOrPartition = 3
const invalidTopic = 17
const invalidPartitions = 37
const invalidReplicationFactor = 38
const invalidConfig = 40

/** What Kafka's brokers take by default, in bytes. */
const defaultMaxBatchBytes = 1_048_588

export class Topic {
  readonly name: string
  readonly partitions: readonly Partition[]
  /** Of what one request brings for one partition. */
  readonly maxBatchBytes: number
  #next = 0

  /** @throws KafkaError for what a broker refuses. */
  constructor({ name, partitions = 1, replicas = 1, config }: NewTopic, keep: number) {
    if (!/^[\w.-]{1,249}$/.test(name) || /^\.\.?$/.test(name)) throw new KafkaError(invalidTopic)
    if (!Number.isInteger(partitions) || partitions < 1) throw new KafkaError(invalidPartitions)
    if (replicas !== 1) throw new KafkaError(invalidReplicationFactor)
    const limit = config?.['max.message.bytes'] ?? `${defaultMaxBatchBytes}`
    if (!/^\d{1,10}$/.test(limit)) throw new KafkaError(invalidConfig)
    this.name = name
    this.partitions = Array.from({ length: partitions }, (_, i) => new Partition(name, i, keep))
    this.maxBatchBytes = Number(limit)
  }

  /** @throws KafkaError if there is none of that number. */
  partition(number: number): Partition {
    const partition = this.partitions[number]
    if (partition === undefined) throw new KafkaError(unknownTopicOrPartition)
    return partition
  }

  /** By the key; without one by turns. */
  partitionFor(key: Uint8Array | null): Partition {
    const count = this.partitions.length
    return this.partition(key === null ? this.#next++ % count : partitionForKey(key, count))
  }
}
