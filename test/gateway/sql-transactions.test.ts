import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../adapters/sql/memory.ts'
import type { GatewayOptions } from '../../src/gateway/index.ts'
import {
  eventually,
  gatewayOver,
  readOnlyToken,
  type SqlGateway,
  token,
} from '../sql/gateway-over.ts'
import { type Watched, watched } from './sql-watched.ts'

let engine: Watched
let gateway: SqlGateway

beforeEach(async () => {
  ;[engine, gateway] = await start()
})

async function start(limits: GatewayOptions['limits'] = {}): Promise<[Watched, SqlGateway]> {
  const engine = watched(memory())
  const gateway = await gatewayOver(engine.driver, { limits })
  onTestFinished(() => gateway.close())
  await gateway.direct.execute`create table people (id integer primary key, name text)`
  return [engine, gateway]
}

const insert = { text: 'insert into people (name) values (?)', parameters: ['Ada'] }
const select = { text: 'select name from people' }
const readOnly = { headers: { authorization: `Bearer ${readOnlyToken}` } }

async function begin(at = gateway, init: RequestInit = {}): Promise<{ transaction: string }> {
  const { status, body } = await at.post('/begin', {}, init)
  expect(status).toBe(200)
  return body as { transaction: string }
}

/** SQLite has one connection here: this waits until no transaction is open. */
const names = (at = gateway) => at.direct.query`select name from people`

describe('a transaction over several requests', () => {
  test('is applied as a whole', async () => {
    const it = await begin()
    expect((await gateway.post('/query', { ...insert, ...it })).body.rowsAffected).toBe(1)
    expect((await gateway.post('/query', { ...select, ...it })).body.rows).toEqual([['Ada']])
    expect(await gateway.post('/commit', it)).toMatchObject({ status: 200, body: {} })
    expect(engine.transactions.size).toBe(0)
    expect(await names()).toEqual([{ name: 'Ada' }])
  })

  test('or not at all', async () => {
    const it = await begin()
    await gateway.post('/query', { ...insert, ...it })
    expect(await gateway.post('/rollback', it)).toMatchObject({ status: 200, body: {} })
    expect(engine.transactions.size).toBe(0)
    expect(await names()).toEqual([])
  })

  test('is over when it is over', async () => {
    for (const end of ['/commit', '/rollback']) {
      const it = await begin()
      await gateway.post(end, it)
      for (const path of ['/query', '/commit', '/rollback']) {
        const body = path === '/query' ? { ...insert, ...it } : it
        const { status, headers, body: reply } = await gateway.post(path, body)
        expect([status, headers.get('dualport-error')]).toEqual([404, 'SQL_CLOSED;not-applied'])
        expect(reply.error?.detail).toContain('gone')
      }
    }
    expect(await names()).toEqual([])
  })

  test('has parts that are undone by themselves', async () => {
    const it = await begin()
    const at = (action: string) => gateway.post('/savepoint', { ...it, action, name: 'one' })
    expect((await at('savepoint')).status).toBe(200)
    await gateway.post('/query', { ...insert, ...it })
    expect((await at('rollbackTo')).status).toBe(200)
    expect((await at('release')).status).toBe(200)
    await gateway.post('/commit', it)
    expect(await names()).toEqual([])
  })

  test('goes on after a statement that the engine has refused', async () => {
    const it = await begin()
    const refused = await gateway.post('/query', { text: 'select x from people', ...it })
    expect(refused.status).toBe(404)
    await gateway.post('/query', { ...insert, ...it })
    expect((await gateway.post('/commit', it)).status).toBe(200)
    expect(await names()).toEqual([{ name: 'Ada' }])
  })

  test('has streams, which end with it', async () => {
    await gateway.direct.bulkInsert(
      'people',
      Array.from({ length: 5 }, (_, id) => ({ id })),
    )
    const it = await begin()
    const text = 'select id from people order by id'
    const open = () => gateway.post('/open', { text, pageRows: 2, ...it })
    const { cursor, rows } = (await open()).body
    expect(rows).toEqual([[0], [1]])
    const next = () => gateway.post('/next', { cursor, ...it })
    expect((await next()).body).toMatchObject({ rows: [[2], [3]], cursor })
    // By itself, its ID is worth nothing.
    expect((await gateway.post('/next', { cursor })).status).toBe(404)
    const last = (await next()).body
    expect(last.rows).toEqual([[4]])
    expect((await next()).status).toBe(404)
    const second = (await open()).body
    // The connection is the stream's until its end.
    expect((await gateway.post('/query', { ...insert, ...it })).status).toBe(400)
    expect((await gateway.post('/close', { cursor: second.cursor, ...it })).status).toBe(200)
    expect(engine.streams.size).toBe(0)
    await open()
    expect(engine.streams.size).toBe(1)
    await gateway.post('/rollback', it)
    expect([engine.streams.size, engine.transactions.size]).toEqual([0, 0])
  })
})

