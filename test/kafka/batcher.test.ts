import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { memory } from '../../adapters/kafka/memory.ts'
import { DriverFailure, type Failure, type Instrument } from '../../src/core/index.ts'
import {
  KafkaProducer,
  type ProduceBatch,
  type ProducerDriver,
  type ProducerOptions,
  type RecordMetadata,
} from '../../src/kafka/index.ts'
import { failure } from './platformatic.ts'

type Fates = readonly (RecordMetadata | Error)[]
type Step = (batch: ProduceBatch) => Promise<Fates>

const text = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString()
const metadata = (topic: string, i: number) => ({ topic, partition: 0, offset: BigInt(i) })

const store: Step = async ({ records }) => records.map(({ topic }, i) => metadata(topic, i))

/** Stores all but the messages of that value. */
const refuse =
  (value: string, failure: Failure): Step =>
  async ({ records }) =>
    records.map(({ topic, value: bytes }, i) =>
      text(bytes) === value ? new DriverFailure(failure) : metadata(topic, i),
    )

const never: Step = () => new Promise(() => {})

/** A step that waits to be told to go on. */
function held(then: Step = store) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const step: Step = async (batch) => {
    await promise
    return then(batch)
  }
  return { step, release: () => resolve() }
}

/** A producer over a script: one step for each batch, the last for all that follow. */
function producing(
  steps: readonly Step[] = [store],
  options: ProducerOptions = {},
  maxRequestBytes = 1_000_000,
) {
  const batches: ProduceBatch[] = []
  const driver: ProducerDriver = {
    adapter: 'scripted',
    resource: undefined,
    produce(batch) {
      const step = steps[Math.min(batches.length, steps.length - 1)] as Step
      batches.push(batch)
      for (const attempt of batch.attempts) attempt.sent = true
      return step(batch)
    },
    ping: async () => {},
    close: async () => {},
    classify: () => ({ kind: 'unavailable' }),
    native: async () => undefined,
  }
  const cluster = memory()
  const capabilities = { ...cluster.capabilities, maxRequestBytes }
  const producer = new KafkaProducer(
    { ...cluster, adapter: 'scripted', capabilities, producer: () => driver },
    { topic: 'events', logger: false, retry: { baseMs: 1, maxMs: 2 }, breaker: false, ...options },
  )
  onTestFinished(() => producer.close())
  return {
    producer,
    batches,
    /** The values of each batch so far. */
    sent: () => batches.map(({ records }) => records.map(({ value }) => text(value))),
    send: (value: string, signal?: AbortSignal) =>
      producer.send({ value }, signal === undefined ? {} : { signal }),
    sendMany: (...values: string[]) => producer.send(values.map((value) => ({ value }))),
  }
}

