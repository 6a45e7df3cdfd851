import type { ConnectionPool, Consumer, KafkaRecord, RecordsBatch } from '@platformatic/kafka'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import {
  type ConsumerDriver,
  type ConsumerSetup,
  KafkaError,
  KafkaMessage,
  type Membership,
  type PartitionLag,
  type TopicPartitionOffset,
} from '../../../src/kafka/index.ts'
import { classify, codeOf, partsOf } from './errors.ts'
import { cut, guard, load } from './library.ts'
import { type Assigned, Member } from './member.ts'
import type { Settings } from './settings.ts'

/** The longest that a broker holds back an answer for want of messages. */
const maxHeldMs = 500
/** How long a broker may take for an answer beyond that. */
const requestTimeoutMs = 10_000
/** What a broker gives at once, of one partition and of all. At least one message, however large. */
const partitionBytes = 1024 * 1024
const fetchBytes = 16 * 1024 * 1024

const outOfRange = 1
/** The partition has moved, or the session of incremental fetches is lost: the next fetch asks anew. */
const passing: ReadonlySet<number> = new Set([5, 6, 9, 70, 71, 74, 75, 76, 78, 103, 106])

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>

/** Attributes of a batch. */
const logAppendTime = 1 << 3
const transactional = 1 << 4
const control = 1 << 5

/**
 * Fetches are made by polls, never by themselves: a slow user holds at most one answer of each broker. What a
 * fetch brings after its poll has ended is for the next poll.
 */
export class PlatformaticConsumer implements ConsumerDriver {
  readonly adapter = 'platformatic'
  readonly resource: string
  readonly #settings: Settings
  readonly #setup: ConsumerSetup
  #member: Member | undefined
  #fetches: ConnectionPool | undefined
  /** Under way, by broker. */
  readonly #fetching = new Map<number, Promise<void>>()
  /** Where taking goes on, so that no partition waits for the others. */
  #turn = 0
  #closed = false

  constructor(settings: Settings, setup: ConsumerSetup) {
    this.#settings = settings
    this.#setup = setup
    this.resource = settings.resource
  }

  get membership(): Membership {
    return {
      confirmedAt: this.#member?.confirmedAt,
      assigned: this.#member?.assigned.map(({ topic, partition }) => ({ topic, partition })) ?? [],
    }
  }

