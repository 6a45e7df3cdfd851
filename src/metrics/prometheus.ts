import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Instrument, MetricsSink } from '../core/index.ts'

/** The classes of prom-client, so that this entry loads none of its own: `import * as promClient from 'prom-client'`. */
export interface PromClient {
  readonly Histogram: typeof Histogram
  readonly Counter: typeof Counter
  readonly Gauge: typeof Gauge
  readonly register: Registry
}

export interface PrometheusOptions {
  /** Default: prom-client's own. */
  registry?: Registry | undefined
  /** Upper bounds of the histograms' buckets, in seconds. Default: 0.5 ms to 10 s. */
  buckets?: number[] | undefined
}

const defaultBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/**
 * Metrics for Prometheus, by prom-client: `new Redis(driver, { metrics: prometheus(promClient) })`. Several
 * clients may share a sink, and several sinks a registry.
 */
export function prometheus(
  client: PromClient,
  { registry = client.register, buckets = defaultBuckets }: PrometheusOptions = {},
): MetricsSink {
  function configuration({ name, help, labels }: Instrument) {
    return { name, help, labelNames: Object.keys(labels), registers: [registry] }
  }
  /** A registry takes a name once; whoever comes later adds its labels to the same metric. */
  function once<M>(name: string, create: () => M): M {
    return (registry.getSingleMetric(name) as M | undefined) ?? create()
  }
  return {
    histogram(instrument) {
      const metric = once(
        instrument.name,
        () => new client.Histogram({ ...configuration(instrument), buckets }),
      )
      const child = metric.labels(instrument.labels)
      return (value) => child.observe(value)
    },
    counter(instrument) {
      const metric = once(instrument.name, () => new client.Counter(configuration(instrument)))
      const child = metric.labels(instrument.labels)
      return (increment) => child.inc(increment)
    },
    gauge(instrument) {
      const metric = once(instrument.name, () => new client.Gauge(configuration(instrument)))
      const child = metric.labels(instrument.labels)
      return (value) => child.set(value)
    },
  }
}
