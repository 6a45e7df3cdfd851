import fc from 'fast-check'
import { Request } from 'tedious'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Columns } from '../../adapters/sql/mssql/columns.ts'
import { connect } from '../../adapters/sql/mssql/connect.ts'
import { settingsOf } from '../../adapters/sql/mssql/settings.ts'
import { DriverFailure } from '../../src/core/index.ts'
import type { Sql } from '../../src/sql/index.ts'
import { client, failure, ownTdsServer } from './mssql.ts'

const server = await ownTdsServer({
  procedures: {
    'dbo.double': ({ a }) => ({
      sets: [{ rows: [{ a }] }, { rows: [{ b: 'one' }, { b: 'two' }] }],
      output: { doubled: Number(a) * 2, note: 'a'.repeat(5000), price: '1.10' },
      returnValue: 7,
    }),
  },
})
const { url } = server
const sql = client({ url })
afterAll(() => sql.close())

let tables = 0
/** Makes a table of one test's own. */
async function table(columns: string) {
  const name = `m${++tables}`
  await sql.execute(sql.raw(`create table ${name} (${columns})`))
  return { name, t: sql.id(name) }
}

function own(options = {}, settings = {}): Sql {
  const made = client({ url, ...options }, settings)
  onTestFinished(() => made.close())
  return made
}