  async poll(
    { max, waitMs }: { readonly max: number; readonly waitMs: number },
    attempt: Attempt,
  ): Promise<readonly KafkaMessage[]> {
    const member = await this.#ready()
    this.#distrustWhenLate(attempt)
    let due: number | undefined
    for (;;) {
      await member.ready()
      if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
      const given = this.#take(member, max, attempt)
      if (given.length > 0) {
        // What comes meanwhile is there for the next poll.
        this.#fetch(member, 0).catch(() => {})
        return given
      }
      const first = due === undefined
      due ??= performance.now() + waitMs
      const left = due - performance.now()
      if (first || left > 0) {
        await member.watchPartitions()
        await this.#fetch(member, left)
      } else if (this.#fetching.size === 0) return []
      if (this.#fetching.size > 0) await Promise.race(this.#fetching.values())
      else if (left > 0) await standby(Math.min(left, maxHeldMs))
    }
  }

  async commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void> {
    const member = await this.#ready()
    attempt.onCancel = () => {
      if (performance.now() >= attempt.due && !member.joining) cut(member.consumer.connections)
    }
    await member.commit(offsets, attempt)
  }

  async lag(): Promise<readonly PartitionLag[]> {
    return (await this.#ready()).lag()
  }

  async ping(): Promise<void> {
    const member = await this.#ready()
    const { confirmedAt } = member
    if (confirmedAt !== undefined) {
      if (performance.now() - confirmedAt > this.#setup.sessionTimeoutMs) {
        const detail = 'the membership of the group has lapsed'
        throw new DriverFailure({ kind: 'unavailable', detail })
      }
      // The connection that would be asked is waiting for the others of the group.
      if (member.joining) return
    }
    await member.consumer.metadata({ topics: [...this.#setup.topics], forceUpdate: true })
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#fetches !== undefined) {
      cut(this.#fetches)
      this.#fetches.close(() => {})
    }
    await this.#member?.close()
  }

  classify(error: unknown): Failure {
    return classify(error)
  }

  /** The `Consumer`. Its group is joined by the first poll. */
  async native(): Promise<Consumer> {
    return (await this.#ready()).consumer
  }

  async #ready(): Promise<Member> {
    const library = await load()
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (this.#member === undefined) {
      this.#member = new Member(library, this.#settings, this.#setup)
      // Apart from the heartbeats and commits, which would wait behind a fetch that is held back.
      this.#fetches = new library.ConnectionPool(this.#settings.clientId, {
        ...this.#settings.connection,
        requestTimeout: requestTimeoutMs,
      })
      guard(this.#fetches)
    }
    return this.#member
  }

  /** No answer in time: what is fetched next goes over connections that are known to work. */
  #distrustWhenLate(attempt: Attempt): void {
    attempt.onCancel = () => {
      if (performance.now() >= attempt.due && this.#fetching.size > 0) {
        cut(this.#fetches as ConnectionPool)
      }
    }
  }

  /** At most `max` of what has come. If the caller turns out to have gone in this very tick, it stays here. */
  #take(member: Member, max: number, attempt: Attempt): KafkaMessage[] {
    const { assigned } = member
    const given: KafkaMessage[] = []
    const before: [Assigned, number][] = []
    for (let i = 0; i < assigned.length && given.length < max; i++) {
      const one = assigned[(this.#turn + i) % assigned.length] as Assigned
      const messages = one.messages.slice(one.given, one.given + max - given.length)
      if (messages.length === 0) continue
      before.push([one, one.given])
      one.given += messages.length
      for (const message of messages) given.push(message)
    }
    this.#turn++
    if (given.length > 0) {
      attempt.onCancel = () => {
        for (const [one, from] of before) one.given = from
      }
    }
    return given
  }

  /** Asks each broker for the partitions of which nothing is left, unless it is being asked already. */
  async #fetch(member: Member, waitMs: number): Promise<void> {
    const { consumer } = member
    const metadata = await consumer.metadata({ topics: [...this.#setup.topics] })
    const byLeader = new Map<number, Assigned[]>()
    for (const one of member.assigned) {
      const leader = metadata.topics.get(one.topic)?.partitions[one.partition]?.leader
      if (leader === undefined) throw new KafkaError(3)
      if (one.next === undefined || one.given < one.messages.length) continue
      if (this.#fetching.has(leader)) continue
      const own = byLeader.get(leader)
      if (own === undefined) byLeader.set(leader, [one])
      else own.push(one)
    }
    for (const [leader, partitions] of byLeader) {
      const ids = new Map(
        partitions.map(({ topic }) => [metadata.topics.get(topic)?.id as string, topic]),
      )
      const fetching = this.#fetchFrom(member, leader, partitions, ids, waitMs).finally(() => {
        this.#fetching.delete(leader)
      })
      // A poll may have ended before. The next one learns it by its own fetch.
      fetching.catch(() => {})
      this.#fetching.set(leader, fetching)
    }
  }

  async #fetchFrom(
    member: Member,
    node: number,
    partitions: readonly Assigned[],
    ids: ReadonlyMap<string, string>,
    waitMs: number,
  ): Promise<void> {
    const asked = new Map(partitions.map((one) => [`${one.topic}:${one.partition}`, one]))
    const from = new Map(partitions.map((one) => [one, one.next as bigint]))
    let response: FetchResponse
    let failure: unknown
    try {
      response = await member.consumer.fetch({
        node,
        topics: Array.from(ids, ([topicId, topic]) => ({
          topicId,
          partitions: partitions
            .filter((one) => one.topic === topic)
            .map((one) => ({
              partition: one.partition,
              currentLeaderEpoch: -1,
              fetchOffset: one.next as bigint,
              lastFetchedEpoch: -1,
              partitionMaxBytes: partitionBytes,
            })),
        })),
        maxWaitTime: Math.round(Math.min(Math.max(waitMs, 0), maxHeldMs)),
        maxBytes: fetchBytes,
        connectionPool: this.#fetches as ConnectionPool,
      })
    } catch (error) {
      // The answer holds the records of the partitions that did not fail.
      const answer = partsOf(error).find((part) => 'response' in part && part.response)
      if (answer === undefined) throw error
      response = (answer as { response: FetchResponse }).response
      failure = error
    }
    const lost: Assigned[] = []
    for (const { topicId, partitions } of response.responses ?? []) {
      for (const { partitionIndex, errorCode, records, abortedTransactions } of partitions) {
        const one = asked.get(`${ids.get(topicId)}:${partitionIndex}`)
        if (one === undefined || !member.holds(one) || one.next !== from.get(one)) continue
        if (errorCode === outOfRange) lost.push(one)
        else if (errorCode === 0 && records) receive(one, records, abortedTransactions ?? [])
      }
    }
    if (lost.length > 0) await member.reset(lost)
    else if (failure !== undefined) {
      member.consumer.clearMetadata()
      if (!passing.has(codeOf(failure) ?? 0)) throw failure
    }
  }
}

/** A member without partitions waits for a rebalance. */
function standby(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

function receive(
  one: Assigned,
  batches: readonly RecordsBatch[],
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[],
): void {
  const from = one.next as bigint
  const messages: KafkaMessage[] = []
  const waiting = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborting = new Set<bigint>()
  for (const batch of batches) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    one.next = last + 1n
    while (waiting[0] !== undefined && waiting[0].firstOffset <= last) {
      aborting.add((waiting.shift() as (typeof waiting)[0]).producerId)
    }
    if (batch.attributes & control) {
      // Both kinds of marker end the transaction.
      aborting.delete(batch.producerId)
      continue
    }
    if (batch.attributes & transactional && aborting.has(batch.producerId)) continue
    for (const record of batch.records) {
      const offset = batch.firstOffset + BigInt(record.offsetDelta)
      // A batch is given whole, from wherever in it one asks.
      if (offset >= from) messages.push(messageOf(one, batch, record, offset))
    }
  }
  one.messages = messages
  one.given = 0
}

function messageOf(
  { topic, partition }: Assigned,
  batch: RecordsBatch,
  record: KafkaRecord,
  offset: bigint,
): KafkaMessage {
  const timestamp =
    batch.attributes & logAppendTime
      ? batch.maxTimestamp
      : batch.firstTimestamp + record.timestampDelta
  return new KafkaMessage({
    topic,
    partition,
    offset,
    timestamp: new Date(Number(timestamp)),
    keyBytes: bytes(record.key),
    valueBytes: bytes(record.value),
    headerList: record.headers.map(([name, value]) => [name?.toString() ?? '', bytes(value)]),
  })
}

/** A plain view: `Buffer` is the library's. */
function bytes(buffer: Buffer | null): Uint8Array | null {
  return buffer === null
    ? null
    : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
