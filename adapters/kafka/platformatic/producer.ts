import type { MessageToProduce, Producer } from '@platformatic/kafka'
import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import {
  classifyCode,
  KafkaError,
  type ProduceBatch,
  type ProducerDriver,
  type ProducerRecord,
  partitionForKey,
  type RecordMetadata,
} from '../../../src/kafka/index.ts'
import { classify, lostConnection, partsOf } from './errors.ts'
import { discard, guard, type Library, load } from './library.ts'
import type { Settings } from './settings.ts'

type Fate = RecordMetadata | Error
type Message = MessageToProduce<Buffer, Buffer, Buffer, Buffer>

/** Records of one partition, by their places in the batch. They become one batch of Kafka's. */
interface Chunk {
  readonly topic: string
  readonly partition: number
  readonly leader: number
  /** Of the first record. */
  readonly timestamp: number
  readonly round: number
  readonly places: number[]
}

/**
 * The broker refuses a whole chunk for one of its records, or for its size. Halves are sent again until the
 * record stands alone, since the others may be of other callers.
 */
const separable: ReadonlySet<number> = new Set([10, 32, 87])

/** The library writes a record's timestamp wrong if it is farther from the first one's of its chunk. */
const maxTimestampDelta = 2 ** 31

/** A producer's sequence in a partition must stay below 2^31: the library does not wrap it. */
const maxRecords = 2 ** 30

/**
 * Over one library producer, which resends by itself: it is idempotent, and only it knows the sequence. When
 * nobody waits for a batch any more, its producer is given up, so that nothing of it is sent later.
 */
export class PlatformaticProducer implements ProducerDriver {
  readonly adapter = 'platformatic'
  readonly resource: string
  readonly #settings: Settings
  readonly #topic: string | undefined
  #client: Producer | undefined
  #records = 0
  #lastUsed = 0
  #batches = 0
  /** The partition of each topic where the last batch's records without a key went. */
  readonly #sticky = new Map<string, number>()
  #closed = false

  constructor(settings: Settings, topic: string | undefined) {
    this.#settings = settings
    this.#topic = topic
    this.resource = settings.resource
  }

  async produce(batch: ProduceBatch): Promise<readonly Fate[]> {
    const client = await this.#ready()
    const abandon = () => this.#abandon(client)
    batch.signal.addEventListener('abort', abandon, { once: true })
    this.#batches++
    const fates: Fate[] = []
    try {
      for (const chunks of await this.#rounds(client, batch, fates)) {
        await this.#send(client, chunks, batch, fates)
      }
      return fates
    } finally {
      // A leader that failed may have lost its partitions, and the library would not ask for seconds.
      if (fates.length === 0 || fates.some((fate) => fate instanceof Error)) client.clearMetadata()
      this.#batches--
      batch.signal.removeEventListener('abort', abandon)
      this.#lastUsed = performance.now()
    }
  }

