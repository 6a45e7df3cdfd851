import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Mysql2Options, mysql2 } from '../../adapters/sql/mysql2.ts'
import { type DriverFailure, detachedAttempt, isInfraError } from '../../src/core/index.ts'
import {
  parameterOf,
  type ServerTransaction,
  Sql,
  type Statement,
  type StatementKind,
} from '../../src/sql/index.ts'
import { engine, needs } from '../engines/index.ts'
import { type MysqlProcess, startMysql } from '../engines/mariadb.ts'
import { ownDatabase } from '../engines/own.ts'
import { EngineMissing } from '../engines/process.ts'

const server = await engine('mysql')
const { url } = await ownDatabase(server)

const attempt = () => detachedAttempt('TEST', 10_000)
const statement = (kind: StatementKind, text: string, ...values: number[]): Statement => ({
  ...{ text, parameters: values.map(parameterOf), kind, insertId: false },
})

async function kindOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (isInfraError(error)) return error.kind
  return (error as DriverFailure | undefined)?.failure?.kind ?? String(error)
}

describe('mysql2', needs(server), async () => {
  if (server.missing !== undefined) return void test('works', () => {})
  const connection = await createConnection({ uri: url, multipleStatements: true })
  afterAll(() => connection.end())
  const create = (options: Mysql2Options = {}) => {
    const sql = new Sql(mysql2({ url, ...options }), { logger: false, retry: false })
    onTestFinished(() => sql.close())
    return sql
  }

  // Values ---------------------------------------------------------------------------------------

  test('every type comes back as its value, and the reply has its name', async () => {
    const sql = create()
    const columns: readonly (readonly [
      column: string,
      type: string,
      sql: string,
      value: unknown,
    ])[] = [
      ['tinyint', 'TINYINT', '-1', -1],
      ['tinyint unsigned', 'TINYINT UNSIGNED', '255', 255],
      ['boolean', 'TINYINT', 'true', 1],
      ['smallint', 'SMALLINT', '-32768', -32_768],
      ['mediumint unsigned', 'MEDIUMINT UNSIGNED', '16777215', 16_777_215],
      ['int', 'INT', '-2147483648', -2_147_483_648],
      ['int unsigned', 'INT UNSIGNED', '4294967295', 4_294_967_295],
      ['bigint', 'BIGINT', '7', 7n],
      ['bigint unsigned', 'BIGINT UNSIGNED', '18446744073709551615', 2n ** 64n - 1n],
      ['float', 'FLOAT', '0.1', Math.fround(0.1)],
      ['double', 'DOUBLE', '0.1', 0.1],
      ['decimal(20,4)', 'DECIMAL', '-1.1', '-1.1000'],
      ['date', 'DATE', "'2026-11-28'", '2026-11-28'],
      ['time', 'TIME', "'-101:02:03'", '-101:02:03'],
      ['time(6)', 'TIME', "'00:00:00.000050'", '00:00:00.00005'],
      ['datetime', 'DATETIME', "'2026-11-28 00:00:00'", '2026-11-28T00:00:00'],
      ['datetime(6)', 'DATETIME', "'2026-11-28 01:02:03.000050'", '2026-11-28T01:02:03.00005'],
      ['timestamp(3)', 'TIMESTAMP', "'2026-11-28 01:02:03.5'", new Date('2026-11-28T01:02:03.5Z')],
      ['year', 'YEAR', '2026', 2026],
      ['char(3)', 'CHAR', "'a'", 'a'],
      ['varchar(9)', 'VARCHAR', "'🍋'", '🍋'],
      ['longtext', 'TEXT', "'long'", 'long'],
      ["enum('a','b')", 'ENUM', "'b'", 'b'],
      ["set('a','b')", 'SET', "'a,b'", 'a,b'],
      ['binary(2)', 'BINARY', "'a'", Uint8Array.of(97, 0)],
      ['varbinary(9)', 'VARBINARY', "x'00ff'", Uint8Array.of(0, 255)],
      ['mediumblob', 'BLOB', "x'80'", Uint8Array.of(128)],
      ['bit(9)', 'BIT', "b'100000001'", Uint8Array.of(1, 1)],
      ['json', 'JSON', `'{"a":[1,null]}'`, { a: [1, null] }],
    ]
    await connection.query(
      `create table every (${columns.map(([column], i) => `c${i} ${column} null`).join()},
        point geometry, nothing int)`,
    )
    const values = columns.map(([, , value]) => value).join()
    await connection.query(
      `set time_zone = '+00:00'; insert into every values (${values}, point(1, 2), null)`,
    )
    const all = sql.raw('select * from every', [])
    // As it was prepared, and as it is known.
    for (let time = 0; time < 2; time++) {
      const { types, rows } = await sql.reply(all)
      expect(types).toEqual([...columns.map(([, type]) => type), 'GEOMETRY', 'INT'])
      const [row = []] = rows
      expect(row.slice(0, columns.length)).toEqual(columns.map(([, , , value]) => value))
      // SRID, byte order, type, x, y.
      const point = row.at(-2) as Uint8Array
      expect(point.constructor).toBe(Uint8Array)
      expect([point.length, ...point.subarray(0, 9)]).toEqual([25, 0, 0, 0, 0, 1, 1, 0, 0, 0])
      expect(row.at(-1)).toBeNull()
    }
    // A column that becomes another one is read as that, though the statement is known.
    await connection.query('alter table every modify c5 bigint')
    const { types, rows } = await sql.reply(all)
    expect([types?.[5], rows[0]?.[5]]).toEqual(['BIGINT', -2_147_483_648n])
  })

  test('zero dates are texts of zeros, and a zero timestamp is none', async () => {
    await connection.query(
      `create table zeros (d date, t datetime, s timestamp null); set sql_mode = '';
       insert into zeros values (0, 0, 0); set sql_mode = default`,
    )
    expect(await create().query`select * from zeros`).toEqual([
      { d: '0000-00-00', t: '0000-00-00T00:00:00', s: null },
    ])
  })

  test('any text and any bytes come back as they went', async () => {
    await connection.query('create table anything (id int primary key, t longtext, b longblob)')
    const sql = create()
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom("'; drop table anything; -- ", '\\', "\\'", '\0', '%_', '\u{10ffff}', "''"),
    )
    await fc.assert(
      fc.asyncProperty(text, fc.uint8Array({ maxLength: 300 }), async (t, b) => {
        await sql.execute`replace into anything values (1, ${t}, ${b})`
        expect(await sql.one`select t, b from anything where t = ${t} and b = ${b}`).toEqual({
          ...{ t, b },
        })
      }),
      { numRuns: 200 },
    )
  })

  test('a value has its type at the server', async () => {
    const sql = create()
    const { types } = await sql.reply(
      sql.raw('select ?, ?, ?, ?, ?, ?, ?, ?', [
        ...[1, -5n, 2n ** 63n, 1.5, sql.decimal('1.10'), 'a', Uint8Array.of(1), new Date()],
      ]),
    )
    if (!server.isMariadb) return
    expect(types).toEqual([
      ...['INT', 'BIGINT', 'BIGINT UNSIGNED', 'DOUBLE', 'DECIMAL', 'VARCHAR', 'BLOB', 'DATETIME'],
    ])
  })

  test('the number of rows may be a parameter', async () => {
    const sql = create()
    const rows = await sql.query`select 1 as n union select 2 union select 3 limit ${1} offset ${1}`
    expect(rows).toEqual([{ n: 2 }])
  })

  // Statements -----------------------------------------------------------------------------------

  test('a connection keeps a limited number of statements at the server', async () => {
    const sql = create({ maxPoolSize: 1, maxPreparedStatements: 10 })
    // The second time, those that were first are not there any more.
    for (let i = 0; i < 50; i++) {
      const n = i % 25
      expect(await sql.query(sql.raw(`select ? as n${n}`, [i]))).toEqual([{ [`n${n}`]: i }])
    }
    const rows = await sql.query<{ Variable_name: string; Value: string }>(
      sql.raw("show session status where Variable_name in ('Com_stmt_prepare', 'Com_stmt_close')"),
    )
    const of = (name: string) =>
      Number(rows.find(({ Variable_name }) => Variable_name === name)?.Value)
    expect(of('Com_stmt_prepare')).toBeGreaterThan(50)
    expect(of('Com_stmt_prepare') - of('Com_stmt_close')).toBeLessThanOrEqual(11)
  })

  test('rows of a megabyte are inserted all or none, by statements of a size that a server takes', async () => {
    const sql = create()
    await connection.query('create table large (id int primary key, text longtext)')
    const text = 'x'.repeat(1_000_000)
    const rows = Array.from({ length: 80 }, (_, id) => ({ id, text }))
    const count = async () =>
      Number((await sql.one<{ n: bigint }>`select count(*) as n from large`).n)
    // 80 MB, where one statement takes 64.
    expect(await sql.bulkInsert('large', rows, { timeoutMs: 20_000 })).toBe(80)
    expect(await count()).toBe(80)
    const again = rows.map(({ id }) => ({ id: id === 79 ? id : id + 100, text }))
    expect(await kindOf(sql.bulkInsert('large', again, { timeoutMs: 20_000 }))).toBe('conflict')
    expect(await count()).toBe(80)
    await sql.transaction(
      async (transaction) => {
        const part = again.slice(-3)
        expect(await kindOf(transaction.bulkInsert('large', part, { timeoutMs: 20_000 }))).toBe(
          'conflict',
        )
        await transaction.execute`insert into large values (${1000}, ${'after'})`
      },
      { timeoutMs: 30_000 },
    )
    expect(await count()).toBe(81)
  }, 60_000)

  test('an id that the server gives may be beyond 2^63', async () => {
    const sql = create()
    await connection.query(
      `create table counted (id bigint unsigned auto_increment primary key, n int)
       auto_increment = 18446744073709551610`,
    )
    const { insertId } = await sql.execute`insert into counted (n) values (${1})`
    expect(insertId).toBe(18_446_744_073_709_551_610n)
  })

  test('rows that an INSERT returns', needs(onMariadb()), async () => {
    const sql = create()
    await connection.query('create table returned (id int auto_increment primary key, n int)')
    const reply = await sql.reply(
      sql.raw('insert into returned (n) values (?), (?) returning id, n', [5, 6]),
    )
    expect(reply).toMatchObject({
      rowsAffected: 2,
      rows: [
        [1, 5],
        [2, 6],
      ],
    })
  })

  test('what the server does not prepare runs as text', needs(onMariadb()), async () => {
    const sql = create({ maxPoolSize: 1 })
    await sql.execute(sql.raw("prepare mine from 'select 1'"))
    await sql.execute(sql.raw('deallocate prepare mine'))
  })

  test('no file of the client can be asked for', async () => {
    const sql = create()
    await connection.query('create table files (line text)')
    const load = sql.raw("load data local infile '/etc/hostname' into table files")
    expect(await kindOf(sql.execute(load))).toBe('unsupported')
  })

  test('the library itself', async () => {
    const sql = create()
    const native = (await sql.native()) as { promise(): Connection }
    const [rows] = await native.promise().query<RowDataPacket[]>('select @@time_zone as zone')
    expect(JSON.stringify(rows)).toContain('+00:00')
    expect(await sql.native()).toBe(native)
  })

  // Transactions ---------------------------------------------------------------------------------

  test('after a deadlock only rollback is left', async () => {
    const driver = mysql2({ url })
    onTestFinished(() => driver.close())
    await connection.query('create table pair (id int primary key, n int) engine=innodb')
    await connection.query('insert into pair values (1, 0), (2, 0)')
    const update = (transaction: ServerTransaction, id: number) =>
      transaction.run(statement('UPDATE', 'update pair set n = n + 1 where id = ?', id), attempt())
    const [one, other] = [await driver.begin({}, attempt()), await driver.begin({}, attempt())]
    await update(one, 1)
    await update(other, 2)
    const results = await Promise.allSettled([update(one, 2), update(other, 1)])
    const failed = results.findIndex(({ status }) => status === 'rejected')
    const [loser, winner] = failed === 0 ? [one, other] : [other, one]
    // It would be applied at once: the server has undone the transaction.
    expect(await kindOf(update(loser, 1))).toBe('closed')
    expect(await kindOf(loser.commit(attempt()))).toBe('closed')
    await loser.rollback(attempt())
    await winner.commit(attempt())
    const [rows] = await connection.query<RowDataPacket[]>('select sum(n) as n from pair')
    expect(Number(rows[0]?.n)).toBe(2)
    expect(driver.pool?.figures).toMatchObject({ open: 2, inUse: 0 })
  })

  test('what would end a transaction behind its back is refused, or ends it', async () => {
    const driver = mysql2({ url })
    onTestFinished(() => driver.close())
    await connection.query(`create table kept (id int); create procedure committing() commit;`)
    const insert = statement('INSERT', 'insert into kept values (?)', 1)
    const first = await driver.begin({}, attempt())
    expect(await kindOf(first.run(statement('DDL', 'create table more (id int)'), attempt()))).toBe(
      'invalid',
    )
    await first.run(statement('DDL', 'create temporary table more (id int)'), attempt())
    await first.run(insert, attempt())
    await first.rollback(attempt())
    const second = await driver.begin({}, attempt())
    const call = { name: ['committing'], parameters: [] }
    expect(await kindOf(second.call(call, attempt()))).toBe('invalid')
    expect(await kindOf(second.run(insert, attempt()))).toBe('closed')
    await second.rollback(attempt())
    const [rows] = await connection.query('select * from kept')
    expect(rows).toEqual([])
  })

  test('a stream of a transaction has the connection for itself', async () => {
    const driver = mysql2({ url })
    onTestFinished(() => driver.close())
    const transaction = await driver.begin({}, attempt())
    const select = statement('SELECT', 'select 1 as n union all select 2')
    const { rows, rest } = await transaction.open(select, 1, attempt())
    expect(rows).toEqual([[1]])
    expect(await kindOf(transaction.run(select, attempt()))).toBe('invalid')
    await rest?.close(attempt())
    expect((await transaction.run(select, attempt())).rows).toEqual([[1], [2]])
    await transaction.rollback(attempt())
  })
})

