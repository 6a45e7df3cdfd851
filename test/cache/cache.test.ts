import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Cache } from '../../src/cache/index.ts'
import { withContext } from '../../src/core/index.ts'
import { Clock, CountedSource, cacheOf, counters, eventually, failed } from './fixture.ts'

const softTtlMs = 300_000
const hardTtlMs = 28_800_000
const fresh = (value: string) => ({ value, stale: false })
const stale = (value: string) => ({ value, stale: true })

function setUp(options: Parameters<typeof cacheOf>[1] = {}) {
  const clock = new Clock()
  const source = new CountedSource()
  source.values.set('a', '1')
  return { clock, source, cache: cacheOf(source, { clock: clock.read, ...options }) }
}

describe('by age', () => {
  test('within the soft TTL, less 10 %, the source is asked once', async () => {
    const { clock, source, cache } = setUp()
    expect(await cache.get('a')).toEqual(fresh('1'))
    source.values.set('a', '2')
    clock.now += softTtlMs * 0.9 - 1
    expect(await cache.get('a')).toEqual(fresh('1'))
    expect(source.loads).toBe(1)
  })

  test('beyond it, the old value is given, marked stale, and one load renews it', async () => {
    const { clock, source, cache } = setUp()
    await cache.get('a')
    source.values.set('a', '2')
    clock.now += softTtlMs * 1.1
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    for (let i = 0; i < 100; i++) expect(await cache.get('a')).toEqual(stale('1'))
    gate.resolve()
    await eventually(async () => expect(await cache.get('a')).toEqual(fresh('2')))
    expect(source.loads).toBe(2)
  })

  test('values that were loaded together are not all renewed together', async () => {
    const { clock, source, cache } = setUp()
    const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
    for (const key of keys) source.values.set(key, '1')
    for (const key of keys) await cache.get(key)
    clock.now += softTtlMs
    const found = await Promise.all(keys.map((key) => cache.get(key)))
    const old = found.filter((each) => each?.stale).length
    expect(old).toBeGreaterThan(0)
    expect(old).toBeLessThan(100)
  })

  test('beyond the hard TTL, callers wait for the new value', async () => {
    const { clock, source, cache } = setUp()
    await cache.get('a')
    source.values.set('a', '2')
    clock.now += hardTtlMs
    expect(await cache.get('a')).toEqual(fresh('2'))
  })

  test('a value is never given beyond its own expiry', async () => {
    const { clock, source, cache } = setUp()
    source.expiresAt = clock.now + 1000
    await cache.get('a')
    clock.now += 999
    expect(await cache.get('a')).toEqual(fresh('1'))
    clock.now += 1
    source.failure = failed('unavailable')
    await expect(cache.get('a')).rejects.toBe(source.failure)
    expect(source.loads).toBe(2)
  })

  test('what has expired by the time it comes is given and not kept', async () => {
    const { clock, source, cache } = setUp()
    source.expiresAt = clock.now
    await cache.get('a')
    expect(await cache.get('a')).toEqual(fresh('1'))
    expect(source.loads).toBe(2)
  })
})

describe('what does not exist', () => {
  test('is believed for the negative TTL, and no longer', async () => {
    const { clock, source, cache } = setUp({ negativeTtlMs: 10_000 })
    expect(await cache.get('b')).toBeUndefined()
    clock.now += 9999
    expect(await cache.get('b')).toBeUndefined()
    expect(source.loads).toBe(1)
    source.values.set('b', '1')
    clock.now += 1
    expect(await cache.get('b')).toEqual(fresh('1'))
  })

  test('is asked for each time with a negative TTL of 0, and what was there before is forgotten', async () => {
    const { clock, source, cache } = setUp({ negativeTtlMs: 0 })
    await cache.get('a')
    source.values.delete('a')
    clock.now += softTtlMs * 1.1
    await cache.get('a')
    await eventually(async () => expect(await cache.get('a')).toBeUndefined())
    await cache.get('a')
    expect(source.loads).toBeGreaterThan(2)
  })

  test.each([
    'unavailable',
    'timeout',
    'throttled',
    'forbidden',
    'internal',
  ] as const)('is not confused with a load that fails with kind %s', async (kind) => {
    const { clock, source, cache } = setUp()
    source.failure = failed(kind)
    await expect(cache.get('a')).rejects.toBe(source.failure)
    source.failure = undefined
    clock.now += 1000
    expect(await cache.get('a')).toEqual(fresh('1'))
  })
})

