import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startWorker } from '../edge/worker.ts'
import { needs } from '../engines/index.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'

const gateway = await gatewayOverRedis()
const worker =
  gateway.missing === undefined
    ? await startWorker(new URL('./auto.worker.ts', import.meta.url), {
        REDIS_URL: gateway.url,
        REDIS_TOKEN: gateway.token,
      })
    : undefined!

async function ask(parameters: Record<string, string>): Promise<unknown> {
  const response = await fetch(new URL(`/?${new URLSearchParams(parameters)}`, worker.url))
  return response.json()
}

describe('configured by the bindings of a Worker', needs(gateway), () => {
  test('one infrastructure serves all requests over HTTP', async () => {
    const key = `config:${randomUUID()}`
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask({ key })))
    for (const answer of answers) {
      expect(answer).toMatchObject({ health: 'healthy', redis: { adapter: 'rest' } })
    }
    const counts = answers.map((answer) => (answer as { count: number }).count)
    expect(new Set(counts).size).toBe(50)
  })

  test('TCP is refused by name', async () => {
    expect(await ask({ url: 'redis://:secret@127.0.0.1:6379' })).toEqual({
      code: 'CONFIG_CONFIG',
      message: 'config read: REDIS_URL: set it to https://host; this runtime cannot do TCP',
    })
  })
})
