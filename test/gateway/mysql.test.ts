import { Client, DatabaseError } from '@planetscale/database'
import type { RowDataPacket } from 'mysql2/promise'
import { describe, expect, test } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import { ownDatabase } from '../engines/own.ts'
import { eventually, readOnlyToken, startMysqlGateway, token } from './mysql-gateway.ts'

const mysql = await engine('mysql')
const own = await ownDatabase(mysql)
let tables = 0

describe("PlanetScale's own client against the gateway", needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const { url, sdk, direct, transactions } = await startMysqlGateway(own.url)

  async function table(columns: string): Promise<string> {
    const name = `t${tables++}`
    await direct.query(`create table ${name} (${columns})`)
    return name
  }

  async function count(name: string): Promise<number> {
    const [rows] = await direct.query<RowDataPacket[][]>(`select count(*) from ${name}`)
    return Number(rows[0]?.[0])
  }

  test('a statement, with values that it formats', async () => {
    const connection = sdk()
    const reply = await connection.execute('select ? as text, 1 as one, null as none', ["it's\\ ?"])
    expect(reply).toMatchObject({
      headers: ['text', 'one', 'none'],
      types: { text: 'VARCHAR', one: 'INT32', none: 'NULL' },
      rows: [{ text: "it's\\ ?", one: 1, none: null }],
      size: 1,
      rowsAffected: 0,
      insertId: '0',
    })
    expect(reply.time).toBeGreaterThan(0)
    const named = await connection.execute('select :a as a', { a: '🍋' }, { as: 'array' })
    expect(named.rows).toEqual([['🍋']])
    expect((await connection.execute("select '' as empty")).rows).toEqual([{ empty: '' }])
    expect((await connection.execute('select 1 as one where 1 = 0')).rows).toEqual([])
  })

  test('its other entrances: a client, a session asked for, a gateway below a path', async () => {
    const client = new Client({ url: `http://app:${token}@${new URL(url).host}` })
    expect((await client.execute('select 1 as one')).rows).toEqual([{ one: 1 }])
    const connection = sdk()
    await connection.refresh()
    expect((await connection.execute('select 2 as two')).rows).toEqual([{ two: 2 }])
    const below = sdk({
      host: 'localhost',
      username: 'app',
      password: token,
      url: undefined as unknown as string,
      fetch: (path, init) => fetch(`${url}/mysql${new URL(path).pathname}`, init),
    })
    expect((await below.execute('select 3 as three')).rows).toEqual([{ three: 3 }])
  })

  test('every type, as PlanetScale describes it', async () => {
    const types = {
      i8: ['tinyint', '-128', -128, 'INT8'],
      u8: ['tinyint unsigned', '255', 255, 'UINT8'],
      i16: ['smallint', '-32768', -32768, 'INT16'],
      u16: ['smallint unsigned', '65535', 65535, 'UINT16'],
      i24: ['mediumint', '-8388608', -8388608, 'INT24'],
      u24: ['mediumint unsigned', '16777215', 16777215, 'UINT24'],
      i32: ['int', '-2147483648', -2147483648, 'INT32'],
      u32: ['int unsigned', '4294967295', 4294967295, 'UINT32'],
      i64: ['bigint', '-9223372036854775808', '-9223372036854775808', 'INT64'],
      u64: ['bigint unsigned', '18446744073709551615', '18446744073709551615', 'UINT64'],
      f32: ['float', '1.5', 1.5, 'FLOAT32'],
      f64: ['double', '-1.7976931348623157e308', -Number.MAX_VALUE, 'FLOAT64'],
      de: [
        'decimal(40, 3)',
        "'-1234567890123456789012345678901234567.100'",
        '-1234567890123456789012345678901234567.100',
        'DECIMAL',
      ],
      d: ['date', "'2026-11-28'", '2026-11-28', 'DATE'],
      t: ['time(3)', "'-838:59:58.5'", '-838:59:58.5', 'TIME'],
      dt: ['datetime(6)', "'2026-11-28 12:00:00.123456'", '2026-11-28 12:00:00.123456', 'DATETIME'],
      ts: ['timestamp(3) null', "'2026-11-28 12:00:00.25'", '2026-11-28 12:00:00.250', 'TIMESTAMP'],
      y: ['year', '2026', 2026, 'YEAR'],
      c: ['char(4)', "'ab'", 'ab', 'CHAR'],
      vc: ['varchar(20)', "'🍋\\\\'", '🍋\\', 'VARCHAR'],
      tx: ['longtext', "'text'", 'text', 'TEXT'],
      b: ['binary(3)', "x'00ff'", new Uint8Array([0, 255, 0]), 'BINARY'],
      vb: ['varbinary(3)', "x'80'", new Uint8Array([128]), 'VARBINARY'],
      bl: ['longblob', "x''", new Uint8Array(), 'BLOB'],
      bit: ['bit(10)', "b'1000000001'", new Uint8Array([2, 1]), 'BIT'],
      e: ["enum('z', 'ä')", "'ä'", 'ä', 'ENUM'],
      s: ["set('a', 'b')", "'a,b'", 'a,b', 'SET'],
      j: ['json', `'{"a": [1, null, "🍋"]}'`, { a: [1, null, '🍋'] }, 'JSON'],
    } as const
    const columns = Object.entries(types)
    const name = await table(columns.map(([name, [type]]) => `${name} ${type}`).join(', '))
    const literals = columns.map(([, [, literal]]) => literal).join(', ')
    const connection = sdk()
    const inserted = await connection.execute(`insert into ${name} values (${literals})`)
    expect(inserted).toMatchObject({ rowsAffected: 1, insertId: '0', rows: [], fields: [] })
    await connection.execute(`insert into ${name} values (${columns.map(() => 'null').join(', ')})`)

    const { rows, types: got, fields } = await connection.execute(`select * from ${name}`)
    expect(got).toEqual(Object.fromEntries(columns.map(([name, [, , , type]]) => [name, type])))
    expect(rows[0]).toEqual(Object.fromEntries(columns.map(([name, [, , value]]) => [name, value])))
    expect(rows[1]).toEqual(Object.fromEntries(columns.map(([name]) => [name, null])))
    const field = (name: string) => fields.find((field) => field.name === name)
    expect(field('u64')).toMatchObject({ charset: 63, flags: 32 + 128 + 32_768, columnLength: 20 })
    expect(field('vc')).toMatchObject({ charset: 255 })
    expect(field('f64')).toMatchObject({ decimals: 31 })

    const point = await connection.execute(
      "select point(1, 2) as p, inet6_aton('::1') as i, uuid() as u",
    )
    expect(point.rows[0]).toEqual({
      p: expect.any(Uint8Array),
      i: expect.any(Uint8Array),
      u: expect.stringMatching(/^[\da-f-]{36}$/),
    })
  })

  test('rows affected are those that were found; the id of what was inserted', async () => {
    const name = await table('id bigint unsigned auto_increment primary key, a int')
    const connection = sdk()
    expect(await connection.execute(`insert into ${name} (a) values (1), (2)`)).toMatchObject({
      rowsAffected: 2,
      insertId: '1',
    })
    await connection.execute(`insert into ${name} values (18446744073709551000, 3)`)
    expect(await connection.execute(`insert into ${name} (a) values (1)`)).toMatchObject({
      rowsAffected: 1,
      insertId: '18446744073709551001',
    })
    expect(await connection.execute(`update ${name} set a = 1`)).toMatchObject({ rowsAffected: 4 })
    expect(await connection.execute(`update ${name} set a = 1`)).toMatchObject({ rowsAffected: 4 })
    expect(await connection.execute(`delete from ${name} where a = 7`)).toMatchObject({
      rowsAffected: 0,
    })
  })

  test('a transaction is applied as a whole, and seen by nobody before', async () => {
    const name = await table('a int')
    const result = await sdk().transaction(async (transaction) => {
      await transaction.execute(`insert into ${name} values (?)`, [1])
      await transaction.execute(`insert into ${name} values (?)`, [2])
      expect(await count(name)).toBe(0)
      return (await transaction.execute(`select count(*) as n from ${name}`)).rows
    })
    expect(result).toEqual([{ n: '2' }])
    expect(await count(name)).toBe(2)
    expect(await transactions()).toBe(0)
  })

  test('an error in a transaction undoes it', async () => {
    const name = await table('a int primary key')
    const work = sdk().transaction(async (transaction) => {
      await transaction.execute(`insert into ${name} values (1)`)
      await transaction.execute(`insert into ${name} values (1)`)
    })
    await expect(work).rejects.toThrow('errno 1062')
    expect(await count(name)).toBe(0)
    // As MySQL, a refused statement is no reason to give up the rest.
    await sdk().transaction(async (transaction) => {
      await transaction.execute(`insert into ${name} values (1)`)
      await transaction.execute(`insert into ${name} values (1)`).catch(() => {})
      await transaction.execute(`insert into ${name} values (2)`)
    })
    expect(await count(name)).toBe(2)
  })

  test('the words of a transaction, in any case and with comments; savepoints; isolation', async () => {
    const name = await table('a int')
    const connection = sdk()
    const execute = (text: string) => connection.execute(text)
    await execute('/* hello */ start   TRANSACTION ; -- bye')
    await execute(`insert into ${name} values (1)`)
    await execute('savepoint `one`')
    await execute(`insert into ${name} values (2)`)
    await execute('Rollback work to savepoint ONE')
    await execute(`insert into ${name} values (3)`)
    await execute('release savepoint one')
    await expect(execute('rollback to one')).rejects.toThrow('errno 1305')
    // One that begins commits the one before.
    await execute('BEGIN WORK')
    expect(await count(name)).toBe(2)
    await execute(`insert into ${name} values (4)`)
    await execute('rollback')
    await execute('rollback')
    await execute('commit')
    expect(await count(name)).toBe(2)

    await execute('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
    await execute('begin')
    await direct.query('start transaction')
    await direct.query(`insert into ${name} values (5)`)
    expect((await execute(`select count(*) as n from ${name}`)).rows).toEqual([{ n: '3' }])
    await expect(execute('set transaction isolation level serializable')).rejects.toThrow('before')
    await execute('commit')
    await execute('begin')
    expect((await execute(`select count(*) as n from ${name}`)).rows).toEqual([{ n: '2' }])
    await execute('commit')
    await direct.query('rollback')
  })

  test('what a shared connection cannot have is refused, and says so', async () => {
    const refused = [
      'use mysql',
      'set @a = 1',
      'set session sql_mode = ""',
      'set autocommit = 0',
      'lock tables t0 read',
      'unlock tables',
      'xa start "a"',
      'prepare a from "select 1"',
      'handler t0 open',
      'commit and chain',
      'start transaction read only',
      'create temporary table x (a int)',
      'rollback release',
      "select get_lock('a', 1)",
      "select `GET_LOCK` ('a', 1)",
      "do get_lock('a', 1)",
      'set names latin1',
      'select 1 /*! , 2 */',
      "select 'a",
      'begin; select 1',
      'set transaction read only',
    ]
    for (const text of refused) {
      const error = await sdk()
        .execute(text)
        .catch((error) => error)
      expect(error, text).toBeInstanceOf(DatabaseError)
      expect(error.status, text).toBe(400)
      expect(error.message, text).not.toContain('vttablet')
    }
    for (const text of ['set names utf8mb4', "set names 'utf8mb4'", 'SET autocommit=1']) {
      expect((await sdk().execute(text)).rows).toEqual([])
    }
    await expect(sdk().execute('select 1; select 2')).rejects.toThrow('errno 1064')
    expect((await sdk().execute('select 1 as a;')).rows).toEqual([{ a: 1 }])
    expect((await sdk().execute("select 'get_lock(' as a")).rows).toEqual([{ a: 'get_lock(' }])
  })

  test('errors have the number and the state of the server, and no values', async () => {
    const name = await table('a varchar(20) primary key, b int not null, check (b < 10)')
    await direct.query(`insert into ${name} values ('secret', 1)`)
    const cases = [
      [
        `insert into ${name} values ('secret', 1)`,
        1062,
        '23000',
        'AlreadyExists',
        'ALREADY_EXISTS',
      ],
      [
        `insert into ${name} values ('secret2', null)`,
        1048,
        '23000',
        'InvalidArgument',
        'INVALID_ARGUMENT',
      ],
      [
        `insert into ${name} values ('secret2', 11)`,
        4025,
        '23000',
        'InvalidArgument',
        'INVALID_ARGUMENT',
      ],
      [
        `insert into ${name} values (repeat('secret', 9), 1)`,
        1406,
        '22001',
        'InvalidArgument',
        'INVALID_ARGUMENT',
      ],
      ['select secret from', 1064, '42000', 'InvalidArgument', 'INVALID_ARGUMENT'],
      ['select * from secret', 1146, '42S02', 'NotFound', 'NOT_FOUND'],
      [`select secret from ${name}`, 1054, '42S22', 'NotFound', 'NOT_FOUND'],
    ] as const
    for (const [text, errno, state, named, code] of cases) {
      const error = await sdk()
        .execute(text)
        .catch((error) => error)
      expect(error, text).toBeInstanceOf(DatabaseError)
      expect(error.body.code).toBe(code)
      expect(error.message).toMatch(`rpc error: code = ${named} desc = `)
      expect(error.message).toMatch(`(errno ${errno}) (sqlstate ${state})`)
      expect(error.message).not.toContain('secret')
    }
    await expect(sdk().execute(cases[0][0])).rejects.toThrow("for key 'PRIMARY' (errno 1062)")
  })

  test('a value that becomes the name of a column', async () => {
    for (const value of ['a"b', "it's", '\\', '*/', '`', '\n', 'constructor', 'toString']) {
      const { rows } = await sdk().execute('select ?', [value], { as: 'array' })
      expect(rows).toEqual([[value]])
    }
    // For these, mysql2 gives up its connection.
    const names = ['__proto__', '__defineGetter__', '__lookupSetter__']
    for (const value of [...names, ...names]) {
      const { rows, headers } = await sdk().execute('select ?', [value], { as: 'array' })
      expect(rows).toEqual([[value]])
      expect(headers).toEqual([value])
    }
  })

  test('many at a time, each with its own session', async () => {
    const name = await table('a int')
    await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        if (i % 3 > 0) {
          expect((await sdk().execute('select ? as i', [i])).rows).toEqual([{ i }])
          return
        }
        const work = sdk().transaction(async (transaction) => {
          await transaction.execute(`insert into ${name} values (?)`, [i])
          if (i % 2 > 0) throw new Error('undo')
        })
        await work.catch(() => {})
      }),
    )
    const [rows] = await direct.query<RowDataPacket[][]>(`select a from ${name} order by a`)
    expect(rows.map(([a]) => a)).toEqual([0, 6, 12, 18, 24])
    expect(await transactions()).toBe(0)
  })

  test('procedures: the rows of the first result', async () => {
    await direct.query('create procedure twice(n int) begin select n as a; select n * 2 as b; end')
    expect((await sdk().execute('call twice(4)')).rows).toEqual([{ a: 4 }])
  })

  test('a deadlock ends the transaction, which then only rolls back', async () => {
    const name = await table('a int primary key, b int')
    await direct.query(`insert into ${name} values (1, 0), (2, 0)`)
    const [one, other] = [sdk(), sdk()]
    await one.execute('begin')
    await other.execute('begin')
    await one.execute(`update ${name} set b = 1 where a = 1`)
    await other.execute(`update ${name} set b = 1 where a = 2`)
    const both = await Promise.allSettled([
      one.execute(`update ${name} set b = 2 where a = 2`),
      other.execute(`update ${name} set b = 2 where a = 1`),
    ])
    const [loser, winner] = both[0].status === 'rejected' ? [one, other] : [other, one]
    const { reason } = both.find((result) => result.status === 'rejected') as PromiseRejectedResult
    expect(reason.message).toMatch('code = Aborted')
    expect(reason.message).toMatch('(errno 1213) (sqlstate 40001)')
    await expect(loser.execute(`update ${name} set b = 3`)).rejects.toThrow(
      'the transaction is gone',
    )
    await loser.execute('rollback')
    await winner.execute('commit')
    // What the winner did, as a whole.
    const { rows } = await loser.execute(`select b from ${name} order by b`)
    expect(rows).toEqual([{ b: 1 }, { b: 2 }])
  })
})

