import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriverFailure } from '../../src/core/index.ts'
import { parameterOf, TypedParameter, typed } from '../../src/sql/values.ts'

describe('the type of a value', () => {
  test.each<[unknown, string, unknown]>([
    [0, 'integer', 0],
    [2 ** 31 - 1, 'integer', 2 ** 31 - 1],
    [-(2 ** 31), 'integer', -(2 ** 31)],
    [2 ** 31, 'bigint', 2n ** 31n],
    [Number.MIN_SAFE_INTEGER, 'bigint', -(2n ** 53n) + 1n],
    [2 ** 53, 'double', 2 ** 53],
    [0.5, 'double', 0.5],
    [-0, 'double', -0],
    [Number.MAX_VALUE, 'double', Number.MAX_VALUE],
    [1n, 'bigint', 1n],
    [2n ** 64n - 1n, 'bigint', 2n ** 64n - 1n],
    [true, 'boolean', true],
    ['', 'string', ''],
    [null, 'string', null],
    [new Date(0), 'instant', new Date(0)],
    [new Uint8Array(1), 'binary', new Uint8Array(1)],
    [Buffer.from('a'), 'binary', Buffer.from('a')],
  ])('%o is %s', (value, type, given) => {
    const parameter = parameterOf(value)
    expect(parameter.type).toBe(type)
    expect(parameter.value).toStrictEqual(given)
  })

  test('whatever is given is a valid parameter or refused as invalid', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }),
        (value) => {
          let parameter: ReturnType<typeof parameterOf>
          try {
            parameter = parameterOf(value)
          } catch (error) {
            expect(error).toBeInstanceOf(DriverFailure)
            expect((error as DriverFailure).failure).toMatchObject({
              kind: 'invalid',
              outcome: 'not-applied',
            })
            return
          }
          // By its type it could have been made as well.
          const make = typed[parameter.type] as (value: unknown) => TypedParameter
          expect(make(parameter.value)).toMatchObject({ ...parameter })
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('values of a type', () => {
  const twice = (text: string) => text.padStart(2, '0')
  const day = fc
    .date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T00:00:00Z'),
      noInvalidDate: true,
    })
    .map((date) => date.toISOString().slice(0, 10))
  const clock = fc
    .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.option(fc.stringMatching(/^\d{1,7}$/)))
    .map(([h, m, s, fraction]) => {
      const text = [h, m, s].map((part) => twice(String(part))).join(':')
      return fraction === null ? text : `${text}.${fraction}`
    })

  test('every day, time, datetime, UUID and decimal is taken as it is', () => {
    fc.assert(
      fc.property(
        day,
        clock,
        fc.uuid(),
        fc.stringMatching(/^[+-]?\d{1,30}(\.\d{0,30})?$/),
        (...all) => {
          const [day, clock, uuid, decimal] = all
          expect(typed.date(day).value).toBe(day)
          expect(typed.time(clock).value).toBe(clock)
          expect(typed.datetime(`${day}T${clock}`).value).toBe(`${day}T${clock}`)
          expect(typed.uuid(uuid.toUpperCase()).value).toBe(uuid)
          expect(typed.decimal(decimal).value).toBe(decimal)
        },
      ),
    )
  })

  test('a text that is none is refused, without a word of it', () => {
    const makers = [typed.date, typed.time, typed.datetime, typed.uuid, typed.decimal]
    fc.assert(
      fc.property(
        fc.constantFrom(...makers),
        fc.stringMatching(/^[a-z' ;-]{6,40}$/),
        (make, text) => {
          let failed: unknown
          try {
            make(text)
          } catch (error) {
            failed = error
          }
          expect(failed).toBeInstanceOf(DriverFailure)
          expect((failed as DriverFailure).message).not.toContain(text)
        },
      ),
    )
  })

  test('a document comes as JSON, null as NULL', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        const { type, value } = typed.json(document)
        expect(type).toBe('json')
        if (document === null) expect(value).toBeNull()
        else expect(value).toBe(JSON.stringify(document))
      }),
    )
  })

  test('one of another copy of the library is as good', () => {
    const foreign = Object.defineProperty(
      { type: 'decimal', value: '1.10' },
      Symbol.for('dualport.SqlParameter'),
      { value: true },
    )
    expect(parameterOf(foreign)).toBe(foreign)
    expect(() => parameterOf({ type: 'decimal', value: '1.10' })).toThrow(DriverFailure)
    expect(parameterOf(typed.decimal('1.10'))).toBeInstanceOf(TypedParameter)
  })
})
