import { describe, expect, test } from 'vitest'
import { exchangeOf } from '../../src/runtimes/lambda/events.ts'
import { httpEvents, malformedEvents } from './lambda-events.ts'

const cookies = new Headers([
  ['set-cookie', 'a=1; Path=/'],
  ['set-cookie', 'b=2; Path=/'],
  ['x-one', '1'],
])

describe.each(Object.entries(httpEvents))('an event of %s', (source, event) => {
  test('becomes the request that was sent', () => {
    const { request } = exchangeOf(event('/health/live'))!
    const url = new URL(request.url)
    expect(url.pathname).toBe('/health/live')
    expect(url.searchParams.getAll('a')).toEqual(source === 'load balancer' ? ['2'] : ['1', '2'])
    expect(url.searchParams.get('b')).toBe('x y')
    expect(url.host).toMatch(/amazonaws\.com$|^lb\.example$/)
    expect(request.method).toBe('GET')
    expect(request.headers.get('cookie')).toBe('c=1; d=2')
    const many = request.headers.get('x-many')?.replace(', ', ',')
    expect(many).toBe(source === 'load balancer' ? 'two' : 'one,two')
  })

  test('is answered in the form of its source', async () => {
    const exchange = exchangeOf(event('/'))!
    const result = await exchange.toResult(new Response('ü', { status: 503, headers: cookies }))
    const text = { statusCode: 503, body: 'ü', isBase64Encoded: false }
    const several = {
      'content-type': ['text/plain;charset=UTF-8'],
      'set-cookie': ['a=1; Path=/', 'b=2; Path=/'],
      'x-one': ['1'],
    }
    const one = { 'content-type': 'text/plain;charset=UTF-8', 'x-one': '1' }
    if (source === 'API Gateway v1') {
      expect(result).toEqual({ ...text, multiValueHeaders: several })
    } else if (source === 'load balancer') {
      expect(result).toEqual({
        ...text,
        statusDescription: '503 Service Unavailable',
        headers: { ...one, 'set-cookie': 'b=2; Path=/' },
      })
    } else if (source === 'load balancer with multi-value headers') {
      expect(result).toEqual({
        ...text,
        statusDescription: '503 Service Unavailable',
        multiValueHeaders: several,
      })
    } else {
      expect(result).toEqual({ ...text, headers: one, cookies: several['set-cookie'] })
    }
  })

  test('carries any bytes, both ways', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const sent = {
      ...event('/'),
      httpMethod: 'POST',
      requestContext: { ...event('/').requestContext, http: { method: 'POST' } },
      body: Buffer.from(bytes).toString('base64'),
      isBase64Encoded: true,
    }
    const { request, toResult } = exchangeOf(sent)!
    expect(new Uint8Array(await request.arrayBuffer())).toEqual(bytes)
    const { body, isBase64Encoded } = await toResult(new Response(bytes))
    expect(isBase64Encoded).toBe(true)
    expect(new Uint8Array(Buffer.from(body, 'base64'))).toEqual(bytes)
  })

  test('may have a body where a request has none, or text beyond ASCII', async () => {
    const { request } = exchangeOf({ ...event('/'), body: 'ignored' })!
    expect(await request.text()).toBe('')
    const headers = { 'x-name': 'ü' }
    const named = exchangeOf({ ...event('/'), headers, multiValueHeaders: undefined })!
    expect(Buffer.from(named.request.headers.get('x-name')!, 'latin1').toString()).toBe('ü')
  })
})

test.each(malformedEvents)('%j is no HTTP event', (event) => {
  expect(exchangeOf(event)).toBeUndefined()
})

test('a path cannot become a host or a query', () => {
  const request = (path: string) =>
    new URL(exchangeOf({ httpMethod: 'GET', path, headers: null })!.request.url)
  expect(request('//evil.example/health').host).toBe('localhost')
  expect(request('/a?token=b#c')).toMatchObject({ search: '', hash: '' })
})

test('only the stage that the event names is taken off a path', () => {
  const path = (rawPath: string) => {
    const event = {
      ...httpEvents['API Gateway v2'](rawPath),
      requestContext: { stage: 'prod', http: { method: 'GET' } },
    }
    return new URL(exchangeOf(event)!.request.url).pathname
  }
  expect(['/prod', '/prod/', '/prod/health', '/production/health', '/health'].map(path)).toEqual([
    ...['/', '/', '/health', '/production/health', '/health'],
  ])
})
