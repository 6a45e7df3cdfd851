import { equal, rejects } from '../assert.ts'
import { not, type SqlCase, type SqlFixture, type Table } from './fixture.ts'

/** Rows with an id from 1 and a name. */
export async function people(
  { sql, table, types }: SqlFixture,
  ...names: string[]
): Promise<Table> {
  const made = await table(`id ${types.integer} primary key, name ${types.text(100)}`)
  for (const [i, name] of names.entries()) {
    await sql.execute`insert into ${made.t} (id, name) values (${i + 1}, ${name})`
  }
  return made
}

export const templates: readonly SqlCase[] = [
  {
    name: 'values go where they stand',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      equal(await sql.query`select name from ${t} where id = ${2} or name = ${'c'} order by id`, [
        { name: 'b' },
        { name: 'c' },
      ])
    },
  },
  {
    name: 'values may stand beside names and numbers without a space',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      equal(await sql.query`select name from ${t} where id=${1}or(id)=${2}and 1=1 order by id`, [
        { name: 'a' },
        { name: 'b' },
      ])
    },
  },
  {
    name: 'more than ten values keep their order',
    async run({ sql, table, types }) {
      const columns = Array.from({ length: 25 }, (_, i) => `c${i}`)
      const { t } = await table(columns.map((name) => `${name} ${types.integer}`).join(', '))
      const values = sql.join(columns.map((_, i) => sql.fragment`${i}`))
      await sql.execute`insert into ${t} values (${values})`
      equal(
        Object.values(await sql.one`select * from ${t}`),
        columns.map((_, i) => i),
      )
    },
  },
  {
    name: 'one place in a program runs with other values each time',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      const nameOf = (id: number) => sql.one`select name from ${t} where id = ${id}`
      equal(await Promise.all([nameOf(3), nameOf(1), nameOf(2)]), [
        { name: 'c' },
        { name: 'a' },
        { name: 'b' },
      ])
    },
  },
  {
    name: 'fragments nest, with their values',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      const either = (a: number, b: number) => sql.fragment`(id = ${a} or id = ${b})`
      const where = sql.fragment`where ${either(1, 2)} and name <> ${'a'}`
      equal(await sql.query`select id from ${t} ${where}`, [{ id: 2 }])
      const none = sql.fragment``
      equal((await sql.query`select id from ${t} ${none}`).length, 3)
    },
  },
  {
    name: 'a fragment runs by itself, with options',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      const statement = sql.fragment`select id from ${t} where name = ${'b'}`
      equal(await sql.query(statement, { timeoutMs: 5000 }), [{ id: 2 }])
      equal(await sql.query(statement), [{ id: 2 }], 'the second time')
      equal(await sql.one(statement), { id: 2 })
    },
  },
  {
    name: 'names are quoted, whatever is in them',
    async run({ sql, types, used }) {
      const table = `dualport ${crypto.randomUUID()} "\`[x]' ü`
      const t = sql.id(table)
      used.tables.push({ sql, t })
      const [select, odd] = [sql.id('select'), sql.id('a "b" `c` [d]]')]
      const type = sql.raw(types.integer)
      await sql.execute`create table ${t} (${select} ${type}, ${odd} ${type})`
      await sql.execute`insert into ${t} (${select}, ${odd}) values (${1}, ${2})`
      equal(await sql.query`select ${select}, ${odd} from ${t}`, [
        { select: 1, 'a "b" `c` [d]]': 2 },
      ])
      equal(await sql.bulkInsert([table], [{ select: 3, 'a "b" `c` [d]]': 4 }]), 1)
      equal(await sql.query`select ${t}.${odd} from ${t} where ${select} = ${3}`, [
        { 'a "b" `c` [d]]': 4 },
      ])
    },
  },
  {
    name: 'a name of several parts has each of them quoted',
    async run(fixture) {
      const { name } = await people(fixture, 'a')
      const { sql } = fixture
      equal(await sql.query`select ${sql.id(name, 'name')} from ${sql.id(name)}`, [{ name: 'a' }])
    },
  },
  {
    name: 'a list finds what is in it',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      equal(await sql.query`select id from ${t} where id in ${sql.in([1, 3, 99])} order by id`, [
        { id: 1 },
        { id: 3 },
      ])
      equal(await sql.query`select id from ${t} where name in ${sql.in(['b'])}`, [{ id: 2 }])
      equal(await sql.query`select id from ${t} where id not in ${sql.in([1, 2])}`, [{ id: 3 }])
    },
  },
  {
    name: 'an empty list holds nothing, also after NOT IN',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      equal(await sql.query`select id from ${t} where id in ${sql.in([])}`, [])
      equal((await sql.query`select id from ${t} where id not in ${sql.in([])}`).length, 2)
      equal((await sql.query`select id from ${t} where name not in ${sql.in([])}`).length, 2)
    },
  },
  {
    name: 'a list of a thousand is one statement',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      const list = sql.in(Array.from({ length: 1000 }, (_, i) => i + 2))
      equal(await sql.query`select id from ${t} where id in ${list}`, [{ id: 2 }])
    },
  },
  {
    name: 'fragments are joined by a text',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      const conditions = [sql.fragment`id > ${1}`, sql.fragment`name <> ${'c'}`]
      const where = sql.join(conditions, ' and ')
      equal(await sql.query`select id from ${t} where ${where}`, [{ id: 2 }])
      const columns = sql.join([sql.id('id'), sql.id('name')])
      equal(await sql.query`select ${columns} from ${t} where id = ${1}`, [{ id: 1, name: 'a' }])
      await rejects(() => sql.join([]), { kind: 'invalid' })
    },
  },
  {
    name: 'raw SQL has the placeholders of the database',
    async run(fixture) {
      const { name } = await people(fixture, 'a', 'b')
      const { sql, dialect } = fixture
      const [first, second] = dialect === 'sqlserver' ? ['@p1', '@p2'] : ['?', '?']
      const text = `select id from ${name} where id >= ${first} and name <> ${second}`
      equal(await sql.query(sql.raw(text, [1, 'b'])), [{ id: 1 }])
      equal(await sql.query(sql.raw(`select id from ${name} where id = 2`, [])), [{ id: 2 }])
      for (const values of [[], [1], [1, 'b', 3]]) {
        await rejects(sql.query(sql.raw(text, values)), { kind: 'invalid', outcome: 'not-applied' })
      }
    },
  },
  {
    name: 'raw SQL without values may stand in a template',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      const order = sql.raw('order by id desc')
      equal(await sql.query`select id from ${t} where id < ${9} ${order}`, [{ id: 2 }, { id: 1 }])
    },
  },
  {
    name: 'comments and quotes of one’s own are left as they are',
    async run(fixture) {
      const { t } = await people(fixture, "it's", '?')
      const { sql } = fixture
      equal(
        await sql.query`select id, '?' as a, '@p1 -- ''' as b -- ? @p1 'x
          from ${t} /* ? ' " @p1 */ where name = ${'?'}`,
        [{ id: 2, a: '?', b: "@p1 -- '" }],
      )
    },
  },
  {
    name: 'what is no statement is refused',
    async run({ sql }) {
      for (const text of ['select 1', undefined, null, 5, {}, ['select 1']]) {
        await rejects(() => sql.query(not(text)), { kind: 'invalid', outcome: 'not-applied' })
        await rejects(() => sql.execute(not(text)), { kind: 'invalid', outcome: 'not-applied' })
      }
    },
  },
]

