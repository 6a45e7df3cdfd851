import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { memory } from '../../adapters/kafka/memory.ts'
import type { OperationRecord } from '../../src/core/index.ts'
import { Kafka, type KafkaMessage } from '../../src/kafka/index.ts'
import { type EncodedPayload, kafkaHandler } from '../../src/kafka/lambda.ts'
import { failure } from './platformatic.ts'

/** As AWS documents it: https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html */
const msk = {
  eventSource: 'aws:kafka',
  eventSourceArn:
    'arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2',
  bootstrapServers:
    'b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092,b-1.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092',
  records: {
    'mytopic-0': [
      {
        topic: 'mytopic',
        partition: 0,
        offset: 15,
        timestamp: 1545084650987,
        timestampType: 'CREATE_TIME',
        key: 'abcDEFghiJKLmnoPQRstuVWXyz1234==',
        value: 'SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==',
        headers: [{ headerKey: [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101] }],
      },
    ],
  },
}

/** As AWS documents it: https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html */
const selfManaged = {
  eventSource: 'SelfManagedKafka',
  bootstrapServers: msk.bootstrapServers,
  records: msk.records,
}

const record = (partition: number, offset: number, more: object = {}) => ({
  topic: 'events',
  partition,
  offset,
  timestamp: 1_700_000_000_000 + offset,
  timestampType: 'CREATE_TIME',
  headers: [],
  ...more,
})

/** Of each partition, by its place, so many records from offset 10 on. */
const eventOf = (...counts: number[]) => ({
  ...msk,
  records: Object.fromEntries(
    counts.map((count, partition) => [
      `events-${partition}`,
      Array.from({ length: count }, (_, i) => record(partition, 10 + i)),
    ]),
  ),
})

const only = (more: object) => ({ ...msk, records: { 'events-0': [record(0, 10, more)] } })

const base64 = (text: string) => Buffer.from(text).toString('base64')
const bytesOf = (text: string) => [...Buffer.from(text)]
const placeOf = ({ partition, offset }: KafkaMessage) => `${partition}:${offset}`

const invocation = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 30_000 }

