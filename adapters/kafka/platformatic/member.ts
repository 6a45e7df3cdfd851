import { setTimeout as sleep } from 'node:timers/promises'
import type { API, Consumer } from '@platformatic/kafka'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import {
  type ConsumerSetup,
  KafkaError,
  type KafkaMessage,
  type PartitionLag,
  type TopicPartition,
  type TopicPartitionOffset,
} from '../../../src/kafka/index.ts'
import { assign } from './assignor.ts'
import { codeOf } from './errors.ts'
import { cut, guard, type Library } from './library.ts'
import type { Settings } from './settings.ts'

/** The member is not in the group as it thought: it joins again. */
const stale: ReadonlySet<number> = new Set([22, 25, 27, 79])
/** The group coordinator starts, or moves. */
const starting: ReadonlySet<number> = new Set([14, 15, 16])
const fencedInstance = 82

const retryMs = 100
/** How long `close` tries to tell the group. */
const leaveMs = 1000

/** A partition that this member has, and where it is in it. */
export class Assigned implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** The next to ask the broker for. `undefined` until the committed offset is known. */
  next: bigint | undefined = undefined
  /** What has come, from `given` on not yet given out. */
  messages: KafkaMessage[] = []
  given = 0

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }
}

/**
 * One member of a group, on a library consumer, which sends the heartbeats and joins again by itself when the
 * group rebalances. The library's own stream is not used: it gives out again what is uncommitted after every
 * rebalance, and ends with the first failed fetch.
 */
export class Member {
  readonly consumer: Consumer
  readonly #library: Library
  readonly #settings: Settings
  readonly #setup: ConsumerSetup
  readonly #closing = new AbortController()
  #assigned = new Map<string, Assigned>()
  #state: 'out' | 'in' | 'fenced' = 'out'
  #memberId: string | null = null
  #generation = 0
  #joining: Promise<void> | undefined
  #positioning: Promise<void> | undefined
  /** Of the topics when the group was joined. */
  #partitionCount = 0
  confirmedAt: number | undefined

  constructor(library: Library, settings: Settings, setup: ConsumerSetup) {
    this.#library = library
    this.#settings = settings
    this.#setup = setup
    const { sessionTimeoutMs } = setup
    this.consumer = new library.Consumer({
      ...settings.connection,
      clientId: settings.clientId,
      bootstrapBrokers: settings.brokers,
      groupId: setup.group,
      ...(setup.instance !== undefined && { groupInstanceId: setup.instance }),
      sessionTimeout: sessionTimeoutMs,
      // The library joins again at once, however busy its user is.
      rebalanceTimeout: sessionTimeoutMs,
      // The group is joined by a request that is answered when all members have joined.
      requestTimeout: sessionTimeoutMs + 5000,
      heartbeatInterval: Math.min(3000, Math.ceil(sessionTimeoutMs / 3)),
      heartbeatStallTimeout: Math.ceil(sessionTimeoutMs / 2),
      partitionAssigner: assign,
      retries: 0,
    })
    this.consumer.topics.trackAll(...setup.topics)
    guard(this.consumer.connections)
    this.#watch()
    this.#stopWhenFenced()
  }

