import { randomUUID } from 'node:crypto'
import { isInfraError } from '../core/index.ts'
import type {
  Kafka,
  KafkaConsumer,
  KafkaMessage,
  PartitionLag,
  TopicPartition,
  TopicPartitionOffset,
} from '../kafka/index.ts'
import { type Call, type Limits, Refusal } from './face.ts'
import { KafkaRefusal } from './kafka-refusal.ts'

/** The most messages of one answer. What was read beyond its bytes is kept for the next one. */
const maxMessages = 1000

export interface InstanceSettings {
  readonly from: 'earliest' | 'latest'
  /** Commits what an answer gave when the next one is asked for: then it has been dealt with. */
  readonly autoCommit: boolean
  /** Of Kafka REST: what its answers are written in. */
  readonly format: 'binary' | 'json'
  readonly sessionTimeoutMs?: number | undefined
}

export interface ReadRequest {
  readonly waitMs: number
  /** Of keys and values; an answer has at least one message, whatever its size. */
  readonly maxBytes: number
}

/** The consumers that clients have made over HTTP, each by its group and name, until nobody asks for them. */
export class ConsumerInstances {
  readonly #kafka: Kafka
  readonly #instances = new Map<string, ConsumerInstance>()
  /** Told apart from those of other gateways in names that are made up here. */
  readonly #processId = randomUUID().slice(0, 8)

  constructor(kafka: Kafka) {
    this.#kafka = kafka
  }

  /** @throws KafkaRefusal 40902 if it exists, 42900 if there are too many. */
  create(
    group: string,
    name: string | undefined,
    settings: InstanceSettings,
    limits: Limits,
  ): ConsumerInstance {
    if (this.#instances.size >= limits.consumers) {
      throw new KafkaRefusal(42900, `there are ${limits.consumers} consumers already`)
    }
    const own = name ?? `rest-consumer-${this.#processId}-${randomUUID()}`
    const key = keyOf(group, own)
    if (this.#instances.has(key)) {
      throw new KafkaRefusal(
        40902,
        'Consumer with specified consumer ID already exists in the specified consumer group.',
      )
    }
    const expire = () => {
      this.#instances.delete(key)
      void instance.close('expired')
    }
    const instance = new ConsumerInstance(this.#kafka, group, own, settings, {
      idleMs: limits.consumerIdleMs,
      expire,
    })
    this.#instances.set(key, instance)
    return instance
  }

  find(group: string, name: string): ConsumerInstance | undefined {
    return this.#instances.get(keyOf(group, name))
  }

  /** @throws KafkaRefusal 40403 */
  get(group: string, name: string): ConsumerInstance {
    const instance = this.find(group, name)
    if (instance !== undefined) return instance
    const [, processId] = /^rest-consumer-([\da-f]{8})-[\da-f-]{36}$/.exec(name) ?? []
    throw instanceNotFound(
      processId === undefined || processId === this.#processId
        ? 'it has expired or was deleted, or another gateway process has it: the requests of one consumer must go to one process'
        : 'another gateway process has it: the requests of one consumer must go to one process',
    )
  }

  /** Leaves the group, so that others take over at once. @throws KafkaRefusal 40403 */
  async delete(group: string, name: string): Promise<void> {
    const instance = this.get(group, name)
    this.#instances.delete(keyOf(group, name))
    await instance.close('deleted')
  }

  all(): Iterable<ConsumerInstance> {
    return this.#instances.values()
  }

  close(): void {
    for (const instance of this.#instances.values()) void instance.close('gateway closed')
    this.#instances.clear()
  }
}

/**
 * One consumer of a client's. Requests that read from it take turns. It remembers what it has given out, since
 * a client that says "commit" means that, and not what was read ahead for it.
 */