describe('many callers', () => {
  test('1,000 who miss the same value at once make one load', async () => {
    const { source, cache } = setUp()
    const found = await Promise.all(Array.from({ length: 1000 }, () => cache.get('a')))
    expect(found).toEqual(Array.from({ length: 1000 }, () => fresh('1')))
    expect(source.loads).toBe(1)
  })

  test('one who gives up ends neither the load nor the wait of the others', async () => {
    const { source, cache } = setUp()
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const controller = new AbortController()
    const first = cache.get('a', '', { signal: controller.signal })
    const second = cache.get('a', '', { timeoutMs: 1 })
    const third = cache.get('a')
    controller.abort()
    await expect(first).rejects.toMatchObject({ code: 'TEST_ABORTED' })
    await expect(second).rejects.toMatchObject({ code: 'TEST_TIMEOUT' })
    gate.resolve()
    expect(await third).toEqual(fresh('1'))
    expect(source.loads).toBe(1)
  })

  test('the deadline of one is not that of the load', async () => {
    const { source, cache } = setUp()
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const first = withContext({ deadline: Date.now() + 5 }, () => cache.get('a'))
    const second = cache.get('a')
    await expect(first).rejects.toMatchObject({ code: 'TEST_TIMEOUT' })
    gate.resolve()
    expect(await second).toEqual(fresh('1'))
  })

  test('a call whose signal has fired already is refused, cached or not', async () => {
    const { cache } = setUp()
    await cache.get('a')
    const signal = AbortSignal.abort()
    await expect(cache.get('a', '', { signal })).rejects.toMatchObject({ code: 'TEST_ABORTED' })
  })

  test('no more than 10 loads are under way at a time', async () => {
    const { source, cache } = setUp()
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const reads = Array.from({ length: 50 }, (_, i) => cache.get(`key-${i}`))
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.loads).toBe(10)
    gate.resolve()
    await Promise.all(reads)
    expect(source.loads).toBe(50)
  })
})

describe('when the source is down', () => {
  test('the last value is given, marked stale, until the hard TTL', async () => {
    const { clock, source, cache } = setUp()
    await cache.get('a')
    source.failure = failed('unavailable')
    clock.now += softTtlMs * 1.1
    for (; clock.now < 1_800_000_000_000 + hardTtlMs; clock.now += 600_000) {
      expect(await cache.get('a')).toEqual(stale('1'))
    }
    await expect(cache.get('a')).rejects.toBe(source.failure)
  })

  test('it is found again when it is back', async () => {
    const { clock, source, cache } = setUp()
    await cache.get('a')
    source.failure = failed('unavailable')
    clock.now += softTtlMs * 1.1
    await cache.get('a')
    source.failure = undefined
    source.values.set('a', '2')
    await eventually(async () => {
      clock.now += 10_000
      expect(await cache.get('a')).toEqual(fresh('2'))
    })
  })

  test.each([
    ['the value of one key that is known', 1, true],
    ['one key that is not known', 1, false],
    ['200 keys that are known', 200, true],
    ['200 keys that are not known', 200, false],
  ])('10,000 reads in 60 s of %s make at most 72 loads', async (_, count, known) => {
    const { clock, source, cache } = setUp()
    const keys = Array.from({ length: count }, (_, i) => `key-${i}`)
    for (const key of keys) source.values.set(key, '1')
    if (known) for (const key of keys) await cache.get(key)
    clock.now += softTtlMs * 1.1
    source.failure = failed('unavailable')
    source.loads = 0
    for (let i = 0; i < 10_000; i += 100) {
      const reads = Array.from({ length: 100 }, (_, j) =>
        cache.get(keys[(i + j) % count] as string),
      )
      for (const { status } of await Promise.allSettled(reads)) {
        expect(status).toBe(known ? 'fulfilled' : 'rejected')
      }
      clock.now += 600
    }
    expect(source.loads).toBeLessThanOrEqual(72)
  })

  test('its own word on when to ask again is kept', async () => {
    const { clock, source, cache } = setUp()
    source.failure = Object.assign(failed('throttled'), { retryAfterMs: 30_000 })
    await expect(cache.get('a')).rejects.toBe(source.failure)
    clock.now += 29_999
    await expect(cache.get('a')).rejects.toBe(source.failure)
    expect(source.loads).toBe(1)
    clock.now += 1
    source.failure = undefined
    expect(await cache.get('a')).toEqual(fresh('1'))
  })
})

