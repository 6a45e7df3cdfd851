import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Admin, Producer } from '@platformatic/kafka'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type PlatformaticOptions, platformatic } from '../../adapters/kafka/platformatic.ts'
import { engine, needs } from '../engines/index.ts'
import { collect, connect, failure, fresh } from './platformatic.ts'

const kafka = await engine('kafka')

const times = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))

describe('options of platformatic', () => {
  test.each<[string, unknown]>([
    ['no brokers', { brokers: [] }],
    ['no brokers in a text', { brokers: '' }],
    ['no brokers at all', {}],
    ['a broker without a name', { brokers: 'a:9092,' }],
    ['a broker with a path', { brokers: ['a:9092/x'] }],
    ['a port that cannot be', { brokers: ['a:99999'] }],
    ['a URL', { brokers: ['kafka://a:9092'] }],
    ['a client ID with a space', { brokers: 'a', clientId: 'a b' }],
    ['a mechanism that does not exist', { brokers: 'a', sasl: { mechanism: 'MAGIC' } }],
    ['no password', { brokers: 'a', sasl: { mechanism: 'PLAIN', username: 'u' } }],
    ['no time', { brokers: 'a', connectTimeoutMs: 0 }],
    ['an option that does not exist', { brokers: 'a', broker: 'b' }],
  ])('%s', (_, options) => {
    expect(() => platformatic(options as PlatformaticOptions)).toThrow(
      expect.objectContaining({ code: 'KAFKA_CONFIG' }),
    )
  })

  test('the resource names the brokers, never the credentials', () => {
    const { resource } = platformatic({
      brokers: ' a , b:1 ,[::1]:2',
      sasl: { mechanism: 'PLAIN', username: 'user', password: 'secret' },
    })
    expect(resource).toBe('a:9092,b:1,::1:2')
  })
})

