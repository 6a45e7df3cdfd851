import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type IoredisOptions, ioredis } from '../../adapters/redis/ioredis.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import type { Redis } from '../../src/redis/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import type { RedisProcess } from '../engines/redis.ts'
import { client, failure } from './failures.ts'

const cluster = await engine('redis-cluster')
const timeoutMs = 300

function connect(options: IoredisOptions = {}, clientOptions: ClientOptions = {}): Redis {
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  return client(ioredis({ cluster: nodes, ...options }), clientOptions)
}

/** `count` keys of one node, each in a slot of its own. */
async function keysOf(node: RedisProcess, count: number): Promise<string[]> {
  const keys: string[] = []
  while (keys.length < count) {
    const key = randomUUID()
    // Answers with a redirection if the key is another node's.
    if (
      await node.command('EXISTS', key).then(
        () => true,
        () => false,
      )
    )
      keys.push(key)
  }
  return keys
}

/** Cuts every client connection that a node has, from its side. */
const cut = (node: RedisProcess) =>
  node.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

const values = (node: RedisProcess, keys: readonly string[]) =>
  Promise.all(keys.map((key) => node.command('GET', key)))

/** Makes a node tell clients to come to that port, and waits until all nodes tell them the same. */
async function announce(node: RedisProcess, port: number): Promise<void> {
  await node.command('CONFIG', 'SET', 'cluster-announce-port', port === node.port ? 0 : port)
  for (const { command } of cluster.nodes) {
    const known = async () => JSON.stringify(await command('CLUSTER', 'SLOTS'))
    await vi.waitFor(async () => expect(await known()).toContain(`,${port},`), 10_000)
  }
}

/** The commands of a node's clients that the server has begun and not answered. */
async function blocked(node: RedisProcess): Promise<number> {
  const info = String(await node.command('INFO', 'clients'))
  return Number(/blocked_clients:(\d+)/.exec(info)?.[1])
}