describe('values', () => {
  const digits = fc
    .tuple(fc.bigInt(-(10n ** 38n) + 1n, 10n ** 38n - 1n), fc.integer({ min: 0, max: 38 }))
    .map(([value, scale]) => {
      const text = String(value < 0n ? -value : value).padStart(scale + 1, '0')
      const sign = value < 0n ? '-' : ''
      return `${sign}${text.slice(0, text.length - scale)}${scale === 0 ? '' : `.${text.slice(-scale)}`}`
    })
    .filter((text) => text.replace(/[-.]/g, '').length <= 38 || /^-?0\./.test(text))

  test('a decimal of up to 38 digits comes back digit for digit', async () => {
    await fc.assert(
      fc.asyncProperty(digits, async (given) => {
        const row = await sql.one<{ a: string }>`select ${sql.decimal(given)} as a`
        expect(row.a).toBe(given)
      }),
      { numRuns: 200 },
    )
  })

  test('an integer of 64 bits comes back as it went, and beyond them as a decimal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), async (given) => {
        expect((await sql.one<{ a: bigint }>`select ${given} as a`).a).toBe(given)
      }),
      { numRuns: 100 },
    )
    for (const edge of [2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(await sql.one`select ${edge} as a`).toEqual({ a: edge })
    }
    expect(await sql.one`select ${2n ** 63n} as a`).toEqual({ a: String(2n ** 63n) })
    expect(await sql.one`select ${2n ** 64n - 1n} as a`).toEqual({ a: String(2n ** 64n - 1n) })
  })

  const clock = fc
    .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.nat(9_999_999))
    .map(([h, m, s, fraction]) => {
      const two = (n: number) => String(n).padStart(2, '0')
      const rest = `.${String(fraction).padStart(7, '0')}`.replace(/\.?0+$/, '')
      return `${two(h)}:${two(m)}:${two(s)}${rest}`
    })
  const day = fc
    .date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T00:00:00Z'),
      noInvalidDate: true,
    })
    .map((date) => date.toISOString().slice(0, 10))

  test('days and times keep every tick of 100 ns, whatever the time zone of the process', async () => {
    const zone = process.env.TZ
    process.env.TZ = 'America/St_Johns'
    try {
      await fc.assert(
        fc.asyncProperty(day, clock, async (day, time) => {
          const both = `${day}T${time}`
          const row = await sql.one`select ${sql.date(day)} as d, ${sql.time(time)} as t,
            ${sql.datetime(both)} as dt, ${new Date(`${both.slice(0, 23)}Z`)} as i`
          const instant = new Date(`${both.slice(0, 23)}Z`)
          expect(row).toEqual({ d: day, t: time, dt: both, i: instant })
        }),
        { numRuns: 100 },
      )
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })

  test('each type of a column is its own, and NULL is null in all of them', async () => {
    const { t } =
      await table(`a bit, b tinyint, c smallint, d int, e bigint, f real, g float, h decimal(20,4),
      i money, j smallmoney, k date, l time(3), m datetime, n smalldatetime, o datetime2(7), p datetimeoffset(7),
      q char(3), r varchar(9), s nvarchar(max), u binary(2), v varbinary(max), w uniqueidentifier, x xml`)
    const id = '0F8FAD5B-D9CB-469F-A165-70867728950E'
    const at = '2026-11-28 12:30:00'
    await sql.execute`insert into ${t} values (1, 255, -5, 6, 7, 0.5, 2.5, ${sql.decimal('1234567890123456.7891')},
      ${sql.decimal('922337203685477.5807')}, ${sql.decimal('-1.5')}, ${at.slice(0, 10)}, '12:30:00.5', ${at}, ${at},
      '2026-11-28 12:30:00.1234567', '2026-11-28 14:30:00.5 +02:00', 'abc', 'déf', ${'𝄞\n'}, ${new Uint8Array([1, 2])},
      ${new Uint8Array(9000)}, ${id}, '<a/>')`
    await sql.execute(sql.fragment`insert into ${t} (a) values (null)`)
    const [row, empty] = await sql.query`select * from ${t}`
    expect(row).toEqual({
      ...{ a: true, b: 255, c: -5, d: 6, e: 7n, f: 0.5, g: 2.5, h: '1234567890123456.7891' },
      ...{ i: '922337203685477.5807', j: '-1.5000', k: '2026-11-28', l: '12:30:00.5' },
      ...{ m: '2026-11-28T12:30:00', n: '2026-11-28T12:30:00', o: '2026-11-28T12:30:00.1234567' },
      ...{ p: new Date('2026-11-28T12:30:00.5Z'), q: 'abc', r: 'déf', s: '𝄞\n' },
      ...{ u: new Uint8Array([1, 2]), v: new Uint8Array(9000), w: id.toLowerCase(), x: '<a/>' },
    })
    expect(Object.getPrototypeOf(row!.u)).toBe(Uint8Array.prototype)
    expect(new Set(Object.values(empty!))).toEqual(new Set([null]))
    const { types } = await sql.reply(sql.fragment`select * from ${t}`)
    expect(types).toEqual(
      'BIT TINYINT SMALLINT INT BIGINT REAL FLOAT DECIMAL MONEY SMALLMONEY DATE TIME DATETIME SMALLDATETIME DATETIME2 DATETIMEOFFSET CHAR VARCHAR NVARCHAR BINARY VARBINARY UNIQUEIDENTIFIER XML'.split(
        ' ',
      ),
    )
  })

  test('where tedious could not be told, what it has rounded is refused and not given', () => {
    const columns = new Columns([
      { type: { name: 'DecimalN' }, precision: 38, scale: 2, colName: 'a' },
    ])
    expect(columns.row([{ value: 1.1 }])).toEqual(['1.10'])
    expect(columns.row([{ value: 9_999_999_999_999.99 }])).toEqual(['9999999999999.99'])
    expect(() => columns.row([{ value: 10_000_000_000_000.1 }])).toThrow(DriverFailure)
  })

  test('another user of tedious in the process reads decimals as it always has', async () => {
    const { connect } = await import('tedious')
    await sql.query`select 1 as a`
    const connection = connect({
      server: '127.0.0.1',
      authentication: {
        type: 'default',
        options: { userName: server.user, password: server.password },
      },
      options: { port: server.port, encrypt: false },
    })
    const value = await new Promise((resolve, reject) => {
      connection.on('connect', (error) => {
        if (error) reject(error)
        let value: unknown
        const text = 'select cast(1.5 as decimal(10,2)) as a'
        const request = new Request(text, () => setImmediate(() => resolve(value)))
        request.on('row', ([column]: { value: unknown }[]) => {
          value = column!.value
        })
        connection.execSql(request)
      })
    })
    connection.close()
    expect(value).toBe(1.5)
  })

  test('what SQL Server has no type for is refused before it is sent', async () => {
    const before = server.batches.length
    const refused = [
      sql.query`select ${sql.decimal('1'.repeat(39))} as a`,
      sql.query`select ${sql.time('24:00:00')} as a`,
      sql.query`select ${sql.time('-01:00:00')} as a`,
    ]
    for (const each of refused) {
      expect(await failure(each)).toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
    }
    expect(server.batches.length).toBe(before)
  })

  test('long and short texts, empty ones and those of 4000 characters', async () => {
    for (const length of [0, 1, 3999, 4000, 4001, 100_000]) {
      const text = 'é'.repeat(length)
      expect(await sql.one`select ${text} as a`).toEqual({ a: text })
      const bytes = new Uint8Array(length).fill(7)
      expect(await sql.one`select ${bytes} as a`).toEqual({ a: bytes })
    }
  })
})

