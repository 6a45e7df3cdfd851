import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { bundleLambda, lambdaEntry } from '../../scripts/build-lambda.ts'
import { healthSuite, runSuite } from '../../src/testing/index.ts'
import { engine, needs } from '../engines/index.ts'
import { startRedis } from '../engines/redis.ts'
import { httpEvents, malformedEvents, scheduledEvent } from './lambda-events.ts'
import { LambdaEnvironment } from './lambda-runtime.ts'

const run = promisify(execFile)
const server = await engine('redis-process')
const get = httpEvents['API Gateway v2']

/** A directory with what a zip holds, as Lambda unpacks it. */
async function unpack(files: Record<string, Uint8Array | string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-'))
  afterAll(() => rm(directory, { recursive: true }))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(directory, name), bytes)
  return directory
}

async function start(directory: string, env: Record<string, string>): Promise<LambdaEnvironment> {
  const lambda = await LambdaEnvironment.start(directory, env)
  onTestFinished(() => lambda.stop())
  return lambda
}

async function status(lambda: LambdaEnvironment): Promise<number> {
  return ((await lambda.invoke(get('/health'))) as { statusCode: number }).statusCode
}

/** The connections that the server has now, without the one that asks. */
async function connections(): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => / cmd=/.test(line) && !/ cmd=client/.test(line))
}

async function stat(section: string, form: RegExp): Promise<number> {
  return Number(form.exec(String(await server.command('INFO', section)))?.[1] ?? 0)
}

const env: Record<string, string | undefined> = { ...process.env, REDIS_URL: undefined }
const { stdout } = await run('npm', ['run', '--silent', 'build:lambda'], { env })
const archive = unzipSync(await readFile('lambda.zip'))
const zip = await unpack(archive)

test('npm run build:lambda says how large the zip is and which adapters are in it', async () => {
  expect(stdout).toMatch(/^lambda\.zip: \d+ KB, unpacked \d+ KB\nadapters: redis\/ioredis\n$/)
  expect(Object.keys(archive)).toEqual(['index.mjs'])
})

test('the zip carries only the adapters that are configured', async () => {
  const restOnly = await bundleLambda(lambdaEntry, ['redis/rest'])
  expect(restOnly).not.toContain('MaxRetriesPerRequestError')
  // The portable clients of every backend, without a library.
  expect(restOnly).not.toContain('BSONError')
  expect(restOnly.length).toBeLessThan(180_000)
  const lambda = await start(await unpack({ 'index.mjs': restOnly }), {
    REDIS_URL: 'redis://127.0.0.1:1',
  })
  expect(await lambda.invoke(get('/health'))).toMatchObject({ statusCode: 500 })
  await expect.poll(() => lambda.log).toContain('npm run build:lambda -- redis/ioredis')
})

test('an adapter that does not exist is one line and exit code 1', async () => {
  await expect(
    run('npm', ['run', '--silent', 'build:lambda', '--', 'redis/nonesuch']),
  ).rejects.toMatchObject({ code: 1, stderr: 'build:lambda: there is no adapter redis/nonesuch\n' })
})

