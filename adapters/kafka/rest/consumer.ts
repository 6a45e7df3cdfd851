import { passing } from '../../../src/core/errors.ts'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import type {
  ConsumerDriver,
  ConsumerSetup,
  KafkaMessage,
  Membership,
  PartitionLag,
  TopicPartitionOffset,
} from '../../../src/kafka/index.ts'
import { aside, binary, classify, pathOf, type RestApi, signalOf } from './api.ts'
import { arrayOf, decodeRecords, encodeOffsets, int32Of, notKafka, offsetOf } from './codec.ts'
import type { Dialect } from './dialects.ts'
import { RestError, unsupported } from './errors.ts'

/** As much as a Worker, which has 128 MB in all, can hold in base64 and decoded. */
const maxPollBytes = 16 * 1024 * 1024
/** Servers that answer at once with nothing, while the group forms, are not asked more often. Milliseconds. */
const pauseMs = 50
/** What an instance that is not needed any more may cost. Milliseconds. */
const tidyMs = 3000

/**
 * A member of a group: a consumer instance at the server. What a poll has read there is gone from it, so after
 * a poll whose reply did not arrive the instance is deleted, and another one goes on from the committed offsets.
 */
export class RestConsumer implements ConsumerDriver {
  readonly adapter = 'rest'
  readonly resource: string
  readonly #api: RestApi
  readonly #setup: ConsumerSetup
  #member: string | undefined
  /** A poll has been sent to the member, and has not been answered. */
  #reading = false
  /** What was read beyond the `max` of a poll: the protocol has no such limit. */
  #surplus: readonly KafkaMessage[] = []
  /** Instances that may be at the server still. */
  readonly #orphans = new Set<string>()
  #confirmedAt: number | undefined

  constructor(api: RestApi, setup: ConsumerSetup) {
    this.#api = api
    this.resource = api.endpoint.resource
    this.#setup = setup
  }