describe('statements', () => {
  test('one without parameters goes by sp_executesql as well, so that what it SETs ends with it', async () => {
    await sql.query`select 1 as a`
    const kinds: string[] = []
    const forget = server.beforeExecute(({ kind }) => void kinds.push(kind))
    onTestFinished(forget)
    await sql.query`select 1 as a`
    await sql.execute(sql.raw('set nocount on'))
    expect(kinds).toEqual(['rpc', 'rpc'])
  })

  test('of several results the first', async () => {
    expect(await sql.query(sql.raw('select 1 as a; select 2 as b'))).toEqual([{ a: 1 }])
  })

  test('an INSERT gives its identity, whatever its text ends with', async () => {
    const { name } = await table('id int identity primary key, n int')
    const ends = ['', ';', ' -- done', ' /* done */', ' ;\n-- done']
    for (const [i, end] of ends.entries()) {
      const text = sql.raw(`insert into ${name} (n) values (1)${end}`, [])
      expect(await sql.execute(text)).toEqual({ rowsAffected: 1, insertId: BigInt(i + 1) })
    }
    expect(await sql.execute(sql.raw(`update ${name} set n = 2`))).toEqual({
      rowsAffected: 5,
      insertId: null,
    })
  })

  test('a table without an identity gives none, and of several rows nobody knows the first', async () => {
    const { t } = await table('n int')
    expect((await sql.execute`insert into ${t} values (1)`).insertId).toBeNull()
    const other = await table('id int identity primary key, n int')
    expect(await sql.execute`insert into ${other.t} (n) values (1), (2)`).toEqual({
      rowsAffected: 2,
      insertId: null,
    })
  })

  test('OUTPUT gives its rows, and the identity beside them', async () => {
    const { t } = await table('id int identity primary key, n int')
    const reply = await sql.reply(
      sql.fragment`insert into ${t} (n) output inserted.n as m values (5)`,
    )
    expect(reply).toMatchObject({ columns: ['m'], rows: [[5]], rowsAffected: 1, insertId: 1n })
  })

  test('a SELECT affects no rows; of several changes the last one counts', async () => {
    const { name } = await table('n int')
    const affected = async (text: string) => (await sql.execute(sql.raw(text))).rowsAffected
    expect(await affected(`insert into ${name} values (1), (2), (3)`)).toBe(3)
    expect(await affected(`select * from ${name}`)).toBe(0)
    expect(await affected(`update ${name} set n = 1; update ${name} set n = 2 where 1 = 0`)).toBe(0)
    expect(await affected(`delete from ${name}; select * from ${name}`)).toBe(3)
  })

  test('the server says whether it takes writes', async () => {
    await sql.health({ writable: true })
    const { startTdsServer } = await import('../engines/tds.ts')
    const readOnly = await startTdsServer({ readOnly: true })
    onTestFinished(() => readOnly.stop())
    const secondary = client({ url: readOnly.url })
    onTestFinished(() => secondary.close())
    await secondary.health()
    expect(await failure(secondary.health({ writable: true }))).toMatchObject({
      kind: 'unavailable',
      message: 'sql PING: the server does not take writes',
    })
  })

  test('native is a connected pool of mssql itself', async () => {
    const one = own()
    const pool = (await one.native()) as {
      request(): { query(text: string): Promise<{ recordset: unknown[] }> }
      connected: boolean
    }
    expect([...(await pool.request().query('select 1 as a')).recordset]).toEqual([{ a: 1 }])
    await one.close()
    expect(pool.connected).toBe(false)
  })
})

describe('procedures', () => {
  test('results, output parameters of each type, and what RETURN gave', async () => {
    const result = await sql.call('dbo.double', {
      a: 21,
      doubled: sql.output('integer'),
      note: sql.output('string'),
      price: sql.output('decimal', '0.00'),
    })
    expect(result).toEqual({
      sets: [[{ a: 21 }], [{ b: 'one' }, { b: 'two' }]],
      output: { doubled: 42, note: 'a'.repeat(5000), price: '1.10' },
      returnValue: 7,
    })
  })

  test('one that there is not', async () => {
    expect(await failure(sql.call('dbo.nothing', { a: 1 }))).toMatchObject({ kind: 'not-found' })
  })

  test('its name is a name, whatever stands in it', async () => {
    const { t } = await table('n int')
    const error = await failure(sql.call(['dbo', `x]; drop table ${tables}; --`]))
    expect(error.kind).toBe('not-found')
    expect(await sql.query`select * from ${t}`).toEqual([])
  })
})

