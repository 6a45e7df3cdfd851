import { Client } from '@planetscale/database'
import fc from 'fast-check'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, describe, expect, test } from 'vitest'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { type PlanetscaleOptions, planetscale } from '../../adapters/sql/planetscale.ts'
import { withContext } from '../../src/core/index.ts'
import { Sql } from '../../src/sql/index.ts'
import { engine, needs } from '../engines/index.ts'
import { ownDatabase } from '../engines/own.ts'
import { startMysqlGateway, token } from '../gateway/mysql-gateway.ts'

const mysql = await engine('mysql')
const own = await ownDatabase(mysql)

describe('the options of planetscale', () => {
  const credentials = { username: 'app', password: 'secret' }

  test.each<[string, PlanetscaleOptions, string]>([
    ['host', { host: 'aws.connect.psdb.cloud', ...credentials }, 'aws.connect.psdb.cloud'],
    ['url', { url: 'https://edge.example:8443/below/', ...credentials }, 'edge.example:8443/below'],
    ['url with credentials', { url: 'https://app:s%40cret@edge.example' }, 'edge.example'],
    [
      'as PlanetScale writes it',
      { url: 'mysql://app:pscale_pw_1@aws.connect.psdb.cloud/db?sslaccept=strict' },
      'aws.connect.psdb.cloud',
    ],
    ['a password function', { host: 'h', username: 'app', password: () => 'secret' }, 'h'],
  ])('%s', (_, options, resource) => {
    expect(planetscale(options).resource).toBe(resource)
  })

  test.each<[string, object]>([
    ['nothing', {}],
    ['both url and host', { url: 'https://h', host: 'h', ...credentials }],
    ['a URL of another kind', { url: 'ftp://secret', ...credentials }],
    ['a URL that is none', { url: 'https://secret secret', ...credentials }],
    ['a URL with a query', { url: 'https://h/?secret', ...credentials }],
    ['a host with a path', { host: 'h/secret', ...credentials }],
    ['no password', { host: 'h', username: 'secret' }],
    ['no username', { host: 'h', password: 'secret' }],
    ['a username with a colon', { host: 'h', username: 'sec:ret', password: 'secret' }],
    ['a password with a line break', { host: 'h', username: 'a', password: 'secret\n' }],
    ['credentials that are not percent-encoded', { url: 'https://a:%ff@secret' }],
    ['an unknown option', { host: 'h', ...credentials, secret: true }],
  ])('%s is refused', (_, options) => {
    let error: unknown
    try {
      planetscale(options as PlanetscaleOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'SQL_CONFIG', adapter: 'planetscale' })
    expect((error as Error).message).not.toContain('secret')
  })
})

