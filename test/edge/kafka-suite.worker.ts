import { rest } from '../../adapters/kafka/rest.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { kafkaSuite, runCase } from '../../src/testing/index.ts'

interface Env {
  readonly KAFKA_REST_URL: string
  readonly KAFKA_REST_TOKEN: string
  readonly KAFKA_TOPIC: string
}

/** One client for all requests, as a Worker would have it. */
let shared: Kafka | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { KAFKA_REST_URL: url, KAFKA_REST_TOKEN: token, KAFKA_TOPIC: topic } = env
    const driver = () => rest({ url, token, dialect: 'dualport' })
    shared ??= new Kafka(driver(), { topic, logger: false })
    const { admin, producer } = shared
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/load') {
      const value = searchParams.get('value') as string
      const sent = await Promise.all([
        producer.send({ value }),
        producer.send({ value: `${value}!` }),
      ])
      return Response.json(sent.map(({ offset }) => String(offset)))
    }
    const name = searchParams.get('case')
    const found = kafkaSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      const createTopic = (name: string, partitions: number) =>
        admin.createTopics([{ name, partitions }])
      await runCase(kafkaSuite, found, { driver, createTopic })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
