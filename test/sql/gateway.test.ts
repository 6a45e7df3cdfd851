import fc from 'fast-check'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { type GatewayOptions, gateway } from '../../adapters/sql/gateway.ts'
import { memory } from '../../adapters/sql/memory.ts'
import { mssql } from '../../adapters/sql/mssql.ts'
import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { Sql } from '../../src/sql/index.ts'
import { sqlServerErrors } from '../engines/tds.ts'
import { gatewayOver, token } from './gateway-over.ts'
import { client, failure, ownTdsServer } from './mssql.ts'

describe('options', () => {
  test.each<[string, object]>([
    ['no URL', {}],
    ['a URL that is none', { url: 'edge.example' }],
    ['another scheme', { url: 'mssql://host' }],
    ['credentials in the URL', { url: 'https://user:secret@host/sqlserver' }],
    ['a query', { url: 'https://host/sqlserver?token=secret' }],
    ['a token that none may be', { url: 'https://host', token: 'secret\n' }],
    ['a dialect that is none', { url: 'https://host', dialect: 'toString' }],
    ['an option that nobody knows', { url: 'https://host', tokn: 'secret' }],
  ])('%s', (_, options) => {
    let thrown: unknown
    try {
      gateway(options as GatewayOptions)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'SQL_CONFIG', component: 'sql', adapter: 'gateway' })
    expect(String(thrown)).not.toContain('secret')
  })

  test('what it can do is known without a request: as the adapter over TCP', () => {
    const url = 'https://host/sqlserver'
    const asks = { url, fetch: () => Promise.reject(new Error('a request')) } as GatewayOptions
    const ms = mssql({ url: 'mssql://sa:x@host/db' }).capabilities
    const my = mysql2({ url: 'mysql://root@host/db' }).capabilities
    expect(gateway(asks).dialect).toBe('sqlserver')
    expect(gateway(asks).capabilities).toEqual(ms)
    expect(gateway({ ...asks, dialect: 'mysql' }).capabilities).toEqual(my)
    expect(gateway({ ...asks, dialect: 'sqlite' }).capabilities).toEqual({
      ...memory().capabilities,
      maxInsertValues: 100_000,
    })
  })
})

describe('a gateway over SQLite', async () => {
  const { url, log, driver } = await gatewayOver(memory())
  const own = (options: Partial<GatewayOptions>) => {
    const sql = new Sql(gateway({ url, token, dialect: 'sqlite', ...options }), {
      logger: false,
      retry: false,
    })
    onTestFinished(() => sql.close())
    return sql
  }

  test('another dialect than it was told: health says so', async () => {
    await own({}).health()
    await own({}).health({ writable: true })
    const error = await failure(own({ dialect: 'sqlserver' }).health())
    expect(error).toMatchObject({ code: 'SQL_CONFIG' })
    expect(error.message).toContain('another dialect')
  })

  test('a token that is refused is asked for again, once', async () => {
    const tokens = ['old', token]
    const sql = own({ token: async () => tokens.shift() ?? 'none' })
    expect(await sql.one`select 1 as a`).toEqual({ a: 1 })
    expect(tokens).toEqual([])
    const wrong = await failure(own({ token: 'wrong' }).query`select 1`)
    expect(wrong).toMatchObject({ code: 'SQL_UNAUTHENTICATED', outcome: 'not-applied' })
  })

  test('native is the fetch in use', async () => {
    const given: typeof fetch = (...request) => fetch(...request)
    expect(await own({ fetch: given }).native()).toBe(given)
  })

  test('the correlation ID arrives', async () => {
    await failure(own({}).query(own({}).fragment`select x`, { correlationId: 'from-afar' }))
    expect(log).toContainEqual(expect.objectContaining({ correlationId: 'from-afar' }))
  })

  test('texts and numbers come back as they went', async () => {
    const sql = new Sql(driver(), { logger: false })
    onTestFinished(() => sql.close())
    const values = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.uint8Array({ maxLength: 100 }),
      fc.integer(),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 5 }), async (given) => {
        const direct = new Sql(memory(), { logger: false })
        const list = (by: Sql) =>
          by.join(given.map((value, i) => by.fragment`${value} as ${by.id(`c${i}`)}`))
        const row = await sql.one`select ${list(sql)}`
        expect(row).toEqual(await direct.one`select ${list(direct)}`)
        await direct.close()
      }),
      { numRuns: 100 },
    )
  })
})

