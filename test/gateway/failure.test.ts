import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { memory } from '../../adapters/redis/memory.ts'
import { DriverFailure } from '../../src/core/index.ts'
import { parseFailures } from '../../src/core/wire.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { Redis } from '../../src/redis/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { freshKey, startGateway, type TestGateway, token } from './gateway.ts'

const server = await engine('redis-process')
const megabyte = Buffer.alloc(1_000_000, 'x')

/** In every key, value, token and ID that these tests send: it must not turn up in a log. */
const secret = 'tell-nobody'

describe('bad input', needs(server), async () => {
  if (server.missing !== undefined) return
  const gateway = await startGateway(server.url)
  const { request, run, port, log } = gateway
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    request(path, { method: 'POST', body, headers })

  afterEach(async () => {
    expect(await run(['PING'])).toEqual({ result: 'PONG' })
  })
  afterAll(() => {
    const text = JSON.stringify(log)
    expect(text).not.toContain(secret)
    expect(text).not.toContain(token)
  })

  const refused = async (path: string, body: string | Buffer) => {
    const response = await post(path, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR /) })
    expect(response.headers.get('dualport-error')).toBe('REDIS_INVALID;not-applied')
  }

  test.each([
    ['nothing', ''],
    ['not JSON', `["GET","${secret}`],
    ['an object', `{"__proto__":{"a":1},"${secret}":1}`],
    ['a string', `"${secret}"`],
    ['null', 'null'],
    ['an empty list', '[]'],
    ['not UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])],
    ['UTF-16', Buffer.from('["PING"]', 'utf16le')],
  ])('a body that is %s: 400', async (_, body) => {
    for (const path of ['/redis', '/redis/pipeline', '/redis/multi-exec']) await refused(path, body)
  })

  test.each([
    ['an object for a name', `[{"${secret}":1}]`],
    ['an empty name', '[""]'],
    ['a name that is none', `["${secret} ${secret}"]`],
    ['null', '["GET",null]'],
    ['a list', `["GET",["${secret}"]]`],
    ['an object', '["GET",{"__proto__":{"a":1}}]'],
    ['a number that is none', '["SET","k",1e999]'],
    ['half a surrogate pair', '["GET","\\ud800"]'],
  ])('a command with %s: 400, or in a pipeline an error in its place', async (_, command) => {
    await refused('/redis', command)
    await refused('/redis/multi-exec', `[["PING"],${command}]`)
    const response = await post('/redis/pipeline', `[["PING"],${command},["PING"]]`)
    expect(await response.json()).toEqual([
      { result: 'PONG' },
      { error: expect.stringMatching(/^ERR /) },
      { result: 'PONG' },
    ])
    expect(response.headers.get('dualport-error')).toBe('1=REDIS_INVALID;not-applied')
  })

  test.each([
    ['open', '['.repeat(5_000_000)],
    ['closed', '['.repeat(2_000_000) + ']'.repeat(2_000_000)],
    ['with long numbers', `${'['.repeat(500_000)}12345678901234567890${']'.repeat(500_000)}`],
    ['of objects', `[${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}]`],
    [
      'as arguments of an envelope',
      `["EVAL","x","0",${'['.repeat(900_000)}${']'.repeat(900_000)}]`,
    ],
  ])('brackets without end, %s: 400', async (_, body) => {
    expect((await post('/redis', body)).status).toBe(400)
  })

  test('a path that is not UTF-8: 400', async () => {
    expect((await request('/redis/get/%ff')).status).toBe(400)
    expect((await request('/redis/get/%zz')).status).toBe(400)
  })

  test('a million commands: 413', async () => {
    const response = await post('/redis/pipeline', `[${'["PING"],'.repeat(999_999)}["PING"]]`)
    expect(response.status).toBe(413)
    expect(await response.json()).toEqual({ error: 'ERR there are more than 10000 commands' })
  })

  test('a million arguments are the engine’s to judge', async () => {
    const response = await post('/redis', `["EXISTS"${',"k"'.repeat(1_000_000)}]`)
    expect(await response.json()).toEqual({ result: 0 })
  })

  test.each([
    ['announced', { 'content-length': String(100 * megabyte.length) }],
    ['chunk by chunk', {}],
  ])('a body of 100 MB, %s: 413, and it is not read', async (_, headers) => {
    const client = httpRequest({
      ...{ port, path: '/redis', method: 'POST' },
      headers: { authorization: `Bearer ${token}`, ...headers },
    })
    const response = once(client, 'response') as Promise<[IncomingMessage]>
    // The gateway hangs up at some time, which is an error for who still writes.
    const written = finished(Readable.from(Array(100).fill(megabyte)).pipe(client)).catch(() => {})
    const [{ statusCode }] = await response
    expect(statusCode).toBe(413)
    client.destroy()
    await written
  })

  test('a body that stops half-way: 408', async () => {
    const slow = await startGateway(server.url, { limits: { bodyTimeoutMs: 50 } })
    const reply = await raw(slow, 'content-length: 100\r\n\r\n["GET","')
    expect(reply).toMatch(/^HTTP\/1.1 408 /)
    expect(reply).toContain('dualport-error: REDIS_TIMEOUT;not-applied')
    expect(await slow.run(['PING'])).toEqual({ result: 'PONG' })
    // The client's own time may be shorter.
    const hurried = 'dualport-timeout-ms: 50\r\ncontent-length: 100\r\n\r\n["GET","'
    expect(await raw(gateway, hurried)).toMatch(/^HTTP\/1.1 408 /)
  })

  test('a client that goes in the middle of its body', async () => {
    const socket = await open(gateway)
    socket.write(`${head}content-length: 100\r\n\r\n["GET","`)
    socket.destroy()
  })

  test.each([
    ['x-correlation-id', 'has spaces in it'],
    ['x-correlation-id', 'x'.repeat(129)],
    ['x-correlation-id', 'caf\u00e9'],
    ['x-correlation-id', ''],
    ['dualport-timeout-ms', 'soon'],
    ['dualport-timeout-ms', '-1'],
    ['dualport-timeout-ms', '1e3'],
    ['dualport-timeout-ms', '99999999999'],
  ])('%s: "%s" is a 400 and is not echoed', async (name, value) => {
    const response = await post('/redis', '["PING"]', { [name]: value })
    expect(response.status).toBe(400)
    expect(response.headers.get(name)).toBeNull()
    expect(log.at(-1)).not.toHaveProperty('correlationId', value)
  })

  test('control characters in a header end at the HTTP parser', async () => {
    for (const value of ['a\rb: c', 'a\u0000b', 'a\u0001b']) {
      const reply = await raw(gateway, `x-correlation-id: ${value}\r\n\r\n`)
      expect(reply).toMatch(/^HTTP\/1.1 400 /)
    }
  })

  test('a correlation ID comes back, and is in the log', async () => {
    const response = await post('/redis', '["INCR","a"', { 'x-correlation-id': 'id-7' })
    expect(response.headers.get('x-correlation-id')).toBe('id-7')
    expect(log.at(-1)).toMatchObject({ correlationId: 'id-7', status: 400, component: 'gateway' })
    const key = freshKey()
    await post('/redis', `["LPUSH","${key}","x"]`)
    await post('/redis', `["GET","${key}"]`, { 'x-correlation-id': 'id-8' })
    expect(log.at(-1)).toMatchObject({ correlationId: 'id-8', code: 'REDIS_INVALID' })
  })

  test('what failed is told in a header that no client refuses', async () => {
    const key = freshKey()
    await run(['SET', key, 'v'])
    const commands = Array.from({ length: 5000 }, () => [
      ['LPUSH', key, 'x'],
      ['GET', key],
    ]).flat()
    const response = await post('/redis/pipeline', JSON.stringify(commands))
    expect(response.status).toBe(200)
    const errors = (await response.json()) as { error?: string }[]
    expect(errors.filter(({ error }) => error?.startsWith('WRONGTYPE'))).toHaveLength(5000)
    // None of them may have been applied, and each says itself what is wrong.
    expect(response.headers.get('dualport-error')).toBeNull()
  })

  test('keys and values that are refused by the engine are not in the log', async () => {
    await run(['SET', secret, secret])
    await run(['LPUSH', secret, secret])
    await run(
      [
        ['INCR', secret],
        ['NOSUCH', secret],
        ['EVAL', `error('${secret}')`, 0],
      ],
      '/pipeline',
    )
    await request(`/redis/nosuch/${secret}?_token=${secret}`)
    await request(`/redis/get/${secret}`, { headers: { authorization: `Bearer ${secret}` } })
    await run(['DEL', secret])
  })
})

