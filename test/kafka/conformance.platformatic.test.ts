import { platformatic } from '../../adapters/kafka/platformatic.ts'
import { engine } from '../engines/index.ts'
import { conformance } from './conformance.ts'

const kafka = await engine('kafka')

conformance('platformatic', kafka, {
  driver: () => platformatic({ brokers: kafka.brokers ?? 'missing' }),
  createTopic: (name, partitions) => kafka.createTopic(name, partitions),
})
