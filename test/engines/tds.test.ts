import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { type BulkLoad, ISOLATION_LEVEL, Request, TYPES } from 'tedious'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { Reader, Writer } from './tds/bytes.ts'
import { Client, type Given } from './tds/client.ts'
import { type SqlType, typeNamed } from './tds/types.ts'
import { convert } from './tds/values.ts'
import { readTypeInfo, readValue, writeTypeInfo, writeValue } from './tds/wire.ts'
import {
  type SqlServerError,
  sqlServerErrors,
  startTdsServer,
  type TdsOptions,
  type TdsRequest,
  type TdsServer,
} from './tds.ts'

let failing: ((request: TdsRequest) => SqlServerError | undefined) | undefined
const server = await startTdsServer({
  fail: (request) => failing?.(request),
  accessToken: 'a token',
  columnTypes: { told: 'decimal(19,4)' },
  procedures: {
    'dbo.add': ({ a, b }) => ({
      sets: [
        { rows: [{ a, big: 2n ** 40n }] },
        { columns: { at: 'datetime2(3)' }, rows: [{ at: new Date(0) }, { at: null }] },
      ],
      output: { sum: Number(a) + Number(b) },
      returnValue: 7,
    }),
    refuse: () => {
      throw sqlServerErrors.permissionDenied('EXECUTE', 'refuse', 'dualport')
    },
    hang: (_input, { signal }) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      signal.addEventListener('abort', () => resolve(undefined))
      return promise
    },
  },
})
const client = await Client.connect(server)
afterAll(async () => {
  await client.close()
  await server.stop()
  expect(server.failures).toEqual([])
})

let tables = 0
/** A table of one test's own. */
async function table(columns: string): Promise<string> {
  const name = `t${++tables}`
  await client.batch(`create table dbo.${name} (${columns})`)
  return name
}

async function another(options?: Parameters<typeof Client.connect>[1]): Promise<Client> {
  const made = await Client.connect(server, options)
  onTestFinished(() => made.close())
  return made
}

async function own(options: TdsOptions): Promise<TdsServer> {
  const made = await startTdsServer(options)
  onTestFinished(() => made.stop())
  return made
}

function count(name: string, from = client): Promise<unknown> {
  return from.row(`select count(*) as n from ${name}`).then(({ n }) => n)
}

// Logins -----------------------------------------------------------------------------------------

test('a login with the right password is let in, and one with a wrong one is not', async () => {
  const wrong = { userName: server.user, password: 'wrong' }
  const login = Client.connect(server, { authentication: { type: 'default', options: wrong } })
  await expect(login).rejects.toMatchObject({
    code: 'ELOGIN',
    message: "Login failed for user 'sa'.",
  })
  expect(await client.row('select db_name() as name, @@trancount as open')).toEqual({
    name: 'dualport',
    open: 0,
  })
})

test('a database that there is not is named, and the login fails', async () => {
  const errors: number[] = []
  const { Connection } = await import('tedious')
  const connection = new Connection({
    server: '127.0.0.1',
    authentication: {
      type: 'default',
      options: { userName: server.user, password: server.password },
    },
    options: { port: server.port, database: 'nowhere', encrypt: false },
  })
  connection.on('errorMessage', ({ number }: { number: number }) => errors.push(number))
  const { promise, resolve } = Promise.withResolvers<Error | undefined>()
  connection.connect(resolve)
  expect(await promise).toMatchObject({ code: 'ELOGIN' })
  expect(errors).toEqual([4060, 18456])
})

test('an access token logs in, and a wrong one does not', async () => {
  const login = (token: string) =>
    Client.connect(server, {
      authentication: { type: 'azure-active-directory-access-token', options: { token } },
    })
  const good = await login('a token')
  expect(await good.row('select 1 as one')).toEqual({ one: 1 })
  await good.close()
  await expect(login('another')).rejects.toThrow('token-identified principal')
})

test('a credential is asked for the token of the database that the server names', async () => {
  const scopes: unknown[] = []
  const credential = {
    getToken: async (scope: unknown) => {
      scopes.push(scope)
      return { token: 'a token', expiresOnTimestamp: Date.now() + 60_000 }
    },
  }
  const made = await another({
    authentication: { type: 'token-credential', options: { credential } },
  })
  expect(await made.row('select 1 as one')).toEqual({ one: 1 })
  expect(scopes).toEqual(['https://database.windows.net/.default'])
})