function onMariadb() {
  return server.isMariadb === false ? { missing: 'mysql: it is no MariaDB' } : {}
}

// Encryption ---------------------------------------------------------------------------------------

const encrypted = await startEncrypted()

describe('mysql2 over TLS', needs(encrypted), async () => {
  if (encrypted.missing !== undefined) return void test('encrypts', () => {})
  const { port, ca } = encrypted
  const client = (options: Mysql2Options) => {
    const sql = new Sql(mysql2({ url: `mysql://root@localhost:${port}/mysql`, ...options }), {
      ...{ logger: false, retry: false },
    })
    onTestFinished(() => sql.close())
    return sql
  }
  const cipher = async (sql: Sql) =>
    (await sql.one<{ Value: string }>(sql.raw("show session status like 'Ssl_cipher'"))).Value

  test('a certificate that is trusted', async () => {
    expect(await cipher(client({ tls: { ca } }))).not.toBe('')
  })

  test('the name in the certificate, for a server that is named by its address', async () => {
    const url = `mysql://root@127.0.0.1:${port}/mysql`
    expect(await cipher(client({ url, tls: { ca, servername: 'localhost' } }))).not.toBe('')
  })

  test('a certificate that nobody vouches for is refused, unless it is not asked for', async () => {
    const error = await client({ tls: true })
      .health()
      .catch((error: unknown) => error)
    expect(error).toMatchObject({ kind: 'config', outcome: 'not-applied' })
    expect(await cipher(client({ tls: { rejectUnauthorized: false } }))).not.toBe('')
  })

  test('a certificate of another name is refused', async () => {
    expect(await kindOf(client({ tls: { ca, servername: 'other.example' } }).health())).toBe(
      'config',
    )
  })

  test('a server without TLS is refused', async () => {
    const plain = new URL(url)
    plain.hostname = 'localhost'
    const error = await client({ url: plain.href, tls: true })
      .health()
      .catch((error: Error) => error.message)
    expect(error).toContain('the server does not offer TLS')
  })
})

/** A MariaDB with a certificate for `localhost`, signed by itself. */
async function startEncrypted(): Promise<
  MysqlProcess & { readonly ca: string; readonly missing?: string }
> {
  const directory = await mkdtemp(join(tmpdir(), 'dualport-tls-'))
  afterAll(() => rm(directory, { recursive: true }))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  try {
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
    ])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return missing('openssl is not installed')
  }
  // Where root starts it, MariaDB is another user.
  await Promise.all([chmod(directory, 0o755), chmod(key, 0o644)])
  try {
    const server = await startMysql([`--ssl-cert=${cert}`, `--ssl-key=${key}`])
    afterAll(() => server.stop())
    return { ...server, ca: await readFile(cert, 'utf8') }
  } catch (error) {
    if (!(error instanceof EngineMissing) || process.env.REQUIRE_ENGINES === '1') throw error
    return missing(`mysql-process: ${error.message}`)
  }
}

function missing(reason: string): never {
  return { missing: reason } as never
}
