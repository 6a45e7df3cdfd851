import { once } from 'node:events'
import { Redis as UpstashClient } from '@upstash/redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { upstash } from '../../adapters/redis/upstash.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import type { Redis } from '../../src/redis/index.ts'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  type Handler,
  json,
  reset,
  type ScriptedServer,
  serve,
  silence,
  throttled,
} from '../chaos/http.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { startGateway, token } from '../gateway/gateway.ts'
import { client, failure, freshKey } from './failures.ts'

const server = await engine('redis-process')
/** Over a client of @upstash/redis with its defaults, retries included. */
async function against(
  handler: Handler,
  options: ClientOptions = {},
): Promise<{ server: ScriptedServer; redis: Redis }> {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  return { server, redis: client(upstash(new UpstashClient({ url: server.url, token })), options) }
}

const times = <T>(count: number, make: (i: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i))

/** A server of the protocol: what it is sent comes back as the reply, its last argument. */
const echo: Handler = ({ body }, response) => {
  const result = (args: string[]) => ({ result: args.at(-1) })
  response.end(JSON.stringify(JSON.parse(body).map(result)))
}
const works = json([{ result: 1 }])
const nested = (brackets: number): Handler => {
  return (_, response) => {
    response.end(`[{"result":${'['.repeat(brackets)}${']'.repeat(brackets)}}]`)
  }
}

/** The SDK hides the status: what it means must be guessed from the text, and for the worse. */
const cases: Record<string, readonly [handler: Handler, kind: string, outcome: string]> = {
  'a token that is refused': [
    json({ error: 'Unauthorized' }, 401),
    'unauthenticated',
    'not-applied',
  ],
  'a server that accepts and never answers': [silence, 'timeout', 'unknown'],
  'a server that drips': [drip('[{"result":1}]', 100), 'timeout', 'unknown'],
  'a reset before the reply': [reset, 'unavailable', 'unknown'],
  'a reply that is garbage': [garbage, 'internal', 'unknown'],
  'a reply that is cut short': [cutShort('[{"result":1}]'), 'unavailable', 'unknown'],
  'the error page of a proxy': [badGateway, 'internal', 'unknown'],
  'an empty reply': [(_, response) => response.end(), 'internal', 'unknown'],
  'status 429': [throttled('60'), 'unavailable', 'unknown'],
  'status 500': [json({ error: 'oops' }, 500), 'unavailable', 'unknown'],
  'status 503 without a word': [json({}, 503), 'unavailable', 'unknown'],
  'the request limit of the hosted service': [
    json({ error: 'ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.' }, 400),
    'throttled',
    'not-applied',
  ],
  'JSON that is another protocol’s': [json({ data: 1 }), 'internal', 'unknown'],
  'a result that is no reply': [json([{ result: { a: 1 } }]), 'internal', 'unknown'],
  'no item': [json([null]), 'internal', 'unknown'],
  'no result': [json([{}]), 'internal', 'unknown'],
  'too few replies': [json([]), 'internal', 'unknown'],
  'too many replies': [json(times(3, () => ({ result: 1 }))), 'internal', 'unknown'],
  'no list of replies': [json({ result: 1 }), 'internal', 'unknown'],
  'a reply nested without end': [nested(200_000), 'internal', 'unknown'],
}

describe('upstash against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, [handler, kind, outcome]) => {
    const { server, redis } = await against(handler, { retry: false })
    const expected = { kind, code: `REDIS_${kind.toUpperCase()}` }
    const timeoutMs = kind === 'timeout' ? 200 : 5000
    const calls = {
      call: () => redis.incrBy('n', 1, { timeoutMs }),
      pipeline: () => redis.pipeline().incrBy('n').exec({ timeoutMs }),
      transaction: () => redis.transaction().incrBy('n').exec({ timeoutMs }),
    }
    for (const [name, call] of Object.entries(calls)) {
      expect(await failure(call, timeoutMs), name).toMatchObject({ ...expected, outcome })
    }
    // Nor does the SDK send anything twice.
    expect(server.requests).toHaveLength(3)
    const read = () => redis.get('k', { timeoutMs })
    expect(await failure(read, timeoutMs)).toMatchObject({ ...expected, outcome: 'not-applied' })
    server.handler = works
    expect(await redis.incrBy('n')).toBe(1)
  })

  test('a server that is down: nothing was sent', async () => {
    const { server, redis } = await against(works)
    await server.close()
    expect(await failure(() => redis.incrBy('n'), 1000)).toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      outcome: 'not-applied',
    })
  })

  test('a write is sent once, a read again', async () => {
    const { server, redis } = await against(reset)
    await failure(() => redis.incrBy('n'), 1000)
    expect(server.requests).toHaveLength(1)
    await failure(() => redis.get('n'), 1000)
    expect(server.requests).toHaveLength(1 + 3)
  })

  test('an outage is not multiplied: 3 retries, or a fifth of the calls', async () => {
    const { server, redis } = await against(reset, {
      breaker: false,
      retry: { retries: 5, baseMs: 1, maxMs: 2 },
    })
    for (let i = 0; i < 25; i++) await failure(() => redis.get('k'), 1000)
    expect(server.requests).toHaveLength(25 + 5)
  })

  test('50 commands of one tick are one request, in the order of the calls', async () => {
    const { server, redis } = await against(echo)
    const replies = times(50, (i) => redis.command(['ECHO', `${i}`]))
    expect(await Promise.all(replies)).toEqual(times(50, String))
    expect(server.requests.map(({ path }) => path)).toEqual(['/pipeline'])
  })

  test('when no caller waits any more, the request is aborted', async () => {
    const { server, redis } = await against(silence)
    const abort = new AbortController()
    const call = failure(() => redis.incrBy('a', 1, { signal: abort.signal }), 1000)
    const abandoned = once(server, 'abandoned')
    await once(server, 'request')
    abort.abort()
    expect(await call).toMatchObject({ code: 'REDIS_ABORTED', outcome: 'unknown' })
    await abandoned
  })

  test('after close it is left as it was: yours', async () => {
    const { redis } = await against(json([{ result: 'UE9ORw==' }]))
    const own = (await redis.native()) as UpstashClient
    await redis.close()
    expect(await failure(() => redis.health(), 0)).toMatchObject({ code: 'REDIS_CLOSED' })
    expect(await own.ping()).toBe('PONG')
  })
})

describe('upstash and the gateway over a Redis that fails', needs(server), () => {
  test.each([
    'cut',
    'reset',
  ] as const)('a %s at the engine: unknown, and applied at most once', async (mode) => {
    const proxy = await startProxy(server.port)
    const gateway = await startGateway(`redis://127.0.0.1:${proxy.port}`)
    onTestFinished(async () => {
      await gateway.close()
      await proxy.close()
    })
    const redis = client(upstash(new UpstashClient({ url: `${gateway.url}/redis`, token })))
    const keys = times(20, freshKey)
    await redis.health()
    await proxy.setMode(mode)
    const errors = await Promise.all(keys.map((key) => failure(() => redis.incrBy(key), 1000)))
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', outcome: 'unknown' })
    }
    await proxy.setMode('pass')
    expect(await redis.mget(keys)).toEqual(keys.map(() => (mode === 'cut' ? '1' : null)))
  })
})
