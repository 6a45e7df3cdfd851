import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readValue, ValueError, writeValue } from '../../src/core/values.ts'

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Infinity, -Infinity),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
)

/** Keys that an object treats otherwise, and those of the protocol itself. */
const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', '$o', '$n', '$b', '$d', '$u', ''),
  fc.string(),
)

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map(Object.fromEntries),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
    fc
      .array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 })
      .map((entries) => new Map(entries)),
  ),
}))

const overTheWire = (given: unknown) =>
  readValue(JSON.parse(JSON.stringify(writeValue(given)) as string))

describe('portable values', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(value, (given) => {
        // Of vitest's, none looks at objects with a field `constructor`.
        expect(isDeepStrictEqual(overTheWire(given), given)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  test('an object never becomes something else, whatever its fields are called', () => {
    for (const given of [
      { $n: '1' },
      { $o: { $d: 'x' } },
      { $b: 'AAE=' },
      { $u: 0 },
      Object.fromEntries([['__proto__', { polluted: true }]]),
    ]) {
      const read = overTheWire(given)
      expect(read).toStrictEqual(given)
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('the signs of zero and of infinity are kept', () => {
    expect(Object.is(overTheWire(-0), -0)).toBe(true)
    expect(Object.is(overTheWire(0), 0)).toBe(true)
    expect(overTheWire([Number.NaN, Infinity, -Infinity])).toEqual([NaN, Infinity, -Infinity])
  })

  test('what is no value is refused', () => {
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    for (const given of [
      () => 1,
      Symbol('a'),
      new Date(Number.NaN),
      'a\ud800',
      [['\udc00']],
      cyclic,
    ]) {
      expect(() => writeValue(given)).toThrow(ValueError)
    }
  })

  test('a hundred levels are taken, more are not, in either direction', () => {
    const nested = (levels: number) => {
      let given: unknown = 1
      for (let i = 0; i < levels; i++) given = [given]
      return given
    }
    expect(overTheWire(nested(100))).toEqual(nested(100))
    expect(() => writeValue(nested(102))).toThrow(ValueError)
    expect(() => readValue(nested(102))).toThrow(ValueError)
    expect(() => readValue(nested(100_000))).toThrow(ValueError)
  })

  test('whatever JSON a stranger sends is a value or a ValueError, which shows nothing of it', () => {
    const hostile = fc.oneof(
      fc.jsonValue(),
      fc.letrec((tie) => ({
        json: fc.oneof(
          { maxDepth: 4 },
          fc.constantFrom<unknown>(
            '-0',
            '1',
            'x',
            '',
            0,
            1,
            null,
            true,
            'AAE=',
            'A',
            '2026',
            '1e5',
          ),
          fc.array(tie('json'), { maxLength: 3 }),
          fc.dictionary(
            fc.constantFrom('$f', '$n', '$d', '$b', '$u', '$o', '$s', '$m', '$x', 'a', '__proto__'),
            tie('json'),
            { maxKeys: 2 },
          ),
        ),
      })).json,
    )
    fc.assert(
      fc.property(hostile, (json) => {
        try {
          readValue(json)
        } catch (error) {
          expect(error).toBeInstanceOf(ValueError)
          expect((error as Error).message).toMatch(/^a value (is|has)/)
        }
      }),
      { numRuns: 5000 },
    )
  })

  test.each([
    [{}],
    [{ a: 1 }],
    [{ $n: '1', $o: {} }],
    [{ $n: 1 }],
    [{ $n: '1.5' }],
    [{ $n: '9'.repeat(1001) }],
    [{ $f: '1' }],
    [{ $d: 'yesterday' }],
    [{ $b: '*' }],
    [{ $b: 5 }],
    [{ $o: [] }],
    [{ $s: {} }],
    [{ $m: [[1]] }],
    [{ toString: 1 }],
    [{ constructor: 1 }],
  ])('%j is refused', (json) => {
    expect(() => readValue(json)).toThrow(ValueError)
  })
})