test.each([
  'forbidden',
  'not-found',
  'invalid',
] as const)('a source that refuses with kind %s is up: its answer counts, and the old value is dropped', async (kind) => {
  const { clock, source, cache } = setUp()
  await cache.get('a')
  source.failure = failed(kind)
  clock.now += softTtlMs * 1.1
  expect(await cache.get('a')).toEqual(stale('1'))
  await eventually(() => expect(cache.get('a')).rejects.toBe(source.failure))
  source.failure = undefined
  expect(await cache.get('a')).toEqual(fresh('1'))
})

describe('invalidation', () => {
  test('drops the key with all its variants, and no other key', async () => {
    const { source, cache } = setUp()
    for (const key of ['a/v1', 'ab', 'b']) source.values.set(key, '1')
    const read = () =>
      Promise.all([cache.get('a'), cache.get('a', 'v1'), cache.get('ab'), cache.get('b')])
    await read()
    await cache.invalidate('a')
    await read()
    expect(source.loads).toBe(6)
  })

  test('a load that began before it is not kept, and nobody who comes later joins it', async () => {
    const { source, cache } = setUp()
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const before = cache.get('a')
    await new Promise((resolve) => setImmediate(resolve))
    source.values.set('a', '2')
    source.gate = Promise.resolve()
    await cache.invalidate('a')
    expect(await cache.get('a')).toEqual(fresh('2'))
    gate.resolve()
    expect(await before).toEqual(fresh('1'))
    expect(await cache.get('a')).toEqual(fresh('2'))
  })

  test('holds although so many keys are invalidated that this one is forgotten', async () => {
    const { source, cache } = setUp({ maxEntries: 3 })
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const before = cache.get('a')
    await new Promise((resolve) => setImmediate(resolve))
    source.values.set('a', '2')
    source.gate = Promise.resolve()
    for (const key of ['a', 'b', 'c', 'd', 'e']) await cache.invalidate(key)
    gate.resolve()
    await before
    expect(await cache.get('a')).toEqual(fresh('2'))
  })

  test('after any sequence of writes and reads, what is read is what was written last', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), write: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const source = new CountedSource()
        const { load } = source
        const cache = new Cache({ name: 'test', operation: 'get', load, maxEntries: 2 })
        let writes = 0
        for (const { key, write } of steps) {
          if (write) {
            source.values.set(key, `${writes++}`)
            await cache.invalidate(key)
          }
          expect((await cache.get(key))?.value).toBe(source.values.get(key))
        }
        await cache.close()
      }),
    )
  })
})

test('the entries are bounded; what was not used for longest goes first', async () => {
  const { source, cache } = setUp({ maxEntries: 3 })
  for (const key of ['a', 'b', 'c']) await cache.get(key)
  await cache.get('a')
  await cache.get('d')
  source.loads = 0
  for (const key of ['a', 'c', 'd']) await cache.get(key)
  expect(source.loads).toBe(0)
  await cache.get('b')
  expect(source.loads).toBe(1)
})

test('a cache that is closed refuses, and has waited for what was under way', async () => {
  const { clock, source, cache } = setUp()
  await cache.get('a')
  clock.now += softTtlMs * 1.1
  const gate = Promise.withResolvers<void>()
  source.gate = gate.promise
  await cache.get('a')
  const closed = vi.fn()
  const closing = cache.close().then(closed)
  await expect(cache.get('a')).rejects.toMatchObject({ code: 'TEST_CLOSED' })
  expect(closed).not.toHaveBeenCalled()
  gate.resolve()
  await closing
  expect(cache.closed).toBe(true)
})

test.each([
  { softTtlMs: 0 },
  { softTtlMs: -1 },
  { softTtlMs: Number.NaN },
  { softTtlMs: 10, hardTtlMs: 9 },
  { hardTtlMs: Infinity },
  { negativeTtlMs: -1 },
  { maxEntries: 0 },
  { maxEntries: 1.5 },
])('%j is refused', (options) => {
  expect(() => cacheOf(new CountedSource(), options)).toThrow(
    expect.objectContaining({ code: 'CACHE_CONFIG' }),
  )
})

test('metrics say what answered, and what the loads gave', async () => {
  const { sink, counts } = counters()
  const { clock, source, cache } = setUp({ metrics: sink })
  await cache.get('a')
  await cache.get('a')
  await cache.get('b')
  clock.now += softTtlMs * 1.1
  source.failure = failed('unavailable')
  await cache.get('a')
  await eventually(() =>
    expect(Object.fromEntries(counts)).toEqual({
      'cache_requests_total{test,memory}': 1,
      'cache_requests_total{test,miss}': 2,
      'cache_requests_total{test,stale}': 1,
      'cache_loads_total{test,success}': 1,
      'cache_loads_total{test,absent}': 1,
      'cache_loads_total{test,failure}': 1,
    }),
  )
})
