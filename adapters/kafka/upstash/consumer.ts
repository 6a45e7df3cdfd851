import { type Attempt, DriverFailure, detachedAttempt } from '../../../src/core/index.ts'
import {
  type ConsumerDriver,
  type ConsumerSetup,
  type Header,
  KafkaMessage,
  type Membership,
  type PartitionLag,
  type TopicPartitionOffset,
} from '../../../src/kafka/index.ts'
import { classify, listOf, notKafka, offsetOf, type UpstashRequests, wholeOf } from './requests.ts'

const utf8 = new TextEncoder()

interface WireMessage {
  readonly topic?: unknown
  readonly partition?: unknown
  readonly offset?: unknown
  readonly timestamp?: unknown
  readonly key?: unknown
  readonly value?: unknown
  readonly headers?: unknown
}

/** A member of a group: an instance at the server, which is made by the first request that names it. */
export class UpstashConsumer implements ConsumerDriver {
  readonly adapter = 'upstash'
  readonly resource: string | undefined
  readonly classify = classify
  readonly #requests: UpstashRequests
  readonly #setup: ConsumerSetup
  #instance: string
  #made = false
  /** A poll has been sent, and its reply has not come. */
  #reading = false
  /** What was read beyond the `max` of a poll: the protocol has no such limit. */
  #surplus: readonly KafkaMessage[] = []
  #confirmedAt: number | undefined

  constructor(requests: UpstashRequests, setup: ConsumerSetup) {
    this.#requests = requests
    this.resource = requests.resource
    this.#setup = setup
    // Not made up here: a Worker has no random values before its first request.
    this.#instance = setup.instance ?? ''
  }

  get membership(): Membership {
    return { confirmedAt: this.#confirmedAt, assigned: undefined }
  }

  async poll(
    { max, waitMs }: { readonly max: number; readonly waitMs: number },
    attempt: Attempt,
  ): Promise<readonly KafkaMessage[]> {
    // What that poll read is gone from the instance: another one goes on from the committed offsets.
    if (this.#reading) await this.#leave(attempt)
    const until = performance.now() + waitMs
    // The first polls may be empty while the group forms.
    while (this.#surplus.length === 0) {
      const left = Math.max(1, Math.ceil(until - performance.now()))
      await this.#read(left, attempt)
      if (attempt.over || performance.now() >= until) break
    }
    // It came too late: the next poll gives it.
    if (attempt.over) return []
    const messages = this.#surplus.slice(0, max)
    this.#surplus = this.#surplus.slice(max)
    return messages
  }

  async #read(timeout: number, attempt: Attempt): Promise<void> {
    const { group, topics, from, sessionTimeoutMs } = this.#setup
    this.#instance ||= crypto.randomUUID()
    this.#made = true
    this.#reading = true
    const reply = await this.#requests.post(
      attempt,
      ['consume', group, this.#instance],
      { topics, timeout },
      {
        'Kafka-Enable-Auto-Commit': 'false',
        'Kafka-Auto-Offset-Reset': from,
        'Kafka-Session-Timeout-Ms': String(sessionTimeoutMs),
      },
    )
    const messages = listOf<WireMessage | null>(reply).map(messageOf)
    // A poll that was given up has been replaced meanwhile.
    if (attempt.over) return
    this.#surplus = messages
    this.#reading = false
    this.#confirmedAt = performance.now()
  }

  async commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void> {
    // A named instance may have been made by another process, or by the function's last invocation.
    if (!this.#made && this.#setup.instance === undefined) {
      const detail = 'the consumer has not joined the group'
      throw new DriverFailure({ kind: 'conflict', outcome: 'not-applied', detail })
    }
    // JSON would round what is beyond.
    const body = offsets.map(({ topic, partition, offset }) => {
      if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
        const detail = 'this adapter cannot commit an offset beyond 2^53 - 1'
        throw new DriverFailure({ kind: 'unsupported', outcome: 'not-applied', detail })
      }
      return { topic, partition, offset: Number(offset) }
    })
    try {
      await this.#requests.post(attempt, ['commit', this.#setup.group, this.#instance], body)
    } catch (error) {
      const failure = classify(error)
      if (failure.kind !== 'not-found') throw error
      // The instance is gone, and with it its partitions.
      this.#forget()
      throw new DriverFailure({ ...failure, kind: 'conflict', detail: 'the group has rebalanced' })
    }
    this.#confirmedAt = performance.now()
  }

  async lag(): Promise<readonly PartitionLag[]> {
    throw new DriverFailure({ kind: 'unsupported' })
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.#requests.get(attempt, ['topics'])
  }

  async close(): Promise<void> {
    if (!this.#made) return
    const leaving = detachedAttempt('close', 3000)
    // The server forgets an instance that nobody asks for by itself.
    await Promise.race([this.#leave(leaving), new Promise((resolve) => setTimeout(resolve, 3000))])
  }

  native(): Promise<object | undefined> {
    return this.#requests.native()
  }

  async #leave(attempt: Attempt): Promise<void> {
    const instance = this.#instance
    this.#forget()
    try {
      await this.#requests.post(attempt, ['delete-consumer', this.#setup.group, instance])
    } catch {
      // It is gone already, or cannot be reached: then the next request tells.
    }
  }

  /** The next poll makes an instance anew, which goes on from what was committed. */
  #forget(): void {
    this.#made = false
    this.#reading = false
    this.#surplus = []
    this.#instance = this.#setup.instance ?? ''
  }
}

function messageOf(message: WireMessage | null): KafkaMessage {
  const { topic, partition, offset, timestamp, key, value, headers } = message ?? {}
  if (typeof topic !== 'string') throw notKafka()
  return new KafkaMessage({
    topic,
    partition: wholeOf(partition),
    offset: offsetOf(offset),
    timestamp: new Date(wholeOf(timestamp)),
    keyBytes: bytesOf(key),
    valueBytes: bytesOf(value),
    headerList: listOf<{ key?: unknown; value?: unknown } | null>(headers ?? []).map(headerOf),
  })
}

function headerOf(header: { key?: unknown; value?: unknown } | null): Header {
  if (typeof header?.key !== 'string') throw notKafka()
  return [header.key, bytesOf(header.value)]
}

function bytesOf(text: unknown): Uint8Array | null {
  if (text === null || text === undefined) return null
  if (typeof text !== 'string') throw notKafka()
  return utf8.encode(text)
}