  get membership(): Membership {
    return { confirmedAt: this.#confirmedAt, assigned: undefined }
  }

  async poll(
    { max, waitMs }: { readonly max: number; readonly waitMs: number },
    attempt: Attempt,
  ): Promise<readonly KafkaMessage[]> {
    // The one before was given up while it was on its way.
    if (this.#reading) this.#abandon(attempt)
    const signal = signalOf(attempt)
    const until = performance.now() + waitMs
    let rejoined = false
    while (this.#surplus.length === 0) {
      try {
        await this.#read(until - performance.now(), attempt, signal)
      } catch (error) {
        if (!(error instanceof RestError && error.lost) || rejoined) throw error
        rejoined = true
        continue
      }
      if (performance.now() >= until) break
      if (this.#surplus.length === 0) await pause(signal)
    }
    // It came too late: the next poll gives it.
    if (attempt.over) return []
    const messages = this.#surplus.slice(0, max)
    this.#surplus = this.#surplus.slice(max)
    return messages
  }

  async #read(waitMs: number, attempt: Attempt, signal: AbortSignal): Promise<void> {
    const dialect = await this.#api.ready(attempt, signal)
    const member = this.#member ?? (await this.#join(dialect, attempt, signal))
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const timeout = Math.max(1, Math.floor(Math.min(waitMs, dialect.waitMs)))
    const size = dialect.maxBytes ? `&max_bytes=${maxPollBytes}` : ''
    this.#reading = true
    try {
      const { body } = await this.#api.ask({
        method: 'GET',
        path: `${this.#path(member)}/records?timeout=${timeout}${size}`,
        accept: binary,
        attempts: [attempt],
        signal,
      })
      const messages = decodeRecords(body)
      if (this.#member !== member) return
      this.#surplus = messages
      this.#confirmedAt = performance.now()
      this.#reading = false
    } catch (error) {
      if (this.#member === member) {
        this.#reading = false
        if (mayHaveRead(error)) this.#abandon(attempt)
      }
      throw error
    }
  }

  /** Resolves when the server has an instance of that name, which is an orphan until it is put to use. */
  async #create(dialect: Dialect, attempt: Attempt, signal: AbortSignal): Promise<string> {
    const { from, instance } = this.#setup
    if (!dialect.capabilities.from.includes(from)) {
      throw unsupported(`this server cannot begin at the ${from} message`)
    }
    for (const orphan of this.#orphans) await this.#delete(orphan, attempt, signal)
    // A name of ours, so that it can be deleted even if this reply is lost.
    const name = instance ?? `dualport-${crypto.randomUUID()}`
    const settings = { name, format: 'binary', 'auto.offset.reset': from, ...dialect.instance }
    this.#orphans.add(name)
    try {
      await this.#post(this.#path(), JSON.stringify(settings), attempt, signal)
    } catch (error) {
      // It is someone else's.
      if (classify(error).kind === 'conflict') this.#orphans.delete(name)
      throw error
    }
    return name
  }

  async #join(dialect: Dialect, attempt: Attempt, signal: AbortSignal): Promise<string> {
    const name = await this.#create(dialect, attempt, signal)
    const body = JSON.stringify({ topics: this.#setup.topics })
    await this.#post(`${this.#path(name)}/subscription`, body, attempt, signal)
    if (this.#member !== undefined) {
      // A poll and a commit have both joined.
      await this.#delete(name, attempt, signal)
      return this.#member
    }
    this.#orphans.delete(name)
    this.#member = name
    this.#confirmedAt = performance.now()
    return name
  }

  async commit(offsets: readonly TopicPartitionOffset[], attempt: Attempt): Promise<void> {
    const signal = signalOf(attempt)
    const dialect = await this.#api.ready(attempt, signal)
    const last = dialect.commits === 'last'
    if (last && offsets.some(({ offset }) => offset === 0n)) {
      throw unsupported('this server cannot commit the offset 0')
    }
    const body = encodeOffsets(
      last ? offsets.map((each) => ({ ...each, offset: each.offset - 1n })) : offsets,
    )
    const store = (name: string) => this.#post(`${this.#path(name)}/offsets`, body, attempt, signal)
    const member = this.#member
    if (member !== undefined || !dialect.commitsAlone) {
      try {
        await store(member ?? (await this.#join(dialect, attempt, signal)))
        this.#confirmedAt = performance.now()
        return
      } catch (error) {
        if (!isStale(error) && !(dialect.commitsAlone && isUnclear(error))) throw error
        this.#abandon(attempt)
        if (!dialect.commitsAlone) throw stale(error)
      }
    }
    // From an instance that is no member, Kafka takes it if the group has no members: then no partition is
    // anyone else's.
    const name = await this.#create(dialect, attempt, signal)
    try {
      await store(name)
    } catch (error) {
      throw isStale(error) ? stale(error) : error
    } finally {
      this.#tidyLater(attempt)
    }
  }

  async lag(attempt: Attempt): Promise<readonly PartitionLag[]> {
    const signal = signalOf(attempt)
    const dialect = await this.#api.ready(attempt, signal)
    if (!dialect.capabilities.lag) throw unsupported('this server does not tell the lag')
    const member = this.#member ?? (await this.#join(dialect, attempt, signal))
    const path = `${this.#path(member)}/lag`
    const { body } = await this.#api.ask({ method: 'GET', path, attempts: [attempt], signal })
    this.#confirmedAt = performance.now()
    return arrayOf<{ readonly [K in keyof PartitionLag]: unknown } | null>(body).map((each) => {
      if (typeof each?.topic !== 'string') throw notKafka()
      const { topic, partition, lag } = each
      return { topic, partition: int32Of(partition), lag: offsetOf(lag) }
    })
  }

  async ping(attempt: Attempt): Promise<void> {
    const signal = signalOf(attempt)
    await this.#api.ready(attempt, signal)
    await this.#api.ask({ method: 'GET', path: '/topics', attempts: [attempt], signal })
  }

  async close(): Promise<void> {
    if (this.#member !== undefined) this.#orphans.add(this.#member)
    this.#member = undefined
    this.#surplus = []
    await this.#tidy({ operation: 'close', context: undefined, correlationId: undefined })
  }

  classify(error: unknown): Failure {
    if (!(error instanceof RestError && error.lost)) return classify(error)
    const detail =
      'the consumer instance is gone: it expired, or requests reach several processes of the server'
    return { kind: 'unavailable', outcome: 'not-applied', detail }
  }

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#api.endpoint.fetch
  }

  // Instances ----------------------------------------------------------------------------------

  /** URLs are ours: the server's `base_uri` may name a host that only it can reach. */
  #path(instance?: string): string {
    const group = pathOf('consumers', this.#setup.group)
    return instance === undefined ? group : `${group}${pathOf('instances', instance)}`
  }

  async #post(path: string, body: string, attempt: Attempt, signal: AbortSignal): Promise<void> {
    await this.#api.ask({ method: 'POST', path, body, attempts: [attempt], signal })
  }

  /** The next poll joins again. Others need not wait until the server notices. */
  #abandon(attempt: Attempt): void {
    if (this.#member === undefined) return
    this.#orphans.add(this.#member)
    this.#member = undefined
    this.#reading = false
    this.#surplus = []
    this.#tidyLater(attempt)
  }

  #tidyLater(attempt: Attempt): void {
    // The next one of the same name must not be mistaken for the one before.
    if (this.#setup.instance !== undefined) return
    const tidying = this.#tidy(attempt)
    attempt.context?.waitUntil?.(tidying)
  }

  /** Never rejects, and takes no longer than it may. */
  async #tidy(after: Pick<Attempt, 'operation' | 'context' | 'correlationId'>): Promise<void> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), tidyMs)
    const due = performance.now() + tidyMs
    const { operation, context, correlationId } = after
    const attempt = aside({ operation, context, correlationId, due, over: false })
    const { signal } = controller
    const deletions = [...this.#orphans].map((name) => this.#delete(name, attempt, signal))
    await Promise.allSettled(deletions)
    clearTimeout(timer)
  }

  async #delete(instance: string, attempt: Attempt, signal: AbortSignal): Promise<void> {
    const path = this.#path(instance)
    try {
      await this.#api.ask({ method: 'DELETE', path, attempts: [aside(attempt)], signal })
    } catch (error) {
      if (!(error instanceof RestError) || (!error.lost && passing.has(classify(error).kind))) {
        throw error
      }
    }
    this.#orphans.delete(instance)
  }
}

const refusals: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden', 'throttled'])

/** A poll that failed before the server read anything costs no instance. The gateway says what it is. */
function mayHaveRead(error: unknown): boolean {
  if (error instanceof RestError && error.lost) return true
  const { kind, outcome } = classify(error)
  return outcome !== 'not-applied' && !refusals.has(kind)
}

/** Redpanda's for an old generation, and Confluent's for a commit that Kafka refused for good. */
const staleCodes: ReadonlySet<number | undefined> = new Set([40002, 50002])

/** Strimzi and Karapace say it of whatever Kafka answered. */
function isUnclear(error: unknown): boolean {
  return error instanceof RestError && error.code === 500
}

function isStale(error: unknown): boolean {
  if (!(error instanceof RestError)) return false
  if (error.lost || classify(error).kind === 'conflict') return true
  return error.wire === undefined && staleCodes.has(error.code)
}

function stale(cause?: unknown): DriverFailure {
  const detail = 'the group has rebalanced, or the consumer instance was lost'
  return new DriverFailure({ kind: 'conflict', outcome: 'not-applied', detail }, { cause })
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pauseMs)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