/** By when all has happened that needs no event from outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

const quiet = { onError: () => {} }

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('an event', () => {
  test.each([
    ['of Amazon MSK', msk],
    ['of a self-managed Kafka', selfManaged],
  ])('%s: its messages are handled, decoded', async (_, event) => {
    const handled: unknown[][] = []
    const handler = kafkaHandler((...args) => void handled.push(args))
    expect(await handler(event, invocation)).toEqual({ batchItemFailures: [] })
    expect(handled).toHaveLength(1)
    const [message, context] = handled[0] as [KafkaMessage, unknown]
    expect(context).toBe(invocation)
    expect(message).toMatchObject({
      topic: 'mytopic',
      partition: 0,
      offset: 15n,
      timestamp: new Date('2018-12-17T22:10:50.987Z'),
      value: 'Hello, this is a test.',
    })
    expect(message.keyBytes).toEqual(
      new Uint8Array(Buffer.from('abcDEFghiJKLmnoPQRstuVWXyz1234', 'base64')),
    )
    expect({ ...message.headers }).toEqual({ headerKey: 'headerValue' })
  })

  test('without keys and values, and with any bytes', async () => {
    const messages: KafkaMessage[] = []
    const handler = kafkaHandler((message) => void messages.push(message))
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    await handler(
      {
        ...msk,
        records: {
          'events-0': [
            record(0, 0),
            record(0, 1, { key: null, value: null, headers: null, timestamp: null }),
            record(0, 2, { key: '', value: Buffer.from(bytes).toString('base64') }),
            // Java's bytes have a sign.
            record(0, 3, { headers: [{ a: [-61, -68] }, { b: [255] }, { a: [] }] }),
          ],
        },
      },
      invocation,
    )
    expect(messages).toMatchObject([
      { keyBytes: null, valueBytes: null, headerList: [] },
      { keyBytes: null, valueBytes: null, headerList: [], timestamp: undefined },
      { keyBytes: new Uint8Array(), valueBytes: bytes },
      {
        headerList: [
          ['a', Uint8Array.of(195, 188)],
          ['b', Uint8Array.of(255)],
          ['a', new Uint8Array()],
        ],
      },
    ])
  })

  test('without messages', async () => {
    const handler = kafkaHandler(() => {})
    expect(await handler({ ...msk, records: {} }, invocation)).toEqual({ batchItemFailures: [] })
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an array', [msk]],
    ['of SQS', { Records: [{ eventSource: 'aws:sqs', messageId: '1', body: 'b' }] }],
    ['of another source', { ...msk, eventSource: 'aws:kinesis' }],
    ['without records', { ...msk, records: undefined }],
    ['with records in an array', { ...msk, records: [record(0, 0)] }],
    ['with a partition that is no array', { ...msk, records: { 'events-0': record(0, 0) } }],
    ['with a record that is none', { ...msk, records: { 'events-0': [null] } }],
    ['without a topic', only({ topic: undefined })],
    ['with a partition that is a text', only({ partition: '0' })],
    ['without an offset', only({ offset: undefined })],
    ['with an offset that is not exact', only({ offset: 2 ** 53 })],
    ['with a timestamp that is a text', only({ timestamp: 'now' })],
    ['with a key that is a number', only({ key: 1 })],
    ['with a value that is not base64', only({ value: 'secret!' })],
    ['with headers that are no array', only({ headers: { a: [1] } })],
    ['with a header that is a text', only({ headers: ['secret'] })],
    ['with a header whose value is a text', only({ headers: [{ a: 'secret' }] })],
  ])('%s is refused', async (_, event) => {
    const work = vi.fn()
    const error = await failure(kafkaHandler(work)(event, invocation))
    expect(error).toMatchObject({ code: 'KAFKA_INVALID', outcome: 'not-applied' })
    expect(error.message).not.toContain('secret')
    expect(work).not.toHaveBeenCalled()
  })

  test.each<object>([
    { value: '!' },
    { value: 'a' },
    { key: 'YQ=' },
    { headers: [{ a: [300] }] },
    { headers: [{ a: ['x'] }] },
    { headers: [{ a: [null] }] },
    { partition: -1 },
    { offset: 0.5 },
    { timestamp: 9e15 },
  ])('with one malformed record is refused before the others are handled: %o', async (wrong) => {
    const work = vi.fn()
    const records = { ...msk.records, 'events-0': [record(0, 0), record(0, 1, wrong)] }
    const error = await failure(kafkaHandler(work)({ ...msk, records }, invocation))
    expect(error.code).toBe('KAFKA_INVALID')
    expect(work).not.toHaveBeenCalled()
  })
})

describe('the order', () => {
  /** Work that ends when the test says so. */
  function paused() {
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const work = (message: KafkaMessage) =>
      new Promise<void>((resolve) => {
        begun.push(placeOf(message))
        ends.set(placeOf(message), resolve)
      })
    return { begun, work, end: (place: string) => ends.get(place)?.() }
  }

  test('is that of the partition; partitions are side by side', async () => {
    const { begun, work, end } = paused()
    const answer = kafkaHandler(work)(eventOf(2, 2), invocation)
    await settled()
    expect(begun).toEqual(['0:10', '1:10'])
    end('1:10')
    await settled()
    expect(begun).toEqual(['0:10', '1:10', '1:11'])
    end('1:11')
    end('0:10')
    await settled()
    expect(begun).toEqual(['0:10', '1:10', '1:11', '0:11'])
    end('0:11')
    expect(await answer).toEqual({ batchItemFailures: [] })
  })

  test('no more partitions at a time than allowed', async () => {
    const { begun, work, end } = paused()
    const answer = kafkaHandler(work, { concurrency: 2 })(eventOf(1, 2, 1), invocation)
    await settled()
    expect(begun).toEqual(['0:10', '1:10'])
    end('1:10')
    await settled()
    expect(begun).toEqual(['0:10', '1:10', '1:11'])
    end('1:11')
    await settled()
    expect(begun).toEqual(['0:10', '1:10', '1:11', '2:10'])
    end('0:10')
    end('2:10')
    expect(await answer).toEqual({ batchItemFailures: [] })
  })

  test('ten partitions at a time unless told otherwise', async () => {
    const { begun, work, end } = paused()
    const answer = kafkaHandler(work)(eventOf(...Array<number>(11).fill(1)), invocation)
    await settled()
    expect(begun).toHaveLength(10)
    end('0:10')
    await settled()
    expect(begun).toHaveLength(11)
    for (const place of begun) end(place)
    await answer
  })

  test.each([
    0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
  ])('%s partitions at a time cannot be', (concurrency) => {
    expect(() => kafkaHandler(() => {}, { concurrency })).toThrow(
      expect.objectContaining({ code: 'KAFKA_CONFIG' }),
    )
  })
})

