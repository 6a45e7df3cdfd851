import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type MssqlOptions, mssql } from '../../adapters/sql/mssql.ts'
import { type ClientOptions, detachedAttempt, InfraError } from '../../src/core/index.ts'
import type { Sql } from '../../src/sql/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { SqlServerError, sqlServerErrors, startTdsServer, type TdsRequest } from '../engines/tds.ts'
import { client, failure, ownTdsServer } from './mssql.ts'

/** How much later than its deadline a call may settle: far more than promised, for machines that are busy. */
const slackMs = 2000

let fail: ((request: TdsRequest) => SqlServerError | undefined) | undefined
const server = await ownTdsServer({ fail: (request) => fail?.(request) })
const proxy = await startProxy(server.port)
const { user: username, password } = server
const through = { host: '127.0.0.1', port: proxy.port, database: server.database, encrypt: false }
const direct = client({ url: server.url })

const clients: Sql[] = []
function create(options: MssqlOptions = {}, settings: ClientOptions = {}): Sql {
  const made = client({ ...through, username, password, ...options }, settings)
  clients.push(made)
  return made
}

afterEach(async () => {
  fail = undefined
  await proxy.setMode('pass')
  await Promise.all(clients.splice(0).map((client) => client.close()))
})
afterAll(async () => {
  await direct.close()
  await proxy.close()
})

let tables = 0
async function table() {
  const name = `f${++tables}`
  await direct.execute(direct.raw(`create table ${name} (id int primary key, n int)`))
  const ids = async () =>
    (await direct.query<{ id: number }>`select id from ${direct.id(name)} order by id`).map(
      ({ id }) => id,
    )
  return { name, t: direct.id(name), ids }
}

const endless = `waitfor delay '00:01:00'`
/** As long as a busy machine needs. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 })
/** Until then, its connections may wait for what was lost. */
const answers = (sql: Sql) =>
  eventually(() => sql.query`select 1 as a`.catch(() => [])).toEqual([{ a: 1 }])
const spidOf = async (sql: Sql) => (await sql.one<{ s: number }>`select @@spid as s`).s

