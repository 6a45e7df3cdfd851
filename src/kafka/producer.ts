import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  type ItemResult,
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
const sendOne: Operation<RecordMetadata> = {
  ...sendOperation,
  decode: ([fate]: readonly RecordMetadata[]) => fate as RecordMetadata,
}
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
  readonly #sent: TopicCounter
  readonly #pending = new Set<Promise<unknown>>()

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
    this.#sent = new TopicCounter(
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
    if (!Array.isArray(messages)) return this.#run([messages as OutgoingMessage], sendOne, options)
    const decode = (fates: Fates) => {
      const failure = summarise(this.#items(fates), 'messages')
      if (failure !== undefined) throw new DriverFailure(failure)
      return fates as RecordMetadata[]
    }
    return this.#run(messages, { ...sendOperation, decode }, options)
  }

  /** As `send`, but a message that failed is a value in its place. Rejects only if nothing is known of any. */
  sendSettled(
    messages: readonly OutgoingMessage[],
    options?: CallOptions,
  ): Promise<ItemResult<RecordMetadata>[]> {
    const decode = (fates: Fates) => this.#items(fates)
    return this.#run(messages, { ...sendOperation, decode }, options)
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
    return this.calls.run(flushOperation, undefined, () => this.#settled(), options)
  }

  /** As `Client.close`; what lingers is sent at once. */
  override close(): Promise<void> {
    this.#batcher.hurry()
    return super.close()
  }

  async #settled(): Promise<void> {
    this.#batcher.hurry()
    await Promise.allSettled(this.#pending)
  }

  #run<T>(
    messages: readonly OutgoingMessage[],
    operation: Operation<T>,
    options: CallOptions | undefined,
  ): Promise<T> {
    let records: ProducerRecord[]
    try {
      records = messages.map((message) => recordOf(message, this.#topic, this.#capabilities))
    } catch (error) {
      return this.calls.refuse('send', error)
    }
    if (records.length === 0) return Promise.resolve([] as T)
    const sending = this.calls.run(operation, records, this.#send, options)
    if (!isWorkerd) {
      this.#pending.add(sending)
      const settled = () => void this.#pending.delete(sending)
      sending.then(settled, settled)
    }
    return sending
  }

  readonly #send = async (records: readonly ProducerRecord[], attempt: Attempt): Promise<Fates> => {
    const fates = await this.#batcher.add(records, attempt)
    let stored = 0
    for (const fate of fates) {
      if (fate instanceof Error) continue
      this.#sent.add(fate.topic)
      stored++
    }
    const [first] = fates
    // As a whole, so that it is tried again as a whole if that is safe.
    if (stored === 0 && first instanceof Error && (fates.length === 1 || this.#passes(first)))
      throw first
    return fates
  }

  #passes(error: Error): boolean {
    return passing.has(this.calls.explain(error, 'send', true).kind)
  }

  #items(fates: Fates): ItemResult<RecordMetadata>[] {
    return fates.map((fate) =>
      fate instanceof Error
        ? { status: 'rejected', reason: this.calls.failure(sendOperation, fate) }
        : { status: 'fulfilled', value: fate },
    )
  }
}
