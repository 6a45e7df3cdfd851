import type {
  AdminDriver,
  ConsumerDriver,
  ConsumerSetup,
  KafkaCapabilities,
  KafkaDriver,
  ProducerDriver,
  ProducerSetup,
} from '../../src/kafka/index.ts'
import { PlatformaticAdmin } from './platformatic/admin.ts'
import { PlatformaticConsumer } from './platformatic/consumer.ts'
import type { PlatformaticOptions } from './platformatic/options.ts'
import { PlatformaticProducer } from './platformatic/producer.ts'
import { type Settings, settingsOf } from './platformatic/settings.ts'

export type { PlatformaticOptions } from './platformatic/options.ts'

/**
 * Kafka over TCP, by @platformatic/kafka 2 (`npm install @platformatic/kafka`), which is loaded on first use.
 * A producer is idempotent: what it resends is stored once. Reads what any client compressed (gzip, snappy, lz4,
 * zstd), and of transactions only what was committed. Node 22.22 or later.
 * @throws InfraError `KAFKA_CONFIG` for malformed options.
 */
export function platformatic(options: PlatformaticOptions): KafkaDriver {
  return new PlatformaticDriver(settingsOf(options))
}

class PlatformaticDriver implements KafkaDriver {
  readonly adapter = 'platformatic'
  readonly resource: string
  readonly capabilities: KafkaCapabilities
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
    this.capabilities = {
      bytes: true,
      tombstones: true,
      headers: true,
      timestamps: true,
      consumeMetadata: true,
      idempotent: true,
      consume: true,
      from: ['earliest', 'latest'],
      lag: true,
      listTopics: true,
      describeTopics: true,
      createTopics: true,
      offsets: true,
      cancel: true,
      maxRequestBytes: settings.maxRequestBytes,
    }
  }

  producer(setup: ProducerSetup): ProducerDriver {
    return new PlatformaticProducer(this.#settings, setup.topic)
  }

  consumer(setup: ConsumerSetup): ConsumerDriver {
    return new PlatformaticConsumer(this.#settings, setup)
  }

  admin(): AdminDriver {
    return new PlatformaticAdmin(this.#settings)
  }
}
