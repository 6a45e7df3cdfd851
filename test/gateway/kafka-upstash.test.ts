import { randomUUID } from 'node:crypto'
import { Kafka as Upstash } from '@upstash/kafka'
import { describe, expect, test } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import { startKafkaGateway } from '../kafka/gateway.ts'

const kafka = await engine('kafka')
const gateway = kafka.missing === undefined ? await startKafkaGateway(kafka.brokers) : undefined!
const upstash =
  kafka.missing === undefined
    ? new Upstash({ url: gateway.url, username: 'anyone', password: gateway.token })
    : undefined!

async function topicOf(partitions = 1): Promise<string> {
  const topic = randomUUID()
  await kafka.createTopic(topic, partitions)
  return topic
}

type ConsumeRequest = Parameters<ReturnType<Upstash['consumer']>['consume']>[0]

/** Asks until there are so many messages. */
async function consume(request: ConsumeRequest, count: number) {
  const messages = []
  const due = Date.now() + 15_000
  while (messages.length < count && Date.now() < due) {
    messages.push(...(await upstash.consumer().consume({ timeout: 500, ...request })))
  }
  return messages
}

describe('@upstash/kafka itself', { ...needs(kafka), timeout: 30_000 }, () => {
  test('produces and consumes', async () => {
    const topic = await topicOf(2)
    const producer = upstash.producer()
    const sent = await producer.produce(
      topic,
      { hello: 'world' },
      {
        partition: 1,
        timestamp: 1_700_000_000_000,
        key: 'k',
        headers: [{ key: 'trace', value: '1' }],
      },
    )
    expect(sent).toMatchObject({ topic, partition: 1, offset: 0 })
    const many = await producer.produceMany([
      { topic, value: 'a', partition: 1 },
      { topic, value: 'b', partition: 1 },
    ])
    expect(many.map(({ offset }) => offset)).toEqual([1, 2])

    const request = {
      consumerGroupId: randomUUID(),
      instanceId: 'one',
      topics: [topic],
      autoOffsetReset: 'earliest' as const,
    }
    expect(await consume(request, 3)).toMatchObject([
      {
        topic,
        partition: 1,
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: 'k',
        value: '{"hello":"world"}',
        headers: [{ key: 'trace', value: '1' }],
      },
      { value: 'a', offset: 1 },
      { value: 'b', offset: 2 },
    ])
  })

  test('commits, by offset or all that was consumed, and tells what is committed', async () => {
    const topic = await topicOf()
    const producer = upstash.producer()
    await producer.produceMany(['a', 'b', 'c'].map((value) => ({ topic, value })))
    const consumer = upstash.consumer()
    const instance = { consumerGroupId: randomUUID(), instanceId: 'one' }
    const settings = { topics: [topic], autoCommit: false, autoOffsetReset: 'earliest' as const }
    expect(await consume({ ...instance, ...settings }, 3)).toHaveLength(3)

    const topicPartitions = [{ topic, partition: 0 }]
    expect(await consumer.committed({ ...instance, topicPartitions })).toEqual([])
    await consumer.commit({ ...instance, offset: { topic, partition: 0, offset: 2 } })
    expect(await consumer.committed({ ...instance, topicPartitions })).toEqual([
      { topic, partition: 0, offset: 2 },
    ])
    await consumer.commit(instance)
    expect(await consumer.committed({ ...instance, topicPartitions })).toEqual([
      { topic, partition: 0, offset: 3 },
    ])
  })

  test('commits by itself what the request before has given', async () => {
    const topic = await topicOf()
    await upstash.producer().produceMany(['a', 'b'].map((value) => ({ topic, value })))
    const instance = { consumerGroupId: randomUUID(), instanceId: 'one' }
    const request = { ...instance, topics: [topic], autoOffsetReset: 'earliest' as const }
    await consume(request, 2)
    const topicPartitions = [{ topic, partition: 0 }]
    const consumer = upstash.consumer()
    expect(await consumer.committed({ ...instance, topicPartitions })).toEqual([])
    await consumer.consume({ ...request, timeout: 10 })
    expect(await consumer.committed({ ...instance, topicPartitions })).toMatchObject([
      { offset: 2 },
    ])
  })

  test('is told the time that it gave a message', async () => {
    const topic = await topicOf()
    const timestamp = 1_700_000_000_000
    const sent = await upstash.producer().produce(topic, 'a', { timestamp })
    expect(sent).toEqual({ topic, partition: 0, offset: 0, timestamp })
  })

  test('a group may be called __proto__', async () => {
    const topic = await topicOf()
    const instance = { consumerGroupId: '__proto__', instanceId: randomUUID() }
    await upstash.consumer().consume({ ...instance, topics: [topic], timeout: 10 })
    expect(await upstash.admin().consumers()).toContainEqual({
      name: '__proto__',
      instances: [{ name: instance.instanceId, topics: [{ topic, partitions: [0] }] }],
    })
    await upstash.admin().removeConsumerInstance(instance.consumerGroupId, instance.instanceId)
  })

  test('tells topics, offsets and consumers, and removes a consumer', async () => {
    const topic = await topicOf(3)
    await upstash.producer().produce(topic, 'a', { partition: 2 })
    const admin = upstash.admin()
    expect(await admin.topics()).toMatchObject({ [topic]: 3 })
    const topicPartition = { topic, partition: 2 }
    const asked = { consumerGroupId: 'g', instanceId: 'i', topicPartition }
    expect(await admin.topicPartitionOffsets({ ...asked, timestamp: 'earliest' })).toMatchObject([
      { offset: 0 },
    ])
    expect(await admin.topicPartitionOffsets({ ...asked, timestamp: 'latest' })).toMatchObject([
      { offset: 1 },
    ])
    const group = randomUUID()
    const request = {
      consumerGroupId: group,
      instanceId: 'one',
      topics: [topic],
      autoOffsetReset: 'earliest' as const,
    }
    await consume(request, 1)
    const found = (await admin.consumers()).find(({ name }) => name === group)
    expect(found?.instances).toMatchObject([
      { name: 'one', topics: [{ topic, partitions: [0, 1, 2] }] },
    ])
    await admin.removeConsumerInstance(group, 'one')
    expect((await admin.consumers()).some(({ name }) => name === group)).toBe(false)
  })
})

describe('its protocol', needs(kafka), () => {
  const ask = async (path: string, body?: unknown, authorization?: string) => {
    const basic = Buffer.from(`anyone:${gateway.token}`).toString('base64')
    const response = await fetch(gateway.url + path, {
      method: 'POST',
      headers: {
        authorization: authorization ?? `Basic ${basic}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  test('a wrong password, a topic that does not exist, a body that cannot be', async () => {
    const wrong = `Basic ${Buffer.from('anyone:wrong').toString('base64')}`
    expect((await ask('/produce', { topic: 'a', value: 'b' }, wrong)).status).toBe(401)
    const missing = await ask('/produce', { topic: randomUUID(), value: 'b' })
    expect(missing).toMatchObject({ status: 404, body: { status: 404, error: expect.any(String) } })
    expect((await ask('/produce', { topic: 'a' })).status).toBe(400)
    expect((await ask('/produce', [])).status).toBe(200)
    expect((await ask('/consume/g/i', { topics: [1] })).status).toBe(400)
    expect((await ask('/offsets/yesterday', [])).status).toBe(400)
  })

  test('reading at an offset without a group is not available, and says so', async () => {
    const answer = await ask('/fetch', { topic: 'a', partition: 0, offset: 0 })
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining('fetch') } })
  })
})
