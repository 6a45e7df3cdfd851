import type { KafkaCapabilities } from '../../../src/kafka/index.ts'

export type DialectName = 'confluent' | 'karapace' | 'strimzi' | 'redpanda' | 'dualport'

/** How one of the servers speaks Kafka REST v2, where they differ. */
export interface Dialect {
  readonly name: DialectName
  readonly capabilities: Omit<KafkaCapabilities, 'maxRequestBytes'>
  /** The default of the option, in bytes before base64. */
  readonly maxRequestBytes: number
  /** What `offset` of a commit is: the last message that is done (the server stores one more), or the next to read. */
  readonly commits: 'last' | 'next'
  /** An instance that has not subscribed may commit; one that has, but has not polled, may not: as Java's client. */
  readonly commitsAlone: boolean
  /** Settings of a consumer instance: no commit by itself, no wait for more than there is. */
  readonly instance: Readonly<Record<string, unknown>>
  /** A poll that asks for no more than so much loses nothing. Where it would, nothing is asked. */
  readonly maxBytes: boolean
  /** The server waits this long even if messages are there: it is asked for short waits. Milliseconds. */
  readonly waitMs: number
  /** A reply to a produce request has an item for each record, or for each partition, with its first offset. */
  readonly items: 'records' | 'partitions'
  /** `kafka`: an item's error is by the number of Kafka's protocol. `karapace`: 1 or 2. */
  readonly itemCodes: 'rest' | 'kafka' | 'karapace'
  /** Whether the server chooses a key's partition as Kafka's own clients do. */
  readonly murmur2: boolean
  /** A header whose value is null. */
  readonly nullHeaders: boolean
  /** Insists on a content type where there is no content. */
  readonly typedDelete: boolean
  readonly createTopics: 'admin' | 'v3' | undefined
}

/** What all of them can do, and no more. */
const portable: Dialect['capabilities'] = {
  bytes: true,
  tombstones: false,
  headers: false,
  timestamps: false,
  consumeMetadata: false,
  idempotent: false,
  consume: true,
  from: ['earliest'],
  lag: false,
  listTopics: true,
  describeTopics: false,
  createTopics: false,
  offsets: false,
  cancel: true,
}

const anywhere = ['earliest', 'latest'] as const

/**
 * https://github.com/confluentinc/kafka-rest, v2: KafkaConsumerState (commit), KafkaConsumerReadTask (poll),
 * AbstractProduceAction (items), Errors.
 */
const confluent: Dialect = {
  name: 'confluent',
  capabilities: {
    ...portable,
    tombstones: true,
    from: anywhere,
    describeTopics: true,
    createTopics: true,
  },
  maxRequestBytes: 7_000_000,
  commits: 'last',
  commitsAlone: true,
  // Without the second a poll lasts as long as its timeout.
  instance: { 'auto.commit.enable': 'false', 'fetch.min.bytes': 0 },
  maxBytes: true,
  waitMs: Infinity,
  items: 'records',
  itemCodes: 'rest',
  murmur2: true,
  nullHeaders: false,
  typedDelete: false,
  createTopics: 'v3',
}

/**
 * https://github.com/Aiven-Open/karapace, kafka_rest_apis: a value of null is stored as an empty one, and both
 * are read as null.
 */
const karapace: Dialect = {
  ...confluent,
  name: 'karapace',
  capabilities: { ...portable, from: anywhere, describeTopics: true },
  // It takes a body of 1 MB.
  maxRequestBytes: 750_000,
  instance: { 'auto.commit.enable': 'false' },
  waitMs: 500,
  itemCodes: 'karapace',
  murmur2: false,
  createTopics: undefined,
}

/** https://github.com/strimzi/strimzi-kafka-bridge, HttpSinkBridgeEndpoint: too large a poll is lost behind a 422. */
const strimzi: Dialect = {
  ...confluent,
  name: 'strimzi',
  capabilities: {
    ...confluent.capabilities,
    headers: true,
    timestamps: true,
    consumeMetadata: true,
  },
  commits: 'next',
  instance: { 'enable.auto.commit': false },
  maxBytes: false,
  createTopics: 'admin',
}

/**
 * https://github.com/redpanda-data/redpanda, src/v/pandaproxy: rest/handlers.cc, json/requests/produce.h. A value
 * of null and an empty one are both read as null.
 */
const redpanda: Dialect = {
  ...confluent,
  name: 'redpanda',
  capabilities: portable,
  commits: 'next',
  commitsAlone: false,
  instance: { 'auto.commit.enable': 'false' },
  items: 'partitions',
  itemCodes: 'kafka',
  typedDelete: true,
  createTopics: undefined,
}

/**
 * dualport's gateway: Confluent's, and beside it
 * - `dualport: 1` among the headers of `GET /`; outcomes in the `dualport-error` header of any reply;
 * - Strimzi's `headers` (`[{key, value}]`, base64 or null) and `timestamp` (milliseconds) of records, in and out;
 * - polls that answer as soon as there is something;
 * - Strimzi's `POST /admin/topics`, with `configs: {name: value}`;
 * - `GET /consumers/{group}/instances/{instance}/lag`: `[{topic, partition, lag}]`.
 */
const dualport: Dialect = {
  ...confluent,
  name: 'dualport',
  capabilities: { ...strimzi.capabilities, lag: true },
  commitsAlone: false,
  instance: { 'auto.commit.enable': 'false' },
  nullHeaders: true,
  createTopics: 'admin',
}

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  confluent,
  karapace,
  strimzi,
  redpanda,
  dualport,
}

/**
 * Of a server that is not known yet: what any of them can do, so that a program need not wait to know. What this
 * one cannot do is refused when it is known, before anything is sent.
 */
export const unknownServer = {
  capabilities: dualport.capabilities,
  maxRequestBytes: karapace.maxRequestBytes,
}
