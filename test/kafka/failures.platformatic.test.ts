import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Admin, type Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { PlatformaticOptions } from '../../adapters/kafka/platformatic.ts'
import type { ProducerOptions } from '../../src/kafka/index.ts'
import { type ChaosProxy, type Mode, startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { type KafkaProcess, startKafka } from '../engines/kafka.ts'
import { freePort } from '../engines/process.ts'
import { collect, connect, failure, fresh } from './platformatic.ts'

const shared = await engine('kafka')
const timeoutMs = 1000
/** A restarted broker answers after some seconds. */
const restartMs = 60_000

const times = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))

describe('platformatic', needs(shared), () => {
  /** A broker of our own that advertises itself as the proxy. */
  let kafka: KafkaProcess
  let proxy: ChaosProxy
  /** Past the proxy, but for what the broker itself says of its address. */
  let topic: string

  beforeAll(async () => {
    const port = await freePort()
    kafka = await startKafka({
      properties: { 'advertised.listeners': `CLIENT://127.0.0.1:${port}` },
    })
    proxy = await startProxy(kafka.port, port)
  }, 60_000)

  afterAll(async () => {
    await proxy.close()
    await kafka.stop()
  })

  beforeEach(async () => {
    await proxy.setMode('pass')
    topic = fresh('topic')
    await kafka.createTopic(topic, 2)
  })

  const through = (clientOptions: ProducerOptions = {}, options?: Partial<PlatformaticOptions>) =>
    connect({ brokers: [`127.0.0.1:${proxy.port}`], ...options }, { topic, ...clientOptions })

  /** The values in the topic, by partition and in order. */
  async function stored(): Promise<(string | null)[]> {
    const reader = through()
    const partitions = [0, 1].map((partition) => ({ topic, partition }))
    const ends = await reader.admin.offsets(partitions, 'latest')
    const count = Number(ends.reduce((sum, end) => sum + end, 0n))
    const consumer = reader.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    return (await collect(consumer, count)).map(({ value }) => value)
  }

  describe('producing', () => {
    test('a topic that does not exist, beside one that does', async () => {
      const { producer } = through()
      const nowhere = fresh('nowhere')
      const refused = { code: 'KAFKA_NOT_FOUND', outcome: 'not-applied' }
      expect(await failure(producer.send({ topic: nowhere, value: 'v' }))).toMatchObject(refused)
      const [here, there] = await producer.sendSettled([
        { value: 'here' },
        { topic: nowhere, value: 'there' },
      ])
      expect(here).toMatchObject({ status: 'fulfilled' })
      expect(there).toMatchObject({ status: 'rejected', reason: refused })
      expect(await stored()).toEqual(['here'])
    })

    test('a partition that does not exist is refused, not wrapped around', async () => {
      const { producer } = through()
      expect(await failure(producer.send({ value: 'v', partition: 2 }))).toMatchObject({
        code: 'KAFKA_NOT_FOUND',
        outcome: 'not-applied',
      })
      expect(await stored()).toEqual([])
    })

    test('a message that is too large for its topic does not take its neighbours with it', async () => {
      const { admin, producer } = through()
      topic = fresh('small')
      await admin.createTopics([
        { name: topic, partitions: 2, config: { 'max.message.bytes': '2000' } },
      ])
      const values = ['a', 'x'.repeat(3000), 'b', 'c'.repeat(1500), 'd'.repeat(1500)]
      const settled = await producer.sendSettled(
        values.map((value) => ({ topic, value, partition: 0 })),
      )
      expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([
        true,
        false,
        true,
        true,
        true,
      ])
      expect(settled[1]).toMatchObject({
        reason: { code: 'KAFKA_INVALID', outcome: 'not-applied' },
      })
      expect(await stored()).toEqual([values[0], values[2], values[3], values[4]])
    })

    test('a message that is larger than any batch', async () => {
      const { producer } = through()
      const value = new Uint8Array(1_100_000)
      expect(await failure(producer.send({ value }))).toMatchObject({
        code: 'KAFKA_INVALID',
        outcome: 'not-applied',
      })
    })

    test.each<[Mode, { kind: string; outcome: string }]>([
      ['blackhole', { kind: 'timeout', outcome: 'unknown' }],
      ['cut', { kind: 'timeout', outcome: 'unknown' }],
      ['reset', { kind: 'timeout', outcome: 'unknown' }],
      ['garbage', { kind: 'timeout', outcome: 'unknown' }],
    ])('a connection that fails (%s): the fate is unknown, and at most one is stored', async (mode, expected) => {
      const { producer } = through()
      await producer.send({ value: 'before', partition: 0 })
      await proxy.setMode(mode)
      const lost = producer.send({ value: 'lost', partition: 0 }, { timeoutMs })
      expect(await failure(lost)).toMatchObject(expected)
      await proxy.setMode('pass')
      await producer.send({ value: 'after', partition: 0 })
      expect([
        ['before', 'after'],
        ['before', 'lost', 'after'],
        // Held back on the line until it was free again.
        ['before', 'after', 'lost'],
      ]).toContainEqual(await stored())
    })

    test('an answer that is lost: the same batch is sent again, and stored once', async () => {
      const { producer } = through()
      await producer.send({ value: 'before', partition: 0 })
      await proxy.setMode('cut')
      proxy.once('connection', () => void proxy.setMode('pass'))
      const sent = await producer.send(times(20, (i) => ({ value: `${i}`, partition: 0 })))
      expect(sent.map(({ offset }) => offset)).toEqual(times(20, (i) => BigInt(i + 1)))
      expect(await stored()).toEqual(['before', ...times(20, String)])
    })

    test('a broker that is down: nothing was sent', async () => {
      const { producer, admin } = through()
      await producer.send({ value: 'before' })
      await proxy.setMode('refuse')
      const down = { code: 'KAFKA_UNAVAILABLE', outcome: 'not-applied', retryable: true }
      const native = (await producer.native()) as Producer
      await vi.waitFor(() => expect(native.isConnected()).toBe(false))
      expect(await failure(producer.send({ value: 'lost' }))).toMatchObject(down)
      expect(await failure(producer.health())).toMatchObject(down)
      expect(await failure(admin.listTopics())).toMatchObject(down)
      await proxy.setMode('pass')
      await producer.send({ value: 'after' })
      expect((await stored()).toSorted()).toEqual(['after', 'before'])
    })

    test('a server that is no Kafka, or wants other credentials: it hangs up, and nothing was sent', async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {}).on('data', () => socket.end('HTTP/1.1 400 Bad Request'))
      }).listen(0, '127.0.0.1')
      onTestFinished(() => void server.close())
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const { producer } = connect({ brokers: `127.0.0.1:${port}` }, { topic })
      const lost = { code: 'KAFKA_UNAVAILABLE', outcome: 'not-applied' }
      expect(await failure(producer.health())).toMatchObject(lost)
      expect(await failure(producer.send({ value: 'v' }))).toMatchObject(lost)
    })

    test('a broker without TLS', async () => {
      const { producer } = through({}, { tls: true })
      expect(await failure(producer.send({ value: 'v' }))).toMatchObject({ code: 'KAFKA_CONFIG' })
    })

    test('what was given up while the connection was opening is never sent', async () => {
      const { producer } = through()
      await proxy.setMode('blackhole')
      const given = failure(producer.send({ value: 'given up', partition: 0 }, { timeoutMs: 300 }))
      const lasting = producer.send({ value: 'lasting', partition: 0 }, { timeoutMs: 10_000 })
      expect(await given).toMatchObject({ code: 'KAFKA_TIMEOUT', outcome: 'not-applied' })
      await proxy.setMode('pass')
      await lasting
      expect(await stored()).toEqual(['lasting'])
    })

    test('a broker that stands still and goes on', async () => {
      const { producer } = through()
      await producer.send({ value: 'before', partition: 0 })
      kafka.pause()
      const lost = failure(producer.send({ value: 'lost', partition: 0 }, { timeoutMs }))
      expect(await lost).toMatchObject({ code: 'KAFKA_TIMEOUT', outcome: 'unknown' })
      expect(await failure(producer.health({ timeoutMs }))).toMatchObject({ code: 'KAFKA_TIMEOUT' })
      kafka.resume()
      await producer.send({ value: 'after', partition: 0 }, { timeoutMs: 20_000 })
      const values = await stored()
      expect(values.filter((value) => value !== 'lost')).toEqual(['before', 'after'])
      expect(values.length).toBeLessThanOrEqual(3)
    })

    test('a broker that is killed and started again: what was acknowledged is there, and once', {
      timeout: restartMs,
    }, async () => {
      const { producer } = through()
      const acknowledged: string[] = []
      const failed: string[] = []
      let going = true
      const sending = (async () => {
        for (let i = 0; going; i++) {
          const values = times(10, (j) => `${i}-${j}`)
          await Promise.all(
            values.map((value) =>
              producer.send({ value, key: value }, { timeoutMs: 30_000 }).then(
                () => acknowledged.push(value),
                () => failed.push(value),
              ),
            ),
          )
        }
      })()
      await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(100))
      await kafka.kill()
      const before = acknowledged.length
      await kafka.start()
      await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 100), 30_000)
      going = false
      await sending
      const values = await stored()
      expect(new Set(values).size).toBe(values.length)
      expect(values).toEqual(expect.arrayContaining(acknowledged))
    })
  })

  describe('consuming', () => {
    const member =
      (kafka = through()) =>
      (group: string, from: 'earliest' | 'latest' = 'earliest') =>
        kafka.consumer({ group, topics: topic, from, sessionTimeoutMs: 6000 })

    test('a topic that does not exist', async () => {
      const consumer = through().consumer({ group: fresh('group'), topics: fresh('nowhere') })
      expect(await failure(consumer.poll())).toMatchObject({ code: 'KAFKA_NOT_FOUND' })
    })

    test('a commit of a partition that another member has by now', async () => {
      const group = fresh('group')
      const { producer } = through()
      await producer.send(times(20, (i) => ({ value: `${i}`, partition: i % 2 })))
      const first = member()(group)
      const messages = await collect(first, 20)
      const second = member()(group)
      const taken = collect(second, 10)
      await vi.waitFor(
        async () => {
          await first.poll({ waitMs: 100 })
          expect(first.assigned).toHaveLength(1)
        },
        { timeout: 20_000 },
      )
      const kept = first.assigned?.[0]?.partition
      const theirs = messages.filter(({ partition }) => partition !== kept)
      const mine = messages.filter(({ partition }) => partition === kept)
      expect(await failure(first.commit(theirs))).toMatchObject({
        code: 'KAFKA_CONFLICT',
        outcome: 'not-applied',
      })
      expect((await taken).map(({ value }) => value)).toEqual(theirs.map(({ value }) => value))
      await first.commit(mine)
      await second.commit()
      expect(await first.lag()).toEqual([{ topic, partition: kept, lag: 0n }])
    }, 40_000)

    test('a rebalance: a member that keeps a partition goes on where it was', async () => {
      const group = fresh('group')
      const { producer } = through()
      await producer.send(times(10, (i) => ({ value: `${i}`, partition: i % 2 })))
      const first = member()(group)
      await collect(first, 10)
      const second = member()(group)
      const moved = await collect(second, 5)
      const again: (string | null)[] = []
      await vi.waitFor(async () => {
        again.push(...(await first.poll({ waitMs: 100 })).map(({ value }) => value))
        expect(first.assigned).toHaveLength(1)
      })
      await producer.send({ value: 'next', partition: first.assigned?.[0]?.partition as number })
      again.push(...(await collect(first, 1)).map(({ value }) => value))
      expect(again).toEqual(['next'])
      expect(new Set(moved.map(({ partition }) => partition)).size).toBe(1)
    }, 40_000)

    test('a member that leaves hands over at once', async () => {
      const group = fresh('group')
      const { producer } = through()
      const [first, second] = [member()(group), member()(group)]
      await Promise.all([
        first.poll({ waitMs: 0, timeoutMs: 20_000 }),
        second.poll({ waitMs: 0, timeoutMs: 20_000 }),
      ])
      await first.close()
      await producer.send(times(10, (i) => ({ value: `${i}`, partition: i % 2 })))
      expect(await collect(second, 10)).toHaveLength(10)
    }, 40_000)

    test('an offset that is gone: on from the earliest', async () => {
      const group = fresh('group')
      const { producer } = through()
      await producer.send(times(10, (i) => ({ value: `${i}`, partition: 0 })))
      const first = member()(group)
      const [message] = await first.poll({ max: 1, waitMs: 5000, timeoutMs: 20_000 })
      await first.commit(message)
      await first.close()
      const admin = new Admin({ clientId: 'test', bootstrapBrokers: [`127.0.0.1:${proxy.port}`] })
      await admin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition: 0, offset: 5n }] }],
      })
      await admin.close()
      const values = (await collect(member()(group), 5)).map(({ value }) => value)
      expect(values).toEqual(['5', '6', '7', '8', '9'])
    }, 40_000)

    test.each<Mode>([
      'blackhole',
      'cut',
      'reset',
      'refuse',
    ])('a connection that fails (%s): no message is lost', async (mode) => {
      const { producer } = through()
      await producer.send({ value: 'before', partition: 0 })
      const consumer = member()(fresh('group'))
      expect(await collect(consumer, 1)).toHaveLength(1)
      await proxy.setMode(mode)
      await vi.waitFor(async () => {
        const error = await failure(consumer.poll({ waitMs: 0, timeoutMs }))
        expect(error.kind).toMatch(/unavailable|timeout/)
      }, 10_000)
      await proxy.setMode('pass')
      await producer.send({ value: 'after', partition: 0 }, { timeoutMs: 20_000 })
      await vi.waitFor(
        async () => {
          const [message] = await consumer.poll({ waitMs: 1000 })
          expect(message?.value).toBe('after')
          await consumer.commit()
        },
        { timeout: 30_000 },
      )
    }, 60_000)

    test('a poll that is cancelled loses nothing', async () => {
      const { producer } = through()
      const consumer = member()(fresh('group'))
      await consumer.poll({ waitMs: 0, timeoutMs: 20_000 })
      const abort = new AbortController()
      const cancelled = failure(consumer.poll({ waitMs: 5000, signal: abort.signal }))
      const reply = once(proxy, 'reply')
      await producer.send({ value: 'v' })
      await reply
      abort.abort()
      await cancelled
      expect((await collect(consumer, 1)).map(({ value }) => value)).toEqual(['v'])
    }, 40_000)

    test('another process with the name of an instance takes its place, for good', async () => {
      const group = fresh('group')
      const instance = { group, topics: topic, instance: 'one', sessionTimeoutMs: 6000 }
      const [first, second] = [through().consumer(instance), through().consumer(instance)]
      await first.poll({ waitMs: 0, timeoutMs: 20_000 })
      await second.poll({ waitMs: 0, timeoutMs: 20_000 })
      await vi.waitFor(
        async () => {
          expect(await failure(first.poll({ waitMs: 200 }))).toMatchObject({
            code: 'KAFKA_CONFLICT',
          })
        },
        { timeout: 20_000 },
      )
      await second.poll({ waitMs: 3000 })
      expect(second.assigned).toHaveLength(2)
    }, 40_000)

    test('closing does not wait for a broker that is silent', async () => {
      const consumer = member()(fresh('group'))
      await consumer.poll({ waitMs: 0, timeoutMs: 20_000 })
      await proxy.setMode('blackhole')
      const started = performance.now()
      await consumer.close()
      expect(performance.now() - started).toBeLessThan(4000)
    })

    test('a broker that is killed and started again: every message comes', {
      timeout: restartMs,
    }, async () => {
      const { producer } = through()
      const consumer = member()(fresh('group'))
      await producer.send(times(10, (i) => ({ value: `${i}` })))
      await collect(consumer, 10)
      await consumer.commit()
      await kafka.kill()
      expect((await failure(consumer.poll({ waitMs: 0, timeoutMs }))).kind).toMatch(
        /unavailable|timeout/,
      )
      await kafka.start()
      await producer.send(
        times(10, (i) => ({ value: `${10 + i}` })),
        { timeoutMs: 30_000 },
      )
      const values = new Set<string | null>()
      await vi.waitFor(
        async () => {
          for (const { value } of await consumer.poll({ waitMs: 1000 })) values.add(value)
          expect(values.size).toBe(10)
        },
        { timeout: 40_000 },
      )
      // The group's coordinator may still be reading its log.
      await vi.waitFor(() => consumer.commit(), { timeout: 20_000 })
    })
  })
})