describe('bulkInsert', () => {
  test('each type of a column takes what its INSERT would take', async () => {
    const { name, t } =
      await table(`a bit, b tinyint, c bigint, d float, e decimal(10,2), f money, g date, h time,
      i datetime2, j datetimeoffset, k varchar(20), l nvarchar(max), m varbinary(max), n uniqueidentifier, o datetime`)
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e'
    const rows = [
      {
        ...{
          a: true,
          b: 200,
          c: 2n ** 62n,
          d: 0.1,
          e: sql.decimal('1.005'),
          f: sql.decimal('-2.5'),
        },
        ...{ g: sql.date('2026-11-28'), h: sql.time('12:00:00.1234567') },
        ...{ i: sql.datetime('2026-11-28T12:00:00.1234567'), j: new Date(1) },
        ...{ k: "it's", l: 'é'.repeat(10_000), m: new Uint8Array(9000).fill(1), n: sql.uuid(id) },
        o: sql.datetime('2026-11-28T12:00:00'),
      },
      {
        ...{
          a: 0,
          b: null,
          c: 1,
          d: 3,
          e: 2.345,
          f: '7',
          g: '2026-01-01',
          h: null,
          i: sql.date('2026-01-01'),
        },
        ...{ j: null, k: 12, l: '', m: new Uint8Array(), n: id, o: null },
      },
      Object.fromEntries('abcdefghijklmno'.split('').map((column) => [column, null])),
    ]
    expect(await sql.bulkInsert(name, rows)).toBe(3)
    const [first, second, third] = await sql.query`select * from ${t}`
    expect(first).toEqual({
      ...{ a: true, b: 200, c: 2n ** 62n, d: 0.1, e: '1.01', f: '-2.5000', g: '2026-11-28' },
      ...{ h: '12:00:00.1234567', i: '2026-11-28T12:00:00.1234567', j: new Date(1), k: "it's" },
      ...{
        l: 'é'.repeat(10_000),
        m: new Uint8Array(9000).fill(1),
        n: id,
        o: '2026-11-28T12:00:00',
      },
    })
    expect(second).toEqual({
      ...{ a: false, b: null, c: 1n, d: 3, e: '2.35', f: '7.0000', g: '2026-01-01', h: null },
      ...{ i: '2026-01-01T00:00:00', j: null, k: '12', l: '', m: new Uint8Array(), n: id, o: null },
    })
    expect(new Set(Object.values(third!))).toEqual(new Set([null]))
  })

  test('one value that does not fit stops all of them, before any is sent', async () => {
    const { name, t } = await table('a tinyint, b nvarchar(3), c date')
    const good = { a: 1, b: 'abc', c: null }
    const bad = [{ a: 256 }, { a: 'x' }, { b: 'abcd' }, { c: '2026-02-30' }, { c: 7 }]
    for (const wrong of bad) {
      const error = await failure(sql.bulkInsert(name, [good, { ...good, ...wrong }]))
      expect(error).toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
    }
    expect(await sql.query`select * from ${t}`).toEqual([])
  })

  test('a row that breaks a key undoes them all', async () => {
    const { name, t } = await table('id int primary key')
    const rows = Array.from({ length: 500 }, (_, i) => ({ id: i % 499 }))
    expect(await failure(sql.bulkInsert(name, rows))).toMatchObject({
      kind: 'conflict',
      outcome: 'not-applied',
    })
    expect(await sql.query`select * from ${t}`).toEqual([])
  })

  test('within a transaction it is part of it', async () => {
    const { name, t } = await table('id int primary key')
    await sql
      .transaction(async (transaction) => {
        expect(await transaction.bulkInsert(name, [{ id: 1 }, { id: 2 }])).toBe(2)
        throw new Error('no')
      })
      .catch(() => {})
    expect(await sql.query`select * from ${t}`).toEqual([])
  })

  test('a table that has changed since is seen as it is', async () => {
    const { name, t } = await table('a nvarchar(10)')
    await sql.bulkInsert(name, [{ a: 'x' }])
    await sql.execute(sql.raw(`drop table ${name}`))
    await sql.execute(sql.raw(`create table ${name} (b int)`))
    await failure(sql.bulkInsert(name, [{ a: 'x' }]))
    await sql.bulkInsert(name, [{ b: 1 }])
    expect(await sql.query`select * from ${t}`).toEqual([{ b: 1 }])
  })

  test('more than one batch takes, names with brackets in them, and tables that there are not', async () => {
    const name = `a]b ${++tables}`
    const t = sql.id(name)
    await sql.execute`create table ${t} (${sql.id('c]d')} int, e nvarchar(20))`
    const rows = Array.from({ length: 25_000 }, (_, i) => ({ 'c]d': i, e: `row ${i}` }))
    expect(await sql.bulkInsert([name], rows)).toBe(25_000)
    expect(await sql.one`select count(*) as n, max(${sql.id('c]d')}) as m from ${t}`).toEqual({
      n: 25_000,
      m: 24_999,
    })
    expect((await failure(sql.bulkInsert('nowhere', [{ a: 1 }]))).kind).toBe('not-found')
  })
})

