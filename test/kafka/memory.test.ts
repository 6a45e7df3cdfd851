import { describe, expect, onTestFinished, test } from 'vitest'
import { type MemoryOptions, memory } from '../../adapters/kafka/memory.ts'
import { type ConsumerOptions, Kafka, type KafkaDriver } from '../../src/kafka/index.ts'
import { failure } from './platformatic.ts'

const start = Date.UTC(2025, 0, 1)

/** A clock that the test moves. */
function movable() {
  const clock = () => clock.now
  clock.now = start
  return clock
}

function connect(driver: KafkaDriver): Kafka {
  const kafka = new Kafka(driver, { logger: false, topic: 'events' })
  onTestFinished(() => kafka.close())
  return kafka
}

/** A client of a cluster of its own, and members of one group of it. */
function cluster(options: MemoryOptions = {}) {
  const kafka = connect(memory({ topics: { events: 2 }, ...options }))
  const member = (options: Partial<ConsumerOptions> = {}) =>
    kafka.consumer({ group: 'group', topics: 'events', from: 'earliest', ...options })
  /** One after the other, into one partition. */
  const send = async (values: readonly string[], partition = 0) => {
    for (const value of values) await kafka.producer.send({ value, partition })
  }
  return { kafka, member, send }
}

const values = (messages: readonly { value: string | null }[]) => messages.map(({ value }) => value)
const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i))
const now = { waitMs: 0 }

describe('the clock', () => {
  test('is where timestamps come from', async () => {
    const clock = movable()
    const { kafka, member } = cluster({ clock })
    expect(await kafka.producer.send({ value: 'a', partition: 0 })).toMatchObject({
      timestamp: new Date(start),
    })
    clock.now += 1000
    await kafka.producer.send({ value: 'b', partition: 0 })
    await kafka.producer.send({ value: 'c', partition: 0, timestamp: 5 })
    const messages = await member().poll(now)
    expect(messages.map(({ timestamp }) => timestamp?.getTime())).toEqual([start, start + 1000, 5])
    const partition = { topic: 'events', partition: 0 }
    expect(await kafka.admin.offsets([partition], new Date(start + 1))).toEqual([1n])
  })

  test('bounds how far ahead a timestamp may be', async () => {
    const clock = movable()
    const { kafka } = cluster({ clock })
    const early = { value: 'v', timestamp: start + 3_600_001 }
    expect(await failure(kafka.producer.send(early))).toMatchObject({ code: 'KAFKA_INVALID' })
    clock.now += 1
    await kafka.producer.send(early)
  })

  test('ends the session of a silent member, whose partitions go to the others', async () => {
    const clock = movable()
    const { member, send } = cluster({ clock })
    const [silent, active] = [member({ sessionTimeoutMs: 1000 }), member()]
    await silent.poll(now)
    await active.poll(now)
    const [mine] = silent.assigned ?? []
    expect(silent.assigned).toHaveLength(1)
    expect(active.assigned).toHaveLength(1)
    await send(['v'], mine?.partition)
    const given = await silent.poll(now)
    expect(values(given)).toEqual(['v'])

    clock.now += 1000
    expect(await active.poll(now)).toEqual([])
    clock.now += 1
    expect(values(await active.poll(now))).toEqual(['v'])
    expect(active.assigned).toHaveLength(2)

    expect(await failure(silent.health())).toMatchObject({ code: 'KAFKA_UNAVAILABLE' })
    expect(await failure(silent.commit(given))).toMatchObject({
      code: 'KAFKA_CONFLICT',
      outcome: 'not-applied',
    })
    // It is a new member from its next poll on.
    await silent.poll(now)
    await silent.health()
    expect(silent.assigned).toHaveLength(1)
  })

  test('does not end the session of a member that commits', async () => {
    const clock = movable()
    const { member, send } = cluster({ clock })
    const [committing, other] = [member({ sessionTimeoutMs: 1000 }), member()]
    await send(['v'])
    await committing.poll(now)
    clock.now += 900
    await committing.commit()
    clock.now += 900
    await other.poll(now)
    await committing.health()
  })

  test('does not end the session of a member that waits for messages', async () => {
    const clock = movable()
    const { member, send } = cluster({ clock })
    const [waiting, other] = [member({ sessionTimeoutMs: 1000 }), member()]
    await waiting.poll(now)
    await other.poll(now)
    await send(['v'], other.assigned?.[0]?.partition)
    expect(values(await other.poll(now))).toEqual(['v'])
    const stop = new AbortController()
    const polled = failure(waiting.poll({ waitMs: 1_000_000, signal: stop.signal }))
    clock.now += 2000
    expect(await other.poll(now)).toEqual([])
    expect(other.assigned).toHaveLength(1)
    stop.abort()
    expect(await polled).toMatchObject({ kind: 'aborted' })
  })

  test('a commit needs no session, only that nobody else has the partition', async () => {
    const clock = movable()
    const { member, send } = cluster({ clock })
    await send(numbered(3))
    const early = member({ sessionTimeoutMs: 1000 })
    await early.commitOffsets([{ topic: 'events', partition: 0, offset: 1n }])
    const given = await early.poll(now)
    expect(values(given)).toEqual(['1', '2'])
    clock.now += 1001
    await early.commit(given[0])
    expect(values(await early.poll(now))).toEqual(['2'])
    await early.close()
    expect(values(await member().poll(now))).toEqual(['2'])
  })

  test('a static member that comes back takes its own place', async () => {
    const { member } = cluster()
    const before = member({ instance: 'one' })
    await before.poll(now)
    const after = member({ instance: 'one' })
    await after.poll(now)
    expect(after.assigned).toHaveLength(2)
    expect(await failure(before.poll(now))).toMatchObject({ code: 'KAFKA_CONFLICT' })
  })
})

