import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatFailures, kindOf, parseFailures, type WireFailure } from '../../src/core/wire.ts'

const failure = fc.record({
  code: fc.constantFrom('REDIS_TIMEOUT', 'REDIS_NOT_FOUND', 'KAFKA_UNAVAILABLE'),
  outcome: fc.constantFrom('not-applied', 'partial', 'unknown'),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 999_999 }), { nil: undefined }),
}) as fc.Arbitrary<WireFailure>

test('what is written is read', () => {
  const failures = fc.record({
    whole: fc.option(failure, { nil: undefined }),
    items: fc.uniqueArray(fc.tuple(fc.nat(300), failure), {
      selector: ([index]) => index,
      maxLength: 60,
    }),
  })
  fc.assert(
    fc.property(failures, ({ whole, items }) => {
      fc.pre(whole !== undefined || items.length > 0)
      const written = formatFailures({ whole, items: new Map(items) })
      const read = parseFailures(written)
      expect(read?.whole).toEqual(whole)
      expect(new Map(read?.items)).toEqual(new Map(items))
    }),
  )
})

test('a thousand that failed alike are one range', () => {
  const one: WireFailure = { code: 'REDIS_UNAVAILABLE', outcome: 'unknown' }
  const items = new Map(Array.from({ length: 1000 }, (_, i) => [i, one]))
  expect(formatFailures({ items })).toBe('0-999=REDIS_UNAVAILABLE;unknown')
})

test('whatever a server sends is read or ignored, never thrown at', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = parseFailures(text)
      expect(read === undefined || read.items instanceof Map).toBe(true)
    }),
  )
})

test.each([
  null,
  '',
  'REDIS_TIMEOUT',
  'REDIS_TIMEOUT;applied',
  '0-9999999=REDIS_TIMEOUT;unknown',
  `${'0=REDIS_TIMEOUT;unknown, '.repeat(2000)}1=REDIS_TIMEOUT;unknown`,
])('%s is not a header of ours', (header) => {
  expect(parseFailures(header)).toBeUndefined()
})

test.each([
  ['REDIS_TIMEOUT', 'timeout'],
  ['KEYVAULT_NOT_FOUND', 'not-found'],
  ['REDIS_SOMETHING_NEW', undefined],
  ['TIMEOUT_', undefined],
])('%s is of kind %s', (code, kind) => {
  expect(kindOf(code)).toBe(kind)
})
