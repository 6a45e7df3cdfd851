import { onTestFinished } from 'vitest'
import type { DialectName } from '../../adapters/kafka/rest/dialects.ts'
import { type RestOptions, rest } from '../../adapters/kafka/rest.ts'
import { Kafka, type ProducerOptions } from '../../src/kafka/index.ts'
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
  /** `real`, or `stand-in`. */
  readonly what: string
  url(): Promise<string>
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
      url: async () => url,
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
    url: async () => (await server()).url,
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
