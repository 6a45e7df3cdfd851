import { isInfraError, withContext } from '../../core/index.ts'
import { Kafka, KafkaProducer } from '../../kafka/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, collectSpans } from '../collect.ts'
import {
  config,
  invalid,
  join,
  type KafkaCase,
  not,
  notFound,
  numbered,
  read,
  unsupported,
} from './fixture.ts'

export const lag: KafkaCase[] = [
  {
    name: 'counts what is not committed',
    needs: ['lag'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send(numbered(5).map((value) => ({ topic: name, value })))
      const reader = consumer(name)
      const messages = await read(reader, 5)
      equal(await reader.lag(), [{ topic: name, partition: 0, lag: 5n }])
      await reader.commit(messages[2])
      equal(await reader.lag(), [{ topic: name, partition: 0, lag: 2n }])
      await reader.commit()
      equal(await reader.lag(), [{ topic: name, partition: 0, lag: 0n }])
    },
  },
  {
    name: 'is refused',
    without: 'lag',
    async run({ topic, consumer }) {
      await rejects(consumer(await topic()).lag(), unsupported)
    },
  },
]

export const admin: KafkaCase[] = [
  {
    name: 'lists topics, sorted, and none of Kafka’s own',
    needs: ['listTopics'],
    async run({ kafka, topic }) {
      const names = [await topic(), await topic()]
      const listed = await kafka().admin.listTopics()
      ok(
        names.every((name) => listed.includes(name)),
        'both are listed',
      )
      equal(listed, listed.toSorted())
      ok(!listed.some((name) => name.startsWith('__')), 'none is internal')
    },
  },
  {
    name: 'describes topics',
    needs: ['describeTopics'],
    async run({ kafka, topic }) {
      const [one, three] = [await topic(), await topic(3)]
      const described = await kafka().admin.describeTopics([three, one])
      equal(
        described.map(({ name, partitions }) => [name, partitions.length]),
        [
          [three, 3],
          [one, 1],
        ],
      )
      const [first] = described
      equal(
        first?.partitions.map(({ partition }) => partition),
        [0, 1, 2],
      )
      ok(first?.partitions[0]?.replicas.length !== 0, 'a partition has replicas')
    },
  },
  {
    name: 'a topic that does not exist cannot be described',
    needs: ['describeTopics'],
    async run({ kafka, name }) {
      await rejects(kafka().admin.describeTopics([name()]), notFound)
    },
  },
  {
    name: 'describing is refused',
    without: 'describeTopics',
    async run({ kafka, name }) {
      await rejects(kafka().admin.describeTopics([name()]), unsupported)
    },
  },
  {
    name: 'creates topics',
    needs: ['createTopics', 'listTopics'],
    async run({ kafka, name }) {
      const client = kafka()
      const topic = name()
      await client.admin.createTopics([
        { name: topic, partitions: 2, config: { 'cleanup.policy': 'compact' } },
      ])
      ok((await client.admin.listTopics()).includes(topic), 'it is listed')
      equal(
        (await client.producer.send({ topic, value: 'a', key: 'k', partition: 1 })).partition,
        1,
      )
    },
  },
  {
    name: 'a topic that exists is a conflict, and the others are created',
    needs: ['createTopics', 'listTopics'],
    async run({ kafka, topic, name }) {
      const { admin } = kafka()
      const [existing, fresh] = [await topic(), name()]
      await rejects(admin.createTopics([{ name: existing }]), {
        kind: 'conflict',
        outcome: 'not-applied',
      })
      const error = await rejects(
        admin.createTopics([
          { name: fresh, partitions: 1 },
          { name: existing, partitions: 1 },
        ]),
        { kind: 'conflict', outcome: 'partial' },
      )
      equal(
        error.items?.map(({ status }) => status),
        ['fulfilled', 'rejected'],
      )
      ok((await admin.listTopics()).includes(fresh), 'the other is there')
    },
  },
  {
    name: 'creating is refused',
    without: 'createTopics',
    async run({ kafka, name }) {
      await rejects(kafka().admin.createTopics([{ name: name() }]), unsupported)
    },
  },
  {
    name: 'malformed topics are refused',
    needs: ['createTopics'],
    async run({ kafka, name }) {
      const { admin } = kafka()
      for (const topic of [
        { name: '' },
        { name: 'a b' },
        { name: name(), partitions: 0 },
        { name: name(), replicas: 1.5 },
        { name: name(), config: { a: 1 } },
      ]) {
        await rejects(admin.createTopics([not(topic)]), invalid, JSON.stringify(topic))
      }
      await rejects(admin.createTopics(not('events')), invalid)
      await admin.createTopics([])
    },
  },
  {
    name: 'offsets of partitions and of groups',
    needs: ['offsets'],
    async run({ kafka, topic, consumer, name: unique }) {
      const name = await topic(2)
      const client = kafka()
      await client.producer.send(numbered(4).map((value) => ({ topic: name, value, partition: 1 })))
      const partitions = [
        { topic: name, partition: 1 },
        { topic: name, partition: 0 },
      ]
      equal(await client.admin.offsets(partitions, 'earliest'), [0n, 0n])
      equal(await client.admin.offsets(partitions, 'latest'), [4n, 0n])
      equal(await client.admin.offsets(partitions, new Date(0)), [0n, 0n])
      const group = unique()
      equal(await client.admin.committedOffsets(group, partitions), [undefined, undefined])
      const reader = consumer(name, { group })
      const messages = await read(reader, 4)
      await reader.commit(messages[1])
      equal(await client.admin.committedOffsets(group, partitions), [2n, undefined])
    },
  },
  {
    name: 'offsets are refused',
    without: 'offsets',
    async run({ kafka, topic }) {
      const { admin } = kafka()
      const partitions = [{ topic: await topic(), partition: 0 }]
      await rejects(admin.offsets(partitions, 'latest'), unsupported)
      await rejects(admin.committedOffsets('group', partitions), unsupported)
    },
  },
]