describe('planetscale over the gateway', needs(mysql), async () => {
  if (mysql.missing !== undefined) return
  const { url, direct, gateway } = await startMysqlGateway(own.url)
  const clients: Sql[] = []
  afterAll(() => Promise.all(clients.map((client) => client.close())))
  const over = (options: Partial<PlanetscaleOptions> = {}) => {
    const sql = new Sql(planetscale({ url, username: 'app', password: token, ...options }), {
      logger: false,
    })
    clients.push(sql)
    return sql
  }
  const sql = over()
  const tcp = new Sql(mysql2({ url: own.url }), { logger: false })
  afterAll(() => tcp.close())

  test('every type comes back as it does over TCP', async () => {
    await direct.query(`create table alltypes (i8 tinyint, u8 tinyint unsigned, i16 smallint, i24 mediumint,
      u32 int unsigned, i64 bigint, u64 bigint unsigned, f32 float, f64 double, de decimal(40, 3), d date,
      t time(6), dt datetime(6), ts timestamp(6) null, y year, c char(4), vc varchar(20), tx longtext, b binary(3),
      vb varbinary(3), bl longblob, bi bit(10), e enum('z', 'ä'), s set('a', 'b'), j json, p point,
      inet inet6, id uuid, gbk varchar(9) character set gbk, sjis varchar(9) character set sjis)`)
    await direct.query(`insert into alltypes values (-128, 255, -32768, -8388608, 4294967295, -9223372036854775808,
      18446744073709551615, 0.1, -1.7976931348623157e308, -1234567890123456789012345678901234567.1,
      '0001-01-01', '-838:59:59.000001', '2026-11-28 12:00:00.1', '2026-11-28 12:00:00.25', 2026, 'ab', '🍋\\\\',
      repeat('ä', 70000), x'00ff', x'80', x'', b'1000000001', 'ä', 'a,b', '{"a": [1, null, "🍋"]}', point(1, 2),
      '::1', '0f8fad5b-d9cb-469f-a165-70867728950e', '縗', '表')`)
    await direct
      .query("insert into alltypes (d, dt, ts) values ('0000-00-00', '0000-00-00 00:00:00', 0)")
      .catch(() => {})
    await direct.query('insert into alltypes () values ()')
    const text = 'select * from alltypes'
    const rows = await sql.query(sql.raw(text))
    expect(rows).toEqual(await tcp.query(tcp.raw(text)))
    expect(rows[0]).toMatchObject({
      u64: 2n ** 64n - 1n,
      dt: '2026-11-28T12:00:00.1',
      ts: new Date('2026-11-28T12:00:00.250Z'),
      t: '-838:59:59.000001',
    })
    const [here, there] = await Promise.all([sql, tcp].map((each) => each.reply(each.raw(text))))
    const ofMariadb = new Set(['POINT', 'INET6', 'UUID'])
    expect(here?.types?.filter((_, i) => !ofMariadb.has(there?.types?.[i] ?? ''))).toEqual(
      there?.types?.filter((type) => !ofMariadb.has(type)),
    )
  })

  test('every text goes into a column of any character set as over TCP, or is refused there as well', async () => {
    const charsets = [
      'utf8mb4',
      'utf8mb3',
      'latin1',
      'gbk',
      'sjis',
      'big5',
      'euckr',
      'ucs2',
      'utf16',
      'utf32',
      'cp932',
      'binary',
    ]
    await direct.query(
      `create table charsets (${charsets.map((name) => `in_${name} varchar(200) character set ${name}`).join(', ')})`,
    )
    const awkward = fc.constantFrom(
      "'",
      '"',
      '\\',
      '\0',
      '\n',
      '\x1a',
      '縗',
      '表',
      '功',
      '\uff3c',
      '¥',
      '¿',
      'ä',
      '%',
      "\\'",
    )
    const texts = fc.array(fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 1 })), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom(...charsets), async (pieces, charset) => {
        const value = pieces.join('')
        const both: unknown[] = []
        // One after the other: their locks would meet.
        for (const each of [sql, tcp]) {
          const column = each.id(`in_${charset}`)
          const kept = each.transaction(async (transaction) => {
            await transaction.execute`insert into charsets (${column}) values (${value})`
            const row =
              await transaction.one`select ${column} as kept from charsets where ${column} = ${value}`
            await transaction.execute`delete from charsets`
            return row
          })
          both.push(await kept.catch((error: Error) => error.message))
        }
        expect(both[0]).toEqual(both[1])
      }),
      { numRuns: 50 },
    )
  })

  test('a byte order mark is a character like others', async () => {
    const value = '\ufefftext\ufeff'
    expect(await sql.one`select ${value} as value`).toEqual({ value })
  })

  test('many statements and transactions at a time do not share a session', async () => {
    await direct.query('create table concurrent (a int)')
    await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        if (i % 2 === 0) expect(await sql.one`select ${i} as i`).toEqual({ i })
        else {
          const work = sql.transaction(async (transaction) => {
            await transaction.execute`insert into concurrent values (${i})`
            if (i % 4 === 1) throw new Error('undo')
          })
          await work.catch(() => {})
        }
      }),
    )
    const [rows] = await direct.query<RowDataPacket[][]>('select a from concurrent order by a')
    expect(rows.map(([a]) => a)).toEqual([3, 7, 11, 15, 19, 23])
  })

  test('a large insert is several statements, and all of them or none', async () => {
    await direct.query('create table large (a int primary key, b longtext)')
    const rows = Array.from({ length: 30 }, (_, a) => ({ a, b: "'".repeat(100_000) }))
    expect(await sql.bulkInsert('large', rows, { timeoutMs: 15_000 })).toBe(30)
    const again = rows.map(({ a, b }) => ({ a: a + 29 - 2 * a + 30 - (a === 29 ? 1 : 0), b }))
    await expect(sql.bulkInsert('large', again, { timeoutMs: 15_000 })).rejects.toMatchObject({
      kind: 'conflict',
      outcome: 'not-applied',
    })
    expect(await sql.one`select count(*) as n, sum(length(b)) as bytes from large`).toEqual({
      n: 30n,
      bytes: '3000000',
    })
  })

  test('isolation is for the one transaction that asks for it', async () => {
    await direct.query('create table isolated (a int)')
    await direct.query('start transaction')
    await direct.query('insert into isolated values (1)')
    const seen = (isolation?: 'read uncommitted') =>
      sql.transaction((transaction) => transaction.query`select a from isolated`, { isolation })
    expect(await seen('read uncommitted')).toEqual([{ a: 1 }])
    expect(await seen()).toEqual([])
    await direct.query('rollback')
  })

  test('time left, correlation and trace travel along; the password is asked for once, and again when refused', async () => {
    const headers: Headers[] = []
    let password = token
    let asked = 0
    const client = over({
      password: async () => {
        asked++
        return password
      },
      fetch: (input, init) => {
        headers.push(new Headers(init?.headers))
        return fetch(input, init)
      },
    })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await withContext({ correlationId: 'c-1', traceparent }, () =>
      client.query(client.raw('select 1'), { timeoutMs: 2000 }),
    )
    for (const each of headers) {
      expect(Object.fromEntries(each)).toMatchObject({ 'x-correlation-id': 'c-1', traceparent })
      expect(Number(each.get('dualport-timeout-ms'))).toBeLessThanOrEqual(2000)
    }
    await client.query`select 1`
    expect(asked).toBe(1)
    expect(headers).toHaveLength(3)
    password = 'wrong'
    const other = over({ password: async () => password })
    await expect(other.query`select 1`).rejects.toMatchObject({
      kind: 'unauthenticated',
      outcome: 'not-applied',
    })
    password = token
    expect(await other.query`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('below a path, and the library itself', async () => {
    const below = over({ url: `${url}/mysql` })
    expect(await below.query`select ${'x'} as x`).toEqual([{ x: 'x' }])
    const client = (await below.native()) as Client
    expect(client).toBeInstanceOf(Client)
    expect((await client.execute('select ? as x', ['y'])).rows).toEqual([{ x: 'y' }])
  })

  test('health, and whether the server takes writes', async () => {
    await sql.health({ writable: true })
    await direct.query('set global read_only = 1')
    try {
      await expect(sql.health({ writable: true })).rejects.toMatchObject({ kind: 'unavailable' })
      await sql.health()
    } finally {
      await direct.query('set global read_only = 0')
    }
  })

  test('no stream, and procedures without output', async () => {
    await expect(sql.stream`select 1`.next()).rejects.toMatchObject({ kind: 'unsupported' })
    await direct.query(
      'create procedure both_results(n int) begin select n as a; select 2 as b; end',
    )
    expect(await sql.call('both_results', [4])).toEqual({
      sets: [[{ a: 4 }]],
      output: {},
      returnValue: null,
    })
    await expect(sql.call('both_results', [sql.output('integer')])).rejects.toMatchObject({
      kind: 'unsupported',
    })
  })

  test('a gateway that closes ends what is under way', async () => {
    await sql.health()
    gateway.close()
    await expect(sql.transaction(async () => {})).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
  })
})
