import { memory } from '../../adapters/kafka/memory.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { conformance } from './conformance.ts'

const driver = memory()
const { admin } = new Kafka(driver, { logger: false })

conformance(
  'memory',
  {},
  {
    driver: () => driver,
    createTopic: (name, partitions) => admin.createTopics([{ name, partitions }]),
  },
)
