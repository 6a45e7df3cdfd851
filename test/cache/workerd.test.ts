import { beforeEach, describe, expect, test } from 'vitest'
import { startWorker } from '../edge/worker.ts'
import { needs } from '../engines/index.ts'
import { gatewayOverRedis } from '../redis/gateway.ts'
import { freshPrefix, key } from './fixture.ts'

const softTtlMs = 300_000
const gateway = await gatewayOverRedis()
const worker = await startWorker(new URL('./cache.worker.ts', import.meta.url), {
  REDIS_URL: gateway.url,
  REDIS_TOKEN: gateway.token,
  PREFIX: freshPrefix(),
  KEY: Buffer.from(key).toString('hex'),
})

async function ask(path: string, query: Record<string, string> = {}): Promise<unknown> {
  const url = new URL(`${path}?${new URLSearchParams(query)}`, worker.url)
  return (await fetch(url)).json()
}

const get = (query: Record<string, string>) => ask('/get', query)

beforeEach(() => ask('/start'))

test('what one request has loaded, the next one has', async () => {
  expect(await get({ key: 'a' })).toEqual({ value: 'a 1', stale: false })
  expect(await get({ key: 'a' })).toEqual({ value: 'a 1', stale: false })
})

test('requests at the same time do not wait for each other', async () => {
  const hanging = get({ key: 'hangs', timeoutMs: '300' })
  while ((await ask('/loads')) === 0);
  const others = await Promise.all(Array.from({ length: 5 }, () => get({ key: 'hangs' })))
  for (const other of others) expect(other).toMatchObject({ stale: false })
  expect(await hanging).toEqual({ error: 'TEST_TIMEOUT' })
})

test('a value that is no longer fresh is renewed by the request that finds it, which waits', async () => {
  await get({ key: 'a' })
  expect(await get({ key: 'a', after: `${softTtlMs * 1.1}` })).toEqual({
    value: 'a 2',
    stale: false,
  })
})

test('with waitUntil it is renewed after the reply', async () => {
  await get({ key: 'a' })
  const after = `${softTtlMs * 1.1}`
  expect(await get({ key: 'a', after, waitUntil: '' })).toEqual({ value: 'a 1', stale: true })
  await expect.poll(() => get({ key: 'a' })).toEqual({ value: 'a 2', stale: false })
})

test('an invalidated value is loaded again', async () => {
  await get({ key: 'a' })
  await ask('/invalidate', { key: 'a' })
  expect(await get({ key: 'a' })).toEqual({ value: 'a 2', stale: false })
})

describe('over Redis', needs({ ...(gateway.missing !== undefined && gateway) }), () => {
  test.each([
    {},
    { waitUntil: '' },
  ])('an isolate that starts has what another has loaded (%o)', async (how) => {
    await ask('/start', { redis: '' })
    await ask('/invalidate', { key: 'b' })
    const { value } = (await get({ key: 'b', ...how })) as { value: string }
    // Another isolate: an empty memory.
    await expect
      .poll(async () => {
        await ask('/start', { redis: '' })
        const found = await get({ key: 'b' })
        return [found, await ask('/loads')]
      })
      .toEqual([{ value, stale: false }, 0])
  })
})