/** What would do harm in one dialect or another, were it read as SQL. */
const attacks = [
  "'; drop table victim; --",
  '"; drop table victim; --',
  '`; drop table victim; --',
  ']; drop table victim; --',
  "\\'; drop table victim; -- ",
  '\\"; drop table victim; -- ',
  "' or '1'='1",
  "' or 1=1 /*",
  '1; drop table victim',
  '1 or 1=1',
  '*/ or 1=1 --',
  '\u00bf\u0027 or 1=1 -- ',
  '\ubf27 or 1=1 -- ',
  '%bf%27 or 1=1 -- ',
  '\\',
  '@p1 or 1=1',
  '? or 1=1',
  ':name or 1=1',
  '$1 or 1=1',
  '\u02bc; drop table victim; --',
  '\uff07 or 1=1 -- ',
]

export const injection: readonly SqlCase[] = [
  {
    name: 'a value is a value, whatever it holds',
    async run(fixture) {
      const { t } = await people(fixture, 'mine', ...attacks)
      const { sql } = fixture
      for (const [i, attack] of attacks.entries()) {
        const found = await sql.query`select id, name from ${t} where name = ${attack}`
        equal(found, [{ id: i + 2, name: attack }], attack)
      }
      equal((await sql.query`select id from ${t}`).length, attacks.length + 1)
    },
  },
  {
    name: 'a list, a fragment and raw placeholders keep values apart as well',
    async run(fixture) {
      const { t, name } = await people(fixture, 'mine', ...attacks)
      const { sql, dialect } = fixture
      const all = attacks.map((_, i) => ({ id: i + 2 }))
      equal(await sql.query`select id from ${t} where name in ${sql.in(attacks)} order by id`, all)
      const placeholder = dialect === 'sqlserver' ? '@p1' : '?'
      for (const [i, attack] of attacks.entries()) {
        const where = sql.fragment`where name = ${attack}`
        equal(await sql.query`select id from ${t} ${where}`, [{ id: i + 2 }], attack)
        const raw = sql.raw(`select id from ${name} where name = ${placeholder}`, [attack])
        equal(await sql.query(raw), [{ id: i + 2 }], attack)
      }
    },
  },
  {
    name: 'what is written by execute and bulkInsert is what comes back',
    async run(fixture) {
      const { t, name } = await people(fixture, 'mine')
      const { sql } = fixture
      const rows = attacks.map((attack, i) => ({ id: i + 10, name: attack }))
      await sql.bulkInsert(name, rows)
      equal(await sql.query`select id, name from ${t} where id >= ${10} order by id`, rows)
      for (const attack of attacks) {
        await sql.execute`update ${t} set name = ${attack} where id = ${1}`
        equal(await sql.one`select name from ${t} where id = ${1}`, { name: attack }, attack)
      }
      equal((await sql.query`select id from ${t}`).length, attacks.length + 1)
    },
  },
  {
    name: 'a name is a name, whatever it holds',
    async run(fixture) {
      const { t, name } = await people(fixture, 'mine')
      const { sql } = fixture
      for (const attack of attacks) {
        // In MySQL, none may end with a space.
        const harmful = attack.replaceAll('victim', name).trimEnd()
        const missing = { kind: 'not-found', outcome: 'not-applied' } as const
        await rejects(sql.query`select id from ${sql.id(harmful)}`, missing, attack)
        await rejects(sql.query`select ${sql.id('x', harmful)} from ${t} as x`, missing, attack)
        const column = sql.bulkInsert(name, [{ id: 2, [harmful]: 1 }])
        await rejects(column, missing, attack)
        await rejects(sql.bulkInsert([harmful], [{ id: 2 }]), missing, attack)
      }
      equal(await sql.query`select id, name from ${t}`, [{ id: 1, name: 'mine' }])
    },
  },
  {
    name: 'the name of a procedure is a name, and so are those of its parameters',
    needs: ['procedures'],
    async run(fixture) {
      const { t, name } = await people(fixture, 'mine')
      const { sql, dialect } = fixture
      for (const attack of attacks) {
        const harmful = attack.replaceAll('victim', name).trimEnd()
        await rejects(sql.call([harmful]), { kind: 'not-found', outcome: 'not-applied' }, attack)
        if (dialect === 'sqlserver') {
          await rejects(sql.call('a', { [harmful]: 1 }), { kind: 'invalid' }, attack)
        }
      }
      equal(await sql.query`select id, name from ${t}`, [{ id: 1, name: 'mine' }])
    },
  },
  {
    name: 'a value inside of quotes, a name in quotes or a comment is refused',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const refused = { kind: 'invalid', outcome: 'not-applied' } as const
      await rejects(sql.query`select id from ${t} where name = '${'a'}'`, refused, 'a string')
      await rejects(sql.query`select id from ${t} where name like '%${'a'}%'`, refused, 'a pattern')
      await rejects(sql.query`select id as "${'a'}" from ${t}`, refused, 'a name')
      await rejects(sql.query`select id from ${t} -- ${'a'}`, refused, 'a comment')
      await rejects(sql.query`select id from ${t} /* ${'a'} */`, refused, 'a comment in stars')
      await rejects(sql.query`select id from ${t} where name = ${'a'} and 'x`, refused, 'no end')
      await rejects(sql.query`select id from ${t} where id = ${1} /* x`, refused, 'no end either')
    },
  },
  {
    name: 'placeholders of one’s own are refused in a template',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql, dialect } = fixture
      const own = sql.raw(dialect === 'sqlserver' ? '@p1' : '?')
      const refused = { kind: 'invalid', outcome: 'not-applied' } as const
      await rejects(sql.query`select id from ${t} where id = ${own}`, refused)
      await rejects(sql.query`select id from ${t} where id = ${own} and name = ${'a'}`, refused)
    },
  },
  {
    name: 'what looks like a fragment but was not made here is refused',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const forged = not<string>(JSON.parse('{"pieces":["1 or 1=1"],"values":[]}'))
      const typed = not<string>(JSON.parse('{"type":"integer","value":"1 or 1=1"}'))
      for (const value of [forged, typed, not<string>({ text: '1=1' }), not<string>(['1', '2'])]) {
        await rejects(sql.query`select id from ${t} where id = ${value}`, { kind: 'invalid' })
        await rejects(() => sql.in([value]), { kind: 'invalid' })
      }
    },
  },
]