  async ping(attempt: Attempt): Promise<void> {
    const client = await this.#ready()
    attempt.onCancel = () => {
      // No answer in time: the connection may be dead. What a batch has under way on it stays its own concern.
      if (performance.now() >= attempt.due && this.#batches === 0) this.#abandon(client)
    }
    const topics = this.#topic === undefined ? [] : [this.#topic]
    try {
      await client.metadata({ topics, forceUpdate: true, retries: 0 })
    } catch (error) {
      // A batch that was given up took the producer with it.
      if (!this.#closed && !attempt.over && client !== this.#client) return this.ping(attempt)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#client !== undefined) await discard(this.#client)
  }

  classify(error: unknown): Failure {
    return classify(error)
  }

  /** The `Producer`. It is replaced when a batch is given up. */
  native(): Promise<Producer> {
    return this.#ready()
  }

  async #ready(): Promise<Producer> {
    const library = await load()
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (this.#client !== undefined && this.#batches === 0 && this.#spent)
      this.#abandon(this.#client)
    if (this.#client === undefined) {
      const { brokers, clientId, connection } = this.#settings
      this.#client = new library.Producer({
        ...connection,
        clientId,
        bootstrapBrokers: brokers,
        idempotent: true,
        autocreateTopics: false,
        retryDelay: (_client, _operation, attempt) => Math.min(1000, 50 * 2 ** attempt),
      })
      guard(this.#client.connections)
      retryOnlyProduce(library, this.#client)
      this.#records = 0
      this.#lastUsed = performance.now()
    }
    return this.#client
  }

  /** Idle for so long that a firewall, or a freeze, may have cut its connections without a word; or worn out. */
  get #spent(): boolean {
    const idleMs = performance.now() - this.#lastUsed
    return idleMs > this.#settings.maxIdleMs || this.#records > maxRecords
  }

  #abandon(client: Producer): void {
    if (client === this.#client) this.#client = undefined
    void discard(client)
  }

  /** Every record's place: chunks that can go out together, in turn. What cannot be sent has its fate already. */
  async #rounds(client: Producer, { records }: ProduceBatch, fates: Fate[]): Promise<Chunk[][]> {
    const topics = await topicsOf(client, records)
    const current = new Map<string, (Chunk | undefined)[]>()
    const rounds: Chunk[][] = []
    const now = Date.now()
    records.forEach(({ topic, key, partition: wanted, timestamp = now }, place) => {
      const partitions = topics.get(topic)
      if (partitions === undefined || partitions instanceof Error) {
        fates[place] = partitions ?? new KafkaError(3)
        return
      }
      let chunks = current.get(topic)
      if (chunks === undefined) {
        chunks = []
        current.set(topic, chunks)
        this.#sticky.set(topic, ((this.#sticky.get(topic) ?? random()) + 1) % partitions.length)
      }
      const partition =
        wanted ??
        (key === null
          ? (this.#sticky.get(topic) as number)
          : partitionForKey(key, partitions.length))
      const leader = partitions[partition]?.leader
      if (leader === undefined) {
        fates[place] = new KafkaError(3)
        return
      }
      const chunk = chunks[partition]
      if (chunk !== undefined && Math.abs(timestamp - chunk.timestamp) < maxTimestampDelta) {
        chunk.places.push(place)
        return
      }
      const round = chunk === undefined ? 0 : chunk.round + 1
      const next = { topic, partition, leader, timestamp, round, places: [place] }
      chunks[partition] = next
      rounds[round] ??= []
      rounds[round].push(next)
    })
    return rounds
  }

  /** One request to each leader, and those that it takes to separate what was refused. */
  async #send(
    client: Producer,
    chunks: Chunk[],
    batch: ProduceBatch,
    fates: Fate[],
  ): Promise<void> {
    const ready = await this.#reachable(client, chunks, fates)
    if (batch.signal.aborted) throw new DriverFailure({ kind: 'aborted' })
    const messages: Message[] = []
    const sent = ready.filter((chunk) => take(chunk, batch, fates, messages))
    if (sent.length === 0) return
    this.#records += messages.length
    try {
      const { offsets = [] } = await client.send({ messages })
      for (const { topic, partition, offset } of offsets) {
        settle(sent, topic, partition, offset, fates)
      }
    } catch (error) {
      for (const halves of apart(sent, error, fates)) {
        for (const half of halves) await this.#send(client, [half], batch, fates)
      }
    }
  }

  /** Those chunks whose leader is connected: until here nothing that fails has been sent. */
  async #reachable(client: Producer, chunks: Chunk[], fates: Fate[]): Promise<Chunk[]> {
    const unreachable = new Map<number, Error>()
    const brokers = client.currentMetadata?.brokers
    for (const leader of new Set(chunks.map((chunk) => chunk.leader))) {
      const broker = brokers?.get(leader)
      if (
        broker !== undefined &&
        client.connections.getEstablishedConnection(broker)?.isConnected()
      ) {
        continue
      }
      try {
        if (broker === undefined) throw new KafkaError(5)
        await client.connections.get(broker)
      } catch (error) {
        unreachable.set(leader, notApplied(error))
      }
    }
    const ready = chunks.filter(({ leader, places }) => {
      const failure = unreachable.get(leader)
      if (failure !== undefined) for (const place of places) fates[place] = failure
      return failure === undefined
    })
    try {
      if (ready.length > 0 && client.producerId === undefined)
        await client.initIdempotentProducer({})
      return ready
    } catch (error) {
      for (const place of ready.flatMap(({ places }) => places)) fates[place] = notApplied(error)
      return []
    }
  }
}

/** Of a cluster that has just started: its coordinator is not ready for a second or two. */
const retriesOfInit = 5

/** An idempotent producer of the library's retries everything for ever. What fails before the batch is the pipeline's. */
function retryOnlyProduce(library: Library, client: Producer): void {
  const perform = client[library.kPerformWithRetry].bind(client)
  client[library.kPerformWithRetry] = (name, operation, callback, attempt, errors, skip, limit) => {
    const retries = name === 'produce' ? limit : name === 'initProducerId' ? retriesOfInit : 0
    return perform(name, operation, callback, attempt, errors, skip, retries)
  }
}

type Partitions = readonly { readonly leader: number }[]

