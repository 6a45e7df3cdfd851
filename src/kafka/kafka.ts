import type { CallOptions, ClientOptions } from '../core/index.ts'
import { KafkaAdmin } from './admin.ts'
import { type ConsumerOptions, KafkaConsumer } from './consumer.ts'
import type { KafkaCapabilities, KafkaDriver } from './driver.ts'
import { KafkaProducer, type ProducerOptions } from './producer.ts'

/** One cluster: a producer and an admin to share, and consumers. Nothing is connected before its first use. */
export class Kafka {
  readonly #driver: KafkaDriver
  readonly #options: ProducerOptions
  readonly #consumers = new Set<KafkaConsumer>()
  readonly #producer: KafkaProducer
  #admin: KafkaAdmin | undefined
  #closing: Promise<void> | undefined

  /** The options are for the producer, and, but for `topic` and `lingerMs`, for all that this makes. */
  constructor(driver: KafkaDriver, options: ProducerOptions = {}) {
    this.#driver = driver
    this.#options = options
    this.#producer = new KafkaProducer(driver, options)
  }

  /** The name of the adapter in use. */
  get adapter(): string {
    return this.#driver.adapter
  }

  /** What this adapter can do. */
  get capabilities(): KafkaCapabilities {
    return this.#driver.capabilities
  }

  get producer(): KafkaProducer {
    return this.#producer
  }

  get admin(): KafkaAdmin {
    this.#admin ??= new KafkaAdmin(this.#driver, this.#shared())
    return this.#admin
  }

  /** A new member of a group. Close it when its work is done; `close` of this closes those that are left. */
  consumer(options: ConsumerOptions): KafkaConsumer {
    for (const each of this.#consumers) if (each.closed) this.#consumers.delete(each)
    const consumer = new KafkaConsumer(this.#driver, { ...this.#shared(), ...options })
    this.#consumers.add(consumer)
    return consumer
  }

  /** The producer's: the metadata of its topic. */
  health(options?: CallOptions): Promise<void> {
    return this.#producer.health(options)
  }

  /** Closes all that this has made. Idempotent. @throws the first error, after all are closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const made = [this.#producer, ...this.#consumers, ...(this.#admin ? [this.#admin] : [])]
    const settled = await Promise.allSettled(made.map((client) => client.close()))
    for (const each of settled) if (each.status === 'rejected') throw each.reason
  }

  #shared(): ClientOptions {
    const { topic: _, lingerMs: __, ...shared } = this.#options
    return shared
  }
}