describe('streams', () => {
  const rows = 5000
  const numbers = async () => {
    const { name, t } = await table('id int primary key, filler nvarchar(200)')
    const filler = 'x'.repeat(200)
    await sql.bulkInsert(
      name,
      Array.from({ length: rows }, (_, id) => ({ id, filler })),
    )
    return t
  }

  test('every row once, in pages, and the connection is free afterwards', async () => {
    const t = await numbers()
    const one = own({ maxPoolSize: 1 })
    const stream = one.stream<{ id: number }>(one.fragment`select * from ${t} order by id`, {
      pageRows: 300,
    })
    let next = 0
    for (;;) {
      const page = await stream.nextPage()
      if (page.length === 0) break
      expect(page.length).toBeLessThanOrEqual(300)
      for (const { id } of page) expect(id).toBe(next++)
      // A reader who takes their time.
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    }
    expect(next).toBe(rows)
    expect(one.pool()).toEqual({ open: 1, inUse: 0, waiting: 0 })
  })

  test('what is left early is stopped at the server, and the connection goes on', async () => {
    const t = await numbers()
    const one = own({ maxPoolSize: 1 })
    const spid = await one.one`select @@spid as s`
    const before = server.attentions
    const big = one.fragment`select a.id from ${t} a cross join ${t} b`
    for await (const _ of one.stream(big, { pageRows: 10 })) break
    expect(server.attentions).toBe(before + 1)
    expect(await one.one`select @@spid as s`).toEqual(spid)
    expect(server.running()).toEqual([])
  })

  test('in a transaction, another statement waits for the end of the stream, by refusal', async () => {
    const t = await numbers()
    await sql.transaction(async (transaction) => {
      const stream = transaction.stream(sql.fragment`select * from ${t}`, { pageRows: 10 })
      await stream.next()
      const error = await failure(transaction.query`select 1 as a`)
      expect(error).toMatchObject({ kind: 'invalid' })
      await stream.close()
      expect(await transaction.query`select 1 as a`).toEqual([{ a: 1 }])
    })
  })
})

describe('transactions', () => {
  test('a level of isolation ends with its transaction', async () => {
    const one = own({ maxPoolSize: 1 })
    await one.transaction(async (transaction) => void (await transaction.query`select 1 as a`), {
      isolation: 'serializable',
    })
    await one.query`select 1 as a`
    // The server has been told, on the same connection, before its next user came.
    expect(server.batches.at(-2)).toContain('set transaction isolation level read committed')
    expect(one.pool()).toEqual({ open: 1, inUse: 0, waiting: 0 })
  })

  test('every level that it claims', async () => {
    for (const isolation of sql.capabilities.isolation) {
      const work = sql.transaction((it) => it.one`select 1 as a`, { isolation })
      expect(await work).toEqual({ a: 1 })
    }
  })

  test('one that the text leaves open does not reach the next user of the connection', async () => {
    const one = own({ maxPoolSize: 1 })
    const first = await one.one`select @@spid as s`
    await one
      .execute(one.raw('declare @a int; begin transaction; select @@trancount as a'))
      .catch(() => {})
    expect(await one.one`select @@trancount as open, @@spid as s`).not.toMatchObject(first)
    expect(await one.one`select @@trancount as n`).toEqual({ n: 0 })
  })
})

// tedious would end the process: it takes the end of the reply for one of a request that there is no more.
test('a connection that is closed between the rows of a reply and its end', async () => {
  const link = await connect(settingsOf({ url }))
  const { Request } = link.library.tedious
  const error = await new Promise((resolve) => {
    const request = new Request('select 1 as a', resolve)
    request.on('row', () => link.close())
    link.connection.execSql(request)
  })
  expect(error).toMatchObject({ code: 'ECLOSE' })
  await new Promise(setImmediate)
})

test('a token is asked for at each connection', async () => {
  let asked = 0
  const token = 'a token'
  const { startTdsServer } = await import('../engines/tds.ts')
  const azure = await startTdsServer({ accessToken: token })
  onTestFinished(() => azure.stop())
  const one = client({
    host: '127.0.0.1',
    port: azure.port,
    encrypt: false,
    accessToken: async () => (++asked === 1 ? 'expired' : token),
  })
  onTestFinished(() => one.close())
  expect(await failure(one.query`select 1 as a`)).toMatchObject({ kind: 'unauthenticated' })
  expect(await one.query`select 1 as a`).toEqual([{ a: 1 }])
  expect(asked).toBe(2)
})