describe('retention by count', () => {
  const events = [{ topic: 'events', partition: 0 }]

  test('the oldest messages go, and offsets go on', async () => {
    const { kafka, member, send } = cluster({ retainMessages: 3 })
    await send(numbered(10))
    expect(await kafka.admin.offsets(events, 'earliest')).toEqual([7n])
    expect(await kafka.admin.offsets(events, 'latest')).toEqual([10n])
    const messages = await member().poll(now)
    expect(messages.map(({ offset, value }) => [offset, value])).toEqual([
      [7n, '7'],
      [8n, '8'],
      [9n, '9'],
    ])
  })

  test('is of each partition', async () => {
    const { member, send } = cluster({ retainMessages: 2 })
    await send(['a', 'b', 'c'], 0)
    await send(['d', 'e'], 1)
    expect(values(await member().poll(now)).toSorted()).toEqual(['b', 'c', 'd', 'e'])
  })

  test.each([
    ['earliest', ['7', '8', '9']],
    ['latest', []],
  ] as const)('a member whose place is gone goes on at the %s message', async (from, expected) => {
    const { member, send } = cluster({ retainMessages: 3 })
    const consumer = member({ from })
    await consumer.poll(now)
    await send(['first'])
    expect(values(await consumer.poll(now))).toEqual(['first'])
    await consumer.commit()
    await send(numbered(10))
    expect(values(await consumer.poll(now))).toEqual(expected)
    await send(['next'])
    expect(values(await consumer.poll(now))).toEqual(['next'])
  })

  test('what is gone is no lag', async () => {
    const { member, send } = cluster({ retainMessages: 3 })
    const consumer = member()
    await send(numbered(10))
    await consumer.poll({ ...now, max: 1 })
    const lags = await consumer.lag()
    expect(lags.find(({ partition }) => partition === 0)?.lag).toBe(3n)
  })
})

describe('the cluster', () => {
  test('is shared by the clients of one driver', async () => {
    const driver = memory({ topics: { events: 1 } })
    const [a, b] = [connect(driver), connect(driver)]
    await a.admin.createTopics([{ name: 'more', partitions: 3 }])
    await a.producer.send({ value: 'v' })
    await a.close()
    expect(await b.admin.listTopics()).toEqual(['events', 'more'])
    const consumer = b.consumer({ group: 'group', topics: 'events', from: 'earliest' })
    expect(values(await consumer.poll(now))).toEqual(['v'])
  })

  test('is each driver’s own', async () => {
    const [a, b] = [connect(memory({ topics: { events: 1 } })), connect(memory())]
    await a.producer.send({ value: 'v' })
    expect(await b.admin.listTopics()).toEqual([])
    expect(await failure(b.producer.send({ value: 'v' }))).toMatchObject({
      code: 'KAFKA_NOT_FOUND',
    })
  })

  test('keeps what was sent, whatever becomes of the caller’s bytes and of the reader’s', async () => {
    const { kafka, member } = cluster()
    const bytes = Uint8Array.of(1)
    await kafka.producer.send({ key: bytes, value: bytes, headers: { a: bytes } })
    bytes[0] = 2
    for (const group of ['one', 'two']) {
      const [message] = await member({ group }).poll(now)
      const copies = [message?.keyBytes, message?.valueBytes, message?.headerList[0]?.[1]]
      expect(copies).toEqual([Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(1)])
      for (const copy of copies) copy?.fill(3)
    }
  })
})

test.each<[string, object]>([
  ['none to keep', { retainMessages: 0 }],
  ['a negative number to keep', { retainMessages: -1 }],
  ['what is no number to keep', { retainMessages: Number.NaN }],
  ['a topic with a space', { topics: { 'a b': 1 } }],
  ['a topic without partitions', { topics: { a: 0 } }],
  ['half a partition', { topics: { a: 1.5 } }],
  ['a text for a number of partitions', { topics: { a: '3' } }],
])('%s: options that cannot be', (_, options) => {
  expect(() => memory(options as MemoryOptions)).toThrow(
    expect.objectContaining({ code: 'KAFKA_CONFIG' }),
  )
})
