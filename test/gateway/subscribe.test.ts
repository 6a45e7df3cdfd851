import { describe, expect, test, vi } from 'vitest'
import { rest } from '../../adapters/redis/rest.ts'
import { Redis } from '../../src/redis/index.ts'
import { engine, needs } from '../engines/index.ts'
import { freshKey, readOnlyToken, startGateway, token } from './gateway.ts'

const server = await engine('redis-process')

/** The lines of an event stream, one by one. */
async function* lines(response: Response): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop()!
    yield* parts
  }
}

/** The next `count` lines that are neither blank nor a comment. */
async function data(stream: AsyncGenerator<string, void, undefined>, count: number) {
  const found: string[] = []
  while (found.length < count) {
    const { value, done } = await stream.next()
    if (done) throw new Error('the stream ended')
    if (value.startsWith('data:')) found.push(value)
  }
  return found
}

describe('subscriptions as server-sent events', needs(server), async () => {
  if (server.missing !== undefined) return
  const gateway = await startGateway(server.url)
  const { request, run } = gateway

  test('the channels are confirmed, then their messages come in order', async () => {
    const [a, b] = [freshKey(), freshKey()]
    const response = await request(`/redis/subscribe/${a}/${b}`, { method: 'POST', body: '[]' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const stream = lines(response)
    expect(await data(stream, 2)).toEqual([`data: subscribe,${a},1`, `data: subscribe,${b},2`])
    for (const [channel, message] of [
      [a, 'one'],
      [b, 'two'],
      [a, 'with, comma'],
    ]) {
      expect(await run(['PUBLISH', channel, message])).toEqual({ result: 1 })
    }
    expect(await data(stream, 3)).toEqual([
      `data: message,${a},one`,
      `data: message,${b},two`,
      `data: message,${a},with, comma`,
    ])
    await stream.return()
  })

  test('patterns, with the read-only token and by GET', async () => {
    const channel = freshKey()
    const headers = { authorization: `Bearer ${readOnlyToken}` }
    const stream = lines(await request(`/redis/psubscribe/${channel}*`, { headers }))
    expect(await data(stream, 1)).toEqual([`data: psubscribe,${channel}*,1`])
    await run(['PUBLISH', `${channel}:x`, 'hello'])
    expect(await data(stream, 1)).toEqual([`data: pmessage,${channel}*,${channel}:x,hello`])
    await stream.return()
  })

  test('a message of several lines is one event, and cannot pass for another', async () => {
    const channel = freshKey()
    const stream = lines(await request(`/redis/subscribe/${channel}`))
    await data(stream, 1)
    await run([
      'PUBLISH',
      channel,
      'a\n b\r\nmessage,other,forged\rdata: message,other,forged\n\nz',
    ])
    expect(await data(stream, 6)).toEqual([
      `data: message,${channel},a`,
      'data:  b',
      'data:message,other,forged',
      'data:data: message,other,forged',
      'data:',
      'data:z',
    ])
    await stream.return()
  })

  test('our own client loses nothing', async () => {
    const redis = new Redis(rest({ url: `${gateway.url}/redis`, token }))
    const channel = `${freshKey()}, with a comma`
    const subscription = await redis.subscribe(channel)
    const messages = ['', 'a\nb\rc\r\nd', 'data: x\n\n', 'ü,€', '\0', ' ']
    for (const message of messages) await redis.publish(channel, message)
    for (const message of messages) {
      expect(await subscription.next()).toEqual({ done: false, value: { channel, message } })
    }
    await subscription.close()
    await redis.close()
  })

  test('a quiet stream shows that it is alive', async () => {
    const { request } = await startGateway(server.url, { limits: { keepAliveMs: 20 } })
    const stream = lines(await request(`/redis/subscribe/${freshKey()}`))
    let comments = 0
    for await (const line of stream) if (line === ':' && ++comments === 3) break
    expect(comments).toBe(3)
  })

  test('when the client goes, the subscription goes', async () => {
    const channel = freshKey()
    const stream = lines(await request(`/redis/subscribe/${channel}`))
    await data(stream, 1)
    expect(await server.command('PUBSUB', 'NUMSUB', channel)).toEqual([channel, 1])
    await stream.return()
    await vi.waitFor(async () => {
      expect(await server.command('PUBSUB', 'NUMSUB', channel)).toEqual([channel, 0])
    })
  })

  test('who asks for the head only leaves no subscription behind', async () => {
    const channel = freshKey()
    const response = await request(`/redis/subscribe/${channel}`, { method: 'HEAD' })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    await vi.waitFor(async () => {
      expect(await server.command('PUBSUB', 'NUMSUB', channel)).toEqual([channel, 0])
    })
  })

  test('when the engine is lost, the stream ends', async () => {
    const stream = lines(await request(`/redis/subscribe/${freshKey()}`))
    await data(stream, 1)
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const rest: string[] = []
    for await (const line of stream) rest.push(line)
    expect(rest.filter((line) => line.startsWith('data'))).toEqual([])
  })

  test('when the gateway closes, the stream ends', async () => {
    const { gateway, request } = await startGateway(server.url)
    const stream = lines(await request(`/redis/subscribe/${freshKey()}`))
    await data(stream, 1)
    gateway.close()
    for await (const line of stream) expect(line).not.toMatch(/^data/)
  })

  test.each([
    '/redis/subscribe',
    '/redis/subscribe/',
    '/redis/subscribe/a//b',
    '/redis/subscribe/%ff',
  ])('%s is a 400', async (path) => {
    const response = await request(path)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR /) })
  })
})
