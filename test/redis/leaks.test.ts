import { inspect } from 'node:util'
import { Redis as UpstashClient } from '@upstash/redis'
import fc from 'fast-check'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { type IoredisOptions, ioredis } from '../../adapters/redis/ioredis.ts'
import { memory } from '../../adapters/redis/memory.ts'
import { rest } from '../../adapters/redis/rest.ts'
import { upstash } from '../../adapters/redis/upstash.ts'
import { type InfraError, isInfraError, type Logger } from '../../src/core/index.ts'
import { Redis, type RedisDriver } from '../../src/redis/index.ts'
import { cutShort, type Handler, type ReceivedRequest, serve } from '../chaos/http.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'

/**
 * In every key, value, name, credential and URL that is tried: it must turn up nowhere. Letters and digits,
 * so that nothing has to escape it; what is allowed to be shown (the name of an option, say) has no digits.
 */
const marker = 'q7SecretMarker9'

/** The marker as it would look in text, in binary that is printed, and in base64 wherever it begins. */
const traces = [
  marker.toLowerCase(),
  Buffer.from(marker).toString('hex'),
  [...Buffer.from(marker)].map((byte) => byte.toString(16)).join(' '),
  [...Buffer.from(marker)].join(','),
  [...Buffer.from(marker)].join(', '),
  ...[0, 1, 2].map((shift) => {
    const text = Buffer.from('x'.repeat(shift) + marker).toString('base64')
    // The ends mix with what stands beside.
    return text.slice(4, -4).toLowerCase()
  }),
]

function expectClean(text: string, what: () => string): void {
  const lower = text.toLowerCase()
  const trace = traces.find((one) => lower.includes(one))
  if (trace === undefined) return
  const at = lower.indexOf(trace)
  throw new Error(`${what()} shows it: ...${text.slice(Math.max(0, at - 300), at + 200)}`)
}

/** All that a program might print of an error. */
function printed(error: InfraError): string {
  const parts = [
    error.message,
    `${error.stack}`,
    String(error),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
    inspect(error, { depth: 10 }),
  ]
  for (let { cause } = error; cause instanceof Error; cause = cause.cause) {
    parts.push(String(cause), `${cause.stack}`, JSON.stringify(cause))
  }
  for (const item of error.items ?? []) {
    if (item.status === 'rejected') parts.push(printed(item.reason))
  }
  return parts.join('\n')
}

// Inputs -----------------------------------------------------------------------------------------

const text = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.string({ maxLength: 8 }))
  .map(([before, after]) => `${before}${marker}${after}`)
const bytes = fc
  .tuple(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }))
  .map((ends) => new Uint8Array(Buffer.concat([ends[0], Buffer.from(marker), ends[1]])))
const value = fc.oneof(text, bytes)

const optionNames =
  'signal timeoutMs correlationId ttlSeconds ttlMs keepTtl ifAbsent ifPresent by reverse limit offset id ' +
  'maxLength count match type patterns bytes'

/** What a call may be given for options: known names with senseless values, and unknown names. */
const options = fc.dictionary(
  fc.oneof(fc.constantFrom(...optionNames.split(' ')), text),
  fc.oneof(text, bytes, fc.integer(), fc.double(), fc.boolean(), fc.constant(undefined)),
  { maxKeys: 3, noNullPrototype: true },
)

/** What a careless program might pass, in any place. */
const argument = fc.oneof(
  { weight: 4, arbitrary: value },
  { weight: 2, arbitrary: fc.constantFrom('text', 'hash') },
  { weight: 2, arbitrary: fc.array(value, { maxLength: 3 }) },
  { weight: 2, arbitrary: options },
  fc.dictionary(text, value, { maxKeys: 3, noNullPrototype: true }),
  fc.array(fc.tuple(value, value), { maxLength: 3 }).map((entries) => new Map(entries)),
  fc.record({ member: value, score: fc.double() }),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.constantFrom(undefined, null, true, Number.NaN),
  text.map((description) => Symbol(description)),
  text.map((body) => () => body),
  text.map((message) => new Error(message)),
)

