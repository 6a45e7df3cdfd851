import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from '@platformatic/kafka'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import {
  type AdminDriver,
  KafkaError,
  type NewTopic,
  type TopicDescription,
  type TopicPartition,
} from '../../../src/kafka/index.ts'
import { classify, codeOf } from './errors.ts'
import { cut, discard, guard, load } from './library.ts'
import type { Settings } from './settings.ts'

/** How `ListOffsets` names the two ends. */
const ends = { earliest: -2n, latest: -1n }

const noSuchGroup = 69

export class PlatformaticAdmin implements AdminDriver {
  readonly adapter = 'platformatic'
  readonly resource: string
  readonly #settings: Settings
  #client: Admin | undefined
  #closed = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
  }

  async listTopics(attempt: Attempt): Promise<readonly string[]> {
    return this.#run(attempt, (admin) => admin.listTopics())
  }

  describeTopics(names: readonly string[], attempt: Attempt): Promise<readonly TopicDescription[]> {
    return this.#run(attempt, async (admin) => {
      const metadata = await admin.metadata({ topics: [...names], forceUpdate: true })
      return names.map((name) => {
        const topic = metadata.topics.get(name)
        // Kafka's own topics are not in it.
        if (topic === undefined) throw new KafkaError(3)
        return {
          name,
          partitions: topic.partitions.map(({ leader, replicas, isr }, partition) => ({
            partition,
            leader,
            replicas,
            inSyncReplicas: isr,
          })),
        }
      })
    })
  }

  createTopics(
    topics: readonly NewTopic[],
    attempt: Attempt,
  ): Promise<readonly (Error | undefined)[]> {
    return this.#run(attempt, async (admin) => {
      // Connected first: until then nothing can have been sent.
      await admin.metadata({ topics: [], forceUpdate: true })
      const fates: (Error | undefined)[] = []
      for (const topic of topics) {
        if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
        attempt.sent = true
        fates.push(await create(admin, topic))
      }
      const created = topics.filter((_, i) => fates[i] === undefined).map(({ name }) => name)
      await visible(admin, created, attempt)
      return fates
    })
  }

  offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | Date,
    attempt: Attempt,
  ): Promise<readonly bigint[]> {
    const ask = async (admin: Admin, asked: readonly TopicPartition[], timestamp: bigint) => {
      const topics = byTopic(asked, (name, indexes) => ({
        name,
        partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })),
      }))
      const found = new Map<string, bigint>()
      for (const { name, partitions } of await admin.listOffsets({ topics })) {
        for (const { partitionIndex, offset } of partitions) {
          found.set(`${name}:${partitionIndex}`, offset)
        }
      }
      return asked.map((one) => found.get(keyOf(one)) as bigint)
    }
    return this.#run(attempt, async (admin) => {
      const time = at instanceof Date ? BigInt(at.getTime()) : ends[at]
      const found = await ask(admin, partitions, time)
      // Nothing is that young.
      const without = partitions.filter((_, i) => found[i] === -1n)
      if (without.length === 0) return found
      const latest = await ask(admin, without, ends.latest)
      return found.map((offset) => (offset === -1n ? (latest.shift() as bigint) : offset))
    })
  }

  committed(
    group: string,
    partitions: readonly TopicPartition[],
    attempt: Attempt,
  ): Promise<readonly (bigint | undefined)[]> {
    return this.#run(attempt, async (admin) => {
      const topics = byTopic(partitions, (name, partitionIndexes) => ({ name, partitionIndexes }))
      const found = new Map<string, bigint>()
      try {
        const groups = await admin.listConsumerGroupOffsets({
          groups: [{ groupId: group, topics }],
        })
        for (const { name, partitions } of groups.flatMap(({ topics }) => topics)) {
          for (const { partitionIndex, committedOffset } of partitions) {
            if (committedOffset >= 0n) found.set(`${name}:${partitionIndex}`, committedOffset)
          }
        }
      } catch (error) {
        if (codeOf(error) !== noSuchGroup) throw error
      }
      return partitions.map((one) => found.get(keyOf(one)))
    })
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#run(attempt, (admin) => admin.metadata({ topics: [], forceUpdate: true }))
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#client !== undefined) await discard(this.#client)
  }

  classify(error: unknown): Failure {
    return classify(error)
  }

  /** The `Admin`. */
  native(): Promise<Admin> {
    return this.#ready()
  }

  async #run<T>(attempt: Attempt, work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = await this.#ready()
    attempt.onCancel = () => {
      // No answer in time: what is asked next goes over connections that are known to work.
      if (performance.now() >= attempt.due) cut(admin.connections)
    }
    return work(admin)
  }

  async #ready(): Promise<Admin> {
    const library = await load()
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (this.#client === undefined) {
      const { brokers, clientId, connection } = this.#settings
      this.#client = new library.Admin({
        ...connection,
        clientId,
        bootstrapBrokers: brokers,
        retries: 0,
      })
      guard(this.#client.connections)
    }
    return this.#client
  }
}

async function create(admin: Admin, topic: NewTopic): Promise<Error | undefined> {
  const { name, partitions = -1, replicas = -1, config = {} } = topic
  try {
    await admin.createTopics({
      topics: [{ topic: name, partitions, replicas }],
      configs: Object.entries(config).map(([name, value]) => ({ name, value })),
    })
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** The controller knows a new topic before the brokers do, and they know a leader before it knows that it leads. */
async function visible(admin: Admin, topics: readonly string[], attempt: Attempt): Promise<void> {
  while (topics.length > 0 && !attempt.over) {
    try {
      const metadata = await admin.metadata({ topics: [...topics], forceUpdate: true })
      await admin.listOffsets({
        topics: topics.map((name) => ({
          name,
          partitions: Array.from(metadata.topics.get(name)?.partitions ?? [], (_, partition) => ({
            partitionIndex: partition,
            timestamp: ends.latest,
          })),
        })),
      })
      return
    } catch (error) {
      const { kind } = classify(error)
      if (kind !== 'not-found' && kind !== 'unavailable') throw error
      await sleep(10)
    }
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

function byTopic<T>(
  partitions: readonly TopicPartition[],
  make: (topic: string, partitions: number[]) => T,
): T[] {
  const grouped = Map.groupBy(partitions, ({ topic }) => topic)
  return Array.from(grouped, ([topic, own]) =>
    make(topic, [...new Set(own.map(({ partition }) => partition))]),
  )
}