test('TLS is spoken with who trusts the certificate, and with no one else', async () => {
  const secured = await own({ tls: 'required' })
  const ca = secured.certificate!
  const encrypted = { encrypt: true, serverName: 'localhost', cryptoCredentialsDetails: { ca } }
  const made = await Client.connect(secured, { options: encrypted })
  onTestFinished(() => made.close())
  const long = 'x'.repeat(100_000)
  expect(await made.row('select @v as v', { v: [TYPES.NVarChar, long] })).toEqual({ v: long })

  const untrusting = Client.connect(secured, {
    options: { encrypt: true, serverName: 'localhost' },
  })
  await expect(untrusting).rejects.toThrow(/self-signed certificate/)
  await expect(Client.connect(secured)).rejects.toMatchObject({ code: 'EENCRYPT' })
})

test('TDS 8 begins with TLS', async () => {
  const secured = await own({ tls: true })
  const ca = secured.certificate!
  const made = await Client.connect(secured, {
    options: { encrypt: 'strict', serverName: 'localhost', cryptoCredentialsDetails: { ca } },
  })
  onTestFinished(() => made.close())
  expect(await made.row('select 1 as one')).toEqual({ one: 1 })
})

test('a bulk load that is taken back half-way leaves nothing, and the connection is of use', async () => {
  const name = await table('id int primary key, name nvarchar(50), d decimal(10,2)')
  const other = await another()
  const started = Promise.withResolvers<void>()
  async function* rows() {
    for (let id = 0; ; id++) {
      yield [id, 'x'.repeat(50), null]
      if (id === 1_000) {
        started.resolve()
        await new Promise(() => {})
      }
    }
  }
  const loading = bulk(name, rows(), other)
  await started.promise
  other.connection.cancel()
  await expect(loading).rejects.toMatchObject({ code: 'ECANCEL' })
  expect(await count(name, other)).toBe(0)
})

test('what ran for a client that is gone runs no more', async () => {
  const other = await Client.connect(server)
  other.batch(endless).catch(() => {})
  while (server.running().length === 0) await turn()
  const before = server.open
  await other.close()
  while (server.open === before) await turn()
  expect(server.running()).toEqual([])
})

// Types ------------------------------------------------------------------------------------------

const guid = 'B0A1A2A3-B4B5-4C6C-8D7E-0123456789AB'
const noon = new Date('2024-02-29T12:34:56.789Z')
const bytes = Buffer.from([0, 1, 254, 255])

const kept: readonly [type: string, of: Given[0], value: unknown, options?: Given[2]][] = [
  ['bit', TYPES.Bit, true],
  ['tinyint', TYPES.TinyInt, 255],
  ['smallint', TYPES.SmallInt, -32_768],
  ['int', TYPES.Int, -2_147_483_648],
  ['bigint', TYPES.BigInt, '9007199254740993'],
  ['real', TYPES.Real, 0.5],
  ['float', TYPES.Float, 0.1],
  ['decimal(10,2)', TYPES.Decimal, -12_345_678.91, { precision: 10, scale: 2 }],
  ['numeric(18,4)', TYPES.Numeric, 1.5, { precision: 18, scale: 4 }],
  ['money', TYPES.Money, -922_337.5808],
  ['smallmoney', TYPES.SmallMoney, 1.25],
  ['uniqueidentifier', TYPES.UniqueIdentifier, guid],
  ['date', TYPES.Date, new Date('2024-02-29')],
  ['time(7)', TYPES.Time, new Date('1970-01-01T23:59:59.999Z')],
  ['datetime', TYPES.DateTime, new Date('2024-02-29T12:34:56.790Z')],
  ['smalldatetime', TYPES.SmallDateTime, new Date('2024-02-29T12:34:00Z')],
  ['datetime2(7)', TYPES.DateTime2, noon],
  ['datetime2(3)', TYPES.DateTime2, new Date('0001-01-01T00:00:00.001Z'), { scale: 3 }],
  ['datetimeoffset(7)', TYPES.DateTimeOffset, noon],
  ['nvarchar(10)', TYPES.NVarChar, 'héllo ☃'],
  ['nvarchar(max)', TYPES.NVarChar, '☃'.repeat(5_000), { length: Number.POSITIVE_INFINITY }],
  ['varchar(20)', TYPES.VarChar, 'héllo ☃'],
  ['char(5)', TYPES.Char, 'ab   '],
  ['nchar(3)', TYPES.NChar, 'a  '],
  ['varbinary(4)', TYPES.VarBinary, bytes],
  ['varbinary(max)', TYPES.VarBinary, Buffer.alloc(9_000, 7)],
  ['binary(4)', TYPES.Binary, bytes],
  ['xml', TYPES.NVarChar, '<a>☃</a>'],
  ['text', TYPES.Text, 'long'],
  ['ntext', TYPES.NText, 'long ☃'],
  ['image', TYPES.Image, bytes],
]

