import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  isInfraError,
  known,
  type MetricsSink,
  type Operation,
} from '../core/index.ts'
import { fullJitter } from '../core/resilience.ts'
import type {
  ConsumerDriver,
  KafkaCapabilities,
  KafkaDriver,
  PartitionLag,
  TopicPartition,
  TopicPartitionOffset,
} from './driver.ts'
import type { KafkaMessage } from './message.ts'
import { metricNames, TopicCounter } from './metrics.ts'
import { checkTopic, invalid, isInt32, isName, unsupported } from './records.ts'

export interface ConsumerOptions extends ClientOptions {
  /** Each message is for one member of the group. 1 to 255 printable characters without spaces. */
  readonly group: string
  readonly topics: string | readonly string[]
  /** Where a partition is read from if the group has committed nothing there. Default `latest`. */
  readonly from?: 'earliest' | 'latest' | undefined
  /**
   * A name of its own in the group: over TCP a static member, which may come back within the session without a
   * rebalance; over HTTP the instance's name. Default: one made up.
   */
  readonly instance?: string | undefined
  /** Iterating commits what the loop is done with. Default `true`; `poll` never commits by itself. */
  readonly autoCommit?: boolean | undefined
  /** The longest that iterating leaves done messages uncommitted, in milliseconds. Default 5000. */
  readonly autoCommitIntervalMs?: number | undefined
  /** A member that is silent for so long is taken for dead. Milliseconds, default 30,000. */
  readonly sessionTimeoutMs?: number | undefined
}

export interface PollOptions extends CallOptions {
  /** The most messages to give. Default 500. */
  readonly max?: number | undefined
  /** How long to wait for the first message, in milliseconds. Default 1000. It is not counted against `timeoutMs`. */
  readonly waitMs?: number | undefined
}

export interface ConsumerHealthOptions extends CallOptions {
  /** Fails if the group is more messages than this behind, over all partitions of this member. */
  readonly maxLag?: number | undefined
}

/** Reading and being told again where one is leave nothing behind that the next poll does not give again. */
const pollOperation: Operation<KafkaMessage[]> = { name: 'poll', write: false, idempotent: true }
const commitOperation: Operation<void> = { name: 'commit', write: true, idempotent: true }
const lagOperation: Operation<PartitionLag[]> = { name: 'lag', write: false, idempotent: true }

/**
 * Reads messages as a member of a group, each at least once:
 *
 *     for await (const message of consumer) await handle(message)
 *
 * or, in functions, `poll` and `commit`. A commit says "everything up to and including this message is done".
 * What is not committed when a member leaves, fails or loses a partition is given to the next one, so a message
 * may come twice. Rejects with an `InfraError` only.
 */
export class KafkaConsumer extends Client<ConsumerDriver> {
  readonly #capabilities: KafkaCapabilities
  readonly #autoCommitMs: number | undefined
  readonly #metrics: MetricsSink | undefined
  readonly #received: TopicCounter
  readonly #lagGauges = new Map<string, (value: number) => void>()
  /** By partition, the offset after the last message that was given out and not committed. */
  readonly #given = new Map<string, TopicPartitionOffset>()
  /** By partition, the offset after the last message that the loop is done with. */
  readonly #done = new Map<string, TopicPartitionOffset>()
  #polling: AbortController | undefined
  #iteration: AbortController | undefined
  #leaving: Promise<void> | undefined