describe('platformatic', needs(kafka), () => {
  const client = (options?: Partial<PlatformaticOptions>) =>
    connect({ brokers: kafka.brokers, ...options }, { timeoutMs: 20_000 })

  async function topicOf(partitions = 1): Promise<string> {
    const topic = fresh('topic')
    await kafka.createTopic(topic, partitions)
    return topic
  }

  /** The library itself, for what our producer does not do. */
  function library(options: { idempotent?: boolean; transactionalId?: string } = {}): Producer {
    const producer = new Producer({
      clientId: 'test',
      bootstrapBrokers: [...kafka.brokers],
      ...options,
    })
    onTestFinished(async () => {
      await producer.close()
    })
    return producer
  }

  test('offsets of a batch are counted up in each partition', async () => {
    const { producer } = client()
    const topic = await topicOf(3)
    const sent = await producer.send(times(30, (i) => ({ topic, value: `${i}`, partition: i % 3 })))
    expect(sent.map(({ partition, offset }) => [partition, offset])).toEqual(
      times(30, (i) => [i % 3, BigInt(Math.floor(i / 3))]),
    )
  })

  test('messages without a key stay together, batch by batch on another partition', async () => {
    const { producer } = client()
    const topic = await topicOf(3)
    const used = new Set<number>()
    for (let i = 0; i < 3; i++) {
      const sent = await producer.send(times(10, () => ({ topic, value: 'v' })))
      expect(new Set(sent.map(({ partition }) => partition)).size).toBe(1)
      used.add(sent[0]?.partition as number)
    }
    expect(used.size).toBe(3)
  })

  test('timestamps as far apart as they can be, in one batch', async () => {
    const { producer } = client()
    const topic = await topicOf()
    const timestamps = [5, Date.now(), 1_000_000_000_000, 7, Date.now() - 2 ** 31, 0]
    await producer.send(timestamps.map((timestamp) => ({ topic, value: 'v', timestamp })))
    const consumer = client().consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    const messages = await collect(consumer, timestamps.length)
    expect(messages.map(({ timestamp }) => timestamp?.getTime())).toEqual(timestamps)
  })

  test('headers whose names repeat, and bytes that are bytes', async () => {
    const kafka = client()
    const topic = await topicOf()
    const headers = [
      ['a', '1'],
      ['b', null],
      ['a', new Uint8Array([0, 255])],
      ['', ''],
    ] as const
    await kafka.producer.send({ topic, key: new Uint8Array([255]), value: '', headers })
    const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    const [message] = await collect(consumer, 1)
    expect(message?.headerList).toEqual([
      ['a', new Uint8Array([49])],
      ['b', null],
      ['a', new Uint8Array([0, 255])],
      ['', new Uint8Array()],
    ])
    expect(message?.keyBytes).toEqual(new Uint8Array([255]))
    expect(message?.valueBytes).toEqual(new Uint8Array())
  })

  test.each([
    'gzip',
    'snappy',
    'lz4',
    'zstd',
  ] as const)('batches compressed by %s', async (compression) => {
    const topic = await topicOf()
    const messages = times(100, (i) => ({ topic, value: Buffer.from(`value ${i}`) }))
    await library().send({ messages, compression })
    const consumer = client().consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    expect((await collect(consumer, 100)).map(({ value }) => value)).toEqual(
      times(100, (i) => `value ${i}`),
    )
  })

  test('of transactions only what was committed', async () => {
    const topic = await topicOf()
    const producer = library({ idempotent: true, transactionalId: fresh('transaction') })
    for (const [value, commit] of [
      ['aborted', false],
      ['committed', true],
      ['aborted too', false],
    ] as const) {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: [{ topic, value: Buffer.from(value) }] })
      await (commit ? transaction.commit() : transaction.abort())
    }
    await client().producer.send({ topic, value: 'after' })
    const consumer = client().consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    expect((await collect(consumer, 2)).map(({ value }) => value)).toEqual(['committed', 'after'])
    expect(await consumer.poll({ waitMs: 200 })).toEqual([])
  })

  test('partitions that a topic gets later are read too', async () => {
    const kafkaClient = client()
    const topic = await topicOf()
    const consumer = kafkaClient.consumer({
      group: fresh('group'),
      topics: topic,
      from: 'earliest',
    })
    await consumer.poll({ waitMs: 0 })
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.brokers] })
    onTestFinished(async () => {
      await admin.close()
    })
    await admin.createPartitions({ topics: [{ name: topic, count: 2 }] })
    await vi.waitFor(
      () => kafkaClient.producer.send({ topic, value: 'new', partition: 1 }, { timeoutMs: 2000 }),
      { timeout: 15_000, interval: 500 },
    )
    expect((await collect(consumer, 1)).map(({ value }) => value)).toEqual(['new'])
  }, 40_000)

  test('what a member from the latest on was given, and did not commit, comes again', async () => {
    const kafka = client()
    const topic = await topicOf()
    const group = fresh('group')
    const first = kafka.consumer({ group, topics: topic })
    await first.poll({ waitMs: 0 })
    await kafka.producer.send({ topic, value: 'v' })
    await collect(first, 1)
    await first.close()
    const second = kafka.consumer({ group, topics: topic })
    expect((await collect(second, 1)).map(({ value }) => value)).toEqual(['v'])
  })

  test('members that want different topics each get theirs', async () => {
    const kafka = client()
    const [a, b] = [await topicOf(2), await topicOf(2)]
    const group = fresh('group')
    const both = kafka.consumer({ group, topics: [a, b], from: 'earliest' })
    const one = kafka.consumer({ group, topics: b, from: 'earliest' })
    await Promise.all([both.poll({ waitMs: 4000 }), one.poll({ waitMs: 4000 })])
    const topics = (consumer: typeof one) => consumer.assigned?.map(({ topic }) => topic).sort()
    await vi.waitFor(
      async () => {
        await Promise.all([both.poll({ waitMs: 100 }), one.poll({ waitMs: 100 })])
        expect([...(topics(both) ?? []), ...(topics(one) ?? [])].sort()).toEqual(
          [a, a, b, b].sort(),
        )
      },
      { timeout: 15_000 },
    )
    expect(topics(one)?.every((topic) => topic === b)).toBe(true)
  }, 40_000)

  test('connections that were idle too long are replaced before use', async () => {
    const { producer } = client({ maxIdleMs: 1 })
    const topic = await topicOf()
    await producer.send({ topic, value: '1', partition: 0 })
    const before = await producer.native()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await producer.send({ topic, value: '2', partition: 0 })).toMatchObject({ offset: 1n })
    expect(await producer.native()).not.toBe(before)
  })

  test('a slow user holds back the broker, and stays in the group', async () => {
    const kafka = client()
    const topic = await topicOf()
    const value = new Uint8Array(100_000)
    for (let i = 0; i < 5; i++) await kafka.producer.send(times(9, () => ({ topic, value })))
    const consumer = kafka.consumer({
      group: fresh('group'),
      topics: topic,
      from: 'earliest',
      sessionTimeoutMs: 6000,
    })
    const [first] = await consumer.poll({ max: 1, waitMs: 5000 })
    const native = (await consumer.native()) as import('@platformatic/kafka').Consumer
    for (let i = 0; i < 3; i++) await once(native, 'consumer:heartbeat:end')
    await consumer.commit(first)
    expect(await consumer.lag()).toEqual([{ topic, partition: 0, lag: 44n }])
    expect(await collect(consumer, 44)).toHaveLength(44)
    await consumer.health({ maxLag: 44 })
    expect(await failure(consumer.health({ maxLag: 43 }))).toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
    })
  }, 40_000)

  test('a member that is killed: none of its messages is lost, and only the uncommitted come twice', async () => {
    const kafkaClient = client()
    const topic = await topicOf(6)
    const group = fresh('group')
    const count = 100_000
    const max = 1000
    const options = { group, topics: topic, from: 'earliest', sessionTimeoutMs: 6000 } as const
    const given: string[] = []
    const committed = new Set<string>()
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('member.ts', import.meta.url)),
      ...[kafka.brokers.join(','), group, topic, String(max), String(count / 10)],
    ])
    onTestFinished(() => void child.kill('SIGKILL'))
    createInterface(child.stdout).on('line', (line) => {
      const [what, ...values] = line.split(' ')
      if (what === 'given') given.push(...values)
      else for (const value of values) committed.add(value)
    })
    const seen: string[] = []
    let going = true
    const consumers = [kafkaClient.consumer(options), kafkaClient.consumer(options)]
    const reading = consumers.map(async (consumer) => {
      while (going) {
        const messages = await consumer.poll({ max, waitMs: 200, timeoutMs: 30_000 })
        for (const { value } of messages) seen.push(value as string)
        await consumer.commit().catch((error) => expect(error.code).toBe('KAFKA_CONFLICT'))
      }
    })
    // Each has its third.
    await vi.waitFor(
      () => expect(consumers.map(({ assigned }) => assigned?.length)).toEqual([2, 2]),
      { timeout: 20_000 },
    )
    const values = times(count, String)
    for (let i = 0; i < count; i += max) {
      await kafkaClient.producer.send(
        values.slice(i, i + max).map((value) => ({ topic, key: value, value })),
      )
      if (i + max === count / 2) {
        await vi.waitFor(() => expect(given.length).toBeGreaterThanOrEqual(count / 10), 20_000)
        child.kill('SIGKILL')
        await once(child, 'close')
      }
    }
    await vi.waitFor(() => expect(new Set([...seen, ...committed]).size).toBe(count), {
      timeout: 30_000,
      interval: 200,
    })
    going = false
    await Promise.all(reading)
    const uncommitted = given.length - committed.size
    const twice = given.length + seen.length - count
    expect(uncommitted).toBeGreaterThan(0)
    // What the killed member had not committed, and a poll of each of the others when the group rebalanced.
    expect(twice).toBeGreaterThanOrEqual(uncommitted)
    expect(twice).toBeLessThanOrEqual(uncommitted + 2 * max)
  }, 90_000)
})
