import { type ConsumerSetup, KafkaError } from '../../../src/kafka/index.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'

const illegalGeneration = 22
const fencedInstance = 82

/** A consumer in its group, for as long as it is in there: one that comes back is another member. */
export class Member {
  readonly topics: readonly Topic[]
  readonly setup: ConsumerSetup
  /** On the cluster's clock. */
  seenAt: number
  /** Somebody waits in `poll`, which is as good as being seen all the time. */
  waiting = false
  /** The assigned partitions, and what it reads next in each. */
  positions = new Map<Partition, bigint>()

  constructor(setup: ConsumerSetup, topics: readonly Topic[], now: number) {
    this.setup = setup
    this.topics = topics
    this.seenAt = now
  }

  /** Where the reset policy points. */
  reset({ start, end }: Partition): bigint {
    return this.setup.from === 'earliest' ? start : end
  }
}

/** Who reads which partitions, and how far all of them together are. */
export class Group {
  readonly #members = new Set<Member>()
  readonly #fenced = new WeakSet<Member>()
  readonly #committed = new Map<Partition, bigint>()

  committed(partition: Partition): bigint | undefined {
    return this.#committed.get(partition)
  }

  has(member: Member): boolean {
    return this.#members.has(member)
  }

  /** Takes the place of a member that has the same instance. */
  join(member: Member): void {
    const { instance } = member.setup
    for (const other of this.#members) {
      if (instance === undefined || other.setup.instance !== instance) continue
      this.#members.delete(other)
      this.#fenced.add(other)
    }
    this.#members.add(member)
    this.#rebalance()
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.#rebalance()
  }

  /** Removes the members whose sessions are over. False if there is none. */
  expire(now: number): boolean {
    let expired = false
    for (const member of this.#members) {
      if (member.waiting || now - member.seenAt <= member.setup.sessionTimeoutMs) continue
      this.#members.delete(member)
      expired = true
    }
    if (expired) this.#rebalance()
    return expired
  }

  /** @throws KafkaError if another consumer has taken the place of its instance. */
  checkInstance(member: Member): void {
    if (this.#fenced.has(member)) throw new KafkaError(fencedInstance)
  }

  /** All or nothing. @throws KafkaError if a partition is another member's. */
  commit(member: Member | undefined, offsets: ReadonlyMap<Partition, bigint>): void {
    for (const { positions } of [...this.#members].filter((other) => other !== member)) {
      for (const partition of offsets.keys()) {
        if (positions.has(partition)) throw new KafkaError(illegalGeneration)
      }
    }
    for (const [partition, offset] of offsets) this.#committed.set(partition, offset)
  }

  /** Gives each partition to whoever has the fewest. What stays with a member goes on where it was. */
  #rebalance(): void {
    const shares = new Map([...this.#members].map((member) => [member, [] as Partition[]]))
    for (const topic of new Set([...this.#members].flatMap(({ topics }) => topics))) {
      for (const partition of topic.partitions) {
        const [fewest] = [...shares]
          .filter(([member]) => member.topics.includes(topic))
          .map(([, share]) => share)
          .sort((a, b) => a.length - b.length)
        fewest?.push(partition)
      }
    }
    for (const [member, share] of shares) {
      const before = member.positions
      member.positions = new Map(
        share.map((partition) => [
          partition,
          before.get(partition) ?? this.#begin(member, partition),
        ]),
      )
    }
  }

  #begin(member: Member, partition: Partition): bigint {
    const committed = this.#committed.get(partition)
    if (committed !== undefined) return committed
    const begin = member.reset(partition)
    // What comes from now on is the group's, even if the next member begins after it has come.
    if (member.setup.from === 'latest') this.#committed.set(partition, begin)
    return begin
  }
}