describe('who may do what', needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const { sdk, post, direct, log } = await startMysqlGateway(own.url, {
    limits: { rows: 100, bodyBytes: 5000 },
  })

  test('a wrong password is refused, by its status', async () => {
    const error = await sdk({
      url: 'http://app:wrong@localhost',
      fetch: (input, init) =>
        post(init?.body, { path: new URL(input).pathname, headers: init?.headers ?? {} }),
    })
      .execute('select 1')
      .catch((error) => error)
    expect(error).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } })
  })

  test('the read-only token reads', async () => {
    await direct.query('create table readable (a int)')
    await direct.query('insert into readable values (1)')
    const headers = { authorization: `Bearer ${readOnlyToken}` }
    const status = async (query: string) => (await post({ query }, { headers })).status
    for (const query of [
      'select * from readable',
      '(select 1)',
      'with x as (select 1) select * from x',
      'show tables',
      'describe readable',
      'explain select 1',
      'values (1)',
      'begin',
      'rollback',
      'commit',
      "select 'into', `a` into_ from readable",
      'select 1 -- into x',
      'select replace("a", "b", "c"), sleep(0), benchmark(1, 1)',
    ].filter((query) => !query.startsWith('('))) {
      expect(await status(query), query).toBe(200)
    }
    for (const query of [
      'insert into readable values (2)',
      'update readable set a = 2',
      'delete from readable',
      'drop table readable',
      'truncate readable',
      'replace into readable values (1)',
      'create table x (a int)',
      'alter table readable add b int',
      "select 1 into outfile '/tmp/x'",
      "select 1 into dumpfile '/tmp/x'",
      'select 1 into @a',
      'select 1 into@a',
      'select @a := 1',
      'select * from readable for update',
      'select * from readable for share',
      'select * from readable lock in share mode',
      'with x as (select 1) delete from readable',
      'explain analyze delete from readable',
      'analyze delete from readable',
      'call p()',
      'do sleep(0)',
      'select 1; delete from readable',
      'load data infile "x" into table readable',
      'select next value for s',
      'select nextval(s)',
      'select setval(s, 1)',
      'grant all on *.* to x',
      'kill 1',
      'flush tables',
      'optimize table readable',
      "select 1 as a#'\n into outfile '/tmp/x' #'",
      "select 1.into outfile '/tmp/x'",
      "select .5into outfile '/tmp/x'",
      "select 1e5into outfile '/tmp/x'",
      "select 1 --\u00a0into outfile '/tmp/x'",
      "select 1e-- '\n into outfile '/tmp/x' -- '",
      "select '\\' into outfile \"/tmp/x\" #'",
      'shutdown',
      'do 1',
    ]) {
      const answer = await post({ query }, { headers })
      expect(answer.status, query).toBe(403)
    }
    for (const query of [
      'select 1 /*! into outfile "/tmp/x" */',
      'select 1 /*M! into outfile "/tmp/x" */',
      'select 1 /*',
    ]) {
      expect(await status(query), query).toBe(400)
    }
    const [rows] = await direct.query<RowDataPacket[][]>('select a from readable')
    expect(rows).toEqual([[1]])
  })

  test('a reply of too many rows is refused, and the statement stopped', async () => {
    const query = 'select seq from seq_1_to_100'
    expect((await sdk().execute(query)).size).toBe(100)
    const response = await post({ query: 'select seq from seq_1_to_1000000000' })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({
      error: { code: 'INVALID_ARGUMENT', message: expect.stringContaining('100 rows') },
    })
    expect(
      (await post({ query: 'insert into readable (a) select seq from seq_1_to_1000' })).status,
    ).toBe(200)
    expect((await post({ query: `select '${'x'.repeat(5000)}'` })).status).toBe(413)
  })

  test('what is no request of the protocol', async () => {
    for (const body of [
      '',
      '[]',
      '{}',
      'null',
      '"select 1"',
      { query: 1 },
      '{"query":"select 1"',
      { query: '\0' },
      { query: 'select \ud800' },
      { query: '' },
    ]) {
      const response = await post(body)
      expect(response.status, JSON.stringify(body)).toBe(
        body !== null && typeof body === 'object' && body.query === '' ? 200 : 400,
      )
      expect(await response.json()).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } })
    }
    expect((await post({}, { path: '/psdb.v1alpha1.Database/Prepare' })).status).toBe(404)
    expect((await post('', { path: '/mysql/psdb.v1alpha1.Database/CreateSession' })).status).toBe(
      200,
    )
  })

  test('nothing that was asked is logged', async () => {
    await post({ query: "select 'topsecret' from nowhere" })
    await post({ query: "set @a = 'topsecret'" })
    expect(log.length).toBeGreaterThan(0)
    expect(JSON.stringify(log)).not.toContain('topsecret')
  })
})

