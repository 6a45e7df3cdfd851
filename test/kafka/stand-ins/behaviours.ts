import type { DialectName } from '../../../adapters/kafka/rest/dialects.ts'
import type { ReceivedRequest } from '../../chaos/http.ts'
import type { Log, LogRecord, Stored } from './log.ts'
import { type Behaviour, binary, Refusal, v2 } from './server.ts'

// Each as its sources have it. What they say of strict servers is checked: a request that a real one would
// not take fails here too.

const isRecords = (path: readonly string[]) => path.at(-1) === 'records'
const isProduce = ({ method }: ReceivedRequest, path: readonly string[]) =>
  method === 'POST' && path[0] === 'topics'

/** The fields that a server knows; it refuses a record with any other. */
function onlyFields(record: object, fields: readonly string[], refusal: Refusal): void {
  if (Object.keys(record).some((field) => !fields.includes(field))) throw refusal
}

function plain({ key, value }: { key?: unknown; value?: unknown }): LogRecord {
  return {
    key: (key as string | undefined) ?? null,
    value: (value as string | undefined) ?? null,
    timestamp: 1_700_000_000_000,
    headers: [],
  }
}

function int(value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : (value as number)
}

/** Answers as soon as there is something. */
async function promptly(log: Log, group: string, name: string, ms: number, maxBytes = Infinity) {
  const due = performance.now() + ms
  for (;;) {
    const records = log.read(group, name, maxBytes)
    if (records.length > 0 || performance.now() >= due) return records
    await log.wait(due - performance.now())
  }
}

const limits = (query: URLSearchParams) => ({
  timeout: Number(query.get('timeout')),
  maxBytes: Number(query.get('max_bytes') ?? Infinity),
})

const bare = ({ topic, key, value, partition, offset }: Stored) => ({
  topic,
  key,
  value,
  partition,
  offset,
})

const confluent: Behaviour = {
  root: () => ({ body: {} }),
  check(request, path) {
    const { method, headers } = request
    if (method === 'POST' && headers['content-type'] !== (isProduce(request, path) ? binary : v2)) {
      throw new Refusal(415, 415)
    }
    if (isRecords(path) && headers.accept !== binary) throw new Refusal(406, 40601)
  },
  recordOf: (record) => ({ record: plain(record), partition: int(record.partition) }),
  produced: (stored) => ({
    body: {
      offsets: stored.map((item) => ({ error_code: null, error: null, ...item })),
      key_schema_id: null,
      value_schema_id: null,
    },
  }),
  failedItem: (why) => ({
    partition: null,
    offset: null,
    error_code: why === 'partition' ? 50002 : 50003,
    error: 'secret',
  }),
  settings: (body) => ({
    reset: (body['auto.offset.reset'] as string) ?? 'latest',
    autoCommit: body['auto.commit.enable'] !== 'false',
  }),
  notFound: (what) => new Refusal(404, what === 'topic' ? 40401 : 40403),
  exists: () => new Refusal(409, 40902),
  stale: () => new Refusal(500, 50002),
  joinsToCommit: false,
  stored: (offset) => offset + 1,
  committed: { body: [] },
  poll(log, { group, name }, query) {
    const { timeout, maxBytes } = limits(query)
    // No poll lasts longer than consumer.request.timeout.ms, whatever it asks for.
    return promptly(log, group, name, Math.min(timeout, 1000), maxBytes)
  },
  read: bare,
  describe: true,
  create({ method, body }, path, log) {
    if (path[0] !== 'v3') return undefined
    if (method === 'GET')
      return { type: 'application/json', body: { data: [{ cluster_id: 'c1' }] } }
    const { topic_name, partitions_count = 1 } = JSON.parse(body)
    if (log.topics.has(topic_name)) throw new Refusal(400, 40002)
    log.topics.set(
      topic_name,
      Array.from({ length: partitions_count }, () => []),
    )
    return { status: 201, type: 'application/json', body: { topic_name } }
  },
}

const karapace: Behaviour = {
  ...confluent,
  root: () => ({ type: 'application/json', body: {} }),
  check(request, path) {
    confluent.check(request, path)
    if (request.method === 'POST' && request.body === '') throw new Refusal(400, 400)
  },
  recordOf(record) {
    onlyFields(record, ['key', 'value', 'partition'], new Refusal(422, 422))
    const { key, value, ...rest } = plain(record)
    return { record: { ...rest, key, value: value ?? '' }, partition: int(record.partition) }
  },
  // librdkafka's partitioner is not that of Java's clients.
  partitionOf: (log, topic, key) => (key?.length ?? 0) % (log.topics.get(topic)?.length ?? 1),
  produced: (stored) => ({
    status: stored.some((item) => 'error' in item) ? 500 : 200,
    body: { offsets: stored, key_schema_id: null, value_schema_id: null },
  }),
  failedItem: () => ({ error_code: 1, error: 'secret' }),
  stale: () => new Refusal(500, 500),
  committed: { status: 204 },
  async poll(log, { group, name }, query) {
    const { timeout, maxBytes } = limits(query)
    const due = performance.now() + timeout
    const records: Stored[] = []
    // Whatever there is, it waits for more until the time is over.
    do {
      records.push(...log.read(group, name, maxBytes))
      await log.wait(due - performance.now())
    } while (performance.now() < due)
    return records
  },
  read: ({ timestamp, ...record }) => ({
    ...bare({ timestamp, ...record }),
    timestamp,
    value: record.value || null,
    key: record.key || null,
  }),
  create: () => undefined,
}

