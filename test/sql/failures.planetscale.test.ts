import { once } from 'node:events'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { planetscale } from '../../adapters/sql/planetscale.ts'
import { type ClientOptions, detachedAttempt, type InfraError } from '../../src/core/index.ts'
import { Sql, type Statement } from '../../src/sql/index.ts'
import { failureInTime as failure } from '../chaos/failure.ts'
import {
  badGateway,
  cutShort,
  drip,
  garbage,
  type Handler,
  json,
  reset,
  serve,
  silence,
  throttled,
} from '../chaos/http.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { ownDatabase } from '../engines/own.ts'
import { eventually, startMysqlGateway, token } from '../gateway/mysql-gateway.ts'

function open(url: string, options: ClientOptions = {}): Sql {
  const client = new Sql(planetscale({ url, username: 'app', password: token }), {
    logger: false,
    breaker: false,
    drainTimeoutMs: 1000,
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

const session = { signature: '', vitessSession: { autocommit: true } }
const utc = String(Date.UTC(2000) / 1000)
/** What the adapter asks of a server before anything else. */
function settings(mode = 'STRICT_TRANS_TABLES', charset = 'utf8mb4', time = utc): object {
  const values = [mode, charset, time]
  const fields = ['VARCHAR', 'VARCHAR', 'INT64'].map((type, i) => ({
    name: `${i}`,
    type,
    charset: i < 2 ? 255 : 63,
  }))
  const row = {
    lengths: values.map((value) => String(value.length)),
    values: btoa(values.join('')),
  }
  return { session, result: { fields, rows: [row] } }
}

/** A server that is asked for its settings, and answers all else as told. */
function answering(handler: Handler): Handler {
  return (request, response) =>
    (request.body.includes('@@sql_mode') ? json(settings()) : handler)(request, response)
}

const text = (body: string, status = 200): Handler => {
  return (_, response) => response.writeHead(status).end(body)
}
const one = JSON.stringify({ session, result: { rowsAffected: '1' } })

/** A client of a server that answers as told. */
async function against(handler: Handler, options: ClientOptions = {}) {
  const server = await serve(answering(handler))
  onTestFinished(() => server.close())
  const client = open(server.url, options)
  const sent = () =>
    server.requests
      .map(({ body }) => JSON.parse(body).query as string)
      .filter((query) => !query.includes('@@sql_mode'))
  return { server, client, sent }
}

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of an insert. */
  readonly outcome: string
  /** What is sent for one insert, retries included. Default: 1. */
  readonly requests?: number
}

const cases: Record<string, Case> = {
  'a server that accepts and never answers': {
    handler: silence,
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a server that drips': { handler: drip(one, 50), kind: 'timeout', outcome: 'unknown' },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': { handler: cutShort(one), kind: 'unavailable', outcome: 'unknown' },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page of some other server': {
    handler: text('<title>secret</title>'),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a page that is not there': {
    handler: text('secret', 404),
    kind: 'config',
    outcome: 'not-applied',
  },
  'status 401': { handler: text('secret', 401), kind: 'unauthenticated', outcome: 'not-applied' },
  'status 401 in words of the protocol': {
    handler: json({ error: { code: 'UNAUTHENTICATED', message: 'secret' } }, 401),
    kind: 'unauthenticated',
    outcome: 'not-applied',
  },
  'status 403': { handler: text('secret', 403), kind: 'forbidden', outcome: 'not-applied' },
  'status 413': { handler: text('secret', 413), kind: 'invalid', outcome: 'not-applied' },
  'status 429': {
    handler: text('secret', 429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
  'status 500': { handler: text('secret', 500), kind: 'unavailable', outcome: 'unknown' },
  'status 503': { handler: text('{}', 503), kind: 'unavailable', outcome: 'unknown' },
  'status 504': { handler: text('[]', 504), kind: 'timeout', outcome: 'unknown' },
  'an empty reply': { handler: text(''), kind: 'internal', outcome: 'unknown' },
  'a reply that is null': { handler: text('null'), kind: 'internal', outcome: 'unknown' },
  'rows that are none': {
    handler: json({
      session,
      result: { fields: [{ name: 'a', type: 'INT64' }], rows: [{ lengths: 5 }] },
    }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a number that is none': {
    handler: json({
      session,
      result: {
        fields: [{ name: 'a', type: 'INT64' }],
        rows: [{ lengths: ['6'], values: btoa('secret') }],
      },
    }),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a duplicate, as PlanetScale words it': {
    handler: json({
      session,
      error: {
        code: 'ALREADY_EXISTS',
        message: `target: db.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'secret' for key 't.email' (errno 1062) (sqlstate 23000) (CallerID: secret): Sql: "insert into t values (:v1)", BindVariables: {v1: "secret"}`,
      },
    }),
    kind: 'conflict',
    outcome: 'not-applied',
  },
  'a failure of Vitess itself': {
    handler: json({
      session,
      error: { code: 'UNIMPLEMENTED', message: 'VT12001: unsupported: secret' },
    }),
    kind: 'unsupported',
    outcome: 'not-applied',
  },
  'an error without words': {
    handler: json({ session, error: {} }),
    kind: 'internal',
    outcome: 'unknown',
  },
}

describe('planetscale against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, { handler, kind, outcome, requests = 1 }) => {
    const { client, sent } = await against(handler, {
      timeoutMs: 700,
      retry: { baseMs: 1, maxMs: 1 },
    })
    const error = await failure(client.execute`insert into t (a) values (${'secret value'})`, 700)
    expect(error).toMatchObject({ kind, outcome })
    expect(error.message + JSON.stringify(error)).not.toContain('secret')
    expect(sent()).toHaveLength(requests)
    const read = await failure(client.query`select 1`, 700)
    expect(read).toMatchObject({ kind, outcome: 'not-applied' })
  })

  test('the name of the key that has the value already', async () => {
    const { client } = await against(cases['a duplicate, as PlanetScale words it']!.handler)
    expect((await failure(client.execute`insert into t values (1)`)).message).toContain('t.email')
  })

  test('the gateway’s own header says what became of it', async () => {
    const failing = (header: string, body: object, status = 200) =>
      json(body, status, { 'dualport-error': header })
    const message =
      "x: code = AlreadyExists desc = Duplicate entry for key 'email' (errno 1062) (sqlstate 23000)"
    const { client, server } = await against(
      failing('SQL_CONFLICT;unknown', { session, error: { code: 'X', message } }),
    )
    const insert = () => failure(client.execute`insert into t values (1)`, 1000)
    const duplicate = await insert()
    expect(duplicate).toMatchObject({ code: 'SQL_CONFLICT', outcome: 'unknown' })
    expect(duplicate.message).toContain('email')
    server.handler = answering(failing('SQL_UNAVAILABLE;not-applied;60000', {}, 503))
    expect(await insert()).toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
      retryAfterMs: 60_000,
    })
    server.handler = answering(failing('SQL_BEWITCHED;unknown', {}, 503))
    expect(await insert()).toMatchObject({ kind: 'internal', outcome: 'unknown' })
  })

  test('a redirect is not followed: the password and the values stay here', async () => {
    const { server: elsewhere } = await against(text(one))
    for (const status of [301, 302, 303, 307, 308]) {
      const { client, sent } = await against((_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end()
      })
      expect(await failure(client.execute`insert into t values (1)`)).toMatchObject({
        kind: 'config',
        outcome: 'not-applied',
      })
      expect(sent()).toHaveLength(1)
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  test('429 with Retry-After: sent again when it may be', async () => {
    const { server, client, sent } = await against(throttled('1'))
    server.on('request', ({ body }) => {
      if (sent().length === 1 && !body.includes('@@sql_mode'))
        setImmediate(() => {
          server.handler = answering(text(one))
        })
    })
    expect(await client.execute`insert into t values (1)`).toMatchObject({ rowsAffected: 1 })
    expect(sent()).toHaveLength(2)
  })

  test('a cancelled call ends its request; so does a deadline, and closing the client', async () => {
    const { server, client } = await against(silence)
    const abort = new AbortController()
    const begun = () =>
      new Promise<void>((resolve) => {
        server.on('request', ({ body }) => {
          if (!body.includes('@@sql_mode')) resolve()
        })
      })
    let waiting = begun()
    const text = client.fragment`insert into t values (1)`
    const insert = failure(client.execute(text, { signal: abort.signal }))
    await waiting
    let abandoned = once(server, 'abandoned')
    abort.abort()
    expect(await insert).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    await abandoned
    abandoned = once(server, 'abandoned')
    expect(await failure(client.execute(text, { timeoutMs: 100 }), 100)).toMatchObject({
      kind: 'timeout',
    })
    await abandoned
    waiting = begun()
    const call = failure(client.execute(text))
    await waiting
    abandoned = once(server, 'abandoned')
    await client.close()
    await call
    await abandoned
  })

  test.each([
    ['its sql_mode has NO_BACKSLASH_ESCAPES', settings('ANSI,NO_BACKSLASH_ESCAPES')],
    ['its sql_mode has ANSI_QUOTES', settings('REAL_AS_FLOAT,ANSI_QUOTES')],
    ['its character_set_client is not UTF-8', settings('', 'gbk')],
    ['its time_zone is not UTC', settings('', 'utf8mb4', '946681200')],
  ])('a server for which values cannot be written safely: %s', async (reason, reply) => {
    const { server, client, sent } = await against(text(one))
    const { handler } = server
    server.handler = json(reply)
    for (const work of [
      client.query`select ${"'"}`,
      client.health(),
      client.transaction(async () => {}),
      client.bulkInsert('t', [{ a: 1 }]),
    ]) {
      const error = await failure(work)
      expect(error).toMatchObject({ kind: 'config', outcome: 'not-applied' })
      expect(error.message).toContain(reason)
    }
    expect(sent()).toEqual([])
    // Once it has been put right.
    server.handler = handler
    await client.execute`insert into t values (1)`
    await client.execute`insert into t values (1)`
    expect(sent()).toHaveLength(2)
    expect(server.requests.filter(({ body }) => body.includes('@@sql_mode'))).toHaveLength(5)
  })

  test('a transaction for which the server gives no session does not begin', async () => {
    const { client, sent } = await against(text('{"result":{}}'))
    const work = client.transaction((transaction) => transaction.execute`insert into t values (1)`)
    expect(await failure(work)).toMatchObject({ kind: 'internal', outcome: 'not-applied' })
    expect(sent()).toEqual(['BEGIN'])
  })
})

const mysql = await engine('mysql-process')
const own = await ownDatabase(mysql)

describe('planetscale through a gateway that fails', needs(mysql), async () => {
  if (mysql.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const gateway = await startMysqlGateway(own.url, { limits: { transactionIdleMs: 500 } })
  const { direct } = gateway
  const proxy = await startProxy(Number(new URL(gateway.url).port))
  const url = `http://127.0.0.1:${proxy.port}`
  afterEach(() => proxy.setMode('pass'))
  afterAll(() => proxy.close())
  let tables = 0

  async function fresh(options: ClientOptions = {}) {
    const name = `t${tables++}`
    await direct.query(`create table ${name} (a int)`)
    const client = open(url, options)
    const t = client.id(name)
    const stored = async () => {
      const [rows] = await direct.query<RowDataPacket[][]>(`select a from ${name} order by a`)
      return rows.map(([a]) => a)
    }
    // Its settings are known from here on.
    await client.health()
    return { client, t, stored, name }
  }
  /** INSERTs that arrived at the proxy since it had `sent` chunks. */
  const inserts = (sent: number) => {
    const bytes = Buffer.concat(proxy.received.slice(sent)).toString('latin1')
    return bytes.split('insert into').length - 1
  }

  test('a gateway that is down: nothing was applied, and the next call works when it is back', async () => {
    const { client, t, stored } = await fresh()
    await proxy.setMode('refuse')
    const errors: InfraError[] = []
    // The first may still find the connection that broke.
    for (let i = 0; i < 3; i++)
      errors.push(await failure(client.execute`insert into ${t} values (${i})`))
    expect(errors.map(({ kind }) => kind)).toEqual(Array(3).fill('unavailable'))
    expect(errors[2]).toMatchObject({ outcome: 'not-applied', retryable: true })
    await proxy.setMode('pass')
    await client.execute`insert into ${t} values (9)`
    expect(await stored()).toEqual([9])
  })

  test('a silent gateway: an insert is unknown by its deadline, and was sent once', async () => {
    const { client, t, stored } = await fresh({ timeoutMs: 300 })
    await proxy.setMode('blackhole')
    const sent = proxy.received.length
    const error = await failure(client.execute`insert into ${t} values (1)`, 300)
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown' })
    expect(inserts(sent)).toBe(1)
    await proxy.setMode('pass')
    await client.execute`insert into ${t} values (2)`
    expect(await stored()).toContain(2)
  })

  test('a reply that is cut: the insert may have been applied, and was sent once', async () => {
    const { client, t, stored } = await fresh()
    await proxy.setMode('cut')
    const sent = proxy.received.length
    const error = await failure(client.execute`insert into ${t} values (1)`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(inserts(sent)).toBe(1)
    await proxy.setMode('pass')
    expect(await stored()).toEqual([1])
  })

  test('a COMMIT without an answer is unknown; one that was never sent is not', async () => {
    const { client, t, stored } = await fresh()
    const cut = client.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (1)`
      await proxy.setMode('cut')
    })
    expect(await failure(cut)).toMatchObject({ operation: 'COMMIT', outcome: 'unknown' })
    await proxy.setMode('pass')
    expect(await stored()).toEqual([1])
    const refused = client.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (2)`
      await proxy.setMode('refuse')
      // Finds the connection that broke.
      await fetch(url).catch(() => {})
    })
    expect(await failure(refused)).toMatchObject({ operation: 'COMMIT', kind: 'unavailable' })
    await proxy.setMode('pass')
    await eventually(async () => expect(await gateway.transactions()).toBe(0))
    expect(await stored()).toEqual([1])
  })

  test('a statement of a transaction that gets no answer ends it', async () => {
    const { client, t, stored } = await fresh()
    const work = client.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (1)`
      await proxy.setMode('cut')
      await transaction.execute`insert into ${t} values (2)`.catch(() => {})
      await proxy.setMode('pass')
      const late = await failure(transaction.execute`insert into ${t} values (3)`)
      expect(late).toMatchObject({ kind: 'closed' })
    })
    expect(await failure(work)).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(await stored()).toEqual([])
    expect(await gateway.transactions()).toBe(0)
  })

  test('a client that dies in a transaction: it is rolled back', async () => {
    const { client, t, stored } = await fresh()
    let goOn = () => {}
    const waits = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const work = failure(
      client.transaction(async (transaction) => {
        await transaction.execute`insert into ${t} values (1)`
        await proxy.setMode('refuse')
        await waits
      }),
    )
    await eventually(async () => expect(await gateway.transactions()).toBe(1))
    await eventually(async () => expect(await gateway.transactions()).toBe(0))
    goOn()
    await work
    expect(await stored()).toEqual([])
  })

  test('an idle transaction is rolled back by the gateway, and its client is told', async () => {
    const { client, t, stored } = await fresh()
    const work = client.transaction(async (transaction) => {
      await transaction.execute`insert into ${t} values (1)`
      await eventually(async () => expect(await gateway.transactions()).toBe(1))
      await eventually(async () => expect(await gateway.transactions()).toBe(0))
      await transaction.execute`insert into ${t} values (2)`
    })
    expect(await failure(work)).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
    expect(await stored()).toEqual([])
  })

  test('a statement that nobody waits for is stopped at the engine, in a transaction as well', async () => {
    const { client } = await fresh()
    const text = client.raw('select sleep(30) as stopped')
    const abort = new AbortController()
    const alone = failure(client.query(text, { signal: abort.signal }))
    const within = failure(
      client.transaction((transaction) => transaction.query(text), { signal: abort.signal }),
    )
    await eventually(async () => expect(await gateway.running()).toHaveLength(2))
    abort.abort()
    expect(await alone).toMatchObject({ kind: 'aborted' })
    expect(await within).toMatchObject({ kind: 'aborted' })
    await eventually(async () => expect(await gateway.running()).toEqual([]))
    await eventually(async () => expect(await gateway.transactions()).toBe(0))
    expect(await failure(client.query(text, { timeoutMs: 100 }), 100)).toMatchObject({
      kind: 'timeout',
    })
    await eventually(async () => expect(await gateway.running()).toEqual([]))
  })

  test('a transaction of which a statement was stopped does nothing but roll back', async () => {
    const driver = planetscale({ url, username: 'app', password: token })
    onTestFinished(() => driver.close())
    const attempt = () => detachedAttempt('test', 5000)
    const statement = (text: string): Statement => ({
      ...{ text, parameters: [], kind: 'OTHER', insertId: false },
    })
    const transaction = await driver.begin({}, attempt())
    const stopped = attempt()
    const work = transaction.run(statement('select sleep(30) as broken'), stopped)
    const rejected = expect(work).rejects.toThrow()
    await eventually(async () => expect(await gateway.running()).toHaveLength(1))
    stopped.onCancel?.()
    await rejected
    const sent = proxy.received.length
    for (const late of [
      transaction.run(statement('select 1'), attempt()),
      transaction.commit(attempt()),
    ]) {
      await expect(late).rejects.toMatchObject({ failure: { kind: 'closed' } })
    }
    expect(proxy.received).toHaveLength(sent)
    await transaction.rollback(attempt())
  })

  test('two gateway processes behind one address: the wrong one says so, and nothing is applied', async () => {
    const { name, stored } = await fresh()
    const other = await startMysqlGateway(own.url)
    let requests = 0
    // One after the other, as a balancer without sticky sessions.
    const balanced: typeof fetch = (input, init) => {
      const { pathname } = new URL(String(input))
      return fetch((requests++ % 2 === 0 ? gateway.url : other.url) + pathname, init)
    }
    const client = new Sql(
      planetscale({ url, username: 'app', password: token, fetch: balanced }),
      { logger: false },
    )
    onTestFinished(() => client.close())
    await client.health()
    const work = client.transaction(async (transaction) => {
      await transaction.execute`insert into ${client.id(name)} values (1)`
    })
    expect(await failure(work)).toMatchObject({ kind: 'closed', outcome: 'not-applied' })
    expect(await stored()).toEqual([])
    await eventually(async () => expect(await gateway.transactions()).toBe(0))
  })

  test('an engine that is killed behind the gateway, and started again', async () => {
    const { client, t } = await fresh({ retry: false })
    await client.execute`insert into ${t} values (1)`
    await mysql.kill()
    const errors: InfraError[] = []
    for (const a of [2, 3])
      errors.push(await failure(client.execute`insert into ${t} values (${a})`))
    expect(errors.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable'])
    expect(errors[1]).toMatchObject({ outcome: 'not-applied' })
    await mysql.start()
    await eventually(() => client.execute`insert into ${t} values (4)`)
    expect(await client.query`select a from ${t} order by a`).toEqual([{ a: 1 }, { a: 4 }])
  })
})