describe('an engine that fails', needs(server), async () => {
  if (server.missing !== undefined) return
  const proxy = await startProxy(server.port)
  afterAll(() => proxy.close())
  const gateway = await startGateway(`redis://127.0.0.1:${proxy.port}`)
  const { request, run, log } = gateway
  const incr = (key: string, headers: Record<string, string> = {}) =>
    request('/redis', { method: 'POST', body: JSON.stringify(['INCR', key]), headers })

  afterEach(async () => {
    await proxy.setMode('pass')
    await vi.waitFor(async () => expect(await run(['PING'])).toEqual({ result: 'PONG' }), 10_000)
  })

  test('silence until the client’s time is over: 504, and the write may have been applied', async () => {
    await run(['PING'])
    await proxy.setMode('blackhole')
    const response = await incr(freshKey(), { 'dualport-timeout-ms': '100' })
    expect(response.status).toBe(504)
    expect(response.headers.get('dualport-error')).toBe('REDIS_TIMEOUT;unknown')
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR .*100 ms/) })
  })

  test('a connection cut before the reply: 503, and the write may have been applied', async () => {
    await run(['PING'])
    await proxy.setMode('cut')
    const response = await incr(freshKey())
    expect(response.status).toBe(503)
    expect(response.headers.get('dualport-error')).toBe('REDIS_UNAVAILABLE;unknown')
  })

  test('nobody listens: 503, and it was not applied; then the circuit says when to come back', async () => {
    const key = freshKey()
    await proxy.setMode('refuse')
    const response = await incr(key)
    expect(response.status).toBe(503)
    expect(response.headers.get('dualport-error')).toBe('REDIS_UNAVAILABLE;not-applied')
    await vi.waitFor(async () => {
      await Promise.all(Array.from({ length: 20 }, () => incr(key)))
      const { headers } = await incr(key)
      expect(headers.get('retry-after')).toBe('1')
      expect(headers.get('dualport-error')).toMatch(/^REDIS_UNAVAILABLE;not-applied;\d+$/)
    }, 10_000)
    await proxy.setMode('pass')
    expect(await server.command('GET', key)).toBeNull()
  })

  test('a client that goes in the middle of a command: the work stops', async () => {
    const leaving = new AbortController()
    await run(['PING'])
    await proxy.setMode('blackhole')
    const sent = once(proxy, 'request')
    const gone = request('/redis/get/k', {
      signal: leaving.signal,
      headers: { 'x-correlation-id': 'leaving' },
    })
    await sent
    leaving.abort()
    await expect(gone).rejects.toThrow()
    await vi.waitFor(() => {
      expect(log).toContainEqual(
        expect.objectContaining({ correlationId: 'leaving', code: 'REDIS_ABORTED' }),
      )
    })
  })

  test('a paused engine holds up its own callers only until they go', async () => {
    const leaving = new AbortController()
    server.pause()
    const calls = Array.from({ length: 20 }, (_, i) =>
      request('/redis', {
        ...{ method: 'POST', body: JSON.stringify(['INCR', 'paused']), signal: leaving.signal },
        headers: { 'x-correlation-id': `paused-${i}` },
      }),
    )
    const late = await incr('paused', { 'dualport-timeout-ms': '50' })
    expect(late.headers.get('dualport-error')).toBe('REDIS_TIMEOUT;unknown')
    leaving.abort()
    await Promise.allSettled(calls)
    server.resume()
  })
})