test.each(kept)('%s is kept, and so is its null', async (type, of, value, options) => {
  const name = await table(`id int, v ${type}`)
  const insert = `insert into ${name} (id, v) values (@id, @v)`
  const given = [of, value, options ?? {}] as const
  await client.query(insert, { id: [TYPES.Int, 1], v: given })
  await client.query(insert, { id: [TYPES.Int, 2], v: [of, null, options ?? {}] })
  const { sets } = await client.query(`select v from ${name} order by id`)
  expect(sets[0]).toEqual([{ v: value }, { v: null }])
  if (type === 'text' || type === 'ntext' || type === 'image' || type === 'xml') return
  expect(await client.row('select @v as v', { v: given })).toEqual({ v: value })
})

const wireTypes = [
  ...['int', 'bigint', 'decimal(38,10)', 'decimal(9,0)', 'decimal(28,28)', 'money', 'smallmoney'],
  ...['date', 'time(0)', 'time(7)', 'datetime2(3)', 'datetime2(7)', 'datetimeoffset(7)'],
  ...[
    'nvarchar(max)',
    'nvarchar(50)',
    'varchar(200)',
    'varbinary(max)',
    'uniqueidentifier',
    'float',
  ],
]

function values(type: SqlType): fc.Arbitrary<unknown> {
  const { name, precision = 19, scale = 4 } = type
  switch (name) {
    case 'int':
      return fc.bigInt(-(2n ** 31n), 2n ** 31n - 1n)
    case 'bigint':
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    case 'smallmoney':
    case 'money':
    case 'decimal': {
      const most =
        name === 'smallmoney'
          ? 2n ** 31n - 1n
          : name === 'money'
            ? 2n ** 63n - 1n
            : 10n ** BigInt(precision) - 1n
      return fc.bigInt(-most, most).map((units) => convert(`${units}e-${scale}`, type))
    }
    case 'float':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'uniqueidentifier':
      return fc.uuid().map((text) => text.toUpperCase())
    case 'nvarchar':
    case 'varchar':
      return fc.string({ unit: 'binary', maxLength: 25 })
    case 'varbinary':
      return fc.uint8Array()
    default: {
      const range = {
        min: new Date('0001-01-02'),
        max: new Date('9999-12-30'),
        noInvalidDate: true,
      }
      const zone = fc.constantFrom('', '+05:30', '-11:00')
      return fc
        .tuple(fc.date(range), zone, fc.integer({ min: 0, max: 9999 }))
        .map(([date, offset, rest]) => {
          const text = date.toISOString().replace('Z', String(rest).padStart(4, '0'))
          return convert(`${text} ${offset}`, type)
        })
    }
  }
}

test.each(wireTypes)('what is written as %s is read as it was', (text) => {
  const type = typeNamed(text)
  fc.assert(
    fc.property(fc.option(values(type)), (value) => {
      const writer = new Writer()
      writeTypeInfo(writer, type)
      writeValue(writer, type, value as string)
      const reader = new Reader(writer.take())
      const wire = readTypeInfo(reader)
      expect(wire.type).toEqual(type)
      expect(readValue(reader, wire, true)).toEqual(value)
      expect(reader.done).toBe(true)
    }),
  )
})

test('decimals beyond the digits of a double are kept and sent exactly', async () => {
  const name = await table('v decimal(38,10)')
  await client.batch(`insert into ${name} values (1234567890123456789012345678.0123456789)`)
  expect(await client.row(`select cast(v as nvarchar(60)) as v from ${name}`)).toEqual({
    v: '1234567890123456789012345678.0123456789',
  })
})

test('a column has the type that it is declared, computed, told or seen to have', async () => {
  const name = await table('id bigint identity(5,1) primary key, d decimal(10,2), at date')
  await client.batch(`insert into ${name} (d, at) values (1.5, '2024-01-02'), (2.25, '2024-01-01')`)
  const request = client.query(
    `select id, d, max(d) as top_d, sum(d) as sum_d, min(at) as at, count(*) as n, count_big(*) as big,
       2147483648 as wide, 1.50 as literal, id + 1 as computed, 3.25 * 1 as told, @p as p, null as nothing
     from ${name} group by id, d order by id`,
    { p: [TYPES.Date, noon] },
  )
  expect((await request).sets[0]![0]).toEqual({
    ...{ id: '5', d: 1.5, top_d: 1.5, sum_d: 1.5, at: new Date('2024-01-02'), n: 1, big: '1' },
    ...{ wide: 2_147_483_648, literal: 1.5, computed: 6, told: 3.25 },
    ...{ p: new Date('2024-02-29'), nothing: null },
  })
})