describe('logins', () => {
  test.each([
    [
      'a wrong password',
      { password: 'S3cret-but-wrong' },
      'unauthenticated',
      'the server refused the credentials',
    ],
    [
      'a wrong user',
      { username: 'S3cret' },
      'unauthenticated',
      'the server refused the credentials',
    ],
    [
      'a database that there is not',
      { database: 'S3cret' },
      'not-found',
      'there is no such database',
    ],
  ])('%s', async (_, options, kind, words) => {
    const error = await failure(create(options).query`select 1 as a`)
    expect(error).toMatchObject({ kind, outcome: 'not-applied', retryable: false })
    expect(error.message).toBe(`sql SELECT: ${words}`)
  })

  test('a password that is asked for is asked for again', async () => {
    let asked = 0
    const sql = create({ password: async () => (++asked === 1 ? 'yesterday' : password) })
    expect(await failure(sql.query`select 1 as a`)).toMatchObject({ kind: 'unauthenticated' })
    expect(await sql.query`select 1 as a`).toEqual([{ a: 1 }])
  })

  test('one that cannot be asked for', async () => {
    const sql = create({ password: () => Promise.reject(new Error('S3cret')) })
    const error = await failure(sql.query`select 1 as a`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(error.message).not.toContain('S3cret')
  })
})

describe('encryption', () => {
  const encrypted = async (tls: true | 'required') => {
    const made = await startTdsServer({ tls })
    onTestFinished(() => made.stop())
    return made
  }
  const at = ({ port }: { port: number }, options: MssqlOptions = {}) =>
    create({ host: 'localhost', port, username, password, encrypt: true, ...options })

  test('with a certificate that is trusted, or not looked at', async () => {
    const secure = await encrypted(true)
    const trusting = at(secure, { ca: secure.certificate })
    expect(await trusting.query`select 1 as a`).toEqual([{ a: 1 }])
    const blind = at(secure, { trustServerCertificate: true })
    expect(await blind.query`select ${'é'.repeat(100_000)} as a`).toHaveLength(1)
  })

  test('with one that nobody has signed', async () => {
    const secure = await encrypted(true)
    expect(await failure(at(secure).query`select 1 as a`)).toMatchObject({
      kind: 'config',
      outcome: 'not-applied',
      message: 'sql SELECT: the TLS connection was refused (DEPTH_ZERO_SELF_SIGNED_CERT)',
    })
    expect(secure.logins).toBe(0)
  })

  test('a server that wants it, and a client that does not', async () => {
    const secure = await encrypted('required')
    const error = await failure(at(secure, { encrypt: false }).query`select 1 as a`)
    expect(error).toMatchObject({ kind: 'config', outcome: 'not-applied' })
  })

  test('a server without it is sent no password', async () => {
    const before = server.logins
    const error = await failure(at(server).query`select 1 as a`)
    expect(error).toMatchObject({ kind: 'config', outcome: 'not-applied' })
    expect(server.logins).toBe(before)
  })
})

describe('a statement that nobody waits for any more', () => {
  test('is stopped by attention, and its connection goes on', async () => {
    const sql = create({ maxPoolSize: 1 })
    const spid = await spidOf(sql)
    const before = server.attentions
    const abort = new AbortController()
    const call = failure(sql.query(sql.raw(endless, []), { signal: abort.signal }))
    await eventually(() => server.running().length).toBe(1)
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted' })
    expect(await spidOf(sql)).toBe(spid)
    expect(server.attentions).toBe(before + 1)
    expect(server.running()).toEqual([])
  })

  test('so is one whose deadline is over, in the middle of its rows', async () => {
    const sql = create({ maxPoolSize: 1 })
    const spid = await spidOf(sql)
    const rows = sql.raw(
      `with n(i) as (select 1 union all select i + 1 from n where i < 100000000)
      select i, 'some text to fill the packets with' as t from n option (maxrecursion 0)`,
      [],
    )
    expect(await failure(sql.query(rows, { timeoutMs: 300 }))).toMatchObject({ kind: 'timeout' })
    expect(await spidOf(sql)).toBe(spid)
    expect(server.running()).toEqual([])
  })

  test('a connection whose server does not acknowledge is closed', async () => {
    const sql = create({ maxPoolSize: 1 })
    await spidOf(sql)
    await proxy.setMode('blackhole')
    const call = failure(sql.query(sql.raw(endless, []), { timeoutMs: 100 }))
    expect(await call).toMatchObject({ kind: 'timeout' })
    await eventually(() => sql.pool()).toMatchObject({ open: 0, inUse: 0 })
    await proxy.setMode('pass')
    expect(await sql.query`select 1 as a`).toEqual([{ a: 1 }])
  })

  test('one that is large, cancelled before it has left, leaves its connection usable or closed', async () => {
    const sql = create({ maxPoolSize: 1 })
    await spidOf(sql)
    const abort = new AbortController()
    const large = new Uint8Array(20_000_000)
    const query = sql.fragment`select datalength(${large}) as n`
    const call = failure(sql.query(query, { signal: abort.signal }))
    await once(proxy, 'request')
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted' })
    expect(await sql.query(sql.fragment`select 1 as a`, { timeoutMs: 10_000 })).toEqual([{ a: 1 }])
  })

  test('1,000 of them, at random moments, and none runs at the server afterwards', async () => {
    const sql = create({ maxPoolSize: 10 })
    const { t } = await table()
    const kinds = [
      () => sql.raw(endless, []),
      () => sql.fragment`select * from ${t}`,
      () => sql.fragment`select ${'x'.repeat(20_000)} as a`,
    ]
    let random = 42
    const next = (below: number) => {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31
      return random % below
    }
    const one = async () => {
      const signal = AbortSignal.timeout(next(40))
      await sql.query(kinds[next(kinds.length)]!(), { signal }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(InfraError)
      })
    }
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, one))
    await eventually(() => server.running()).toEqual([])
    await eventually(() => sql.pool()).toMatchObject({ inUse: 0, waiting: 0 })
    expect(await sql.query`select 1 as a`).toEqual([{ a: 1 }])
  }, 60_000)

  test('connections that are closed in the middle of replies are no more than that', async () => {
    const driver = mssql({ ...through, username, password })
    const text = `with n(i) as (select 1 union all select i + 1 from n where i < 100000000)
      select i, cast(i as decimal(38, 10)) as d from n option (maxrecursion 0)`
    const statement = { text, parameters: [], kind: 'SELECT', insertId: false } as const
    const attempt = () => detachedAttempt('SELECT', 30_000)
    const pages = Array.from({ length: 5 }, () => driver.open(statement, 100, attempt()))
    for (const page of await Promise.all(pages)) {
      const next = page.rest!.next(attempt())
      next.catch(() => {})
    }
    await once(proxy, 'reply')
    await driver.close()
    expect(driver.pool?.figures).toEqual({ open: 0, inUse: 0, waiting: 0 })
    await eventually(() => server.running()).toEqual([])
  })
})