describe('its ID', () => {
  test('cannot be guessed, made up or changed', async () => {
    const { transaction } = await begin()
    expect(transaction).toMatch(/^[\w-]{8}\.[\w-]{24}\.[\w-]{22}$/)
    const flipped = (at: number) =>
      transaction.slice(0, at) + (transaction[at] === 'A' ? 'B' : 'A') + transaction.slice(at + 1)
    const made = [flipped(0), flipped(12), flipped(40), '', 'x', `${transaction}x`, 'a.b.c']
    for (const transaction of made) {
      for (const path of ['/query', '/commit', '/rollback']) {
        const body = path === '/query' ? { ...select, transaction } : { transaction }
        const { status, headers } = await gateway.post(path, body)
        expect([status, headers.get('dualport-error')]).toEqual([403, 'SQL_FORBIDDEN;not-applied'])
      }
    }
    expect((await gateway.post('/commit', { transaction })).status).toBe(200)
  })

  test('is worth nothing to the other token', async () => {
    const it = await begin()
    for (const path of ['/query', '/rollback', '/commit']) {
      const body = path === '/query' ? { ...select, ...it } : it
      expect((await gateway.post(path, body, readOnly)).status).toBe(403)
    }
    expect((await gateway.post('/commit', it)).status).toBe(200)
  })

  test('is not that of a cursor', async () => {
    await gateway.direct.bulkInsert('people', [{ id: 1 }, { id: 2 }])
    const { cursor } = (await gateway.post('/open', { ...select, pageRows: 1 })).body
    expect((await gateway.post('/commit', { transaction: cursor })).status).toBe(403)
    await gateway.post('/close', { cursor })
  })

  test('names its process: another gateway with the same token says so', async () => {
    const [, elsewhere] = await start()
    const it = await begin()
    for (const path of ['/query', '/commit', '/rollback']) {
      const body = path === '/query' ? { ...insert, ...it } : it
      const { status, headers, body: reply } = await elsewhere.post(path, body)
      expect([status, headers.get('dualport-error')]).toEqual([404, 'SQL_CLOSED;not-applied'])
      expect(reply.error?.detail).toContain('another gateway process')
    }
    expect(await names(elsewhere)).toEqual([])
    await gateway.post('/commit', it)
  })

  test('a gateway with another token does not know it', async () => {
    const elsewhere = await gatewayOver(memory(), { token: 'another-token' })
    const it = await begin()
    const init = { headers: { authorization: 'Bearer another-token' } }
    expect((await elsewhere.post('/commit', it, init)).status).toBe(403)
    await gateway.post('/rollback', it)
  })
})

describe('a client that does not come back', () => {
  test('is waited for a while; then all is undone', async () => {
    const [engine, impatient] = await start({ transactionIdleMs: 50 })
    const it = await begin(impatient)
    await impatient.post('/query', { ...insert, ...it })
    expect(await names(impatient)).toEqual([])
    expect(engine.transactions.size).toBe(0)
    const { status, body } = await impatient.post('/commit', it)
    expect([status, body.error?.detail]).toEqual([404, expect.stringContaining('unused')])
  })

  test('in the middle of a statement: it is stopped, and all is undone', async () => {
    const it = await begin()
    await gateway.post('/query', { ...insert, ...it })
    const leaving = new AbortController()
    const init = { signal: leaving.signal }
    const running = gateway.request('/query', { text: "select 'hang'", ...it }, init)
    await eventually(() => expect(engine.hanging.size).toBe(1))
    leaving.abort()
    await expect(running).rejects.toThrow()
    expect(await names()).toEqual([])
    expect([engine.hanging.size, engine.transactions.size]).toEqual([0, 0])
    expect((await gateway.post('/commit', it)).status).toBe(404)
  })

  test('before it learns the ID: nothing is left open', async () => {
    const leaving = new AbortController()
    let open = () => {}
    engine.gate = new Promise((resolve) => {
      open = resolve
    })
    const beginning = gateway.request('/begin', {}, { signal: leaving.signal })
    await eventually(() => expect(engine.beginning.size).toBe(1))
    leaving.abort()
    await expect(beginning).rejects.toThrow()
    await eventually(() =>
      expect(gateway.log).toContainEqual(expect.objectContaining({ code: 'SQL_ABORTED' })),
    )
    open()
    expect(await names()).toEqual([])
    expect(engine.transactions.size).toBe(0)
  })

  test.each([['/begin'], ['/query']])('whom the reply to %s does not reach', async (path) => {
    const leaving = new AbortController()
    const it = path === '/begin' ? {} : { ...insert, ...(await begin()) }
    const request = new Request(gateway.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(it),
      signal: leaving.signal,
    })
    expect((await gateway.gateway.fetch(request)).status).toBe(200)
    expect(engine.transactions.size).toBe(1)
    leaving.abort()
    expect(await names()).toEqual([])
    expect(engine.transactions.size).toBe(0)
  })

  test('a stream of it that is left half read goes with it', async () => {
    const [engine, impatient] = await start({ transactionIdleMs: 50 })
    await impatient.direct.bulkInsert('people', [{ id: 1 }, { id: 2 }])
    const it = await begin(impatient)
    await impatient.post('/open', { ...select, pageRows: 1, ...it })
    await eventually(() => expect([engine.streams.size, engine.transactions.size]).toEqual([0, 0]))
  })
})