describe('the zip over a real Redis', needs(server), () => {
  test('its first answer is healthy, for every source of events', async () => {
    const lambda = await start(zip, { REDIS_URL: server.url })
    for (const event of Object.values(httpEvents)) {
      expect(await lambda.invoke(event('/health'))).toMatchObject({
        statusCode: 200,
        body: '{"status":"pass"}',
      })
      expect(await lambda.invoke(event('/health/ready'))).toMatchObject({ statusCode: 200 })
      expect(await lambda.invoke(event('/elsewhere'))).toMatchObject({ statusCode: 404 })
    }
    expect(lambda.log).toBe('')
  })

  test('the token shows the checks', async () => {
    const lambda = await start(zip, { REDIS_URL: server.url, HEALTH_TOKEN: 'token-1' })
    const event = get('/health')
    const headers = { ...event.headers, authorization: 'Bearer token-1' }
    const { body } = (await lambda.invoke({ ...event, headers })) as { body: string }
    expect(JSON.parse(body)).toMatchObject({
      checks: { 'redis:responseTime': [{ status: 'pass' }] },
    })
  })

  test('one connection, opened before the first invocation, serves them all', async () => {
    const lambda = await start(zip, { REDIS_URL: server.url })
    await lambda.idle()
    expect(await connections()).toHaveLength(1)
    const before = await stat('stats', /total_connections_received:(\d+)/)
    for (let i = 0; i < 20; i++) await lambda.invoke(scheduledEvent)
    // One is this question's own.
    expect(await stat('stats', /total_connections_received:(\d+)/)).toBe(before + 1)
  })

  test('an event of EventBridge runs the checks and returns nothing', async () => {
    const lambda = await start(zip, { REDIS_URL: server.url })
    await lambda.idle()
    const before = await stat('commandstats', /cmdstat_ping:calls=(\d+)/)
    expect(await lambda.invoke(scheduledEvent)).toBeNull()
    expect(await lambda.invoke(scheduledEvent)).toBeNull()
    expect(await stat('commandstats', /cmdstat_ping:calls=(\d+)/)).toBe(before + 2)
  })

  test('Redis killed: 503; back: 200, in the same process', async () => {
    const redis = await startRedis()
    const lambda = await start(zip, { REDIS_URL: redis.url })
    expect(await status(lambda)).toBe(200)
    await redis.stop()
    await vi.waitFor(async () => expect(await status(lambda)).toBe(503), 10_000)
    const again = await startRedis({ port: redis.port })
    onTestFinished(() => again.stop())
    await vi.waitFor(async () => expect(await status(lambda)).toBe(200), 10_000)
  })

  test('without Redis it starts all the same, and is well as soon as Redis is', async () => {
    const { port, url, stop } = await startRedis()
    await stop()
    const lambda = await start(zip, { REDIS_URL: url })
    expect(await status(lambda)).toBe(503)
    await expect.poll(() => lambda.log).toContain('warm_failed')
    const redis = await startRedis({ port })
    onTestFinished(() => redis.stop())
    await vi.waitFor(async () => expect(await status(lambda)).toBe(200), 10_000)
  })

  test('a silent Redis does not hold up the start for long, nor an answer', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    redis.pause()
    const lambda = await start(zip, { REDIS_URL: redis.url })
    expect(await status(lambda)).toBe(503)
    redis.resume()
    await vi.waitFor(async () => expect(await status(lambda)).toBe(200), 10_000)
  })

  test('SIGTERM closes the connection and ends the process', async () => {
    const lambda = await start(zip, { REDIS_URL: server.url })
    await lambda.idle()
    expect(await connections()).toHaveLength(1)
    expect(await lambda.shutDown()).toBe(0)
    await vi.waitFor(async () => expect(await connections()).toHaveLength(0))
  })
})

describe('a configuration that is wrong', () => {
  test.each([
    ['REDIS_URL', { REDIS_URL: 'ftp://secret-1' }],
    ['REDIS_URL', { REDIS_URL: 'redis://:secret-1@127.0.0.1/secret-1' }],
    ['REDIS_TOKEN', { REDIS_URL: 'https://secret-1.example' }],
    ['token', { HEALTH_TOKEN: 'secret-1 secret-1' }],
  ])('%s: the log says so, the answer is 500, and nothing is told: %j', async (name, env) => {
    const lambda = await start(zip, env)
    const result = await lambda.invoke(get('/health'))
    expect(result).toMatchObject({ statusCode: 500 })
    expect(await lambda.invoke(get('/health/live'))).toMatchObject({ statusCode: 500 })
    await expect(lambda.invoke(scheduledEvent)).rejects.toThrow(name)
    await expect.poll(() => lambda.log).toMatch(new RegExp(`"msg":"start_failed".*\\b${name}\\b`))
    expect(lambda.log + JSON.stringify(result)).not.toContain('secret-1')
  })
})