// Texts ------------------------------------------------------------------------------------------

test.each([
  ["select len(N'ab ') as v", 2],
  [
    "select 'it''s -- not [a] comment; select 2' as v /* a comment */ -- another",
    "it's -- not [a] comment; select 2",
  ],
  ['select top 1 v from (values (1), (2)) as t(v) order by v desc', undefined],
  ["select 'a' + N'b' as v", 'ab'],
  ['select isnull(null, 3) as v', 3],
  ["select cast('12' as int) as v", 12],
  ['select convert(varchar(3), 12345) as v', '123'],
  ["select try_cast('x' as int) as v", null],
  ['select case when 1 = 1 then 2 else 3 end as v', 2],
  ['select v = 4', 4],
  ["select left('abc', 2) as v", 'ab'],
  ["select datediff(day, '2024-01-01', '2024-03-01') as v", 60],
  ['select 0xff as v', Buffer.of(255)],
  ['declare @v int = 2; set @v = @v + 1; select @v as v', 3],
  ['declare @v int select @v = 5 select @v as v', 5],
  ['if 1 = 2 select 1 as v else begin select 2 as v end', 2],
  ['with c as (select 7 as v) select v from c', 7],
  ["select databasepropertyex(db_name(), 'Updateability') as v", 'READ_WRITE'],
] as const)('%s', async (sql, value) => {
  if (value === undefined) {
    await expect(client.query(sql)).rejects.toThrow()
    return
  }
  expect(await client.row(sql)).toEqual({ v: value })
})

test('rows are counted, limited, paged and given back as T-SQL says', async () => {
  const name = await table(
    'id int identity primary key, [order] nvarchar(20) not null, n int default 0',
  )
  const { sets, counts } = await client.batch(`
    insert ${name} ([order]) output inserted.id, inserted.n values (N'a'), (N'b'), (N'c')
    select @@rowcount as inserted, scope_identity() as last
    update ${name} with (rowlock) set n = n + 1 output inserted.id where id > 1
    delete top (1) from dbo.${name} where id > 1
    select top (1) id from [dbo].[${name}] with (nolock) order by id desc
    select id from ${name} order by id offset 1 rows fetch next 5 rows only`)
  expect(sets).toEqual([
    [
      { id: 1, n: 0 },
      { id: 2, n: 0 },
      { id: 3, n: 0 },
    ],
    [{ inserted: 3, last: 3 }],
    [{ id: 2 }, { id: 3 }],
    [{ id: 3 }],
    [{ id: 3 }],
  ])
  expect(counts).toEqual([3, 1, 2, 1, 1, 1])
})

test('a batch with an error of syntax does nothing at all', async () => {
  const name = await table('id int')
  const batch = client.batch(`insert into ${name} values (1); selec 1`)
  await expect(batch).rejects.toMatchObject({ number: 102 })
  expect(await count(name)).toBe(0)
})

// Prepared, procedures, bulk ---------------------------------------------------------------------

test('a prepared statement runs as often as it is asked to, until it is let go', async () => {
  const prepared = Promise.withResolvers<void>()
  const results: unknown[] = []
  let next = Promise.withResolvers<void>()
  const request = new Request('select @a * 2 as v', (error) => {
    if (error) next.reject(error)
    else next.resolve()
  })
  request.addParameter('a', TYPES.Int, undefined)
  request.on('row', ([column]: { value: unknown }[]) => results.push(column!.value))
  request.once('prepared', prepared.resolve)
  client.connection.prepare(request)
  await prepared.promise
  for (const a of [1, 21]) {
    next = Promise.withResolvers()
    client.connection.execute(request, { a })
    await next.promise
  }
  next = Promise.withResolvers()
  client.connection.unprepare(request)
  await next.promise
  expect(results).toEqual([2, 42])
  next = Promise.withResolvers()
  client.connection.execute(request, { a: 1 })
  await expect(next.promise).rejects.toMatchObject({ number: 8179 })
})

test('a text gives its output parameters back', async () => {
  const { output } = await client.run(
    'set @b = @a + 1; set @c = @c + N"!"'.replaceAll('"', "'"),
    (request) => {
      request.addParameter('a', TYPES.Int, 1)
      request.addOutputParameter('b', TYPES.BigInt)
      request.addOutputParameter('c', TYPES.NVarChar, 'so', { length: 50 })
      client.connection.execSql(request)
    },
  )
  expect(output).toEqual({ b: '2', c: 'so!' })
})

