import { type Attempt, DriverFailure, type Failure } from '../../../src/core/index.ts'
import { classifyCode, KafkaError } from '../../../src/kafka/index.ts'
import type { Cluster } from './cluster.ts'

/** What producers, consumers and admins have in common. */
export class MemoryClient {
  readonly adapter = 'memory'
  readonly resource = undefined
  protected readonly cluster: Cluster
  protected closed = false

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  async ping(attempt: Attempt): Promise<void> {
    this.begin(attempt)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  classify(error: unknown): Failure {
    return error instanceof KafkaError ? classifyCode(error.code) : { kind: 'internal' }
  }

  /** The cluster itself. */
  async native(): Promise<Cluster> {
    return this.cluster
  }

  protected begin(attempt: Attempt): void {
    this.checkOpen()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
  }

  protected checkOpen(): void {
    if (this.closed) throw new DriverFailure({ kind: 'closed' })
  }
}