export class ConsumerInstance {
  readonly group: string
  readonly name: string
  readonly settings: InstanceSettings
  readonly #kafka: Kafka
  readonly #expiry: { readonly idleMs: number; readonly expire: () => void }
  readonly #gone = new AbortController()
  #consumer: KafkaConsumer | undefined
  #topics: readonly string[] = []
  /** Read, and not given out. */
  #held: readonly KafkaMessage[] = []
  /** The last answer. Its client may have gone before it had all of it: then the signal fires. */
  #answer: { readonly messages: readonly KafkaMessage[]; readonly signal: AbortSignal } | undefined
  /** By partition, the next to read after what clients have and nobody has committed. */
  readonly #given = new Map<string, TopicPartitionOffset>()
  #turn: Promise<unknown> = Promise.resolve()
  #users = 0
  #idle: ReturnType<typeof setTimeout> | undefined

  constructor(
    kafka: Kafka,
    group: string,
    name: string,
    settings: InstanceSettings,
    expiry: { readonly idleMs: number; readonly expire: () => void },
  ) {
    this.#kafka = kafka
    this.group = group
    this.name = name
    this.settings = settings
    this.#expiry = expiry
    this.#rest()
  }

  /** Empty before the group has given it any. */
  get assigned(): readonly TopicPartition[] {
    return this.#consumer?.assigned ?? []
  }

  /** In place of those before. @throws KafkaRefusal 42204 if the group or a topic cannot be. */
  subscribe(topics: readonly string[], call: Call): Promise<void> {
    return this.#inTurn(call, async () => {
      const wanted = [...new Set(topics)].sort()
      if (this.#consumer !== undefined && wanted.join() === this.#topics.join()) return
      let consumer: KafkaConsumer
      try {
        const { from, sessionTimeoutMs } = this.settings
        const { group } = this
        consumer = this.#kafka.consumer({ group, topics: wanted, from, sessionTimeoutMs })
      } catch (error) {
        if (!isInfraError(error, 'config')) throw error
        throw new KafkaRefusal(42204, `Invalid consumer configuration: ${error.message}`)
      }
      await this.#leave(true)
      this.#consumer = consumer
      this.#topics = wanted
      // Closed meanwhile, it would never close this one.
      if (this.#gone.signal.aborted) await this.#leave(false)
    })
  }

