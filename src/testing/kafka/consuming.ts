import { isInfraError } from '../../core/index.ts'
import type { Kafka, KafkaConsumer, KafkaMessage } from '../../kafka/index.ts'
import { equal, ok, rejects, until } from '../assert.ts'
import {
  config,
  invalid,
  join,
  type KafkaCase,
  not,
  notFound,
  numbered,
  read,
  values,
} from './fixture.ts'

async function fill(kafka: Kafka, topic: string, count: number, partition = 0): Promise<void> {
  await kafka.producer.send(numbered(count).map((value) => ({ topic, value, partition })))
}

export const consuming: KafkaCase[] = [
  {
    name: 'from the earliest message, in order',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 50)
      const messages = await read(consumer(name), 50)
      equal(values(messages), numbered(50))
      equal(
        messages.map(({ topic, partition, offset }) => [topic, partition, offset]),
        numbered(50).map((i) => [name, 0, BigInt(i)]),
      )
    },
  },
  {
    name: 'from the latest: only what comes after the group has begun',
    async run({ kafka, topic, consumer, name: unique }) {
      const name = await topic()
      const sender = kafka()
      if (!sender.capabilities.from.includes('latest')) {
        await rejects(() => consumer(name, { from: 'latest' }), { kind: 'unsupported' })
        return
      }
      await fill(sender, name, 5)
      const group = unique()
      const late = consumer(name, { from: 'latest', group })
      await join(late)
      await sender.producer.send({ topic: name, value: 'new' })
      equal(values(await read(late, 1)), ['new'])
    },
  },
  {
    name: 'from the latest: what was given and not committed comes again',
    async run({ kafka, topic, consumer, name: unique }) {
      const name = await topic()
      const sender = kafka()
      if (!sender.capabilities.from.includes('latest')) return
      const group = unique()
      const first = consumer(name, { from: 'latest', group })
      await join(first)
      await sender.producer.send({ topic: name, value: 'new' })
      equal(values(await read(first, 1)), ['new'])
      await first.close()
      equal(values(await read(consumer(name, { from: 'latest', group }), 1)), ['new'])
    },
  },
  {
    name: 'a topic that does not exist',
    async run({ consumer, name }) {
      await rejects(consumer(name()).poll(), notFound)
    },
  },
  {
    name: 'several topics',
    async run({ kafka, topic, consumer }) {
      const [a, b] = [await topic(), await topic()]
      await kafka().producer.send([
        { topic: a, value: 'a' },
        { topic: b, value: 'b' },
      ])
      equal(values(await read(consumer([a, b]), 2)).sort(), ['a', 'b'])
    },
  },
  {
    name: 'at most as many as are asked for, and the others next',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 10)
      const reader = consumer(name)
      const [first] = await read(reader, 1).then(async (messages) => [messages])
      // However many came with the first, polls give them in order and none twice.
      const got = [...(first as KafkaMessage[])]
      while (got.length < 10) {
        const some = await reader.poll({ max: 3, waitMs: 500 })
        ok(some.length <= 3, `${some.length} is more than 3`)
        got.push(...some)
      }
      equal(values(got), numbered(10))
    },
  },
  {
    name: 'nothing if nothing comes in time',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      equal(await reader.poll({ waitMs: 200 }), [])
      equal(await reader.poll({ waitMs: 0 }), [])
    },
  },
  {
    name: 'what comes during a poll',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const reader = consumer(name)
      await join(reader)
      const polled = read(reader, 1)
      await kafka().producer.send({ topic: name, value: 'now' })
      equal(values(await polled), ['now'])
    },
  },
  {
    name: 'a poll that is cancelled loses nothing',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      const reader = consumer(name)
      await join(reader)
      const cancelled = new AbortController()
      const polled = reader.poll({ waitMs: 10_000, signal: cancelled.signal })
      cancelled.abort()
      await rejects(polled, { kind: 'aborted' })
      await fill(kafka(), name, 10)
      equal(values(await read(reader, 10)), numbered(10))
    },
  },
  {
    name: 'two polls at once are refused',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      const first = reader.poll({ waitMs: 300 })
      await rejects(reader.poll(), invalid)
      await first
    },
  },
  {
    name: 'malformed options are refused',
    async run({ topic, consumer, name }) {
      const existing = await topic()
      const reader = consumer(existing)
      for (const options of [
        { max: 0 },
        { max: 1.5 },
        { waitMs: -1 },
        { waitMs: Number.NaN },
        { timeoutMs: 0 },
        not<object>({ waitMS: 1 }),
      ]) {
        await rejects(reader.poll(options), invalid, JSON.stringify(options))
      }
      for (const options of [
        { group: '' },
        { group: 'a\nb' },
        { group: 'a b' },
        { topics: [] },
        { topics: ['a b'] },
        { from: 'middle' },
        { instance: '' },
        { instance: 'a\u00a0b' },
        { sessionTimeoutMs: 0 },
        { autoCommitIntervalMs: -1 },
      ]) {
        const making = () => consumer(existing, { group: name(), ...not<object>(options) })
        await rejects(making, config, JSON.stringify(options))
      }
    },
  },
]