describe('a connection that fails', () => {
  test('a write whose reply is cut may have been applied, and is sent once, also with retries', async () => {
    const { t, ids } = await table()
    const sql = create({}, { retry: {} })
    await spidOf(sql)
    await proxy.setMode('cut')
    const error = await failure(sql.execute`insert into ${t} values (1, 1)`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(error.message).toContain('it may have been applied')
    await proxy.setMode('pass')
    await eventually(ids).toEqual([1])
  })

  test('a read whose connection is cut is sent again, and nobody notices', async () => {
    const sql = create({}, { retry: {} })
    const spid = await spidOf(sql)
    await proxy.setMode('cut')
    proxy.once('connection', () => void proxy.setMode('pass'))
    expect(await spidOf(sql)).not.toBe(spid)
  })

  test('one that ended while it was idle is not used', async () => {
    const sql = create()
    const spid = await spidOf(sql)
    proxy.disconnect('rst')
    await eventually(() => sql.pool()?.open).toBe(0)
    expect(await spidOf(sql)).not.toBe(spid)
  })

  test('one that idled for too long is replaced before use', async () => {
    const sql = create({ maxIdleMs: 50 })
    const spid = await spidOf(sql)
    expect(await spidOf(sql)).toBe(spid)
    await sleep(120)
    expect(await spidOf(sql)).not.toBe(spid)
  })

  test('a server that is gone is unavailable at once, for all who wait, and found when it is back', async () => {
    const sql = create({ maxPoolSize: 2 })
    await proxy.setMode('refuse')
    const started = performance.now()
    const calls = Array.from({ length: 20 }, () => failure(sql.query`select 1 as a`))
    for (const call of calls) {
      expect(await call).toMatchObject({
        kind: 'unavailable',
        outcome: 'not-applied',
        message: 'sql SELECT: the connection failed (ECONNREFUSED)',
      })
    }
    expect(performance.now() - started).toBeLessThan(slackMs)
    await proxy.setMode('pass')
    expect(await sql.query`select 1 as a`).toEqual([{ a: 1 }])
  })

  test('a server that is silent is over at the deadline, whether or not it was connected', async () => {
    const sql = create({ maxPoolSize: 1 }, { timeoutMs: 300 })
    await proxy.setMode('blackhole')
    const started = performance.now()
    expect(await failure(sql.query`select 1 as a`)).toMatchObject({
      kind: 'timeout',
      outcome: 'not-applied',
      message: 'sql SELECT: no connection to the server was made in time',
    })
    await proxy.setMode('pass')
    await answers(sql)
    await proxy.setMode('blackhole')
    expect(await failure(sql.execute`update f1 set n = 1`)).toMatchObject({
      kind: 'timeout',
      outcome: 'unknown',
    })
    expect(performance.now() - started).toBeLessThan(600 + 2 * slackMs)
  })

  test('a server that falls silent within the login is given up', async () => {
    const sql = create({ connectTimeoutMs: 200 }, { timeoutMs: 5000 })
    proxy.once('reply', () => void proxy.setMode('blackhole'))
    const error = await failure(sql.query`select 1 as a`)
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    expect(sql.pool()).toEqual({ open: 0, inUse: 0, waiting: 0 })
  })

  test('bytes that are no protocol are an error, before the login and after it', async () => {
    const sql = create({ maxPoolSize: 1, connectTimeoutMs: 500 }, { timeoutMs: 1000 })
    await proxy.setMode('garbage')
    const kinds = ['internal', 'unavailable', 'timeout']
    expect(kinds).toContain((await failure(sql.query`select 1 as a`)).kind)
    await proxy.setMode('pass')
    await answers(sql)
    await proxy.setMode('garbage')
    expect(kinds).toContain((await failure(sql.query`select 1 as a`)).kind)
    await proxy.setMode('pass')
    await answers(sql)
  })

  test('a packet of tokens that there are not ends its connection, and nothing else', async () => {
    const { createServer } = await import('node:net')
    const packet = (...bytes: number[]) =>
      Buffer.from([4, 1, 0, 8 + bytes.length, 0, 0, 1, 0, ...bytes])
    // An answer to PRELOGIN without encryption, then what begins as a reply to the login.
    const prelogin = packet(0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2)
    const liar = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(prelogin)
        socket.once('data', () => socket.write(packet(1, 2, 3)))
      })
    }).listen(0, '127.0.0.1')
    await once(liar, 'listening')
    onTestFinished(() => void liar.close())
    const { port } = liar.address() as { port: number }
    const sql = create({ port }, { timeoutMs: 3000 })
    expect(await failure(sql.query`select 1 as a`)).toMatchObject({
      kind: 'internal',
      outcome: 'not-applied',
      message: 'sql SELECT: the server sent what is no TDS',
    })
  })

  test('a stream whose page is lost ends with that error, and cannot go on', async () => {
    const { name, t } = await table()
    const rows = Array.from({ length: 9000 }, (_, id) => ({ id, n: 1 }))
    await direct.bulkInsert(name, rows)
    const sql = create()
    const stream = sql.stream(sql.fragment`select a.id from ${t} a cross join ${t} b`, {
      pageRows: 10,
    })
    expect(await stream.nextPage()).toHaveLength(10)
    proxy.disconnect('rst')
    const read = async () => {
      for await (const _ of stream);
    }
    expect(await failure(read())).toMatchObject({ kind: 'unavailable', retryable: false })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await eventually(() => server.running()).toEqual([])
  })

  test('a server that is stopped and started again under load', async () => {
    const own = await startTdsServer()
    onTestFinished(() => own.stop())
    const sql = client({ url: own.url, connectTimeoutMs: 500 }, { timeoutMs: 1000 })
    onTestFinished(() => sql.close())
    await sql.execute`create table load (id int identity primary key)`
    let stop = false
    let inserted = 0
    let unknown = 0
    const worker = async () => {
      while (!stop) {
        try {
          await sql.execute`insert into load default values`
          inserted++
        } catch (error) {
          if (!(error instanceof InfraError)) throw error
          expect(['unavailable', 'timeout']).toContain(error.kind)
          if (error.outcome === 'unknown') unknown++
          await sleep(10)
        }
      }
    }
    const workers = Array.from({ length: 10 }, worker)
    for (let i = 0; i < 3; i++) {
      const before = inserted
      await eventually(() => inserted).toBeGreaterThan(before + 20)
      await own.kill()
      await sleep(50)
      await own.start()
    }
    stop = true
    await Promise.all(workers)
    const { n } = await sql.one<{ n: number }>`select count(*) as n from load`
    // Each that was answered is there, and of the others only those that nobody could tell.
    expect(n).toBeGreaterThanOrEqual(inserted)
    expect(n).toBeLessThanOrEqual(inserted + unknown)
    expect(sql.pool()).toMatchObject({ inUse: 0, waiting: 0 })
  }, 60_000)
})

