import { format } from '@planetscale/database'
import fc from 'fast-check'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, describe, expect, test } from 'vitest'
import { formatted, literalOf } from '../../adapters/sql/planetscale/literals.ts'
import type { Parameter } from '../../src/sql/index.ts'
import { engine, needs } from '../engines/index.ts'

const mysql = await engine('mysql')

describe('literals, as the server reads them', needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const connection = await createConnection({
    uri: mysql.url,
    charset: 'utf8mb4',
    timezone: 'Z',
    rowsAsArray: true,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    maxPreparedStatements: 10,
  })
  afterAll(() => connection.end())

  /** Prepared, though without values: mysql2 rounds doubles that come as text. */
  async function selected(text: string): Promise<unknown[]> {
    const [rows] = await connection.execute<RowDataPacket[][]>(text)
    return rows[0] as unknown[]
  }

  async function back(parameters: readonly Parameter[]): Promise<unknown[]> {
    // Named: a name would be made of the value, and mysql2 gives up its connection at `__proto__`.
    const text = `select ${parameters.map((_, i) => `? as c${i}`).join(', ')}`
    return selected(formatted(text, parameters, format))
  }

  /** What has broken such things before. */
  const awkward = fc.constantFrom(
    ...["'", '"', '`', '\\', '\0', '\b', '\n', '\r', '\t', '\x1a', '%', '_', '?', '??', ':a', ';'],
    ...['--', '-- ', '#', '/*', '*/', '/*!', "\\'", "''", '\\', "'; drop table x; -- ", '\x7f'],
    // The tail of a character of GBK, BIG5 or SJIS may be a backslash, or the head of one swallow it.
    ...['\u00bf\u0027', '\u00bf\\', '\u7e9b', '\u8868', '\u529f', '\uff3c', '\u00a5', '\u20a9'],
    ...['\ufeff', '\u2028', '\u0000\u0027', '😀', '\u{10ffff}', '\ud7ff', '\ufffd', 'ß', 'İ'],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc
      .array(fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 2 })))
      .map((all) => all.join('')),
  )

  test('every text comes back as it was, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 8 }), async (texts) => {
        const parameters = texts.map((value): Parameter => ({ type: 'string', value }))
        expect(await back(parameters)).toEqual(texts)
      }),
      { numRuns: 400 },
    )
  })

  test('every character that there is', async () => {
    for (let from = 0; from < 0x11_0000; from += 0x4000) {
      let value = ''
      for (let point = from; point < from + 0x4000; point++) {
        if (point < 0xd800 || point > 0xdfff) value += String.fromCodePoint(point)
      }
      expect((await back([{ type: 'string', value }]))[0] === value).toBe(true)
    }
  })

  test('a text among others, where the text has marks, quotes and comments of its own', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (one, other) => {
        const query = `select '?', "?''\\"?", \`?\`, ? as one, /* ? ' */ 1 -- ? '
          , ? as other, 1 --1 # ? "
          from (select 2 as \`?\`) t where ? = ?`
        const parameters = [one, other, 'x', 'x'].map(
          (value): Parameter => ({ type: 'string', value }),
        )
        expect(await selected(formatted(query, parameters, format))).toEqual([
          ...['?', `?''"?`, 2, one, 1, other, 2],
        ])
      }),
    )
  })

  test('every integer, as an integer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), async (value) => {
        expect(await back([{ type: 'bigint', value }])).toEqual([
          Number.isSafeInteger(Number(value)) ? Number(value) : String(value),
        ])
      }),
    )
    const ends = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]
    const parameters = ends.map((value): Parameter => ({ type: 'bigint', value }))
    expect(await back(parameters)).toEqual(ends.map(String))
    expect(
      await selected(
        formatted(
          'select 1 -?, 1 --?, -?',
          [
            { type: 'integer', value: -5 },
            { type: 'integer', value: -5 },
            { type: 'double', value: -0.5 },
          ],
          format,
        ),
      ),
    ).toEqual([6, -4, 0.5])
  })

  test('every double, to its last bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (value) => {
        // A zero has no sign in a result of MariaDB.
        expect(await back([{ type: 'double', value }])).toEqual([value + 0])
      }),
      { examples: [[-0], [5e-324], [Number.MAX_VALUE], [1e21], [0.1]], numRuns: 400 },
    )
  })

  test('every decimal, with all of its digits', async () => {
    const digits = fc.stringMatching(/^-?\d{1,30}\.\d{0,30}$/)
    await fc.assert(
      fc.asyncProperty(digits, async (value) => {
        const [got] = await back([{ type: 'decimal', value }])
        const canonical = (text: string) =>
          text
            .replace(/^(-?)0*(?=\d)/, '$1')
            .replace(/\.$/, '')
            .replace(/^-(?=[0.]*$)/, '')
        expect(got).toBe(canonical(value))
      }),
      { examples: [['5.'], ['-0.10'], ['00.5']] },
    )
    expect(
      await back(['5', '+1.50', '.5'].map((value): Parameter => ({ type: 'decimal', value }))),
    ).toEqual(['5', '1.50', '0.5'])
  })

  test('bytes, booleans, documents, moments, and nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (value) => {
        const [got] = await back([{ type: 'binary', value }])
        expect([...(got as Buffer)]).toEqual([...value])
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.json(), async (value) => {
        expect(await back([{ type: 'json', value }])).toEqual([value])
      }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.date({
          min: new Date('1000-01-01T00:00:00Z'),
          max: new Date('9999-12-31'),
          noInvalidDate: true,
        }),
        async (value) => {
          const literal = literalOf({ type: 'instant', value }, format)
          const [got] = await selected(`select cast(${literal} as datetime(3))`)
          expect(new Date(`${String(got).replace(' ', 'T')}Z`)).toEqual(value)
        },
      ),
    )
    expect(
      await back([
        { type: 'boolean', value: true },
        { type: 'boolean', value: false },
        { type: 'json', value: null },
        { type: 'time', value: '-838:59:59' },
        { type: 'uuid', value: '0f8fad5b-d9cb-469f-a165-70867728950e' },
      ]),
    ).toEqual([1, 0, null, '-838:59:59', '0f8fad5b-d9cb-469f-a165-70867728950e'])
    const datetime: Parameter = { type: 'datetime', value: '2026-11-28T12:00:00.1234567' }
    expect(await selected(`select cast(${literalOf(datetime, format)} as datetime(6))`)).toEqual([
      '2026-11-28 12:00:00.123456',
    ])
  })

  test('what stands beside a value does not become part of it', async () => {
    const value = "x' or 'a"
    const parameters: Parameter[] = [{ type: 'string', value }]
    expect(await selected(formatted('select x.x from (select?as x)x', parameters, format))).toEqual(
      [value],
    )
    expect(
      await selected(
        formatted('select 1 from(select 1)t where?in(?)', [...parameters, ...parameters], format),
      ),
    ).toEqual([1])
    const five: Parameter = { type: 'integer', value: 5 }
    const text = 'select a from(select 1 as a)t where a=?or a<?limit?'
    expect(await selected(formatted(text, [five, five, five], format))).toEqual([1])
    // Not the bytes x'61'.
    expect(formatted('select x?', [{ type: 'string', value: '61' }], format)).toBe("select x '61'")
    for (const query of ["select ?'b'", "select 'b'?", 'select ??', 'select ? ?', 'select ? "b"']) {
      const values = query
        .split('?')
        .slice(1)
        .map(() => parameters[0] as Parameter)
      expect(() => formatted(query, values, format)).toThrow('beside')
    }
    expect(() => formatted('select ?, ?', parameters, format)).toThrow('not as many')
    expect(() => formatted("select '?'", parameters, format)).toThrow('not as many')
  })
})
