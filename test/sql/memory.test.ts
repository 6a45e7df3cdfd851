import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type MemoryOptions, memory } from '../../adapters/sql/memory.ts'
import { Sql } from '../../src/sql/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'dualport-'))
afterAll(() => rmSync(directory, { recursive: true }))

let sql: Sql
const client = (options?: MemoryOptions) => new Sql(memory(options), { logger: false })
beforeEach(() => {
  sql = client()
})
afterEach(() => sql.close())

describe('columns are read by what they are declared as', () => {
  const roundTrip = async (type: string, value: string) => {
    await sql.execute(sql.raw(`create table t (v ${type})`))
    await sql.execute(sql.raw(`insert into t values (${value})`))
    return (await sql.one<{ v: unknown }>`select v from t`).v
  }

  test.each<[string, string, unknown]>([
    ['bigint', '5', 5n],
    ['BIGINT UNSIGNED', '5', 5n],
    ['integer', '5', 5],
    ['int', '9007199254740993', 9_007_199_254_740_993n],
    ['smallint', '-1', -1],
    ['decimal(10,2)', '1.1', '1.10'],
    ['DECIMAL ( 10 , 2 )', '5', '5.00'],
    ['numeric(10,3)', '0.1 + 0.2', '0.300'],
    ['decimal(10)', '5', '5'],
    ['decimal', '1.5', '1.5'],
    ['money', '1.5', '1.5000'],
    ['boolean', '1', true],
    ['bit', '0', false],
    ['real', '5', 5],
    ['double precision', '5', 5],
    ['float', '1e300', 1e300],
    ['date', "'2026-11-28'", '2026-11-28'],
    ['time', "'12:00:00.500'", '12:00:00.5'],
    ['datetime', "'2026-11-28 12:00:00.000'", '2026-11-28T12:00:00'],
    ['datetime2(7)', "'2026-11-28 12:00:00.1'", '2026-11-28T12:00:00.1'],
    ['timestamp', "'2026-11-28 12:00:00'", new Date('2026-11-28T12:00:00Z')],
    ['datetimeoffset', "'2026-11-28T12:00:00+02:00'", new Date('2026-11-28T10:00:00Z')],
    ['timestamp', "'whenever'", 'whenever'],
    [
      'uniqueidentifier',
      "'0F8FAD5B-D9CB-469F-A165-70867728950E'",
      '0f8fad5b-d9cb-469f-a165-70867728950e',
    ],
    ['json', '\'{"a":[1]}\'', { a: [1] }],
    ['json', "'5'", 5],
    ['json', "'no JSON'", 'no JSON'],
    ['varchar(5)', "'longer than five'", 'longer than five'],
    ['blob', "x'00ff'", Uint8Array.of(0, 255)],
    ['', '9007199254740993', 9_007_199_254_740_993n],
    ['', '1', 1],
  ])('%s %s', async (type, value, comesBack) => {
    expect(await roundTrip(type, value)).toStrictEqual(comesBack)
  })

  test('a value of no column is what SQLite has: numbers where they are exact', async () => {
    const row = await sql.one`select 1 as a, 1.5 as b, 9007199254740993 as c, count(*) as d,
      ${sql.decimal('1.10')} as e, ${new Date('2026-11-28T12:00:00Z')} as f, ${true} as g`
    expect(row).toEqual({
      ...{ a: 1, b: 1.5, c: 9_007_199_254_740_993n, d: 1 },
      ...{ e: '1.10', f: '2026-11-28 12:00:00.000', g: 1 },
    })
  })

  test('an instant compares with what SQLite itself says the time is', async () => {
    await sql.execute`create table t (at timestamp default current_timestamp)`
    await sql.execute`insert into t default values`
    const [before, after] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)]
    expect(await sql.query`select at from t where at > ${before} and at < ${after}`).toHaveLength(1)
    expect(await sql.query`select at from t where at < ${before}`).toHaveLength(0)
  })
})

describe('statements', () => {
  test('of several in one text none is left out: they are refused', async () => {
    await sql.execute`create table t (a int)`
    for (const text of ['insert into t values (1); delete from t', 'select 1; select 2']) {
      await expect(sql.execute(sql.raw(text))).rejects.toMatchObject({ kind: 'invalid' })
    }
    await sql.execute(sql.raw('insert into t values (1); -- the end'))
    expect(await sql.query`select a from t`).toEqual([{ a: 1 }])
  })

  test('a trigger has statements in it', async () => {
    await sql.execute`create table t (a int)`
    await sql.execute(
      sql.raw(
        'create trigger x after insert on t begin update t set a = a + 1; delete from t where a > 5; end',
      ),
    )
    await sql.execute`insert into t values (${1})`
    expect(await sql.query`select a from t`).toEqual([{ a: 2 }])
  })

  test('RETURNING gives rows, and the rows are counted', async () => {
    await sql.execute`create table t (id integer primary key, a int)`
    expect(await sql.query`insert into t (a) values (1), (2) returning id`).toEqual([
      { id: 1 },
      { id: 2 },
    ])
    expect(await sql.execute`update t set a = 3 returning id`).toMatchObject({ rowsAffected: 2 })
  })

  test('an id is that of a key that SQLite counts, of whatever the table is called', async () => {
    const odd = sql.id('a "b" c')
    await sql.execute`create table ${odd} (id integer primary key, a int unique)`
    const insert = (a: number) => sql.execute`insert into main.${odd} (a) values (${a})`
    expect((await insert(1)).insertId).toBe(1n)
    expect((await insert(2)).insertId).toBe(2n)
    const upsert = sql.execute`insert into ${odd} (a) values (${2}) on conflict (a) do update set a = 3`
    expect((await upsert).insertId).toBeNull()
    const ignored = sql.execute`insert or ignore into ${odd} (a) values (${1})`
    expect(await ignored).toEqual({ rowsAffected: 0, insertId: null })
    await sql.execute`create table pair (a integer, b integer, primary key (a, b))`
    expect((await sql.execute`insert into pair values (1, 2)`).insertId).toBeNull()
  })

  test('a stream that fails in the middle has given what came before', async () => {
    await sql.execute`create table t (a int)`
    await sql.bulkInsert(
      't',
      [1, 2, 3].map((a) => ({ a })),
    )
    const text = sql.fragment`select abs(case a when 3 then -9223372036854775808 else a end) as x
      from t order by rowid`
    for (const written of [false, true]) {
      const stream = sql.stream(text, { pageRows: 1 })
      expect((await stream.next()).value).toEqual({ x: 1 })
      if (written) await sql.execute`insert into t values (${9})`
      expect((await stream.next()).value).toEqual({ x: 2 })
      await expect(stream.next()).rejects.toMatchObject({ kind: 'invalid' })
      expect(await stream.next()).toEqual({ done: true, value: undefined })
    }
  })

  test('a foreign key that is checked at the commit keeps it from being one', async () => {
    await sql.execute`create table a (id integer primary key)`
    await sql.execute`create table b (a int references a (id) deferrable initially deferred)`
    const failed = sql.transaction((transaction) => transaction.execute`insert into b values (1)`)
    await expect(failed).rejects.toMatchObject({ kind: 'conflict', outcome: 'not-applied' })
    expect(await sql.query`select a from b`).toEqual([])
  })
})

