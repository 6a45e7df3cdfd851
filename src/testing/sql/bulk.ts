import { equal, rejects } from '../assert.ts'
import { not, type SqlCase } from './fixture.ts'
import { people } from './templates.ts'

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1, name: `row ${i + 1}` }))

function* generated(count: number): Generator<{ id: number; name: string }> {
  for (let i = 1; i <= count; i++) yield { id: i, name: `row ${i}` }
}

async function* slowly(count: number) {
  for (const row of generated(count)) {
    await undefined
    yield row
  }
}

export const bulks: readonly SqlCase[] = [
  {
    name: 'it inserts rows of every type, and counts them',
    async run({ sql, table, types }) {
      const { t, name } = await table(
        `a ${types.integer}, b ${types.bigint}, c ${types.double}, d ${types.decimal(10, 2)},
          e ${types.text(20)}, f ${types.date}, g ${types.time}, h ${types.datetime},
          i ${types.instant}, j ${types.binary(10)}, k ${types.uuid}`,
      )
      const at = new Date('2026-11-28T12:00:00.123Z')
      const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'
      const full = {
        a: 1,
        b: 2n ** 60n,
        c: 0.5,
        d: sql.decimal('1.10'),
        e: "ü '😀",
        f: sql.date('2026-11-28'),
        g: sql.time('12:00:00.5'),
        h: sql.datetime('2026-11-28T12:00:00'),
        i: at,
        j: Uint8Array.of(0, 255),
        k: sql.uuid(uuid),
      }
      const empty = {
        a: null,
        b: null,
        c: sql.double(null),
        d: null,
        e: '',
        f: null,
        g: null,
        h: null,
        i: null,
        j: sql.binary(null),
        k: null,
      }
      equal(await sql.bulkInsert(name, [full, empty]), 2)
      const texts = { d: '1.10', f: '2026-11-28', g: '12:00:00.5', h: '2026-11-28T12:00:00' }
      equal(await sql.query`select * from ${t} where a = ${1}`, [{ ...full, ...texts, k: uuid }])
      const nulls = Object.fromEntries(Object.keys(empty).map((key) => [key, null]))
      equal(await sql.query`select * from ${t} where a is null`, [{ ...nulls, e: '' }])
    },
  },
  {
    name: 'arrays, generators and async iterables are taken',
    async run(fixture) {
      const { sql } = fixture
      for (const make of [rows, generated, slowly]) {
        const { t, name } = await people(fixture)
        equal(await sql.bulkInsert(name, make(50)), 50, make.name)
        equal(await sql.query`select id, name from ${t} order by id`, rows(50), make.name)
      }
    },
  },
  {
    name: 'more rows than one part takes are all there',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      equal(await sql.bulkInsert(name, generated(25_000), { timeoutMs: 30_000 }), 25_000)
      equal((await sql.query`select id from ${t} where id in (1, 10000, 10001, 25000)`).length, 4)
      equal((await sql.query`select id from ${t} where id > ${24_000}`).length, 1000)
    },
  },
  {
    name: 'if the last of many rows fails none is there',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      for (const count of [10, 21_000]) {
        const twice = [...rows(count), { id: 1, name: 'again' }]
        const failed = sql.bulkInsert(name, twice, { timeoutMs: 30_000 })
        await rejects(failed, { kind: 'conflict', outcome: 'not-applied' }, `${count} rows`)
        equal(await sql.query`select id from ${t}`, [], `after ${count} rows`)
      }
    },
  },
  {
    name: 'what the iterable throws comes out, and no row is there',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      const mine = new Error('of the iterable')
      for (const count of [5, 21_000]) {
        function* broken() {
          yield* generated(count)
          throw mine
        }
        const failed = sql.bulkInsert(name, broken(), { timeoutMs: 30_000 })
        equal(
          await failed.then(
            () => 'nothing',
            (error) => error === mine,
          ),
          true,
        )
        equal(await sql.query`select id from ${t}`, [])
      }
    },
  },
  {
    name: 'no rows are none',
    async run(fixture) {
      const { name } = await people(fixture)
      equal(await fixture.sql.bulkInsert(name, []), 0)
    },
  },
  {
    name: 'columns may be named, and the others have their defaults',
    async run({ sql, table, types }) {
      const { t, name } = await table(
        `id ${types.identity}, a ${types.integer} default 7, b ${types.text(10)}`,
      )
      equal(await sql.bulkInsert(name, [{ b: 'x' }, { b: 'y' }], { columns: ['b'] }), 2)
      equal(await sql.query`select a, b from ${t} order by b`, [
        { a: 7, b: 'x' },
        { a: 7, b: 'y' },
      ])
    },
  },
  {
    name: 'the fields of a row may be in any order',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      await sql.bulkInsert(name, [
        { id: 1, name: 'a' },
        { name: 'b', id: 2 },
      ])
      equal(await sql.query`select id, name from ${t} order by id`, [
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ])
    },
  },
  {
    name: 'rows of other fields are refused, and none is there',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      const wrong: unknown[][] = [
        [{ id: 1, name: 'a' }, { id: 2 }],
        [{ id: 1 }, { id: 2, name: 'b' }],
        [
          { id: 1, name: 'a' },
          { id: 2, nam: 'b' },
        ],
        [{}],
        [{ id: 1, name: undefined }],
        [{ id: 1, name: ['a'] }],
        [null],
        ['text'],
        [[1, 'a']],
      ]
      for (const all of wrong) {
        await rejects(sql.bulkInsert(name, not(all)), { kind: 'invalid', outcome: 'not-applied' })
      }
      for (const all of [undefined, null, 5, { id: 1 }]) {
        await rejects(sql.bulkInsert(name, not(all)), { kind: 'invalid', outcome: 'not-applied' })
      }
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'an unknown table and an unknown column are not found',
    async run(fixture) {
      const { name } = await people(fixture)
      const { sql } = fixture
      const missing = { kind: 'not-found', outcome: 'not-applied' } as const
      await rejects(sql.bulkInsert('dualport_never_made', [{ id: 1 }]), missing)
      await rejects(sql.bulkInsert(name, [{ id: 1, absent: 2 }]), missing)
    },
  },
  {
    name: 'within a transaction it is a part of it',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      const failed = sql.transaction(async (transaction) => {
        equal(await transaction.bulkInsert(name, generated(12_000)), 12_000)
        const again = transaction.bulkInsert(name, [
          { id: 12_001, name: 'new' },
          { id: 1, name: 'again' },
        ])
        await rejects(again, { kind: 'conflict' })
        equal((await transaction.query`select id from ${t} where id > ${12_000}`).length, 0)
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      equal(await sql.query`select id from ${t}`, [])
    },
  },
]