export const committing: KafkaCase[] = [
  {
    name: 'the next member goes on behind what is committed',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 10)
      const first = consumer(name)
      await read(first, 10)
      await first.commit()
      await first.close()
      await kafka().producer.send({ topic: name, value: 'next' })
      equal(values(await read(consumer(name), 1)), ['next'])
    },
  },
  {
    name: 'up to and including a message',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 10)
      const first = consumer(name)
      const messages = await read(first, 10)
      await first.commit(messages[3])
      await first.close()
      equal(values(await read(consumer(name), 6)), ['4', '5', '6', '7', '8', '9'])
    },
  },
  {
    name: 'of several messages, the furthest in each partition',
    async run({ kafka, topic, consumer }) {
      const name = await topic(2)
      const sender = kafka()
      await fill(sender, name, 4, 0)
      await fill(sender, name, 4, 1)
      const first = consumer(name)
      const messages = await read(first, 8)
      const done = messages.filter(({ offset, partition }) => offset <= (partition === 0 ? 1n : 2n))
      await first.commit(done.reverse())
      await first.close()
      const rest = await read(consumer(name), 3)
      equal(rest.map(({ partition, offset }) => `${partition}:${offset}`).sort(), [
        '0:2',
        '0:3',
        '1:3',
      ])
    },
  },
  {
    name: 'what is not committed comes again',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 5)
      const first = consumer(name)
      equal(values(await read(first, 5)), numbered(5))
      await first.close()
      equal(values(await read(consumer(name), 5)), numbered(5))
    },
  },
  {
    name: 'by the next offset to read',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 5)
      const first = consumer(name)
      await read(first, 5)
      await first.commitOffsets([{ topic: name, partition: 0, offset: 3n }])
      await first.close()
      equal(values(await read(consumer(name), 2)), ['3', '4'])
    },
  },
  {
    // For functions that read in one call and commit in another.
    name: 'before the first poll: done, or a conflict where reading makes the member',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const committer = consumer(name)
      let first = '2'
      try {
        await committer.commitOffsets([{ topic: name, partition: 0, offset: 2n }])
      } catch (error) {
        ok(isInfraError(error, 'conflict') && error.outcome === 'not-applied', String(error))
        first = '0'
      }
      await committer.close()
      equal((await read(consumer(name), 1))[0]?.value, first)
    },
  },
  {
    name: 'an offset beyond the end: the next member begins where it would without',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const first = consumer(name)
      await read(first, 3)
      await first.commitOffsets([{ topic: name, partition: 0, offset: 1000n }])
      await first.close()
      equal(values(await read(consumer(name), 3)), numbered(3))
    },
  },
  {
    name: 'nothing was given out: nothing to do',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      await reader.commit()
      await reader.commit([])
      await reader.commitOffsets([])
    },
  },
  {
    name: 'what is no message or no offset is refused',
    async run({ topic, consumer }) {
      const name = await topic()
      const reader = consumer(name)
      await rejects(reader.commit(not({})), invalid)
      const offsets = [
        { topic: 'a b', partition: 0, offset: 1n },
        { topic: name, partition: -1, offset: 1n },
        { topic: name, partition: 0, offset: 1 },
        { topic: name, partition: 0, offset: -1n },
      ]
      for (const offset of offsets) {
        await rejects(reader.commitOffsets([not(offset)]), invalid)
      }
    },
  },
  {
    name: 'a partition that another member has by now: conflict, and nothing is lost',
    async run({ kafka, topic, consumer }) {
      const name = await topic(2)
      const sender = kafka()
      await fill(sender, name, 3, 0)
      await fill(sender, name, 3, 1)
      const first = consumer(name)
      await read(first, 6)
      const second = consumer(name)
      // Both take part until the second has a partition, whose messages are not committed and come again.
      let taken: KafkaMessage[] = []
      await until(async () => {
        const [, some] = await Promise.all([
          first.poll({ waitMs: 100 }).catch(() => []),
          second.poll({ waitMs: 100 }).catch(() => []),
        ])
        taken = [...taken, ...some]
        return taken.length >= 3
      }, 'the second member has a partition')
      const lost = taken[0] as KafkaMessage
      await rejects(first.commit(lost), { kind: 'conflict', outcome: 'not-applied' })
      await second.commit()
    },
  },
]

