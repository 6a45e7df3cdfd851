import { equal, ok, rejects } from '../assert.ts'
import type { SqlCase, SqlFixture, Table } from './fixture.ts'
import { people } from './templates.ts'

/** Rows with the ids from 1. */
async function numbers({ sql, table, types }: SqlFixture, count: number): Promise<Table> {
  const made = await table(`id ${types.integer} primary key, name ${types.text(40)}`)
  const rows = Array.from({ length: count }, (_, i) => ({ id: i + 1, name: `row ${i + 1}` }))
  await sql.bulkInsert(made.name, rows)
  return made
}

const ids = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ id: from + i }))

export const streams: readonly SqlCase[] = [
  {
    name: 'it gives every row, in order, whatever the size of a page',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 2500)
      const { sql } = fixture
      for (const pageRows of [1, 7, 1000, 2500, 100_000]) {
        const last = pageRows === 1 ? 50 : 2500
        const text = sql.fragment`select id from ${t} where id <= ${last} order by id`
        const rows: unknown[] = []
        for await (const row of sql.stream(text, { pageRows })) rows.push(row)
        equal(rows, ids(1, last), `in pages of ${pageRows}`)
      }
    },
  },
  {
    name: 'a template streams as well',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 5)
      const { sql } = fixture
      const rows: unknown[] = []
      for await (const row of sql.stream`select id from ${t} where id > ${3} order by id`) {
        rows.push(row)
      }
      equal(rows, ids(4, 5))
    },
  },
  {
    name: 'no rows end it at once',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const stream = sql.stream`select id from ${t}`
      equal(await stream.next(), { done: true, value: undefined })
      equal(stream.exhausted, true)
      equal(await stream.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'pages come one by one, the last one empty',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 25)
      const { sql } = fixture
      const stream = sql.stream(sql.fragment`select id from ${t} order by id`, { pageRows: 10 })
      const all: unknown[] = []
      const sizes: number[] = []
      for (let page = await stream.nextPage(); page.length > 0; page = await stream.nextPage()) {
        all.push(...page)
        sizes.push(page.length)
      }
      equal(all, ids(1, 25))
      ok(
        sizes.every((size) => size <= 10),
        `pages of ${sizes}`,
      )
      equal(stream.exhausted, true)
    },
  },
  {
    name: 'what is left of a page comes before the next one',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 5)
      const { sql } = fixture
      const stream = sql.stream(sql.fragment`select id from ${t} order by id`, { pageRows: 5 })
      equal((await stream.next()).value, { id: 1 })
      equal(await stream.nextPage(), ids(2, 5))
      equal(await stream.nextPage(), [])
    },
  },
  {
    name: 'leaving it early stops it, again and again',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 500)
      const { sql } = fixture
      // Were each to keep its connection, no pool would be large enough.
      for (let i = 0; i < 30; i++) {
        const text = sql.fragment`select id from ${t} order by id`
        for await (const row of sql.stream(text, { pageRows: 10 })) {
          equal(row, { id: 1 })
          break
        }
      }
      equal((await sql.query`select id from ${t} where id = ${1}`).length, 1)
    },
  },
  {
    name: 'closed, it gives nothing more',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 50)
      const { sql } = fixture
      const stream = sql.stream(sql.fragment`select id from ${t} order by id`, { pageRows: 10 })
      await stream.next()
      await stream.close()
      await stream.close()
      equal(await stream.next(), { done: true, value: undefined })
      equal(await stream.nextPage(), [])
      const unread = sql.stream`select id from ${t}`
      await unread.close()
      equal(await unread.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'a statement that is wrong rejects the first page',
    needs: ['streaming'],
    async run({ sql }) {
      const missing = sql.stream`select id from ${sql.id('dualport_never_made')}`
      await rejects(missing.next(), { kind: 'not-found', outcome: 'not-applied' })
      await rejects(sql.stream`selec 1`.next(), { kind: 'invalid' })
      await rejects(sql.stream(sql.fragment`select 1 as a`, { pageRows: 0 }).next(), {
        kind: 'invalid',
      })
    },
  },
  {
    name: 'rows are written while it is read, and it shows them or not, but each once',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 100)
      const { sql } = fixture
      const text = sql.fragment`select id from ${t} where id <= ${100} order by id`
      const seen: unknown[] = []
      for await (const row of sql.stream(text, { pageRows: 100 })) {
        seen.push(row)
        if (seen.length === 1) {
          await sql.execute`insert into ${t} (id, name) values (${1000}, ${'new'})`
        }
      }
      equal(seen, ids(1, 100))
    },
  },
  {
    name: 'two of them and other statements go on side by side',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 60)
      const { sql } = fixture
      const open = () =>
        sql.stream<{ id: number }>(sql.fragment`select id from ${t} order by id`, { pageRows: 10 })
      const [first, second] = [open(), open()]
      for (let i = 1; i <= 60; i++) {
        equal((await first.next()).value, { id: i })
        equal((await second.next()).value, { id: i })
        if (i % 20 === 0) equal(await sql.one`select id from ${t} where id = ${i}`, { id: i })
      }
      equal([(await first.next()).done, (await second.next()).done], [true, true])
    },
  },
  {
    name: 'two columns of one name are refused',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      await rejects(fixture.sql.stream`select id, name as id from ${t}`.next(), { kind: 'invalid' })
    },
  },
  {
    name: 'a signal ends it, and what it held is free',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 50)
      const { sql } = fixture
      const abort = new AbortController()
      const { signal } = abort
      const text = sql.fragment`select id from ${t} order by id`
      const stream = sql.stream(text, { pageRows: 10, signal })
      for (let i = 1; i <= 10; i++) equal((await stream.next()).value, { id: i })
      abort.abort()
      await rejects(stream.next(), { kind: 'aborted', outcome: 'not-applied' })
      equal(await stream.next(), { done: true, value: undefined })
      equal((await sql.query(text)).length, 50)
    },
  },
  {
    name: 'in a transaction it shows what the transaction did',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 20)
      const { sql } = fixture
      const seen = await sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} (id, name) values (${21}, ${'new'})`
        const rows: unknown[] = []
        const text = sql.fragment`select id from ${t} order by id`
        for await (const row of transaction.stream(text, { pageRows: 5 })) rows.push(row)
        return rows
      })
      equal(seen, ids(1, 21))
    },
  },
  {
    name: 'in a transaction nothing else runs until it is at its end or closed',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 20)
      const { sql } = fixture
      await sql.transaction(async (transaction) => {
        const text = sql.fragment`select id from ${t} order by id`
        const stream = transaction.stream(text, { pageRows: 5 })
        equal((await stream.next()).value, { id: 1 })
        const update = () => transaction.execute`update ${t} set name = ${'x'} where id = ${1}`
        await rejects(update(), { kind: 'invalid', outcome: 'not-applied' })
        await stream.close()
        equal((await update()).rowsAffected, 1)
      })
      equal(await sql.one`select name from ${t} where id = ${1}`, { name: 'x' })
    },
  },
  {
    name: 'one that a transaction leaves open ends with it',
    needs: ['streaming'],
    async run(fixture) {
      const { t } = await numbers(fixture, 20)
      const { sql } = fixture
      const text = sql.fragment`select id from ${t} order by id`
      const left = await sql.transaction(async (transaction) => {
        await transaction.execute`update ${t} set name = ${'x'} where id = ${1}`
        const stream = transaction.stream(text, { pageRows: 5 })
        await stream.next()
        return stream
      })
      equal(await sql.one`select name from ${t} where id = ${1}`, { name: 'x' })
      await left.nextPage()
      await rejects(left.nextPage(), { kind: 'closed' })
    },
  },
  {
    name: 'without the capability the first page is refused',
    without: 'streaming',
    async run({ sql }) {
      await rejects(sql.stream`select 1 as one`.next(), {
        kind: 'unsupported',
        outcome: 'not-applied',
        retryable: false,
      })
    },
  },
]