test('an event that is no request is answered with 400, and the next one is served', async () => {
  const lambda = await start(zip, {})
  for (const event of malformedEvents) {
    expect(await lambda.invoke(event)).toMatchObject({ statusCode: 400 })
    expect(await lambda.invoke(get('/health/live'))).toMatchObject({ statusCode: 200 })
  }
  await expect.poll(() => lambda.log).toContain('event_refused')
  expect(lambda.log).not.toContain('secret-1')
})

describe('a function of a user', async () => {
  const code = await bundleLambda(new URL('./lambda-function.ts', import.meta.url), [
    'redis/ioredis',
  ])
  const directory = await unpack({ 'index.mjs': code })
  const call = (name: string, env: Record<string, string> = {}) =>
    start(directory, { _HANDLER: `index.${name}`, ...env })

  describe('over a real Redis', needs(server), () => {
    test('that was frozen, and whose connection was cut meanwhile, writes once and at once', async () => {
      const key = randomUUID()
      const lambda = await call('increment', { REDIS_URL: server.url })
      expect(await lambda.invoke({ key })).toBe(1)
      for (let expected = 2; expected <= 11; expected++) {
        await lambda.idle()
        lambda.freeze()
        await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        const written = lambda.invoke({ key })
        lambda.thaw()
        expect(await written).toBe(expected)
      }
    })

    test('that was frozen while its Redis was replaced goes on', async () => {
      const redis = await startRedis()
      const lambda = await call('increment', { REDIS_URL: redis.url })
      expect(await lambda.invoke({ key: 'n' })).toBe(1)
      await lambda.idle()
      lambda.freeze()
      await redis.stop()
      const again = await startRedis({ port: redis.port })
      onTestFinished(() => again.stop())
      const written = lambda.invoke({ key: 'n' })
      lambda.thaw()
      expect(await written).toBe(1)
    })

    test('has its answer before its time is over', async () => {
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      const lambda = await call('patient', { REDIS_URL: redis.url })
      await lambda.idle()
      redis.pause()
      const { code, leftMs } = (await lambda.invoke({}, 1000)) as { code: string; leftMs: number }
      expect(code).toBe('REDIS_TIMEOUT')
      expect(leftMs).toBeGreaterThan(0)
      expect(leftMs).toBeLessThan(1000)
    })

    test('logs with the ID of the request, or else of the invocation', async () => {
      const lambda = await call('increment', { REDIS_URL: server.url })
      const headers = { 'X-Correlation-Id': 'request-1' }
      await expect(lambda.invoke({ key: '', headers })).rejects.toThrow('redis')
      // What it writes arrives by a pipe of its own, perhaps after its reply.
      await expect.poll(() => lambda.log).toContain('"correlationId":"request-1"')
      await expect(
        lambda.invoke({ key: '', headers: { 'x-correlation-id': 'request 2' } }),
      ).rejects.toThrow('redis')
      await expect.poll(() => lambda.log).toMatch(/"correlationId":"[\da-f-]{36}"/)
      expect(lambda.log).not.toContain('request 2')
    })
  })

  test('fails with what is wrong with the configuration', async () => {
    const lambda = await call('increment')
    await expect(lambda.invoke({ key: 'n' })).rejects.toThrow('REDIS_URL: set it')
  })

  describe('the health suite', async () => {
    const lambda = await LambdaEnvironment.start(directory, { _HANDLER: 'index.suite' })
    afterAll(() => lambda.stop())
    runSuite(healthSuite, {
      target: { capabilities: { sharedProbes: true, abort: false } } as never,
      test: (name) =>
        test(name, async () => {
          expect(await lambda.invoke({ name }, 60_000)).toEqual({ passed: true })
        }),
      skip: (name, reason) => test(name, (context) => context.skip(reason)),
    })
  })
})
