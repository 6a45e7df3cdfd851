import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  known,
  type Operation,
  summarise,
} from '../core/index.ts'
import type {
  AdminDriver,
  KafkaCapabilities,
  KafkaDriver,
  NewTopic,
  TopicDescription,
  TopicPartition,
} from './driver.ts'
import { metricNames } from './metrics.ts'
import { checkTopic, invalid, isInt32, isName, unsupported } from './records.ts'

const list: Operation<string[]> = { name: 'listTopics', write: false, idempotent: true }
const describe: Operation<TopicDescription[]> = {
  name: 'describeTopics',
  write: false,
  idempotent: true,
}
const offsets: Operation<bigint[]> = { name: 'offsets', write: false, idempotent: true }
const committed: Operation<(bigint | undefined)[]> = {
  name: 'committedOffsets',
  write: false,
  idempotent: true,
}
const create = { name: 'createTopics', write: true, idempotent: false }

/** Topics: which there are, how they lie, and new ones. */
export class KafkaAdmin extends Client<AdminDriver> {
  readonly #capabilities: KafkaCapabilities

  constructor(driver: KafkaDriver, options?: ClientOptions) {
    super('kafka', driver.admin(), metricNames, options)
    this.#capabilities = driver.capabilities
  }

  /** What this adapter can do. */
  get capabilities(): KafkaCapabilities {
    return this.#capabilities
  }

  /** The names of those that are not Kafka's own, sorted. */
  listTopics(options?: CallOptions): Promise<string[]> {
    if (!this.#capabilities.listTopics)
      return this.calls.refuse('listTopics', unsupported('list topics'))
    return this.calls.run(list, undefined, (_, attempt) => this.driver.listTopics(attempt), options)
  }

  /** In the order asked. @throws InfraError of kind `not-found` if one does not exist. */
  describeTopics(names: readonly string[], options?: CallOptions): Promise<TopicDescription[]> {
    try {
      known(options)
      if (!this.#capabilities.describeTopics) throw unsupported('describe topics')
      if (!Array.isArray(names)) throw invalid('the names are not an array')
      names.forEach(checkTopic)
    } catch (error) {
      return this.calls.refuse('describeTopics', error)
    }
    return this.calls.run(
      describe,
      names,
      (request, attempt: Attempt) => this.driver.describeTopics(request, attempt),
      options,
    )
  }

  /**
   * Resolves when all are there.
   * @throws InfraError if any failed, of kind `conflict` if it exists: `outcome` is `partial` if some were
   *   created, and `items` has the fate of each.
   */
  createTopics(topics: readonly NewTopic[], options?: CallOptions): Promise<void> {
    try {
      known(options)
      if (!this.#capabilities.createTopics) throw unsupported('create topics')
      if (!Array.isArray(topics)) throw invalid('the topics are not an array')
      topics.forEach(checkNewTopic)
    } catch (error) {
      return this.calls.refuse('createTopics', error)
    }
    if (topics.length === 0) return Promise.resolve()
    const operation: Operation<void> = {
      ...create,
      decode: (fates: readonly (Error | undefined)[]) => {
        const failure = summarise(
          fates.map((fate) =>
            fate === undefined
              ? { status: 'fulfilled', value: undefined }
              : { status: 'rejected', reason: this.calls.failure(create, fate) },
          ),
          'topics',
        )
        if (failure !== undefined) throw new DriverFailure(failure)
      },
    }
    return this.calls.run(
      operation,
      topics,
      (request, attempt: Attempt) => this.driver.createTopics(request, attempt),
      options,
    )
  }

  /**
   * Of each partition, in the order asked: the offset of the first message that there is (`earliest`), of the
   * next that will be written (`latest`), or of the first of that time or later (if there is none, as `latest`).
   * @throws InfraError of kind `not-found` if a partition does not exist.
   */
  offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | Date,
    options?: CallOptions,
  ): Promise<bigint[]> {
    try {
      known(options)
      if (!this.#capabilities.offsets) throw unsupported('tell offsets')
      checkPartitions(partitions)
      const time = at instanceof Date ? at.getTime() : 0
      if (!(at instanceof Date || at === 'earliest' || at === 'latest') || !(time >= 0)) {
        throw invalid('offsets are at earliest, at latest or at a Date')
      }
    } catch (error) {
      return this.calls.refuse('offsets', error)
    }
    return this.calls.run(
      offsets,
      partitions,
      (request, attempt: Attempt) => this.driver.offsets(request, at, attempt),
      options,
    )
  }

  /** Of each partition, in the order asked: the next message that the group will read; `undefined` if it has committed none. */
  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    options?: CallOptions,
  ): Promise<(bigint | undefined)[]> {
    try {
      known(options)
      if (!this.#capabilities.offsets) throw unsupported('tell offsets')
      if (!isName(group)) throw invalid('group is not 1 to 255 printable characters without spaces')
      checkPartitions(partitions)
    } catch (error) {
      return this.calls.refuse('committedOffsets', error)
    }
    return this.calls.run(
      committed,
      partitions,
      (request, attempt: Attempt) => this.driver.committed(group, request, attempt),
      options,
    )
  }
}

function checkPartitions(partitions: readonly TopicPartition[]): void {
  if (!Array.isArray(partitions)) throw invalid('the partitions are not an array')
  for (const { topic, partition } of partitions as readonly TopicPartition[]) {
    checkTopic(topic)
    if (!isInt32(partition)) throw invalid('a partition is not a whole number from 0')
  }
}

function checkNewTopic({ name, partitions, replicas, config }: NewTopic): void {
  checkTopic(name)
  for (const [what, value] of [
    ['partitions', partitions],
    ['replicas', replicas],
  ] as const) {
    if (value !== undefined && (!isInt32(value) || value === 0)) {
      throw invalid(`${what} is not a whole number from 1`)
    }
  }
  if (config !== undefined && Object.values(config).some((value) => typeof value !== 'string')) {
    throw invalid('a setting of a topic is not a text')
  }
}