test('a procedure gives its sets, its output and its return value', async () => {
  const { sets, output, returned } = await client.run('[dbo].[Add]', (request) => {
    request.addParameter('a', TYPES.Int, 1)
    request.addParameter('b', TYPES.Int, 2)
    request.addOutputParameter('sum', TYPES.Int)
    client.connection.callProcedure(request)
  })
  expect(sets).toEqual([[{ a: 1, big: '1099511627776' }], [{ at: new Date(0) }, { at: null }]])
  expect({ output, returned }).toEqual({ output: { sum: 3 }, returned: 7 })
  const call = (name: string) =>
    client.run(name, (request) => client.connection.callProcedure(request))
  await expect(call('nothing')).rejects.toMatchObject({ number: 2812 })
  await expect(call('refuse')).rejects.toMatchObject({ number: 229, class: 14 })
  expect((await client.batch('exec dbo.add @a = 1, @b = 2')).sets).toHaveLength(2)
})

function bulk(
  name: string,
  rows: Iterable<unknown[]> | AsyncIterable<unknown[]>,
  from = client,
): Promise<number> {
  const loaded = Promise.withResolvers<number>()
  const load: BulkLoad = from.connection.newBulkLoad(name, (error, rowCount) => {
    if (error) loaded.reject(error)
    else loaded.resolve(rowCount!)
  })
  load.addColumn('id', TYPES.Int, { nullable: false })
  load.addColumn('name', TYPES.NVarChar, { nullable: true, length: 50 })
  load.addColumn('d', TYPES.Decimal, { nullable: true, precision: 10, scale: 2 })
  from.connection.execBulkLoad(load, rows)
  return loaded.promise
}

test('a bulk load inserts all rows, or none', async () => {
  const name = await table('id int primary key, name nvarchar(50), d decimal(10,2)')
  const rows = Array.from({ length: 5_000 }, (_, id) => [id, `row ${id}`, id / 4])
  expect(await bulk(name, rows)).toBe(5_000)
  expect(await client.row(`select * from ${name} where id = 4999`)).toEqual({
    ...{ id: 4_999, name: 'row 4999', d: 1249.75 },
  })
  await expect(
    bulk(name, [
      [5_000, null, null],
      [1, null, null],
    ]),
  ).rejects.toMatchObject({
    number: 2627,
  })
  expect(await count(name)).toBe(5_000)
})

// Transactions -----------------------------------------------------------------------------------

test('a transaction is seen by others once it is committed, and undone by a rollback', async () => {
  const name = await table('id int')
  const other = await another()
  await client.begin()
  await client.query(`insert into ${name} values (1)`)
  expect(await client.row('select @@trancount as n, xact_state() as s')).toEqual({ n: 1, s: 1 })
  expect(await count(name, other)).toBe(0)
  await client.commit()
  expect(await count(name, other)).toBe(1)
  await client.begin()
  await client.query(`insert into ${name} values (2)`)
  await client.rollback()
  expect(await count(name)).toBe(1)
})

test('a rollback to a savepoint undoes what came after it alone', async () => {
  const name = await table('id int')
  await client.begin()
  await client.query(`insert into ${name} values (1)`)
  await client.save('half')
  await client.query(`insert into ${name} values (2)`)
  await client.rollback('half')
  await expect(client.rollback('nowhere')).rejects.toMatchObject({ number: 6401 })
  await client.commit()
  expect(await count(name)).toBe(1)
})

test('transactions by text are the same ones', async () => {
  const name = await table('id int')
  const batch = `begin tran; insert into ${name} values (1); save transaction half
    insert into ${name} values (2); rollback transaction half; begin transaction; commit
    select @@trancount as open_now; commit transaction`
  expect((await client.batch(batch)).sets).toEqual([[{ open_now: 1 }]])
  expect(await count(name)).toBe(1)
  await expect(client.batch('commit')).rejects.toMatchObject({ number: 3902 })
  await expect(client.batch('rollback')).rejects.toMatchObject({ number: 3903 })
  await expect(client.query('begin tran')).rejects.toMatchObject({ number: 266 })
  await client.rollback()
})

test('READ COMMITTED sees what others commit, and SNAPSHOT does not', async () => {
  const name = await table('id int')
  const other = await another()
  await client.begin(ISOLATION_LEVEL.READ_COMMITTED)
  expect(await count(name)).toBe(0)
  await other.query(`insert into ${name} values (1)`)
  expect(await count(name)).toBe(1)
  await client.rollback()

  await client.begin(ISOLATION_LEVEL.SNAPSHOT)
  expect(await count(name)).toBe(1)
  await other.query(`insert into ${name} values (2)`)
  expect(await count(name)).toBe(1)
  const update = client.query(`update ${name} set id = 3`)
  await expect(update).rejects.toMatchObject({ number: 3960 })
  expect(await client.row('select @@trancount as n')).toEqual({ n: 0 })
  await client.reset()
})

