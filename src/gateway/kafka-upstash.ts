import type { ItemResult } from '../core/index.ts'
import { formatFailures } from '../core/wire.ts'
import type {
  Kafka,
  KafkaMessage,
  OutgoingMessage,
  RecordMetadata,
  TopicPartition,
  TopicPartitionOffset,
} from '../kafka/index.ts'
import {
  type Answer,
  type Call,
  type Face,
  type Failed,
  Refusal,
  statusFor,
  wireFailure,
} from './face.ts'
import type { ConsumerInstance, ConsumerInstances, InstanceSettings } from './kafka-consumers.ts'
import { requireFull } from './kafka-refusal.ts'

/**
 * The Upstash Kafka REST protocol, as @upstash/kafka speaks it.
 * https://upstash.com/docs/kafka/rest/restintro
 * `GET /topics` is in Kafka REST v2 as well, which has the route.
 */
export function upstashFace(kafka: Kafka, instances: ConsumerInstances): Face {
  const both = (handle: (call: Call) => Promise<Answer>) => ({ GET: handle, POST: handle })
  const send = both((call) => produce(kafka, call))
  const read = both((call) => consume(instances, call))
  const remove = (call: Call) => deleteConsumer(instances, call)
  return {
    name: 'kafka',
    routes: {
      '/produce': send,
      '/produce/:topic': send,
      '/produce/:topic/:message': send,
      '/consume/:group/:instance': read,
      '/consume/:group/:instance/:topic': read,
      '/commit/:group/:instance': both((call) => commit(instances, call)),
      '/committed/:group/:instance': both((call) => committed(kafka, call)),
      '/offsets/:at': both((call) => offsets(kafka, call)),
      '/fetch': both(async () => {
        throw refused('fetch is not available; consume with a group of your own')
      }),
      '/consumers': { GET: async () => json(consumers(instances)) },
      '/delete-consumer/:group/:instance': { POST: remove, DELETE: remove },
    },
    failure: upstashFailure,
  }
}

/** Whether `GET /topics` is asked by a client of this protocol: it always sends a password. */
export function isUpstash({ headers }: Request): boolean {
  return (
    /^basic /i.test(headers.get('authorization') ?? '') &&
    !headers.get('accept')?.includes('vnd.kafka')
  )
}

/** `result` is what @upstash/kafka shows of an error beside its text: our adapter reads it. */
export function upstashFailure(error: Failed): Answer {
  return json(JSON.stringify(failed(error)))
}

function failed(error: Failed): object {
  const result = formatFailures({ whole: wireFailure(error, 'kafka'), items: new Map() })
  return { error: error.message, status: statusFor(error), result }
}

function json(body: string): Answer {
  return { type: 'application/json', body }
}

const success = json('{"result":"Success","status":200}')

function refused(message: string): Refusal {
  return new Refusal('unsupported', message)
}

function invalid(message: string): Refusal {
  return new Refusal('invalid', message)
}

// Topics -----------------------------------------------------------------------------------------

/** Each with the count of its partitions. */
export async function upstashTopics(kafka: Kafka, call: Call): Promise<Answer> {
  const names = await kafka.admin.listTopics(call.options)
  const topics = await kafka.admin.describeTopics(names, call.options)
  const counts = topics.map(({ name, partitions }) => [name, partitions.length] as const)
  return json(JSON.stringify(Object.fromEntries(counts)))
}

async function committed(kafka: Kafka, call: Call): Promise<Answer> {
  const [, group] = call.segments('/kafka') as [string, string]
  const asked = partitionsOf(await call.json())
  const found = await kafka.admin.committedOffsets(group, asked, call.options)
  return json(positions(asked, found))
}

async function offsets(kafka: Kafka, call: Call): Promise<Answer> {
  const [, at] = call.segments('/kafka') as [string, string]
  if (at !== 'earliest' && at !== 'latest' && !/^\d{1,15}$/.test(at)) {
    throw invalid('the time is neither earliest nor latest nor milliseconds since the epoch')
  }
  const asked = partitionsOf(await call.json())
  const time = at === 'earliest' || at === 'latest' ? at : new Date(Number(at))
  return json(positions(asked, await kafka.admin.offsets(asked, time, call.options)))
}

