import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { withContext } from '../../src/core/index.ts'
import type { KafkaMessage } from '../../src/kafka/index.ts'
import { cutShort, type Handler, reset, silence } from '../chaos/http.ts'
import { collect, failure, fresh } from './platformatic.ts'
import { connect, type ServerName, standIn } from './rest.ts'
import type { StandIn } from './stand-ins/server.ts'

const names: readonly ServerName[] = ['confluent', 'karapace', 'strimzi', 'redpanda']
const letters = (count: number) => Array.from({ length: count }, (_, i) => String(i))
const values = (messages: readonly KafkaMessage[]) => messages.map(({ value }) => value)

/** A topic with messages `0`, `1`, ... and a consumer that has joined and read the first. */
async function reading(name: ServerName, count = 6) {
  const server = await standIn(name)
  const topic = fresh('topic')
  server.log.topics.set(topic, [[]])
  const kafka = connect({ url: server.url, dialect: name }, { retry: false })
  await kafka.producer.send(letters(count).map((value) => ({ topic, value })))
  const group = fresh('group')
  const consumer = kafka.consumer({ group, topics: topic, from: 'earliest' })
  const [first] = await collect1(consumer)
  return { server, topic, kafka, group, consumer, first: first! }
}

async function collect1(consumer: { poll: (options: object) => Promise<KafkaMessage[]> }) {
  for (;;) {
    const messages = await consumer.poll({ max: 1, waitMs: 1000 })
    if (messages.length > 0) return messages
  }
}

/** The next poll of the server's goes wrong like this, after the server has read what is in its reply. */
function once_(server: StandIn, handler: Handler): void {
  server.before = ({ path }) => {
    if (!path.includes('/records')) return undefined
    server.before = undefined
    for (const { group, name } of server.instances.values()) {
      server.log.read(group, name, Number.MAX_SAFE_INTEGER)
    }
    return handler
  }
}

describe.each(names)('a consumer of %s', (name) => {
  test('whose instance is lost goes on from what is committed', async () => {
    const { server, topic, kafka, group, consumer, first } = await reading(name, 1)
    await consumer.commit(first)
    await kafka.producer.send(letters(4).map((value) => ({ topic, value })))
    server.forget()
    expect(values(await collect(consumer, 4))).toEqual(letters(4))
    await consumer.commit()
    expect(server.log.committed(group).get(`${topic}:0`)).toBe(5)
  })

  test.each([
    ['is cut', cutShort('[{"topic":"t","partition":0,"offset":1}]')],
    ['is reset', reset],
    ['is garbage', ((_, response) => response.end('<html>')) satisfies Handler],
    ['is a 502', ((_, response) => response.writeHead(502).end()) satisfies Handler],
  ])('loses nothing when a reply %s', async (_, handler) => {
    const { server, consumer, first, topic, kafka } = await reading(name, 1)
    await consumer.commit(first)
    await kafka.producer.send(letters(4).map((value) => ({ topic, value })))
    once_(server, handler)
    const error = await failure(consumer.poll({ waitMs: 100 }))
    expect(error.outcome).toBe('not-applied')
    expect(values(await collect(consumer, 4))).toEqual(letters(4))
    // The one before did not keep the partition.
    expect(server.instances.size).toBe(1)
  })

  test('loses nothing when a poll is cancelled, or out of time', async () => {
    const { server, consumer, first, topic, kafka } = await reading(name, 1)
    await consumer.commit(first)
    await kafka.producer.send(letters(4).map((value) => ({ topic, value })))
    once_(server, silence)
    const controller = new AbortController()
    const asked = once(server, 'request')
    const cancelled = consumer.poll({ waitMs: 1000, signal: controller.signal })
    await asked
    controller.abort()
    expect(await failure(cancelled)).toMatchObject({ code: 'KAFKA_ABORTED' })
    once_(server, silence)
    expect(await failure(consumer.poll({ waitMs: 1, timeoutMs: 200 }))).toMatchObject({
      code: 'KAFKA_TIMEOUT',
    })
    expect(values(await collect(consumer, 4))).toEqual(letters(4))
  })

  test('that Kafka has put out of its group commits nothing of what others have now', async () => {
    const { server, topic, kafka, group, consumer, first } = await reading(name)
    const [instance] = server.instances.values()
    server.log.leave(group, instance!.name)
    const other = kafka.consumer({ group, topics: topic, from: 'earliest' })
    expect(values(await collect(other, 6))).toEqual(letters(6))
    // Some say 500 of whatever Kafka says.
    const unclear = { code: 'KAFKA_UNAVAILABLE', outcome: 'unknown' }
    const clear = { code: 'KAFKA_CONFLICT', outcome: 'not-applied' }
    const expected = name === 'strimzi' || name === 'karapace' ? unclear : clear
    expect(await failure(consumer.commit(first))).toMatchObject(expected)
    expect(server.log.committed(group).has(`${topic}:0`)).toBe(false)
    await other.close()
    expect(values(await collect(consumer, 6))).toEqual(letters(6))
  })

  test('whose instance is lost may commit while nobody else is in the group', async () => {
    const { server, topic, group, consumer, first } = await reading(name)
    server.forget()
    if (name === 'redpanda') {
      // There an instance is always a member, so that this cannot be told from another's partition.
      expect(await failure(consumer.commit(first))).toMatchObject({ code: 'KAFKA_CONFLICT' })
      return
    }
    await consumer.commit(first)
    expect(server.log.committed(group).get(`${topic}:0`)).toBe(1)
    expect(values(await collect(consumer, 5))).toEqual(letters(6).slice(1))
  })

  test('that gave up a poll may commit what it had before', async () => {
    const { server, topic, group, consumer, first } = await reading(name, 1)
    once_(server, reset)
    await failure(consumer.poll({ waitMs: 100 }))
    await consumer.commit(first)
    expect(server.log.committed(group).get(`${topic}:0`)).toBe(1)
  })

  test('may commit before it reads: for functions that read in one call and commit in another', async () => {
    const { server, topic, kafka } = await reading(name)
    const group = fresh('group')
    const consumer = kafka.consumer({ group, topics: topic, from: 'earliest' })
    await consumer.commitOffsets([{ topic, partition: 0, offset: 4n }])
    expect(server.log.committed(group).get(`${topic}:0`)).toBe(4)
    expect(values(await collect(consumer, 2))).toEqual(['4', '5'])
    expect([...server.instances.values()].filter((each) => each.group === group)).toHaveLength(1)
  })

  test('leaves nothing behind at the server', async () => {
    const { server, consumer } = await reading(name)
    expect(server.instances.size).toBe(1)
    await consumer.close()
    expect(server.instances.size).toBe(0)
  })
})