test('who writes waits for who writes, as long as LOCK_TIMEOUT lets it', async () => {
  const name = await table('id int')
  const other = await another()
  await client.begin()
  await client.query(`insert into ${name} values (1)`)
  const impatient = other.batch(`set lock_timeout 0; insert into ${name} values (2)`)
  await expect(impatient).rejects.toMatchObject({ number: 1222 })
  const patient = other.batch(`set lock_timeout -1; insert into ${name} values (3)`)
  await client.commit()
  await patient
  expect(await count(name)).toBe(2)
})

test('what a text SETs ends with it, and what a batch does not', async () => {
  const name = await table('id int')
  const other = await another()
  await other.query('set nocount on')
  expect((await other.query(`insert into ${name} values (1)`)).counts).toEqual([1])
  await other.batch('set nocount on')
  expect((await other.query(`insert into ${name} values (1)`)).counts).toEqual([])
})

test('values compare as those of the column', async () => {
  const name = await table('d decimal(38,4), at datetimeoffset(3), t time(7), n bigint')
  const values = {
    d: [TYPES.Decimal, 1.5, { precision: 10, scale: 2 }],
    at: [TYPES.DateTimeOffset, noon],
    t: [TYPES.Time, noon, { scale: 3 }],
    n: [TYPES.BigInt, '9007199254740993'],
  } as const
  await client.query(`insert into ${name} values (@d, @at, @t, @n)`, values)
  const where = 'd = @d and at = @at and t = @t and n = @n'
  expect(await client.row(`select 1 as found from ${name} where ${where}`, values)).toEqual({
    found: 1,
  })
})

test('an error leaves the transaction open, unless XACT_ABORT is on', async () => {
  const name = await table('id int primary key')
  const twice = `insert into ${name} values (1); insert into ${name} values (1); insert into ${name} values (2)`
  await client.begin()
  await expect(client.batch(twice)).rejects.toMatchObject({ number: 2627 })
  expect(await count(name)).toBe(2)
  await client.rollback()

  const strict = await another({ options: { abortTransactionOnError: true } })
  await strict.begin()
  await expect(strict.batch(twice)).rejects.toMatchObject({ number: 2627 })
  expect(await strict.row('select @@trancount as n')).toEqual({ n: 0 })
  expect(await count(name, strict)).toBe(0)
})

test('a reset connection has no transaction and no temporary tables left', async () => {
  const name = await table('id int')
  await client.begin()
  await client.batch(
    `create table #t (id int); insert into #t values (1); insert into ${name} values (1)`,
  )
  expect(await count('#t')).toBe(1)
  await client.reset()
  expect(await client.row('select @@trancount as n')).toEqual({ n: 0 })
  expect(await count(name)).toBe(0)
  await expect(count('#t')).rejects.toMatchObject({ number: 208 })
})

// Attention --------------------------------------------------------------------------------------

/** Runs it, and cancels it once it runs. */
async function cancelled(sql: string, from: Client): Promise<unknown> {
  const reply = from.batch(sql)
  const failed = reply.then(
    () => undefined,
    (error: unknown) => error,
  )
  while (!server.running().some((running) => running.sql === sql)) await turn()
  from.connection.cancel()
  return failed
}

const endless = `with n as (select 1 as i union all select i + 1 from n where i < 1000000000)
  select count(*) as n from n option (maxrecursion 0)`

test.each(["waitfor delay '01:00:00'", endless])('attention stops: %s', async (sql) => {
  const before = server.attentions
  const name = await table('id int')
  const other = await another()
  await other.begin()
  await other.query(`insert into ${name} values (1)`)
  expect(await cancelled(sql, other)).toMatchObject({ code: 'ECANCEL' })
  expect(server.attentions).toBe(before + 1)
  expect(server.running()).toEqual([])
  // What was done before is not undone by it.
  await other.commit()
  expect(await count(name, other)).toBe(1)
})

test('attention stops a procedure, one that waits for a lock, and one that times out', async () => {
  const name = await table('id int')
  const other = await another({ options: { requestTimeout: 50 } })
  expect(await cancelled('exec hang', other)).toMatchObject({ code: 'ECANCEL' })
  await client.begin()
  await client.query(`insert into ${name} values (1)`)
  const blocked = other.batch(`insert into ${name} values (2)`)
  await expect(blocked).rejects.toMatchObject({ code: 'ETIMEOUT' })
  await client.commit()
  await expect(other.batch(endless)).rejects.toMatchObject({ code: 'ETIMEOUT' })
  expect(await count(name, other)).toBe(1)
})