describe('limits', () => {
  test('there are no more transactions than may be, and none is begun for nothing', async () => {
    const [engine, small] = await start({ transactions: 1 })
    const it = await begin(small)
    const { status, headers, body } = await small.post('/begin', {})
    expect([status, headers.get('dualport-error')]).toEqual([429, 'SQL_THROTTLED;not-applied'])
    expect(body.error).toMatchObject({ retryable: true, detail: '1 transactions are open already' })
    expect(engine.transactions.size).toBe(1)
    await small.post('/rollback', it)
    await begin(small)
  })

  test('a deadline that passes in it stops the statement and undoes all', async () => {
    const it = await begin()
    await gateway.post('/query', { ...insert, ...it })
    const { status, headers } = await gateway.post(
      '/query',
      { text: "insert into people (name) values ('hang')", ...it },
      { headers: { 'dualport-timeout-ms': '50' } },
    )
    expect([status, headers.get('dualport-error')]).toEqual([504, 'SQL_TIMEOUT;not-applied'])
    expect([engine.hanging.size, engine.transactions.size]).toEqual([0, 0])
    expect((await gateway.post('/commit', it)).status).toBe(404)
    expect(await names()).toEqual([])
  })

  test('one request at a time; only a rollback need not wait', async () => {
    const it = await begin()
    const running = gateway.post('/query', { text: "select 'hang'", ...it })
    await eventually(() => expect(engine.hanging.size).toBe(1))
    for (const path of ['/query', '/commit']) {
      const body = path === '/query' ? { ...insert, ...it } : it
      const { status, headers } = await gateway.post(path, body)
      expect([status, headers.get('dualport-error')]).toEqual([409, 'SQL_CONFLICT;not-applied'])
    }
    expect((await gateway.post('/rollback', it)).status).toBe(200)
    expect((await running).headers.get('dualport-error')).toBe('SQL_ABORTED;not-applied')
    expect([engine.hanging.size, engine.transactions.size]).toEqual([0, 0])
  })
})

describe('a gateway that closes', () => {
  test('undoes what is open, and begins nothing more', async () => {
    const it = await begin()
    await gateway.post('/query', { ...insert, ...it })
    gateway.gateway.close()
    expect(await names()).toEqual([])
    expect(engine.transactions.size).toBe(0)
    const { status, headers } = await gateway.post('/begin', {})
    expect([status, headers.get('dualport-error')]).toEqual([503, 'SQL_UNAVAILABLE;not-applied'])
    expect((await gateway.post('/commit', it)).status).toBe(404)
  })

  test('stops the statement that runs', async () => {
    const it = await begin()
    const running = gateway.post('/query', { text: "select 'hang'", ...it })
    await eventually(() => expect(engine.hanging.size).toBe(1))
    gateway.gateway.close()
    expect((await running).body.error?.detail).toBe('the gateway is closing')
    expect([engine.hanging.size, engine.transactions.size]).toEqual([0, 0])
  })
})

describe('a token that only reads', () => {
  test('has transactions of reads', async () => {
    await gateway.direct.execute`insert into people (name) values ('Ada')`
    const it = await begin(gateway, readOnly)
    expect((await gateway.post('/query', { ...select, ...it }, readOnly)).body.rows).toEqual([
      ['Ada'],
    ])
    const refused = await gateway.post('/query', { ...insert, ...it }, readOnly)
    expect([refused.status, refused.headers.get('dualport-error')]).toEqual([
      403,
      'SQL_FORBIDDEN;not-applied',
    ])
    expect((await gateway.post('/commit', it, readOnly)).status).toBe(200)
    expect(await names()).toEqual([{ name: 'Ada' }])
  })
})
