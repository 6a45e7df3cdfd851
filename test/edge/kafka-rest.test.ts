import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { rest } from '../../adapters/kafka/rest.ts'
import { needs } from '../engines/index.ts'
import { conformance } from '../kafka/conformance.ts'
import { gatewayOverKafka } from '../kafka/gateway.ts'
import { startWorker } from './worker.ts'

const gateway = await gatewayOverKafka()
const topic = randomUUID()
const worker =
  gateway.missing === undefined
    ? await startWorker(new URL('./kafka-suite.worker.ts', import.meta.url), {
        KAFKA_REST_URL: gateway.url,
        KAFKA_REST_TOKEN: gateway.token,
        KAFKA_TOPIC: topic,
      })
    : undefined!

conformance(
  'rest inside workerd',
  gateway,
  {
    driver: () => rest({ url: gateway.url ?? '', token: gateway.token, dialect: 'dualport' }),
    createTopic: gateway.createTopic,
  },
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)

test('300 requests share a module-level producer, and some of their callers leave', {
  ...needs(gateway),
  timeout: 60_000,
}, async () => {
  await gateway.createTopic(topic, 1)
  const offsets = new Set<string>()
  let left = 0
  const request = async (i: number) => {
    const leaves = i % 10 === 0
    const abort = new AbortController()
    if (leaves) setTimeout(() => abort.abort(), i % 7)
    try {
      const url = new URL(`/load?value=${i}`, worker.url)
      const response = await fetch(url, { signal: abort.signal })
      for (const offset of (await response.json()) as string[]) offsets.add(offset)
    } catch (error) {
      if (!leaves || (error as Error).name !== 'AbortError') throw error
      left++
    }
  }
  let next = 0
  const callers = Array.from({ length: 30 }, async () => {
    while (next < 300) await request(next++)
  })
  await Promise.all(callers)
  // Each message has an offset of its own: none was answered with another's.
  expect(offsets.size).toBe(2 * (300 - left))
})