test('rows are streamed as fast as they are taken, and the rest is dropped by attention', async () => {
  const sql = `with n as (select 1 as i union all select i + 1 from n where i < @last) select i from n`
  const other = await another()
  const stream = async (last: number, pauseAt: number, cancelAt = Number.POSITIVE_INFINITY) => {
    let rows = 0
    let sum = 0
    await other.run(sql, (request) => {
      request.addParameter('last', TYPES.Int, last)
      request.on('row', ([column]: { value: number }[]) => {
        rows++
        sum += column!.value
        if (rows === cancelAt) other.connection.cancel()
        else if (rows % pauseAt === 0) {
          request.pause()
          setImmediate(() => request.resume())
        }
      })
      other.connection.execSql(request)
    })
    return { rows, sum }
  }
  expect(await stream(200_000, 50_000)).toEqual({ rows: 200_000, sum: 20_000_100_000 })
  await expect(stream(1_000_000_000, 1_000, 5_000)).rejects.toMatchObject({ code: 'ECANCEL' })
  expect(server.running()).toEqual([])
  expect(await other.row('select 1 as one')).toEqual({ one: 1 })
})

test('who looks sees what runs, and may kill it', async () => {
  const other = await another()
  const { id } = await other.row('select @@spid as id')
  const waiting = other.batch("waitfor delay '01:00:00'")
  waiting.catch(() => {})
  while (server.running()[0]?.status !== 'suspended') await turn()
  const requests =
    'select session_id, status, command from sys.dm_exec_requests where session_id <> @@spid'
  expect(await client.row(requests)).toEqual({
    ...{ session_id: id, status: 'suspended', command: 'WAITFOR' },
  })
  await client.batch(`kill ${id}`)
  await expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' })
  await expect(client.batch(`kill ${id}`)).rejects.toMatchObject({ number: 6106 })
})

// Errors -----------------------------------------------------------------------------------------

await client.batch(`
  create table parents (id int not null constraint pk_parents primary key, name nvarchar(5) not null unique)
  create table children (id int identity primary key, parent int constraint fk_parent references parents(id),
    age int constraint ck_age check (age > 0), code varchar(10), day date, key_ uniqueidentifier, small tinyint,
    price decimal(5,2))
  create unique index ux_code on children (code)
  insert into parents values (1, N'one')
  insert into children (parent, code) values (1, 'secret')`)

test.each([
  [2627, 14, "insert into parents values (1, N'x')", /PRIMARY KEY constraint 'pk_parents'.*\(1\)/],
  [2627, 14, "insert into parents values (2, N'ONE')", /UNIQUE KEY.*value is \(ONE\)/],
  [2601, 14, "insert into children (code) values ('secret')", /index 'ux_code'.*\(secret\)/],
  [
    547,
    16,
    'insert into children (parent) values (9)',
    /FOREIGN KEY constraint "fk_parent".*"dbo.parents"/,
  ],
  [547, 16, 'delete from parents', /DELETE.*REFERENCE constraint "fk_parent".*"dbo.children"/],
  [547, 16, 'insert into children (age) values (0)', /CHECK constraint "ck_age"/],
  [515, 16, 'insert into parents (id) values (3)', /column 'name', table 'dualport.dbo.parents'/],
  [2628, 16, "insert into parents values (3, N'toolong')", /Truncated value: 'toolo'/],
  [208, 16, 'select * from dbo.nowhere', /'dbo.nowhere'/],
  [207, 16, 'select nothing from parents', /'nothing'/],
  [207, 16, 'select p.[no column] from parents p', /'no column'/],
  [4104, 16, 'select q.id from parents p', /q.id/],
  [102, 15, 'select from where', /near/],
  [102, 15, 'select (1', /near/],
  [105, 15, "select 'abc", /abc/],
  [137, 15, 'select @nothing', /@nothing/],
  [195, 15, 'select nothing(1)', /'nothing'/],
  [213, 16, 'insert into parents values (1)', /supplied values/],
  [245, 16, "select cast(N'abc' as int)", /nvarchar value 'abc' to data type int/],
  [8114, 16, "select cast('abc' as decimal(5,2))", /numeric|decimal/],
  [241, 16, "insert into children (day) values ('2024-02-30')", /date/],
  [8169, 16, "insert into children (key_) values ('x')", /uniqueidentifier/],
  [8115, 16, 'insert into children (small) values (256)', /tinyint/],
  [8115, 16, 'insert into children (price) values (1000)', /decimal/],
  [8115, 16, 'select cast(18446744073709551615.0 as bigint)', /bigint/],
  [2714, 16, 'create table parents (id int)', /'parents'/],
  [3701, 11, 'drop table nowhere', /'nowhere'/],
  [911, 16, 'use nowhere', /'nowhere'/],
  [50_001, 16, "throw 50001, N'mine', 3", /mine/],
  [50_000, 12, "raiserror('%s is %d', 12, 1, 'this', 5)", /this is 5/],
] as const)('error %i of class %i: %s', async (number, severity, sql, message) => {
  const failed = client.batch(sql)
  await expect(failed).rejects.toMatchObject({ number, class: severity })
  await expect(failed).rejects.toThrow(message)
})

