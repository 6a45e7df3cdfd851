import {
  type BaseOptions,
  Consumer,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { expect, onTestFinished, test, vi } from 'vitest'
import { engine, needs } from './index.ts'
import { kafkaServer, startKafka } from './kafka.ts'

const kafka = await engine('kafka-process')
const shared = await engine('kafka')
/** Starting one takes 5 s, on a busy machine more. */
const slow = { ...needs(kafka), timeout: 60_000 }

test('a Kafka keeps what is sent to a topic', needs(kafka), async () => {
  await kafka.createTopic('sent', 3)
  await send(kafka.brokers, 'sent', 'one')
  expect(await firstOf(kafka.brokers, 'sent')).toBe('one')
})

test('a paused Kafka answers once it is resumed', needs(kafka), async () => {
  kafka.pause()
  const created = kafka.createTopic('paused')
  kafka.resume()
  await created
})

test(
  'a killed Kafka is gone, and starts again where it was with its log',
  needs(kafka),
  async () => {
    const { pid, ended, brokers } = kafka
    await kafka.createTopic('kept')
    await send(brokers, 'kept', 'before')
    kafka.pause()
    await kafka.kill()
    expect(ended.aborted).toBe(true)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(kafka.createTopic('refused')).rejects.toThrow()

    await kafka.start()
    expect(kafka.pid).not.toBe(pid)
    expect(kafka.ended.aborted).toBe(false)
    expect(await firstOf(brokers, 'kept')).toBe('before')
  },
)

test('a Kafka may have a smaller limit, and want a password', slow, async () => {
  const sasl = { username: 'ann', password: 'p@ss word' }
  const secured = await startKafka({ sasl, properties: { 'message.max.bytes': '2000' } })
  onTestFinished(secured.stop)
  await secured.createTopic('small')

  const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
  for (const mechanism of mechanisms) {
    await send(secured.brokers, 'small', 'fits', { mechanism, ...sasl })
  }
  await send(secured.brokers, 'small', 'fits', { mechanism: 'OAUTHBEARER', token: unsigned('ann') })
  const wrong = { mechanism: 'PLAIN', username: 'ann', password: 'guess' } as const
  await expect(send(secured.brokers, 'small', 'fits', wrong)).rejects.toThrow()
  const login = { mechanism: 'PLAIN', ...sasl } as const
  const error = await send(secured.brokers, 'small', 'x'.repeat(3_000), login).catch((e) => e)
  expect(error.findBy('apiId', 'MESSAGE_TOO_LARGE')).not.toBeNull()
})

test('the Kafka that KAFKA_BROKERS names is used, and left running', needs(kafka), async () => {
  vi.stubEnv('KAFKA_BROKERS', kafka.brokers.join())
  onTestFinished(() => void vi.unstubAllEnvs())
  const given = await kafkaServer()
  expect(given.brokers).toEqual(kafka.brokers)
  await given.stop()
  await given.createTopic('left-running')
})

test('whoever asks for any Kafka gets the same one', needs(shared), async () => {
  const again = await engine('kafka')
  expect(again.brokers).toEqual(shared.brokers)
  expect(again.brokers).not.toEqual(kafka.brokers)
})

async function send(
  brokers: readonly string[],
  topic: string,
  value: string,
  sasl?: NonNullable<BaseOptions['sasl']>,
): Promise<void> {
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [...brokers],
    serializers: stringSerializers,
    retries: 0,
    ...(sasl === undefined ? {} : { sasl }),
  })
  try {
    await producer.send({ messages: [{ topic, value }] })
  } finally {
    await producer.close()
  }
}

async function firstOf(brokers: readonly string[], topic: string): Promise<string> {
  const consumer = new Consumer({
    clientId: 'test',
    groupId: `readers-of-${topic}`,
    bootstrapBrokers: [...brokers],
    deserializers: stringDeserializers,
  })
  try {
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
    for await (const { value } of stream) return value
    throw new Error('the stream ended')
  } finally {
    await consumer.close(true)
  }
}

/** A JSON Web Token without a signature, which a broker for tests accepts. */
function unsigned(sub: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1_000)
  return `${part({ alg: 'none' })}.${part({ sub, iat: now, exp: now + 3_600 })}.`
}
