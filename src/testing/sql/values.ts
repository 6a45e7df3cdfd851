import type { Insert, Sql, SqlValue } from '../../sql/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import type { SqlCase, SqlFixture } from './fixture.ts'

/** A value, and what it comes back as if that is something else. */
type Pair = readonly [value: SqlValue, comesBack: unknown]

/** Puts each value into a row of its own, and compares what comes back. */
async function roundTrip(
  { sql, table, types }: SqlFixture,
  type: string,
  pairs: readonly Pair[],
): Promise<void> {
  const { t } = await table(`id ${types.integer} primary key, v ${type}`)
  for (const [i, [value]] of pairs.entries()) {
    await sql.execute`insert into ${t} (id, v) values (${i}, ${value})`
  }
  const rows = await sql.query<{ v: unknown }>`select v from ${t} order by id`
  equal(
    rows.map(({ v }) => v),
    pairs.map(([, comesBack]) => comesBack),
    `what was in the column ${type}`,
  )
}

const itself = (value: SqlValue): Pair => [value, value]

/** Each text is what its maker takes, and what comes back. */
const texts = (make: (text: string) => SqlValue, ...all: string[]): Pair[] =>
  all.map((text) => [make(text), text])

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i % 256)

const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'
const document = { a: [1, 'x', null, true, -1.5, { b: {} }], 'ü "\\': "😀\u2028'" }