  /** @throws InfraError `KAFKA_CONFIG` for an option that cannot be. */
  constructor(driver: KafkaDriver, options: ConsumerOptions) {
    const {
      group,
      topics,
      from = 'latest',
      instance,
      autoCommit,
      autoCommitIntervalMs,
      sessionTimeoutMs,
      ...rest
    } = options
    const list = typeof topics === 'string' ? [topics] : topics
    const setup = {
      group,
      topics: list,
      from,
      instance,
      sessionTimeoutMs: sessionTimeoutMs ?? 30_000,
    }
    super('kafka', driver.consumer(setup), metricNames, rest)
    const interval = autoCommitIntervalMs ?? 5000
    const { capabilities } = driver
    try {
      if (!isName(group)) throw invalid('group is not 1 to 255 printable characters without spaces')
      if (!Array.isArray(list) || list.length === 0) throw invalid('topics: there is none')
      list.forEach(checkTopic)
      if (instance !== undefined && !isName(instance)) {
        throw invalid('instance is not 1 to 255 printable characters without spaces')
      }
      if (!['earliest', 'latest'].includes(from))
        throw invalid('from is neither earliest nor latest')
      if (!isInt32(interval)) throw invalid('autoCommitIntervalMs is not a whole number from 0')
      if (!isInt32(setup.sessionTimeoutMs) || setup.sessionTimeoutMs === 0) {
        throw invalid('sessionTimeoutMs is not a whole number from 1')
      }
      if (!capabilities.consume) throw unsupported('consume')
      if (!capabilities.from.includes(from)) throw unsupported(`begin at the ${from} message`)
    } catch (error) {
      const { failure } = error as DriverFailure
      const kind = failure.kind === 'invalid' ? 'config' : failure.kind
      throw this.calls.error({ name: 'configure' }, { ...failure, kind })
    }
    this.#capabilities = capabilities
    this.#autoCommitMs = autoCommit === false ? undefined : interval
    this.#metrics = rest.metrics
    this.#received = new TopicCounter(
      rest.metrics,
      'kafka_consumer_messages_total',
      'Messages that were given out',
    )
  }

  /** What this adapter can do. */
  get capabilities(): KafkaCapabilities {
    return this.#capabilities
  }

  /** Its partitions: empty for a standby, `undefined` where the transport does not say. */
  get assigned(): readonly TopicPartition[] | undefined {
    return this.driver.membership.assigned
  }

  /**
   * What has come, in order within each partition; empty if nothing did within `waitMs`. The first call joins the
   * group. Does not commit: call `commit` when the messages are done. One call at a time (kind `invalid`). When
   * it rejects or is cancelled, no message is lost: a later poll gives it.
   */
  async poll(options: PollOptions = {}): Promise<KafkaMessage[]> {
    const { max = 500, waitMs = 1000, timeoutMs = this.calls.timeoutMs, ...rest } = options
    try {
      known(rest)
      if (!isInt32(max) || max === 0) throw invalid('max is not a whole number from 1')
      if (!isInt32(waitMs)) throw invalid('waitMs is not a whole number of milliseconds from 0')
      if (this.#leaving !== undefined) throw new DriverFailure({ kind: 'closed' })
      if (this.#polling !== undefined) throw invalid('another poll of this consumer is under way')
    } catch (error) {
      return this.calls.refuse('poll', error)
    }
    this.#polling = new AbortController()
    const { signal: leaving } = this.#polling
    const signal = rest.signal === undefined ? leaving : AbortSignal.any([rest.signal, leaving])
    try {
      const request = { max, waitMs }
      const messages = await this.calls.run(
        pollOperation,
        request,
        (request, attempt: Attempt) => this.driver.poll(request, attempt),
        // A timeout that cannot be stays as it is, to be refused.
        { ...rest, signal, timeoutMs: timeoutMs > 0 ? timeoutMs + waitMs : timeoutMs },
      )
      for (const message of messages) {
        this.#given.set(partitionOf(message), next(message))
        this.#received.add(message.topic)
      }
      return messages
    } catch (error) {
      if (leaving.aborted) throw this.calls.error(pollOperation, { kind: 'closed' })
      throw error
    } finally {
      this.#polling = undefined
    }
  }

  /**
   * Everything up to and including `message` in its partition is done: whatever happens, the group goes on
   * behind it. Without a message: everything that was given out so far. Resolves when Kafka has stored it.
   * @throws InfraError of kind `conflict` if a partition belongs to another member by now, which then reads its
   *   uncommitted messages again: nothing was committed.
   */
  commit(
    upTo?: KafkaMessage | readonly KafkaMessage[] | undefined,
    options?: CallOptions,
  ): Promise<void> {
    if (upTo === undefined) return this.commitOffsets([...this.#given.values()], options)
    const furthest = new Map<string, TopicPartitionOffset>()
    for (const message of Array.isArray(upTo)
      ? (upTo as readonly KafkaMessage[])
      : [upTo as KafkaMessage]) {
      if (typeof message?.offset !== 'bigint') {
        return this.calls.refuse('commit', invalid('what is committed is not a message'))
      }
      const before = furthest.get(partitionOf(message))
      if (before === undefined || before.offset <= message.offset) {
        furthest.set(partitionOf(message), next(message))
      }
    }
    return this.commitOffsets([...furthest.values()], options)
  }

  /** As `commit`, by the offset of the next message to read in each partition. */
  async commitOffsets(
    offsets: readonly TopicPartitionOffset[],
    options?: CallOptions,
  ): Promise<void> {
    try {
      known(options)
      for (const { topic, partition, offset } of offsets) {
        checkTopic(topic)
        if (!isInt32(partition)) throw invalid('a partition is not a whole number from 0')
        if (typeof offset !== 'bigint' || offset < 0n || offset >= 2n ** 63n) {
          throw invalid('an offset is not a bigint from 0')
        }
      }
    } catch (error) {
      return this.calls.refuse('commit', error)
    }
    if (offsets.length === 0) return
    try {
      await this.calls.run(
        commitOperation,
        offsets,
        (request, attempt: Attempt) => this.driver.commit(request, attempt),
        options,
      )
    } catch (error) {
      if (isInfraError(error, 'conflict')) this.#forgetLost()
      throw error
    }
    for (const committed of offsets) {
      const key = partitionOf(committed)
      const given = this.#given.get(key)
      if (given !== undefined && given.offset <= committed.offset) this.#given.delete(key)
    }
  }

  /** What others have now is read again, by them, from what is committed. Where that is not known: everything. */
  #forgetLost(): void {
    const kept = new Set(this.assigned?.map(partitionOf))
    for (const key of this.#given.keys()) if (!kept.has(key)) this.#given.delete(key)
  }

  /**
   * The messages as they come, until `close` or the signal. Asking for the next one says that the last one is
   * done; done messages are committed by themselves, unless `autoCommit` is off. Failures that pass (a broker
   * restarts, the group rebalances) are logged and waited out, for as long as it takes: `health` tells.
   * When the loop is left by `break` or an error, its last message is not done, and comes again.
   * @throws InfraError if it will not pass: credentials, permissions, a topic that does not exist; of kind
   *   `aborted` when the signal fires.
   */
  async *messages(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<KafkaMessage, void, undefined> {
    const iteration = new AbortController()
    this.#iteration = iteration
    const signal =
      options.signal === undefined
        ? iteration.signal
        : AbortSignal.any([options.signal, iteration.signal])
    let committedAt = performance.now()
    let failures = 0
    try {
      while (!iteration.signal.aborted) {
        let messages: readonly KafkaMessage[]
        try {
          messages = await this.poll({ signal })
          failures = 0
        } catch (error) {
          if (iteration.signal.aborted || isInfraError(error, 'closed')) return
          const passes = isInfraError(error) && (error.retryable || error.kind === 'conflict')
          if (!passes) throw error
          const backoff = fullJitter(failures++, 100, 5000)
          await pause(Math.max(error.retryAfterMs ?? 0, backoff), signal)
          continue
        }
        for (const message of messages) {
          yield message
          if (this.#autoCommitMs === undefined) continue
          this.#done.set(partitionOf(message), next(message))
          if (performance.now() - committedAt < this.#autoCommitMs) continue
          committedAt = performance.now()
          await this.#commitDone()
        }
        committedAt = performance.now()
        await this.#commitDone()
      }
    } finally {
      await this.#commitDone()
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<KafkaMessage, void, undefined> {
    return this.messages()
  }

  /** How far the group is behind in each partition of this member. */
  async lag(options?: CallOptions): Promise<PartitionLag[]> {
    if (!this.#capabilities.lag) return this.calls.refuse('lag', unsupported('tell the lag'))
    const lags = await this.calls.run(
      lagOperation,
      undefined,
      (_, attempt) => this.driver.lag(attempt),
      options,
    )
    for (const lag of lags) this.#gauge(lag)
    return lags
  }

  /**
   * Resolves if the server answers, this member's session is alive (if it has joined), and, if `maxLag` is
   * given, the group keeps up. A member without partitions is a healthy standby.
   */
  override async health({ maxLag, ...options }: ConsumerHealthOptions = {}): Promise<void> {
    await super.health(options)
    if (maxLag === undefined) return
    const lags = await this.lag(options)
    const behind = lags.reduce((sum, { lag }) => sum + lag, 0n)
    if (behind <= BigInt(Math.floor(maxLag))) return
    throw this.calls.error(
      { name: 'health' },
      { kind: 'unavailable', detail: `the group is ${behind} messages behind` },
    )
  }

  /**
   * Ends a poll (kind `closed`) and the iteration, commits what its loop is done with, and leaves the group, so that
   * others take over at once. A static member over TCP keeps its place for its session instead, to come back to.
   */
  override close(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    this.#iteration?.abort()
    this.#polling?.abort()
    await this.#commitDone()
    await super.close()
  }

  async #commitDone(): Promise<void> {
    const offsets = [...this.#done.values()]
    this.#done.clear()
    try {
      await this.commitOffsets(offsets)
    } catch {
      // The pipeline has logged it. What was not committed comes again.
    }
  }

  #gauge({ topic, partition, lag }: PartitionLag): void {
    try {
      const key = `${topic} ${partition}`
      let gauge = this.#lagGauges.get(key)
      if (gauge === undefined) {
        gauge = this.#metrics?.gauge({
          name: 'kafka_consumer_lag',
          help: 'Messages from the committed offset to the end',
          labels: { topic, partition: String(partition) },
        })
        if (gauge === undefined) return
        this.#lagGauges.set(key, gauge)
      }
      gauge(Number(lag))
    } catch {
      // Telemetry that fails is not the caller's concern.
    }
  }
}

function partitionOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

function next({ topic, partition, offset }: KafkaMessage): TopicPartitionOffset {
  return { topic, partition, offset: offset + 1n }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
