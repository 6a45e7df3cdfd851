import { type ItemResult, isInfraError } from '../core/index.ts'
import type {
  Kafka,
  KafkaMessage,
  OutgoingMessage,
  RecordMetadata,
  TopicDescription,
  TopicPartitionOffset,
} from '../kafka/index.ts'
import { type Answer, type Call, type Face, type Failed, parseJson, statusFor } from './face.ts'
import type { ConsumerInstance, ConsumerInstances, InstanceSettings } from './kafka-consumers.ts'
import { errorCodeOf, KafkaRefusal, requireFull, unprocessable } from './kafka-refusal.ts'
import { isUpstash, upstashFailure, upstashTopics } from './kafka-upstash.ts'

const type = 'application/vnd.kafka.v2+json'
const typeOf = {
  binary: 'application/vnd.kafka.binary.v2+json',
  json: 'application/vnd.kafka.json.v2+json',
} as const
type Format = keyof typeof typeOf

/**
 * Kafka REST v2, as Confluent's REST Proxy speaks it.
 * https://docs.confluent.io/platform/current/kafka-rest/api.html#crest-api-v2
 * Records may have Strimzi's `timestamp` (milliseconds) and `headers` (values in base64) too, in and out; the
 * header `dualport` of the root's answer says so. Topics are created as with Strimzi (`POST /admin/topics`), and
 * `GET .../lag` tells how far a consumer is behind.
 */
export function restFace(kafka: Kafka, instances: ConsumerInstances): Face {
  const instance = '/consumers/:group/instances/:instance'
  return {
    name: 'kafka',
    routes: {
      '': { GET: async () => ({ type, body: '{}', headers: { dualport: '1' } }) },
      '/topics': {
        GET: (call) => (isUpstash(call.request) ? upstashTopics(kafka, call) : topics(kafka, call)),
      },
      '/topics/:topic': {
        GET: (call) => topic(kafka, call),
        POST: (call) => produce(kafka, call),
      },
      '/topics/:topic/partitions': { GET: (call) => partitions(kafka, call) },
      '/topics/:topic/partitions/:partition': {
        GET: (call) => partition(kafka, call),
        POST: (call) => produce(kafka, call),
      },
      '/topics/:topic/partitions/:partition/offsets': { GET: (call) => offsets(kafka, call) },
      '/admin/topics': { POST: (call) => createTopic(kafka, call) },
      '/consumers/:group': { POST: (call) => create(instances, call) },
      [instance]: { DELETE: (call) => remove(instances, call) },
      [`${instance}/subscription`]: { POST: (call) => subscribe(instances, call) },
      [`${instance}/records`]: { GET: (call) => records(instances, call) },
      [`${instance}/offsets`]: { POST: (call) => commit(instances, call) },
      [`${instance}/lag`]: { GET: (call) => lag(instances, call) },
    },
    failure(error, request) {
      if (new URL(request.url).pathname === '/kafka/topics' && isUpstash(request)) {
        return upstashFailure(error)
      }
      const status = statusFor(error)
      const error_code = status < 500 && !isSpecific(error) ? status : errorCodeOf(error)
      return json({ error_code, message: error.message }, status)
    },
    close: () => instances.close(),
  }
}

/** Of the gateway's own refusals, the status is all that there is to say. */
function isSpecific(error: Failed): boolean {
  return error instanceof KafkaRefusal || isInfraError(error)
}

function json(body: unknown, status?: number): Answer {
  return { status, type, body: JSON.stringify(body) }
}

const noContent: Answer = { status: 204, type, body: null }

// Topics -----------------------------------------------------------------------------------------

async function topics(kafka: Kafka, call: Call): Promise<Answer> {
  return json(await kafka.admin.listTopics(call.options))
}

async function topic(kafka: Kafka, call: Call): Promise<Answer> {
  const { name, partitions } = await describe(kafka, call)
  return json({ name, configs: {}, partitions: partitions.map(partitionJson) })
}

async function partitions(kafka: Kafka, call: Call): Promise<Answer> {
  const { partitions } = await describe(kafka, call)
  return json(partitions.map(partitionJson))
}

async function partition(kafka: Kafka, call: Call): Promise<Answer> {
  const id = partitionOf(call)
  const { partitions } = await describe(kafka, call)
  const found = partitions.find(({ partition }) => partition === id)
  if (found === undefined) throw partitionNotFound()
  return json(partitionJson(found))
}

