import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { memory } from '../../adapters/redis/memory.ts'
import { Redis } from '../../src/redis/index.ts'

test('pino takes the records of operations as they are', async () => {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const redis = new Redis(memory(), { logger: pino(sink), logSuccess: true })
  await redis.set('key-of-mine', 'v')
  await redis.incrBy('key-of-mine', 1, { correlationId: 'req-7' }).catch(() => {})
  await redis.close()
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 30, msg: 'operation_completed', operation: 'set', outcome: 'success' },
    { level: 40, msg: 'operation_failed', code: 'REDIS_INVALID', correlationId: 'req-7' },
  ])
  expect(lines.join()).not.toContain('key-of-mine')
})