describe('the pool', () => {
  test('who waits for a connection until the deadline learns that it was that, and nothing was applied', async () => {
    const sql = create({ maxPoolSize: 1 })
    await spidOf(sql)
    const abort = new AbortController()
    const busy = failure(sql.query(sql.raw(endless, []), { signal: abort.signal }))
    await eventually(() => sql.pool()).toEqual({ open: 1, inUse: 1, waiting: 0 })
    const { t, ids } = await table()
    const waiting = failure(
      sql.execute(sql.fragment`insert into ${t} values (1, 1)`, { timeoutMs: 300 }),
    )
    await eventually(() => sql.pool()).toMatchObject({ waiting: 1 })
    expect(await waiting).toMatchObject({
      kind: 'timeout',
      outcome: 'not-applied',
      message: 'sql INSERT: no connection was free in time: the pool has 1, all in use',
    })
    abort.abort()
    await busy
    expect(await ids()).toEqual([])
    expect(await sql.query`select 1 as a`).toEqual([{ a: 1 }])
  })

  test('who stops waiting leaves the line, and the others are served in their order', async () => {
    const sql = create({ maxPoolSize: 1 })
    const order: number[] = []
    const abort = new AbortController()
    await sql.transaction(async (transaction) => {
      await transaction.query`select 1 as a`
      for (let i = 0; i < 4; i++) {
        const options = i === 1 ? { signal: abort.signal } : {}
        const call = sql.query(sql.fragment`select ${i} as a`, options)
        call.then(
          () => order.push(i),
          () => order.push(-i),
        )
      }
      await eventually(() => sql.pool()?.waiting).toBe(4)
      abort.abort()
      await eventually(() => order).toEqual([-1])
    })
    await eventually(() => order).toEqual([-1, 0, 2, 3])
  })

  test('it is never larger than it may be, and asks no connection whether it lives', async () => {
    const sql = create({ maxPoolSize: 3 })
    await sql.query`select 'warm' as a`
    const [connections, batches] = [proxy.connections, server.batches.length]
    await Promise.all(Array.from({ length: 60 }, (_, i) => sql.query`select ${i} as a`))
    expect(sql.pool()?.open).toBeLessThanOrEqual(3)
    expect(proxy.connections - connections).toBeLessThanOrEqual(2)
    const sent = server.batches.slice(batches).filter((text) => !text.startsWith('set '))
    expect(sent).toHaveLength(60)
  })
})

