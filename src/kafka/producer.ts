import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  type ItemResult,
  known,
  type Operation,
  passing,
  summarise,
} from '../core/index.ts'
import { isWorkerd } from '../core/runtime.ts'
import { type Fates, RecordBatcher } from './batcher.ts'
import type {
  KafkaCapabilities,
  KafkaDriver,
  ProducerDriver,
  ProducerRecord,
  RecordMetadata,
} from './driver.ts'
import { metricNames, TopicCounter } from './metrics.ts'
import { checkTopic, invalid, type OutgoingMessage, recordOf } from './records.ts'

export interface ProducerOptions extends ClientOptions {
  /** Where messages go that name no topic. The health check looks at it. */
  readonly topic?: string | undefined
  /**
   * How long a message may wait for others, in milliseconds; default 0: for the rest of its tick, and for the
   * batch before it. On Node only.
   */
  readonly lingerMs?: number | undefined
}

const sendOperation = { name: 'send', write: true, idempotent: false }
const flushOperation: Operation<void> = { name: 'flush', write: false, idempotent: false }

/**
 * Sends messages: `new KafkaProducer(platformatic({ brokers }), { topic: 'events' })`.
 *
 * A message counts as sent when all in-sync replicas have it. Those of one tick go out together, in the order
 * of the calls; on Node so do those that come while a batch is on its way. Rejects with an `InfraError` only;
 * bad input with kind `invalid` before anything is sent. When the signal fires, the call rejects with kind
 * `aborted`; a message whose bytes had left may have been stored, and `outcome` says so.
 */
export class KafkaProducer extends Client<ProducerDriver> {
  readonly #topic: string | undefined
  readonly #capabilities: KafkaCapabilities
  readonly #batcher: RecordBatcher
  readonly #stored: TopicCounter

  /** @throws InfraError `KAFKA_CONFIG` for an option that cannot be. */
  constructor(driver: KafkaDriver, { topic, lingerMs = 0, ...options }: ProducerOptions = {}) {
    super('kafka', driver.producer({ topic }), metricNames, options)
    try {
      if (topic !== undefined) checkTopic(topic)
      if (!(lingerMs >= 0 && lingerMs <= 60_000)) {
        throw invalid('lingerMs is not a number of milliseconds from 0 to 60,000')
      }
      if (lingerMs > 0 && isWorkerd)
        throw invalid('lingerMs is for Node: in workerd no timer outlives its request')
    } catch (error) {
      const { detail } = (error as DriverFailure).failure
      throw this.calls.error({ name: 'configure' }, { kind: 'config', detail })
    }
    this.#topic = topic
    this.#capabilities = driver.capabilities
    this.#batcher = new RecordBatcher(this.driver, driver.capabilities.maxRequestBytes, lingerMs)
    this.#stored = new TopicCounter(
      options.metrics,
      'kafka_producer_messages_total',
      'Messages that Kafka acknowledged',
    )
  }

  /** What this adapter can do. */
  get capabilities(): KafkaCapabilities {
    return this.#capabilities
  }

  /** Gives where the message is stored. */
  send(message: OutgoingMessage, options?: CallOptions): Promise<RecordMetadata>
  /**
   * Gives where each message is stored, in order.
   * @throws InfraError if any failed: its `outcome` is `partial` if some were stored, and `items` has the
   *   fate of each.
   */
  send(messages: readonly OutgoingMessage[], options?: CallOptions): Promise<RecordMetadata[]>
  send(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options?: CallOptions,
  ): Promise<RecordMetadata | RecordMetadata[]> {
    if (Array.isArray(messages)) return this.#sendMany(messages, this.#sendAll, options)
    let record: ProducerRecord
    try {
      known(options)
      record = recordOf(messages as OutgoingMessage, this.#topic, this.#capabilities)
    } catch (error) {
      return this.calls.refuse('send', error)
    }
    return this.calls.run(this.#sendOne, record, this.#addOne, options)
  }

  /** As `send`, but a message that failed is a value in its place. Rejects only if nothing is known of any. */
  sendSettled(
    messages: readonly OutgoingMessage[],
    options?: CallOptions,
  ): Promise<ItemResult<RecordMetadata>[]> {
    return this.#sendMany(messages, this.#sendSettled, options)
  }

  /**
   * Resolves when every `send` so far has settled, well or not; nothing lingers. On Node only: in workerd
   * await the sends.
   */
  flush(options?: CallOptions): Promise<void> {
    if (isWorkerd) {
      const detail = 'flush would wait for other requests; await the sends'
      return this.calls.refuse('flush', new DriverFailure({ kind: 'unsupported', detail }))
    }
    // Before the flush itself begins, which is a call, too.
    const settled = this.calls.settled()
    this.#batcher.hurry()
    return this.calls.run(flushOperation, undefined, () => settled, options)
  }

  /** As `Client.close`; what lingers is sent at once. */
  override close(): Promise<void> {
    this.#batcher.hurry()
    return super.close()
  }

  #sendMany<T>(
    messages: readonly OutgoingMessage[],
    operation: Operation<T[]>,
    options: CallOptions | undefined,
  ): Promise<T[]> {
    let records: ProducerRecord[]
    try {
      known(options)
      records = messages.map((message) => recordOf(message, this.#topic, this.#capabilities))
    } catch (error) {
      return this.calls.refuse('send', error)
    }
    if (records.length === 0) return Promise.resolve([])
    return this.calls.run(operation, records, this.#addMany, options)
  }

  readonly #addOne = (record: ProducerRecord, attempt: Attempt) =>
    this.#batcher.addOne(record, attempt)

  readonly #addMany = async (
    records: readonly ProducerRecord[],
    attempt: Attempt,
  ): Promise<Fates> => {
    const fates = await this.#batcher.addMany(records, attempt)
    const [first] = fates
    // What failed as a whole is tried again as a whole, if that is safe.
    if (
      first instanceof Error &&
      this.#passes(first) &&
      fates.every((fate) => fate instanceof Error)
    ) {
      throw first
    }
    return fates
  }

  readonly #sendOne: Operation<RecordMetadata> = {
    ...sendOperation,
    decode: (stored: RecordMetadata) => {
      this.#stored.add(stored.topic)
      return stored
    },
  }

  readonly #sendSettled: Operation<ItemResult<RecordMetadata>[]> = {
    ...sendOperation,
    decode: (fates: Fates) =>
      fates.map((fate) => {
        if (fate instanceof Error) {
          return { status: 'rejected', reason: this.calls.failure(sendOperation, fate) }
        }
        this.#stored.add(fate.topic)
        return { status: 'fulfilled', value: fate }
      }),
  }

  readonly #sendAll: Operation<RecordMetadata[]> = {
    ...sendOperation,
    decode: (fates: Fates) => {
      const items = this.#sendSettled.decode?.(fates as never) ?? []
      const failure = summarise(items, 'messages')
      if (failure !== undefined) throw new DriverFailure(failure)
      return fates as RecordMetadata[]
    },
  }

  #passes(error: Error): boolean {
    return passing.has(this.calls.explain(error, 'send', true).kind)
  }
}