describe('a pipeline that is cut half-way', () => {
  /** As over a connection that broke: the replies of every second command never came. */
  const driver = memory()
  const batch = driver.batch.bind(driver)
  driver.batch = async (...args) =>
    (await batch(...args)).map((reply, i) =>
      i % 2 === 0 ? reply : new DriverFailure({ kind: 'unavailable' }),
    )
  const { fetch } = createGateway({ token, redis: new Redis(driver), logger: false })
  const run = async (commands: string[][]) => {
    const body = JSON.stringify(commands)
    const request = new Request(`http://gateway/redis/pipeline?_token=${token}`, {
      method: 'POST',
      body,
    })
    return fetch(request)
  }

  test('every item has an outcome of its own', async () => {
    const response = await run([
      ['INCR', 'a'],
      ['SELECT', '1'],
      ['INCR', 'b'],
      ['INCR', 'c'],
      ['GET', 'd'],
    ])
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual([
      { result: 1 },
      { error: expect.stringMatching(/^ERR /) },
      { error: expect.stringMatching(/^ERR .* may have been applied/) },
      { result: 1 },
      { error: expect.stringMatching(/^ERR /) },
    ])
    expect(response.headers.get('dualport-error')).toBe(
      '1=REDIS_UNSUPPORTED;not-applied, 2=REDIS_UNAVAILABLE;unknown, 4=REDIS_UNAVAILABLE;not-applied',
    )
  })

  test('of very many, none that may have been applied is told as not applied', async () => {
    const response = await run(Array.from({ length: 9000 }, () => ['INCR', 'a']))
    const header = response.headers.get('dualport-error')!
    expect(header.length).toBeLessThan(8192)
    const { items } = parseFailures(header)!
    const results = (await response.json()) as { error?: string }[]
    for (const [i, { error }] of results.entries()) {
      if (error !== undefined) expect(items.get(i)?.outcome).toBe('unknown')
    }
  })
})