describe('a message that fails', () => {
  const failing =
    (...places: string[]) =>
    (message: KafkaMessage) => {
      if (places.includes(placeOf(message))) throw new Error('of the work')
    }

  test('is reported with its offset, and nothing behind it in its partition is handled', async () => {
    const handled: string[] = []
    const handler = kafkaHandler(async (message) => {
      handled.push(placeOf(message))
      failing('0:11', '2:10')(message)
    }, quiet)
    const { batchItemFailures } = await handler(eventOf(3, 3, 2), invocation)
    expect(batchItemFailures).toHaveLength(2)
    // https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
    expect(batchItemFailures).toEqual(
      expect.arrayContaining([
        { itemIdentifier: { partition: 'events-0', offset: 11 } },
        { itemIdentifier: { partition: 'events-2', offset: 10 } },
      ]),
    )
    expect(handled.toSorted()).toEqual(['0:10', '0:11', '1:10', '1:11', '1:12', '2:10'])
  })

  test('rejects the invocation where Lambda would ignore the report', async () => {
    const handler = kafkaHandler(failing('0:11'), { ...quiet, reportItems: false })
    expect(await handler(eventOf(1, 3), invocation)).toEqual({ batchItemFailures: [] })
    expect(await failure(handler(eventOf(3, 3), invocation))).toMatchObject({
      code: 'KAFKA_INTERNAL',
      message: expect.not.stringContaining('of the work'),
    })
  })

  test('is told to onError', async () => {
    const told: unknown[][] = []
    const error = new Error('of the work')
    const handler = kafkaHandler(
      () => {
        throw error
      },
      { onError: (error, message) => void told.push([error, placeOf(message)]) },
    )
    await handler(eventOf(2), invocation)
    expect(told).toEqual([[error, '0:10']])
  })

  test('is in the log, without its data', async () => {
    const lines = vi.spyOn(console, 'error').mockImplementation(() => {})
    const handler = kafkaHandler((message) => message.json())
    const secret = {
      key: base64('secret-key'),
      value: base64('secret-value'),
      headers: [{ 'secret-name': bytesOf('secret-header') }],
    }
    const broken = kafkaHandler((message) => {
      throw new TypeError(`cannot read ${message.value}`)
    })
    await handler(only(secret), invocation)
    await broken(only(secret), invocation)
    const log = lines.mock.calls.map(([line]) => JSON.parse(String(line)))
    const place = { level: 'error', topic: 'events', partition: 0, offset: 10 }
    expect(log).toMatchObject([
      { ...place, error: expect.stringContaining('the value is not JSON') },
      { ...place, error: 'TypeError' },
    ])
    expect(JSON.stringify(log)).not.toMatch(/secret|c2VjcmV0/)
  })
})

