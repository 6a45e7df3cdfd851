import type { MetricsSink } from '../core/index.ts'

export const metricNames = { duration: 'kafka_operation_duration_seconds', label: 'operation' }

/** Of more topics than this, the rest is `other`: label values must be bounded. */
const maxTopics = 100

/** Counts messages by topic. */
export class TopicCounter {
  readonly #sink: MetricsSink | undefined
  readonly #name: string
  readonly #help: string
  readonly #counters = new Map<string, (increment: number) => void>()

  constructor(sink: MetricsSink | undefined, name: string, help: string) {
    this.#sink = sink
    this.#name = name
    this.#help = help
  }

  /** A sink that throws does not fail the call. */
  add(topic: string, increment = 1): void {
    if (this.#sink === undefined) return
    try {
      this.#counter(this.#sink, topic)(increment)
    } catch {
      // Telemetry that fails is not the caller's concern.
    }
  }

  #counter(sink: MetricsSink, topic: string): (increment: number) => void {
    let counter = this.#counters.get(topic)
    if (counter !== undefined) return counter
    const full = this.#counters.size >= maxTopics
    const label = full ? 'other' : topic
    counter = this.#counters.get(label)
    if (counter === undefined) {
      counter = sink.counter({ name: this.#name, help: this.#help, labels: { topic: label } })
      this.#counters.set(label, counter)
    }
    return counter
  }
}