describe('transactions', () => {
  test('a commit that got no answer is unknown, and one that never left is not applied', async () => {
    for (const mode of ['cut', 'reset'] as const) {
      const { t, ids } = await table()
      const sql = create()
      let sent = false
      const work = sql.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} values (1, 1)`
        sent = true
        await proxy.setMode(mode)
      })
      const error = await failure(work)
      expect(sent).toBe(true)
      expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
      await proxy.setMode('pass')
      // The answer was lost, or the question.
      await eventually(ids).toEqual(mode === 'cut' ? [1] : [])
    }
  })

  test('a connection that dies before the commit: nothing is applied, and it can be run again', async () => {
    const { t, ids } = await table()
    const sql = create()
    let runs = 0
    await sql
      .transaction(
        async (transaction) => {
          await transaction.execute`insert into ${t} values (${++runs}, 1)`
          if (runs === 1) {
            proxy.disconnect('rst')
            await eventually(() => sql.pool()?.open).toBe(0)
          }
          await transaction.execute`update ${t} set n = 2`
        },
        { retries: 1 },
      )
      .catch((error: unknown) => {
        // Refused before it was sent, which is no failure that passes.
        expect(error).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
      })
    await eventually(ids).toEqual(runs === 1 ? [] : [2])
  })

  test('a deadline within a transaction undoes it, and the connection goes on', async () => {
    const { t, ids } = await table()
    const sql = create({ maxPoolSize: 1 })
    const spid = await spidOf(sql)
    const work = sql.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (1, 1)`
      await transaction.execute(sql.raw(endless, []), { timeoutMs: 200 })
    })
    expect(await failure(work)).toMatchObject({ kind: 'timeout' })
    expect(await ids()).toEqual([])
    expect(await spidOf(sql)).toBe(spid)
    expect(server.running()).toEqual([])
  })

  test('after a statement was stopped, no other runs in what is left of the transaction', async () => {
    const { t, ids } = await table()
    const sql = create()
    await failure(
      sql.transaction(async (transaction) => {
        await failure(transaction.execute(sql.raw(endless, []), { timeoutMs: 100 }))
        const error = await failure(transaction.execute`insert into ${t} values (1, 1)`)
        expect(error).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
      }),
    )
    expect(await ids()).toEqual([])
  })

  test('a transaction that is over refuses statements', async () => {
    const { t, ids } = await table()
    const sql = create()
    let kept: Parameters<Parameters<Sql['transaction']>[0]>[0] | undefined
    await sql.transaction(async (transaction) => {
      kept = transaction
      await transaction.execute`insert into ${t} values (1, 1)`
    })
    const error = await failure(kept!.execute`insert into ${t} values (2, 1)`)
    expect(error).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
    expect(await ids()).toEqual([1])
  })

  test('a deadlock undoes all of it at the server; it is refused from then on, and run again as a whole', async () => {
    const { t, ids } = await table()
    const sql = create({ maxPoolSize: 1 })
    let runs = 0
    await sql.transaction(
      async (transaction) => {
        runs++
        await transaction.execute`insert into ${t} values (${runs}, 1)`
        if (runs === 1)
          fail = ({ sql }) => (sql.includes('victim') ? sqlServerErrors.deadlock(51) : undefined)
        const update = transaction.execute`update ${t} set n = 2 /* victim */`
        if (runs > 1) return void (await update)
        expect(await failure(update)).toMatchObject({ kind: 'conflict', retryable: true })
        fail = undefined
        const error = await failure(transaction.execute`insert into ${t} values (9, 9)`)
        expect(error).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
      },
      { retries: 1 },
    )
    expect(runs).toBe(2)
    expect(await ids()).toEqual([2])
  })

  test('one that an error has doomed fails to commit, and says so', async () => {
    const { t, ids } = await table()
    const sql = create({ maxPoolSize: 1 })
    const doomed = sql.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (1, 1)`
      fail = ({ kind }) =>
        kind === 'commit'
          ? new SqlServerError(3930, 'The current transaction cannot be committed.')
          : undefined
    })
    expect(await failure(doomed)).toMatchObject({
      kind: 'closed',
      outcome: 'not-applied',
      message: 'sql COMMIT: an error has doomed the transaction: it can only be rolled back',
    })
    fail = undefined
    expect(await ids()).toEqual([])
    expect(await sql.one`select @@trancount as n`).toEqual({ n: 0 })
  })
})

describe('secrecy', () => {
  const secret = 'S3cret-value'

  test('no error holds a value, a text, a password or what the server said', async () => {
    const { name, t } = await table()
    const sql = create()
    const bad = await startTdsServer({ password: `${secret}-password` })
    onTestFinished(() => bad.stop())
    const errors = await Promise.all([
      failure(sql.query`select * from nowhere where a = ${secret}`),
      failure(sql.query(sql.raw(`select '${secret}' as a from`))),
      failure(sql.query`select cast(${secret} as int) as a`),
      failure(sql.execute`insert into ${t} values (${secret}, 1)`),
      failure(sql.bulkInsert(name, [{ id: secret, n: 1 }])),
      failure(sql.call('dbo.nothing', { a: secret })),
      failure(create({ host: '127.0.0.1', port: bad.port, password: secret }).query`select 1 as a`),
    ])
    for (const error of errors) {
      expect(error.message).not.toContain(secret)
      expect(
        JSON.stringify({ ...error, message: error.message, cause: error.cause }),
      ).not.toContain(secret)
    }
  })

  test('what looks like SQL in a value or a name is a value or a name', async () => {
    const { t, name, ids } = await table()
    const attempts = [
      `'; drop table ${name}; --`,
      `' or 1 = 1 --`,
      `]; drop table ${name}; --`,
      '\u2019 or 1=1',
      `@p1`,
    ]
    for (const attempt of attempts) {
      expect(await direct.query`select ${attempt} as a from ${t}`).toEqual([])
      expect(await direct.one`select ${attempt} as a, ${attempt} as b`).toEqual({
        a: attempt,
        b: attempt,
      })
      await failure(direct.query`select ${direct.id(attempt)} from ${t}`)
      await failure(direct.query`select * from ${direct.id(attempt)}`)
      await failure(direct.bulkInsert([attempt], [{ [attempt]: 1 }]))
      await failure(direct.bulkInsert(name, [{ [attempt]: 1 }]))
    }
    expect(await ids()).toEqual([])
  })
})
