import { Redis } from '@upstash/redis'
import { describe, expect, test, vi } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import { freshKey, readOnlyToken, startGateway, token } from './gateway.ts'

const server = await engine('redis')

/** @upstash/redis as its users configure it: URL and token, the rest by default. */
describe('@upstash/redis with its defaults', needs(server), async () => {
  if (server.missing !== undefined) return
  const { url } = await startGateway(server.url)
  const redis = new Redis({ url: `${url}/redis`, token })

  test('strings, numbers and objects come back as they went', async () => {
    const key = freshKey()
    expect(await redis.set(key, { on: true, list: [1, 'ü€'] }, { ex: 100 })).toBe('OK')
    expect(await redis.get(key)).toEqual({ on: true, list: [1, 'ü€'] })
    expect(await redis.ttl(key)).toBe(100)
    await redis.set(key, 'OK')
    expect(await redis.get(key)).toBe('OK')
    expect(await redis.mget(key, freshKey())).toEqual(['OK', null])
    expect(await redis.set(key, 'x', { nx: true })).toBeNull()
    expect(await redis.getset(key, 41)).toBe('OK')
    expect(await redis.incrby(key, 1)).toBe(42)
    expect(await redis.incrbyfloat(key, 0.5)).toBe(42.5)
    expect(await redis.set(key, '')).toBe('OK')
    expect(await redis.get(key)).toBe('')
    expect(await redis.del(key)).toBe(1)
    expect(await redis.get(key)).toBeNull()
  })

  test('commands of one tick, pipelined without a word', async () => {
    const [a, b] = [freshKey(), freshKey()]
    expect(await Promise.all([redis.set(a, 1), redis.set(b, { x: 2 })])).toEqual(['OK', 'OK'])
    expect(await Promise.all([redis.get(a), redis.get(b), redis.get(freshKey())])).toEqual([
      1,
      { x: 2 },
      null,
    ])
    const many = Array.from({ length: 1500 }, () => redis.incr(a))
    expect((await Promise.all(many)).at(-1)).toBe(1501)
  })

  test('hashes, lists, sets, sorted sets, streams', async () => {
    const key = freshKey()
    expect(await redis.hset(`${key}:h`, { name: 'n', n: 1, o: { a: 1 } })).toBe(3)
    expect(await redis.hgetall(`${key}:h`)).toEqual({ name: 'n', n: 1, o: { a: 1 } })
    expect(await redis.hgetall(freshKey())).toBeNull()
    expect(await redis.rpush<unknown>(`${key}:l`, 'OK', 2, { a: 3 })).toBe(3)
    expect(await redis.lrange(`${key}:l`, 0, -1)).toEqual(['OK', 2, { a: 3 }])
    expect(await redis.sadd(`${key}:s`, 'a', 'b')).toBe(2)
    expect((await redis.smembers(`${key}:s`)).sort()).toEqual(['a', 'b'])
    await redis.zadd(`${key}:z`, { score: 1.5, member: 'a' }, { score: 2, member: 'b' })
    expect(await redis.zrange(`${key}:z`, 0, -1, { withScores: true })).toEqual(['a', 1.5, 'b', 2])
    expect(await redis.zscore(`${key}:z`, 'a')).toBe(1.5)
    const id = await redis.xadd(`${key}:x`, '*', { f: 'v' })
    expect(await redis.xrange(`${key}:x`, '-', '+')).toEqual({ [id]: { f: 'v' } })
  })

  test('pipeline and multi', async () => {
    const key = freshKey()
    expect(await redis.pipeline().set(key, 1).incr(key).get(key).exec()).toEqual(['OK', 2, 2])
    expect(await redis.multi().set(key, { a: 1 }).get(key).exec()).toEqual(['OK', { a: 1 }])
    const kept = await redis.pipeline().set(key, 'x').incr(key).get(key).exec({ keepErrors: true })
    expect(kept).toEqual([
      { result: 'OK' },
      { error: 'ERR value is not an integer or out of range' },
      { result: 'x' },
    ])
  })

  test('scan goes round', async () => {
    const prefix = freshKey()
    await Promise.all(Array.from({ length: 50 }, (_, i) => redis.set(`${prefix}:${i}`, i)))
    const found = new Set<string>()
    let cursor = '0'
    do {
      const [next, keys] = await redis.scan(cursor, { match: `${prefix}:*`, count: 7 })
      for (const key of keys) found.add(key)
      cursor = next
    } while (cursor !== '0')
    expect(found.size).toBe(50)
  })

  test('scripts', async () => {
    const key = freshKey()
    const source = `redis.call('set', KEYS[1], ARGV[1]) return {redis.call('get', KEYS[1]), 1, false}`
    expect(await redis.eval(source, [key], ['v'])).toEqual(['v', 1, null])
    const script = redis.createScript<string>('return ARGV[1]')
    expect(await script.exec([], ['hello'])).toBe('hello')
    const sha = await redis.scriptLoad('return 7')
    expect(await redis.evalsha(sha, [], [])).toBe(7)
  })

  test('errors are the engine’s own', async () => {
    const key = freshKey()
    await redis.set(key, 'v')
    await expect(redis.lpush(key, 'x')).rejects.toThrow('WRONGTYPE Operation against a key')
    await expect(redis.multi().get(key).lpush(key, 'x').exec()).rejects.toThrow('WRONGTYPE')
    const wrong = new Redis({ url: `${url}/redis`, token: 'wrong' })
    await expect(wrong.get(key)).rejects.toThrow('WRONGPASS')
    const reader = new Redis({ url: `${url}/redis`, token: readOnlyToken })
    expect(await reader.get(key)).toBe('v')
    await expect(reader.set(key, 'x')).rejects.toThrow('NOPERM')
    await expect(redis.exec(['CONFIG', 'GET', '*'])).rejects.toThrow('not available')
  })

  test('subscribe and publish', async () => {
    const channel = freshKey()
    const subscriber = redis.subscribe<{ n: number }>(channel)
    const patterns = redis.psubscribe<string>(`${channel}*`)
    const received: unknown[] = []
    subscriber.on('message', (event) => received.push(event))
    patterns.on('pmessage', (event) => received.push(event.message))
    const ready = [subscriber, patterns].map(
      (one, i) =>
        new Promise<void>((resolve) =>
          one.on(i === 0 ? 'subscribe' : 'psubscribe', () => resolve()),
        ),
    )
    await Promise.all(ready)
    expect(await redis.publish(channel, { n: 1 })).toBe(2)
    await vi.waitFor(() => {
      expect(received).toContainEqual({ channel, message: { n: 1 } })
      expect(received).toContainEqual({ n: 1 })
    })
    await subscriber.unsubscribe()
    await patterns.unsubscribe()
    await vi.waitFor(async () => expect(await redis.publish(channel, 'x')).toBe(0))
  })
})
