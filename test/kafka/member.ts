import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { KafkaConsumer } from '../../src/kafka/index.ts'

/**
 * A process to kill: reads as a member of a group, and prints the values that it is given, then those it
 * committed. Once it was given so many, it commits no more, and waits for its end.
 */
const [brokers, group, topic, max, enough] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const consumer = new KafkaConsumer(platformatic({ brokers }), {
  group,
  topics: topic,
  from: 'earliest',
  sessionTimeoutMs: 6000,
})
for (let given = 0; ; ) {
  const messages = await consumer.poll({ max: Number(max), timeoutMs: 30_000 })
  if (messages.length === 0) continue
  given += messages.length
  const values = messages.map(({ value }) => value).join(' ')
  console.log(`given ${values}`)
  if (given >= Number(enough)) await new Promise(() => {})
  await consumer.commit()
  console.log(`committed ${values}`)
}
