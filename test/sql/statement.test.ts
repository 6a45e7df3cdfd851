import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriverFailure } from '../../src/core/index.ts'
import type { Dialect } from '../../src/sql/index.ts'
import { Fragment, type Insert, RawStatement, Writer } from '../../src/sql/statement.ts'
import { tokensOf } from '../../src/sql/tokens.ts'
import { parameterOf } from '../../src/sql/values.ts'
import { pieces } from './texts.ts'

const dialects: Dialect[] = ['mysql', 'sqlserver', 'sqlite']
const writerOf = (dialect: Dialect) => new Writer(dialect, 100)
const strings = (...texts: string[]) => Object.assign(texts, { raw: texts }) as TemplateStringsArray

function made(dialect: Dialect, texts: string[], values: Insert[]) {
  return writerOf(dialect).prepare(strings(...texts), values)
}

const dialect = fc.constantFrom(...dialects)
const value = fc.oneof(
  pieces.filter((text) => text.isWellFormed()),
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array(),
)

describe('a template', () => {
  test.each<[Dialect, string[], string]>([
    ['mysql', ['select ', ' as a, ', ''], 'select ? as a, ?'],
    ['sqlite', ['select ', ' as a, ', ''], 'select ? as a, ?'],
    ['sqlserver', ['select ', ' as a, ', ''], 'select @p1 as a, @p2'],
    ['sqlserver', ['select', 'as a where x=', 'or 1=1'], 'select @p1 as a where x=@p2 or 1=1'],
    ['mysql', ['a=', 'or b=', ''], 'a=? or b=?'],
    ['sqlite', ['limit ', '0'], 'limit ? 0'],
    ['sqlserver', ['limit ', '0'], 'limit @p1 0'],
    ['mysql', ['(', ',', ')'], '(?,?)'],
    ['sqlserver', ['', ''], '@p1'],
  ])('%s: %j is %s', (dialect, texts, text) => {
    const values = texts.slice(1).map((_, i) => i)
    const prepared = made(dialect, texts, values)
    expect(prepared.text).toBe(text)
    expect(prepared.parameters.map(({ value }) => value)).toEqual(values)
  })

  test('whatever a value holds, the text is the same, and the value is a parameter', () => {
    const texts = fc.array(pieces, { minLength: 2, maxLength: 5 })
    let well = 0
    fc.assert(
      fc.property(dialect, texts, fc.array(value, { minLength: 4, maxLength: 4 }), (...given) => {
        const [dialect, texts, all] = given
        const values = all.slice(0, texts.length - 1)
        const plain = attempt(() =>
          made(
            dialect,
            texts,
            values.map(() => 1),
          ),
        )
        const prepared = attempt(() => made(dialect, texts, values))
        expect(prepared?.text).toBe(plain?.text)
        if (prepared === undefined) return
        well++
        expect(prepared.parameters).toEqual(values.map(parameterOf))
        // The server finds a placeholder for each, and no other.
        const found = [...tokensOf(prepared.text, dialect)].filter(
          ({ type }) => type === 'placeholder',
        )
        expect(found.map(({ text }) => text)).toEqual(
          values.map((_, i) => (dialect === 'sqlserver' ? `@p${i + 1}` : '?')),
        )
      }),
      { numRuns: 5000 },
    )
    expect(well).toBeGreaterThan(200)
  })

  test('what is a fragment nested is the same written out', () => {
    fc.assert(
      fc.property(dialect, pieces, pieces, value, value, (dialect, before, after, a, b) => {
        const writer = writerOf(dialect)
        const inner = new Fragment([before, after], [parameterOf(a)])
        const nested = attempt(() => writer.prepare(strings('x ', ' y ', ''), [inner, b]))
        const plain = attempt(() => made(dialect, [`x ${before}`, `${after} y `, ''], [a, b]))
        expect(nested?.text).toBe(plain?.text)
        expect(nested?.parameters).toEqual(plain?.parameters)
      }),
      { numRuns: 2000 },
    )
  })

  test('is read once for each place', () => {
    const writer = writerOf('mysql')
    const place = strings('select ', '')
    expect(writer.prepare(place, [1]).reading).toBe(writer.prepare(place, [2]).reading)
  })
})

describe('a name', () => {
  test('is one name to the server, whatever it holds', () => {
    const text = fc.oneof(pieces, fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(dialect, text, (dialect, name) => {
        const quoted = attempt(() => writerOf(dialect).name([name]))
        if (quoted === undefined) return
        const tokens = [...tokensOf(quoted, dialect)]
        expect(tokens.map(({ type, text }) => [type, text])).toEqual([['name', quoted]])
        const close = quoted.slice(-1)
        expect(quoted.slice(1, -1).replaceAll(close + close, close)).toBe(name)
      }),
      { numRuns: 2000 },
    )
  })

  test.each<[Dialect, string]>([
    ['mysql', '`dbo`.`us``ers`'],
    ['sqlserver', '[dbo].[us`ers]'],
    ['sqlite', '"dbo"."us`ers"'],
  ])('%s: of parts', (dialect, text) => {
    expect(writerOf(dialect).name(['dbo', 'us`ers'])).toBe(text)
  })

  test('is no longer than the server takes', () => {
    for (const [dialect, most] of [
      ['mysql', 64],
      ['sqlserver', 128],
    ] as const) {
      expect(writerOf(dialect).name(['x'.repeat(most)])).toContain('x')
      expect(() => writerOf(dialect).name(['x'.repeat(most + 1)])).toThrow(`1 to ${most}`)
    }
  })
})

describe('raw', () => {
  const raw = (dialect: Dialect, text: string, count: number) =>
    writerOf(dialect).prepareRaw(
      new RawStatement(
        text,
        Array.from({ length: count }, (_, i) => parameterOf(i)),
      ),
    )

  test.each<[Dialect, string, number]>([
    ['mysql', "select ?, '?' /* ? */ -- ?", 1],
    ['sqlserver', "select @p2, @p1, @P2, '@p3', @x", 2],
    ['sqlite', 'select ?, "?", [?], `?`', 1],
    ['sqlserver', 'select ?', 0],
  ])('%s: %s has %d', (dialect, text, count) => {
    expect(raw(dialect, text, count).text).toBe(text)
    expect(() => raw(dialect, text, count + 1)).toThrow(DriverFailure)
  })

  test.each<[Dialect, string, number]>([
    ['sqlserver', 'select @p2', 1],
    ['sqlserver', 'select @p1, @p3', 2],
    ['sqlserver', 'select @p0', 1],
    ['sqlite', 'select ?1', 1],
    ['sqlite', 'select :a, @b, $c', 3],
    ['mysql', "select '?", 0],
    ['mysql', 'select /*! ? */ 1', 0],
  ])('%s: %s is refused', (dialect, text, count) => {
    expect(() => raw(dialect, text, count)).toThrow(DriverFailure)
  })
})

/** Undefined if it is refused. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof DriverFailure && error.failure.kind === 'invalid') return undefined
    throw error
  }
}