const strimzi: Behaviour = {
  ...confluent,
  root: () => ({ type: 'application/json', body: { bridge_version: '0.33.0' } }),
  check(request, path) {
    const { method, headers, path: url } = request
    const type = isProduce(request, path) ? binary : v2
    if (method === 'POST' && headers['content-type'] !== type) throw new Refusal(415, 415)
    if (headers.accept !== (isRecords(path) ? binary : v2)) throw new Refusal(406, 406)
    // Records beyond it are lost behind a 422.
    if (url.includes('max_bytes')) throw new Refusal(422, 422)
  },
  recordOf(record) {
    const fields = ['key', 'value', 'partition', 'timestamp', 'headers']
    onlyFields(record, fields, new Refusal(400, 400))
    const { key, value, headers, timestamp, partition } = record
    // The schema of the API has no null.
    if ([key, value, timestamp, partition].includes(null)) throw new Refusal(400, 400)
    return {
      record: {
        ...plain(record),
        ...(timestamp !== undefined && { timestamp: timestamp as number }),
        headers: (headers as LogRecord['headers']) ?? [],
      },
      partition: int(partition),
    }
  },
  produced: (offsets) => ({ body: { offsets } }),
  failedItem: (why) => ({ error_code: why === 'partition' ? 404 : 500, message: 'secret' }),
  settings(body) {
    const known = ['name', 'format', 'auto.offset.reset', 'enable.auto.commit', 'fetch.min.bytes']
    onlyFields(body, known, new Refusal(400, 400))
    const { 'enable.auto.commit': autoCommit = true, 'auto.offset.reset': reset = 'latest' } = body
    if (typeof autoCommit !== 'boolean') throw new Refusal(400, 400)
    return { reset: reset as string, autoCommit }
  },
  notFound: () => new Refusal(404, 404),
  exists: () => new Refusal(409, 409),
  stale: () => new Refusal(500, 500),
  stored: (offset) => offset,
  committed: { status: 204 },
  poll: (log, { group, name }, query) => promptly(log, group, name, limits(query).timeout),
  read: ({ timestamp, headers, ...record }) => ({
    ...record,
    timestamp,
    ...(headers.length > 0 && { headers }),
  }),
  create({ method, body }, path, log) {
    if (method !== 'POST' || path.join('/') !== 'admin/topics') return undefined
    const { topic_name, partitions_count = 1, ...unknown } = JSON.parse(body)
    onlyFields(unknown, ['replication_factor'], new Refusal(400, 400))
    if (log.topics.has(topic_name)) throw new Refusal(500, 500)
    log.topics.set(
      topic_name,
      Array.from({ length: partitions_count }, () => []),
    )
    return { status: 201 }
  },
}

const redpanda: Behaviour = {
  ...confluent,
  root: () => ({
    status: 404,
    type: 'application/json',
    headers: { server: 'Seastar httpd' },
    body: { message: 'Not found', code: 404 },
  }),
  check(request, path) {
    confluent.check(request, path)
    if (request.method === 'DELETE' && request.headers['content-type'] !== v2) {
      throw new Refusal(415, 415)
    }
  },
  recordOf(record) {
    onlyFields(record, ['key', 'value', 'partition'], new Refusal(422, 422))
    if (Object.values(record).includes(null)) throw new Refusal(422, 422)
    return { record: plain(record), partition: int(record.partition) }
  },
  // One item for each partition, with the offset of the first of its records.
  produced: (stored) => ({
    body: {
      offsets: [...new Map(stored.toReversed().map((item) => [item.partition, item])).values()],
    },
  }),
  failedItem: (why, partition) => ({
    partition,
    error_code: why === 'partition' ? 3 : 7,
    offset: -1,
  }),
  settings(body) {
    onlyFields(
      body,
      ['name', 'format', 'auto.offset.reset', 'auto.commit.enable'],
      new Refusal(422, 422),
    )
    if (body['auto.offset.reset'] !== 'earliest') throw new Refusal(400, 40002)
    if (body['auto.commit.enable'] !== 'false') throw new Refusal(400, 40002)
    return { reset: 'earliest', autoCommit: false }
  },
  notFound: (what) => new Refusal(404, what === 'topic' ? 40402 : 40403),
  stale: () => new Refusal(400, 40002),
  joinsToCommit: true,
  stored: (offset) => offset,
  committed: { status: 204 },
  poll(log, { group, name }, query) {
    const { timeout, maxBytes } = limits(query)
    return promptly(log, group, name, timeout, maxBytes)
  },
  read: (record) => ({ ...bare(record), key: record.key || null, value: record.value || null }),
  describe: false,
  create: () => undefined,
}

export const behaviours: Readonly<Record<Exclude<DialectName, 'dualport'>, Behaviour>> = {
  confluent,
  karapace,
  strimzi,
  redpanda,
}