test('a test may have any error, such as a deadlock, which undoes the transaction', async () => {
  onTestFinished(() => {
    failing = undefined
  })
  await client.begin()
  failing = ({ sql }) => (sql.includes('parents') ? sqlServerErrors.deadlock() : undefined)
  await expect(client.query('select * from parents')).rejects.toMatchObject({ number: 1205 })
  expect(await client.row('select @@trancount as n')).toEqual({ n: 0 })
})

test('a read-only database takes no writes, and says what it is', async () => {
  const readOnly = await own({ readOnly: true })
  const made = await Client.connect(readOnly)
  onTestFinished(() => made.close())
  const sql = "select databasepropertyex(db_name(), 'Updateability') as v"
  expect(await made.row(sql)).toEqual({ v: 'READ_ONLY' })
  await expect(made.batch('create table t (id int)')).rejects.toMatchObject({ number: 3906 })
})

// Failures ---------------------------------------------------------------------------------------

test('a connection may be cut before and after a COMMIT is done', async () => {
  const name = await table('id int')
  for (const [stage, rows] of [
    ['beforeExecute', 0],
    ['beforeReply', 1],
  ] as const) {
    const other = await another()
    await other.begin()
    await other.query(`insert into ${name} values (1)`)
    const remove = server[stage]((request) => {
      if (request.kind === 'commit') request.drop()
    })
    await expect(other.commit()).rejects.toMatchObject({ code: 'ECONNRESET' })
    remove()
    expect(await count(name)).toBe(rows)
  }
})

test('a server that went down is back at its port with what was committed', async () => {
  const mortal = await own({})
  const first = await Client.connect(mortal)
  await first.batch('create table t (id int); insert into t values (1)')
  await first.begin()
  await first.query('insert into t values (2)')
  await mortal.kill()
  await expect(first.query('select 1')).rejects.toMatchObject({})
  await expect(Client.connect(mortal)).rejects.toMatchObject({ code: 'ESOCKET' })
  await mortal.start()
  const second = await Client.connect(mortal)
  onTestFinished(() => second.close())
  expect(await count('t', second)).toBe(1)
  expect({ connections: mortal.connections, logins: mortal.logins, open: mortal.open }).toEqual({
    ...{ connections: 2, logins: 2, open: 1 },
  })
})

// mssql ------------------------------------------------------------------------------------------

test('mssql is served as tedious is', async () => {
  // It has no types of its own.
  const mssql = createRequire(import.meta.url)('mssql')
  const pool = await new mssql.ConnectionPool({
    ...{ server: '127.0.0.1', port: server.port, user: server.user, password: server.password },
    ...{ database: server.database, options: { encrypt: false } },
  }).connect()
  onTestFinished(() => pool.close())
  const rows = new mssql.Table('#loaded')
  rows.create = true
  rows.columns.add('id', mssql.Int, { nullable: false, primary: true })
  rows.columns.add('name', mssql.NVarChar(20), { nullable: true })
  rows.rows.add(1, 'one')
  rows.rows.add(2, null)
  const transaction = pool.transaction()
  await transaction.begin()
  expect((await transaction.request().bulk(rows)).rowsAffected).toBe(2)
  const { recordset } = await transaction.request().query('select * from #loaded order by id')
  expect(recordset).toEqual([
    { id: 1, name: 'one' },
    { id: 2, name: null },
  ])
  await transaction.rollback()

  const batch = pool.request().input('a', 2).output('b', mssql.Int)
  expect((await batch.batch('set @b = @a * 2')).output).toEqual({ b: 4 })
  const prepared = new mssql.PreparedStatement(pool)
  prepared.input('a', mssql.VarBinary(mssql.MAX))
  await prepared.prepare('select datalength(@a) as n')
  expect((await prepared.execute({ a: bytes })).recordset).toEqual([{ n: 4 }])
  await prepared.unprepare()
})