describe('what cannot be configured', () => {
  const redis = new Redis(memory(), { logger: false })
  test.each<[string, Partial<GatewayOptions>]>([
    ['no token', { token: '' }],
    ['a token with a space', { token: `${secret} ${secret}` }],
    ['a token with a line break', { token: `${secret}\n` }],
    ['a token that is not ASCII', { token: `${secret}ü` }],
    ['a bad read-only token', { readOnlyToken: '' }],
    ['one token for both', { readOnlyToken: token }],
    ['a limit of 0', { limits: { bodyBytes: 0 } }],
    ['a limit that is no number', { limits: { commands: Number.NaN } }],
    ['a limit of another name', { limits: { bodies: 1 } as never }],
    ['a keep-alive that comes too late', { limits: { keepAliveMs: 60_000 } }],
  ])('%s', (_, options) => {
    let error: unknown
    try {
      createGateway({ token, redis, ...options })
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'GATEWAY_CONFIG', kind: 'config' })
    expect(String(error)).not.toContain(secret)
  })

  test('without a backend, its path is not there', async () => {
    const { fetch } = createGateway({ token, logger: false })
    const headers = { authorization: `Bearer ${token}` }
    expect((await fetch(new Request('http://gateway/redis/ping', { headers }))).status).toBe(404)
  })

  test('it needs no server of its own', async () => {
    const { fetch } = createGateway({ token, redis, logger: false })
    const response = await fetch(
      new Request(`http://gateway/redis?_token=${token}`, {
        method: 'POST',
        body: new Blob(['["ECHO","', 'hello"]']).stream(),
        duplex: 'half',
      } as RequestInit),
    )
    expect(await response.json()).toEqual({ result: 'hello' })
  })
})

const head = `POST /redis HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${token}\r\n`

async function open({ port }: TestGateway): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** What the server says to these bytes, which follow the request line and the token, until it hangs up. */
async function raw(gateway: TestGateway, bytes: string): Promise<string> {
  const socket = await open(gateway)
  socket.write(Buffer.from(head + bytes, 'latin1'))
  return text(socket)
}