/** What a group has not committed is left out. */
function positions(
  asked: readonly TopicPartition[],
  found: readonly (bigint | undefined)[],
): string {
  const parts = asked.flatMap(({ topic, partition }, i) =>
    found[i] === undefined
      ? []
      : [`{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${found[i]}}`],
  )
  return `[${parts.join(',')}]`
}

function partitionsOf(body: unknown): TopicPartition[] {
  return listOf(body).map((item) => {
    const { topic, partition } = objectOf(item)
    if (typeof topic !== 'string' || !Number.isInteger(partition)) {
      throw invalid('the body is not { topic, partition }, or an array of them')
    }
    return { topic, partition: partition as number }
  })
}

function listOf(body: unknown): unknown[] {
  return Array.isArray(body) ? body : [body]
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw invalid('the body is not an object')
  return value as Record<string, unknown>
}

// Produce ----------------------------------------------------------------------------------------

async function produce(kafka: Kafka, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, topic, message] = call.segments('/kafka')
  if (message !== undefined) {
    const key = new URL(call.request.url).searchParams.get('key')
    const sent = await kafka.producer.send({ topic, value: message, key }, call.options)
    return json(metadata(sent, undefined))
  }
  const body = listOf(await call.json())
  if (body.length > call.limits.commands) {
    throw new Refusal('invalid', `there are more than ${call.limits.commands} messages`, 413)
  }
  const messages = body.map((each) => messageOf(objectOf(each), topic))
  return produced(await kafka.producer.sendSettled(messages, call.options), messages)
}

interface UpstashMessage extends OutgoingMessage {
  readonly timestamp: number | undefined
}

function messageOf(message: Record<string, unknown>, into: string | undefined): UpstashMessage {
  const { topic = into, key, value, partition, timestamp, headers } = message
  if (typeof topic !== 'string') throw invalid('a message names no topic')
  if (typeof value !== 'string' && value !== null) throw invalid('a value is not a text')
  return {
    topic,
    value,
    key: optional<string>(key, 'key', 'string'),
    partition: optional<number>(partition, 'partition', 'number'),
    timestamp: optional<number>(timestamp, 'timestamp', 'number'),
    headers: headers === undefined || headers === null ? undefined : headersOf(headers),
  }
}

function optional<T>(value: unknown, name: string, type: 'string' | 'number'): T | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== type) throw invalid(`a ${name} is not a ${type}`)
  return value as T
}

function headersOf(headers: unknown): [string, string | null][] {
  return listOf(headers).map((header) => {
    const { key, value = null } = objectOf(header)
    if (typeof key !== 'string' || (typeof value !== 'string' && value !== null)) {
      throw invalid('a header is not { key, value }')
    }
    return [key, value]
  })
}