describe('failures are those of mssql over TCP', async () => {
  const server = await ownTdsServer({
    procedures: {
      fails() {
        throw sqlServerErrors.permissionDenied('EXECUTE', 'fails', 'db')
      },
    },
    fail: ({ sql }) => {
      if (sql.includes('deadlocked')) return sqlServerErrors.deadlock()
      if (sql.includes('locked')) return sqlServerErrors.lockTimeout()
      if (sql.includes('forbidden')) return sqlServerErrors.permissionDenied('SELECT', 'a', 'b')
      if (sql.includes('readonly')) return sqlServerErrors.readOnlyDatabase('db')
      return undefined
    },
  })
  const tcp = client({ url: server.url })
  const over = await gatewayOver(mssql({ url: server.url }))
  const http = over.client({ breaker: false })
  afterAll(async () => {
    await tcp.close()
    await http.close()
  })
  await tcp.execute`create table parents (id int primary key)`
  await tcp.execute`create table people (id int constraint people_pk primary key, name nvarchar(5) not null,
    age int constraint people_age check (age > 0), parent int constraint people_parent references parents(id))`
  await tcp.execute`insert into people (id, name) values (1, 'Ada')`

  type Failing = (sql: Sql) => Promise<unknown>
  const insert = (values: string): Failing => {
    return (sql) => sql.execute(sql.raw(`insert into people (id, name, age, parent) ${values}`))
  }
  const cases: Record<string, Failing> = {
    'a duplicate key': insert("values (1, 'x', 1, null)"),
    'a foreign key': insert("values (2, 'x', 1, 7)"),
    'a check': insert("values (2, 'x', -1, null)"),
    'no value': insert('values (2, null, 1, null)'),
    'a text that is too long': insert("values (2, 'abcdefgh', 1, null)"),
    'a syntax error': (sql) => sql.query`select from where`,
    'no such table': (sql) => sql.query`select * from nothing`,
    'no such column': (sql) => sql.query`select nothing from people`,
    'a value that is no number': (sql) => sql.query`select cast(${'x'} as int)`,
    'a deadlock': (sql) => sql.execute`update people set name = 'deadlocked'`,
    'a deadlock of a read': (sql) => sql.query`select 'deadlocked'`,
    'a lock that was not free': (sql) => sql.execute`update people set name = 'locked'`,
    'a permission': (sql) => sql.query`select 'forbidden'`,
    'a database that only reads': (sql) => sql.execute`update people set name = 'readonly'`,
    'no such procedure': (sql) => sql.call('nothing'),
    'a procedure that fails': (sql) => sql.call('fails'),
    'a bulk insert': (sql) => sql.bulkInsert('people', [{ id: 1, name: 'x' }]),
    'a batch': (sql) => sql.batch([sql.raw('select 1'), sql.raw('select * from nothing')]),
    'a batch that is deadlocked': (sql) => sql.batch([sql.raw("select 'deadlocked'")]),
    'a stream': (sql) => sql.stream`select * from nothing`.next(),
    'a row that is not there': (sql) => sql.one`select * from people where id = 9`,
    'two columns of a name': (sql) => sql.query`select 1 as a, 2 as a`,
    'a statement of a transaction': (sql) =>
      sql.transaction((transaction) => transaction.execute`insert into people (id) values (1)`),
    'a deadlock in a transaction': (sql) =>
      sql.transaction((transaction) => transaction.query`select 'deadlocked'`),
    'a transaction that goes on after a deadlock': (sql) =>
      sql.transaction(async (transaction) => {
        await transaction.query`select 'deadlocked'`.catch(() => {})
        return transaction.query`select 1`
      }),
    'a commit after a deadlock': (sql) =>
      sql.transaction(async (transaction) => {
        await transaction.query`select 'deadlocked'`.catch(() => {})
      }),
    'a transaction of an isolation that is none': (sql) =>
      sql.transaction(async () => {}, { isolation: 'none' as never }),
    'a deadline': (sql) => sql.query(sql.raw("waitfor delay '00:00:30'"), { timeoutMs: 100 }),
    'a deadline in a transaction': (sql) =>
      sql.transaction((transaction) =>
        transaction.query(transaction.raw("waitfor delay '00:00:30'"), { timeoutMs: 100 }),
      ),
    'a caller that stops waiting': (sql) =>
      sql.query(sql.raw("waitfor delay '00:00:30'"), { signal: AbortSignal.timeout(100) }),
  }

  test.each(Object.entries(cases))('%s', async (_, fails) => {
    const parts = async (sql: Sql) => {
      const { message, code, kind, outcome, retryable, operation } = await failure(fails(sql))
      return { message, code, kind, outcome, retryable, operation }
    }
    expect(await parts(http)).toEqual(await parts(tcp))
  })

  test('a transaction that is deadlocked is run again as a whole', async () => {
    let runs = 0
    await http.transaction(
      async (transaction) => {
        if (++runs < 3) await transaction.query`select 'deadlocked'`
      },
      { retries: 2 },
    )
    expect(runs).toBe(3)
  })
})
