import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { ioredis } from '../../adapters/redis/ioredis.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { engine, needs } from '../engines/index.ts'
import { conformance } from './conformance.ts'

const server = await engine('redis-cluster')
const create = (options: ClientOptions) => {
  const cluster = server.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  return new Redis(ioredis({ cluster }), options)
}

conformance('a cluster of three', server, () => ({ redis: create({ logger: false }), create }))

describe('keys in many slots of a cluster', needs(server), () => {
  const redis = server.missing === undefined ? create({ logger: false }) : undefined!
  afterAll(() => redis?.close())

  /** Keys without a hash tag: 50 of them are on all three nodes. */
  const keysOf = (count: number) => {
    const unique = randomUUID()
    return Array.from({ length: count }, (_, i) => `${unique}:${i}`)
  }
  const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false }

  test('single calls of one tick each get their own answer', async () => {
    const keys = keysOf(50)
    const calls = keys.flatMap((key, i) => [redis.set(key, i), redis.get(key), redis.incrBy(key)])
    expect(await Promise.all(calls)).toEqual(keys.flatMap((_, i) => [true, `${i}`, i + 1]))
  })

  test('mget answers in the order of the keys, with gaps and repetitions', async () => {
    const keys = keysOf(50)
    await Promise.all(keys.map((key, i) => (i % 5 === 0 ? undefined : redis.set(key, i))))
    const asked = [...keys.toReversed(), keys[7]!, keys[0]!, keys[7]!]
    const values = keys.map((_, i) => (i % 5 === 0 ? null : `${i}`))
    expect(await redis.mget(asked)).toEqual([...values.toReversed(), '7', null, '7'])
    expect((await redis.mgetBytes(keys)).map((value) => value?.length ?? null)).toEqual(
      values.map((value) => value?.length ?? null),
    )
  })

  test('exists and del count over all nodes', async () => {
    const keys = keysOf(50)
    await Promise.all(keys.map((key) => redis.set(key, 'v')))
    expect(await redis.exists([...keys, keys[0]!, ...keysOf(5)])).toBe(51)
    expect(await redis.del([...keys, ...keysOf(5)])).toBe(50)
    expect(await redis.mget(keys)).toEqual(keys.map(() => null))
  })

  test('scan finds the keys of every node', async () => {
    const keys = keysOf(100)
    await Promise.all(keys.map((key) => redis.set(key, 'v')))
    const found = new Set<string>()
    const match = `${keys[0]!.split(':')[0]}:*`
    for await (const key of redis.scan({ match, count: 10 })) found.add(key)
    expect([...found].sort()).toEqual(keys.toSorted())
  })

  test('a pipeline goes to all nodes and comes back in order', async () => {
    const keys = keysOf(50)
    const pipeline = redis.pipeline()
    for (const [i, key] of keys.entries()) pipeline.set(key, i).append(key, '!').get(key)
    expect(await pipeline.exec()).toEqual(
      keys.flatMap((_, i) => [true, `${i}`.length + 1, `${i}!`]),
    )
  })

  test('a pipeline that fails on one node says which items were applied', async () => {
    const keys = keysOf(9)
    await redis.set(keys[4]!, 'text')
    const pipeline = redis.pipeline()
    for (const key of keys) pipeline.incrBy(key)
    const error = await pipeline.exec().catch((reason) => reason)
    expect(error).toMatchObject({ kind: 'invalid', outcome: 'partial' })
    expect(error.items.map(({ status }: { status: string }) => status)).toEqual(
      keys.map((_, i) => (i === 4 ? 'rejected' : 'fulfilled')),
    )
  })

  test('mset over several slots is refused, and nothing of it is applied', async () => {
    const keys = keysOf(10)
    const entries = Object.fromEntries(keys.map((key) => [key, 'v']))
    await expect(redis.mset(entries)).rejects.toMatchObject(refused)
    await expect(redis.pipeline().mset(entries).exec()).rejects.toMatchObject(refused)
    expect(await redis.exists(keys)).toBe(0)
  })

  test('a transaction over several slots is refused, and nothing of it is applied', async () => {
    const keys = keysOf(10)
    const transaction = redis.transaction()
    for (const key of keys) transaction.set(key, 'v')
    await expect(transaction.exec()).rejects.toMatchObject(refused)
    expect(await redis.exists(keys)).toBe(0)
  })

  test('a script over several slots is refused before it runs', async () => {
    const keys = keysOf(10)
    const script = "for _, key in ipairs(KEYS) do redis.call('SET', key, 'v') end"
    await expect(redis.eval(script, keys)).rejects.toMatchObject(refused)
    expect(await redis.exists(keys)).toBe(0)
  })

  test('any other command over several slots is refused', async () => {
    const [from, to] = keysOf(2) as [string, string]
    await redis.sadd(from, 'member')
    await expect(redis.command(['SUNIONSTORE', `${to}{a}`, `${from}{b}`])).rejects.toMatchObject(
      refused,
    )
    await expect(redis.xread({ [`${to}{a}`]: '0', [`${from}{b}`]: '0' })).rejects.toMatchObject(
      refused,
    )
    expect(await redis.smembers(from)).toEqual(['member'])
  })

  test('messages published by one client reach a subscriber wherever it is connected', async () => {
    const channels = keysOf(10)
    await using subscription = await redis.subscribe(channels)
    for (const channel of channels) await redis.publish(channel, `to ${channel}`)
    const received: string[] = []
    for await (const { channel, message } of subscription) {
      expect(message).toBe(`to ${channel}`)
      if (received.push(channel) === channels.length) break
    }
    expect(received.sort()).toEqual(channels.toSorted())
  })
})