async function describe(kafka: Kafka, call: Call): Promise<TopicDescription> {
  const [, topic] = call.segments('/kafka')
  try {
    const [description] = await kafka.admin.describeTopics([topic as string], call.options)
    return description as TopicDescription
  } catch (error) {
    throw isInfraError(error, 'not-found') ? topicNotFound() : error
  }
}

function partitionJson(found: TopicDescription['partitions'][number]): object {
  const { partition, leader, replicas, inSyncReplicas } = found
  return {
    partition,
    leader,
    replicas: replicas.map((broker) => ({
      broker,
      leader: broker === leader,
      in_sync: inSyncReplicas.includes(broker),
    })),
  }
}

async function offsets(kafka: Kafka, call: Call): Promise<Answer> {
  const [, topic] = call.segments('/kafka')
  const asked = [{ topic: topic as string, partition: partitionOf(call) }]
  try {
    const [[beginning], [end]] = (await Promise.all([
      kafka.admin.offsets(asked, 'earliest', call.options),
      kafka.admin.offsets(asked, 'latest', call.options),
    ])) as [[bigint], [bigint]]
    return { type, body: `{"beginning_offset":${beginning},"end_offset":${end}}` }
  } catch (error) {
    throw isInfraError(error, 'not-found') ? partitionNotFound() : error
  }
}

/** Strimzi's request, with `configs` beside it. */
async function createTopic(kafka: Kafka, call: Call): Promise<Answer> {
  requireFull(call.access)
  const body = objectOf(await call.json())
  const { topic_name: name, partitions_count, replication_factor, configs } = body
  if (typeof name !== 'string') throw unprocessable('topic_name is not a text')
  if (configs !== undefined) objectOf(configs)
  const topic = {
    name,
    partitions: integerOf(partitions_count, 'partitions_count'),
    replicas: integerOf(replication_factor, 'replication_factor'),
    config: configs as Readonly<Record<string, string>> | undefined,
  }
  try {
    await kafka.admin.createTopics([topic], call.options)
  } catch (error) {
    if (isInfraError(error, 'conflict')) throw new KafkaRefusal(40902, 'Topic already exists.')
    throw error
  }
  return { status: 201, type, body: '{}' }
}

function partitionOf(call: Call): number {
  const [, , , partition] = call.segments('/kafka')
  if (partition === undefined || !/^\d{1,9}$/.test(partition)) throw partitionNotFound()
  return Number(partition)
}

function topicNotFound(): KafkaRefusal {
  return new KafkaRefusal(40401, 'Topic not found.')
}

function partitionNotFound(): KafkaRefusal {
  return new KafkaRefusal(40402, 'Partition not found.')
}

// Produce ----------------------------------------------------------------------------------------

async function produce(kafka: Kafka, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, topic, , partition] = call.segments('/kafka')
  const into = partition === undefined ? undefined : partitionOf(call)
  const format = formatOf(call.request)
  const { records } = objectOf(parseJson(await call.body(), keepNumber))
  if (!Array.isArray(records)) throw unprocessable('records is not an array')
  if (records.length > call.limits.commands) {
    throw new KafkaRefusal(41300, `there are more than ${call.limits.commands} records`)
  }
  const messages = records.map((record) => messageOf(record, topic as string, into, format))
  const results = await kafka.producer.sendSettled(messages, call.options)
  return produced(results, messages)
}

/** Long numbers in JSON records go on as they came. */
function keepNumber(this: unknown, _: string, value: unknown, context?: { source?: string }) {
  if (typeof value !== 'number' || context?.source === undefined) return value
  return String(value) === context.source ? value : rawJson(context.source)
}

/** Not in TypeScript's library yet. https://github.com/tc39/proposal-json-parse-with-source */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }

/** @throws KafkaRefusal 415 for what is neither; without a format it is binary, as with Confluent. */
function formatOf({ headers }: Request): Format {
  const given = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (given === typeOf.json) return 'json'
  if (given === typeOf.binary || given === type) return 'binary'
  throw new KafkaRefusal(41500, `the content type is neither ${typeOf.binary} nor ${typeOf.json}`)
}

function messageOf(
  record: unknown,
  topic: string,
  into: number | undefined,
  format: Format,
): OutgoingMessage {
  const { key, value, partition, timestamp, headers } = objectOf(record)
  return {
    topic,
    key: payloadOf(key, format),
    value: payloadOf(value, format),
    partition: integerOf(partition, 'partition') ?? into,
    timestamp: integerOf(timestamp, 'timestamp'),
    headers: headers === undefined || headers === null ? undefined : headersOf(headers),
  }
}

