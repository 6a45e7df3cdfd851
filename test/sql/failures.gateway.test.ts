import { once } from 'node:events'
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { gateway as overHttp } from '../../adapters/sql/gateway.ts'
import { mssql } from '../../adapters/sql/mssql.ts'
import type { ClientOptions } from '../../src/core/index.ts'
import { Sql } from '../../src/sql/index.ts'
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
import { eventually, gatewayOver, token } from './gateway-over.ts'
import { failure, ownTdsServer } from './mssql.ts'

function open(url: string, options: ClientOptions = {}): Sql {
  const sql = new Sql(overHttp({ url, token }), {
    logger: false,
    breaker: false,
    drainTimeoutMs: 1000,
    ...options,
  })
  onTestFinished(() => sql.close())
  return sql
}

/** A client of a server that answers as told, from the start or once the test says how. */
async function against(handler: Handler, options: ClientOptions = {}) {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  return { server, sql: open(server.url, options) }
}

const text = (body: string, status = 200): Handler => {
  return (_, response) => response.writeHead(status).end(body)
}
const reply = '{"columns":[],"rows":[],"rowsAffected":1,"insertId":null}'
const works = text(reply)
const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
/** As the gateway says it. */
const failing = (header: string, body: string): Handler => {
  return (_, response) => response.writeHead(503, { 'dualport-error': header }).end(body)
}

interface Case {
  readonly handler: Handler
  readonly kind: string
  /** Of an insert. */
  readonly outcome: string
  /** What is sent for one insert, retries included. Default: 1. */
  readonly requests?: number
}

const internal = (body: string): Case => ({
  handler: text(body),
  kind: 'internal',
  outcome: 'unknown',
})

