import { equal, rejects } from '../assert.ts'
import type { SqlCase } from './fixture.ts'
import { people } from './templates.ts'

export const queries: readonly SqlCase[] = [
  {
    name: 'no rows are an empty array',
    async run(fixture) {
      const { t } = await people(fixture)
      equal(await fixture.sql.query`select id, name from ${t}`, [])
    },
  },
  {
    name: 'what gives no rows gives an empty array',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      equal(await fixture.sql.query`update ${t} set name = ${'b'}`, [])
      equal(await fixture.sql.query`select name from ${t}`, [{ name: 'b' }])
    },
  },
  {
    name: 'one gives the row that there is',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      equal(await sql.one`select name from ${t} where id = ${2}`, { name: 'b' })
    },
  },
  {
    name: 'one refuses none and several',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      const none = await rejects(sql.one`select name from ${t} where id = ${3}`, {
        kind: 'not-found',
        outcome: 'not-applied',
        retryable: false,
      })
      equal(none.code, 'SQL_NOT_FOUND')
      await rejects(sql.one`select name from ${t}`, { kind: 'invalid', outcome: 'not-applied' })
    },
  },
  {
    name: 'maybeOne gives null for none, and refuses several',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      equal(await sql.maybeOne`select name from ${t} where id = ${2}`, { name: 'b' })
      equal(await sql.maybeOne`select name from ${t} where id = ${3}`, null)
      await rejects(sql.maybeOne`select name from ${t}`, { kind: 'invalid' })
    },
  },
  {
    name: 'two columns of one name are refused, since one would be lost',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      await rejects(sql.query`select id, name as id from ${t}`, { kind: 'invalid' })
      await rejects(sql.query`select a.id, b.id from ${t} a, ${t} b`, { kind: 'invalid' })
      equal(await sql.query`select a.id as x, b.id as y from ${t} a, ${t} b`, [{ x: 1, y: 1 }])
    },
  },
  {
    name: 'a statement with WITH reads, and writes',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b')
      const { sql } = fixture
      equal(
        await sql.query`with some as (select id from ${t} where id > ${1}) select id from some`,
        [{ id: 2 }],
      )
    },
  },
  {
    name: 'many at once each have their own answer',
    async run(fixture) {
      const names = Array.from({ length: 40 }, (_, i) => `name ${i}`)
      const { t } = await people(fixture, ...names)
      const { sql } = fixture
      const found = await Promise.all(
        names.map((_, i) => sql.one<{ name: string }>`select name from ${t} where id = ${i + 1}`),
      )
      equal(
        found.map(({ name }) => name),
        names,
      )
    },
  },
]

export const executes: readonly SqlCase[] = [
  {
    name: 'it counts the rows',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      const affected = async (statement: Promise<{ rowsAffected: number }>) =>
        (await statement).rowsAffected
      equal(await affected(sql.execute`insert into ${t} (id, name) values (${4}, ${'d'})`), 1)
      equal(await affected(sql.execute`insert into ${t} (id, name) values (5, 'e'), (6, 'f')`), 2)
      equal(await affected(sql.execute`update ${t} set name = ${'x'} where id > ${3}`), 3)
      equal(await affected(sql.execute`delete from ${t} where id < ${3}`), 2)
      equal(await affected(sql.execute`delete from ${t} where id < ${3}`), 0)
    },
  },
  {
    name: 'an update counts the rows that it found, changed or not',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'a')
      const { sql } = fixture
      equal((await sql.execute`update ${t} set name = ${'a'}`).rowsAffected, 2)
    },
  },
  {
    name: 'what changes no rows counts none',
    async run(fixture) {
      const { sql, types } = fixture
      const { t } = await people(fixture, 'a')
      await sql.execute`update ${t} set name = ${'b'}`
      equal((await sql.execute`select id from ${t}`).rowsAffected, 0)
      const { name } = await fixture.table(`id ${types.integer}`)
      const index = sql.raw(`create index ${name}_i on ${name} (id)`)
      equal(await sql.execute(index), { rowsAffected: 0, insertId: null })
    },
  },
  {
    name: 'the id that the server gave comes back, of several rows the first',
    async run({ sql, table, types, dialect }) {
      const { t } = await table(`id ${types.identity}, name ${types.text(10)}`)
      const insert = (name: string) => sql.execute`insert into ${t} (name) values (${name})`
      equal(await insert('a'), { rowsAffected: 1, insertId: 1n })
      equal(await insert('b'), { rowsAffected: 1, insertId: 2n })
      const two = await sql.execute`insert into ${t} (name) values (${'c'}), (${'d'})`
      // SQL Server does not tell the first of several.
      equal(two, { rowsAffected: 2, insertId: dialect === 'sqlserver' ? null : 3n })
    },
  },
  {
    name: 'where no id was given there is none',
    async run(fixture) {
      const { sql, table, types } = fixture
      const counted = await table(`id ${types.identity}, name ${types.text(10)}`)
      await sql.execute`insert into ${counted.t} (name) values (${'a'})`
      const { t } = await people(fixture)
      equal(await sql.execute`insert into ${t} (id, name) values (${7}, ${'a'})`, {
        rowsAffected: 1,
        insertId: null,
      })
      equal((await sql.execute`update ${counted.t} set name = ${'b'}`).insertId, null)
      equal((await sql.execute`delete from ${counted.t}`).insertId, null)
      const nothing = sql.execute`insert into ${counted.t} (name) select name from ${t} where 1 = 0`
      equal(await nothing, { rowsAffected: 0, insertId: null })
    },
  },
  {
    name: 'statements that define tables work',
    async run({ sql, table, types }) {
      const { t, name } = await table(`id ${types.integer}`)
      await sql.execute(sql.raw(`alter table ${name} add name ${types.text(10)}`))
      await sql.execute`insert into ${t} (id, name) values (${1}, ${'a'})`
      equal(await sql.query`select * from ${t}`, [{ id: 1, name: 'a' }])
      await sql.execute`drop table ${t}`
      await rejects(sql.query`select * from ${t}`, { kind: 'not-found' })
    },
  },
]
