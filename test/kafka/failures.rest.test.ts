import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RestOptions } from '../../adapters/kafka/rest.ts'
import type { Kafka, ProducerOptions } from '../../src/kafka/index.ts'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  type Handler,
  json,
  reset,
  type ScriptedServer,
  serve,
  silence,
  throttled,
} from '../chaos/http.ts'
import { type ChaosProxy, startProxy } from '../chaos/proxy.ts'
import { failure as failureWithin } from '../redis/failures.ts'
import { failure, fresh } from './platformatic.ts'
import { connect, standIn } from './rest.ts'

const topic = 'topic'
const stored = '{"offsets":[{"partition":0,"offset":1}]}'
const works: Handler = (_, response) => response.end(stored)

/** A client of a server that answers as told. */
async function against(
  handler: Handler,
  clientOptions: ProducerOptions = {},
  options: Partial<RestOptions> = {},
): Promise<{ server: ScriptedServer; kafka: Kafka }> {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  const kafka = connect({ url: server.url, dialect: 'confluent', ...options }, clientOptions)
  return { server, kafka }
}

const page = (status: number): Handler => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' })
    response.end('<!doctype html><title>Welcome to nginx!</title>')
  }
}
const refusal = (status: number, error_code = status) =>
  json({ error_code, message: 'a secret' }, status)

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of a message that is sent. */
  readonly outcome: string
  /** What is told of one message, when there is time enough. Default: 1. */
  readonly requests?: number
}

