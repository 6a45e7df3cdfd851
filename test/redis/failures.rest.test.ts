import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConsecutiveBreaker } from 'cockatiel'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type RestOptions, rest } from '../../adapters/redis/rest.ts'
import { type ClientOptions, withContext } from '../../src/core/index.ts'
import type { Redis } from '../../src/redis/index.ts'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  type Handler,
  json,
  type ReceivedRequest,
  reset,
  type ScriptedServer,
  serve,
  silence,
  throttled,
} from '../chaos/http.ts'
import { type ChaosProxy, startProxy } from '../chaos/proxy.ts'
import { needs } from '../engines/index.ts'
import { client, failure, freshKey } from './failures.ts'
import { gatewayOverRedis } from './gateway.ts'

const gateway = await gatewayOverRedis()
const timeoutMs = 200
const token = 'token-of-the-tests'

/** A client of a server that answers as told, from the start or once the test says how. */
async function against(
  handler: Handler,
  clientOptions: ClientOptions = {},
  options: Partial<RestOptions> = {},
): Promise<{ server: ScriptedServer; redis: Redis }> {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  return { server, redis: client(rest({ url: server.url, token, ...options }), clientOptions) }
}

/** A client of the gateway whose connections go through a proxy. */
async function through(
  clientOptions: ClientOptions = {},
): Promise<{ proxy: ChaosProxy; redis: Redis }> {
  const url = new URL(gateway.url)
  const proxy = await startProxy(Number(url.port))
  onTestFinished(() => proxy.close())
  url.port = `${proxy.port}`
  return { proxy, redis: client(rest({ url: url.href, token: gateway.token }), clientOptions) }
}

const times = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))

/** A server of the protocol: what it is sent comes back as the reply, its last argument. */
const echo: Handler = ({ path, body }, response) => {
  const commands = JSON.parse(body)
  const result = (args: string[]) => ({ result: Buffer.from(args.at(-1)!).toString('base64') })
  response.end(JSON.stringify(path === '/' ? result(commands) : commands.map(result)))
}
const works = json({ result: 1 })

const page = (status: number): Handler => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' })
    response.end('<!doctype html><title>Welcome to nginx!</title>')
  }
}
const nested = (brackets: number, core = ''): Handler => {
  return (_, response) => {
    response.end(`{"result":${'['.repeat(brackets)}${core}${']'.repeat(brackets)}}`)
  }
}

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of a write. */
  readonly outcome: string
  /** What is told of one INCR, retries included, when there is time enough. Default: 1. */
  readonly requests?: number
}

