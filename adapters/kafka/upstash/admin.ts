import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type { AdminDriver, TopicDescription, TopicPartition } from '../../../src/kafka/index.ts'
import { classify, listOf, notKafka, offsetOf, type UpstashRequests } from './requests.ts'

interface Position {
  readonly topic?: unknown
  readonly partition?: unknown
  readonly offset?: unknown
}

export class UpstashAdmin implements AdminDriver {
  readonly adapter = 'upstash'
  readonly resource: string | undefined
  readonly classify = classify
  readonly #requests: UpstashRequests

  constructor(requests: UpstashRequests) {
    this.#requests = requests
    this.resource = requests.resource
  }

  async listTopics(attempt: Attempt): Promise<readonly string[]> {
    const topics = await this.#requests.get(attempt, ['topics'])
    if (typeof topics !== 'object' || topics === null) throw notKafka()
    return Object.keys(topics).sort()
  }

  async describeTopics(): Promise<readonly TopicDescription[]> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async createTopics(): Promise<readonly (Error | undefined)[]> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | Date,
    attempt: Attempt,
  ): Promise<readonly bigint[]> {
    const path = ['offsets', at instanceof Date ? String(at.getTime()) : at]
    const found = await this.#positions(path, partitions, attempt)
    return found.map((offset) => {
      if (offset === undefined) throw notKafka()
      return offset
    })
  }

  committed(
    group: string,
    partitions: readonly TopicPartition[],
    attempt: Attempt,
  ): Promise<readonly (bigint | undefined)[]> {
    // The instance is part of the path and of nothing else.
    return this.#positions(['committed', group, 'admin'], partitions, attempt)
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#requests.get(attempt, ['topics'])
  }

  /** There is nothing to release. */
  async close(): Promise<void> {}

  native(): Promise<object | undefined> {
    return this.#requests.native()
  }

  /** In the order asked. What has no offset is left out of the reply. */
  async #positions(
    path: string[],
    partitions: readonly TopicPartition[],
    attempt: Attempt,
  ): Promise<readonly (bigint | undefined)[]> {
    const body = partitions.map(({ topic, partition }) => ({ topic, partition }))
    const reply = listOf<Position | null>(await this.#requests.post(attempt, path, body))
    return partitions.map(({ topic, partition }) => {
      const found = reply.find((each) => each?.topic === topic && each.partition === partition)
      return found == null ? undefined : offsetOf(found.offset)
    })
  }
}
