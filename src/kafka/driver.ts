import type { Attempt, Driver } from '../core/index.ts'
import type { Header, KafkaMessage } from './message.ts'

/** What an adapter or the server behind it cannot do. Data: the conformance suite and the docs read it. */
export interface KafkaCapabilities {
  /** Bytes that are not UTF-8 survive in keys and values. */
  readonly bytes: boolean
  /** A `null` value arrives as one: a tombstone. */
  readonly tombstones: boolean
  /** Messages can be produced with headers, and headers may hold any bytes. */
  readonly headers: boolean
  /** Messages can be produced with a timestamp. */
  readonly timestamps: boolean
  /** Messages that are read have their timestamps and headers. */
  readonly consumeMetadata: boolean
  /** A batch that is sent again is stored once: the broker knows its producer and sequence. */
  readonly idempotent: boolean
  readonly consume: boolean
  /** Where a group without offsets may begin. */
  readonly from: readonly ('earliest' | 'latest')[]
  readonly lag: boolean
  readonly listTopics: boolean
  readonly describeTopics: boolean
  readonly createTopics: boolean
  /** The first and last offsets of partitions, and what a group has committed, can be asked for. */
  readonly offsets: boolean
  /** A caller who stops waiting also stops the request, where it can still be stopped. */
  readonly cancel: boolean
  /** The largest batch in bytes: keys, values, headers and what Kafka's format adds to each. */
  readonly maxRequestBytes: number
}

/** A message on its way out, validated: bytes only. */
export interface ProducerRecord {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
  /** Given by the caller. Otherwise: by the key, as `partitionForKey` has it; without a key any. */
  readonly partition: number | undefined
  /** Milliseconds since the epoch. Default: the broker's or the client's clock, as the transport has it. */
  readonly timestamp: number | undefined
  /** What it takes of `maxRequestBytes`. */
  readonly size: number
}

/** Where a message was stored. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Where the transport says it. */
  readonly timestamp?: Date | undefined
}

/** One request's worth of messages, which may come from several calls. */
export interface ProduceBatch {
  readonly records: readonly ProducerRecord[]
  /**
   * Of each record, the call that it comes from. The driver marks it as `sent` just before the first byte may
   * leave, and leaves out the records of a call that is `over` by then.
   */
  readonly attempts: readonly Attempt[]
  /** Fires when no caller waits any more: what has not been sent must not be sent then, or ever. */
  readonly signal: AbortSignal
}

/** What a producer is made with. */
export interface ProducerSetup {
  /** Where messages go that name no topic; a `ping` looks at it. */
  readonly topic: string | undefined
}

export interface ProducerDriver extends Driver {
  /**
   * Sends the batch as one request (one for each broker that leads a partition of it), acknowledged by all
   * in-sync replicas. Gives the fate of each record, in order: a native error in the place of one that
   * failed. Rejects only if nothing is known of any. One batch at a time, except for those whose signal
   * has fired; in workerd any number.
   */
  produce(batch: ProduceBatch): Promise<readonly (RecordMetadata | Error)[]>
  /** As `Driver.ping`: the metadata of the default topic, if there is one. Never produces. */
  ping(attempt: Attempt): Promise<void>
}

export interface ConsumerSetup {
  readonly group: string
  readonly topics: readonly string[]
  /** Where a partition is read from if the group has no offset for it. */
  readonly from: 'earliest' | 'latest'
  /** A static member's ID (TCP) or the instance's name (HTTP). Unique in the group. Default: one made up. */
  readonly instance: string | undefined
  /** A member that is silent for so long has left. Milliseconds. */
  readonly sessionTimeoutMs: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A position in a partition: of a commit, the next message to read. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: bigint
}

export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  /** Messages from the group's committed offset (or its start, if there is none) to the end. */
  readonly lag: bigint
}

/** What is known of the membership without asking the server. */
export interface Membership {
  /** When the server last confirmed it, on the clock of `performance.now()`; `undefined` before the first time. */
  readonly confirmedAt: number | undefined
  /** `undefined` where the transport does not say. Empty for a standby. */
  readonly assigned: readonly TopicPartition[] | undefined
}

export interface ConsumerDriver extends Driver {
  readonly membership: Membership
  /**
   * What has come, in order within each partition: at most `max` messages, none if nothing comes within
   * `waitMs`. The first call joins the group, and so does the first after the membership was lost, from the
   * committed offsets. When a poll rejects or is cancelled, no message is lost: what it may have read is given
   * by a later poll, of this member or another. One call at a time.
   */
  poll(
    request: { readonly max: number; readonly waitMs: number },
    attempt: Attempt,
  ): Promise<readonly KafkaMessage[]>
  /**
   * The group goes on from these offsets, after whatever happens. Rejects with kind `conflict` if a partition
   * belongs to another member by now: then nothing of it was committed.
   */
  commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void>
  /** Of the assigned partitions. */
  lag(attempt: Attempt): Promise<readonly PartitionLag[]>
  /** Leaves the group, so that others take over at once; a static member may stay for its session. */
  close(): Promise<void>
}

export interface TopicDescription {
  readonly name: string
  readonly partitions: readonly {
    readonly partition: number
    /** Broker IDs. `-1` if there is no leader now. */
    readonly leader: number
    readonly replicas: readonly number[]
    readonly inSyncReplicas: readonly number[]
  }[]
}

export interface NewTopic {
  readonly name: string
  /** Default: the broker's. */
  readonly partitions?: number | undefined
  /** Default: the broker's. */
  readonly replicas?: number | undefined
  /** `{ 'cleanup.policy': 'compact' }` */
  readonly config?: Readonly<Record<string, string>> | undefined
}

export interface AdminDriver extends Driver {
  /** Those that are not internal, sorted. */
  listTopics(attempt: Attempt): Promise<readonly string[]>
  /** In the order asked. Rejects with kind `not-found` if one does not exist. */
  describeTopics(names: readonly string[], attempt: Attempt): Promise<readonly TopicDescription[]>
  /** The fate of each, in order: a native error for one that was not created (`conflict` if it exists). */
  createTopics(
    topics: readonly NewTopic[],
    attempt: Attempt,
  ): Promise<readonly (Error | undefined)[]>
  /**
   * Of each partition, in the order asked: the first message that there is (`earliest`), the next that will be
   * written (`latest`), or the first of that time or later (of none, as `latest`). Rejects with kind `not-found`
   * if one does not exist.
   */
  offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | Date,
    attempt: Attempt,
  ): Promise<readonly bigint[]>
  /** Of each partition, in the order asked: the next message that the group will read; `undefined` if it has committed none. */
  committed(
    group: string,
    partitions: readonly TopicPartition[],
    attempt: Attempt,
  ): Promise<readonly (bigint | undefined)[]>
}

/**
 * The seam that Kafka adapters implement. A producer, a consumer and an admin each have connections of their
 * own, and each is closed by the client it was made for. Making one neither connects nor loads a library.
 */
export interface KafkaDriver {
  readonly adapter: string
  /** Where it goes, without credentials: for logs. */
  readonly resource: string | undefined
  /** Where the server must be detected first, what it may be able to do: it says itself what it lacks. */
  readonly capabilities: KafkaCapabilities
  producer(setup: ProducerSetup): ProducerDriver
  consumer(setup: ConsumerSetup): ConsumerDriver
  admin(): AdminDriver
}
