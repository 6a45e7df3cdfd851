import { describe, expect, test } from 'vitest'
import { rest } from '../../adapters/kafka/rest.ts'
import { type ItemResult, isInfraError } from '../../src/core/index.ts'
import type { RecordMetadata } from '../../src/kafka/index.ts'
import { json } from '../chaos/http.ts'
import { failure, fresh } from './platformatic.ts'
import { connect, type ServerName, standIn } from './rest.ts'

async function producing(name: ServerName, partitions = 1) {
  const server = await standIn(name)
  const topic = fresh('topic')
  server.log.topics.set(
    topic,
    Array.from({ length: partitions }, () => []),
  )
  const kafka = connect({ url: server.url, dialect: name }, { retry: false })
  return { server, topic, kafka, producer: kafka.producer }
}

const fate = (item: ItemResult<RecordMetadata> | undefined) =>
  item?.status === 'fulfilled' ? item.value.offset : item?.reason

describe('of the messages of one request, each has its own fate', () => {
  test.each([
    ['confluent', 'KAFKA_UNAVAILABLE', 'unknown'],
    ['karapace', 'KAFKA_UNAVAILABLE', 'unknown'],
    ['strimzi', 'KAFKA_UNAVAILABLE', 'unknown'],
  ] as const)('%s', async (name, code, outcome) => {
    const { server, topic, producer } = await producing(name)
    server.refused.add(Buffer.from('bad').toString('base64'))
    const values = ['a', 'bad', 'b']
    const items = await producer.sendSettled(values.map((value) => ({ topic, value })))
    expect(fate(items[0])).toBe(0n)
    expect(fate(items[1])).toMatchObject({ code, outcome })
    expect(fate(items[2])).toBe(1n)
    const error = await failure(producer.send(values.map((value) => ({ topic, value }))))
    expect(error).toMatchObject({ outcome: 'partial' })
    expect(error.items).toHaveLength(3)
    expect(error.message).not.toContain('secret')
  })

  test('redpanda: the fate of a partition is that of all its messages, by Kafka’s own numbers', async () => {
    const { server, topic, producer } = await producing('redpanda', 2)
    server.refused.add(Buffer.from('bad').toString('base64'))
    const items = await producer.sendSettled([
      { topic, partition: 0, value: 'a' },
      { topic, partition: 1, value: 'bad' },
      { topic, partition: 0, value: 'b' },
      { topic, partition: 7, value: 'c' },
    ])
    expect(fate(items[0])).toBe(0n)
    expect(fate(items[1])).toMatchObject({ code: 'KAFKA_TIMEOUT', outcome: 'unknown' })
    expect(fate(items[2])).toBe(1n)
    expect(fate(items[3])).toMatchObject({ code: 'KAFKA_NOT_FOUND', outcome: 'not-applied' })
  })

  test('redpanda: what would follow a message that failed is not sent', async () => {
    const { server, topic, producer } = await producing('redpanda')
    server.refused.add(Buffer.from('bad').toString('base64'))
    const messages = ['bad', 'a', 'b'].map((value) => ({ topic, value }))
    const items = await producer.sendSettled([...messages, { topic, partition: 0, value: 'c' }])
    expect(fate(items[0])).toMatchObject({ outcome: 'unknown' })
    expect(fate(items[1])).toMatchObject({ outcome: 'not-applied' })
    expect(fate(items[2])).toMatchObject({ outcome: 'not-applied' })
    expect(fate(items[3])).toBe(0n)
    expect(server.log.topics.get(topic)).toMatchObject([[{ value: 'Yw==' }]])
  })

  test('a topic that does not exist is no matter of the others', async () => {
    for (const name of ['confluent', 'karapace', 'strimzi', 'redpanda'] as const) {
      const { topic, producer } = await producing(name)
      const none = fresh('none')
      const items = await producer.sendSettled([
        { topic: none, key: 'k', value: 'a' },
        { topic, key: 'k', value: 'b' },
      ])
      expect(fate(items[0])).toMatchObject({ code: 'KAFKA_NOT_FOUND', outcome: 'not-applied' })
      expect(fate(items[1])).toBe(0n)
      const error = await failure(producer.send({ topic: none, value: 'a' }))
      expect(error).toMatchObject({ code: 'KAFKA_NOT_FOUND', outcome: 'not-applied' })
      expect(error.message).not.toContain(none)
    }
  })
})

test('a batch is one request for each topic', async () => {
  const { server, topic, producer } = await producing('confluent', 3)
  await Promise.all(Array.from({ length: 50 }, (_, i) => producer.send({ topic, value: `${i}` })))
  expect(server.requests.map(({ method }) => method)).toEqual(['POST'])
})

test('what is null is left out: servers take it for bytes, or not at all', async () => {
  const { server, topic, producer } = await producing('confluent')
  await producer.send({ topic, value: 'x' })
  expect(JSON.parse(server.requests[0]!.body)).toEqual({ records: [{ value: 'eA==' }] })
})