const words = 'GET SET INCR HSET LPUSH EVAL XADD ZADD RENAME SETEX OBJECT NOSUCHCOMMAND'.split(' ')
const command = fc
  .tuple(fc.oneof(fc.constantFrom(...words), text), fc.array(argument, { maxLength: 4 }))
  .map(([name, args]) => [name, ...args])

const notCalls = new Set(['constructor', 'close', 'native', 'health', 'pipeline', 'transaction'])
const methods = Object.getOwnPropertyNames(Redis.prototype).filter(
  (name) => !notCalls.has(name) && name !== 'adapter' && name !== 'capabilities',
)

type Anything = Record<string, (...args: unknown[]) => unknown>
type Call = (redis: Redis) => unknown

const args = fc.array(argument, { maxLength: 4 })
const step = fc.tuple(fc.constantFrom(...methods), args)

function callOf<T>(
  arbitrary: fc.Arbitrary<T>,
  run: (redis: Redis, input: T) => unknown,
): fc.Arbitrary<Call> {
  return arbitrary.map((input) => (redis: Redis) => run(redis, input))
}

/** What only the server can refuse: well-formed, but of the wrong type, syntax or length. */
const refusable = callOf(
  fc.tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...words) }, text),
    fc.constantFrom('text', 'hash', marker),
    fc.array(fc.oneof({ weight: 9, arbitrary: value }, fc.integer()), { maxLength: 4 }),
  ),
  (redis, [name, key, rest]) => redis.command([name, key, ...rest]),
)
const senseless = callOf(step, (redis, [name, list]) =>
  (redis as unknown as Anything)[name]!(...list),
)
const raw = callOf(fc.tuple(command, options), (redis, [list, more]) =>
  redis.command(list as string[], more),
)
const batch = callOf(
  fc.tuple(fc.boolean(), fc.array(step, { maxLength: 2 }), refusable),
  (redis, [atomic, steps, last]) => {
    const collected = atomic ? redis.transaction() : redis.pipeline()
    for (const [name, list] of steps) (collected as unknown as Anything)[name]?.(...list)
    void last(collected as unknown as Redis)
    return collected.exec()
  },
)
const script = callOf(
  fc.tuple(
    fc.constantFrom(`error('${marker}')`, `${marker} +`, `return redis.call('${marker}')`),
    value,
  ),
  (redis, [body, key]) => redis.eval(body, [key], [key]),
)
const aborted = callOf(fc.tuple(value, text), (redis, [key, reason]) =>
  redis.set(key, key, { signal: AbortSignal.abort(new Error(reason)) }),
)
const call = fc.oneof(
  { weight: 9, arbitrary: refusable },
  { weight: 4, arbitrary: senseless },
  { weight: 2, arbitrary: raw },
  { weight: 3, arbitrary: batch },
  script,
  aborted,
)

// Running them -----------------------------------------------------------------------------------

const seed = 20_261
const sample = <T>(arbitrary: fc.Arbitrary<T>, count: number) =>
  fc.sample(arbitrary, { seed, numRuns: count })

const spoken: unknown[][] = []
for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
  vi.spyOn(console, name).mockImplementation((...items) => void spoken.push(items))
}
const warned = (warning: Error) => void spoken.push([warning])
process.on('warning', warned)
afterAll(() => void process.off('warning', warned))

/** Keeps what is logged, to be looked at once. */
function recorder(): Logger & { readonly records: unknown[] } {
  const records: unknown[] = []
  const write = (...items: unknown[]) => void records.push(items)
  return { records, debug: write, info: write, warn: write, error: write }
}

let inputs = 0
let failures = 0

/** Runs it and looks at its failure, if it fails. What it gives when it does not is the caller's own. */
async function inspectFailure(work: () => unknown, what: () => string): Promise<void> {
  inputs++
  try {
    const result = await work()
    // Of a scan or a subscription, the failure comes with its first step.
    if (typeof result === 'object' && result !== null && 'next' in result) {
      const iterator = result as AsyncIterator<unknown> & { close?(): Promise<void> }
      await (iterator.close === undefined ? iterator.next() : iterator.close())
    }
  } catch (error) {
    failures++
    if (!isInfraError(error)) throw new Error(`${what()}: not an InfraError`, { cause: error })
    expectClean(printed(error), what)
  }
}

