import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Producer } from '@platformatic/kafka'
import { Kafka as Upstash } from '@upstash/kafka'
import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { rest } from '../../adapters/kafka/rest.ts'
import { KafkaProducer } from '../../src/kafka/index.ts'
import { type Figure, inTurns, timed } from './figure.ts'
import { build } from './import.ts'

const run = promisify(execFile)

const value = 'v'.repeat(100)
const topic = 'bench'

/** What the bare library does with one message. */
type Send = (message: { topic: string; value: Buffer }) => Promise<unknown>

export const figures: Figure[] = [
  {
    ...produce('kafka.produce.tcp.c100', batched, 40_000),
    bare: '@platformatic/kafka, batched by hand',
    target: 0.9,
  },
  {
    ...produce('kafka.produce.tcp.c100.single', one, 1000),
    bare: '@platformatic/kafka, a send for each',
    target: 30,
  },
  {
    name: 'kafka.produce.http.c1000',
    bare: '@upstash/kafka, a produce for each',
    unit: 'us',
    comparison: 'total',
    // 20,000 messages a second.
    target: 50,
    async measure(stage) {
      const { url, token } = await stage.kafkaGateway(topic)
      await using ours = new KafkaProducer(rest({ url, token, dialect: 'dualport' }), { topic })
      const bare = new Upstash({ url, username: 'bench', password: token }).producer()
      return await inTurns(
        15,
        () => timed(40_000, 1000, () => ours.send({ value })),
        () => timed(1000, 100, () => bare.produce(topic, value)),
      )
    },
  },
  {
    name: 'kafka.start.tcp',
    bare: 'the same, after warm()',
    unit: 'ms',
    comparison: 'difference',
    async measure(stage) {
      const brokers = (await stage.kafka(topic)).join()
      build()
      return inTurns(
        10,
        () => firstAck(brokers, false),
        () => firstAck(brokers, true),
      )
    },
  },
]

/** Milliseconds from the start of a process to its first acknowledged message; with `warm`, from after that. */
async function firstAck(brokers: string, warm: boolean): Promise<number> {
  const started = Date.now()
  const { stdout } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    `
    import { Kafka } from 'dualport/kafka'
    import { platformatic } from 'dualport/kafka/platformatic'
    const kafka = new Kafka(platformatic({ brokers: '${brokers}' }), { topic: '${topic}' })
    ${warm ? 'await kafka.health()' : ''}
    const from = ${warm ? 'Date.now()' : started}
    await kafka.producer.send({ value: 'first' })
    console.log(Date.now() - from)
    await kafka.close()
  `,
  ])
  return Number(stdout)
}

function produce(name: string, bareSend: (producer: Bare) => Send, bareCount: number): Figure {
  return {
    name,
    bare: '@platformatic/kafka',
    unit: 'us',
    comparison: 'ratio',
    async measure(stage) {
      const brokers = await stage.kafka(topic)
      await using ours = new KafkaProducer(platformatic({ brokers }), { topic })
      const bare = bareProducer(brokers)
      const send = bareSend(bare)
      try {
        return await inTurns(
          15,
          () => timed(40_000, 100, () => ours.send({ value })),
          () => timed(bareCount, 100, () => send({ topic, value: Buffer.from(value) })),
        )
      } finally {
        await bare.close()
      }
    },
  }
}

type Bare = ReturnType<typeof bareProducer>

/** Acknowledged as ours: by all replicas, once. */
function bareProducer(brokers: readonly string[]) {
  return new Producer({
    clientId: 'bench',
    bootstrapBrokers: [...brokers],
    idempotent: true,
    autocreateTopics: false,
  })
}

function one(producer: Bare): Send {
  return (message) => producer.send({ messages: [message] as never })
}

/** What one would write by hand: those of a tick, and those that come while a batch is on its way, go together. */
function batched(producer: Bare): Send {
  let waiting: { message: object; resolve: () => void; reject: (error: unknown) => void }[] = []
  let busy = false
  async function drain() {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await producer.send({ messages: batch.map(({ message }) => message) as never })
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    busy = false
  }
  return (message) =>
    new Promise<void>((resolve, reject) => {
      waiting.push({ message, resolve, reject })
      if (busy) return
      busy = true
      queueMicrotask(drain)
    })
}