/** By when all has happened that needs no event from outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i))

afterEach(() => void vi.useRealTimers())

describe('batches', () => {
  test('the messages of one tick are one batch, in the order of the calls', async () => {
    const { send, sendMany, sent } = producing()
    const calls = [send('a'), sendMany('b', 'c'), send('d')]
    expect(await Promise.all(calls)).toEqual([
      metadata('events', 0),
      [metadata('events', 1), metadata('events', 2)],
      metadata('events', 3),
    ])
    expect(sent()).toEqual([['a', 'b', 'c', 'd']])
  })

  test('those that come while one is on its way are the next', async () => {
    const first = held()
    const { send, sent } = producing([first.step, store])
    const calls = [send('a')]
    for (const value of ['b', 'c', 'd']) {
      await settled()
      calls.push(send(value))
    }
    await settled()
    expect(sent()).toEqual([['a']])
    first.release()
    await Promise.all(calls)
    expect(sent()).toEqual([['a'], ['b', 'c', 'd']])
  })

  test('one at a time, however many there are', async () => {
    let onTheirWay = 0
    let most = 0
    const step: Step = async (batch) => {
      most = Math.max(most, ++onTheirWay)
      await settled()
      onTheirWay--
      return store(batch)
    }
    const { send, sent } = producing([step])
    const calls: Promise<unknown>[] = []
    for (const value of numbered(50)) {
      calls.push(send(value))
      if (Number(value) % 3 === 0) await settled()
    }
    await Promise.all(calls)
    expect(most).toBe(1)
    expect(sent().length).toBeGreaterThan(1)
    expect(sent().flat()).toEqual(numbered(50))
  })

  test('one that fails as a whole fails each of its calls, and not the next', async () => {
    const lost = new DriverFailure({ kind: 'unavailable', outcome: 'unknown' })
    const { send, sendMany, sent } = producing([() => Promise.reject(lost), store])
    const errors = await Promise.all([failure(send('a')), failure(sendMany('b', 'c'))])
    expect(errors).toMatchObject([
      { code: 'KAFKA_UNAVAILABLE', outcome: 'unknown' },
      { code: 'KAFKA_UNAVAILABLE', outcome: 'unknown' },
    ])
    await send('d')
    expect(sent()).toEqual([['a', 'b', 'c'], ['d']])
  })
})

describe('a linger', () => {
  test('gathers the messages of its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { send, sent } = producing([store], { lingerMs: 100 })
    const calls = [send('a')]
    await vi.advanceTimersByTimeAsync(60)
    calls.push(send('b'))
    await vi.advanceTimersByTimeAsync(39)
    expect(sent()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await Promise.all(calls)
    expect(sent()).toEqual([['a', 'b']])
    const next = send('c')
    await vi.advanceTimersByTimeAsync(99)
    expect(sent()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    await next
    expect(sent()).toEqual([['a', 'b'], ['c']])
  })

  const options = { lingerMs: 60_000 }

  test('is cut short by flush, for what is there', async () => {
    const { producer, send, sent } = producing([store], options)
    const calls = [send('a'), send('b')]
    await settled()
    expect(sent()).toEqual([])
    await producer.flush()
    expect(sent()).toEqual([['a', 'b']])
    await Promise.all(calls)
  })

  test('is cut short by close', async () => {
    const { producer, send, sent } = producing([store], options)
    const call = send('a')
    await settled()
    await producer.close()
    expect(sent()).toEqual([['a']])
    await call
    expect(await failure(send('b'))).toMatchObject({ code: 'KAFKA_CLOSED' })
  })

  test('does not keep a message from being given up', async () => {
    const { producer, send, sent } = producing([store], options)
    const caller = new AbortController()
    const given = failure(send('a', caller.signal))
    await settled()
    caller.abort()
    expect(await given).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    await producer.flush()
    expect(sent()).toEqual([])
  })
})

describe('callers who give up', () => {
  test('all of them: the batch is told, and does not hold up the next', async () => {
    const { send, batches, sent } = producing([never, store])
    const [one, other] = [new AbortController(), new AbortController()]
    const given = [failure(send('a', one.signal)), failure(send('b', other.signal))]
    await settled()
    const next = send('c')
    one.abort()
    await settled()
    expect(batches[0]?.signal.aborted).toBe(false)
    expect(sent()).toEqual([['a', 'b']])
    other.abort()
    await next
    expect(batches[0]?.signal.aborted).toBe(true)
    expect(sent()).toEqual([['a', 'b'], ['c']])
    expect(await Promise.all(given)).toMatchObject([
      { kind: 'aborted', outcome: 'unknown' },
      { kind: 'aborted', outcome: 'unknown' },
    ])
  })

  test('before it was their turn: nothing of them is sent', async () => {
    const first = held()
    const { send, sent } = producing([first.step, store])
    const caller = new AbortController()
    const calls = [send('a')]
    await settled()
    const given = failure(send('b', caller.signal))
    calls.push(send('c'))
    await settled()
    caller.abort()
    expect(await given).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    first.release()
    await Promise.all(calls)
    expect(sent()).toEqual([['a'], ['c']])
  })

  test('a deadline is such a caller', async () => {
    const { producer, send, sent } = producing([never, store])
    const lost = failure(producer.send({ value: 'a' }, { timeoutMs: 20 }))
    await settled()
    const next = send('b')
    expect(await lost).toMatchObject({ code: 'KAFKA_TIMEOUT', outcome: 'unknown' })
    await next
    expect(sent()).toEqual([['a'], ['b']])
  })
})

describe('the limits of a batch', () => {
  // With what Kafka's format adds, 50 bytes.
  const half = (name: string) => name.padEnd(26, '.')
  const names = (batches: string[][]) =>
    batches.map((values) => values.map((value) => value.replaceAll('.', '')))

  test('of size: what does not fit is the next', async () => {
    const { send, sent } = producing([store], {}, 100)
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => send(half(name))))
    expect(names(sent())).toEqual([['a', 'b'], ['c', 'd'], ['e']])
  })

  test('the messages of one call stay together, alone if there are too many', async () => {
    const { send, sendMany, sent } = producing([store], {}, 100)
    const many = sendMany(half('b'), half('c'), half('d'))
    await Promise.all([many, send(half('e')), send(half('f'))])
    await Promise.all([send(half('g')), sendMany(half('h'), half('i'))])
    expect(names(sent())).toEqual([['b', 'c', 'd'], ['e', 'f'], ['g'], ['h', 'i']])
  })

  test('of number', async () => {
    const { send, sendMany, sent } = producing()
    await Promise.all(numbered(10_001).map((value) => send(value)))
    await Promise.all([sendMany(...numbered(6000)), sendMany(...numbered(5000))])
    expect(sent().map(({ length }) => length)).toEqual([10_000, 1, 6000, 5000])
  })
})

describe('a message that fails', () => {
  const notApplied = { kind: 'unavailable', outcome: 'not-applied' } as const
  const unknown = { kind: 'unavailable', outcome: 'unknown' } as const

  test('is sent again if it was not stored, and its neighbours are not', async () => {
    const { send, sent } = producing([refuse('b', notApplied), store])
    await Promise.all(['a', 'b', 'c'].map((value) => send(value)))
    expect(sent()).toEqual([['a', 'b', 'c'], ['b']])
  })

  test('is not sent again if it may have been stored', async () => {
    const { send, sent } = producing([refuse('b', unknown), store])
    const [, error] = await Promise.all([send('a'), failure(send('b'))])
    expect(error).toMatchObject({ code: 'KAFKA_UNAVAILABLE', outcome: 'unknown' })
    expect(sent()).toEqual([['a', 'b']])
  })

  test('is not sent again if it would be refused again', async () => {
    const { send, sent } = producing([refuse('b', { kind: 'invalid' }), store])
    expect(await failure(send('b'))).toMatchObject({
      code: 'KAFKA_INVALID',
      outcome: 'not-applied',
    })
    expect(sent()).toEqual([['b']])
  })

  test('as one of many of its call is not sent again: the caller learns the fate of each', async () => {
    const { sendMany, sent } = producing([refuse('b', notApplied), store])
    const error = await failure(sendMany('a', 'b'))
    expect(error).toMatchObject({
      outcome: 'partial',
      items: [{ status: 'fulfilled' }, { status: 'rejected', reason: notApplied }],
    })
    expect(sent()).toEqual([['a', 'b']])
  })

  test('with all of its call is sent again with them', async () => {
    const { sendMany, sent } = producing([refuse('a', notApplied), store])
    await sendMany('a', 'a')
    expect(sent()).toEqual([
      ['a', 'a'],
      ['a', 'a'],
    ])
  })
})

describe('messages are counted by topic', () => {
  function counted(steps?: readonly Step[]) {
    const counts = new Map<string | undefined, number>()
    const none = () => () => {}
    const counter =
      ({ name, labels: { topic } }: Instrument) =>
      (increment: number) => {
        if (name !== 'kafka_producer_messages_total') return
        counts.set(topic, (counts.get(topic) ?? 0) + increment)
      }
    const metrics = { histogram: none, gauge: none, counter }
    return { ...producing(steps, { metrics }), counts }
  }

  test('when they are stored', async () => {
    const { producer, sendMany, counts } = counted([refuse('b', { kind: 'invalid' })])
    await failure(sendMany('a', 'b', 'c'))
    await producer.send({ topic: 'more', value: 'd' })
    await failure(producer.send({ topic: 'none', value: 'b' }))
    expect([...counts]).toEqual([
      ['events', 2],
      ['more', 1],
    ])
  })

  test('a hundred topics by name, the rest as `other`', async () => {
    const { producer, counts } = counted()
    for (const i of numbered(103)) await producer.send({ topic: `topic-${i}`, value: 'v' })
    await producer.send({ topic: 'topic-0', value: 'v' })
    expect(counts.size).toBe(101)
    expect(counts.get('topic-0')).toBe(2)
    expect(counts.get('topic-99')).toBe(1)
    expect(counts.get('other')).toBe(3)
  })
})