const cases: Record<string, Case> = {
  'a token that is refused': {
    handler: refusal(401),
    kind: 'unauthenticated',
    outcome: 'not-applied',
  },
  'credentials that Kafka refuses': {
    handler: refusal(401, 40101),
    kind: 'unauthenticated',
    outcome: 'not-applied',
  },
  'a token that may not': { handler: page(403), kind: 'forbidden', outcome: 'not-applied' },
  'what Kafka does not permit': {
    handler: refusal(403, 40301),
    kind: 'forbidden',
    outcome: 'not-applied',
  },
  'a topic that is not there': {
    handler: refusal(404, 40401),
    kind: 'not-found',
    outcome: 'not-applied',
  },
  'a partition that is not there': {
    handler: refusal(404, 40402),
    kind: 'not-found',
    outcome: 'not-applied',
  },
  'a leader that is not there': {
    handler: refusal(404, 40404),
    kind: 'unavailable',
    outcome: 'not-applied',
    requests: 3,
  },
  'a request that it does not take': {
    handler: refusal(422, 42205),
    kind: 'invalid',
    outcome: 'not-applied',
  },
  'a body that is too large': { handler: page(413), kind: 'invalid', outcome: 'not-applied' },
  'a content type that it does not take': {
    handler: refusal(415),
    kind: 'config',
    outcome: 'not-applied',
  },
  'an error of Kafka’s': { handler: refusal(500, 50002), kind: 'unavailable', outcome: 'unknown' },
  'an error of Kafka’s that passes': {
    handler: refusal(500, 50003),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'status 503': { handler: page(503), kind: 'unavailable', outcome: 'unknown' },
  'status 504': { handler: page(504), kind: 'timeout', outcome: 'unknown' },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page that is not there': { handler: page(404), kind: 'config', outcome: 'not-applied' },
  'a page of some other server': { handler: page(200), kind: 'internal', outcome: 'unknown' },
  'an empty reply': {
    handler: (_, response) => response.end(),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a server that never answers': { handler: silence, kind: 'timeout', outcome: 'unknown' },
  'a server that drips': { handler: drip(stored, 100), kind: 'timeout', outcome: 'unknown' },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': {
    handler: cutShort(stored),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'a reply with too few items': {
    handler: json({ offsets: [] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'an item that is none': {
    handler: json({ offsets: [{ partition: 0 }] }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'status 429 without a hint': {
    handler: refusal(429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
}

describe('rest against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, { handler, kind, outcome, requests = 1 }) => {
    const code = `KAFKA_${kind.toUpperCase().replace('-', '_')}`
    const timeoutMs = kind === 'timeout' ? 200 : 5000
    const { server, kafka } = await against(handler)
    const send = () => kafka.producer.send({ topic, value: 'a value' }, { timeoutMs })
    const error = await failureWithin(send, timeoutMs)
    expect(error).toMatchObject({ code, outcome })
    expect(error.message).not.toMatch(/secret|value/)
    expect(server.requests).toHaveLength(requests)
    const list = () => kafka.admin.listTopics({ timeoutMs })
    expect(await failureWithin(list, timeoutMs)).toMatchObject({ outcome: 'not-applied' })
    server.handler = works
    expect(await kafka.producer.send({ topic, value: 'x' })).toMatchObject({ offset: 1n })
  })

  test('a server that is down: nothing was sent', async () => {
    const { server, kafka } = await against(works)
    await server.close()
    const down = { code: 'KAFKA_UNAVAILABLE', outcome: 'not-applied', retryable: true }
    expect(await failure(kafka.producer.send({ topic, value: 'x' }))).toMatchObject(down)
    expect(await failure(kafka.admin.listTopics())).toMatchObject(down)
    const consumer = kafka.consumer({ group: 'g', topics: topic })
    expect(await failure(consumer.poll({ waitMs: 0 }))).toMatchObject(down)
  })

  test('429 with Retry-After beyond the deadline fails at once', async () => {
    const { server, kafka } = await against(throttled('60'))
    expect(await failure(kafka.producer.send({ topic, value: 'x' }))).toMatchObject({
      code: 'KAFKA_THROTTLED',
      retryAfterMs: 60_000,
      outcome: 'not-applied',
    })
    expect(server.requests).toHaveLength(1)
  })

  test('a redirect is not followed: the token and the messages stay here', async () => {
    const { server: elsewhere } = await against(works)
    const { kafka } = await against((_, response) => {
      response.writeHead(307, { location: elsewhere.url }).end()
    })
    expect(await failure(kafka.producer.send({ topic, value: 'x' }))).toMatchObject({
      code: 'KAFKA_CONFIG',
      outcome: 'not-applied',
    })
    expect(elsewhere.requests).toHaveLength(0)
  })

  test('who waits no more is not sent, and the others are', async () => {
    let token: ((token: string) => void) | undefined
    const { server, kafka } = await against(
      works,
      {},
      {
        token: () =>
          new Promise((resolve) => {
            token = resolve
          }),
      },
    )
    const controller = new AbortController()
    const { signal } = controller
    const gone = kafka.producer.send({ topic, value: 'gone' }, { signal })
    const stays = kafka.producer.send({ topic, value: 'stays' })
    await expect.poll(() => token).toBeDefined()
    controller.abort()
    expect(await failure(gone)).toMatchObject({ code: 'KAFKA_ABORTED', outcome: 'not-applied' })
    token?.('t')
    await stays
    expect(server.requests).toHaveLength(1)
    expect(JSON.parse(server.requests[0]!.body).records).toEqual([
      { value: Buffer.from('stays').toString('base64') },
    ])
  })

  test('when nobody waits any more, the request is stopped', async () => {
    const { server, kafka } = await against(silence)
    const controller = new AbortController()
    const asked = once(server, 'request')
    const sending = kafka.producer.send({ topic, value: 'x' }, { signal: controller.signal })
    await asked
    const abandoned = once(server, 'abandoned')
    controller.abort()
    expect(await failure(sending)).toMatchObject({ code: 'KAFKA_ABORTED', outcome: 'unknown' })
    await abandoned
  })
})

describe('rest over connections that fail', () => {
  /** A producer and a consumer of a stand-in behind a proxy. */
  async function through(): Promise<{ proxy: ChaosProxy; kafka: Kafka; topic: string }> {
    const server = await standIn('confluent')
    const topic = fresh('topic')
    server.log.topics.set(topic, [[]])
    const url = new URL(server.url)
    const proxy = await startProxy(Number(url.port))
    onTestFinished(() => proxy.close())
    const retry = { retry: false } as const
    const kafka = connect({ url: `http://127.0.0.1:${proxy.port}`, dialect: 'confluent' }, retry)
    return { proxy, kafka, topic }
  }

  test('messages that were acknowledged are read, through cuts and outages', async () => {
    const { proxy, kafka, topic } = await through()
    const acknowledged: string[] = []
    const modes = ['pass', 'cut', 'pass', 'refuse', 'pass', 'reset', 'pass'] as const
    for (const [round, mode] of modes.entries()) {
      await proxy.setMode(mode)
      for (let i = 0; i < 5; i++) {
        const value = `${round}-${i}`
        await kafka.producer.send({ topic, value }).then(
          () => acknowledged.push(value),
          () => {},
        )
      }
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(20)
    const consumer = kafka.consumer({ group: fresh('group'), topics: topic, from: 'earliest' })
    const read = new Set<string | null>()
    for (let round = 0; !acknowledged.every((value) => read.has(value)); round++) {
      await proxy.setMode(round % 3 === 1 ? 'cut' : 'pass')
      try {
        for (const { value } of await consumer.poll({ max: 7, waitMs: 200 })) read.add(value)
        await consumer.commit()
      } catch {
        // It comes again.
      }
    }
    await proxy.setMode('pass')
  })

  test('a frozen server is a timeout, and no more than that when it goes on', async () => {
    const { proxy, kafka, topic } = await through()
    await kafka.producer.send({ topic, value: 'x' })
    await proxy.setMode('blackhole')
    const send = () => kafka.producer.send({ topic, value: 'y' }, { timeoutMs: 200 })
    expect(await failureWithin(send, 200)).toMatchObject({
      code: 'KAFKA_TIMEOUT',
      outcome: 'unknown',
    })
    await proxy.setMode('pass')
    await kafka.producer.send({ topic, value: 'z' })
  })
})