describe('sessions', needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const limits = { transactions: 3, transactionIdleMs: 500 }
  const one = await startMysqlGateway(own.url, { limits })
  const other = await startMysqlGateway(own.url, { limits })
  const { direct, transactions } = one

  interface Body {
    readonly session: { signature: string; vitessSession: { inTransaction?: boolean } }
    readonly error?: { message: string }
    readonly result?: { rows?: unknown[] }
  }
  async function ask(
    gateway: typeof one,
    query: string,
    session?: unknown,
    headers = {},
  ): Promise<Body> {
    const response = await gateway.post({ query, session }, { headers })
    return (await response.json()) as Body
  }

  test('a transaction that nobody goes on with is rolled back', async () => {
    await direct.query('create table idle (a int)')
    const { session } = await ask(one, 'begin')
    await ask(one, 'insert into idle values (1)', session)
    expect(await transactions()).toBe(1)
    await eventually(async () => expect(await transactions()).toBe(0))
    const late = await ask(one, 'insert into idle values (2)', session)
    expect(late.error?.message).toMatch('the transaction is gone')
    expect((await ask(one, 'commit', session)).error?.message).toMatch('the transaction is gone')
    expect((await ask(one, 'rollback', session)).error).toBeUndefined()
    const [rows] = await direct.query('select * from idle')
    expect(rows).toEqual([])
  })

  test('it is for one process, and the other says so', async () => {
    const { session } = await ask(one, 'begin')
    for (const query of ['select 1', 'commit', 'rollback', 'savepoint a']) {
      expect((await ask(other, query, session)).error?.message, query).toMatch(
        'another gateway process',
      )
    }
    expect((await ask(one, 'select 1', session)).error).toBeUndefined()
    await ask(one, 'rollback', session)
  })

  test('it cannot be made up, nor be used with another token, nor be left out unnoticed', async () => {
    const { session } = await ask(one, 'begin')
    const { signature } = session
    const bearer = { authorization: `Bearer ${readOnlyToken}` }
    const changed = signature.slice(0, -2) + (signature.endsWith('AA') ? 'BB' : 'AA')
    for (const [forged, headers] of [
      [{ ...session, signature: changed }, {}],
      [{ ...session, signature: 'x' }, {}],
      [session, bearer],
    ] as const) {
      const { error } = await ask(one, 'select 1', forged, headers)
      expect(error?.message).toMatch('no such transaction was given to this token')
    }
    for (const broken of [
      { ...session, vitessSession: {} },
      { ...session, signature: '' },
      { vitessSession: { inTransaction: true } },
      { signature: 1 },
      'session',
      1,
      [],
      { signature: '', vitessSession: { systemVariables: { transaction_isolation: 'x' } } },
      { signature: '', vitessSession: { systemVariables: { transaction_isolation: '__proto__' } } },
    ]) {
      expect((await ask(one, 'select 1', broken)).error?.message, JSON.stringify(broken)).toMatch(
        'none of this gateway',
      )
    }
    expect((await ask(one, 'commit', session)).error).toBeUndefined()
  })

  test('there are only so many, and room again when one ends', async () => {
    const all = [await ask(one, 'begin'), await ask(one, 'begin'), await ask(one, 'begin')]
    const response = await one.post({ query: 'begin' })
    expect(response.status).toBe(429)
    await ask(one, 'commit', all[0]?.session)
    const again = await ask(one, 'begin')
    for (const { session } of [...all.slice(1), again]) await ask(one, 'rollback', session)
    expect(await transactions()).toBe(0)
  })

  test('one statement at a time', async () => {
    const { session } = await ask(one, 'begin')
    const both = await Promise.all([
      one.post({ query: 'select sleep(0.1)', session }),
      one.post({ query: 'select sleep(0.1)', session }),
    ])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    await ask(one, 'rollback', session)
  })

  test('a client that goes away in the middle of a statement leaves nothing behind', async () => {
    await direct.query('create table left_behind (a int)')
    const { session } = await ask(one, 'begin')
    await ask(one, 'insert into left_behind values (1)', session)
    const controller = new AbortController()
    const query = 'select sleep(30) as in_a_transaction'
    const gone = one
      .post({ query, session }, { signal: controller.signal })
      .catch((error) => error.name)
    await eventually(async () => expect(await one.running()).toContain(query))
    controller.abort()
    expect(await gone).toBe('AbortError')
    await eventually(async () => expect(await one.running()).toEqual([]))
    await eventually(async () => expect(await transactions()).toBe(0))
    expect((await ask(one, 'commit', session)).error?.message).toMatch('the transaction is gone')
    const [rows] = await direct.query('select * from left_behind')
    expect(rows).toEqual([])
  })

  test('a statement that nobody waits for is stopped at the engine', async () => {
    const controller = new AbortController()
    const query = 'select sleep(30) as alone'
    const gone = one.post({ query }, { signal: controller.signal }).catch((error) => error.name)
    await eventually(async () => expect(await one.running()).toContain(query))
    controller.abort()
    expect(await gone).toBe('AbortError')
    await eventually(async () => expect(await one.running()).toEqual([]))
  })

  test('the time that the caller has left crosses the wire', async () => {
    const response = await one.post(
      { query: 'select sleep(30)' },
      { headers: { 'dualport-timeout-ms': '100' } },
    )
    expect(response.status).toBe(504)
    expect(response.headers.get('dualport-error')).toBe('SQL_TIMEOUT;not-applied')
    expect(await response.json()).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } })
    await eventually(async () => expect(await one.running()).toEqual([]))
  })

  test('closing the gateway rolls back what is open', async () => {
    const closed = await startMysqlGateway(own.url)
    const { session } = await ask(closed, 'begin')
    await ask(closed, 'insert into idle values (7)', session)
    closed.gateway.close()
    await eventually(async () => expect(await transactions()).toBe(0))
    expect((await closed.post({ query: 'begin' })).status).toBe(503)
  })
})