export const values: readonly SqlCase[] = [
  {
    name: 'integers of 32 bits are numbers',
    run: (fixture) =>
      roundTrip(fixture, fixture.types.integer, [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)].map(itself)),
  },
  {
    name: 'integers of 64 bits are bigint, exact to the last digit',
    run: (fixture) =>
      roundTrip(fixture, fixture.types.bigint, [
        ...[0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)].map(
          itself,
        ),
        [7, 7n],
        [2 ** 52 + 1, 2n ** 52n + 1n],
        [fixture.sql.bigint(5), 5n],
      ]),
  },
  {
    name: '2^64 - 1 is there where the database has it, and refused elsewhere',
    async run(fixture) {
      if (fixture.dialect === 'mysql') {
        const all = [0n, 2n ** 63n, 2n ** 64n - 1n].map(itself)
        return roundTrip(fixture, 'bigint unsigned', all)
      }
      const { sql, table, types } = fixture
      const { t } = await table(`v ${types.bigint}`)
      for (const value of [2n ** 63n, 2n ** 64n - 1n]) {
        const inserting = sql.execute`insert into ${t} (v) values (${value})`
        await rejects(inserting, { kind: 'invalid', outcome: 'not-applied' })
      }
      equal(await sql.query`select v from ${t}`, [])
    },
  },
  {
    name: 'doubles are numbers, to the last bit',
    run: (fixture) =>
      roundTrip(fixture, fixture.types.double, [
        ...[0.1, -1.5, 1 / 3, 1e-300, Number.MAX_VALUE, -Number.MAX_VALUE].map(itself),
        [3, 3],
        [fixture.sql.double(4), 4],
        [2 ** 40, 2 ** 40],
      ]),
  },
  {
    name: 'minus zero is a zero, with its sign or without',
    async run({ sql, table, types }) {
      const { t } = await table(`v ${types.double}`)
      await sql.execute`insert into ${t} (v) values (${-0})`
      const { v } = await sql.one<{ v: number }>`select v from ${t}`
      ok(v === 0, `it is ${v}`)
    },
  },
  {
    name: 'decimals are texts with all digits of their column',
    async run(fixture) {
      const { sql, types } = fixture
      const of = (text: string, comesBack: string): Pair => [sql.decimal(text), comesBack]
      await roundTrip(fixture, types.decimal(10, 2), [
        of('1.10', '1.10'),
        of('-1.10', '-1.10'),
        of('0', '0.00'),
        of('99999999.99', '99999999.99'),
        of('-99999999.99', '-99999999.99'),
        of('+5', '5.00'),
        of('.5', '0.50'),
        of('-0.01', '-0.01'),
        of('007.3', '7.30'),
      ])
    },
  },
  {
    name: 'decimals of many digits are exact',
    run: (fixture) =>
      roundTrip(
        fixture,
        fixture.types.decimal(38, 10),
        texts(
          fixture.sql.decimal,
          '1234567890123456789012345678.0123456789',
          '-9999999999999999999999999999.9999999999',
          '0.0000000001',
        ),
      ),
  },
  {
    name: 'texts keep every character',
    run: (fixture) =>
      roundTrip(
        fixture,
        fixture.types.text(200),
        [
          '',
          ' a ',
          'ü€',
          '😀👩‍👩‍👧',
          '\u{10FFFF}\uFEFF',
          'a\r\nb\tc\x1a\x08',
          '"\'`\\',
          "\\'; drop table x; --",
          '%_?@p1:a$1[]{}',
          '/* */ -- #',
          'NULL',
          '\u00e9e\u0301',
        ].map(itself),
      ),
  },
  {
    name: 'a text may have a NUL in it',
    run: (fixture) =>
      roundTrip(fixture, fixture.types.text(20), ['\0', 'a\0b', "\0'; --"].map(itself)),
  },
  {
    name: 'long texts and binaries are whole',
    async run(fixture) {
      const { types } = fixture
      await roundTrip(fixture, types.longText, [itself('ü😀a'.repeat(50_000))])
      await roundTrip(fixture, types.longBinary, [itself(bytes(300_000))])
    },
  },
  {
    name: 'booleans are what the database has for them',
    run(fixture) {
      const { sql, types, dialect } = fixture
      const of = (value: boolean) => (dialect === 'mysql' ? Number(value) : value)
      return roundTrip(fixture, types.boolean, [
        [true, of(true)],
        [false, of(false)],
        [sql.boolean(true), of(true)],
      ])
    },
  },
  {
    name: 'dates are texts',
    run(fixture) {
      const { sql, types, dialect } = fixture
      const days = ['2026-11-28', '2024-02-29', '1900-03-01', '9999-12-31', '1000-01-01']
      if (dialect !== 'mysql') days.push('0001-01-01')
      return roundTrip(fixture, types.date, texts(sql.date, ...days))
    },
  },
  {
    name: 'times are texts, whose fraction has no zeros at its end',
    run(fixture) {
      const { sql, types, dialect } = fixture
      const times = ['00:00:00', '23:59:59', '12:00:00.5', '01:02:03.000001', '23:59:59.999999']
      if (dialect === 'mysql') times.push('-838:59:59', '838:59:59', '-00:00:00.5', '100:00:01')
      else times.push('23:59:59.9999999')
      return roundTrip(fixture, types.time, [
        ...texts(sql.time, ...times),
        [sql.time('10:00:00.500'), '10:00:00.5'],
        [sql.time('10:00:00.000'), '10:00:00'],
      ])
    },
  },
  {
    name: 'datetimes are texts of no time zone',
    run(fixture) {
      const { sql, types, dialect } = fixture
      const all = [
        '2026-11-28T12:00:00',
        '2024-02-29T23:59:59.999999',
        '2026-03-29T02:30:00',
        '9999-12-31T23:59:59.5',
        '1000-01-01T00:00:00',
      ]
      if (dialect !== 'mysql') all.push('0001-01-01T00:00:00', '2026-11-28T12:00:00.1234567')
      return roundTrip(fixture, types.datetime, [
        ...texts(sql.datetime, ...all),
        [sql.datetime('2026-11-28 12:00:00.500'), '2026-11-28T12:00:00.5'],
      ])
    },
  },
  {
    name: 'instants are Dates, to the millisecond',
    run(fixture) {
      const all = [
        '2026-11-28T12:00:00.123Z',
        '2024-02-29T23:59:59.999Z',
        '1970-01-02T00:00:00.000Z',
        '2026-03-29T01:30:00.000Z',
        '2026-10-25T00:30:00.001Z',
        '2038-01-19T03:14:06.999Z',
      ]
      // TIMESTAMP of MySQL begins in 1970.
      if (fixture.dialect !== 'mysql')
        all.push('0001-01-02T00:00:00.000Z', '9999-12-30T23:59:59.999Z')
      return roundTrip(
        fixture,
        fixture.types.instant,
        all.map((text) => itself(new Date(text))),
      )
    },
  },
  {
    name: 'binaries are Uint8Array',
    run: (fixture) =>
      roundTrip(
        fixture,
        fixture.types.binary(1000),
        [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(255, 39, 92, 0), bytes(1000)].map(
          itself,
        ),
      ),
  },
  {
    name: 'a part of a larger array goes out as what it shows',
    async run(fixture) {
      const part = bytes(100).subarray(10, 13)
      await roundTrip(fixture, fixture.types.binary(1000), [[part, Uint8Array.of(10, 11, 12)]])
    },
  },
  {
    name: 'UUIDs are texts in lower case',
    run: (fixture) =>
      roundTrip(fixture, fixture.types.uuid, [
        [fixture.sql.uuid(uuid), uuid],
        [fixture.sql.uuid(uuid.toUpperCase()), uuid],
      ]),
  },
  {
    name: 'JSON columns are parsed, where the database has them',
    async run(fixture) {
      const { sql, types, dialect } = fixture
      const all = [document, [1, [2]], {}, [], 'text', 5, true]
      // SQL Server has texts for them.
      const of = (value: unknown) => (dialect === 'sqlserver' ? JSON.stringify(value) : value)
      await roundTrip(
        fixture,
        types.json,
        all.map((value) => [sql.json(value), of(value)]),
      )
    },
  },
  {
    name: 'null is null, of every type',
    async run({ sql, table, types }) {
      const columns: [string, string, SqlValue][] = [
        ['a', types.integer, sql.integer(null)],
        ['b', types.bigint, sql.bigint(null)],
        ['c', types.double, sql.double(null)],
        ['d', types.decimal(10, 2), sql.decimal(null)],
        ['e', types.text(10), sql.string(null)],
        ['f', types.boolean, sql.boolean(null)],
        ['g', types.date, sql.date(null)],
        ['h', types.time, sql.time(null)],
        ['i', types.datetime, sql.datetime(null)],
        ['j', types.instant, sql.instant(null)],
        ['k', types.binary(10), sql.binary(null)],
        ['l', types.uuid, sql.uuid(null)],
        ['m', types.json, sql.json(null)],
      ]
      const { t } = await table(columns.map(([name, type]) => `${name} ${type}`).join(', '))
      const names = sql.join(columns.map(([name]) => sql.id(name)))
      const typed = columns.map(([, , value]) => sql.fragment`${value}`)
      await sql.execute`insert into ${t} (${names}) values (${sql.join(typed)})`
      const none = Object.fromEntries(columns.map(([name]) => [name, null]))
      equal(await sql.query`select ${names} from ${t}`, [none])
    },
  },
  {
    name: 'a null that nobody named the type of fits every column but a binary one',
    async run({ sql, table, types }) {
      const all = [types.integer, types.bigint, types.double, types.decimal(5, 1), types.text(5)]
      all.push(types.boolean, types.date, types.time, types.datetime, types.instant, types.uuid)
      const columns = all.map((type, i) => `c${i} ${type}`)
      const { t } = await table(columns.join(', '))
      const nulls = sql.join(all.map(() => sql.fragment`${null}`))
      await sql.execute`insert into ${t} values (${nulls})`
      equal((await sql.query`select * from ${t}`).map(Object.values), [all.map(() => null)])
    },
  },
  {
    name: 'values compare as those of the column',
    async run(fixture) {
      const { sql, types } = fixture
      const when = new Date('2026-11-28T12:00:00.123Z')
      const all: [string, SqlValue][] = [
        [types.integer, 5],
        [types.bigint, 2n ** 60n + 1n],
        [types.double, 0.1],
        [types.decimal(10, 2), sql.decimal('1.10')],
        [types.text(10), 'Ü'],
        [types.boolean, true],
        [types.date, sql.date('2026-11-28')],
        [types.time, sql.time('12:00:00.5')],
        [types.datetime, sql.datetime('2026-11-28T12:00:00.5')],
        [types.instant, when],
        [types.binary(10), Uint8Array.of(1, 0, 2)],
        [types.uuid, sql.uuid(uuid)],
      ]
      for (const [type, value] of all) {
        const { t } = await fixture.table(`v ${type}`)
        await sql.execute`insert into ${t} (v) values (${value})`
        equal((await sql.query`select 1 as it from ${t} where v = ${value}`).length, 1, type)
      }
    },
  },
  {
    name: 'numbers order as numbers and times by time',
    async run({ sql, table, types }) {
      const { t } = await table(
        `n ${types.decimal(10, 2)}, at ${types.instant}, id ${types.integer}`,
      )
      const rows: [string, string][] = [
        ['10', '2026-11-28T12:00:00.000Z'],
        ['9.5', '2026-11-28T11:59:59.999Z'],
        ['-3', '2001-01-01T00:00:00.000Z'],
      ]
      for (const [i, [n, at]] of rows.entries()) {
        await sql.execute`insert into ${t} (n, at, id)
          values (${sql.decimal(n)}, ${new Date(at)}, ${i})`
      }
      equal(await ids(sql, sql.fragment`${t} order by n`), [2, 1, 0])
      equal(await ids(sql, sql.fragment`${t} order by at`), [2, 1, 0])
      const [nine, day] = [sql.decimal('9'), new Date('2026-11-01T00:00:00Z')]
      equal(await ids(sql, sql.fragment`${t} where n > ${nine} order by n`), [1, 0])
      equal(await ids(sql, sql.fragment`${t} where at > ${day} order by at`), [1, 0])
    },
  },
  {
    name: 'the columns of a row are in the order of the statement',
    async run({ sql }) {
      const row = await sql.one`select 1 as z, 2 as a, 3 as ${sql.id('with a space')}`
      equal(Object.keys(row), ['z', 'a', 'with a space'])
      equal(Object.getPrototypeOf(row), Object.prototype)
    },
  },
  {
    name: 'a wide row and many rows are whole',
    async run({ sql, table, types }) {
      const columns = Array.from({ length: 200 }, (_, i) => `c${i}`)
      const { t, name } = await table(columns.map((c) => `${c} ${types.integer}`).join(', '))
      const row = (n: number) => Object.fromEntries(columns.map((c, i) => [c, n * 1000 + i]))
      await sql.bulkInsert(
        name,
        Array.from({ length: 300 }, (_, n) => row(n)),
      )
      const found = await sql.query`select * from ${t} order by c0`
      equal(
        found,
        Array.from({ length: 300 }, (_, n) => row(n)),
      )
    },
  },
]

async function ids(sql: Sql, from: Insert): Promise<unknown[]> {
  return (await sql.query`select id from ${from}`).map(({ id }) => id)
}
