import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createInfrastructure, type InfrastructureOptions } from '../../src/config/auto.node.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { readOnlyToken, startGateway, token } from '../gateway/gateway.ts'

const server = await engine('redis-process')
const gateway = server.missing === undefined ? await startGateway(server.url) : undefined!

function infrastructure(source: object, options: InfrastructureOptions = {}) {
  const infra = createInfrastructure(source, { logger: false, drainTimeoutMs: 500, ...options })
  onTestFinished(() => infra.close().catch(() => {}))
  return infra
}

async function proxied() {
  const proxy = await startProxy(server.port)
  onTestFinished(() => proxy.close())
  return proxy
}

const rejection = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  )

describe('over a real Redis', needs(server), () => {
  const sources = (): [string, object][] => [
    ['ioredis', { REDIS_URL: server.url }],
    ['ioredis', { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port), REDIS_DB: '0' }],
    ['ioredis', { redis: { host: '127.0.0.1', port: server.port } }],
    ['rest', { REDIS_URL: `${gateway.url}/redis`, REDIS_TOKEN: token }],
    [
      'rest',
      {
        UPSTASH_REDIS_REST_URL: `${gateway.url}/redis`,
        UPSTASH_REDIS_REST_TOKEN: token,
      },
    ],
    ['rest', { redis: { url: `${gateway.url}/redis`, token: async () => token, fetch } }],
    ['memory', { REDIS_URL: 'memory:' }],
  ]

  test.each([0, 1, 2, 3, 4, 5, 6])('the same program runs on configuration %i', async (i) => {
    const [adapter, source] = sources()[i]!
    const infra = infrastructure(source)
    await infra.warm()
    expect(infra.redis.adapter).toBe(adapter)
    expect(infra.describe()).toMatchObject({ redis: { adapter } })
    expect(await infra.redis.set('config:key', 'v', { ttlSeconds: 60 })).toBe(true)
    expect(await infra.redis.get('config:key')).toBe('v')
    expect(await infra.health.check()).toMatchObject({ redis: { status: 'healthy' } })
  })

  test('nothing is connected before it is used or warmed, and then once', async () => {
    const proxy = await proxied()
    const infra = infrastructure({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    expect(proxy.connections).toBe(0)
    await infra.warm()
    expect(proxy.connections).toBe(1)
    await Promise.all([infra.redis.get('k'), infra.health.check(), infra.warm()])
    expect(proxy.connections).toBe(1)
  })

  test('a Redis that was down at the start is used when it is up', async () => {
    const proxy = await proxied()
    await proxy.setMode('refuse')
    const infra = infrastructure({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    const error = await rejection(infra.warm())
    expect(error).toMatchObject({
      code: 'INFRASTRUCTURE_UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(/^infrastructure warm: redis ping: .*ECONNREFUSED/),
      cause: { errors: [expect.objectContaining({ code: 'REDIS_UNAVAILABLE' })] },
    })
    expect(await infra.health.isHealthy()).toBe(false)
    await proxy.setMode('pass')
    await infra.warm()
    expect(await infra.health.isHealthy({ fresh: true })).toBe(true)
  })

  test('close waits for what is in flight, releases every connection, and closes once', async () => {
    const proxy = await proxied()
    const infra = infrastructure({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
    await infra.warm()
    await proxy.setMode({ delayMs: 30 })
    const sent = once(proxy, 'request')
    const reply = infra.redis.set('config:key', 'v')
    await sent
    const closing = infra.close()
    expect(infra.close()).toBe(closing)
    expect(await reply).toBe(true)
    await closing
    await vi.waitFor(() => expect(proxy.open).toBe(0))
    expect(await rejection(infra.redis.get('k'))).toMatchObject({ code: 'REDIS_CLOSED' })
    expect(await infra.health.isHealthy({ fresh: true })).toBe(false)
  })

  test('each call makes clients of its own', async () => {
    const [one, two] = [
      infrastructure({ REDIS_URL: server.url }),
      infrastructure({ REDIS_URL: server.url }),
    ]
    await one.close()
    await two.warm()
  })
})

describe('a credential that is a function', needs(server), () => {
  test('the password is asked for at connect, and once more when it was refused', async () => {
    const secured = await startRedis({ password: 'old' })
    onTestFinished(() => secured.stop())
    const proxy = await startProxy(secured.port)
    onTestFinished(() => proxy.close())
    const answers = ['old', 'old', 'new']
    const given: string[] = []
    const infra = infrastructure({
      redis: {
        host: '127.0.0.1',
        port: proxy.port,
        password: async () => {
          given.push(answers[given.length] ?? 'none')
          return given.at(-1)!
        },
      },
    })
    expect(given).toEqual([])
    await infra.warm()
    expect(given).toEqual(['old'])
    await secured.command('CONFIG', 'SET', 'requirepass', 'new')
    const native = (await infra.redis.native()) as { status: string }
    proxy.disconnect()
    await vi.waitFor(() => expect(native.status).toBe('end'))
    await infra.redis.set('k', 'v')
    expect(given).toEqual(['old', 'old', 'new'])
  })

  test('the token is asked for before the first request, and once more when it was refused', async () => {
    const answers = ['expired', token]
    let asked = 0
    const infra = infrastructure({
      redis: {
        url: `${gateway.url}/redis`,
        token: async () => answers[asked++] ?? 'none',
      },
    })
    expect(asked).toBe(0)
    await infra.warm()
    await infra.redis.set('k', 'v')
    expect(asked).toBe(2)
  })

  test('a read-only token cannot write', async () => {
    const infra = infrastructure({ REDIS_URL: `${gateway.url}/redis`, REDIS_TOKEN: readOnlyToken })
    expect(await rejection(infra.redis.set('k', 'v'))).toMatchObject({ code: 'REDIS_FORBIDDEN' })
  })
})

test('a driver that is not installed: the install command, and no retry', async () => {
  // In a process of its own, where importing ioredis fails as it does when it is absent.
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '--eval'],
    `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== 'ioredis') return next(specifier, context)
        throw Object.assign(new Error('absent'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })
    const { createInfrastructure } = await import('./src/config/auto.node.ts')
    const infra = createInfrastructure({ REDIS_URL: 'redis://:secret@127.0.0.1:1' }, { logger: false })
    const { message, retryable } = await infra.warm().catch((error) => error)
    await infra.close()
    console.log(JSON.stringify({ message, retryable }))
    `,
  ])
  expect(JSON.parse(stdout)).toEqual({
    message: expect.stringMatching(/npm install ioredis$/),
    retryable: false,
  })
})

test('importing it loads no driver, nor does making an infrastructure', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '--eval'],
    `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { createInfrastructure } = await import('./src/config/auto.node.ts')
    createInfrastructure({ REDIS_URL: 'redis://127.0.0.1:1' }).health
    console.log(loaded.filter((url) => /node_modules/.test(url)).join())
    `,
  ])
  expect(stdout).not.toMatch(/ioredis|upstash/)
})

test('warm and close collect the failures of every backend', async () => {
  const infra = infrastructure({ REDIS_URL: 'memory:' })
  await infra.close()
  expect(await rejection(infra.warm())).toMatchObject({
    code: 'INFRASTRUCTURE_UNAVAILABLE',
    retryable: false,
    cause: { errors: [expect.objectContaining({ code: 'REDIS_CLOSED' })] },
  })
})