export const groups: KafkaCase[] = [
  {
    name: 'two members share the partitions',
    async run({ kafka, topic, consumer }) {
      const name = await topic(4)
      const members = [consumer(name), consumer(name)]
      const seen = members.map(() => new Set<number>())
      const sender = kafka()
      const fillAll = () =>
        sender.producer.send(
          [0, 1, 2, 3].map((partition) => ({ topic: name, value: 'a', partition })),
        )
      await until(async () => {
        await fillAll()
        await Promise.all(members.map((member, i) => poll(member, seen[i] as Set<number>)))
        const [a, b] = seen as [Set<number>, Set<number>]
        return a.size > 0 && b.size > 0 && new Set([...a, ...b]).size === 4
      }, 'both have partitions, and together all four')
    },
  },
  {
    name: 'when one leaves, the other takes over what it had not committed',
    async run({ kafka, topic, consumer }) {
      const name = await topic(2)
      const sender = kafka()
      const [stays, leaves] = [consumer(name), consumer(name)]
      const seen = [new Set<number>(), new Set<number>()] as const
      await until(async () => {
        await sender.producer.send(
          [0, 1].map((partition) => ({ topic: name, value: 'old', partition })),
        )
        await Promise.all([poll(stays, seen[0]), poll(leaves, seen[1])])
        await Promise.all([stays.commit().catch(() => {}), leaves.commit().catch(() => {})])
        return seen[0].size > 0 && seen[1].size > 0
      }, 'both have a partition')
      await leaves.close()
      await sender.producer.send(
        [0, 1].map((partition) => ({ topic: name, value: 'new', partition })),
      )
      const partitions = new Set<number>()
      await until(async () => {
        for (const { value, partition } of await stays.poll({ waitMs: 200 })) {
          if (value === 'new') partitions.add(partition)
        }
        return partitions.size === 2
      }, 'the one that stays reads both partitions')
    },
  },
  {
    name: 'who keeps a partition goes on where it was, committed or not',
    async run({ kafka, topic, consumer }) {
      const name = await topic(2)
      const sender = kafka()
      await fill(sender, name, 3, 0)
      await fill(sender, name, 3, 1)
      const [first, second] = [consumer(name), consumer(name)]
      await read(first, 6)
      const taken: KafkaMessage[] = []
      const again: KafkaMessage[] = []
      await until(async () => {
        const [mine, theirs] = await Promise.all([
          first.poll({ waitMs: 100 }),
          second.poll({ waitMs: 100 }),
        ])
        again.push(...mine)
        taken.push(...theirs)
        return taken.length >= 3
      }, 'the second member has a partition')
      equal(values(taken), numbered(3), 'what the other member takes over')
      const kept = taken[0]?.partition === 0 ? 1 : 0
      await sender.producer.send({ topic: name, value: 'next', partition: kept })
      again.push(...(await read(first, 1)))
      equal(values(again), ['next'], 'what the first member reads')
    },
  },
  {
    name: 'two consumers with the name of one instance: who is refused has a conflict, and nothing is lost',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 5)
      const instance = 'one'
      const consumers = [consumer(name, { instance }), consumer(name, { instance })]
      const seen = new Set<string | null>()
      await until(async () => {
        for (const each of consumers) {
          try {
            for (const { value } of await each.poll({ max: 1, waitMs: 100 })) seen.add(value)
          } catch (error) {
            if (!isInfraError(error, 'conflict')) throw error
          }
        }
        return seen.size === 5
      }, 'all messages were given')
    },
  },
  {
    name: 'another group reads everything for itself',
    async run({ kafka, topic, consumer, name: unique }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const first = consumer(name)
      await read(first, 3)
      await first.commit()
      equal(values(await read(consumer(name, { group: unique() }), 3)), numbered(3))
    },
  },
]

