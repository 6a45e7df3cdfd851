import { expect, onTestFinished, test, vi } from 'vitest'
import { engine, needs } from './index.ts'
import { redisServer, startRedis } from './redis.ts'

const redis = await engine('redis-process')
const cluster = await engine('redis-cluster')

test('a Redis answers, and its keys can be seen', needs(redis), async () => {
  await redis.command('SET', 'engine:key', Buffer.from([0, 255]))
  expect(await redis.command('STRLEN', 'engine:key')).toBe(2)
})

test('a paused Redis answers once it is resumed', needs(redis), async () => {
  redis.pause()
  const reply = redis.command('PING')
  redis.resume()
  expect(await reply).toBe('PONG')
})

test('a stopped Redis is gone, and can be started again where it was', needs(redis), async () => {
  const first = await startRedis({ password: 'p@ss word' })
  first.pause()
  await first.stop()
  await expect(first.command('PING')).rejects.toThrow()
  expect(() => process.kill(first.pid, 0)).toThrow('ESRCH')

  const second = await startRedis({ port: first.port, password: 'p@ss word' })
  expect(second.url).toBe(first.url)
  await second.stop()
})

test('the Redis that REDIS_URL names is used, and left running', needs(redis), async () => {
  vi.stubEnv('REDIS_URL', redis.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const given = await redisServer()
  expect(given.url).toBe(redis.url)
  await given.stop()
  expect(await redis.command('PING')).toBe('PONG')
})

test('each node of the cluster owns a third of the slots', needs(cluster), async () => {
  const owners = await Promise.all(
    ['a', 'b', 'c'].map((key) => cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', key)),
  )
  expect(new Set(owners.map((slot) => Math.floor((Number(slot) * 3) / 16_384))).size).toBe(3)
  for (const node of cluster.nodes) {
    expect(await node.command('CLUSTER', 'SLOTS')).toHaveLength(3)
  }
})