const cases: Record<string, Case> = {
  'a token that is refused': {
    handler: json({ error: 'Unauthorized' }, 401),
    kind: 'unauthenticated',
    outcome: 'not-applied',
  },
  'a token that may not': {
    handler: json({ error: 'forbidden' }, 403),
    kind: 'forbidden',
    outcome: 'not-applied',
  },
  'a server that accepts and never answers': {
    handler: silence,
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a server that drips': {
    handler: drip('{"result":1}', 100),
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': {
    handler: cutShort('{"result":1}'),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page of some other server': { handler: page(200), kind: 'internal', outcome: 'unknown' },
  'a page that is not there': { handler: page(404), kind: 'config', outcome: 'not-applied' },
  'an empty reply': {
    handler: (_, response) => response.end(),
    kind: 'internal',
    outcome: 'unknown',
  },
  'status 500': {
    handler: json({ error: 'oops' }, 500),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'status 503': { handler: json({}, 503), kind: 'unavailable', outcome: 'unknown' },
  'status 504': { handler: page(504), kind: 'timeout', outcome: 'unknown' },
  'status 413': { handler: page(413), kind: 'invalid', outcome: 'not-applied' },
  'status 429 without a hint': {
    handler: json({ error: 'slow down' }, 429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
  'JSON that is another protocol’s': {
    handler: json({ data: 1 }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a result that is no reply': {
    handler: json({ result: { a: 1 } }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a reply nested without end': { handler: nested(200_000), kind: 'internal', outcome: 'unknown' },
  'a reply nested around a long number': {
    handler: nested(200_000, '12345678901234567890'),
    kind: 'internal',
    outcome: 'unknown',
  },
}

describe('rest against a server that fails', () => {
  describe.each(Object.entries(cases))('%s', (_, { handler, kind, outcome, requests = 1 }) => {
    const expected = { kind, code: `REDIS_${kind.toUpperCase()}` }
    const timeoutMs = kind === 'timeout' ? 200 : 5000

    test('a call', async () => {
      const { server, redis } = await against(handler)
      const call = () => redis.incrBy('n', 1, { timeoutMs })
      expect(await failure(call, timeoutMs)).toMatchObject({ ...expected, outcome })
      expect(server.requests).toHaveLength(requests)
      expect(await failure(() => redis.get('k', { timeoutMs }), timeoutMs)).toMatchObject({
        ...expected,
        outcome: 'not-applied',
      })
      server.handler = works
      expect(await redis.incrBy('n')).toBe(1)
    })

    test('a pipeline, a transaction and a subscription', async () => {
      const { server, redis } = await against(handler, { retry: false })
      const calls = {
        pipeline: () => redis.pipeline().incrBy('n').get('k').exec({ timeoutMs }),
        transaction: () => redis.transaction().incrBy('n').get('k').exec({ timeoutMs }),
      }
      for (const [name, call] of Object.entries(calls)) {
        expect(await failure(call, timeoutMs), name).toMatchObject({ ...expected, outcome })
      }
      expect(server.requests).toHaveLength(2)
      const subscribing = await failure(() => redis.subscribe('c', { timeoutMs }), timeoutMs)
      // A reply with status 200 that ends is a stream that was cut, whatever is in it.
      if (kind !== 'internal') expect(subscribing.kind).toBe(kind)
    })
  })

  test('a server that is down: nothing was sent', async () => {
    const { server, redis } = await against(works)
    await server.close()
    const down = { code: 'REDIS_UNAVAILABLE', outcome: 'not-applied', retryable: true }
    expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject(down)
    expect(await failure(() => redis.get('k'), 1000)).toMatchObject(down)
    expect(await failure(() => redis.transaction().incrBy('n').exec(), 1000)).toMatchObject(down)
    expect(await failure(() => redis.subscribe('c'), 1000)).toMatchObject(down)
  })

  test('a server that drips in time is but slow', async () => {
    const { redis } = await against(drip('{"result":1}', 1))
    expect(await redis.incrBy('n')).toBe(1)
  })

  describe('429 with Retry-After', () => {
    test('the next try waits as long as it says, and not less', async () => {
      const { server, redis } = await against(throttled('1'))
      const arrivals: number[] = []
      server.on('request', () => arrivals.push(performance.now()))
      const reply = redis.incrBy('n')
      await once(server, 'request')
      server.handler = works
      expect(await reply).toBe(1)
      expect(arrivals).toHaveLength(2)
      // A timer may be a fraction of a millisecond early.
      expect(arrivals[1]! - arrivals[0]!).toBeGreaterThan(990)
    })

    test.each([
      ['seconds', () => '60'],
      ['a date', () => new Date(Date.now() + 60_000).toUTCString()],
    ])('in %s: beyond the deadline it fails at once', async (_, hint) => {
      const { server, redis } = await against((request, response) =>
        throttled(hint())(request, response),
      )
      const error = await failure(() => redis.incrBy('n'), 1000)
      expect(error).toMatchObject({
        code: 'REDIS_THROTTLED',
        outcome: 'not-applied',
        retryable: true,
      })
      expect(error.retryAfterMs).toBeGreaterThan(58_000)
      expect(error.retryAfterMs).toBeLessThanOrEqual(60_000)
      expect(server.requests).toHaveLength(1)
    })

    test.each(['', 'soon', '1e9', '99999999999999999999'])('a hint of %j is none', async (hint) => {
      const { server, redis } = await against(throttled(hint))
      expect(await failure(() => redis.incrBy('n'), 2000)).toMatchObject({
        code: 'REDIS_THROTTLED',
        retryAfterMs: undefined,
      })
      expect(server.requests).toHaveLength(3)
    })
  })

  test('a redirect is not followed: the token and the values stay here', async () => {
    const { server: elsewhere } = await against(works)
    for (const status of [301, 302, 303, 307, 308]) {
      const { server, redis } = await against((_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end()
      })
      expect(await failure(() => redis.set('k', 'v'), 1000)).toMatchObject({
        code: 'REDIS_CONFIG',
        outcome: 'not-applied',
      })
      expect(await failure(() => redis.subscribe('c'), 1000)).toMatchObject({
        code: 'REDIS_CONFIG',
      })
      expect(server.requests).toHaveLength(2)
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  describe('the gateway’s own header', () => {
    const failing = (header: string, status = 503): Handler =>
      json({ error: 'ERR it says' }, status, { 'dualport-error': header })
    const items = (header: string): Handler =>
      json([{ result: 1 }, { error: 'ERR it says' }, { error: 'ERR it says' }], 200, {
        'dualport-error': header,
      })

    test('says what became of the whole', async () => {
      const { server, redis } = await against(failing('REDIS_UNAVAILABLE;not-applied;60000'))
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
        code: 'REDIS_UNAVAILABLE',
        outcome: 'not-applied',
        retryAfterMs: 60_000,
      })
      server.handler = failing('REDIS_TIMEOUT;unknown', 504)
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
        code: 'REDIS_TIMEOUT',
        outcome: 'unknown',
      })
    })

    test('says what became of each item', async () => {
      const { redis } = await against(
        items('1=REDIS_UNAVAILABLE;unknown, 2=REDIS_THROTTLED;not-applied;7'),
      )
      const [first, second, third] = await redis
        .pipeline()
        .incrBy('a')
        .incrBy('b')
        .incrBy('c')
        .settle()
      expect(first).toEqual({ status: 'fulfilled', value: 1 })
      expect(second).toMatchObject({
        reason: { code: 'REDIS_UNAVAILABLE', outcome: 'unknown', operation: 'incrby' },
      })
      expect(third).toMatchObject({
        reason: { code: 'REDIS_THROTTLED', outcome: 'not-applied', retryAfterMs: 7 },
      })
    })

    test('of calls that shared a request, each gets its own', async () => {
      const { redis } = await against(items('1-2=REDIS_UNAVAILABLE;unknown'), { retry: false })
      const [first, second, third] = await Promise.allSettled([
        redis.incrBy('a'),
        redis.incrBy('b'),
        redis.get('c'),
      ])
      expect(first).toEqual({ status: 'fulfilled', value: 1 })
      expect(second).toMatchObject({ reason: { code: 'REDIS_UNAVAILABLE', outcome: 'unknown' } })
      expect(third).toMatchObject({ reason: { code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' } })
    })

    test.each([
      'REDIS_TIMEOUT',
      'REDIS_TIMEOUT;maybe',
      ';;;',
      '1=',
      '5-1=REDIS_TIMEOUT;unknown',
      '0-9999999=REDIS_TIMEOUT;unknown',
      `REDIS_TIMEOUT;unknown, ${'x'.repeat(5000)}`,
      '{"code":"REDIS_TIMEOUT"}',
    ])('a malformed one is ignored: %.40s', async (header) => {
      const { server, redis } = await against(failing(header), { retry: false })
      const expected = { code: 'REDIS_UNAVAILABLE', outcome: 'unknown' }
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject(expected)
      server.handler = items(header)
      const settled = await redis.pipeline().incrBy('a').incrBy('b').incrBy('c').settle()
      expect(settled[0]).toEqual({ status: 'fulfilled', value: 1 })
      expect(settled[1]).toMatchObject({
        reason: { code: 'REDIS_INVALID', outcome: 'not-applied' },
      })
    })

    test('a code that this version does not know is internal', async () => {
      const { redis } = await against(failing('REDIS_BEWITCHED;unknown'))
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
        code: 'REDIS_INTERNAL',
        outcome: 'unknown',
      })
    })
  })

  test('a list of replies is no reply to one command', async () => {
    const { redis } = await against(json([{ result: 1 }, { result: 2 }]))
    expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
      code: 'REDIS_INTERNAL',
      outcome: 'unknown',
    })
  })

  test('a reply with too few or too many items is no reply to any of them', async () => {
    const { server, redis } = await against(json([{ result: 1 }]))
    for (const items of [
      [],
      [{ result: 1 }],
      times(3, () => ({ result: 1 })),
      { result: 1 },
      7,
      null,
    ]) {
      server.handler = json(items)
      expect(
        await failure(() => redis.pipeline().incrBy('a').incrBy('b').exec(), 1000),
      ).toMatchObject({
        code: 'REDIS_INTERNAL',
        outcome: 'unknown',
      })
    }
  })

  describe('an outage', () => {
    test('is not multiplied: 3 retries, or a fifth of the calls', async () => {
      const { server, redis } = await against(badGateway, {
        breaker: false,
        retry: { retries: 5, baseMs: 1, maxMs: 2 },
      })
      for (let i = 0; i < 25; i++) await failure(() => redis.get('k'), 1000)
      expect(server.requests).toHaveLength(25 + 5)
    })

    test('opens the circuit; one call probes, and closes it when the server is back', async () => {
      const { server, redis } = await against(badGateway, {
        retry: false,
        breaker: { breaker: new ConsecutiveBreaker(3), halfOpenAfterMs: 300, maxOpenMs: 300 },
      })
      const open = { code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' }
      const refused = await vi.waitFor(
        async () => {
          const error = await failure(() => redis.incrBy('n'), 1000)
          expect(error).toMatchObject({ ...open, retryAfterMs: expect.any(Number) })
          return error
        },
        { interval: 20 },
      )
      const { length } = server.requests
      await Promise.all(times(5, () => failure(() => redis.incrBy('n'), 0)))
      expect(server.requests).toHaveLength(length)
      await failure(() => redis.health(), 1000)
      expect(server.requests).toHaveLength(length + 1)

      let answer: () => void = () => {}
      server.handler = (request, response) => {
        answer = () => works(request, response)
      }
      // A timer may be a millisecond early.
      await sleep(refused.retryAfterMs! + 2)
      const probed = once(server, 'request')
      const probe = redis.incrBy('n')
      expect(await failure(() => redis.incrBy('n'), 0)).toMatchObject(open)
      await probed
      server.handler = works
      answer()
      expect(await probe).toBe(1)
      expect(await redis.incrBy('n')).toBe(1)
      expect(server.requests).toHaveLength(length + 3)
    })
  })
})

describe('requests of rest', () => {
  const commands = ({ body }: ReceivedRequest) => JSON.parse(body) as string[][]

  test('50 commands of one tick are one request, in the order of the calls', async () => {
    const { server, redis } = await against(echo)
    const replies = times(50, (i) => redis.command(['ECHO', `${i}`]))
    expect(await Promise.all(replies)).toEqual(times(50, String))
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]!.path).toBe('/pipeline')
    expect(commands(server.requests[0]!).map((args) => args[1])).toEqual(times(50, String))
  })

  test('a transaction in between goes alone, and the order holds', async () => {
    const { server, redis } = await against(echo)
    const done: string[] = []
    const note = (name: string) => () => void done.push(name)
    await Promise.all([
      redis.command(['ECHO', '1']).then(note('1')),
      redis.pipeline().command(['ECHO', '2']).command(['ECHO', '3']).exec().then(note('2 and 3')),
      redis.transaction().command(['ECHO', '4']).exec().then(note('4')),
      redis.command(['ECHO', '5']).then(note('5')),
    ])
    expect(done).toEqual(['1', '2 and 3', '4', '5'])
    expect(server.requests.map(({ path, body }) => [path, body.match(/\d/g)?.join('')])).toEqual([
      ['/pipeline', '123'],
      ['/multi-exec', '4'],
      ['/', '5'],
    ])
  })

  test('when no caller waits any more, the request is aborted', async () => {
    const { server, redis } = await against(silence)
    const abort = new AbortController()
    const calls = [
      failure(() => redis.incrBy('a', 1, { signal: abort.signal }), 1000),
      failure(() => redis.pipeline().incrBy('b').incrBy('c').exec({ timeoutMs }), timeoutMs),
    ]
    const abandoned = once(server, 'abandoned')
    await once(server, 'request')
    abort.abort()
    const [aborted, late] = await Promise.all(calls)
    expect(aborted).toMatchObject({ code: 'REDIS_ABORTED', outcome: 'unknown' })
    expect(late).toMatchObject({ code: 'REDIS_TIMEOUT', outcome: 'unknown' })
    await abandoned
  })

  test('while one caller waits, the request goes on', async () => {
    const { server, redis } = await against(silence)
    let abandoned = 0
    server.on('abandoned', () => abandoned++)
    let answer: () => void = () => {}
    server.handler = (request, response) => {
      answer = () => echo(request, response)
    }
    const abort = new AbortController()
    const aborted = failure(() => redis.incrBy('a', 1, { signal: abort.signal }), 1000)
    const lasting = redis.command(['ECHO', 'here'])
    await once(server, 'request')
    abort.abort()
    await aborted
    answer()
    expect(await lasting).toBe('here')
    expect(abandoned).toBe(0)
  })

  test('what was aborted in the tick of its call is not in the request', async () => {
    const { server, redis } = await against(echo)
    const abort = new AbortController()
    const gone = failure(() => redis.set('gone', 'v', { signal: abort.signal }), 1000)
    const stays = redis.command(['ECHO', 'here'])
    abort.abort()
    expect(await gone).toMatchObject({ code: 'REDIS_ABORTED', outcome: 'not-applied' })
    expect(await stays).toBe('here')
    expect(server.requests.map(({ body }) => body)).toEqual(['["ECHO","here"]'])
  })

  test('the time that is left, the correlation ID and the trace travel along', async () => {
    const { server, redis } = await against(works)
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await withContext({ correlationId: 'req-1', traceparent }, () =>
      redis.incrBy('n', 1, { timeoutMs: 700 }),
    )
    const { headers } = server.requests[0]!
    expect(headers).toMatchObject({ 'x-correlation-id': 'req-1', traceparent })
    expect(Number(headers['dualport-timeout-ms'])).toBeGreaterThan(0)
    expect(Number(headers['dualport-timeout-ms'])).toBeLessThanOrEqual(700)
  })

  describe('a token that is a function', () => {
    const guarded = (valid: () => string): Handler => {
      return (request, response) =>
        (request.headers.authorization === `Bearer ${valid()}`
          ? works
          : json({ error: 'Unauthorized' }, 401))(request, response)
    }

    test('is asked before the first request, and no more', async () => {
      let asked = 0
      const { server, redis } = await against(
        guarded(() => 'token-1'),
        {},
        {
          token: async () => {
            asked++
            return 'token-1'
          },
        },
      )
      expect(asked).toBe(0)
      for (let i = 0; i < 3; i++) expect(await redis.incrBy('n')).toBe(1)
      expect([asked, server.requests.length]).toEqual([1, 3])
    })

    test('is asked once more when its answer was refused', async () => {
      let valid = 'token-1'
      const given: string[] = []
      const { server, redis } = await against(
        guarded(() => valid),
        {},
        {
          token: () => {
            given.push(valid)
            return valid
          },
        },
      )
      expect(await redis.incrBy('n')).toBe(1)
      valid = 'token-2'
      expect(await redis.incrBy('n')).toBe(1)
      expect(given).toEqual(['token-1', 'token-2'])
      expect(server.requests).toHaveLength(3)
    })

    test('that stays wrong is a failure, after one more try', async () => {
      let asked = 0
      const { server, redis } = await against(
        guarded(() => 'right'),
        {},
        {
          token: () => `wrong-${asked++}`,
        },
      )
      const refused = { code: 'REDIS_UNAUTHENTICATED', outcome: 'not-applied' }
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject(refused)
      expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject(refused)
      expect(server.requests.length).toBeLessThanOrEqual(4)
    })

    test('that rejects, or never resolves, is a failure in time, and nothing is sent', async () => {
      const { server, redis } = await against(
        works,
        {},
        {
          token: () => Promise.reject(new Error('the vault is shut: secret-1')),
        },
      )
      const error = await failure(() => redis.incrBy('n'), 1000)
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' })
      expect(error.message).toBe('redis incrby: the token function failed')
      const { redis: other } = await against(works, {}, { token: () => new Promise(() => {}) })
      expect(await failure(() => other.incrBy('n', 1, { timeoutMs }), timeoutMs)).toMatchObject({
        code: 'REDIS_TIMEOUT',
        outcome: 'not-applied',
      })
      expect(server.requests).toHaveLength(0)
    })

    test('while it is awaited: who gives up is not in the request', async () => {
      let give: (token: string) => void = () => {}
      const { server, redis } = await against(
        echo,
        {},
        {
          token: () =>
            new Promise<string>((resolve) => {
              give = resolve
            }),
        },
      )
      const gone = failure(() => redis.set('gone', 'v', { timeoutMs }), timeoutMs)
      const stays = redis.command(['ECHO', 'here'])
      expect(await gone).toMatchObject({ code: 'REDIS_TIMEOUT', outcome: 'not-applied' })
      give('token-1')
      expect(await stays).toBe('here')
      expect(server.requests.map(({ body }) => body).join()).not.toContain('gone')
    })
  })
})

describe('rest and the gateway over a real Redis', needs(gateway), () => {
  const direct =
    gateway.missing === undefined ? rest({ url: gateway.url, token: gateway.token }) : undefined!

  test('a transaction among other calls of one tick sees those before it, and those after see it', async () => {
    const redis = client(direct)
    const key = freshKey()
    const [, seen, after] = await Promise.all([
      redis.set(key, 1),
      redis.transaction().incrBy(key).get(key).exec(),
      redis.incrBy(key),
    ])
    expect([seen, after]).toEqual([[2, '2'], 3])
  })

  test('a read whose connection is cut is repeated, and nobody notices', async () => {
    const { proxy, redis } = await through()
    const key = freshKey()
    await redis.set(key, 'v')
    await proxy.setMode('cut')
    let cuts = 0
    proxy.once('reply', () => {
      cuts++
      setImmediate(() => void proxy.setMode('pass'))
    })
    expect(await redis.get(key)).toBe('v')
    expect(cuts).toBe(1)
  })

  test.each([
    'cut',
    'reset',
  ] as const)('50 writes on a connection that is %s: none is sent twice', async (mode) => {
    const { proxy, redis } = await through()
    const keys = times(50, freshKey)
    await redis.health()
    await proxy.setMode(mode)
    const errors = await Promise.all(keys.map((key) => failure(() => redis.incrBy(key), 1000)))
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
    }
    await proxy.setMode('pass')
    expect(await redis.mget(keys)).toEqual(keys.map(() => (mode === 'cut' ? '1' : null)))
  })

  test('calls in flight settle when their connection is cut, long before their deadline', async () => {
    const { proxy, redis } = await through({ retry: false })
    await proxy.setMode('blackhole')
    const sent = once(proxy, 'request')
    const write = failure(() => redis.incrBy(freshKey()), 1000)
    const read = failure(() => redis.get(freshKey()), 1000)
    await sent
    proxy.disconnect('rst')
    expect(await write).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
    expect(await read).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'not-applied' })
  })

  test.each([
    'fin',
    'rst',
  ] as const)('a subscription that is cut (%s) ends with an error', async (how) => {
    const { proxy, redis } = await through()
    const channel = freshKey()
    const subscription = await redis.subscribe(channel)
    await client(direct).publish(channel, 'before')
    expect((await subscription.next()).value?.message).toBe('before')
    const lost = failure(() => subscription.next(), 1000)
    proxy.disconnect(how)
    expect(await lost).toMatchObject({ code: 'REDIS_UNAVAILABLE', operation: 'subscribe' })
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
    await using again = await redis.subscribe(channel)
    await redis.publish(channel, 'after')
    expect((await again.next()).value?.message).toBe('after')
  })

  test('close waits for the calls in flight, and ends what has no end', async () => {
    const { proxy, redis } = await through({ drainTimeoutMs: 5000 })
    const key = freshKey()
    const subscription = await redis.subscribe(key)
    const ended = failure(() => subscription.next(), 2000)
    await proxy.setMode({ delayMs: 50 })
    const writes = times(20, () => redis.incrBy(key))
    const closing = redis.close()
    expect(await failure(() => redis.incrBy(key), 0)).toMatchObject({
      code: 'REDIS_CLOSED',
      outcome: 'not-applied',
    })
    expect((await Promise.all(writes)).at(-1)).toBe(20)
    await closing
    expect(await ended).toMatchObject({ kind: 'closed' })
  })
})
