import { once } from 'node:events'
import { afterAll, expect, test } from 'vitest'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  json,
  reset,
  serve,
  silence,
  throttled,
} from './http.ts'

const server = await serve(silence)
afterAll(() => server.close())

test('records each request and answers it', async () => {
  server.handler = json({ result: 'OK' })
  const response = await fetch(`${server.url}/set?a=1`, { method: 'POST', body: '["SET"]' })
  expect(await response.json()).toEqual({ result: 'OK' })
  expect(server.requests.at(-1)).toMatchObject({
    method: 'POST',
    path: '/set?a=1',
    headers: { host: new URL(server.url).host },
    body: '["SET"]',
  })
})

test('silence: no answer, and it is seen when the client leaves', async () => {
  server.handler = silence
  const aborter = new AbortController()
  const arrived = once(server, 'request')
  const abandoned = once(server, 'abandoned')
  const reply = fetch(server.url, { signal: aborter.signal })
  await arrived
  aborter.abort()
  await expect(reply).rejects.toThrow('aborted')
  await abandoned
})

test.each([
  ['reset', reset],
  ['garbage', garbage],
])('%s: no reply at all', async (_, handler) => {
  server.handler = handler
  await expect(fetch(server.url)).rejects.toThrow('fetch failed')
})

test('cut short: the status comes, the whole body does not', async () => {
  server.handler = cutShort('{"result":"OK"}')
  const response = await fetch(server.url)
  expect(response.status).toBe(200)
  await expect(response.text()).rejects.toThrow('terminated')
})

test('drip: the whole body, in the end', async () => {
  server.handler = drip('{"result":"OK"}', 1)
  expect(await (await fetch(server.url)).json()).toEqual({ result: 'OK' })
})

test('a proxy that says 502 in HTML, and a server that asks to slow down', async () => {
  server.handler = badGateway
  const proxied = await fetch(server.url)
  expect([proxied.status, proxied.headers.get('content-type')]).toEqual([502, 'text/html'])
  server.handler = throttled('2')
  const slow = await fetch(server.url)
  expect([slow.status, slow.headers.get('retry-after')]).toEqual([429, '2'])
})
