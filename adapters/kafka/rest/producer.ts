import { toBase64 } from '../../../src/core/base64.ts'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import {
  type ProduceBatch,
  type ProducerDriver,
  type ProducerRecord,
  type ProducerSetup,
  partitionForKey,
  type RecordMetadata,
} from '../../../src/kafka/index.ts'
import { type Answer, binary, classify, pathOf, type RestApi, signalOf } from './api.ts'
import { arrayOf, encodeRecord, int32Of, notKafka, offsetOf } from './codec.ts'
import type { Dialect } from './dialects.ts'
import { itemError, RestError, unsupported } from './errors.ts'

type Fate = RecordMetadata | Error

/** A record of a batch, with its place in it. */
interface Outgoing {
  readonly index: number
  readonly record: ProducerRecord
  readonly attempt: Attempt
  readonly partition: number | undefined
}

interface Item {
  readonly partition?: unknown
  readonly offset?: unknown
  readonly error_code?: unknown
}

/** How long a topic is taken to have as many partitions as it had. As Kafka's own clients: metadata.max.age.ms. */
const maxAgeMs = 300_000

export class RestProducer implements ProducerDriver {
  readonly adapter = 'rest'
  readonly resource: string
  readonly classify = classify
  readonly #api: RestApi
  readonly #topic: string | undefined
  readonly #counts = new Map<string, { readonly partitions: number; readonly until: number }>()

  constructor(api: RestApi, { topic }: ProducerSetup) {
    this.#api = api
    this.resource = api.endpoint.resource
    this.#topic = topic
  }

  async produce({ records, attempts, signal }: ProduceBatch): Promise<readonly Fate[]> {
    const first = attempts.find(({ over }) => !over) ?? (attempts[0] as Attempt)
    const dialect = await this.#api.ready(first, signal)
    const partitions = dialect.murmur2
      ? records.map(({ partition }) => partition)
      : await this.#partitions(records, first, signal)
    const fates = new Array<Fate>(records.length)
    const requests = new Map<string, Outgoing[]>()
    records.forEach((record, index) => {
      const attempt = attempts[index] as Attempt
      const partition = partitions[index]
      const failure = partition instanceof Error ? partition : misfit(record, dialect, attempt)
      if (failure !== undefined) {
        fates[index] = failure
        return
      }
      const outgoing = { index, record, attempt, partition: partition as number | undefined }
      const destination = destinationOf(outgoing, dialect)
      const request = requests.get(destination)
      if (request === undefined) requests.set(destination, [outgoing])
      else request.push(outgoing)
    })
    const send = async (request: readonly Outgoing[]) => {
      try {
        await this.#send(request, dialect, signal, fates)
      } catch (error) {
        if (requests.size === 1 && request.length === records.length) throw error
        for (const { index } of request) fates[index] ??= error as Error
      }
    }
    await Promise.all([...requests.values()].map(send))
    return fates
  }