test('two polls that find no instance do not go on for ever: its requests reach several processes', async () => {
  const { server, consumer } = await reading('confluent', 1)
  server.before = ({ path }) => {
    if (path.includes('/records')) server.forget()
    return undefined
  }
  expect(await failure(consumer.poll({ waitMs: 5000 }))).toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: expect.stringContaining('several processes'),
  })
})

test('a name of its own is free again for the instance that follows', async () => {
  const { server, topic, kafka } = await reading('confluent')
  const options = { group: fresh('group'), topics: topic, from: 'earliest' } as const
  const consumer = kafka.consumer({ ...options, instance: 'mine' })
  await collect1(consumer)
  once_(server, reset)
  for (let i = 0; i < 5; i++) await consumer.poll({ max: 1, waitMs: 1000 })
  await failure(consumer.poll({ waitMs: 100 }))
  expect(values(await collect(consumer, 6))).toEqual(letters(6))
  expect([...server.instances.keys()]).toContain(`${options.group} mine`)
})

test('a server that is down, or refuses the token, costs no instance', async () => {
  const { server, consumer, topic, kafka } = await reading('confluent', 1)
  const before = [...server.instances.keys()]
  server.before = () => (_, response) => response.writeHead(401).end()
  expect(await failure(consumer.poll({ waitMs: 100 }))).toMatchObject({
    code: 'KAFKA_UNAUTHENTICATED',
  })
  server.before = () => (_, response) => response.writeHead(429, { 'retry-after': '2' }).end()
  expect(await failure(consumer.poll({ waitMs: 100 }))).toMatchObject({
    code: 'KAFKA_THROTTLED',
    retryAfterMs: 2000,
  })
  server.before = undefined
  await kafka.producer.send({ topic, value: 'next' })
  expect(values(await collect(consumer, 1))).toEqual(['next'])
  expect([...server.instances.keys()]).toEqual(before)
})

test('close never hangs, and what is abandoned is tidied up after the reply', async () => {
  const { server, consumer } = await reading('confluent')
  server.before = () => silence
  const work: Promise<unknown>[] = []
  await withContext({ waitUntil: (promise) => work.push(promise) }, async () => {
    for (let i = 0; i < 5; i++) await consumer.poll({ max: 1, waitMs: 0 })
    await failure(consumer.poll({ waitMs: 0, timeoutMs: 100 }))
  })
  expect(work).toHaveLength(1)
  const gone = once(server, 'abandoned')
  await consumer.close()
  await Promise.all([gone, ...work])
})

test('a poll ends with what it has when the server answers too early with nothing', async () => {
  const { server, consumer } = await reading('confluent', 1)
  let polls = 0
  server.before = ({ path }) => {
    if (!path.includes('/records')) return undefined
    polls++
    return (_, response) => response.end('[]')
  }
  expect(await consumer.poll({ waitMs: 300 })).toEqual([])
  expect(polls).toBeGreaterThan(1)
  expect(polls).toBeLessThan(12)
})

test('offsets beyond 2^53 are exact, in and out', async () => {
  const { server, consumer, topic } = await reading('strimzi', 1)
  const offset = 9_007_199_254_740_993n
  server.before = ({ path, body }) => {
    if (path.endsWith('/offsets')) expect(body).toContain(`"offset":${offset + 1n}}`)
    return (_, response) =>
      path.includes('/records')
        ? response.end(
            `[{"topic":"${topic}","partition":0,"offset":${offset},"key":null,"value":"eA=="}]`,
          )
        : response.writeHead(204).end()
  }
  const [message] = await consumer.poll({ waitMs: 100 })
  expect(message?.offset).toBe(offset)
  await consumer.commit(message)
})