function payloadOf(payload: unknown, format: Format): Uint8Array | string | null {
  if (payload === undefined || payload === null) return null
  return format === 'json' ? JSON.stringify(payload) : base64(payload)
}

function base64(text: unknown): Uint8Array {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z\d+/]*={0,2}$/.test(text)) {
    throw unprocessable('a key, value or header is not base64')
  }
  return Buffer.from(text, 'base64')
}

function integerOf(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null) return undefined
  if (!Number.isSafeInteger(value)) throw unprocessable(`a ${name} is not a whole number`)
  return value as number
}

function headersOf(headers: unknown): [string, Uint8Array | null][] {
  if (!Array.isArray(headers)) throw unprocessable('headers are not an array')
  return headers.map((header) => {
    const { key, value } = objectOf(header)
    if (typeof key !== 'string') throw unprocessable('the key of a header is not a text')
    return [key, value === null || value === undefined ? null : base64(value)]
  })
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unprocessable('the body, a record or a header is not an object')
  }
  return value as Record<string, unknown>
}

function produced(
  results: readonly ItemResult<RecordMetadata>[],
  messages: readonly OutgoingMessage[],
): Answer {
  const failedItems = new Map<number, Failed>()
  const items = results.map((result, i) => {
    if (result.status === 'fulfilled') {
      const { partition, offset } = result.value
      return `{"partition":${partition},"offset":${offset},"error_code":null,"error":null}`
    }
    const { reason } = result
    failedItems.set(i, reason)
    // Kafka's own answer does not say which of the two is unknown.
    const unknown = messages[i]?.partition === undefined ? 40401 : 40402
    const code = reason.kind === 'not-found' ? unknown : errorCodeOf(reason)
    const error = JSON.stringify(reason.message)
    return `{"partition":null,"offset":null,"error_code":${code},"error":${error}}`
  })
  if (failedItems.size > 0 && failedItems.size === results.length) {
    // All of one topic, so that it is the topic.
    if (isEvery(failedItems, 'not-found')) {
      throw messages.some(({ partition }) => partition === undefined)
        ? topicNotFound()
        : partitionNotFound()
    }
  }
  const body = `{"offsets":[${items.join(',')}],"key_schema_id":null,"value_schema_id":null}`
  return { type, body, failedItems }
}

function isEvery(failed: ReadonlyMap<number, Failed>, kind: Failed['kind']): boolean {
  return [...failed.values()].every((error) => error.kind === kind)
}

// Consume ----------------------------------------------------------------------------------------

async function create(instances: ConsumerInstances, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, group] = call.segments('/kafka') as [string, string]
  const { name, settings } = settingsOf(objectOf((await call.jsonIfAny()) ?? {}))
  const instance = instances.create(group, name, settings, call.limits)
  const { origin } = new URL(call.request.url)
  const path = ['consumers', group, 'instances', instance.name].map(encodeURIComponent).join('/')
  return json({ instance_id: instance.name, base_uri: `${origin}/kafka/${path}` })
}

const flags: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [undefined, true],
  [true, true],
  ['true', true],
  [false, false],
  ['false', false],
])

/** @throws KafkaRefusal for what is not known too: what it asks for could be the opposite of what it gets. */
function settingsOf(body: Record<string, unknown>): {
  name: string | undefined
  settings: InstanceSettings
} {
  const {
    id,
    name = id,
    format = 'binary',
    'auto.offset.reset': reset = 'latest',
    'auto.commit.enable': confluent,
    'enable.auto.commit': commit = confluent,
    // They say how long and for how much a read waits at least; it does not wait for more than a message.
    'fetch.min.bytes': _,
    'consumer.request.timeout.ms': __,
    ...unknown
  } = body
  const refuse = (what: string) =>
    new KafkaRefusal(42204, `Invalid consumer configuration: ${what}`)
  if (Object.keys(unknown).length > 0) throw refuse('a setting is not known')
  if (name !== undefined && (typeof name !== 'string' || !/^[^\p{C}]{1,255}$/u.test(name))) {
    throw refuse('name is not 1 to 255 printable characters')
  }
  if (format !== 'binary' && format !== 'json') throw refuse('format is neither binary nor json')
  if (reset !== 'earliest' && reset !== 'latest') {
    throw refuse('auto.offset.reset is neither earliest nor latest')
  }
  const autoCommit = flags.get(commit)
  if (autoCommit === undefined) throw refuse('auto.commit.enable is neither true nor false')
  return { name, settings: { format, from: reset, autoCommit } }
}

