import { equal, rejects } from '../assert.ts'
import { not, type SqlCase } from './fixture.ts'
import { people } from './templates.ts'

const invalid = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

export const validation: readonly SqlCase[] = [
  {
    name: 'what is no value is refused before anything is sent, wherever it stands',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      const wrong: Record<string, unknown> = {
        undefined,
        NaN: Number.NaN,
        Infinity: Number.POSITIVE_INFINITY,
        'an array': [1],
        'an object': { a: 1 },
        'a function': () => 1,
        'a symbol': Symbol('a'),
        'a lone surrogate': 'a\ud800b',
        'half of another': '\udc00',
        '2^64': 2n ** 64n,
        'less than -2^63': -(2n ** 63n) - 1n,
        'an invalid Date': new Date(Number.NaN),
        'a Date of the year 10000': new Date('+010000-01-01T00:00:00Z'),
        'a Date before the year 1': new Date('0000-12-31T00:00:00Z'),
        'an ArrayBuffer': new ArrayBuffer(2),
        'a Map': new Map(),
        'a Promise': Promise.resolve(1),
      }
      for (const [what, value] of Object.entries(wrong)) {
        const bad = not<string>(value)
        const insert = sql.execute`insert into ${t} (id, name) values (1, ${bad})`
        await rejects(insert, invalid, what)
        await rejects(() => sql.in([1, bad]), invalid, `${what} in a list`)
        await rejects(() => sql.fragment`${bad}`, invalid, `${what} in a fragment`)
        await rejects(() => sql.raw('select ?', [bad]), invalid, `${what} in raw`)
        await rejects(sql.bulkInsert(name, [{ id: 1, name: bad }]), invalid, `${what} in bulk`)
      }
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'values of a type are checked when they are made',
    async run({ sql }) {
      const wrong: Record<string, (() => unknown)[]> = {
        boolean: [0, 'true', undefined].map((value) => () => sql.boolean(not(value))),
        integer: [1.5, 2 ** 31, -(2 ** 31) - 1, Number.NaN, '1', 1n, undefined].map(
          (value) => () => sql.integer(not(value)),
        ),
        bigint: [2 ** 53, 1.5, '1', 2n ** 64n, undefined].map(
          (value) => () => sql.bigint(not(value)),
        ),
        double: [Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, undefined].map(
          (value) => () => sql.double(not(value)),
        ),
        decimal: [
          '',
          '.',
          '1e5',
          '1,5',
          ' 1',
          '--1',
          '0x1',
          'NaN',
          1.5,
          '1'.repeat(81),
          undefined,
        ].map((value) => () => sql.decimal(not(value))),
        string: [1, undefined, 'a\udfff'].map((value) => () => sql.string(not(value))),
        date: ['2026-02-29', '2026-13-01', '2026-1-1', '0000-01-01', '10000-01-01', '', 5].map(
          (value) => () => sql.date(not(value)),
        ),
        time: ['24:61:00', '12:00', '12:00:60', '839:00:00', '12:00:00.12345678', '', 5].map(
          (value) => () => sql.time(not(value)),
        ),
        datetime: [
          '2026-11-28',
          '2026-11-28T24:00:00',
          '2026-02-30T00:00:00',
          '2026-11-28T12:00:00Z',
        ].map((value) => () => sql.datetime(not(value))),
        instant: ['2026-11-28', 5, new Date(Number.NaN)].map(
          (value) => () => sql.instant(not(value)),
        ),
        binary: ['text', [1, 2], new ArrayBuffer(1)].map((value) => () => sql.binary(not(value))),
        uuid: [
          '',
          'x',
          '0f8fad5b-d9cb-469f-a165-70867728950',
          '{0f8fad5b-d9cb-469f-a165-70867728950e}',
        ].map((value) => () => sql.uuid(not(value))),
        json: [undefined, () => 1, { a: 1n }].map((value) => () => sql.json(not(value))),
      }
      for (const [type, all] of Object.entries(wrong)) {
        for (const make of all) await rejects(make, invalid, type)
      }
    },
  },
  {
    name: 'names that are none are refused',
    async run(fixture) {
      const { sql } = fixture
      for (const name of ['', 'a\0b', 'a\ud800', 'x'.repeat(1025), undefined, 5, null, ['a']]) {
        await rejects(() => sql.id(not(name)), invalid, String(name))
        await rejects(sql.bulkInsert(not([name]), [{ id: 1 }]), invalid, String(name))
      }
      await rejects(() => sql.id(), invalid)
      await rejects(sql.bulkInsert([], [{ id: 1 }]), invalid)
    },
  },
  {
    name: 'a NUL in the text of a statement is refused',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      await rejects(sql.query`select id from ${t} where name = 'a\0b'`, invalid)
      await rejects(sql.query`select \0 from ${t} where id = ${1}`, invalid)
      await rejects(() => sql.raw('select \0'), invalid)
      await rejects(() => sql.raw('select ?\0', [1]), invalid)
      await rejects(() => sql.raw(not(undefined)), invalid)
    },
  },
  {
    name: 'more values than a statement takes are refused',
    async run({ sql }) {
      const list = Array.from({ length: sql.capabilities.maxParameters + 1 }, (_, i) => i)
      await rejects(sql.query`select 1 as a where 1 in ${sql.in(list)}`, invalid)
    },
  },
  {
    name: 'statements that would change a shared connection are refused',
    async run({ sql, dialect }) {
      const texts = {
        mysql: [
          ...['begin', 'start transaction', 'commit', 'rollback', 'savepoint a', 'set @a = 1'],
          ...['use mysql', 'lock tables a read', 'set autocommit = 0', '/* a */ COMMIT'],
        ],
        sqlserver: [
          ...['begin tran', 'begin transaction', 'commit', 'rollback', 'save transaction a'],
          ...['use master', '-- a\ncommit'],
        ],
        sqlite: [
          ...['begin', 'begin immediate', 'commit', 'end', 'rollback', 'savepoint a', 'release a'],
          ...["attach 'a' as b", 'pragma foreign_keys = off', '/* a */ commit'],
        ],
      }
      for (const text of texts[dialect]) {
        await rejects(sql.execute(sql.raw(text, [])), invalid, text)
        await rejects(sql.query(sql.raw(text)), invalid, text)
        await rejects(sql.batch([sql.raw(text)]), invalid, text)
        const within = sql.transaction((transaction) => transaction.execute(sql.raw(text)))
        await rejects(within, invalid, text)
      }
    },
  },
  {
    name: 'options that are none are refused',
    async run(fixture) {
      const { sql } = fixture
      const text = sql.fragment`select 1 as a`
      const { name } = await people(fixture)
      for (const options of [{ timeout: 5 }, { idempotant: true }, { pageRows: 5 }, 5, 'a', null]) {
        await rejects(sql.query(text, not(options)), invalid, JSON.stringify(options))
        await rejects(sql.one(text, not(options)), invalid, JSON.stringify(options))
        await rejects(sql.execute(text, not(options)), invalid, JSON.stringify(options))
        await rejects(sql.bulkInsert(name, [{ id: 1 }], not(options)), invalid)
      }
      for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31, '5']) {
        await rejects(sql.query(text, { timeoutMs: not(timeoutMs) }), invalid)
      }
      await rejects(sql.query(text, { signal: not({}) }), invalid)
      await rejects(sql.query(text, { correlationId: 'a b' }), invalid)
      await rejects(sql.bulkInsert(name, [{ id: 1 }], { columns: not(['id', 5]) }), invalid)
    },
  },
  {
    name: 'bad options of a stream reject its first page',
    needs: ['streaming'],
    async run({ sql }) {
      const text = sql.fragment`select 1 as a`
      for (const pageRows of [0, -1, 1.5, Number.NaN, 100_001, '5']) {
        await rejects(sql.stream(text, { pageRows: not(pageRows) }).next(), invalid)
      }
      await rejects(sql.stream(text, not({ batch: 5 })).next(), invalid)
      await rejects(sql.stream(not('select 1')).next(), invalid)
    },
  },
]