  get assigned(): readonly Assigned[] {
    return [...this.#assigned.values()]
  }

  get joining(): boolean {
    return this.#state !== 'in' || !this.consumer.isActive()
  }

  /** The partition, if it is still the same assignment of it. */
  holds(one: Assigned): boolean {
    return this.#assigned.get(keyOf(one)) === one
  }

  /** Resolves when this is a member of the group and knows where it is in each of its partitions. */
  async ready(): Promise<void> {
    for (;;) {
      this.#closing.signal.throwIfAborted()
      if (this.#state === 'fenced') throw new KafkaError(fencedInstance)
      if (this.#state === 'out') await this.#join()
      else if (!this.consumer.isActive()) await this.#rejoined()
      else if (this.assigned.some(({ next }) => next === undefined)) await this.#position()
      else return
    }
  }

  /** A topic has got more partitions: nobody would read those until the group joins anew. */
  async watchPartitions(): Promise<void> {
    if ((await this.#countPartitions()) !== this.#partitionCount) await this.#join()
  }

  async commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void> {
    const { consumer } = this
    for (;;) {
      await this.ready()
      // So that it leaves in the tick of the check below, with the generation of that tick.
      const coordinator = await consumer.findGroupCoordinator()
      const { brokers } = await consumer.metadata({ topics: [...this.#setup.topics] })
      const broker = brokers.get(coordinator)
      if (broker !== undefined) await consumer.connections.get(broker)
      if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
      if (this.joining) continue
      if (offsets.some((offset) => !this.#assigned.has(keyOf(offset)))) {
        const detail = 'a partition belongs to another member by now'
        throw new DriverFailure({ kind: 'conflict', outcome: 'not-applied', detail })
      }
      attempt.sent = true
      if (await this.#commit(offsets)) return
    }
  }

  async lag(): Promise<readonly PartitionLag[]> {
    if (this.confirmedAt === undefined) return []
    await this.ready()
    const { assigned } = this
    if (assigned.length === 0) return []
    const [committed, ends, starts] = await Promise.all([
      this.#committed(assigned),
      this.#offsets(assigned, 'latest'),
      this.#offsets(assigned, 'earliest'),
    ])
    return assigned.map(({ topic, partition }, i) => {
      const end = ends[i] as bigint
      const behind = end - (committed[i] ?? (starts[i] as bigint))
      return { topic, partition, lag: behind > 0n ? behind : 0n }
    })
  }

  /** Where the group, or its policy, begins in these partitions now. */
  async reset(partitions: readonly Assigned[]): Promise<void> {
    const offsets = await this.#offsets(partitions, this.#setup.from)
    partitions.forEach((one, i) => {
      one.next = offsets[i]
    })
  }

  /** Never waits for a broker that does not answer. */
  async close(): Promise<void> {
    this.#closing.abort(new DriverFailure({ kind: 'closed' }))
    // Like Kafka's own clients: a static member may come back within its session.
    if (this.#setup.instance === undefined && this.consumer.memberId !== null) {
      const abort = new AbortController()
      await Promise.race([
        this.#leave().catch(() => {}),
        sleep(leaveMs, undefined, { signal: abort.signal, ref: false }).catch(() => {}),
      ])
      abort.abort()
    }
    // Cut first: the library would wait for the coordinator.
    cut(this.consumer.connections)
    await this.consumer.close(true).catch(() => {})
  }

  /** On a connection of its own, since the coordinator's may be waiting for a rebalance. */
  async #leave(): Promise<void> {
    const { coordinatorId, currentMetadata, memberId } = this.consumer
    const broker = currentMetadata?.brokers.get(coordinatorId ?? -1)
    if (broker === undefined || memberId === null) return
    const { clientId, connection: options } = this.#settings
    const connection = new this.#library.Connection(clientId, options)
    connection.on('error', () => {})
    try {
      await connection.connect(broker.host, broker.port)
      const api = await this.#api<[string, { memberId: string }[]]>('LeaveGroup')
      await api.async(connection, this.#setup.group, [{ memberId }])
    } finally {
      connection.socket?.destroy()
    }
  }

  #api<Arguments extends unknown[]>(name: string): Promise<API<Arguments, unknown>> {
    return new Promise((resolve, reject) => {
      this.consumer[this.#library.kGetApi]<Arguments, unknown>(name, (error, api) => {
        if (api === undefined) reject(error)
        else resolve(api)
      })
    })
  }

  // Membership ---------------------------------------------------------------------------------

  #watch(): void {
    const { consumer } = this
    consumer.on('consumer:group:join', () => this.#joined())
    consumer.on('consumer:heartbeat:end', () => this.#confirm())
    consumer.on('consumer:heartbeat:stalled', () => cut(consumer.connections))
    // The library's own attempt to join again has failed, and it makes no other.
    consumer.on('error', (error: Error) => {
      if (this.#state === 'in') this.#state = 'out'
      // Others wait for this member, whether its user polls or not.
      if (stale.has(codeOf(error) ?? 0)) this.#join().catch(() => {})
    })
  }

  #confirm(): void {
    this.confirmedAt = performance.now()
  }

  /**
   * A process that took over the name of this member's instance has taken its place. The library would take it
   * back, and so on.
   */
  #stopWhenFenced(): void {
    const library = this.#library
    const { consumer } = this
    const getApi = consumer[library.kGetApi].bind(consumer)
    const guarded: typeof getApi = (name, callback) => {
      getApi<never[], unknown>(name, (error, api) => {
        if (name !== 'Heartbeat' || api === undefined) return callback(error, api as never)
        const heartbeat = (...args: unknown[]) => {
          const done = args.pop() as (error: Error | null, response: unknown) => void
          const send = api as unknown as (...args: unknown[]) => void
          send(...args, (error: Error | null, response: unknown) => {
            if (codeOf(error) === fencedInstance) this.#fence()
            else done(error, response)
          })
        }
        callback(null, heartbeat as never)
      })
    }
    consumer[library.kGetApi] = guarded
  }

  #fence(): void {
    this.#state = 'fenced'
    this.#assigned.clear()
  }

  /** One attempt at a time, which goes on when its caller gives up: the next one waits for it. */
  #join(): Promise<void> {
    this.#joining ??= this.#tryJoin().finally(() => {
      this.#joining = undefined
    })
    return this.#joining
  }

  async #tryJoin(): Promise<void> {
    const due = performance.now() + this.#setup.sessionTimeoutMs
    for (;;) {
      try {
        this.#partitionCount = await this.#countPartitions()
        await this.consumer.joinGroup({})
        return
      } catch (error) {
        const code = codeOf(error) ?? 0
        if (code === fencedInstance) this.#fence()
        if (!(stale.has(code) || starting.has(code)) || performance.now() > due) throw error
        await sleep(retryMs, undefined, { signal: this.#closing.signal })
      }
    }
  }

  async #rejoined(): Promise<void> {
    const { signal } = this.#closing
    await new Promise<void>((resolve) => {
      // It is emitted whether the library has succeeded or not.
      const event = 'consumer:rejoin' as 'consumer:group:rejoin'
      this.consumer.once(event, resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  async #countPartitions(): Promise<number> {
    const { topics } = await this.consumer.metadata({ topics: [...this.#setup.topics] })
    let count = 0
    for (const topic of topics.values()) count += topic?.partitionsCount ?? 0
    return count
  }

  /**
   * A partition that stays goes on where it was. That is so if this member has missed no generation: in one that
   * it missed, another may have had the partition.
   */
  #joined(): void {
    const { memberId, generationId, assignments } = this.consumer
    const missed = generationId - this.#generation
    const continuous = memberId === this.#memberId && (missed === 0 || missed === 1)
    const assigned = new Map<string, Assigned>()
    for (const { topic, partitions } of assignments ?? []) {
      for (const partition of partitions) {
        const one = new Assigned(topic, partition)
        const kept = continuous ? this.#assigned.get(keyOf(one)) : undefined
        assigned.set(keyOf(one), kept ?? one)
      }
    }
    this.#assigned = assigned
    this.#memberId = memberId
    this.#generation = generationId
    this.#state = 'in'
    this.#confirm()
  }

  // Offsets ------------------------------------------------------------------------------------

  #position(): Promise<void> {
    this.#positioning ??= this.#findPositions().finally(() => {
      this.#positioning = undefined
    })
    return this.#positioning
  }

  async #findPositions(): Promise<void> {
    const unknown = this.assigned.filter(({ next }) => next === undefined)
    const committed = await this.#committed(unknown)
    const without = unknown.filter((_, i) => committed[i] === undefined)
    const starts = await this.#offsets(without, this.#setup.from)
    if (
      this.#setup.from === 'latest' &&
      without.length > 0 &&
      without.every((one) => this.holds(one))
    ) {
      // What comes from now on is the group's, even if the next member begins after it has come.
      const offsets = without.map(({ topic, partition }, i) => {
        return { topic, partition, offset: starts[i] as bigint }
      })
      if (!(await this.#commit(offsets))) return
    }
    unknown.forEach((one, i) => {
      one.next = committed[i] ?? starts[without.indexOf(one)]
    })
  }

  /** False if the group has rebalanced: nothing was committed, and what is whose is known anew. */
  async #commit(offsets: readonly TopicPartitionOffset[]): Promise<boolean> {
    try {
      await this.consumer.commit({ offsets: offsets.map((one) => ({ ...one, leaderEpoch: -1 })) })
      this.#confirm()
      return true
    } catch (error) {
      if (!stale.has(codeOf(error) ?? 0)) throw error
      if (!this.joining) await this.#join()
      return false
    }
  }

  async #committed(partitions: readonly TopicPartition[]): Promise<(bigint | undefined)[]> {
    if (partitions.length === 0) return []
    const topics = Array.from(byTopic(partitions), ([topic, partitions]) => ({ topic, partitions }))
    const found = await this.consumer.listCommittedOffsets({ topics })
    return partitions.map(({ topic, partition }) => {
      const offset = found.get(topic)?.[partition]
      return offset === undefined || offset < 0n ? undefined : offset
    })
  }

  async #offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest',
  ): Promise<bigint[]> {
    if (partitions.length === 0) return []
    const wanted = byTopic(partitions)
    const found = await this.consumer.listOffsets({
      topics: [...wanted.keys()],
      partitions: Object.fromEntries(wanted),
      timestamp: at === 'earliest' ? -2n : -1n,
    })
    return partitions.map(({ topic, partition }) => {
      const offset = found.get(topic)?.[partition]
      if (offset === undefined) throw new KafkaError(3)
      return offset
    })
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

function byTopic(partitions: readonly TopicPartition[]): Map<string, number[]> {
  const grouped = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const own = grouped.get(topic)
    if (own === undefined) grouped.set(topic, [partition])
    else own.push(partition)
  }
  return grouped
}