  /** One topic's, or one destination's. */
  async #send(
    request: readonly Outgoing[],
    dialect: Dialect,
    signal: AbortSignal,
    fates: Fate[],
  ): Promise<void> {
    const [first, ...rest] = request as [Outgoing, ...Outgoing[]]
    if (dialect.items === 'records' || rest.length === 0 || hasOnePartition(first)) {
      const answers = await this.#post(request, signal)
      const stored = metadataOf(request, answers, dialect)
      for (const [i, { index }] of request.entries()) fates[index] = stored[i] as Fate
      return
    }
    // Where messages without a key go is up to the server: where it puts the first one, the others follow.
    await this.#send([first], dialect, signal, fates)
    const fate = fates[first.index] as Fate
    const live = rest.filter(({ attempt }) => !attempt.over)
    if (fate instanceof Error) {
      const failure = { ...classify(fate), outcome: 'not-applied' as const }
      for (const { index } of rest) fates[index] = new DriverFailure(failure)
      return
    }
    for (const { index } of rest) fates[index] = notSent()
    const { partition } = fate
    if (live.length === 0) return
    const followers = live.map((outgoing) => ({ ...outgoing, partition }))
    await this.#send(followers, dialect, signal, fates).catch((error: Error) => {
      for (const { index } of followers) fates[index] = error
    })
  }

  async #post(request: readonly Outgoing[], signal: AbortSignal): Promise<Answer> {
    const { topic } = (request[0] as Outgoing).record
    const records = request.map(({ record, partition }) => encodeRecord(record, partition))
    try {
      return await this.#api.ask({
        method: 'POST',
        path: pathOf('topics', topic),
        type: binary,
        body: `{"records":[${records.join(',')}]}`,
        attempts: [...new Set(request.map(({ attempt }) => attempt))],
        signal,
      })
    } catch (error) {
      // Some give the fate of each record under a status of failure.
      const body = error instanceof RestError ? error.body : undefined
      if (!Array.isArray((body as { offsets?: unknown } | null | undefined)?.offsets)) throw error
      return { body, failures: undefined }
    }
  }

  /** Of each record, its partition, where the server would choose another one for its key than Kafka's own clients. */
  async #partitions(
    records: readonly ProducerRecord[],
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<(number | undefined | Error)[]> {
    const counts = new Map<string, number | Error>()
    for (const { topic, key, partition } of records) {
      if (key === null || partition !== undefined || counts.has(topic)) continue
      try {
        counts.set(topic, await this.#count(topic, attempt, signal))
      } catch (error) {
        counts.set(topic, error as Error)
      }
    }
    return records.map(({ topic, key, partition }) => {
      const count = counts.get(topic)
      if (key === null || partition !== undefined || count === undefined) return partition
      return count instanceof Error ? count : partitionForKey(key, count)
    })
  }

  async #count(topic: string, attempt: Attempt, signal: AbortSignal): Promise<number> {
    const now = performance.now()
    const known = this.#counts.get(topic)
    if (known !== undefined && known.until > now) return known.partitions
    const path = `${pathOf('topics', topic)}/partitions`
    const partitions = arrayOf(await this.#api.look(path, attempt, signal)).length
    if (partitions === 0) throw notKafka()
    this.#counts.set(topic, { partitions, until: now + maxAgeMs })
    return partitions
  }

  async ping(attempt: Attempt): Promise<void> {
    const signal = signalOf(attempt)
    const { capabilities } = await this.#api.ready(attempt, signal)
    const topic = this.#topic
    const described = topic !== undefined && capabilities.describeTopics
    const path = described ? pathOf('topics', topic) : '/topics'
    const { body } = await this.#api.ask({ method: 'GET', path, attempts: [attempt], signal })
    if (described || topic === undefined || arrayOf(body).includes(topic)) return
    throw new DriverFailure({ kind: 'not-found', detail: 'there is no such topic' })
  }

  async close(): Promise<void> {}

  /** There is no client below: the `fetch` in use. */
  async native(): Promise<typeof fetch> {
    return this.#api.endpoint.fetch
  }
}

function notSent(): DriverFailure {
  return new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
}

/** Why a record is not sent, if it is not. */
function misfit(
  { value, headers, timestamp }: ProducerRecord,
  { capabilities: can, nullHeaders }: Dialect,
  attempt: Attempt,
): DriverFailure | undefined {
  if (attempt.over) return notSent()
  if (value === null && !can.tombstones) return unsupported('this server takes no tombstones')
  if (headers.length > 0 && !can.headers) return unsupported('this server takes no headers')
  if (!nullHeaders && headers.some(([, value]) => value === null)) {
    return unsupported('this server takes no header that is null')
  }
  if (timestamp !== undefined && !can.timestamps) {
    return unsupported('this server takes no timestamps')
  }
  return undefined
}

/** What shares a request: a topic's records, or those that are sure to share a partition. */
function destinationOf({ record, partition }: Outgoing, { items }: Dialect): string {
  const { topic, key } = record
  if (items === 'records') return topic
  if (partition !== undefined) return `${topic} ${partition}`
  return key === null || key.length === 0 ? topic : `${topic} key ${toBase64(key)}`
}

function hasOnePartition({ record: { key }, partition }: Outgoing): boolean {
  return partition !== undefined || (key !== null && key.length > 0)
}

function metadataOf(
  request: readonly Outgoing[],
  { body, failures }: Answer,
  dialect: Dialect,
): Fate[] {
  const items = arrayOf<Item | null>((body as { offsets?: unknown } | null | undefined)?.offsets)
  const shared = dialect.items === 'partitions'
  if (items.length !== (shared ? 1 : request.length)) throw notKafka()
  return request.map(({ record: { topic } }, i) => {
    const item = shared ? items[0] : items[i]
    const code = item?.error_code ?? 0
    if (typeof code !== 'number' || code !== 0) {
      return itemError(dialect, typeof code === 'number' ? code : 500, failures?.items.get(i))
    }
    try {
      const offset = offsetOf(item?.offset) + (shared ? BigInt(i) : 0n)
      return { topic, partition: int32Of(item?.partition), offset }
    } catch (error) {
      return error as Error
    }
  })
}