async function callAll(driver: RedisDriver, calls: readonly Call[], concurrent = 1): Promise<void> {
  const logger = recorder()
  const redis = new Redis(driver, {
    ...{ logger, logSuccess: true, retry: false, breaker: false },
    timeoutMs: 500,
    tracer: { startSpan: (...items) => ({ end: () => void logger.records.push(items) }) },
  })
  await redis.set('text', marker).catch(() => {})
  await redis.hset('hash', { [marker]: marker }).catch(() => {})
  for (let i = 0; i < calls.length; i += concurrent) {
    await Promise.all(
      calls.slice(i, i + concurrent).map((one, j) =>
        inspectFailure(
          () => one(redis),
          () => `call ${i + j} over ${driver.adapter}`,
        ),
      ),
    )
  }
  await redis.close()
  expect(logger.records.length).toBeGreaterThan(calls.length / 2)
  expectClean(JSON.stringify(logger.records), () => 'the log')
  expectClean(inspect(logger.records, { depth: 10, maxArrayLength: null }), () => 'the log')
}

/** A server that is as talkative as can be: it quotes the command and the token wherever there is room. */
function quoting(): Handler {
  const quotes: ((quoted: string, request: ReceivedRequest) => Handler)[] = [
    (quoted) => answer(400, JSON.stringify({ error: `ERR unknown command, with args: ${quoted}` })),
    (quoted) => answer(400, JSON.stringify({ error: `WRONGTYPE ${quoted}` })),
    (quoted) => answer(400, JSON.stringify({ error: quoted })),
    (quoted) => answer(401, JSON.stringify({ error: `WRONGPASS invalid token ${quoted}` })),
    (quoted) => answer(403, quoted),
    (quoted) => answer(500, `<html>${quoted}</html>`),
    (quoted) => answer(200, `<html>${quoted}</html>`),
    (quoted) => answer(200, JSON.stringify({ [quoted]: quoted })),
    (quoted) => answer(200, JSON.stringify({ result: { [quoted]: quoted } })),
    (quoted) => answer(200, `{"result":"${quoted}`),
    (quoted) => answer(200, JSON.stringify({ error: `ERR syntax error near ${quoted}` })),
    (quoted, { body }) => {
      const count = body.startsWith('[[') ? (JSON.parse(body) as unknown[]).length : 1
      return answer(200, JSON.stringify(Array(count).fill({ error: `ERR ${quoted}` })))
    },
    (quoted) =>
      answer(302, quoted, { location: `http://127.0.0.1:1/${encodeURIComponent(quoted)}` }),
    (quoted) => answer(429, quoted, { 'retry-after': header(quoted) }),
    (quoted) => answer(503, quoted, { 'dualport-error': header(quoted) }),
    () =>
      answer(503, '{}', {
        'dualport-error': `${marker.toUpperCase().replace(/\d/g, '_')};unknown`,
      }),
    (quoted) => answer(200, '{"result":null}', { 'upstash-sync-token': header(quoted) }),
    (quoted) => cutShort(JSON.stringify({ result: quoted })),
    (quoted) => (_, response) => response.socket?.end(`${quoted}\r\n\r\n`),
    (quoted) => (_, response) => response.socket?.end(`HTTP/1.1 599 ${header(quoted)}\r\n\r\n`),
    () => (_, response) => response.socket?.resetAndDestroy(),
  ]
  let next = 0
  return (request, response) => {
    const quoted = `${request.body} ${request.path} ${request.headers.authorization} ${marker}`
    return quotes[next++ % quotes.length]!(quoted, request)(request, response)
  }
}

const header = (quoted: string) => quoted.replace(/[^\x20-\x7e]/g, '').slice(0, 2000)

function answer(status: number, body: string, headers: Record<string, string> = {}): Handler {
  return (_, response) => void response.writeHead(status, headers).end(body)
}

const redisServer = await engine('redis-process')

