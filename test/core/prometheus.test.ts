import * as promClient from 'prom-client'
import { expect, test } from 'vitest'
import { memory } from '../../adapters/redis/memory.ts'
import { prometheus } from '../../src/metrics/prometheus.ts'
import { Redis } from '../../src/redis/index.ts'

test('a client’s durations and errors come out as Prometheus text, and clients may share a registry', async () => {
  const registry = new promClient.Registry()
  const options = { metrics: prometheus(promClient, { registry }), logger: false as const }
  for (const redis of [new Redis(memory(), options), new Redis(memory(), options)]) {
    await redis.set('key-of-mine', 'v')
    await redis.incrBy('key-of-mine').catch(() => {})
    await redis.close()
  }
  const text = await registry.metrics()
  expect(text).toContain('redis_operation_duration_seconds_count{command="set"} 2')
  expect(text).toContain('redis_errors_total{command="incrby",code="REDIS_INVALID"} 2')
  expect(text).not.toContain('key-of-mine')
})
