import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { PlatformaticOptions } from '../../adapters/kafka/platformatic.ts'
import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { type InfraError, isInfraError } from '../../src/core/index.ts'
import type { ProducerOptions } from '../../src/kafka/index.ts'
import { Kafka, type KafkaConsumer, type KafkaMessage } from '../../src/kafka/index.ts'

/** A quiet client, closed when the test is over. */
export function connect(options: PlatformaticOptions, clientOptions: ProducerOptions = {}): Kafka {
  const kafka = new Kafka(platformatic(options), { logger: false, ...clientOptions })
  onTestFinished(() => kafka.close())
  return kafka
}

/** The name of a topic or group that no other test uses. */
export function fresh(what: string): string {
  return `${what}-${randomUUID()}`
}

/** Polls until there are so many messages, or more. */
export async function collect(consumer: KafkaConsumer, count: number): Promise<KafkaMessage[]> {
  const messages: KafkaMessage[] = []
  while (messages.length < count) {
    messages.push(...(await consumer.poll({ waitMs: 1000, timeoutMs: 20_000 })))
  }
  return messages
}

/** The error of a call that must fail with one of ours. */
export async function failure(call: Promise<unknown>): Promise<InfraError> {
  const error = await call.then(
    () => 'it succeeded',
    (error: unknown) => error,
  )
  if (!isInfraError(error)) throw new Error(`not an InfraError: ${error}`, { cause: error })
  return error
}