describe('10,000 inputs', () => {
  afterAll(() => {
    process.off('warning', warned)
    expectClean(inspect(spoken, { depth: 10 }), () => 'the console')
    // Calls that succeed say nothing of errors.
    expect(failures).toBeGreaterThan(5000)
  })

  test('options of the adapters', async () => {
    const settings = fc.oneof(
      { weight: 3, arbitrary: text },
      fc.webUrl().map((url) => url.replace('://', `://${marker}:${marker}@`)),
      text.map((secret) => `redis://${secret}:${secret}@127.0.0.1:1/${secret}`),
      text.map(
        (secret) => `redis://:${encodeURIComponent(secret)}@127.0.0.1/0?${secret}#${secret}`,
      ),
      text.map((secret) => `https://edge.example/?token=${secret}`),
      text.map((secret) => `${secret}://${secret}`),
      bytes,
      fc.integer(),
      fc.constantFrom(undefined, null, {}, []),
    )
    const names =
      'url token fetch maxRequestBytes host port username password db tls cluster maxIdleMs'
    const name = fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...names.split(' ')) }, text)
    const given = fc.dictionary(name, settings, { maxKeys: 4, noNullPrototype: true })
    const makers = [rest, ioredis, upstash] as ((options: never) => RedisDriver)[]
    for (const [i, input] of sample(given, 2500).entries()) {
      const make = makers[i % makers.length]!
      await inspectFailure(
        () => void make(input as never),
        () => `options ${i} of ${make.name}`,
      )
    }
    for (const [i, input] of sample(
      fc.dictionary(fc.constantFrom('timeoutMs', 'retry', 'breaker', 'drainTimeoutMs'), text),
      500,
    ).entries()) {
      await inspectFailure(
        () => void new Redis(memory(), input as never),
        () => `client options ${i}`,
      )
    }
  })

  test('calls over memory', async () => {
    await callAll(memory(), sample(call, 3500))
  })

  test('calls over rest, of a server that quotes all it gets', async () => {
    const server = await serve(quoting())
    const driver = rest({ url: server.url, token: `token-${marker}` })
    // Ones of the same tick share a request.
    await callAll(driver, sample(call, 2000), 3)
    await server.close()
    await callAll(driver, sample(call, 100), 10)
  })

  test('calls over rest, of a fetch and a token that fail with what they know', async () => {
    const failing: typeof fetch = async (input, init) => {
      const knows = `${input} ${JSON.stringify(init)} ${marker}`
      throw new TypeError(knows, {
        cause: Object.assign(new Error(knows), { code: marker, knows }),
      })
    }
    const url = 'http://127.0.0.1:1'
    await callAll(rest({ url, token: marker, fetch: failing }), sample(call, 200), 4)
    const token = () => Promise.reject(Object.assign(new Error(marker), { code: marker }))
    await callAll(rest({ url, token }), sample(call, 100), 4)
    await callAll(rest({ url, token: async () => `${marker} ${marker}` }), sample(call, 100), 4)
  })

  test('calls over @upstash/redis, of a server that quotes all it gets', async () => {
    const server = await serve(quoting())
    const native = new UpstashClient({ url: server.url, token: `token-${marker}` })
    await callAll(upstash(native), sample(call, 1200), 2)
    await server.close()
    await callAll(upstash(native), sample(call, 100), 10)
  })

  test('calls over ioredis, of a real Redis', needs(redisServer), async () => {
    await callAll(ioredis({ url: redisServer.url }), sample(call, 1500), 4)
  })

  test('calls over ioredis that cannot get in', needs(redisServer), async () => {
    const { port } = redisServer
    const url = `${marker}:${marker}@127.0.0.1`
    const keys: IoredisOptions[] = [
      { port, password: marker },
      { port, username: marker, password: marker },
      { port, password: async () => marker },
      { port, password: () => Promise.reject(Object.assign(new Error(marker), { code: marker })) },
      { url: `redis://${url}:${port}/99` },
      { url: `redis://${url}:1` },
      { url: `rediss://${url}:${port}` },
    ]
    await redisServer.command('CONFIG', 'SET', 'requirepass', `right-${marker}`)
    for (const options of keys) await callAll(ioredis(options), sample(call, 60), 20)
    // With commands in flight when the connection is lost.
    const proxy = await startProxy(port)
    for (const mode of ['cut', 'reset', 'garbage'] as const) {
      await proxy.setMode(mode)
      await callAll(ioredis({ port: proxy.port }), sample(call, 60), 4)
    }
    await proxy.close()
  })

  test('there were as many', () => {
    expect(inputs).toBeGreaterThanOrEqual(10_000)
  })
})
