import type { Attempt } from '../../../src/core/index.ts'
import type {
  AdminDriver,
  NewTopic,
  TopicDescription,
  TopicPartition,
} from '../../../src/kafka/index.ts'
import { MemoryClient } from './client.ts'

/** The one broker that there is. */
const brokers = [1]

export class MemoryAdmin extends MemoryClient implements AdminDriver {
  async listTopics(attempt: Attempt): Promise<readonly string[]> {
    this.begin(attempt)
    return this.cluster.topicNames
  }

  async describeTopics(
    names: readonly string[],
    attempt: Attempt,
  ): Promise<readonly TopicDescription[]> {
    this.begin(attempt)
    return names.map((name) => ({
      name,
      partitions: this.cluster.topic(name).partitions.map(({ number }) => ({
        partition: number,
        leader: 1,
        replicas: brokers,
        inSyncReplicas: brokers,
      })),
    }))
  }

  async createTopics(
    topics: readonly NewTopic[],
    attempt: Attempt,
  ): Promise<readonly (Error | undefined)[]> {
    this.begin(attempt)
    return topics.map((topic) => {
      try {
        this.cluster.create(topic)
        return undefined
      } catch (error) {
        return error as Error
      }
    })
  }

  async offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | Date,
    attempt: Attempt,
  ): Promise<readonly bigint[]> {
    this.begin(attempt)
    return partitions.map(({ topic, partition: number }) => {
      const partition = this.cluster.topic(topic).partition(number)
      if (at instanceof Date) return partition.since(at.getTime())
      return at === 'earliest' ? partition.start : partition.end
    })
  }

  async committed(
    group: string,
    partitions: readonly TopicPartition[],
    attempt: Attempt,
  ): Promise<readonly (bigint | undefined)[]> {
    this.begin(attempt)
    return partitions.map(({ topic, partition }) =>
      this.cluster.group(group).committed(this.cluster.topic(topic).partition(partition)),
    )
  }
}
