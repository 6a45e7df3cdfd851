import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll } from 'vitest'
import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { engine } from '../engines/index.ts'
import { readOnlyToken, token } from '../gateway/gateway.ts'

/** A gateway over TCP to the brokers, until the last test of the file. Its `url` ends in `/kafka`. */
export async function startKafkaGateway(
  brokers: readonly string[],
  options: Partial<GatewayOptions> = {},
) {
  const kafka = new Kafka(platformatic({ brokers }), { retry: false, logger: false })
  const gateway = createGateway({ token, readOnlyToken, kafka, logger: false, ...options })
  const server = createServer(getRequestListener(gateway.fetch))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  const close = async () => {
    gateway.close()
    server.close()
    server.closeAllConnections()
    await kafka.close()
  }
  const started = {
    url: `http://127.0.0.1:${port}/kafka`,
    token,
    kafka,
    gateway,
    close: () => {
      closing ??= close()
      return closing
    },
  }
  afterAll(started.close)
  return started
}

/** The gateway over the shared Kafka, or why there is none. */
export async function gatewayOverKafka() {
  const kafka = await engine('kafka')
  if (kafka.missing !== undefined) return { missing: kafka.missing } as never
  const gateway = await startKafkaGateway(kafka.brokers)
  return {
    ...gateway,
    missing: undefined as string | undefined,
    createTopic: (name: string, partitions: number) => kafka.createTopic(name, partitions),
  }
}
