import * as cassandra from 'cassandra-driver'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Codec,
  codecOf,
  type NativeType,
} from '../../adapters/scylladb/cassandra-driver/codec.ts'
import {
  type CqlValue,
  formatDate,
  formatDecimal,
  formatDuration,
  formatTime,
  parseDate,
  parseDecimal,
  parseDuration,
  parseTime,
} from '../../src/scylladb/index.ts'

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

describe('texts', () => {
  test('a date is what it was, of every day that there is', () => {
    fc.assert(
      fc.property(int32, (days) => {
        expect(parseDate(formatDate(days))).toBe(days)
      }),
    )
    for (const days of [0, -1, 2 ** 31 - 1, -(2 ** 31), -719_528, -719_529, 2_932_896, 2_932_897]) {
      expect(parseDate(formatDate(days))).toBe(days)
    }
  })

  test('a date of JavaScript’s years is JavaScript’s', () => {
    const day = fc.date({
      min: new Date('0000-01-01'),
      max: new Date('9999-12-31'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(day, (date) => {
        const text = date.toISOString().slice(0, 10)
        expect(parseDate(text)).toBe(Math.floor(date.getTime() / 86_400_000))
      }),
    )
  })

  test.each([
    '2026-02-29',
    '2026-00-01',
    '2026-1-1',
    '12345-01-01',
    '+99999999-01-01',
    '-5877641-06-22',
    '+5881580-07-12',
    '',
    'x',
  ])('no date: %s', (text) => expect(parseDate(text)).toBeUndefined())

  test('a time is what it was', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 86_399_999_999_999n }), (nanoseconds) => {
        expect(parseTime(formatTime(nanoseconds))).toBe(nanoseconds)
      }),
    )
  })

  test('a duration is what it was', () => {
    const part = fc.nat({ max: 2 ** 31 - 1 })
    const nanoseconds = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
    fc.assert(
      fc.property(part, part, nanoseconds, fc.boolean(), (months, days, nanoseconds, negative) => {
        const duration = negative
          ? { months: -months + 0, days: -days + 0, nanoseconds: -nanoseconds }
          : { months, days, nanoseconds }
        expect(parseDuration(formatDuration(duration))).toEqual(duration)
      }),
    )
  })

  test('a decimal is what it was', () => {
    fc.assert(
      fc.property(fc.bigInt(), int32, (unscaled, scale) => {
        expect(parseDecimal(formatDecimal({ unscaled, scale }))).toEqual({ unscaled, scale })
      }),
    )
    fc.assert(
      fc.property(fc.bigInt(), fc.nat({ max: 40 }), (unscaled, scale) => {
        expect(parseDecimal(formatDecimal({ unscaled, scale }))).toEqual({ unscaled, scale })
      }),
    )
  })
})

describe('bytes, as the library reads them', () => {
  const library = new (
    cassandra as unknown as {
      Encoder: new (
        version: number,
        options: object,
      ) => {
        decode(bytes: Buffer, type: NativeType): unknown
        parseFqTypeName(name: string): NativeType
      }
    }
  ).Encoder(4, {
    encoding: { map: Map, set: Set, useBigIntAsLong: true, useBigIntAsVarint: true },
  })
  const parse = (name: string) => library.parseFqTypeName(name)
  const { dataTypes } = cassandra.types

  function both(type: NativeType, value: CqlValue): CqlValue {
    const codec: Codec = codecOf(type, parse)
    const bytes = codec.encode(value)
    if (bytes === undefined) throw new Error('it is no value')
    const native = library.decode(bytes, type)
    return codec.decode === undefined ? (native as CqlValue) : codec.decode(native as never)
  }

  const text = fc.string({ unit: 'grapheme' })
  const uuid = fc.uuid()
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => new Uint8Array(array))
  const date = int32.map(formatDate)
  const decimal = fc
    .tuple(fc.bigInt(), fc.nat({ max: 30 }))
    .map(([unscaled, scale]) => formatDecimal({ unscaled, scale }))
  const ipv6 = fc.ipV6().filter((address) => !address.includes('.'))
  const word: NativeType = { code: dataTypes.text }
  const number: NativeType = { code: dataTypes.int }

  test.each<[string, NativeType, fc.Arbitrary<CqlValue>]>([
    ['int', number, int32],
    ['bigint', { code: dataTypes.bigint }, int64],
    ['varint', { code: dataTypes.varint }, fc.bigInt()],
    ['small varint', { code: dataTypes.varint }, fc.bigInt({ min: -70_000n, max: 70_000n })],
    ['double', { code: dataTypes.double }, fc.double()],
    ['text', word, text],
    ['blob', { code: dataTypes.blob }, bytes.filter(({ length }) => length > 0)],
    ['uuid', { code: dataTypes.uuid }, uuid],
    ['date', { code: dataTypes.date }, date],
    ['decimal', { code: dataTypes.decimal }, decimal],
    ['inet', { code: dataTypes.inet }, fc.ipV4()],
    ['list', { code: dataTypes.list, info: word }, fc.array(text)],
    ['set', { code: dataTypes.set, info: number }, fc.array(int32).map((all) => new Set(all))],
    [
      'map',
      { code: dataTypes.map, info: [word, { code: dataTypes.blob }] },
      fc.dictionary(text, bytes).map((all) => new Map(Object.entries(all))),
    ],
    [
      'tuple',
      { code: dataTypes.tuple, info: [word, { code: dataTypes.list, info: number }] },
      fc.tuple(fc.option(text), fc.option(fc.array(int32))) as fc.Arbitrary<CqlValue>,
    ],
    [
      'vector of texts',
      {
        code: 0,
        info: 'org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.UTF8Type , 3)',
      },
      fc.array(fc.string({ minLength: 1, maxLength: 400 }), { minLength: 3, maxLength: 3 }),
    ],
    [
      'vector of ints',
      {
        code: 0,
        info: 'org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.Int32Type , 2)',
      },
      fc.array(int32, { minLength: 2, maxLength: 2 }),
    ],
  ])('%s', (_, type, values) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(both(type, value)).toEqual(value)
      }),
    )
  })

  test('duration', () => {
    const type = { code: 0, info: 'org.apache.cassandra.db.marshal.DurationType' }
    const part = fc.nat({ max: 2 ** 31 - 1 })
    const nanoseconds = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
    fc.assert(
      fc.property(part, part, nanoseconds, fc.boolean(), (months, days, nanoseconds, negative) => {
        const positive = formatDuration({ months, days, nanoseconds })
        const value = negative && positive !== '0s' ? `-${positive}` : positive
        expect(both(type, value)).toBe(value)
      }),
    )
  })

  test('inet of version 6, as short as URLs have it', () => {
    fc.assert(
      fc.property(ipv6, (address) => {
        const short = new URL(`http://[${address}]`).hostname.slice(1, -1)
        expect(both({ code: dataTypes.inet }, address)).toBe(short)
      }),
    )
    expect(both({ code: dataTypes.inet }, '::ffff:192.0.2.1')).toBe('::ffff:c000:201')
  })
})