describe('credentials over platformatic', needs(shared), () => {
  const user = { username: 'user', password: 'right' }
  let kafka: KafkaProcess

  beforeAll(async () => {
    kafka = await startKafka({ sasl: user })
  }, 60_000)
  afterAll(() => kafka.stop())

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('%s', async (mechanism) => {
    const { brokers } = kafka
    const right = connect({ brokers, sasl: { ...user, mechanism, password: async () => 'right' } })
    await right.health()
    const wrong = connect({ brokers, sasl: { ...user, mechanism, password: 'wrong' } })
    const refused = { code: 'KAFKA_UNAUTHENTICATED', outcome: 'not-applied', retryable: false }
    expect(await failure(wrong.health())).toMatchObject(refused)
    expect(await failure(wrong.producer.send({ topic: 't', value: 'v' }))).toMatchObject(refused)
    expect(await failure(wrong.admin.listTopics())).toMatchObject(refused)
    const consumer = wrong.consumer({ group: 'g', topics: 't' })
    expect(await failure(consumer.poll())).toMatchObject(refused)
  })

  test('OAUTHBEARER asks its function for a token', async () => {
    const { brokers } = kafka
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const claims = { sub: user.username, iat: now - 10, exp: now + 3600 }
    const token = vi.fn(async () => `${encode({ alg: 'none' })}.${encode(claims)}.`)
    await connect({ brokers, sasl: { mechanism: 'OAUTHBEARER', token } }).health()
    expect(token).toHaveBeenCalled()
    const failing = async () => {
      throw new Error('secret')
    }
    const kafkaWithout = connect({ brokers, sasl: { mechanism: 'OAUTHBEARER', token: failing } })
    const error = await failure(kafkaWithout.health())
    expect(error).toMatchObject({ code: 'KAFKA_UNAVAILABLE' })
    expect(error.message).not.toContain('secret')
  })
})
