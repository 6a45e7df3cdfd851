import { describe, expect, test } from 'vitest'
import { dialects } from '../../adapters/kafka/rest/dialects.ts'
import { type KafkaMessage, partitionForKey } from '../../src/kafka/index.ts'
import { needs } from '../engines/index.ts'
import { collect, failure, fresh } from './platformatic.ts'
import { connect, gatewayServer, serverOf } from './rest.ts'

const names = ['confluent', 'karapace', 'strimzi', 'redpanda', 'dualport'] as const
const gateway = await gatewayServer()
const bytes = new Uint8Array([0, 0xff, 0xc3, 0x28, 0x80, 10, 13])
const utf8 = new TextEncoder()

/** Each dialect against the server that speaks it, or a stand-in that behaves as its sources say. */
const servers = names.map((name) => [name, name === 'dualport' ? gateway : serverOf(name)] as const)

for (const [name, server] of servers) {
  describe(name, needs(server), () => {
    const can = dialects[name].capabilities
    const client = async (options = {}) =>
      connect({ ...(await server.options()), dialect: name, ...options })
    const values = (messages: readonly KafkaMessage[]) => messages.map(({ value }) => value)
    const where = ({ partition, offset }: { partition: number; offset: bigint }) =>
      `${partition}:${offset}`

    test(`is told by its root (${server.what})`, async () => {
      const kafka = connect(await server.options())
      // Before it is known, nothing that it may be able to do is refused.
      expect(kafka.capabilities).toMatchObject({ headers: true, from: ['earliest', 'latest'] })
      await kafka.health()
      const { maxRequestBytes } = dialects[name]
      expect(kafka.capabilities).toEqual({ ...can, maxRequestBytes })
    })

    test.skipIf(can.headers)(
      'what it lacks is refused by the first call, before it is sent',
      async () => {
        const kafka = connect(await server.options())
        const topic = await server.topic()
        const sent = kafka.producer.send({ topic, value: 'a', headers: { a: '1' } })
        await expect(sent).rejects.toMatchObject({ kind: 'unsupported', outcome: 'not-applied' })
        expect((await kafka.producer.send({ topic, value: 'b' })).offset).toBe(0n)
      },
    )

    test('bytes survive in keys and values', async () => {
      const kafka = await client()
      const topic = await server.topic()
      await kafka.producer.send({ topic, key: bytes, value: bytes.toReversed() })
      await kafka.producer.send({ topic, value: 'ключ' })
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      const [first, second] = await collect(consumer, 2)
      expect(first).toMatchObject({ topic, partition: 0, keyBytes: bytes })
      expect(first?.valueBytes).toEqual(bytes.toReversed())
      expect(second).toMatchObject({ keyBytes: null, value: 'ключ' })
    })

    test('every message is where the reply says, and a key’s where Kafka’s clients put it', async () => {
      const kafka = await client()
      const topic = await server.topic(3)
      const messages = Array.from({ length: 30 }, (_, i) => ({
        topic,
        value: `value-${i}`,
        ...(i % 3 === 0 && { key: `key-${i % 4}` }),
        ...(i % 3 === 1 && { partition: i % 2 }),
      }))
      const stored = await kafka.producer.send(messages)
      messages.forEach(({ key, partition }, i) => {
        if (partition !== undefined) expect(stored[i]?.partition).toBe(partition)
        if (key !== undefined) {
          expect(stored[i]?.partition).toBe(partitionForKey(utf8.encode(key), 3))
        }
      })
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      const read = await collect(consumer, messages.length)
      const found = Object.fromEntries(read.map((message) => [message.value, where(message)]))
      expect(found).toEqual(
        Object.fromEntries(messages.map(({ value }, i) => [value, where(stored[i]!)])),
      )
    })

    test('messages of several topics go out together and come back in order', async () => {
      const kafka = await client()
      const topics = [await server.topic(), await server.topic()] as const
      const messages = Array.from({ length: 10 }, (_, i) => ({
        topic: topics[i % 2]!,
        value: String(i),
      }))
      const stored = await kafka.producer.send(messages)
      expect(stored.map(({ topic }) => topic)).toEqual(messages.map(({ topic }) => topic))
      expect(stored.map(({ offset }) => offset)).toEqual(
        messages.map((_, i) => BigInt(Math.floor(i / 2))),
      )
    })

    test('a commit says what is done: the next member goes on behind it', async () => {
      const kafka = await client()
      const topic = await server.topic()
      await kafka.producer.send(['a', 'b', 'c', 'd'].map((value) => ({ topic, value })))
      const group = fresh('group')
      const first = kafka.consumer({ group, topics: topic, from: 'earliest' })
      const messages = await collect(first, 4)
      await first.commit(messages[1])
      await first.close()
      const second = kafka.consumer({ group, topics: topic, from: 'earliest' })
      expect(values(await collect(second, 2))).toEqual(['c', 'd'])
      await second.commit()
      await second.close()
      await kafka.producer.send({ topic, value: 'e' })
      const third = kafka.consumer({ group, topics: topic, from: 'earliest' })
      expect(values(await collect(third, 1))).toEqual(['e'])
    })

    test('reading alone commits nothing', async () => {
      const kafka = await client()
      const topic = await server.topic()
      await kafka.producer.send(['a', 'b'].map((value) => ({ topic, value })))
      const group = fresh('group')
      for (let i = 0; i < 2; i++) {
        const consumer = kafka.consumer({ group, topics: topic, from: 'earliest' })
        expect(values(await collect(consumer, 2))).toEqual(['a', 'b'])
        await consumer.poll({ waitMs: 100 })
        await consumer.close()
      }
    })

    test('a commit needs no poll before it', async () => {
      const kafka = await client()
      const topic = await server.topic()
      await kafka.producer.send(['a', 'b', 'c'].map((value) => ({ topic, value })))
      const options = { group: fresh('group'), topics: topic, from: 'earliest' } as const
      const first = kafka.consumer(options)
      await first.commitOffsets([{ topic, partition: 0, offset: 2n }])
      await first.close()
      expect(values(await collect(kafka.consumer(options), 1))).toEqual(['c'])
    })

    test('no poll gives more than it was asked for, and nothing is lost by that', async () => {
      const kafka = await client()
      const topic = await server.topic()
      const sent = Array.from({ length: 7 }, (_, i) => String(i))
      await kafka.producer.send(sent.map((value) => ({ topic, value })))
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      const read: KafkaMessage[] = []
      while (read.length < sent.length) {
        const messages = await consumer.poll({ max: 2, waitMs: 1000 })
        expect(messages.length).toBeLessThanOrEqual(2)
        read.push(...messages)
      }
      expect(values(read)).toEqual(sent)
    })

    test('a message that comes while a poll waits ends the wait', async () => {
      const kafka = await client()
      const topic = await server.topic()
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      await consumer.poll({ waitMs: 100 })
      const [messages] = await Promise.all([
        consumer.poll({ waitMs: 20_000 }),
        kafka.producer.send({ topic, value: 'late' }),
      ])
      expect(values(messages)).toEqual(['late'])
    })

    test('from latest, only what comes later, or a refusal', async () => {
      const kafka = await client()
      const topic = await server.topic()
      if (!can.from.includes('latest')) {
        expect(() => kafka.consumer({ group: fresh('group'), topics: topic })).toThrow(
          expect.objectContaining({ code: 'KAFKA_UNSUPPORTED' }),
        )
        return
      }
      await kafka.producer.send({ topic, value: 'before' })
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic })
      expect(await consumer.poll({ waitMs: 1500 })).toEqual([])
      await kafka.producer.send({ topic, value: 'after' })
      expect(values(await collect(consumer, 1))).toEqual(['after'])
    })

    test('two members share the partitions; one that leaves gives its own to the other', async () => {
      const kafka = await client()
      const topic = await server.topic(2)
      const options = { group: fresh('group'), topics: topic, from: 'earliest' } as const
      const [first, second] = [kafka.consumer(options), kafka.consumer(options)]
      await Promise.all([first.poll({ waitMs: 500 }), second.poll({ waitMs: 500 })])
      await first.close()
      await kafka.producer.send([0, 1].map((partition) => ({ topic, partition, value: 'x' })))
      const read = await collect(second, 2)
      expect(read.map(({ partition }) => partition).sort()).toEqual([0, 1])
    })

    test('a name that the group has already is a conflict', async () => {
      const kafka = await client()
      const topics = await server.topic()
      const options = { group: fresh('group'), topics, from: 'earliest', instance: 'one' } as const
      await kafka.consumer(options).poll({ waitMs: 100 })
      const other = kafka.consumer(options)
      expect(await failure(other.poll({ waitMs: 100 }))).toMatchObject({ code: 'KAFKA_CONFLICT' })
      await other.close()
      // It was not that of the other which was deleted.
      expect(await failure(kafka.consumer(options).poll({ waitMs: 100 }))).toMatchObject({
        code: 'KAFKA_CONFLICT',
      })
    })

    test('a group’s name may hold anything', async () => {
      const kafka = await client()
      const topics = await server.topic()
      await kafka.producer.send({ topic: topics, value: 'x' })
      const group = fresh('a/b?&%#ü')
      const consumer = kafka.consumer({ group, topics, from: 'earliest', instance: 'i/1' })
      expect(values(await collect(consumer, 1))).toEqual(['x'])
    })

    test('headers and timestamps, or a refusal before anything is sent', async () => {
      const kafka = await client()
      const topic = await server.topic()
      const timestamp = new Date('2026-01-02T03:04:05.678Z')
      const headers = [['a', 'text'] as const, ['a', bytes] as const]
      if (can.headers) {
        await kafka.producer.send({ topic, value: 'x', headers, timestamp })
        const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
        const [message] = await collect(consumer, 1)
        expect(message?.timestamp).toEqual(timestamp)
        expect(message?.headerList).toEqual([
          ['a', utf8.encode('text')],
          ['a', bytes],
        ])
        const nothing = kafka.producer.send({ topic, value: 'x', headers: { a: null } })
        if (dialects[name].nullHeaders) await nothing
        else expect(await failure(nothing)).toMatchObject({ code: 'KAFKA_UNSUPPORTED' })
        return
      }
      for (const message of [
        { topic, value: 'x', headers },
        { topic, value: 'x', timestamp },
      ]) {
        expect(await failure(kafka.producer.send(message))).toMatchObject({
          code: 'KAFKA_UNSUPPORTED',
          outcome: 'not-applied',
        })
      }
    })

    test('a tombstone arrives as one, or is refused', async () => {
      const kafka = await client()
      const topic = await server.topic()
      const sending = kafka.producer.send({ topic, key: 'k', value: null })
      if (!can.tombstones) {
        expect(await failure(sending)).toMatchObject({ code: 'KAFKA_UNSUPPORTED' })
        return
      }
      await sending
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      expect(await collect(consumer, 1)).toMatchObject([{ key: 'k', value: null }])
    })

    test('topics are listed, Kafka’s own not among them', async () => {
      const kafka = await client()
      const topics = [await server.topic(), await server.topic()]
      const listed = await kafka.admin.listTopics()
      expect(listed).toEqual(listed.toSorted())
      expect(listed).toEqual(expect.arrayContaining(topics))
      expect(listed).not.toContain('__consumer_offsets')
    })

    test('topics are described, or it is refused', async () => {
      const kafka = await client()
      const topic = await server.topic(2)
      const describing = kafka.admin.describeTopics([topic])
      if (!can.describeTopics) {
        expect(await failure(describing)).toMatchObject({ code: 'KAFKA_UNSUPPORTED' })
        return
      }
      const [description] = await describing
      expect(description).toMatchObject({
        name: topic,
        partitions: [
          { partition: 0, leader: expect.any(Number), replicas: [expect.any(Number)] },
          { partition: 1, inSyncReplicas: [expect.any(Number)] },
        ],
      })
      expect(await failure(kafka.admin.describeTopics([fresh('none')]))).toMatchObject({
        code: 'KAFKA_NOT_FOUND',
      })
    })

    test('topics are created, once, or it is refused', async () => {
      const kafka = await client()
      const topic = fresh('created')
      const creating = kafka.admin.createTopics([{ name: topic, partitions: 2, replicas: 1 }])
      if (!can.createTopics) {
        expect(await failure(creating)).toMatchObject({ code: 'KAFKA_UNSUPPORTED' })
        return
      }
      await creating
      expect((await kafka.admin.describeTopics([topic]))[0]?.partitions).toHaveLength(2)
      expect(await failure(kafka.admin.createTopics([{ name: topic }]))).toMatchObject({
        code: 'KAFKA_CONFLICT',
      })
    })

    test('the lag is told, or it is refused', async () => {
      const kafka = await client()
      const topic = await server.topic()
      await kafka.producer.send(['a', 'b', 'c'].map((value) => ({ topic, value })))
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      if (!can.lag) {
        expect(await failure(consumer.lag())).toMatchObject({ code: 'KAFKA_UNSUPPORTED' })
        return
      }
      const messages = await collect(consumer, 3)
      expect(await consumer.lag()).toEqual([{ topic, partition: 0, lag: 3n }])
      await consumer.commit(messages[1])
      expect(await consumer.lag()).toEqual([{ topic, partition: 0, lag: 1n }])
      await consumer.health({ maxLag: 1 })
      expect(await failure(consumer.health({ maxLag: 0 }))).toMatchObject({
        code: 'KAFKA_UNAVAILABLE',
      })
    })

    test('its producer and its consumers are healthy', async () => {
      const topic = await server.topic()
      const options = { ...(await server.options()), dialect: name }
      const kafka = connect(options, { topic })
      await kafka.health()
      const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
      await consumer.health()
      const other = connect(options, { topic: fresh('none') })
      expect(await failure(other.health())).toMatchObject({ code: 'KAFKA_NOT_FOUND' })
    })
  })
}