test('the number of partitions is asked for once, and only where the server needs it', async () => {
  const { server, topic, producer } = await producing('karapace', 3)
  for (let i = 0; i < 3; i++) await producer.send({ topic, key: 'k', value: 'x' })
  expect(server.requests.filter(({ method }) => method === 'GET')).toHaveLength(1)
})

test('offsets beyond 2^53 are exact', async () => {
  const { server, topic, producer } = await producing('confluent')
  server.before = () => (_, response) => {
    response.setHeader('content-type', 'application/vnd.kafka.v2+json')
    response.end('{"offsets":[{"partition":0,"offset":9007199254740993}]}')
  }
  expect(await producer.send({ topic, value: 'x' })).toEqual({
    topic,
    partition: 0,
    offset: 9_007_199_254_740_993n,
  })
})

test('the gateway’s own header says what became of each message', async () => {
  const { server, topic } = await producing('confluent')
  const kafka = connect({ url: server.url, dialect: 'dualport' }, { retry: false })
  const failed = { partition: null, offset: null, error_code: 50003, error: 'secret' }
  server.before = () =>
    json({ offsets: [{ partition: 0, offset: 5 }, failed, failed] }, 200, {
      'dualport-error': '1=KAFKA_THROTTLED;not-applied;7, 2=KAFKA_TIMEOUT;unknown',
    })
  const items = await kafka.producer.sendSettled(['a', 'b', 'c'].map((value) => ({ topic, value })))
  expect(fate(items[0])).toBe(5n)
  expect(fate(items[1])).toMatchObject({
    code: 'KAFKA_THROTTLED',
    outcome: 'not-applied',
    retryAfterMs: 7,
  })
  expect(fate(items[2])).toMatchObject({ code: 'KAFKA_TIMEOUT', outcome: 'unknown' })
})

describe('credentials', () => {
  test('none, a token, or a name and a password', async () => {
    const { server, topic } = await producing('confluent')
    const sent = async (credentials: object) => {
      server.requests.length = 0
      const kafka = connect({ url: server.url, dialect: 'confluent', ...credentials })
      await kafka.producer.send({ topic, value: 'x' })
      return server.requests[0]?.headers.authorization
    }
    expect(await sent({})).toBeUndefined()
    expect(await sent({ token: 't' })).toBe('Bearer t')
    const basic = `Basic ${Buffer.from('ü:p:w').toString('base64')}`
    expect(await sent({ username: 'ü', password: 'p:w' })).toBe(basic)
    expect(await sent({ username: 'ü', password: async () => 'p:w' })).toBe(basic)
  })

  test('a function is asked again when its answer was refused, once', async () => {
    const { server, topic } = await producing('confluent')
    server.before = ({ headers }) =>
      headers.authorization === 'Bearer new' ? undefined : json({ error_code: 401 }, 401)
    const tokens = ['old', 'new', 'newer']
    const kafka = connect({ url: server.url, token: () => tokens.shift()! })
    await kafka.producer.send({ topic, value: 'x' })
    expect(tokens).toEqual(['newer'])
    const refused = connect({ url: server.url, token: () => 'old' })
    expect(await failure(refused.producer.send({ topic, value: 'x' }))).toMatchObject({
      code: 'KAFKA_UNAUTHENTICATED',
      outcome: 'not-applied',
    })
  })
})

test.each([
  { url: 'not a url' },
  { url: 'http://host/?query' },
  { dialect: 'klingon' },
  { token: 'a b' },
  { token: 't', username: 'u', password: 'p' },
  { username: 'u' },
  { username: 'u:v', password: 'p' },
  { password: 'p' },
  { maxRequestBytes: 0 },
  { retries: 3 },
])('%o is refused at construction', (options) => {
  const make = () => rest({ url: 'http://127.0.0.1', ...(options as object) })
  expect(make).toThrow(expect.objectContaining({ code: 'KAFKA_CONFIG' }))
  try {
    make()
  } catch (error) {
    expect(isInfraError(error)).toBe(true)
  }
})

describe('which server it is', () => {
  test('is asked once', async () => {
    const { server, topic } = await producing('strimzi')
    const kafka = connect({ url: server.url })
    await kafka.producer.send({ topic, value: 'x' })
    await kafka.producer.send({ topic, value: 'x', headers: { a: 'b' } })
    expect(server.requests.filter(({ path }) => path === '/')).toHaveLength(1)
  })

  test('is no outcome of a message: nothing was sent', async () => {
    const { server, topic } = await producing('strimzi')
    server.before = () => (_, response) => response.writeHead(503).end()
    const kafka = connect({ url: server.url }, { retry: false })
    expect(await failure(kafka.producer.send({ topic, value: 'x' }))).toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      outcome: 'not-applied',
    })
  })

  test('a page of some other server is none', async () => {
    const { server, topic } = await producing('strimzi')
    for (const status of [200, 404]) {
      server.before = () => (_, response) => response.writeHead(status).end('<html>')
      const kafka = connect({ url: server.url })
      expect(await failure(kafka.producer.send({ topic, value: 'x' }))).toMatchObject({
        code: 'KAFKA_CONFIG',
        message: expect.stringContaining('dialect'),
      })
    }
  })
})