/** Kafka tells the time only where the broker gives it; elsewhere it is the message's own, or about now. */
function metadata(
  { topic, partition, offset, timestamp }: RecordMetadata,
  given: number | undefined,
): string {
  return (
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},` +
    `"timestamp":${timestamp?.getTime() ?? given ?? Date.now()}}`
  )
}

/** The protocol has no partial failure: @upstash/kafka repeats all of what fails as a whole, stored or not. */
function produced(
  results: readonly ItemResult<RecordMetadata>[],
  messages: readonly UpstashMessage[],
): Answer {
  const failedItems = new Map<number, Failed>()
  const items = results.map((result, i) => {
    if (result.status === 'fulfilled') return metadata(result.value, messages[i]?.timestamp)
    failedItems.set(i, result.reason)
    return JSON.stringify(failed(result.reason))
  })
  const [first] = failedItems.values()
  if (first !== undefined && failedItems.size === results.length) throw first
  return { ...json(`[${items.join(',')}]`), failedItems }
}

// Consume ----------------------------------------------------------------------------------------

async function consume(instances: ConsumerInstances, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, group, name, inPath] = call.segments('/kafka') as [string, string, string, string?]
  const { topic = inPath, topics = [topic], timeout } = objectOf((await call.jsonIfAny()) ?? {})
  if (!Array.isArray(topics) || !topics.every((each) => typeof each === 'string')) {
    throw invalid('there is no topic, or one is not a text')
  }
  const { pollMs, bodyBytes } = call.limits
  const waitMs = Math.min(waitOf(timeout ?? query(call, 'timeout')), pollMs)
  const instance: ConsumerInstance =
    instances.find(group, name) ??
    instances.create(group, name, settingsOf(call.request.headers), call.limits)
  await instance.subscribe(topics, call)
  const messages = await instance.read({ waitMs, maxBytes: bodyBytes }, call)
  return json(`[${messages.map(messageJson).join(',')}]`)
}

function query(call: Call, name: string): string | undefined {
  return new URL(call.request.url).searchParams.get(name) ?? undefined
}

function waitOf(timeout: unknown): number {
  if (timeout === undefined || timeout === null) return 1000
  if (!/^\d{1,9}$/.test(`${timeout}`)) throw invalid('the timeout is not a whole number')
  return Number(timeout)
}

/** They count when the consumer is made, and are not looked at later. */
function settingsOf(headers: Headers): InstanceSettings {
  const from = headers.get('kafka-auto-offset-reset') ?? 'latest'
  const autoCommit = headers.get('kafka-enable-auto-commit') ?? 'true'
  const session = headers.get('kafka-session-timeout-ms') ?? undefined
  if (from === 'none') throw refused('Kafka-Auto-Offset-Reset: none is not available')
  if (from !== 'earliest' && from !== 'latest') {
    throw invalid('Kafka-Auto-Offset-Reset is neither earliest nor latest')
  }
  if (autoCommit !== 'true' && autoCommit !== 'false') {
    throw invalid('Kafka-Enable-Auto-Commit is neither true nor false')
  }
  if (session !== undefined && !/^[1-9]\d{0,8}$/.test(session)) {
    throw invalid('Kafka-Session-Timeout-Ms is not a whole number')
  }
  return {
    from,
    autoCommit: autoCommit === 'true',
    format: 'binary',
    sessionTimeoutMs: session === undefined ? undefined : Number(session),
  }
}

function messageJson(message: KafkaMessage): string {
  const { topic, partition, offset, timestamp, key, value, headerList } = message
  const headers = headerList.map(([name, bytes]) => ({
    key: name,
    value: bytes === null ? null : new TextDecoder().decode(bytes),
  }))
  return (
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},` +
    `"timestamp":${timestamp?.getTime() ?? 0},"key":${JSON.stringify(key)},` +
    `"value":${JSON.stringify(value)},"headers":${JSON.stringify(headers)}}`
  )
}

async function commit(instances: ConsumerInstances, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, group, name] = call.segments('/kafka') as [string, string, string]
  const instance = instances.get(group, name)
  const body = await call.jsonIfAny()
  const given = body === undefined || body === null ? [] : listOf(body)
  await instance.commit(given.length === 0 ? undefined : given.map(positionOf), call)
  return success
}

/** As Kafka itself means it, and as `/committed` gives it back: the next message to read. */
function positionOf(item: unknown): TopicPartitionOffset {
  const { topic, partition, offset } = objectOf(item)
  if (
    typeof topic !== 'string' ||
    !Number.isInteger(partition) ||
    !/^\d{1,18}$/.test(`${offset}`)
  ) {
    throw invalid('the body is not { topic, partition, offset }, or an array of them')
  }
  return { topic, partition: partition as number, offset: BigInt(offset as number | string) }
}

async function deleteConsumer(instances: ConsumerInstances, call: Call): Promise<Answer> {
  requireFull(call.access)
  const [, group, name] = call.segments('/kafka') as [string, string, string]
  await instances.delete(group, name)
  return success
}

/** Those of this process, with what the group has given them. */
function consumers(instances: ConsumerInstances): string {
  // Not objects: a group or a topic may be called `__proto__`.
  const groups = new Map<string, { name: string; topics: object[] }[]>()
  for (const { group, name, assigned } of instances.all()) {
    const partitions = new Map<string, number[]>()
    for (const { topic, partition } of assigned) append(partitions, topic, partition)
    const topics = [...partitions].map(([topic, partitions]) => ({ topic, partitions }))
    append(groups, group, { name, topics })
  }
  return JSON.stringify([...groups].map(([name, instances]) => ({ name, instances })))
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