describe('a cluster with a node that fails', needs(cluster), () => {
  const [first, second] = cluster.missing === undefined ? cluster.nodes : []

  test('a node cuts its connections: calls in flight end at once, no write is repeated', async () => {
    const node = first!
    const redis = connect()
    const keys = await keysOf(node, 50)
    await redis.health()
    await redis.mget(keys)
    // Holds back every reply to a write, as it would be in flight.
    await node.command('CLIENT', 'PAUSE', 10_000, 'WRITE')
    const calls = keys.map((key) => failure(() => redis.incrBy(key), 2000))
    await vi.waitFor(async () => expect(await blocked(node)).toBeGreaterThan(0))
    await cut(node)
    await node.command('CLIENT', 'UNPAUSE')
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
    }
    for (const value of await values(node, keys)) expect([null, '1']).toContain(value)
    expect(await redis.incrBy(`${keys[0]}:next`)).toBe(1)
  })

  test('a node is killed in its work on a pipeline over all nodes: each item has its fate', async () => {
    const node = first!
    const redis = connect()
    const mine = await keysOf(node, 10)
    const others = await keysOf(second!, 10)
    await redis.mget([...mine, ...others])
    await node.command('CLIENT', 'PAUSE', 10_000, 'WRITE')
    const pipeline = redis.pipeline()
    for (let i = 0; i < 10; i++) pipeline.incrBy(mine[i]!).incrBy(others[i]!)
    const settled = pipeline.settle()
    await vi.waitFor(async () => expect(await blocked(node)).toBeGreaterThan(0))
    await cut(node)
    await node.command('CLIENT', 'UNPAUSE')
    for (const [i, item] of (await settled).entries()) {
      if (i % 2 === 1) expect(item).toEqual({ status: 'fulfilled', value: 1 })
      else expect(item).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown' } })
    }
    expect(await values(second!, others)).toEqual(others.map(() => '1'))
    for (const value of await values(node, mine)) expect([null, '1']).toContain(value)
  })

  test('reads go on through cuts, and nobody notices', async () => {
    const redis = connect({}, { retry: { retries: 5, baseMs: 5 } })
    const keys = await keysOf(first!, 100)
    // So many calls that the budget for retries covers all the reads below.
    await Promise.all(keys.map((key, i) => redis.set(key, i)))
    for (let round = 0; round < 3; round++) {
      const reads = Promise.all(keys.slice(0, 5).map((key) => redis.get(key)))
      const [found] = await Promise.all([reads, cut(first!), cut(second!)])
      expect(found).toEqual(['0', '1', '2', '3', '4'])
    }
  })

  test('counters are never ahead of what their callers were told', async () => {
    const redis = connect()
    const [key] = (await keysOf(first!, 1)) as [string]
    let applied = 0
    let unknown = 0
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 20 }, () => redis.incrBy(key))
      const cutting = cut(first!)
      for (const call of await Promise.allSettled(calls)) {
        if (call.status === 'fulfilled') applied++
        else if (call.reason.outcome === 'unknown') unknown++
      }
      await cutting
    }
    const value = Number(await first!.command('GET', key))
    expect(value).toBeGreaterThanOrEqual(applied)
    expect(value).toBeLessThanOrEqual(applied + unknown)
    expect(await redis.get(key)).toBe(`${value}`)
  })

  test('a node stands still: its keys time out, those of the others do not', async () => {
    const redis = connect()
    const keys = await keysOf(first!, 10)
    const [other] = (await keysOf(second!, 1)) as [string]
    await redis.mget([...keys, other])
    first!.pause()
    try {
      const late = keys.map((key) => failure(() => redis.incrBy(key, 1, { timeoutMs }), timeoutMs))
      expect(await redis.incrBy(other)).toBe(1)
      // The first to time out closes the connection, which ends the others a little early.
      const errors = await Promise.all(late)
      expect(errors.map(({ code }) => code)).toContain('REDIS_TIMEOUT')
      for (const error of errors) expect(error.outcome).toBe('unknown')
      expect(await redis.incrBy(other)).toBe(2)
    } finally {
      first!.resume()
    }
    await vi.waitFor(async () => expect(await redis.get(keys[0]!)).toMatch(/1/))
    for (const value of await values(first!, keys)) expect([null, '1']).toContain(value)
    const [key] = (await keysOf(first!, 1)) as [string]
    const pushes = Array.from({ length: 10 }, (_, i) => redis.rpush(key, `${i}`))
    expect(await Promise.all(pushes)).toEqual(pushes.map((_, i) => i + 1))
  })

  test('a node is gone without a word: after a timeout its keys are asked for anew', async () => {
    const node = first!
    const proxy = await startProxy(node.port)
    await announce(node, proxy.port)
    onTestFinished(async () => {
      await announce(node, node.port)
      await proxy.close()
    })
    const redis = connect({ cluster: [{ host: '127.0.0.1', port: node.port }] })
    const [key] = (await keysOf(node, 1)) as [string]
    const [other] = (await keysOf(second!, 1)) as [string]
    await redis.mget([key, other])
    expect(proxy.connections).toBeGreaterThan(0)
    await proxy.setMode('blackhole')
    const late = failure(() => redis.incrBy(key, 1, { timeoutMs }), timeoutMs)
    expect(await redis.incrBy(other)).toBe(1)
    expect(await late).toMatchObject({ code: 'REDIS_TIMEOUT', outcome: 'unknown' })
    const connected = once(proxy, 'connection')
    const next = redis.set(key, 'v')
    await connected
    await proxy.setMode('pass')
    expect(await next).toBe(true)
  })

  test('the only node that is known stands still while connecting: in time, and never applied', async () => {
    const node = first!
    const redis = connect({ cluster: [{ host: '127.0.0.1', port: node.port }] })
    const [key] = (await keysOf(second!, 1)) as [string]
    node.pause()
    try {
      const error = await failure(() => redis.incrBy(key, 1, { timeoutMs }), timeoutMs)
      expect(error).toMatchObject({ code: 'REDIS_TIMEOUT', outcome: 'not-applied' })
    } finally {
      node.resume()
    }
    expect(await redis.get(key)).toBeNull()
  })

  test('one of the known nodes stands still while connecting: the others are asked', async () => {
    const [key] = (await keysOf(second!, 1)) as [string]
    first!.pause()
    try {
      // Which node is asked first is up to chance.
      const clients = Array.from({ length: 6 }, () => connect({ connectTimeoutMs: 1000 }))
      const replies = await Promise.all(clients.map((redis) => redis.incrBy(key)))
      expect(replies.sort()).toEqual([1, 2, 3, 4, 5, 6])
    } finally {
      first!.resume()
    }
  })

  test('nobody listens where the cluster is said to be', async () => {
    const redis = connect({ cluster: [{ host: '127.0.0.1', port: 1 }] })
    expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      outcome: 'not-applied',
    })
    expect(await failure(() => redis.subscribe('channel'), 1000)).toMatchObject({
      code: 'REDIS_UNAVAILABLE',
    })
  })

  test('subscriptions end with an error when their node cuts them, and can be had again', async () => {
    const redis = connect()
    const channel = randomUUID()
    const subscription = await redis.subscribe(channel)
    const lost = failure(() => subscription.next(), 2000)
    await Promise.all(cluster.nodes.map((node) => node.command('CLIENT', 'KILL', 'TYPE', 'pubsub')))
    expect(await lost).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    await using again = await redis.subscribe(channel)
    await redis.publish(channel, 'after')
    expect((await again.next()).value?.message).toBe('after')
  })
})