const cases: Record<string, Case> = {
  'a server that accepts and never answers': {
    handler: silence,
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a server that drips': { handler: drip(reply, 50), kind: 'timeout', outcome: 'unknown' },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': {
    handler: cutShort(reply),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page of some other server': internal('<!doctype html><title>secret</title>'),
  'a page that is not there': {
    handler: text('secret', 404),
    kind: 'config',
    outcome: 'not-applied',
  },
  'status 401': { handler: text('secret', 401), kind: 'unauthenticated', outcome: 'not-applied' },
  'status 403': { handler: text('secret', 403), kind: 'forbidden', outcome: 'not-applied' },
  'status 413': { handler: text('secret', 413), kind: 'invalid', outcome: 'not-applied' },
  'status 500': { handler: text('secret', 500), kind: 'unavailable', outcome: 'unknown' },
  'status 503': { handler: text('{}', 503), kind: 'unavailable', outcome: 'unknown' },
  'status 504': { handler: text('[]', 504), kind: 'timeout', outcome: 'unknown' },
  'status 429 without a hint': {
    handler: json({ error: { detail: 'secret' } }, 429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
  'an empty reply': internal(''),
  'a reply that is null': internal('null'),
  'a reply that is a number': internal('1'),
  'a reply without columns': internal('{"rows":[],"rowsAffected":0,"insertId":null}'),
  'columns that are no texts': internal(
    '{"columns":[1],"rows":[],"rowsAffected":0,"insertId":null}',
  ),
  'rows that are none': internal('{"columns":[],"rows":{},"rowsAffected":0,"insertId":null}'),
  'a row that is too short': internal(
    '{"columns":["a","b"],"rows":[[1]],"rowsAffected":0,"insertId":null}',
  ),
  'types that are none': internal(
    '{"columns":[],"types":{},"rows":[],"rowsAffected":0,"insertId":null}',
  ),
  'a value that is none': internal(
    '{"columns":["a"],"rows":[[{"secret":1}]],"rowsAffected":0,"insertId":null}',
  ),
  'a count below zero': internal('{"columns":[],"rows":[],"rowsAffected":-1,"insertId":null}'),
  'an ID that is none': internal('{"columns":[],"rows":[],"rowsAffected":1,"insertId":1}'),
  'a reply nested 10,000 deep': internal(`{"columns":["a"],"rows":${deep}}`),
  'an error nested 10,000 deep': {
    handler: failing('SQL_UNAVAILABLE;unknown', `{"error":{"detail":${deep}}}`),
    kind: 'unavailable',
    outcome: 'unknown',
  },
}

describe('the adapter against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, { handler, kind, outcome, requests = 1 }) => {
    const { server, sql } = await against(works)
    const timeoutMs = kind === 'timeout' ? 300 : 5000
    const expected = { kind, code: `SQL_${kind.toUpperCase()}` }
    const insert = sql.fragment`insert into people (name) values (${'x'})`
    // Whoever is late later, it is not the first connection.
    await sql.execute(insert)
    server.handler = handler
    const write = await failure(sql.execute(insert, { timeoutMs }))
    expect(write).toMatchObject({ ...expected, outcome })
    expect(write.message).not.toContain('secret')
    expect(server.requests).toHaveLength(1 + requests)
    const read = await failure(sql.query(sql.fragment`select 1 as a`, { timeoutMs }))
    expect(read).toMatchObject({ ...expected, outcome: 'not-applied' })
    expect(read.message).not.toContain('secret')
    server.handler = works
    expect(await sql.execute(insert)).toEqual({ rowsAffected: 1, insertId: null })
  })

  test.each<[string, string, (sql: Sql) => Promise<unknown>]>([
    ['bulkInsert', '{"rowsAffected":"1"}', (sql) => sql.bulkInsert('t', [{ a: 1 }])],
    ['bulkInsert', '{}', (sql) => sql.bulkInsert('t', [{ a: 1 }])],
    ['batch', '{"replies":[]}', (sql) => sql.batch([sql.raw('select 1')])],
    ['batch', '{"replies":[null]}', (sql) => sql.batch([sql.raw('select 1')])],
    ['batch', '{}', (sql) => sql.batch([sql.raw('select 1')])],
    ['call', '{"sets":{},"output":{"$o":{}},"returnValue":0}', (sql) => sql.call('p')],
    ['call', '{"sets":[],"output":1,"returnValue":0}', (sql) => sql.call('p')],
    ['call', '{"sets":[],"output":{"$o":{}},"returnValue":"0"}', (sql) => sql.call('p')],
  ])('%s with a reply of another shape: %s', async (_, body, call) => {
    const { server, sql } = await against(text(body))
    expect(await failure(call(sql))).toMatchObject({ code: 'SQL_INTERNAL', outcome: 'unknown' })
    expect(server.requests).toHaveLength(1)
  })

  test('a transaction whose ID is none', async () => {
    const { sql } = await against(text('{"transaction":1}'))
    const error = await failure(sql.transaction(async () => {}))
    expect(error).toMatchObject({ code: 'SQL_INTERNAL', outcome: 'not-applied' })
  })

  test('the gateway’s own header says what became of it, and its body why', async () => {
    const { server, sql } = await against(
      failing('SQL_UNAVAILABLE;not-applied;60000', '{"error":{"detail":"in words"}}'),
    )
    const insert = sql.fragment`insert into t (a) values (1)`
    const error = await failure(sql.execute(insert))
    expect(error).toMatchObject({ outcome: 'not-applied', retryAfterMs: 60_000 })
    expect(error.message).toBe('sql INSERT: in words')
    server.handler = failing('SQL_CONFLICT;not-applied', '{"error":{"retryable":true}}')
    const conflict = await failure(sql.execute(insert, { timeoutMs: 500 }))
    expect(conflict).toMatchObject({ code: 'SQL_CONFLICT', retryable: true })
    server.handler = failing('SQL_BEWITCHED;unknown', '{}')
    expect(await failure(sql.execute(insert))).toMatchObject({
      code: 'SQL_INTERNAL',
      outcome: 'unknown',
    })
  })

  test('a redirect is not followed: the token and the values stay here', async () => {
    const { server: elsewhere } = await against(works)
    for (const status of [301, 302, 303, 307, 308]) {
      const { server, sql } = await against((_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end()
      })
      expect(await failure(sql.execute`delete from t`)).toMatchObject({
        code: 'SQL_CONFIG',
        outcome: 'not-applied',
      })
      expect(server.requests).toHaveLength(1)
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  test('429 with Retry-After: what was not applied is sent again when it may be', async () => {
    const { server, sql } = await against(throttled('1'))
    const inserted = sql.execute`insert into t (a) values (1)`
    await once(server, 'request')
    server.handler = works
    expect((await inserted).rowsAffected).toBe(1)
    expect(server.requests).toHaveLength(2)
  })

  test('a call that nobody waits for ends its request, as does closing the client', async () => {
    const { server, sql } = await against(silence)
    const abort = new AbortController()
    const insert = sql.fragment`insert into t (a) values (1)`
    const running = failure(sql.execute(insert, { signal: abort.signal }))
    await once(server, 'request')
    const abandoned = once(server, 'abandoned')
    abort.abort()
    expect(await running).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    await abandoned
    const call = failure(sql.query`select 1`)
    await once(server, 'request')
    const closed = once(server, 'abandoned')
    await sql.close()
    await call
    await closed
  })

  test('a page that is lost is not asked for again, and its stream is closed', async () => {
    const page = '{"columns":["a"],"rows":[[1]],"cursor":"c-1"}'
    for (const lost of [
      silence,
      reset,
      cutShort(page),
      text('<html>'),
      text('{}'),
      text('', 503),
    ]) {
      const { server, sql } = await against(text(page))
      const stream = sql.stream(sql.fragment`select a from t`, { timeoutMs: 300 })
      expect(await stream.nextPage()).toEqual([{ a: 1 }])
      server.handler = (request, response) =>
        (request.path === '/next' ? lost : text('{}'))(request, response)
      await failure(stream.nextPage())
      expect(await stream.next()).toEqual({ done: true, value: undefined })
      await eventually(() => {
        const [, ...then] = server.requests.map(({ path, body }) => [path, JSON.parse(body).cursor])
        expect(then).toEqual([
          ['/next', 'c-1'],
          ['/close', 'c-1'],
        ])
      })
    }
  })

  test('after a request of a transaction got no answer, it sends nothing more but the rollback', async () => {
    const { server, sql } = await against((request, response) => {
      if (request.path === '/query') reset(request, response)
      else text(request.path === '/begin' ? '{"transaction":"t-1"}' : '{}')(request, response)
    })
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.query`select 1`.catch(() => {})
        await transaction.query`select 2`
      }),
    )
    expect(error).toMatchObject({ code: 'SQL_CLOSED', outcome: 'not-applied' })
    expect(server.requests.map(({ path }) => path)).toEqual(['/begin', '/query', '/rollback'])
  })
})

describe('through a network that fails, to SQL Server', async () => {
  const engine = await ownTdsServer()
  const limits = { transactionIdleMs: 300 }
  const gateway = await gatewayOver(mssql({ url: engine.url }), { limits })
  const { direct } = gateway
  const proxy = await startProxy(Number(new URL(gateway.url).port))
  const url = `http://127.0.0.1:${proxy.port}/sqlserver`
  afterEach(() => proxy.setMode('pass'))
  afterAll(() => proxy.close())
  await direct.execute`create table people (id int primary key)`
  const ids = async () =>
    (await direct.query`select id from people order by id`).map(({ id }) => id)
  let next = 0

  test('a commit whose answer is lost: unknown, and applied', async () => {
    const sql = open(url)
    const id = ++next
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into people values (${id})`
        await proxy.setMode('cut')
      }),
    )
    expect(error).toMatchObject({ operation: 'COMMIT', outcome: 'unknown' })
    expect(await ids()).toContain(id)
  })

  test('a commit that never arrives: unknown, and all is undone after a while', async () => {
    const sql = open(url)
    const id = ++next
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into people values (${id})`
        await proxy.setMode('reset')
      }),
    )
    expect(error).toMatchObject({ operation: 'COMMIT', outcome: 'unknown' })
    // What the transaction has locked is free when it is over.
    await eventually(() => expect(direct.pool()?.inUse).toBe(0))
    expect(await ids()).not.toContain(id)
  })

  test('a statement of a transaction whose answer is lost: nothing is applied', async () => {
    const sql = open(url)
    const id = ++next
    const error = await failure(
      sql.transaction(async (transaction) => {
        await proxy.setMode('cut')
        await transaction.execute`insert into people values (${id})`
      }),
    )
    expect(error).toMatchObject({ operation: 'INSERT', outcome: 'not-applied' })
    await eventually(() => expect(direct.pool()?.inUse).toBe(0))
    expect(await ids()).not.toContain(id)
  })

  test('a gateway that is down: nothing was applied, and the next call works when it is back', async () => {
    const sql = open(url, { retry: false })
    await sql.query`select 1 as a`
    await proxy.setMode('refuse')
    const insert = () => failure(sql.execute`insert into people values (${++next})`)
    // The first may still find the connection that broke.
    const errors = [await insert(), await insert(), await insert()]
    expect(errors.map(({ kind }) => kind)).toEqual(Array(3).fill('unavailable'))
    expect(errors[2]).toMatchObject({ outcome: 'not-applied', retryable: true })
    await proxy.setMode('pass')
    const id = ++next
    await sql.execute`insert into people values (${id})`
    expect(await ids()).toContain(id)
  })

  test('an insert whose answer is lost was sent once, and may have been applied', async () => {
    const sql = open(url)
    await sql.query`select 1 as a`
    await proxy.setMode('cut')
    const sent = proxy.received.length
    const error = await failure(sql.execute`insert into people values (${++next})`)
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    const bytes = Buffer.concat(proxy.received.slice(sent)).toString('latin1')
    expect(bytes.split('POST /sqlserver/query').length - 1).toBe(1)
  })

  test('a client that dies while a statement runs: it is stopped, and its transaction undone', async () => {
    const sql = open(url)
    const id = ++next
    const dies = failure(
      sql.transaction(async (transaction) => {
        await transaction.execute`insert into people values (${id})`
        await transaction.execute`waitfor delay '00:00:30'`
      }),
    )
    await eventually(() => expect(engine.running()).toHaveLength(1))
    await proxy.setMode('refuse')
    await dies
    await eventually(() => expect(engine.running()).toEqual([]))
    await eventually(() => expect(direct.pool()?.inUse).toBe(0))
    expect(await ids()).not.toContain(id)
  })

  test('statements that are given up at random moments: none runs on', async () => {
    const sql = open(gateway.url, { retry: false })
    for (let round = 0; round < 10; round++) {
      const running = Array.from({ length: 10 }, () => {
        const signal = AbortSignal.timeout(Math.floor(Math.random() * 50))
        const statement = sql.raw("waitfor delay '00:00:30'", [])
        return failure(sql.execute(statement, { signal }))
      })
      for (const { kind } of await Promise.all(running)) expect(kind).toBe('aborted')
    }
    await eventually(() => expect(engine.running()).toEqual([]))
    expect(await sql.one`select 1 as a`).toEqual({ a: 1 })
  })

  test('an engine that goes down in a transaction, and comes back', async () => {
    const sql = open(url, { retry: false })
    const error = await failure(
      sql.transaction(async (transaction) => {
        await transaction.query`select 1 as a`
        await engine.kill()
        await transaction.query`select 2 as a`
      }),
    )
    // By then, it may be known that the connection is gone.
    expect(['unavailable', 'closed']).toContain(error.kind)
    expect(error.outcome).toBe('not-applied')
    await engine.start()
    await eventually(() => expect(direct.pool()?.inUse).toBe(0))
    await sql.query`select 3 as a`.catch(() => {})
    expect(await sql.one`select 4 as a`).toEqual({ a: 4 })
  })
})
