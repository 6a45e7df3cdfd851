import { describe, expect, test } from 'vitest'
import { seal } from '../../src/redis/envelope.ts'
import { engine, needs } from '../engines/index.ts'
import { freshKey, readOnlyToken, startGateway, token } from './gateway.ts'

const server = await engine('redis')

describe('the Redis REST protocol', needs(server), async () => {
  if (server.missing !== undefined) return
  const { request, run } = await startGateway(server.url)
  const read = { authorization: `Bearer ${readOnlyToken}` }
  const base64 = { 'upstash-encoding': 'base64' }

  describe('commands', () => {
    test('one command in the body', async () => {
      const key = freshKey()
      expect(await run(['SET', key, 'v', 'EX', 100])).toEqual({ result: 'OK' })
      expect(await run(['get', key])).toEqual({ result: 'v' })
      expect(await run(['TTL', key], '/')).toEqual({ result: 100 })
      expect(await run(['GET', freshKey()])).toEqual({ result: null })
    })

    test('arguments of JSON: numbers keep their digits, booleans are text', async () => {
      const key = freshKey()
      const post = (body: string) => request('/redis', { method: 'POST', body })
      await post(`["SET","${key}",9007199254740993]`)
      expect(await run(['GET', key])).toEqual({ result: '9007199254740993' })
      await post(`["SET","${key}",-1.5]`)
      expect(await run(['GET', key])).toEqual({ result: '-1.5' })
      await run(['SET', key, true])
      expect(await run(['GET', key])).toEqual({ result: 'true' })
    })

    test('the path form takes every method that it has', async () => {
      const key = freshKey()
      const asked = await request(`/redis/set/${key}/${encodeURIComponent('a/b c%')}/EX/100`)
      expect(await asked.json()).toEqual({ result: 'OK' })
      const posted = await request(`/redis/get/${key}`, { method: 'POST' })
      expect(await posted.json()).toEqual({ result: 'a/b c%' })
      const head = await request(`/redis/get/${key}`, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
      await request(`/redis/set/${key}`, { method: 'PUT', body: 'put' })
      expect(await run(['GET', key])).toEqual({ result: 'put' })
      expect(await (await request(`/redis/set/${key}/`)).json()).toEqual({ result: 'OK' })
      expect(await run(['GET', key])).toEqual({ result: '' })
    })

    test('a body of any bytes is the last argument, but for those of the query', async () => {
      const key = freshKey()
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      await request(`/redis/set/${key}?EX=100&NX`, { method: 'POST', body: bytes })
      expect(await run(['TTL', key])).toEqual({ result: 100 })
      expect(await run(['GET', key], '', base64)).toEqual({
        result: Buffer.from(bytes).toString('base64'),
      })
    })

    test('a pipeline goes on after a failure and says which item failed', async () => {
      const key = freshKey()
      const response = await request('/redis/pipeline', {
        method: 'POST',
        body: JSON.stringify([
          ['SET', key, 'v'],
          ['LPUSH', key, 'x'],
          ['NOSUCH', key],
          ['SELECT', '1'],
          'GET',
          [],
          ['GET', key],
        ]),
      })
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual([
        { result: 'OK' },
        { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
        { error: expect.stringMatching(/^ERR unknown command/) },
        { error: expect.stringMatching(/^ERR /) },
        { error: expect.stringMatching(/^ERR /) },
        { error: expect.stringMatching(/^ERR /) },
        { result: 'v' },
      ])
      expect(response.headers.get('dualport-error')).toBe(
        '1=REDIS_INVALID;not-applied, 2-3=REDIS_UNSUPPORTED;not-applied, 4-5=REDIS_INVALID;not-applied',
      )
    })

    test('a transaction runs as one; one bad command discards it', async () => {
      const key = freshKey()
      const two = [
        ['INCR', key],
        ['INCR', key],
      ]
      expect(await run(two, '/multi-exec')).toEqual([{ result: 1 }, { result: 2 }])
      for (const bad of [['INCR'], ['CONFIG', 'GET', '*'], 'INCR']) {
        const body = JSON.stringify([...two, bad])
        const response = await request('/redis/multi-exec', { method: 'POST', body })
        expect(response.status).toBe(400)
        expect(await response.json()).toEqual({ error: expect.stringMatching(/^(ERR|EXECABORT) /) })
      }
      expect(await run(['GET', key])).toEqual({ result: '2' })
      // An error while it runs is that item's.
      const mixed = await run(
        [
          ['SET', key, 'x'],
          ['INCR', key],
          ['GET', key],
        ],
        '/multi-exec',
      )
      expect(mixed).toEqual([
        { result: 'OK' },
        { error: 'ERR value is not an integer or out of range' },
        { result: 'x' },
      ])
    })

    test('an error reply is a 400 in the engine’s words, with code and outcome beside', async () => {
      const key = freshKey()
      await run(['SET', key, 'v'])
      const response = await request(`/redis/lpush/${key}/x`)
      expect(response.status).toBe(400)
      expect(await response.json()).toEqual({
        error: 'WRONGTYPE Operation against a key holding the wrong kind of value',
      })
      expect(response.headers.get('dualport-error')).toBe('REDIS_INVALID;not-applied')
    })

    test('bytes in the envelope of our own client arrive as bytes', async () => {
      const key = Uint8Array.of(0xff, 0x00, 0xc3)
      const value = Uint8Array.of(0xfe, 0x80)
      expect(await run(seal(['SET', key, value]))).toEqual({ result: 'OK' })
      const [got] = (await run([seal(['GET', key])], '/pipeline', base64)) as { result: string }[]
      expect(got).toEqual({ result: Buffer.from(value).toString('base64') })
      await run(seal(['DEL', key]))
    })

    test('replies say that they are not to be kept or guessed at', async () => {
      const { headers } = await request('/redis/ping')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('upstash-sync-token')).not.toBe('')
    })
  })

  describe('formats', () => {
    const script = `return {1, false, 'OK', redis.status_reply('OK'), {'OK', redis.status_reply('OK'), 7}}`

    test('base64 is of every string, but not of the reply OK', async () => {
      const key = freshKey()
      expect(await run(['SET', key, 'OK'], '', base64)).toEqual({ result: 'OK' })
      expect(await run(['MGET', key], '', base64)).toEqual({ result: ['T0s='] })
      expect(await run(['PING'], '', base64)).toEqual({ result: 'UE9ORw==' })
      expect(await run(['EVAL', script, 0], '', base64)).toEqual({
        result: [1, null, 'T0s=', 'T0s=', ['T0s=', 'T0s=', 7]],
      })
      expect(await run(['GET', freshKey()], '', base64)).toEqual({ result: null })
    })

    test('text that is not UTF-8 comes with U+FFFD', async () => {
      const key = freshKey()
      await request(`/redis/set/${key}`, { method: 'POST', body: Uint8Array.of(0x61, 0xff) })
      expect(await run(['GET', key])).toEqual({ result: 'a\ufffd' })
    })

    test('integers are exact to the last digit', async () => {
      const key = freshKey()
      await run(['SET', key, '9223372036854775806'])
      const response = await request(`/redis/incr/${key}`, { headers: base64 })
      expect(await response.text()).toBe('{"result":9223372036854775807}')
    })

    test('resp2 is what a TCP client would read', async () => {
      const key = freshKey()
      const resp2 = { 'upstash-response-format': 'resp2' }
      const ask = async (path: string, init?: RequestInit) => {
        const response = await request(`/redis${path}`, { ...init, headers: resp2 })
        expect(response.headers.get('content-type')).toBe('application/octet-stream')
        return [response.status, await response.text()]
      }
      expect(await ask(`/set/${key}/v`)).toEqual([200, '+OK\r\n'])
      expect(await ask(`/get/${key}`)).toEqual([200, '$1\r\nv\r\n'])
      expect(await ask(`/incr/${key}`)).toEqual([
        400,
        '-ERR value is not an integer or out of range\r\n',
      ])
      const commands = JSON.stringify([
        ['GET', key],
        ['INCR', key],
        ['MGET', key, freshKey()],
      ])
      expect(await ask('/pipeline', { method: 'POST', body: commands })).toEqual([
        200,
        '$1\r\nv\r\n-ERR value is not an integer or out of range\r\n*2\r\n$1\r\nv\r\n$-1\r\n',
      ])
      // A transaction answers in JSON only.
      expect(await run([['GET', key]], '/multi-exec', resp2)).toEqual([{ result: 'v' }])
    })

    test.each([
      [{ 'upstash-response-format': 'resp2', 'upstash-encoding': 'base64' }],
      [{ 'upstash-response-format': 'resp3' }],
      [{ 'upstash-encoding': 'hex' }],
    ])('%j is a 400', async (headers) => {
      expect((await request('/redis/ping', { headers })).status).toBe(400)
    })
  })

  describe('who may do what', () => {
    const none = { authorization: '' }

    test.each([
      ['no token', none],
      ['a wrong token', { authorization: 'Bearer wrong' }],
      ['another scheme', { authorization: `Basic ${token}` }],
      ['no scheme', { authorization: token }],
      ['the token and more', { authorization: `Bearer ${token}x` }],
      ['two tokens', { authorization: `Bearer wrong, Bearer ${token}` }],
    ])('%s: 401', async (_, headers) => {
      for (const path of ['/ping', '', '/pipeline', '/subscribe/x', '?_token=wrong']) {
        const response = await request(`/redis${path}`, {
          method: 'POST',
          body: '["PING"]',
          headers,
        })
        expect(response.status).toBe(401)
        expect(await response.json()).toEqual({ error: 'WRONGPASS invalid or missing auth token' })
        expect(response.headers.get('dualport-error')).toBe('REDIS_UNAUTHENTICATED;not-applied')
        expect(response.headers.get('www-authenticate')).toBe('Bearer')
      }
    })

    test('the token may come in the URL', async () => {
      const response = await request(`/redis/echo/hi?_token=${token}`, { headers: none })
      expect(await response.json()).toEqual({ result: 'hi' })
    })

    test('the read-only token reads', async () => {
      const key = freshKey()
      await run(['SET', key, 'v'])
      expect(await run(['GET', key], '', read)).toEqual({ result: 'v' })
      expect(
        await run(
          [
            ['GET', key],
            ['TTL', key],
          ],
          '/multi-exec',
          read,
        ),
      ).toEqual([{ result: 'v' }, { result: -1 }])
    })

    test.each([
      ['a write', (key: string) => ['SET', key, 'x']],
      ['in lower case', (key: string) => ['set', key, 'x']],
      ['a script', (key: string) => ['EVAL', `return redis.call('set', KEYS[1], 'x')`, 1, key]],
      ['in the envelope', (key: string) => seal(['SET', key, 'x'])],
      ['a read that stores', (key: string) => ['SORT', key, 'STORE', key]],
      ['publish', (key: string) => ['PUBLISH', key, 'x']],
      ['all of it', () => ['FLUSHALL']],
    ])('the read-only token cannot: %s', async (_, make) => {
      const key = freshKey()
      await run(['SET', key, 'v'])
      const body = JSON.stringify(make(key))
      const alone = await request('/redis', { method: 'POST', headers: read, body })
      expect(alone.status).toBe(403)
      expect(await alone.json()).toEqual({ error: expect.stringMatching(/^NOPERM /) })
      expect(alone.headers.get('dualport-error')).toBe('REDIS_FORBIDDEN;not-applied')

      const among = JSON.stringify([['GET', key], make(key), ['GET', key]])
      const pipeline = await request('/redis/pipeline', {
        method: 'POST',
        headers: read,
        body: among,
      })
      expect(await pipeline.json()).toEqual([
        { result: 'v' },
        { error: expect.stringMatching(/^NOPERM /) },
        { result: 'v' },
      ])
      expect(pipeline.headers.get('dualport-error')).toBe('1=REDIS_FORBIDDEN;not-applied')

      const atomic = await request('/redis/multi-exec', {
        method: 'POST',
        headers: read,
        body: among,
      })
      expect(atomic.status).toBe(403)
      expect(await atomic.json()).toEqual({ error: expect.stringMatching(/^NOPERM /) })
      expect(await run(['GET', key])).toEqual({ result: 'v' })
    })

    test.each([
      ['CONFIG', 'GET', '*'],
      ['config', 'set', 'dir', '/tmp'],
      ['SHUTDOWN'],
      ['DEBUG', 'SLEEP', '0'],
      ['REPLICAOF', 'NO', 'ONE'],
      ['CLUSTER', 'INFO'],
      ['ACL', 'LIST'],
      ['MODULE', 'LIST'],
      ['SCRIPT', 'kill'],
      ['MIGRATE', '127.0.0.1', '1', 'k', '0', '1'],
      ['SELECT', '1'],
      ['AUTH', 'x'],
      ['MULTI'],
      ['SUBSCRIBE', 'x'],
      ['MONITOR'],
      ['CLIENT', 'LIST'],
      ['BLPOP', 'k', '0'],
      ['XREAD', 'BLOCK', '0', 'STREAMS', 'k', '$'],
    ])('no token may: %s %s', async (...command) => {
      for (const args of [command, seal(command)]) {
        const response = await request('/redis', { method: 'POST', body: JSON.stringify(args) })
        expect(response.status).toBe(400)
        expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR /) })
        expect(response.headers.get('dualport-error')).toBe('REDIS_UNSUPPORTED;not-applied')
      }
      const path = await request(`/redis/${command.map(encodeURIComponent).join('/')}`, {
        method: 'PUT',
      })
      expect(path.status).toBe(400)
    })

    test('a method that the path does not have is a 405 that names those it has', async () => {
      for (const [path, allow] of [
        ['/redis', 'GET, POST, PUT, HEAD'],
        ['/redis/get/k', 'GET, POST, PUT, HEAD'],
        ['/redis/pipeline', 'POST'],
      ] as const) {
        for (const method of ['DELETE', 'PATCH', 'OPTIONS']) {
          const response = await request(path, { method })
          expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
        }
      }
      expect((await request('/redis/pipeline')).status).toBe(405)
    })

    test.each([
      '/',
      '/redi',
      '/redisx/get/k',
      '/kafka',
      '/../etc/passwd',
    ])('nothing is served at %s', async (path) => {
      const response = await request(path, { method: 'POST', body: '["PING"]' })
      expect(response.status).toBe(404)
      expect(response.headers.get('dualport-error')).toBe('GATEWAY_NOT_FOUND;not-applied')
    })
  })
})
