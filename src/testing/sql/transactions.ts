import { DriverFailure } from '../../core/index.ts'
import type { Transaction } from '../../sql/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { not, randomName, type SqlCase } from './fixture.ts'
import { people } from './templates.ts'

export const transactions: readonly SqlCase[] = [
  {
    name: 'all of it is there, with what the work gives',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const given = await sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} (id, name) values (${2}, ${'b'})`
        await transaction.execute`update ${t} set name = ${'x'} where id = ${1}`
        return transaction.query`select id, name from ${t} order by id`
      })
      equal(given, [
        { id: 1, name: 'x' },
        { id: 2, name: 'b' },
      ])
      equal(await sql.query`select id, name from ${t} order by id`, given)
    },
  },
  {
    name: 'what the work throws undoes it, and comes out as it was thrown',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      for (const mine of [
        new Error('of the work'),
        'a text',
        undefined,
        new DriverFailure({ kind: 'timeout' }),
      ]) {
        const failed = sql.transaction(async (transaction) => {
          await transaction.execute`delete from ${t}`
          throw mine
        })
        equal(
          await failed.then(
            () => 'nothing',
            (error) => error === mine,
          ),
          true,
        )
        equal(await sql.query`select name from ${t}`, [{ name: 'a' }])
      }
    },
  },
  {
    name: 'an empty one is well',
    async run({ sql }) {
      equal(await sql.transaction(async () => 7), 7)
    },
  },
  {
    name: 'a statement that fails may be caught, and the rest goes on',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      await sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} (id, name) values (${2}, ${'b'})`
        const again = transaction.execute`insert into ${t} (id, name) values (${1}, ${'c'})`
        await rejects(again, { kind: 'conflict', outcome: 'not-applied', retryable: false })
        await rejects(transaction.one`select id from ${t} where id = ${9}`, { kind: 'not-found' })
        await rejects(transaction.query`select ${not(undefined)} as a`, { kind: 'invalid' })
        await transaction.execute`insert into ${t} (id, name) values (${3}, ${'d'})`
      })
      equal(
        (await sql.query`select id from ${t} order by id`).map(({ id }) => id),
        [1, 2, 3],
      )
    },
  },
  {
    name: 'a statement that fails and is not caught undoes it',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const failed = sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} (id, name) values (${2}, ${'b'})`
        await transaction.execute`insert into ${t} (id, name) values (${1}, ${'c'})`
      })
      await rejects(failed, { kind: 'conflict', outcome: 'not-applied' })
      equal(await sql.query`select id from ${t}`, [{ id: 1 }])
    },
  },
  {
    name: 'others do not see it before its end',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      let outside: Promise<unknown> | undefined
      const failed = sql.transaction(async (transaction) => {
        await transaction.execute`update ${t} set name = ${'b'}`
        // It may have to wait for the end, depending on the database.
        outside = sql.query`select name from ${t}`
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      equal(await outside, [{ name: 'a' }])
    },
  },
  {
    name: 'a part is undone by itself',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const insert = (by: Transaction, id: number) =>
        by.execute`insert into ${t} (id, name) values (${id}, ${'x'})`
      await sql.transaction(async (transaction) => {
        await insert(transaction, 1)
        const mine = new Error('of the part')
        const part = transaction.transaction(async (inner) => {
          await insert(inner, 2)
          throw mine
        })
        equal(await part.catch((error) => error === mine), true)
        const given = await transaction.transaction(async (inner) => {
          await insert(inner, 3)
          return 'well'
        })
        equal(given, 'well')
      })
      equal(
        (await sql.query`select id from ${t} order by id`).map(({ id }) => id),
        [1, 3],
      )
    },
  },
  {
    name: 'parts nest',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const insert = (by: Transaction, id: number) =>
        by.execute`insert into ${t} (id, name) values (${id}, ${'x'})`
      await sql.transaction(async (transaction) => {
        await insert(transaction, 1)
        await transaction.transaction(async (outer) => {
          await insert(outer, 2)
          await outer
            .transaction(async (inner) => {
              await insert(inner, 3)
              await inner.transaction((innermost) => insert(innermost, 4))
              throw new Error('of the inner one')
            })
            .catch(() => {})
          await insert(outer, 5)
        })
      })
      equal(
        (await sql.query`select id from ${t} order by id`).map(({ id }) => id),
        [1, 2, 5],
      )
    },
  },
  {
    name: 'what a part left is undone with the whole',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const failed = sql.transaction(async (transaction) => {
        await transaction.transaction(
          (inner) => inner.execute`insert into ${t} (id, name) values (${1}, ${'x'})`,
        )
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'statements that are not awaited run one after another',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      await sql.transaction(async (transaction) => {
        const all = Array.from(
          { length: 20 },
          (_, i) => transaction.execute`insert into ${t} (id, name) values (${i}, ${'x'})`,
        )
        equal((await transaction.query`select id from ${t}`).length, 20)
        await Promise.all(all)
      })
      equal((await sql.query`select id from ${t}`).length, 20)
    },
  },
  {
    name: 'statements that nobody awaited are done before the commit',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      await sql.transaction(async (transaction) => {
        void transaction.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
      })
      equal(await sql.query`select id from ${t}`, [{ id: 1 }])
    },
  },
  {
    name: 'once it is over it refuses everything',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
      const refuses = async (transaction: Transaction, what: string) => {
        const insert = transaction.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
        await rejects(insert, closed, what)
        await rejects(transaction.query`select id from ${t}`, closed, what)
        await rejects(
          transaction.transaction(async () => {}),
          closed,
          what,
        )
        await rejects(transaction.bulkInsert('a', [{ id: 1 }]), closed, what)
      }
      await refuses(await sql.transaction(async (transaction) => transaction), 'committed')
      let kept: Transaction | undefined
      const failed = sql.transaction(async (transaction) => {
        kept = transaction
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      await refuses(kept as Transaction, 'rolled back')
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'many at once, each whole or not at all',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const pair = (i: number) =>
        sql.transaction(async (transaction) => {
          await transaction.execute`insert into ${t} (id, name) values (${2 * i}, ${'x'})`
          await transaction.execute`insert into ${t} (id, name) values (${2 * i + 1}, ${'y'})`
          if (i % 3 === 0) throw new Error('of the work')
        })
      await Promise.allSettled(Array.from({ length: 12 }, (_, i) => pair(i)))
      const found = await sql.query`select id from ${t} order by id`
      equal(
        found.map(({ id }) => id),
        [2, 3, 4, 5, 8, 9, 10, 11, 14, 15, 16, 17, 20, 21, 22, 23],
      )
    },
  },
  {
    name: 'those that conflict are run again when that is asked, and none is lost',
    async run(fixture) {
      const { sql, table, types } = fixture
      const { t } = await table(`id ${types.integer} primary key, n ${types.integer}`)
      await sql.execute`insert into ${t} (id, n) values (1, 0), (2, 0)`
      const add = (transaction: Transaction, id: number) =>
        transaction.execute`update ${t} set n = n + 1 where id = ${id}`
      // Half of them in the other order: two that meet wait for each other.
      const both = (i: number) =>
        sql.transaction(
          async (transaction) => {
            await add(transaction, 1 + (i % 2))
            await add(transaction, 2 - (i % 2))
          },
          { retries: 50 },
        )
      await Promise.all(Array.from({ length: 10 }, (_, i) => both(i)))
      equal(await sql.query`select id, n from ${t} order by id`, [
        { id: 1, n: 10 },
        { id: 2, n: 10 },
      ])
    },
  },
  {
    name: 'a statement that defines a table is part of it, or refused where it would commit it',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql, types, dialect, used } = fixture
      const made = sql.id(randomName())
      used.tables.push({ sql, t: made })
      const create = sql.fragment`create table ${made} (id ${sql.raw(types.integer)})`
      const failed = sql.transaction(async (transaction) => {
        await transaction.execute`delete from ${t}`
        if (dialect === 'mysql') await rejects(transaction.execute(create), { kind: 'invalid' })
        else await transaction.execute(create)
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      equal(await sql.query`select name from ${t}`, [{ name: 'a' }])
      await rejects(sql.query`select id from ${made}`, { kind: 'not-found' })
      if (dialect === 'mysql') await rejects(sql.batch([create]), { kind: 'invalid' })
    },
  },
  {
    name: 'what the work throws is not run again, retries or not',
    async run({ sql }) {
      let runs = 0
      const failed = sql.transaction(
        async () => {
          runs++
          throw new Error('of the work')
        },
        { retries: 5 },
      )
      await failed.catch(() => {})
      equal(runs, 1)
    },
  },
  {
    name: 'a deadline inside undoes it',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      let kept: Transaction | undefined
      const late = sql.transaction(
        async (transaction) => {
          kept = transaction
          await transaction.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
          await new Promise(() => {})
        },
        { timeoutMs: 300 },
      )
      await rejects(late, { kind: 'timeout', outcome: 'not-applied' })
      await rejects((kept as Transaction).query`select id from ${t}`, { kind: 'closed' })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'a signal inside undoes it, whatever the work waits for',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const abort = new AbortController()
      const aborted = sql.transaction(
        async (transaction) => {
          await transaction.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
          abort.abort()
          await new Promise(() => {})
        },
        { signal: abort.signal },
      )
      await rejects(aborted, { kind: 'aborted', outcome: 'not-applied' })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'a statement that was stopped ends it, caught or not',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const ended = sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
        const options = { signal: AbortSignal.abort() }
        await rejects(transaction.query(sql.fragment`select id from ${t}`, options), {
          kind: 'aborted',
        })
        await rejects(transaction.query`select id from ${t}`, { kind: 'closed' })
      })
      await rejects(ended, { kind: 'aborted', outcome: 'not-applied' })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'every isolation that the adapter names is taken, and others are not',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const levels = sql.capabilities.isolation
      ok(levels.length > 0, 'there is none')
      for (const isolation of levels) {
        const read = async (by: Transaction) => by.query`select name from ${t}`
        equal(await sql.transaction(read, { isolation }), [{ name: 'a' }], isolation)
      }
      for (const isolation of ['chaos', '', 5]) {
        const refused = sql.transaction(async () => {}, { isolation: not(isolation) })
        await rejects(refused, { kind: 'unsupported', outcome: 'not-applied' })
      }
    },
  },
  {
    name: 'options that are none are refused before it begins',
    async run({ sql }) {
      let begun = false
      const refused = [
        { timeoutMs: 0 },
        { timeoutMs: -1 },
        { timeoutMs: Number.NaN },
        { timeoutMs: 2 ** 31 },
        { retries: -1 },
        { retries: 1.5 },
        { retries: 101 },
        { retry: 1 },
        { timeout: 5 },
      ]
      for (const options of refused) {
        const work = async () => {
          begun = true
        }
        await rejects(sql.transaction(work, not(options)), { kind: 'invalid' })
      }
      equal(begun, false)
    },
  },
]

export const batches: readonly SqlCase[] = [
  {
    name: 'each statement has its rows and its counts',
    async run({ sql, table, types }) {
      const { t } = await table(`id ${types.identity}, name ${types.text(20)}`)
      const results = await sql.batch([
        sql.fragment`insert into ${t} (name) values (${'a'})`,
        sql.fragment`insert into ${t} (name) values (${'b'})`,
        sql.fragment`select name from ${t} where id > ${0} order by id`,
        sql.fragment`update ${t} set name = ${'c'}`,
      ])
      equal(results, [
        { rows: [], rowsAffected: 1, insertId: 1n },
        { rows: [], rowsAffected: 1, insertId: 2n },
        { rows: [{ name: 'a' }, { name: 'b' }], rowsAffected: 0, insertId: null },
        { rows: [], rowsAffected: 2, insertId: null },
      ])
    },
  },
  {
    name: 'if one fails nothing was applied',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const failed = sql.batch([
        sql.fragment`insert into ${t} (id, name) values (${2}, ${'b'})`,
        sql.fragment`insert into ${t} (id, name) values (${1}, ${'c'})`,
        sql.fragment`insert into ${t} (id, name) values (${3}, ${'d'})`,
      ])
      await rejects(failed, { kind: 'conflict', outcome: 'not-applied', retryable: false })
      equal(await sql.query`select id from ${t}`, [{ id: 1 }])
    },
  },
  {
    name: 'raw statements and an isolation may be among them',
    async run(fixture) {
      const { t, name } = await people(fixture, 'a')
      const { sql, dialect } = fixture
      const placeholder = dialect === 'sqlserver' ? '@p1' : '?'
      const raw = sql.raw(`select id from ${name} where name = ${placeholder}`, ['a'])
      const results = await sql.batch([raw, sql.fragment`select name from ${t}`], {
        isolation: 'serializable',
      })
      equal(
        results.map(({ rows }) => rows),
        [[{ id: 1 }], [{ name: 'a' }]],
      )
    },
  },
  {
    name: 'an empty one does nothing',
    async run({ sql }) {
      equal(await sql.batch([]), [])
    },
  },
  {
    name: 'what is no statement keeps all from being sent',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const insert = sql.fragment`insert into ${t} (id, name) values (${1}, ${'x'})`
      for (const wrong of ['select 1', null, undefined, {}]) {
        await rejects(sql.batch([insert, not(wrong)]), { kind: 'invalid', outcome: 'not-applied' })
      }
      await rejects(sql.batch(not(insert)), { kind: 'invalid' })
      await rejects(sql.batch([insert], not({ isolated: true })), { kind: 'invalid' })
      await rejects(sql.batch([insert], { isolation: not('chaos') }), { kind: 'unsupported' })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'a signal that has fired already keeps all from being sent',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const insert = sql.fragment`insert into ${t} (id, name) values (${1}, ${'x'})`
      await rejects(sql.batch([insert], { signal: AbortSignal.abort() }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
]