export const health: KafkaCase[] = [
  {
    name: 'of the producer: its topic is there',
    async run({ kafka, topic, name }) {
      await kafka().health()
      await kafka({ topic: await topic() }).health()
      await rejects(kafka({ topic: name() }).health(), { kind: 'not-found' })
    },
  },
  {
    name: 'never produces',
    async run({ kafka, topic }) {
      const name = await topic()
      const client = kafka({ topic: name })
      await client.health()
      await client.health()
      equal((await client.producer.send({ value: 'first' })).offset, 0n)
    },
  },
  {
    name: 'of a consumer, before and after it has joined',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      await reader.health()
      await join(reader)
      await reader.health()
    },
  },
  {
    name: 'of a group that is too far behind',
    needs: ['lag'],
    async run({ kafka, topic, consumer }) {
      const name = await topic()
      await kafka().producer.send(numbered(5).map((value) => ({ topic: name, value })))
      const reader = consumer(name)
      await read(reader, 5)
      await reader.health({ maxLag: 5 })
      await rejects(reader.health({ maxLag: 4 }), { kind: 'unavailable' })
      await reader.commit()
      await reader.health({ maxLag: 0 })
    },
  },
]

export const lifecycle: KafkaCase[] = [
  {
    name: 'close waits for what is on its way',
    async run({ kafka, topic }) {
      const client = kafka({ topic: await topic() })
      const sends = numbered(20).map((value) => client.producer.send({ value }))
      await client.close()
      const offsets = (await Promise.all(sends)).map(({ offset }) => offset)
      equal(offsets, numbered(20).map(BigInt))
    },
  },
  {
    name: 'close again is the same, and everything after it is refused',
    async run({ kafka, topic }) {
      const client = kafka({ topic: await topic() })
      const consumer = client.consumer({ group: 'g', topics: 'events', from: 'earliest' })
      await client.close()
      await client.close()
      const closed = { kind: 'closed', outcome: 'not-applied' } as const
      await rejects(client.producer.send({ value: 'a' }), closed)
      await rejects(consumer.poll(), closed)
      await rejects(client.health(), closed)
      ok(consumer.closed, 'the consumer is closed, too')
    },
  },
  {
    name: 'close ends a poll that waits',
    async run({ topic, consumer }) {
      const reader = consumer(await topic())
      await join(reader)
      const polled = reader.poll({ waitMs: 14_000 })
      const ended = rejects(polled, { kind: 'closed' })
      await reader.close()
      await ended
    },
  },
  {
    name: 'a call whose signal has fired sends nothing',
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      const aborted = { kind: 'aborted', outcome: 'not-applied' } as const
      await rejects(producer.send({ value: 'a' }, { signal: AbortSignal.abort() }), aborted)
      equal((await producer.send({ value: 'b' })).offset, 0n)
    },
  },
  {
    name: 'a call whose deadline has passed sends nothing',
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      const late = { kind: 'timeout', outcome: 'not-applied' } as const
      await withContext({ deadline: Date.now() - 1 }, () =>
        rejects(producer.send({ value: 'a' }), late),
      )
      equal((await producer.send({ value: 'b' })).offset, 0n)
    },
  },
  {
    name: 'who leaves does not take the messages of others along',
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      const abort = new AbortController()
      const before = producer.send({ value: 'a' })
      const aborted = rejects(producer.send({ value: 'b' }, { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const after = producer.send({ value: 'c' })
      abort.abort()
      await aborted
      const offsets = (await Promise.all([before, after])).map(({ offset }) => offset)
      equal(offsets, [0n, 1n])
    },
  },
  {
    name: 'a producer cannot be made with a topic or a linger that cannot be',
    async run({ kafka, topic, name }) {
      await topic()
      await rejects(() => kafka({ topic: 'a b' }), config)
      await rejects(() => kafka({ topic: name(), lingerMs: -1 }), config)
    },
  },
  {
    name: 'gives the library’s own client',
    async run({ kafka, topic }) {
      const { producer } = kafka({ topic: await topic() })
      ok((await producer.native()) !== undefined, 'there is one')
      ok(producer instanceof KafkaProducer && kafka() instanceof Kafka, 'and the classes are ours')
    },
  },
]

export const telemetry: KafkaCase[] = [
  {
    name: 'counts messages by topic, and times operations',
    async run({ kafka, topic, name }) {
      const { observed, metrics } = collectMetrics()
      const good = await topic()
      const { producer } = kafka({ topic: good, metrics })
      await producer.send([{ value: 'a' }, { value: 'b' }])
      await producer.send({ value: 'c' })
      await rejects(producer.send({ topic: name(), value: 'd' }), notFound)
      const sum = (metric: string) =>
        observed
          .filter((each) => each.name === metric)
          .reduce((total, { value }) => total + value, 0)
      equal(sum('kafka_producer_messages_total'), 3)
      ok(
        observed
          .filter((each) => each.name === 'kafka_producer_messages_total')
          .every(({ labels }) => labels.topic === good),
        'under the topic',
      )
      equal(observed.filter((each) => each.name === 'kafka_operation_duration_seconds').length, 3)
      equal(
        observed.filter((each) => each.name === 'kafka_errors_total').map(({ labels }) => labels),
        [{ operation: 'send', code: 'KAFKA_NOT_FOUND' }],
      )
    },
  },
  {
    name: 'no key, value, header or topic is in a log or an error',
    async run({ kafka, name }) {
      const { lines, logger } = collectLines()
      const { spans, tracer } = collectSpans()
      const client = kafka({ logger, logSuccess: true, tracer })
      const secret = `secret-${name()}`
      const message = { topic: secret, key: secret, value: secret }
      const error = await rejects(client.producer.send(message), notFound)
      await client.producer.send({ ...message, partition: -1 }).catch(() => {})
      await client
        .consumer({ group: secret, topics: secret, from: 'earliest' })
        .poll({ waitMs: 0 })
        .catch(() => {})
      ok(lines.length > 0 && spans.length > 0, 'there are logs and spans')
      const told = JSON.stringify([lines, spans, error.message, error], (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      )
      ok(!told.includes(secret), `none has it: ${told}`)
      ok(isInfraError(error), 'it is our error')
    },
  },
]