test('nothing runs outside of a transaction that a statement has undone', async () => {
  await sql.execute`create table t (a int primary key)`
  const work = sql.transaction(async (transaction) => {
    await transaction.execute`insert into t values (1)`
    const undoing = transaction.execute`insert or rollback into t values (1)`
    await expect(undoing).rejects.toMatchObject({ kind: 'conflict' })
    const after = transaction.execute`insert into t values (2)`
    await expect(after).rejects.toMatchObject({ kind: 'closed' })
  })
  await expect(work).rejects.toMatchObject({ kind: 'closed', outcome: 'not-applied' })
  expect(await sql.query`select a from t`).toEqual([])
})

describe('one connection', () => {
  test('what is not part of a transaction waits for its end', async () => {
    await sql.execute`create table t (a int)`
    const order: string[] = []
    let reading: Promise<unknown> | undefined
    await sql.transaction(async (transaction) => {
      reading = sql.query`select a from t`.then((rows) => {
        order.push('read')
        return rows
      })
      await transaction.execute`insert into t values (1)`
      await sql.health()
      order.push('end')
    })
    expect(await reading).toEqual([{ a: 1 }])
    expect(order).toEqual(['end', 'read'])
  })

  test('who waits in vain fails by the deadline, and nothing was applied', async () => {
    await sql.execute`create table t (a int)`
    await sql.transaction(async () => {
      const insert = sql.execute(sql.fragment`insert into t values (1)`, { timeoutMs: 50 })
      await expect(insert).rejects.toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    })
    expect(await sql.query`select a from t`).toEqual([])
  })

  test('who waits when it is closed is sent away', async () => {
    const closing = new Sql(memory(), { logger: false, drainTimeoutMs: 50 })
    let waiting: Promise<unknown> | undefined
    const work = closing.transaction(async () => {
      waiting = closing.query`select 1 as a`
      await closing.close()
    })
    await expect(work).rejects.toMatchObject({ kind: 'closed' })
    await expect(waiting).rejects.toMatchObject({ kind: 'closed' })
  })

  test('clients of one driver share the database', async () => {
    const driver = memory()
    const [first, second] = [new Sql(driver, { logger: false }), new Sql(driver, { logger: false })]
    await first.execute`create table t (a int)`
    expect(await second.query`select a from t`).toEqual([])
    await first.close()
  })
})

describe('a file', () => {
  const path = () => join(directory, crypto.randomUUID())

  test('keeps what was written', async () => {
    const file = path()
    const first = client({ file })
    await first.execute`create table t (a int)`
    await first.bulkInsert('t', [{ a: 1 }])
    await first.close()
    const second = client({ file })
    expect(await second.query`select a from t`).toEqual([{ a: 1 }])
    expect(second.resource).toBe(file)
    await second.close()
  })

  test('that another process has locked is a lock, worth a retry', async () => {
    const file = path()
    const ours = new Sql(memory({ file }), { logger: false, retry: false })
    await ours.execute`create table t (a int)`
    const theirs = new DatabaseSync(file)
    theirs.exec('begin immediate')
    const refused = { kind: 'timeout', outcome: 'not-applied', retryable: true }
    await expect(ours.execute`insert into t values (1)`).rejects.toMatchObject(refused)
    await expect(ours.transaction(async () => {})).rejects.toMatchObject(refused)
    theirs.exec('rollback')
    theirs.close()
    await ours.execute`insert into t values (1)`
    expect(await ours.health({ writable: true })).toBeUndefined()
    await ours.close()
  })

  test.skipIf(process.getuid?.() === 0)('that may not be written is not writable', async () => {
    const file = path()
    const first = client({ file })
    await first.execute`create table t (a int)`
    await first.close()
    chmodSync(file, 0o400)
    const second = client({ file })
    await second.health()
    await expect(second.health({ writable: true })).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(second.execute`insert into t values (1)`).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
    await second.close()
  })

  test('that is none is a mistake of the configuration', async () => {
    const wrong = client({ file: join(directory, 'no', 'such', 'folder') })
    await expect(wrong.query`select 1 as a`).rejects.toMatchObject({
      kind: 'config',
      outcome: 'not-applied',
    })
    await wrong.close()
  })
})
