import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type {
  ConsumerDriver,
  ConsumerSetup,
  KafkaMessage,
  Membership,
  PartitionLag,
  TopicPartitionOffset,
} from '../../../src/kafka/index.ts'
import { MemoryClient } from './client.ts'
import type { Cluster } from './cluster.ts'
import { type Group, Member } from './group.ts'
import type { Partition } from './partition.ts'

export class MemoryConsumer extends MemoryClient implements ConsumerDriver {
  readonly #setup: ConsumerSetup
  readonly #group: Group
  #member: Member | undefined
  #confirmedAt: number | undefined

  constructor(cluster: Cluster, setup: ConsumerSetup) {
    super(cluster)
    this.#setup = setup
    this.#group = cluster.group(setup.group)
  }

  get membership(): Membership {
    const assigned = [...(this.#member?.positions.keys() ?? [])]
    return {
      confirmedAt: this.#confirmedAt,
      assigned: assigned.map(({ topic, number }) => ({ topic, partition: number })),
    }
  }

  /** Fails if the consumer has joined and its session is over. */
  override async ping(attempt: Attempt): Promise<void> {
    this.begin(attempt)
    this.#expire()
    if (this.#member === undefined || this.#group.has(this.#member)) return
    throw new DriverFailure({ kind: 'unavailable', detail: 'the session in the group is over' })
  }

  async poll(
    { max, waitMs }: { readonly max: number; readonly waitMs: number },
    attempt: Attempt,
  ): Promise<readonly KafkaMessage[]> {
    const due = performance.now() + waitMs
    for (;;) {
      this.begin(attempt)
      const member = this.#join()
      const messages = this.#take(member, max, attempt)
      const left = due - performance.now()
      if (messages.length > 0 || left <= 0) return messages
      await this.#arrival(member, left, attempt)
    }
  }

  async commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void> {
    this.begin(attempt)
    this.#expire()
    const member = this.#member
    if (member !== undefined) this.#group.checkInstance(member)
    const byPartition = new Map<Partition, bigint>()
    for (const { topic, partition, offset } of offsets) {
      byPartition.set(this.cluster.topic(topic).partition(partition), offset)
    }
    this.#group.commit(member, byPartition)
    if (member !== undefined) this.#confirm(member)
  }

  async lag(attempt: Attempt): Promise<readonly PartitionLag[]> {
    this.begin(attempt)
    this.#expire()
    return [...(this.#member?.positions.keys() ?? [])].map((partition) => {
      const { topic, number, start, end } = partition
      const next = this.#group.committed(partition) ?? start
      const lag = end - (next > start ? next : start)
      return { topic, partition: number, lag: lag > 0n ? lag : 0n }
    })
  }

  override async close(): Promise<void> {
    await super.close()
    if (this.#member !== undefined) this.#group.leave(this.#member)
    this.cluster.notify()
  }

  /** The member that this consumer is: a new one if there is none, or if it has lost its place. */
  #join(): Member {
    this.#expire()
    let member = this.#member
    if (member !== undefined) this.#group.checkInstance(member)
    if (member === undefined || !this.#group.has(member)) {
      const topics = this.#setup.topics.map((name) => this.cluster.topic(name))
      member = new Member(this.#setup, topics, this.cluster.now)
      this.#member = member
      this.#group.join(member)
      this.cluster.notify()
    }
    this.#confirm(member)
    return member
  }

  #expire(): void {
    if (this.#group.expire(this.cluster.now)) this.cluster.notify()
  }

  #confirm(member: Member): void {
    member.seenAt = this.cluster.now
    this.#confirmedAt = performance.now()
  }

  /** What is there; not taken after all if the caller leaves before it gets there. */
  #take(member: Member, max: number, attempt: Attempt): KafkaMessage[] {
    const { positions } = member
    const before = [...positions]
    const messages: KafkaMessage[] = []
    for (const [partition, position] of before) {
      if (messages.length >= max) break
      const from = inRange(member, partition, position)
      const found = partition.read(from, max - messages.length)
      // Last in the map from now on, so that no partition keeps the others waiting.
      if (found.length > 0) positions.delete(partition)
      positions.set(partition, from + BigInt(found.length))
      messages.push(...found)
    }
    attempt.onCancel = () => {
      for (const [partition, position] of before) {
        if (member.positions.has(partition)) member.positions.set(partition, position)
      }
    }
    return messages
  }

  /** Until there is something to read, or the place in the group has changed, or the time is over. */
  #arrival(member: Member, timeoutMs: number, attempt: Attempt): Promise<void> {
    member.waiting = true
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        member.waiting = false
        clearTimeout(timer)
        unwatch()
        end()
      }
      const timer = setTimeout(() => settle(resolve), timeoutMs)
      const unwatch = this.cluster.watch(() => {
        if (this.closed || !this.#group.has(member) || hasNews(member)) settle(resolve)
      })
      attempt.onCancel = () => settle(() => reject(new DriverFailure({ kind: 'aborted' })))
    })
  }
}

function hasNews(member: Member): boolean {
  for (const [partition, position] of member.positions) {
    if (inRange(member, partition, position) < partition.end) return true
  }
  return false
}

/** What is not there any more, or not yet, is read from where the reset policy points. */
function inRange(member: Member, partition: Partition, position: bigint): bigint {
  const { start, end } = partition
  return position >= start && position <= end ? position : member.reset(partition)
}
