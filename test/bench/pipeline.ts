import promClient from 'prom-client'
import { memory } from '../../adapters/redis/memory.ts'
import type { Attempt, MetricsSink } from '../../src/core/index.ts'
import { prometheus } from '../../src/metrics/prometheus.ts'
import { Redis } from '../../src/redis/index.ts'
import { type Figure, inTurns, timed } from './figure.ts'

const key = 'bench'
const value = 'v'.repeat(100)

export const figures: Figure[] = [
  { ...cost('pipeline.cost', sums), target: 1 },
  cost('pipeline.cost.prometheus', () =>
    prometheus(promClient, { registry: new promClient.Registry() }),
  ),
]

/** A call through the client over a call of the same driver, one at a time. */
function cost(name: string, sink: () => MetricsSink): Figure {
  return {
    name,
    bare: 'its memory driver',
    unit: 'us',
    comparison: 'difference',
    async measure() {
      const driver = memory()
      await using redis = new Redis(driver, { metrics: sink() })
      await redis.set(key, value)
      const attempt: Attempt = {
        operation: 'get',
        due: Infinity,
        context: undefined,
        correlationId: undefined,
        over: false,
        sent: false,
        onCancel: undefined,
      }
      return await inTurns(
        30,
        () => timed(50_000, 1, () => redis.get(key)),
        () => timed(50_000, 1, () => driver.execute({ args: ['GET', key] }, attempt)),
      )
    },
  }
}

/** The least that a sink can do. */
function sums(): MetricsSink {
  const instrument = () => {
    const metric = { count: 0, sum: 0 }
    return (value: number) => {
      metric.count++
      metric.sum += value
    }
  }
  return { histogram: instrument, counter: instrument, gauge: instrument }
}
