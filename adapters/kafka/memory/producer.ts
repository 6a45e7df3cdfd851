import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type {
  ProduceBatch,
  ProducerDriver,
  ProducerSetup,
  RecordMetadata,
} from '../../../src/kafka/index.ts'
import { MemoryClient } from './client.ts'
import type { Cluster } from './cluster.ts'

export class MemoryProducer extends MemoryClient implements ProducerDriver {
  readonly #topic: string | undefined

  constructor(cluster: Cluster, { topic }: ProducerSetup) {
    super(cluster)
    this.#topic = topic
  }

  override async ping(attempt: Attempt): Promise<void> {
    this.begin(attempt)
    if (this.#topic !== undefined) this.cluster.topic(this.#topic)
  }

  async produce(batch: ProduceBatch): Promise<readonly (RecordMetadata | Error)[]> {
    this.checkOpen()
    if (batch.signal.aborted) throw new DriverFailure({ kind: 'aborted' })
    for (const attempt of batch.attempts) attempt.sent = true
    return this.cluster.append(batch.records)
  }
}