function instanceOf(instances: ConsumerInstances, call: Call): ConsumerInstance {
  requireFull(call.access)
  const [, group, , name] = call.segments('/kafka') as [string, string, string, string]
  return instances.get(group, name)
}

async function remove(instances: ConsumerInstances, call: Call): Promise<Answer> {
  const { group, name } = instanceOf(instances, call)
  await instances.delete(group, name)
  return noContent
}

async function subscribe(instances: ConsumerInstances, call: Call): Promise<Answer> {
  const instance = instanceOf(instances, call)
  const { topics } = objectOf(await call.json())
  if (!Array.isArray(topics) || !topics.every((topic) => typeof topic === 'string')) {
    throw unprocessable('topics is not an array of names')
  }
  await instance.subscribe(topics, call)
  return noContent
}

async function records(instances: ConsumerInstances, call: Call): Promise<Answer> {
  const instance = instanceOf(instances, call)
  const { format } = instance.settings
  const accept = call.request.headers.get('accept') ?? '*/*'
  if (/\bvnd\.kafka\.\w+\.v2\+json/i.test(accept) && !accept.includes(typeOf[format])) {
    throw new KafkaRefusal(
      40601,
      'The requested embedded data format does not match the deserializer for this consumer instance',
    )
  }
  const { pollMs, bodyBytes } = call.limits
  const messages = await instance.read(
    {
      waitMs: parameter(call, 'timeout', 1000, pollMs),
      maxBytes: parameter(call, 'max_bytes', bodyBytes, bodyBytes),
    },
    call,
  )
  return {
    type: typeOf[format],
    body: `[${messages.map((each) => recordJson(each, format)).join(',')}]`,
  }
}

/** Of the query: what is above the limit is the limit, as with Confluent; -1 means the default. */
function parameter(call: Call, name: string, fallback: number, limit: number): number {
  const value = new URL(call.request.url).searchParams.get(name)
  if (value === null || value === '-1') return Math.min(fallback, limit)
  if (!/^\d{1,19}$/.test(value)) throw unprocessable(`${name} is not a whole number`)
  return Math.min(Number(value), limit)
}

function recordJson(message: KafkaMessage, format: Format): string {
  const { topic, partition, offset, timestamp, keyBytes, valueBytes, headerList } = message
  const write = format === 'json' ? embedded : encoded
  const headers = headerList.map(
    ([name, value]) => `{"key":${JSON.stringify(name)},"value":${encoded(value)}}`,
  )
  return (
    `{"topic":${JSON.stringify(topic)},"key":${write(keyBytes)},"value":${write(valueBytes)},` +
    `"partition":${partition},"offset":${offset},"timestamp":${timestamp?.getTime() ?? null},` +
    `"headers":[${headers.join(',')}]}`
  )
}

function encoded(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const { buffer, byteOffset, byteLength } = bytes
  return `"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`
}

/** As it is, digits and all. */
function embedded(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = new TextDecoder().decode(bytes)
  try {
    JSON.parse(text)
    return text
  } catch {
    throw new KafkaRefusal(
      50002,
      'a message is not JSON: only a consumer of the binary format can read it',
    )
  }
}

async function commit(instances: ConsumerInstances, call: Call): Promise<Answer> {
  const instance = instanceOf(instances, call)
  const body = await call.jsonIfAny()
  await instance.commit(body === undefined ? undefined : doneOf(objectOf(body)), call)
  return json([])
}

async function lag(instances: ConsumerInstances, call: Call): Promise<Answer> {
  const lags = await instanceOf(instances, call).lag(call)
  const items = lags.map(
    ({ topic, partition, lag }) =>
      `{"topic":${JSON.stringify(topic)},"partition":${partition},"lag":${lag}}`,
  )
  return { type, body: `[${items.join(',')}]` }
}

/** An offset says that its message is done: the next to read is the one after it. -1: none is done. */
function doneOf({ offsets }: Record<string, unknown>): TopicPartitionOffset[] | undefined {
  if (offsets === undefined) return undefined
  if (!Array.isArray(offsets)) throw unprocessable('offsets is not an array')
  return offsets.map((each) => {
    const { topic, partition, offset } = objectOf(each)
    if (
      typeof topic !== 'string' ||
      !Number.isInteger(partition) ||
      !/^(-1|\d{1,18})$/.test(`${offset}`)
    ) {
      throw unprocessable('an offset is not { topic, partition, offset }')
    }
    return { topic, partition: partition as number, offset: BigInt(offset as number | string) + 1n }
  })
}
