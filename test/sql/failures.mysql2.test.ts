import { once } from 'node:events'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { type Mysql2Options, mysql2 } from '../../adapters/sql/mysql2.ts'
import type { ClientOptions, InfraError } from '../../src/core/index.ts'
import { Sql } from '../../src/sql/index.ts'
import { failure, slackMs } from '../chaos/failure.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('mysql-process')

const database = 'dualport_failures'

describe('mysql2 over a connection that fails', needs(server), async () => {
  if (server.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const proxy = await startProxy(server.port)
  const at = (port: number) => `mysql://root@127.0.0.1:${port}/${database}`
  const clients: Sql[] = []
  const create = (adapter: Mysql2Options = {}, options: ClientOptions = {}) => {
    const given = adapter.url === undefined ? { url: at(proxy.port), ...adapter } : adapter
    const sql = new Sql(mysql2(given), { logger: false, retry: false, breaker: false, ...options })
    clients.push(sql)
    return sql
  }
  // What the tests see of the server goes past the proxy.
  let observer = await observe()
  await observer.query('create table things (id int primary key, name varchar(100)) engine=innodb')
  await observer.query("create user app identified by 'right'")
  await observer.query(`grant all on ${database}.* to app`)

  afterEach(async () => {
    await proxy.setMode('pass')
    await Promise.all(clients.splice(0).map((sql) => sql.close()))
    await observer.query('delete from things')
  })
  afterAll(async () => {
    await observer.end()
    await proxy.close()
  })

  async function observe(): Promise<Connection> {
    const connection = await createConnection(server.url)
    await connection.query(`create database if not exists ${database}`)
    await connection.changeUser({ database })
    // Whoever wants it waits for as long as this connection lives, and costs the server nothing.
    await connection.query("select get_lock('busy', 0)")
    return connection
  }
  async function ids(): Promise<number[]> {
    const [rows] = await observer.query<RowDataPacket[]>('select id from things order by id')
    return rows.map(({ id }) => id)
  }
  /** Statements that run now, other than the one that asks. */
  async function running(like: string): Promise<number[]> {
    const [rows] = await observer.query<RowDataPacket[]>(
      'select id from information_schema.processlist where info like ? and id <> connection_id()',
      [like],
    )
    return rows.map(({ id }) => Number(id))
  }
  const waits = "select get_lock('busy', 60) as got"
  const isWaiting = (count: number) =>
    expect.poll(() => running('select get_lock%')).toHaveLength(count)
  const connectionId = async (sql: Sql) => {
    const { id } = await sql.one<{ id: bigint | number }>`select connection_id() as id`
    return Number(id)
  }

  // Lost connections -----------------------------------------------------------------------------

  test('an insert whose reply is cut may have been applied, and was sent once', async () => {
    const sql = create()
    await sql.execute`insert into things (id) values (${1})`
    await proxy.setMode('cut')
    const error = await failure(sql.execute`insert into things (id) values (${2})`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    await proxy.setMode('pass')
    await sql.execute`insert into things (id) values (${3})`
    expect(await ids()).toEqual([1, 2, 3])
  })

  test('a statement that was lost before it was sent was not applied', async () => {
    const sql = create()
    await sql.health()
    // It is lost while the server reads the text.
    await proxy.setMode('reset')
    const error = await failure(sql.execute`insert into things (id, name) values (${1}, ${'a'})`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
  })

  test('a server that is gone is unavailable at once, and the next call works when it is back', async () => {
    const sql = create()
    await sql.health()
    await proxy.setMode('refuse')
    const started = performance.now()
    for (let i = 0; i < 3; i++) {
      const error = await failure(sql.execute`insert into things (id) values (${i})`)
      expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    }
    expect(performance.now() - started).toBeLessThan(slackMs)
    await proxy.setMode('pass')
    await sql.execute`insert into things (id) values (${9})`
    expect(await ids()).toEqual([9])
  })

  test('a connection that the server has closed while idle is replaced before use', async () => {
    const sql = create({ maxPoolSize: 1 })
    const id = await connectionId(sql)
    await observer.query(`kill ${id}`)
    await expect.poll(() => sql.pool()?.open).toBe(0)
    await sql.execute`insert into things (id) values (${1})`
    expect(await connectionId(sql)).not.toBe(id)
  })

  test('what was not sent when its connection was lost goes over another one', async () => {
    const sql = create({ maxPoolSize: 1 })
    await sql.health()
    proxy.disconnect('rst')
    await sql.execute`insert into things (id) values (${1})`
    expect(await ids()).toEqual([1])
  })

  test('a connection that is killed in the middle fails its statement, and no other', async () => {
    const sql = create({ maxPoolSize: 1 })
    const error = failure(sql.execute`insert into things (id) select get_lock('busy', 60) + ${1}`)
    await expect.poll(() => running('insert into things%')).toHaveLength(1)
    const [id] = await running('insert into things%')
    await observer.query(`kill ${id}`)
    expect(await error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    await sql.execute`insert into things (id) values (${5})`
    expect(await ids()).toEqual([5])
  })

  test('bytes that are no protocol are an error, and the next call works', async () => {
    const sql = create()
    await sql.health()
    await proxy.setMode('garbage')
    const error = await failure(sql.query(sql.raw('select 1'), { timeoutMs: 500 }))
    expect(['unavailable', 'timeout', 'internal']).toContain(error.kind)
    await proxy.setMode('pass')
    await sql.execute`insert into things (id) values (${1})`
  })

  test('under load, a server that dies and comes back loses nothing that it has confirmed', async () => {
    const sql = create()
    const confirmed: number[] = []
    const refused: number[] = []
    let next = 0
    let done = false
    const insert = async () => {
      while (!done) {
        const id = next++
        try {
          await sql.execute(sql.fragment`insert into things (id) values (${id})`, {
            timeoutMs: 1000,
          })
          confirmed.push(id)
        } catch (error) {
          if ((error as InfraError).outcome === 'not-applied') refused.push(id)
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    const workers = Array.from({ length: 10 }, insert)
    await expect.poll(() => confirmed.length).toBeGreaterThan(100)
    const failed = once(observer, 'error').catch(() => {})
    await server.kill()
    await failed
    await expect.poll(() => refused.length).toBeGreaterThan(0)
    await server.start()
    observer = await observe()
    const before = confirmed.length
    await expect.poll(() => confirmed.length, { timeout: 10_000 }).toBeGreaterThan(before + 100)
    done = true
    await Promise.all(workers)
    const there = new Set(await ids())
    expect(confirmed.filter((id) => !there.has(id))).toEqual([])
    expect(refused.filter((id) => there.has(id))).toEqual([])
  }, 40_000)

  test('of a paused server, what was sent is unknown, and what waited was not applied', async () => {
    const sql = create({ maxPoolSize: 2 }, { timeoutMs: 500 })
    await sql.health()
    server.pause()
    const started = performance.now()
    const errors = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        failure(sql.execute`insert into things (id) values (${i})`),
      ),
    ).finally(() => server.resume())
    expect(performance.now() - started).toBeLessThan(500 + slackMs)
    expect(new Set(errors.map(({ kind }) => kind))).toEqual(new Set(['timeout']))
    await expect.poll(() => sql.pool()).toMatchObject({ inUse: 0, waiting: 0 })
    await sql.execute`insert into things (id) values (${99})`
    const there = await ids()
    const gone = errors.filter(({ outcome }) => outcome === 'not-applied').length
    expect(there.length).toBeLessThanOrEqual(1 + errors.length - gone)
  })

  // Commit ---------------------------------------------------------------------------------------

  test('a commit that got no answer may have been applied', async () => {
    const sql = create()
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into things (id) values (${1})`
        await proxy.setMode('cut')
      }),
    )
    expect(error).toMatchObject({ operation: 'COMMIT', kind: 'unavailable', outcome: 'unknown' })
    await expect.poll(ids).toEqual([1])
  })

  test('a commit that the server never saw may have been applied, and was not', async () => {
    const sql = create()
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into things (id) values (${1})`
        await proxy.setMode('reset')
      }),
    )
    expect(error).toMatchObject({ operation: 'COMMIT', outcome: 'unknown' })
    expect(await ids()).toEqual([])
  })

  test('what is lost before the commit was not applied', async () => {
    const sql = create()
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into things (id) values (${1})`
        await proxy.setMode('cut')
        await transaction.execute`insert into things (id) values (${2})`
      }),
    )
    expect(error).toMatchObject({ operation: 'INSERT', outcome: 'not-applied' })
    expect(await ids()).toEqual([])
  })

  test('a deadline within a transaction undoes it, and frees its connection', async () => {
    const sql = create({ maxPoolSize: 1 })
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into things (id) values (${1})`
        await transaction.query(transaction.raw(waits), { timeoutMs: 200 })
      }),
    )
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    // Its row is free: nobody holds a lock on it.
    await observer.query('insert into things (id) values (1)')
    expect(await sql.query`select id from things`).toEqual([{ id: 1 }])
  })

  // The pool -------------------------------------------------------------------------------------

  test('a pool whose connections are all in use says so', async () => {
    const sql = create({ maxPoolSize: 2 })
    const abort = new AbortController()
    const busy = [1, 2].map(() => failure(sql.query(sql.raw(waits), { signal: abort.signal })))
    await isWaiting(2)
    const late = () =>
      failure(sql.execute(sql.fragment`insert into things (id) values (${1})`, { timeoutMs: 300 }))
    expect(await late()).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
    // On a busy machine the deadline of the call itself may come first.
    await expect
      .poll(async () => (await late()).message)
      .toContain("no connection was free in time: 2 of the pool's 2 in use")
    expect(sql.pool()).toEqual({ open: 2, inUse: 2, waiting: 0 })
    abort.abort()
    await Promise.all(busy)
    await sql.execute`insert into things (id) values (${2})`
    expect(await ids()).toEqual([2])
  })

  test('who gives up waiting for a connection leaves the line, and the next one gets it', async () => {
    const sql = create({ maxPoolSize: 1 })
    const abort = new AbortController()
    const busy = failure(sql.query(sql.raw(waits), { signal: abort.signal }))
    await isWaiting(1)
    const impatient = new AbortController()
    const first = failure(
      sql.execute(sql.fragment`insert into things (id) values (${1})`, {
        signal: impatient.signal,
      }),
    )
    const second = sql.execute`insert into things (id) values (${2})`
    impatient.abort()
    expect(await first).toMatchObject({ kind: 'aborted', outcome: 'not-applied' })
    abort.abort()
    await busy
    await second
    expect(await ids()).toEqual([2])
  })

  test('a connection that was idle for too long is replaced before use', async () => {
    const sql = create({ maxPoolSize: 1, maxIdleMs: 0 })
    const id = await connectionId(sql)
    await expect.poll(() => connectionId(sql)).not.toBe(id)
    expect(sql.pool()?.open).toBe(1)
  })

  test('a server with too many connections is throttled, and who has one goes on', async () => {
    await observer.query('set global max_connections = 10')
    const others: Connection[] = []
    const url = `mysql://app:right@127.0.0.1:${proxy.port}/${database}`
    try {
      const lucky = create({ url })
      await lucky.health()
      for (;;) {
        const other = await createConnection(url).catch(() => undefined)
        if (other === undefined) break
        others.push(other)
      }
      const error = await failure(create({ url }).query`select 1`)
      expect(error).toMatchObject({ kind: 'throttled', outcome: 'not-applied', retryable: true })
      // It cannot have a second connection, and waits for the first to be free.
      const abort = new AbortController()
      const busy = failure(lucky.query(lucky.raw(waits), { signal: abort.signal }))
      await isWaiting(1)
      const turnedAway = new Promise<void>((resolve) => {
        proxy.on('reply', (chunk) => chunk.includes('Too many connections') && resolve())
      })
      const next = lucky.query`select 1 as one`
      await turnedAway
      // Stopping a statement takes a connection as well.
      await others.pop()?.end()
      abort.abort()
      await busy
      expect(await next).toEqual([{ one: 1 }])
    } finally {
      proxy.removeAllListeners('reply')
      await Promise.all(others.map((other) => other.end()))
      await observer.query('set global max_connections = 300')
    }
  })

  // Cancellation ---------------------------------------------------------------------------------

  test('statements that are aborted at any moment end at the server, and the pool is as before', async () => {
    const sql = create({ maxPoolSize: 20 })
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const abort = new AbortController()
        const call = failure(sql.query(sql.raw(waits), { signal: abort.signal }))
        setTimeout(() => abort.abort(), Math.random() * 200)
        expect(await call).toMatchObject({ kind: 'aborted' })
      }),
    )
    await isWaiting(0)
    await expect.poll(() => sql.pool()).toMatchObject({ inUse: 0, waiting: 0 })
    // None of them is hit by what was meant for another.
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) => sql.one<{ i: number }>`select ${i} as i`),
    )
    expect(replies.map(({ i }) => i)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  test('a deadline stops the statement at the server, and its connection goes on', async () => {
    const sql = create({ maxPoolSize: 1 })
    const id = await connectionId(sql)
    const call = failure(sql.query(sql.raw(waits), { timeoutMs: 300 }))
    await isWaiting(1)
    expect(await call).toMatchObject({ kind: 'timeout' })
    await isWaiting(0)
    expect(await connectionId(sql)).toBe(id)
  })

  test('where the server cannot be told, the connection is cut', async () => {
    const sql = create({ maxPoolSize: 1 })
    const id = await connectionId(sql)
    const abort = new AbortController()
    const call = failure(sql.query(sql.raw(waits), { signal: abort.signal }))
    await isWaiting(1)
    await proxy.setMode('blackhole')
    abort.abort()
    await call
    await expect.poll(() => sql.pool()?.open, { timeout: 10_000 }).toBe(0)
    await proxy.setMode('pass')
    expect(await connectionId(sql)).not.toBe(id)
  })

  test('a stream that is left early ends at the server, and its connection goes on', async () => {
    const sql = create({ maxPoolSize: 1 })
    const id = await connectionId(sql)
    // More than the sockets between hold.
    const endless = `select a.seq, repeat('x', 1000) as x from seq_1_to_100000 a, seq_1_to_1000 b`
    let read = 0
    for await (const _ of sql.stream(sql.raw(endless))) if (++read === 1500) break
    await expect.poll(() => running('select a.seq%')).toEqual([])
    expect(await connectionId(sql)).toBe(id)
  })

  test('a stream that is aborted between two rows ends with that, at the server too', async () => {
    const sql = create({ maxPoolSize: 1 })
    // Long enough for the server not to wait for more of them before it sends them.
    const rows = sql.stream(
      sql.raw(`select seq, repeat('x', 50000) as x from seq_1_to_3
        where seq < 3 or get_lock('busy', 60) = 1`),
      { pageRows: 2 },
    )
    expect(await rows.nextPage()).toHaveLength(2)
    const abort = new AbortController()
    const next = failure(rows.nextPage({ signal: abort.signal }))
    await expect.poll(() => running('select seq%')).toHaveLength(1)
    abort.abort()
    expect(await next).toMatchObject({ kind: 'aborted' })
    await expect.poll(() => running('select seq%')).toEqual([])
    await expect.poll(() => sql.pool()?.inUse).toBe(0)
    expect(await sql.query`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('a stream whose connection is lost ends with that error', async () => {
    const sql = create()
    const rows = sql.stream(sql.raw('select seq from seq_1_to_1000000'), { pageRows: 10 })
    expect(await rows.nextPage()).toHaveLength(10)
    proxy.disconnect('rst')
    const error = await failure(
      (async () => {
        for await (const _ of rows);
      })(),
    )
    expect(error).toMatchObject({ kind: 'unavailable', retryable: false })
    await expect.poll(() => sql.pool()?.inUse).toBe(0)
  })

  // Credentials and settings ---------------------------------------------------------------------

  test('a wrong password and an unknown database are told apart', async () => {
    const url = `mysql://app:wrong@127.0.0.1:${server.port}/${database}`
    const wrong = await failure(create({ url }).health())
    expect(wrong).toMatchObject({ kind: 'unauthenticated', outcome: 'not-applied' })
    expect(`${wrong.message} ${JSON.stringify(wrong)}`).not.toMatch(/wrong|app[^l]/)
    const nowhere = create({ url: `mysql://root@127.0.0.1:${server.port}/nowhere` })
    expect(await failure(nowhere.health())).toMatchObject({ kind: 'not-found' })
    const forbidden = create({ url: `mysql://app:right@127.0.0.1:${server.port}/mysql` })
    expect(await failure(forbidden.health())).toMatchObject({ kind: 'forbidden' })
  })

  test('a password function is asked again once the server has refused its answer', async () => {
    await observer.query("create user rotated identified by 'first'")
    await observer.query(`grant all on ${database}.* to rotated`)
    const answers: string[] = []
    let current = 'first'
    const password = async () => {
      answers.push(current)
      return current
    }
    const url = `mysql://rotated@127.0.0.1:${server.port}/${database}`
    const sql = create({ url, password, maxPoolSize: 1, maxIdleMs: 0 })
    await sql.health()
    await expect.poll(() => connectionId(sql)).toBeGreaterThan(0)
    expect(answers).toEqual(['first'])
    await observer.query("alter user rotated identified by 'second'")
    current = 'second'
    await expect.poll(() => sql.query`select 1 as one`).toEqual([{ one: 1 }])
    await expect.poll(() => answers).toEqual(['first', 'second'])
  })

  test("a session is the same whatever the server's defaults are", async () => {
    const [[before]] = (await observer.query(
      'select @@global.sql_mode as mode, @@global.time_zone as zone',
    )) as unknown as [[{ mode: string; zone: string }]]
    const settings = (mode: string, zone: string, autocommit: number) =>
      observer.query('set global sql_mode = ?, global time_zone = ?, global autocommit = ?', [
        ...[mode, zone, autocommit],
      ])
    await settings('ANSI,NO_BACKSLASH_ESCAPES,ORACLE', '+05:00', 0)
    try {
      const sql = create()
      const session = await sql.one(
        sql.raw(`select @@sql_mode as mode, @@time_zone as zone, @@character_set_client as client,
          @@character_set_results as results, @@autocommit as autocommit, "a\\nb" as text`),
      )
      expect(session).toMatchObject({
        ...{ zone: '+00:00', client: 'utf8mb4', results: 'utf8mb4', text: 'a\nb' },
      })
      expect(Number(session.autocommit)).toBe(1)
      expect(session.mode).toMatch(/STRICT_TRANS_TABLES/)
      expect(session.mode).not.toMatch(/ANSI|NO_BACKSLASH_ESCAPES|ORACLE/)
      await sql.execute`insert into things (id) values (${1})`
      expect(await ids()).toEqual([1])
    } finally {
      await settings(before.mode, before.zone, 1)
    }
  })
})
