import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeRecords,
  encodeOffsets,
  encodeRecord,
  offsetOf,
  parseJson,
} from '../../adapters/kafka/rest/codec.ts'
import { toBase64 } from '../../src/core/base64.ts'
import { DriverFailure } from '../../src/core/index.ts'
import type { Header } from '../../src/kafka/index.ts'

const bytes = fc.uint8Array({ maxLength: 50 })
const maybe = fc.option(bytes, { nil: null })
const text = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const record = fc.record({
  topic: text,
  key: maybe,
  value: maybe,
  headers: fc.array(fc.tuple(text, maybe) as fc.Arbitrary<Header>, { maxLength: 3 }),
  partition: fc.nat(),
  timestamp: fc.nat(),
})

test('a record comes out as it went in, at any offset', () => {
  fc.assert(
    fc.property(record, int64, ({ topic, ...given }, offset) => {
      const sent = encodeRecord({ topic, ...given, size: 0 })
      // As a server would store it.
      const stored = `[{"topic":${JSON.stringify(topic)},"offset":${offset},${sent.slice(1)}]`
      expect(decodeRecords(parseJson(stored))).toMatchObject([
        {
          topic,
          offset,
          partition: given.partition,
          timestamp: new Date(given.timestamp),
          keyBytes: given.key,
          valueBytes: given.value,
          headerList: given.headers,
        },
      ])
    }),
  )
})

test('base64 is that of everyone, of bytes anywhere in their buffer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.nat(), (whole, start) => {
      const part = whole.subarray(start % (whole.length + 1))
      expect(toBase64(part)).toBe(Buffer.from(part).toString('base64'))
    }),
    { numRuns: 30 },
  )
})

test('committed offsets keep their digits', () => {
  const offsets = fc.array(fc.record({ topic: text, partition: fc.nat(), offset: int64 }))
  fc.assert(
    fc.property(offsets, (given) => {
      const { offsets } = parseJson(encodeOffsets(given)) as { offsets: typeof given }
      expect(offsets.map((each) => ({ ...each, offset: offsetOf(each.offset) }))).toEqual(given)
    }),
  )
})

test('long digits in a text are left alone', () => {
  expect(parseJson('[{"value":":12345678901234567890","offset":[12345678901234567890]}]')).toEqual([
    { value: ':12345678901234567890', offset: [12345678901234567890n] },
  ])
})

test.each([
  'YQ',
  'YQ=',
  'Y=Q=',
  'YQ==\n',
  'Y Q=',
  'YQ=a',
  'a-_a',
  'äöüß',
  '====',
  7,
  {},
  true,
])('a value that is not base64 is told, not changed: %j', (value) => {
  const body = [{ topic: 't', partition: 0, offset: 0, value }]
  expect(() => decodeRecords(body)).toThrow(DriverFailure)
})

test.each([
  null,
  {},
  'text',
  [null],
  [[]],
  [{ partition: 0, offset: 0 }],
  [{ topic: 't', offset: 0 }],
  [{ topic: 't', partition: 0.5, offset: 0 }],
  [{ topic: 't', partition: 0, offset: '0' }],
  [{ topic: 't', partition: 0, offset: 2 ** 60 }],
  [{ topic: 't', partition: 0, offset: 0, headers: {} }],
  [{ topic: 't', partition: 0, offset: 0, headers: [null] }],
  [{ topic: 't', partition: 0, offset: 0, headers: [{ key: 1, value: '' }] }],
])('what is no record is told: %j', (body) => {
  expect(() => decodeRecords(body)).toThrow(DriverFailure)
})

test('what is not JSON is told', () => {
  for (const body of ['', '[', '<html>', '[1,]', `${'['.repeat(200_000)}`]) {
    expect(() => parseJson(body)).toThrow(DriverFailure)
  }
})