describe('decode', () => {
  test('makes something of each key and value, and of no null', async () => {
    const payloads: (EncodedPayload & { text: string })[] = []
    const decoded: unknown[] = []
    const handler = kafkaHandler(
      ({ decodedKey, decodedValue, offset }) =>
        void decoded.push([offset, decodedKey, decodedValue]),
      {
        decode: async (bytes, payload) => {
          const text = Buffer.from(bytes).toString()
          payloads.push({ ...payload, text })
          return { text }
        },
      },
    )
    const records = {
      'events-0': [
        record(0, 0, {
          key: base64('k'),
          value: base64('v'),
          keySchemaMetadata: { dataFormat: 'JSON', schemaId: '7' },
          valueSchemaMetadata: { dataFormat: 'AVRO', schemaId: 'b8a1' },
        }),
        record(0, 1, { key: base64('k'), value: null }),
        record(0, 2, { value: '' }),
      ],
    }
    await handler({ ...msk, records }, invocation)
    expect(payloads).toEqual([
      { topic: 'events', isKey: true, schemaId: '7', text: 'k' },
      { topic: 'events', isKey: false, schemaId: 'b8a1', text: 'v' },
      { topic: 'events', isKey: true, schemaId: undefined, text: 'k' },
      { topic: 'events', isKey: false, schemaId: undefined, text: '' },
    ])
    expect(decoded).toEqual([
      [0n, { text: 'k' }, { text: 'v' }],
      [1n, { text: 'k' }, null],
      [2n, null, { text: '' }],
    ])
  })

  test('leaves the message as it is, beside what it made', async () => {
    const handled: KafkaMessage[] = []
    const handler = kafkaHandler((message) => void handled.push(message), { decode: () => 1 })
    await handler(msk, invocation)
    expect(handled).toMatchObject([{ offset: 15n, value: 'Hello, this is a test.' }])
  })

  test('that fails is a message that failed', async () => {
    const work = vi.fn()
    const decode = () => {
      throw new Error('no such schema')
    }
    expect(await kafkaHandler(work, { ...quiet, decode })(msk, invocation)).toEqual({
      batchItemFailures: [{ itemIdentifier: { partition: 'mytopic-0', offset: 15 } }],
    })
    expect(work).not.toHaveBeenCalled()
  })
})

describe('the time of the invocation', () => {
  test('runs out: what has not begun is reported', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const handled: string[] = []
    const onError = vi.fn()
    const handler = kafkaHandler(
      (message) => {
        handled.push(placeOf(message))
        if (handled.length === 2) vi.setSystemTime(Date.now() + 30_000)
      },
      { onError, concurrency: 1 },
    )
    expect(await handler(eventOf(3, 2), invocation)).toEqual({
      batchItemFailures: [
        { itemIdentifier: { partition: 'events-0', offset: 12 } },
        { itemIdentifier: { partition: 'events-1', offset: 10 } },
      ],
    })
    expect(handled).toEqual(['0:10', '0:11'])
    expect(onError).not.toHaveBeenCalled()
  })

  test('ends what is done over our clients while there is still time to report it', async () => {
    const kafka = new Kafka(memory({ topics: { events: 1 } }), { logger: false })
    onTestFinished(() => kafka.close())
    const consumer = kafka.consumer({ group: 'group', topics: 'events' })
    const errors: unknown[] = []
    const handler = kafkaHandler(() => consumer.poll({ waitMs: 1_000_000 }), {
      onError: (error) => void errors.push(error),
    })
    const context = { ...invocation, getRemainingTimeInMillis: () => 200 }
    expect(await handler(eventOf(1), context)).toEqual({
      batchItemFailures: [{ itemIdentifier: { partition: 'events-0', offset: 10 } }],
    })
    expect(errors).toMatchObject([{ code: 'KAFKA_TIMEOUT' }])
  })
})

test('what is logged has the message’s own correlation ID, or the invocation’s', async () => {
  const correlationIds: (string | undefined)[] = []
  const info = (record: object) =>
    void correlationIds.push((record as OperationRecord).correlationId)
  const other = () => {}
  const kafka = new Kafka(memory({ topics: { out: 1 } }), {
    logger: { debug: other, info, warn: other, error: other },
    logSuccess: true,
  })
  onTestFinished(() => kafka.close())
  const handler = kafkaHandler(() => kafka.producer.send({ topic: 'out', value: 'v' }))
  const headers = [
    [{ 'x-correlation-id': bytesOf('order-7') }],
    [],
    // What could forge a line of the log.
    [{ 'x-correlation-id': bytesOf('two\nlines') }],
    [{ 'x-correlation-id': null }],
  ]
  const records = { 'events-0': headers.map((headers, i) => record(0, i, { headers })) }
  expect(await handler({ ...msk, records }, invocation)).toEqual({ batchItemFailures: [] })
  expect(correlationIds).toEqual(['order-7', 'request-1', 'request-1', 'request-1'])
})