/** The partitions of each topic of the records, or why they are not known. */
async function topicsOf(
  client: Producer,
  records: readonly ProducerRecord[],
): Promise<Map<string, Partitions | Error>> {
  const names = new Set<string>()
  for (const { topic } of records) names.add(topic)
  const found = new Map<string, Partitions | Error>()
  const ask = async (topics: string[]) => {
    const metadata = await client.metadata({ topics, retries: 0 })
    for (const [name, topic] of metadata.topics) {
      // Kafka's own topics are not in it.
      found.set(name, topic?.partitions ?? new KafkaError(17))
    }
  }
  try {
    await ask([...names])
  } catch (error) {
    // The library says of one topic that it does not exist, and nothing of the others.
    if (names.size === 1 || lostConnection(error)) throw error
    for (const name of names)
      await ask([name]).catch((error) => void found.set(name, notApplied(error)))
  }
  return found
}

/** Adds the chunk's records to the request, but for those whose caller has given up. False if that is all. */
function take(chunk: Chunk, batch: ProduceBatch, fates: Fate[], messages: Message[]): boolean {
  const { topic, partition, places } = chunk
  let kept = 0
  for (const place of places) {
    const attempt = batch.attempts[place] as Attempt
    if (attempt.over) {
      fates[place] = new DriverFailure({ kind: 'aborted' })
      continue
    }
    attempt.sent = true
    places[kept++] = place
    const { key, value, headers, timestamp } = batch.records[place] as ProducerRecord
    // The library takes any bytes, and `null` too, whatever its types say.
    const message = { topic, partition, key, value } as unknown as Message
    if (timestamp !== undefined) message.timestamp = BigInt(timestamp)
    // Names as bytes, each its own object: a map of texts would lose those that repeat.
    if (headers.length > 0) {
      message.headers = new Map(
        headers.map(([name, value]) => [Buffer.from(name), value as Buffer]),
      )
    }
    messages.push(message)
  }
  places.length = kept
  return kept > 0
}

function settle(
  chunks: readonly Chunk[],
  topic: string,
  partition: number,
  offset: bigint,
  fates: Fate[],
): void {
  const chunk = chunks.find((one) => one.partition === partition && one.topic === topic)
  chunk?.places.forEach((place, i) => {
    fates[place] = { topic, partition, offset: offset + BigInt(i) }
  })
}

interface PartitionAnswer {
  readonly index: number
  readonly errorCode: number
  readonly baseOffset: bigint
}

/** Gives what failed its fate, by the partition's own answer if there is one, or in halves that may yet be sent. */
function apart(chunks: readonly Chunk[], error: unknown, fates: Fate[]): [Chunk, Chunk][] {
  const codes = new Map<string, number>()
  const stored = new Set<string>()
  const store = (topic: string, partition: number, offset: bigint) => {
    stored.add(`${topic}:${partition}`)
    settle(chunks, topic, partition, offset, fates)
  }
  for (const { topic, partition, offset } of offsetsOf(error)) store(topic, partition, offset)
  for (const [topic, { index, errorCode, baseOffset }] of answersOf(error)) {
    if (errorCode === 0) store(topic, index, baseOffset)
    else codes.set(`${topic}:${index}`, errorCode)
  }
  const uncertain = lostConnection(error)
  const halves: [Chunk, Chunk][] = []
  for (const chunk of chunks) {
    const key = `${chunk.topic}:${chunk.partition}`
    if (stored.has(key)) continue
    const { places } = chunk
    const code = codes.get(key)
    if (code !== undefined && separable.has(code) && places.length > 1) {
      const middle = places.length >> 1
      halves.push([
        { ...chunk, places: places.slice(0, middle) },
        { ...chunk, places: places.slice(middle) },
      ])
      continue
    }
    const failure = code === undefined ? (error as Error) : refused(code, uncertain)
    for (const place of places) fates[place] = failure
  }
  return halves
}

/** A try before this answer whose fate is not known may have stored the records after all. */
function refused(code: number, uncertain: boolean): Error {
  const failure = classifyCode(code)
  if (!uncertain || failure.kind !== 'unavailable') return new KafkaError(code)
  return new DriverFailure({ ...failure, outcome: 'unknown' })
}

/** What the brokers that did not fail have stored. */
function offsetsOf(error: unknown): { topic: string; partition: number; offset: bigint }[] {
  const { produced } = error as { produced?: { offsets?: [] } }
  return produced?.offsets ?? []
}

/** The answer of each partition, earlier tries first. */
function answersOf(error: unknown): [topic: string, PartitionAnswer][] {
  return partsOf(error).flatMap((part) => {
    const { response } = part as {
      response?: { responses?: { name: string; partitionResponses?: PartitionAnswer[] }[] }
    }
    return (response?.responses ?? []).flatMap(({ name, partitionResponses = [] }) =>
      partitionResponses.map((answer): [string, PartitionAnswer] => [name, answer]),
    )
  })
}

function notApplied(error: unknown): Error {
  return new DriverFailure({ ...classify(error), outcome: 'not-applied' }, { cause: error })
}

/** Where a topic's rotation begins: not every process with the same partition. */
function random(): number {
  return Math.floor(Math.random() * 1024)
}
