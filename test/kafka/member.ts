import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { KafkaConsumer } from '../../src/kafka/index.ts'

/** A process to kill: reads as a member of a group, and prints the values that it is given, then those it committed. */
const [brokers, group, topic] = process.argv.slice(2) as [string, string, string]
const consumer = new KafkaConsumer(platformatic({ brokers }), {
  group,
  topics: topic,
  from: 'earliest',
  sessionTimeoutMs: 6000,
})
for (;;) {
  const messages = await consumer.poll({ max: 100, timeoutMs: 30_000 })
  if (messages.length === 0) continue
  const values = messages.map(({ value }) => value).join(' ')
  console.log(`given ${values}`)
  await consumer.commit()
  console.log(`committed ${values}`)
}