/** A rebalance may get in the way. */
async function poll(member: KafkaConsumer, seen: Set<number>): Promise<void> {
  try {
    for (const { partition } of await member.poll({ waitMs: 150 })) seen.add(partition)
  } catch (error) {
    if (!isInfraError(error)) throw error
  }
}

export const iterating: KafkaCase[] = [
  {
    name: 'gives the messages, and commits what the loop is done with',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 5)
      const first = consumer(name)
      const got: (string | null)[] = []
      for await (const { value } of first) {
        got.push(value)
        if (value === '3') break
      }
      equal(got, ['0', '1', '2', '3'])
      await first.close()
      // The last one was not done.
      equal(values(await read(consumer(name), 2)), ['3', '4'])
    },
  },
  {
    name: 'commits nothing if it is told not to',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const first = consumer(name, { autoCommit: false })
      for await (const { value } of first) if (value === '2') break
      await first.close()
      equal(values(await read(consumer(name), 3)), numbered(3))
    },
  },
  {
    name: 'an error in the loop ends it, and its message comes again',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const first = consumer(name)
      const failed = new Error('the loop')
      let error: unknown
      try {
        for await (const { value } of first) if (value === '1') throw failed
      } catch (thrown) {
        error = thrown
      }
      ok(error === failed, 'the loop’s own error comes out')
      await first.close()
      equal(values(await read(consumer(name), 2)), ['1', '2'])
    },
  },
  {
    name: 'close ends it, and what was done is committed',
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await fill(kafka(), name, 3)
      const first = consumer(name)
      const got: (string | null)[] = []
      let closing: Promise<void> | undefined
      for await (const { value } of first) {
        got.push(value)
        // The loop waits for more by then, with all three done.
        if (value === '2')
          closing = new Promise((resolve) => setTimeout(resolve, 100)).then(() => first.close())
      }
      await closing
      equal(got, numbered(3))
      await kafka().producer.send({ topic: name, value: 'next' })
      equal(values(await read(consumer(name), 1)), ['next'])
    },
  },
  {
    name: 'the signal ends it',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      const stop = new AbortController()
      const iterating = (async () => {
        for await (const _ of reader.messages({ signal: stop.signal }));
      })()
      stop.abort()
      await rejects(iterating, { kind: 'aborted' })
    },
  },
]