  /** @throws KafkaRefusal 40903 before `subscribe`. */
  read({ waitMs, maxBytes }: ReadRequest, call: Call): Promise<readonly KafkaMessage[]> {
    return this.#inTurn(call, async (signal) => {
      const consumer = this.#consumer
      if (consumer === undefined) {
        throw new KafkaRefusal(40903, 'Illegal state: the consumer is not subscribed to any topics')
      }
      this.#settle()
      const { timeoutMs, ...options } = { ...call.options, signal }
      if (this.settings.autoCommit) await this.#commitGiven(consumer)
      if (this.#held.length === 0) {
        // Of the caller's time a tenth is left for the way back.
        const wait = Math.min(waitMs, Math.floor((timeoutMs ?? Infinity) * 0.9))
        this.#held = await consumer.poll({
          ...options,
          ...(timeoutMs === undefined ? undefined : { timeoutMs: timeoutMs - wait }),
          max: maxMessages,
          waitMs: wait,
        })
      }
      // Nobody would read the answer: the next to ask gets it.
      signal.throwIfAborted()
      const messages = this.#take(maxBytes)
      this.#answer = { messages, signal: call.request.signal }
      return messages
    })
  }

  /** By the next message to read in each partition; without offsets, all that was given out. */
  async commit(offsets: readonly TopicPartitionOffset[] | undefined, call: Call): Promise<void> {
    await this.#use(async () => {
      this.#settle()
      const consumer = this.#consumer
      if (consumer === undefined) {
        if (offsets === undefined) return
        throw new KafkaRefusal(40903, 'Illegal state: the consumer is not subscribed to any topics')
      }
      const done = offsets ?? [...this.#given.values()]
      await this.#commit(consumer, done, call)
    })
  }

  /** Of its partitions: none before it has read. */
  lag(call: Call): Promise<readonly PartitionLag[]> {
    return this.#use(async () => (await this.#consumer?.lag(call.options)) ?? [])
  }

  async close(why: 'deleted' | 'expired' | 'gateway closed'): Promise<void> {
    clearTimeout(this.#idle)
    this.#gone.abort()
    // When the gateway closes, its clients may still be at work on what they have.
    await this.#leave(why !== 'gateway closed')
  }

  // Turns --------------------------------------------------------------------------------------

  async #use<T>(work: () => Promise<T>): Promise<T> {
    this.#users++
    clearTimeout(this.#idle)
    try {
      return await work()
    } finally {
      if (--this.#users === 0) this.#rest()
    }
  }

  #rest(): void {
    if (this.#gone.signal.aborted) return
    this.#idle = setTimeout(this.#expiry.expire, this.#expiry.idleMs)
    this.#idle.unref()
  }

  /** One after the other; who goes away while waiting is skipped. */
  #inTurn<T>(call: Call, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#use(async () => {
      const { signal: gone } = this.#gone
      const signal = AbortSignal.any([call.request.signal, gone])
      const turn = this.#turn.then(async () => {
        signal.throwIfAborted()
        return work(signal)
      })
      this.#turn = turn.catch(() => {})
      try {
        return await turn
      } catch (error) {
        if (gone.aborted) throw instanceNotFound('it was closed')
        if (call.request.signal.aborted) throw new Refusal('aborted', 'the client has gone')
        throw error
      }
    })
  }

  // Messages -----------------------------------------------------------------------------------

  /** The last answer has arrived, as far as can be told, or its messages are given again. */
  #settle(): void {
    if (this.#answer === undefined) return
    const { messages, signal } = this.#answer
    this.#answer = undefined
    if (signal.aborted) {
      this.#held = [...messages, ...this.#held]
      return
    }
    for (const { topic, partition, offset } of messages) {
      this.#given.set(`${topic}:${partition}`, { topic, partition, offset: offset + 1n })
    }
  }

  #take(maxBytes: number): readonly KafkaMessage[] {
    let count = 0
    let bytes = 0
    for (const { keyBytes, valueBytes } of this.#held) {
      bytes += (keyBytes?.length ?? 0) + (valueBytes?.length ?? 0)
      if (count > 0 && bytes > maxBytes) break
      count++
    }
    const taken = this.#held.slice(0, count)
    this.#held = this.#held.slice(count)
    return taken
  }

  async #commit(
    consumer: KafkaConsumer,
    offsets: readonly TopicPartitionOffset[],
    call?: Call,
  ): Promise<void> {
    try {
      await consumer.commitOffsets(offsets, call?.options)
    } catch (error) {
      // Others have the partitions now, and read them again.
      if (isInfraError(error, 'conflict')) this.#given.clear()
      throw error
    }
    for (const { topic, partition, offset } of offsets) {
      const key = `${topic}:${partition}`
      const given = this.#given.get(key)
      if (given !== undefined && given.offset <= offset) this.#given.delete(key)
    }
  }

  async #commitGiven(consumer: KafkaConsumer): Promise<void> {
    try {
      await this.#commit(consumer, [...this.#given.values()])
    } catch {
      // The client below has logged it. What is not committed now is so with the next, or comes again.
    }
  }

  async #leave(commit: boolean): Promise<void> {
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer === undefined) return
    this.#settle()
    if (commit && this.settings.autoCommit) await this.#commitGiven(consumer)
    this.#held = []
    this.#given.clear()
    try {
      await consumer.close()
    } catch {
      // The group learns it when the session is over.
    }
  }
}

function keyOf(group: string, name: string): string {
  return JSON.stringify([group, name])
}

function instanceNotFound(why: string): KafkaRefusal {
  return new KafkaRefusal(40403, `Consumer instance not found: ${why}`)
}
