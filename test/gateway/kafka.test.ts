import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rest } from '../../adapters/kafka/rest.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { engine, needs } from '../engines/index.ts'
import { startKafkaGateway } from '../kafka/gateway.ts'
import { readOnlyToken } from './gateway.ts'

const kafka = await engine('kafka')
const gateway = kafka.missing === undefined ? await startKafkaGateway(kafka.brokers) : undefined!

const v2 = 'application/vnd.kafka.v2+json'
const binary = 'application/vnd.kafka.binary.v2+json'
const jsonFormat = 'application/vnd.kafka.json.v2+json'
const base64 = (text: string) => Buffer.from(text).toString('base64')

async function topicOf(partitions = 1): Promise<string> {
  const topic = randomUUID()
  await kafka.createTopic(topic, partitions)
  return topic
}

interface Sent {
  readonly type?: string
  readonly accept?: string
  readonly body?: unknown
  readonly token?: string
  readonly signal?: AbortSignal
  readonly to?: { readonly url: string }
}

/** One request as a client of Kafka REST v2 sends it. */
async function ask(method: string, path: string, sent: Sent = {}) {
  const { type = v2, accept = v2, body, token = gateway.token, signal, to = gateway } = sent
  const response = await fetch(to.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': type, accept },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

/** A consumer instance that reads the topic from its start. Gives its path. */
async function consumerOf(topic: string, settings: object = {}, to?: { readonly url: string }) {
  const group = randomUUID()
  const made = await ask('POST', `/consumers/${group}`, {
    body: {
      format: 'binary',
      'auto.offset.reset': 'earliest',
      'auto.commit.enable': 'false',
      ...settings,
    },
    ...(to && { to }),
  })
  expect(made.status).toBe(200)
  const path = `/consumers/${group}/instances/${made.body.instance_id}`
  const body = { topics: [topic] }
  const subscribed = await ask('POST', `${path}/subscription`, { body, ...(to && { to }) })
  expect(subscribed).toMatchObject({ status: 204, body: undefined })
  return { path, group, baseUri: made.body.base_uri as string }
}

/** Polls until there are so many records. */
async function recordsOf(path: string, count: number, accept = binary) {
  const records: { value: unknown; offset: number }[] = []
  const due = Date.now() + 15_000
  while (records.length < count && Date.now() < due) {
    const { status, body } = await ask('GET', `${path}/records?timeout=500`, { accept })
    expect(status).toBe(200)
    records.push(...body)
  }
  return records
}

describe('Kafka REST v2', { ...needs(kafka), timeout: 30_000 }, () => {
  test('the requests of Confluent’s quick start', async () => {
    const topic = await topicOf()
    const produced = await ask('POST', `/topics/${topic}`, {
      type: jsonFormat,
      body: '{"records":[{"value":{"foo":"bar"}},{"key":7,"value":12345678901234567890}]}',
    })
    expect(produced).toMatchObject({
      status: 200,
      type: v2,
      body: {
        offsets: [
          { partition: 0, offset: 0, error_code: null, error: null },
          { partition: 0, offset: 1, error_code: null, error: null },
        ],
        key_schema_id: null,
        value_schema_id: null,
      },
    })

    const group = randomUUID()
    const made = await ask('POST', `/consumers/${group}`, {
      body: { name: 'my_consumer_instance', format: 'json', 'auto.offset.reset': 'earliest' },
    })
    expect(made.body).toEqual({
      instance_id: 'my_consumer_instance',
      base_uri: `${gateway.url}/consumers/${group}/instances/my_consumer_instance`,
    })
    const path = `/consumers/${group}/instances/my_consumer_instance`
    await ask('POST', `${path}/subscription`, { body: { topics: [topic] } })
    const due = Date.now() + 15_000
    let text = '[]'
    while (text === '[]' && Date.now() < due) {
      const response = await fetch(`${gateway.url}${path}/records`, {
        headers: { authorization: `Bearer ${gateway.token}`, accept: jsonFormat },
      })
      text = await response.text()
    }
    // Long numbers keep their digits.
    expect(text).toContain('"value":12345678901234567890')
    expect(JSON.parse(text)[0]).toMatchObject({
      topic,
      key: null,
      value: { foo: 'bar' },
      partition: 0,
      offset: 0,
    })
    expect(await ask('DELETE', path)).toMatchObject({ status: 204 })
    expect(await ask('GET', `${path}/records`)).toMatchObject({
      status: 404,
      body: { error_code: 40403 },
    })
  })

  test('topics, a topic, its partitions and their offsets', async () => {
    const topic = await topicOf(2)
    expect((await ask('GET', '/topics')).body).toContain(topic)
    expect((await ask('GET', `/topics/${topic}`)).body).toMatchObject({
      name: topic,
      partitions: [{ partition: 0 }, { partition: 1, replicas: [{ in_sync: true, leader: true }] }],
    })
    expect((await ask('GET', `/topics/${topic}/partitions/1`)).body).toMatchObject({ partition: 1 })
    await ask('POST', `/topics/${topic}/partitions/1`, {
      type: binary,
      body: { records: [{ value: base64('a') }] },
    })
    expect((await ask('GET', `/topics/${topic}/partitions/1/offsets`)).body).toEqual({
      beginning_offset: 0,
      end_offset: 1,
    })
  })

  test.each([
    ['a topic that does not exist', 'GET', () => `/topics/${randomUUID()}`, 404, 40401],
    [
      'a partition that does not exist',
      'GET',
      (topic: string) => `/topics/${topic}/partitions/9`,
      404,
      40402,
    ],
    [
      'a partition that is none',
      'GET',
      (topic: string) => `/topics/${topic}/partitions/x`,
      404,
      40402,
    ],
    ['a path that is not there', 'GET', () => '/nothing', 404, 404],
    ['a method that is not there', 'DELETE', (topic: string) => `/topics/${topic}`, 405, 405],
    [
      'an instance that does not exist',
      'GET',
      () => `/consumers/g/instances/i/records`,
      404,
      40403,
    ],
  ])('%s', async (_, method, path, status, code) => {
    const answer = await ask(method, path(await topicOf()))
    expect(answer.status).toBe(status)
    if (code !== 404 || answer.body.error_code !== undefined) {
      expect(answer.body).toMatchObject({ error_code: code, message: expect.any(String) })
    }
  })

  test.each([
    ['no JSON', binary, '{', 400],
    ['no records', binary, {}, 422],
    ['a record that is no object', binary, { records: [1] }, 422],
    ['invalid base64', binary, { records: [{ value: 'a' }] }, 422],
    ['base64 of the URL-safe kind', binary, { records: [{ value: '__--' }] }, 422],
    ['half a partition', binary, { records: [{ value: 'YQ==', partition: 0.5 }] }, 422],
    ['a header without a key', binary, { records: [{ value: 'YQ==', headers: [{}] }] }, 422],
    ['a format that is not known', 'application/vnd.kafka.avro.v2+json', { records: [] }, 415],
    ['no content type of Kafka’s', 'text/plain', { records: [] }, 415],
  ])('%s is refused, and nothing of it is in the answer', async (_, type, body, status) => {
    const topic = await topicOf()
    const answer = await ask('POST', `/topics/${topic}`, { type, body })
    expect(answer.status).toBe(status)
    const { body: offsets } = await ask('GET', `/topics/${topic}/partitions/0/offsets`)
    expect(offsets.end_offset).toBe(0)
  })

  test('some records of one request fail: status 200, and each with its own error', async () => {
    const topic = await topicOf()
    const { status, body, headers } = await ask('POST', `/topics/${topic}`, {
      type: binary,
      body: { records: [{ value: 'YQ==' }, { value: 'YQ==', partition: 9 }, { value: 'YQ==' }] },
    })
    expect(status).toBe(200)
    expect(body.offsets).toMatchObject([
      { offset: 0, error_code: null },
      { offset: null, error_code: 40402 },
      { offset: 1, error_code: null },
    ])
    expect(headers.get('dualport-error')).toBe('1=KAFKA_NOT_FOUND;not-applied')
  })

  test('a commit of offset N goes on with N + 1, as with Confluent', async () => {
    const topic = await topicOf()
    const records = ['a', 'b', 'c'].map((value) => ({ value: base64(value) }))
    await ask('POST', `/topics/${topic}`, { type: binary, body: { records } })
    const { path, group } = await consumerOf(topic)
    expect(await recordsOf(path, 3)).toHaveLength(3)
    const committed = await ask('POST', `${path}/offsets`, {
      body: { offsets: [{ topic, partition: 0, offset: 1 }] },
    })
    expect(committed.status).toBe(200)
    const { admin } = gateway.kafka
    expect(await admin.committedOffsets(group, [{ topic, partition: 0 }])).toEqual([2n])
    // Without offsets: all that was given out.
    expect((await ask('POST', `${path}/offsets`)).status).toBe(200)
    expect(await admin.committedOffsets(group, [{ topic, partition: 0 }])).toEqual([3n])
  })

  test('a poll whose client has gone loses nothing', async () => {
    const topic = await topicOf()
    const { path } = await consumerOf(topic)
    expect(await recordsOf(path, 0)).toEqual([])
    for (let i = 0; i < 3; i++) {
      const gone = new AbortController()
      const polled = ask('GET', `${path}/records?timeout=5000`, {
        accept: binary,
        signal: gone.signal,
      })
      setTimeout(() => gone.abort(), 20 * i)
      await expect(polled).rejects.toThrow('aborted')
    }
    await ask('POST', `/topics/${topic}`, {
      type: binary,
      body: { records: [{ value: base64('kept') }] },
    })
    expect(await recordsOf(path, 1)).toMatchObject([{ value: base64('kept'), offset: 0 }])
  })

  test.each([
    'true',
    'false',
  ])('an answer that did not arrive is given again, commit by itself: %s', async (commit) => {
    const topic = await topicOf()
    const { path, group } = await consumerOf(topic, { 'auto.commit.enable': commit })
    await ask('POST', `/topics/${topic}`, {
      type: binary,
      body: { records: [{ value: base64('a') }, { value: base64('b') }] },
    })
    const gone = new AbortController()
    const request = new Request(`${gateway.url}${path}/records?timeout=15000`, {
      headers: { authorization: `Bearer ${gateway.token}`, accept: binary },
      signal: gone.signal,
    })
    // As a server does when the connection breaks before all of the answer is on its way.
    const answer = await gateway.gateway.fetch(request)
    expect(await answer.json()).toHaveLength(2)
    gone.abort()
    expect((await ask('POST', `${path}/offsets`)).status).toBe(200)
    const { admin } = gateway.kafka
    expect(await admin.committedOffsets(group, [{ topic, partition: 0 }])).toEqual([undefined])
    expect(await recordsOf(path, 2)).toMatchObject([{ offset: 0 }, { offset: 1 }])
  })

  test('a commit of -1 goes on with the first message', async () => {
    const topic = await topicOf()
    const { path, group } = await consumerOf(topic)
    await recordsOf(path, 0)
    const partition = { topic, partition: 0 }
    const body = { offsets: [{ ...partition, offset: -1 }] }
    expect((await ask('POST', `${path}/offsets`, { body })).status).toBe(200)
    expect(await gateway.kafka.admin.committedOffsets(group, [partition])).toEqual([0n])
  })

  test('a consumer that is deleted while it reads is gone at once', async () => {
    const { path } = await consumerOf(await topicOf())
    const reading = ask('GET', `${path}/records?timeout=30000`, { accept: binary })
    const inTurn = ask('GET', `${path}/records?timeout=30000`, { accept: binary })
    expect((await ask('DELETE', path)).status).toBe(204)
    for (const answer of [await reading, await inTurn]) {
      expect(answer).toMatchObject({ status: 404, body: { error_code: 40403 } })
    }
  })

  test('the consumer’s format, and no other, is what its records are in', async () => {
    const { path } = await consumerOf(await topicOf())
    expect(await ask('GET', `${path}/records`, { accept: jsonFormat })).toMatchObject({
      status: 406,
      body: { error_code: 40601 },
    })
  })

  test('an instance’s name is taken once', async () => {
    const group = randomUUID()
    const body = { name: 'one', format: 'binary' }
    expect((await ask('POST', `/consumers/${group}`, { body })).status).toBe(200)
    expect(await ask('POST', `/consumers/${group}`, { body })).toMatchObject({
      status: 409,
      body: { error_code: 40902 },
    })
    await ask('DELETE', `/consumers/${group}/instances/one`)
    expect((await ask('POST', `/consumers/${group}`, { body })).status).toBe(200)
  })

  test.each([
    { 'auto.offset.reset': 'none' },
    { format: 'avro' },
    { name: '' },
    { 'auto.commit.enable': 'maybe' },
    { 'max.poll.records': 1 },
  ])('a setting of a consumer that cannot be: %o', async (settings) => {
    expect(await ask('POST', '/consumers/g', { body: settings })).toMatchObject({
      status: 422,
      body: { error_code: 42204 },
    })
  })

  test('who may do what', async () => {
    const topic = await topicOf()
    const records = { type: binary, body: { records: [{ value: 'YQ==' }] } }
    const wrong = { ...records, token: 'wrong' }
    expect((await ask('POST', `/topics/${topic}`, wrong)).status).toBe(401)
    const reader = { ...records, token: readOnlyToken }
    expect(await ask('POST', `/topics/${topic}`, reader)).toMatchObject({
      status: 403,
      body: { error_code: 40301 },
    })
    // To consume moves the group, so it is no reading.
    expect((await ask('POST', '/consumers/g', { body: {}, token: readOnlyToken })).status).toBe(403)
    expect((await ask('GET', '/topics', { token: readOnlyToken })).status).toBe(200)
  })

  test('idle consumers leave their group, and there are only so many', async () => {
    const topic = await topicOf()
    const small = await startKafkaGateway(kafka.brokers, {
      limits: { consumers: 1, consumerIdleMs: 300 },
    })
    const { path } = await consumerOf(topic, {}, small)
    expect(await ask('POST', '/consumers/other', { body: {}, to: small })).toMatchObject({
      status: 429,
      body: { error_code: 42900 },
    })
    await expect
      .poll(async () => (await ask('POST', '/consumers/other', { body: {}, to: small })).status, {
        timeout: 10_000,
      })
      .toBe(200)
    expect((await ask('GET', `${path}/records`, { to: small })).body.error_code).toBe(40403)
  })

  test('two gateways behind a balancer: an instance of the other one is a clear error', async () => {
    const topic = await topicOf()
    const limits = { consumerIdleMs: 1000 }
    const one = await startKafkaGateway(kafka.brokers, { limits })
    const other = await startKafkaGateway(kafka.brokers, { limits })
    const { path } = await consumerOf(topic, {}, one)
    const elsewhere = await ask('GET', `${path}/records`, { accept: binary, to: other })
    expect(elsewhere).toMatchObject({
      status: 404,
      body: { error_code: 40403, message: expect.stringContaining('another gateway process') },
    })
    expect(elsewhere.headers.get('dualport-error')).toBe('KAFKA_NOT_FOUND;not-applied')

    // Our own client goes on all the same, from what is committed, once the first gateway has let go.
    let turn = 0
    const balanced = new Kafka(
      rest({
        url: one.url,
        token: one.token,
        dialect: 'dualport',
        fetch: (input, init) => {
          const to = turn++ < 8 ? one : other
          return fetch(String(input).replace(one.url, to.url), init)
        },
      }),
      { logger: false },
    )
    onTestFinished(() => balanced.close())
    const records = Array.from({ length: 20 }, (_, i) => ({ value: base64(String(i)) }))
    await ask('POST', `/topics/${topic}`, { type: binary, body: { records } })
    const consumer = balanced.consumer({ group: randomUUID(), topics: topic, from: 'earliest' })
    const seen = new Set<string | null>()
    const due = Date.now() + 20_000
    while (seen.size < 20 && Date.now() < due) {
      const messages = await consumer.poll({ max: 2, waitMs: 300 }).catch(() => [])
      for (const { value } of messages) seen.add(value)
      await consumer.commit().catch(() => {})
    }
    expect(seen.size).toBe(20)
  })
})
