import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, onTestFinished } from 'vitest'
import { platformatic } from '../../adapters/kafka/platformatic.ts'
import type { DialectName } from '../../adapters/kafka/rest/dialects.ts'
import { type RestOptions, rest } from '../../adapters/kafka/rest.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { Kafka, type ProducerOptions } from '../../src/kafka/index.ts'
import { engine } from '../engines/index.ts'
import { kafkaAt } from '../engines/kafka.ts'
import { fresh } from './platformatic.ts'
import { behaviours } from './stand-ins/behaviours.ts'
import { StandIn } from './stand-ins/server.ts'

export type ServerName = Exclude<DialectName, 'dualport'>

/** A quiet client, closed when the test is over. */
export function connect(options: RestOptions, clientOptions: ProducerOptions = {}): Kafka {
  const kafka = new Kafka(rest(options), { logger: false, ...clientOptions })
  onTestFinished(() => kafka.close())
  return kafka
}

/** A stand-in for one test. */
export async function standIn(name: ServerName): Promise<StandIn> {
  const server = new StandIn(behaviours[name])
  await server.listen()
  onTestFinished(() => server.close())
  return server
}

export interface Server {
  readonly what: 'real' | 'stand-in'
  /** Why it is not here, if it is not. */
  readonly missing?: string
  options(): Promise<Pick<RestOptions, 'url' | 'token'>>
  topic(partitions?: number): Promise<string>
}

/**
 * The real server whose URL the environment has (`KAFKA_REST_STRIMZI_URL`, and in `KAFKA_BROKERS` the cluster
 * behind it, where the topics are made), or a stand-in for each test.
 */
export function serverOf(name: ServerName): Server {
  const url = process.env[`KAFKA_REST_${name.toUpperCase()}_URL`]
  if (url !== undefined) {
    return {
      what: 'real',
      options: async () => ({ url }),
      async topic(partitions) {
        const topic = fresh('topic')
        const cluster = await kafkaAt((process.env.KAFKA_BROKERS ?? '').split(','))
        await cluster.createTopic(topic, partitions)
        return topic
      },
    }
  }
  let current: Promise<StandIn> | undefined
  const server = () => {
    current ??= standIn(name)
    onTestFinished(() => {
      current = undefined
    })
    return current
  }
  return {
    what: 'stand-in',
    options: async () => ({ url: (await server()).url }),
    async topic(partitions = 1) {
      const topic = fresh('topic')
      const { log } = await server()
      log.topics.set(
        topic,
        Array.from({ length: partitions }, () => []),
      )
      return topic
    },
  }
}

/** Our own gateway over a real Kafka, for one test file. */
export async function gatewayServer(): Promise<Server> {
  const cluster = await engine('kafka')
  const token = 'token-of-the-tests'
  const none = { what: 'real', options: async () => ({ url: '' }), topic: async () => '' } as const
  if (cluster.missing !== undefined) return { ...none, missing: cluster.missing }
  const kafka = new Kafka(platformatic({ brokers: cluster.brokers }), { logger: false })
  const gateway = createGateway({ token, kafka, logger: false })
  const http = createAdaptorServer({ fetch: gateway.fetch }) as HttpServer
  await once(http.listen(0, '127.0.0.1'), 'listening')
  afterAll(async () => {
    gateway.close()
    http.closeAllConnections()
    await once(http.close(), 'close')
    await kafka.close()
  })
  const { port } = http.address() as AddressInfo
  return {
    what: 'real',
    options: async () => ({ url: `http://127.0.0.1:${port}/kafka`, token }),
    async topic(partitions) {
      const topic = fresh('topic')
      await cluster.createTopic(topic, partitions)
      return topic
    },
  }
}
