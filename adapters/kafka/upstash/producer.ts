import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import {
  KafkaError,
  type ProduceBatch,
  type ProducerDriver,
  type ProducerRecord,
  type ProducerSetup,
  type RecordMetadata,
} from '../../../src/kafka/index.ts'
import {
  classify,
  ItemError,
  isWireError,
  listOf,
  notKafka,
  offsetOf,
  type UpstashRequests,
  wholeOf,
} from './requests.ts'

const unknownTopic = 3
const utf8 = new TextDecoder()

export class UpstashProducer implements ProducerDriver {
  readonly adapter = 'upstash'
  readonly resource: string | undefined
  readonly classify = classify
  readonly #requests: UpstashRequests
  readonly #topic: string | undefined

  constructor(requests: UpstashRequests, { topic }: ProducerSetup) {
    this.#requests = requests
    this.resource = requests.resource
    this.#topic = topic
  }

  async produce({ records, attempts }: ProduceBatch): Promise<readonly (RecordMetadata | Error)[]> {
    const live = records.flatMap((_, i) => (attempts[i]?.over === false ? [i] : []))
    const [first] = live
    if (first === undefined) throw new DriverFailure({ kind: 'aborted' })
    // The request goes out at once: all of them count as sent.
    for (const i of live) (attempts[i] as Attempt).sent = true
    const body = live.map((i) => messageOf(records[i] as ProducerRecord))
    const reply = await this.#requests.post(attempts[first] as Attempt, ['produce'], body)
    const items = listOf<{ [K in keyof RecordMetadata]: unknown }>(reply)
    if (items.length !== live.length) throw notKafka()
    const fates: (RecordMetadata | Error)[] = records.map(
      () => new DriverFailure({ kind: 'aborted', outcome: 'not-applied' }),
    )
    live.forEach((place, i) => {
      fates[place] = fateOf(items[i])
    })
    return fates
  }

  async ping(attempt: Attempt): Promise<void> {
    const topics = await this.#requests.get(attempt, ['topics'])
    if (typeof topics !== 'object' || topics === null) throw notKafka()
    if (this.#topic !== undefined && !Object.hasOwn(topics, this.#topic)) {
      throw new KafkaError(unknownTopic)
    }
  }

  /** There is nothing to release. */
  async close(): Promise<void> {}

  native(): Promise<object | undefined> {
    return this.#requests.native()
  }
}

function messageOf({ topic, key, value, partition, timestamp, headers }: ProducerRecord): object {
  return {
    topic,
    value: text(value),
    partition,
    timestamp,
    ...(key !== null && { key: text(key) }),
    ...(headers.length > 0 && {
      headers: headers.map(([name, bytes]) => ({ key: name, value: text(bytes) })),
    }),
  }
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : utf8.decode(bytes)
}

function fateOf(
  item: { [K in keyof RecordMetadata]: unknown } | undefined,
): RecordMetadata | Error {
  if (isWireError(item)) return new ItemError(item)
  try {
    const { topic, partition, offset, timestamp } = item ?? {}
    if (typeof topic !== 'string') throw notKafka()
    return {
      topic,
      partition: wholeOf(partition),
      offset: offsetOf(offset),
      timestamp: new Date(wholeOf(timestamp)),
    }
  } catch (error) {
    return error as Error
  }
}
