import { type ConsumerSetup, KafkaError } from '../../../src/kafka/index.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'

const illegalGeneration = 22
const unknownMember = 25
const fencedInstance = 82

/** A consumer in its group, for as long as it is in there: one that comes back is another member. */
export class Member {
  readonly topics: readonly Topic[]
  readonly setup: ConsumerSetup
  /** On the cluster's clock. */
  seenAt: number
  /** Somebody waits in `poll`, which is as good as being seen all the time. */
  waiting = false
  /** The assigned partitions, and where each is read from as long as the group has committed nothing there. */
  assigned: ReadonlyMap<Partition, bigint> = new Map()
  /** What it reads next in each; `undefined` since the last rebalance. */
  positions: Map<Partition, bigint> | undefined

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

  /** All or nothing. @throws KafkaError if a partition is not the member's. */
  commit(member: Member, offsets: ReadonlyMap<Partition, bigint>): void {
    this.checkInstance(member)
    if (!this.#members.has(member)) throw new KafkaError(unknownMember)
    for (const partition of offsets.keys()) {
      if (!member.assigned.has(partition)) throw new KafkaError(illegalGeneration)
    }
    for (const [partition, offset] of offsets) this.#committed.set(partition, offset)
  }

  /** What the member reads next in each of its partitions: after a rebalance, from the committed offsets. */
  positions(member: Member): Map<Partition, bigint> {
    member.positions ??= new Map(
      [...member.assigned].map(([partition, start]) => [
        partition,
        this.#committed.get(partition) ?? start,
      ]),
    )
    return member.positions
  }

  /** Gives each partition to whoever has the fewest. */
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
      const before = member.assigned
      member.assigned = new Map(
        share.map((partition) => [partition, before.get(partition) ?? member.reset(partition)]),
      )
      member.positions = undefined
    }
  }
}
