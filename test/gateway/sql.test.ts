import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../adapters/sql/memory.ts'
import type { GatewayOptions } from '../../src/gateway/index.ts'
import { eventually, gatewayOver, readOnlyToken, token } from '../sql/gateway-over.ts'
import { watched } from './sql-watched.ts'

const engine = watched(memory())
const gateway = await gatewayOver(engine.driver)
const { post, direct } = gateway
await direct.execute`create table people (
  id integer primary key, name text unique, born date, n bigint, data blob, doc json, price decimal(10, 2))`

async function start(limits: GatewayOptions['limits']) {
  const engine = watched(memory())
  const gateway = await gatewayOver(engine.driver, { limits })
  onTestFinished(() => gateway.close())
  await gateway.direct.execute`create table people (id integer primary key, name text)`
  return { engine, ...gateway }
}

const readOnly = { headers: { authorization: `Bearer ${readOnlyToken}` } }
const secret = 'Rumpelstiltskin'

/** Numbered from 0, in a table of their own. */
async function numbers(count: number): Promise<string> {
  const name = `numbers${crypto.randomUUID().slice(0, 8)}`
  await direct.execute(direct.raw(`create table ${name} (id integer primary key)`))
  await direct.bulkInsert(
    name,
    Array.from({ length: count }, (_, id) => ({ id })),
  )
  return name
}

describe('statements', () => {
  test('values of every type go in and come out, in the JSON of portable values', async () => {
    const { status, body } = await post('/query', {
      text: 'insert into people values (?, ?, ?, ?, ?, ?, ?)',
      parameters: [
        1,
        'Ada',
        { type: 'date', value: '1815-12-10' },
        { $n: '9007199254740993' },
        { $b: 'AAE=' },
        { type: 'json', value: '{"a":[1,null]}' },
        { type: 'decimal', value: '1.10' },
      ],
      insertId: true,
    })
    expect([status, body]).toEqual([
      200,
      { columns: [], types: [], rows: [], rowsAffected: 1, insertId: { $n: '1' } },
    ])
    const { body: reply } = await post('/query', { text: 'select * from people' })
    expect(reply).toMatchObject({
      columns: ['id', 'name', 'born', 'n', 'data', 'doc', 'price'],
      rows: [
        [
          1,
          'Ada',
          '1815-12-10',
          { $n: '9007199254740993' },
          { $b: 'AAE=' },
          { $o: { a: [1, null] } },
          expect.anything(),
        ],
      ],
      rowsAffected: 0,
      insertId: null,
    })
  })

  test('a large double keeps its digits, a number of many digits is one', async () => {
    for (const value of [1e21, 123456789012345680000, 0.1, 2 ** 53]) {
      const { body } = await post('/query', {
        text: 'select ?',
        parameters: [{ type: 'double', value }],
      })
      expect(body.rows).toEqual([[value]])
    }
  })

  test('a batch is one transaction', async () => {
    const name = await numbers(0)
    const text = `insert into ${name} values (?)`
    const { body } = await post('/batch', {
      statements: [{ text, parameters: [1] }, { text: `select id from ${name}` }],
    })
    expect(body.replies).toMatchObject([{ rowsAffected: 1 }, { rows: [[1]] }])
    const failed = await post('/batch', {
      statements: [
        { text, parameters: [2] },
        { text, parameters: [1] },
      ],
    })
    expect([failed.status, failed.headers.get('dualport-error')]).toEqual([
      409,
      'SQL_CONFLICT;not-applied',
    ])
    expect(failed.body.error?.detail).toContain('statement 2 of 2')
    expect(await direct.query(direct.raw(`select id from ${name}`))).toEqual([{ id: 1 }])
  })

  test('rows are inserted, all or none', async () => {
    const name = await numbers(1)
    const rows = (...ids: unknown[]) => ({
      table: [name],
      columns: ['id'],
      rows: ids.map((id) => [id]),
    })
    expect((await post('/insert', rows(1, 2, 3))).body).toEqual({ rowsAffected: 3 })
    expect((await post('/insert', rows(4, 0))).status).toBe(409)
    expect((await post('/query', { text: `select count(*) from ${name}` })).body.rows).toEqual([
      [4],
    ])
  })

  test('ping says what answers, and whether it takes writes', async () => {
    expect((await post('/ping', {})).body).toEqual({ dialect: 'sqlite' })
    expect((await post('/ping', { writable: true })).status).toBe(200)
  })

  test('what the engine has not got', async () => {
    const { status, headers } = await post('/call', { name: ['p'], parameters: [] })
    expect([status, headers.get('dualport-error')]).toEqual([400, 'SQL_UNSUPPORTED;not-applied'])
  })
})

describe('streams', () => {
  test('every row comes once, page by page', async () => {
    const name = await numbers(250)
    const text = `select id from ${name} where id >= ? order by id`
    let { body } = await post('/open', { text, parameters: [10], pageRows: 100 })
    const pages = [body.rows as number[][]]
    while (body.cursor !== undefined) {
      body = (await post('/next', { cursor: body.cursor })).body
      pages.push(body.rows as number[][])
    }
    expect(pages.flat(2)).toEqual(Array.from({ length: 240 }, (_, i) => i + 10))
    expect(pages.every((page) => page.length <= 100)).toBe(true)
    expect(engine.streams.size).toBe(0)
  })

  test('one that is left is closed: by its client, after a while, when the gateway closes', async () => {
    for (const how of ['/close', 'waiting', 'closing'] as const) {
      const { engine, direct, post, gateway } = await start({
        cursorIdleMs: how === 'waiting' ? 50 : 60_000,
      })
      await direct.bulkInsert('people', [{ id: 1 }, { id: 2 }])
      const open = () => post('/open', { text: 'select id from people', pageRows: 1 })
      const { cursor } = (await open()).body
      expect(engine.streams.size).toBe(1)
      if (how === '/close') expect((await post('/close', { cursor })).body).toEqual({})
      if (how === 'closing') gateway.close()
      await eventually(() => expect(engine.streams.size).toBe(0))
      const { status, body } = await post('/next', { cursor })
      expect([status, body.error?.detail]).toEqual([404, expect.stringContaining('gone')])
      if (how === 'closing') expect((await open()).status).toBe(503)
      expect(engine.streams.size).toBe(0)
    }
  })

  test('there are no more than may be', async () => {
    const { engine, direct, post } = await start({ cursors: 1 })
    await direct.bulkInsert('people', [{ id: 1 }, { id: 2 }])
    const open = () => post('/open', { text: 'select id from people', pageRows: 1 })
    expect((await open()).status).toBe(200)
    expect((await open()).status).toBe(429)
    expect(engine.streams.size).toBe(1)
  })

  test('an ID is for its token and its process', async () => {
    const elsewhere = await start({})
    const name = await numbers(2)
    const { cursor } = (await post('/open', { text: `select id from ${name}`, pageRows: 1 })).body
    expect((await post('/next', { cursor }, readOnly)).status).toBe(404)
    const { status, body } = await elsewhere.post('/next', { cursor })
    expect([status, body.error?.detail]).toEqual([404, expect.stringContaining('another gateway')])
    expect((await post('/next', { cursor })).body.rows).toEqual([[1]])
    await post('/close', { cursor })
  })

  test('a page that its client does not get ends it', async () => {
    const name = await numbers(2)
    const leaving = new AbortController()
    const request = new Request(`${gateway.url}/open`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ text: `select id from ${name}`, pageRows: 1 }),
      signal: leaving.signal,
    })
    expect((await gateway.gateway.fetch(request)).status).toBe(200)
    expect(engine.streams.size).toBe(1)
    leaving.abort()
    await eventually(() => expect(engine.streams.size).toBe(0))
  })
})

describe('a client that does not wait', () => {
  test.each([['/query'], ['/open']])('%s is stopped at the engine', async (path) => {
    const leaving = new AbortController()
    const body = { text: "select 'hang'", ...(path === '/open' && { pageRows: 1 }) }
    const running = gateway.request(path, body, { signal: leaving.signal })
    await eventually(() => expect(engine.hanging.size).toBe(1))
    leaving.abort()
    await expect(running).rejects.toThrow()
    await eventually(() => expect(engine.hanging.size).toBe(0))
  })

  test('its deadline crosses the wire', async () => {
    const { status, headers } = await post(
      '/query',
      { text: "delete from people where name = 'hang'" },
      { headers: { 'dualport-timeout-ms': '50' } },
    )
    expect([status, headers.get('dualport-error')]).toEqual([504, 'SQL_TIMEOUT;unknown'])
    expect(engine.hanging.size).toBe(0)
  })
})

describe('limits', () => {
  test('of the rows of a reply: what is larger is not read to its end', async () => {
    const { engine, direct, post } = await start({ rows: 10 })
    await direct.bulkInsert(
      'people',
      Array.from({ length: 1000 }, (_, id) => ({ id })),
    )
    const ask = (most: number) =>
      post('/query', { text: 'select id from people where id < ?', parameters: [most] })
    expect((await ask(10)).body.rows).toHaveLength(10)
    const asked = engine.pages.asked
    const { status, headers, body } = await ask(1000)
    expect([status, headers.get('dualport-error')]).toEqual([413, 'SQL_INVALID;not-applied'])
    expect(body.error?.detail).toBe('the reply has more than 10 rows: read them by stream')
    expect(engine.pages.asked - asked).toBe(2)
    expect(engine.streams.size).toBe(0)
    const page = await post('/open', { text: 'select id from people', pageRows: 1000 })
    expect(page.body.rows).toHaveLength(10)
  })

  test('of a body, the statements of a batch, the rows of an insert, and the values', async () => {
    const { post } = await start({ documentBodyBytes: 1_000_000, commands: 2, writes: 2 })
    const select = { text: 'select 1' }
    const large = await post('/query', { text: 'select ?', parameters: ['x'.repeat(1_000_000)] })
    expect(large.status).toBe(413)
    expect((await post('/batch', { statements: [select, select] })).status).toBe(200)
    expect((await post('/batch', { statements: [select, select, select] })).status).toBe(413)
    const rows = (count: number) => Array.from({ length: count }, (_, id) => [id])
    const insert = { table: ['people'], columns: ['id'] }
    expect((await post('/insert', { ...insert, rows: rows(2) })).status).toBe(200)
    expect((await post('/insert', { ...insert, rows: rows(3) })).status).toBe(413)
    const text = `select ${Array.from({ length: 40_000 }, () => '?').join()}`
    const { status } = await post('/query', { text, parameters: Array(40_000).fill(1) })
    expect(status).toBe(400)
  })
})

describe('a token that only reads', () => {
  test.each<[string, object]>([
    ['/query', { text: 'select 1' }],
    ['/query', { text: 'with a as (select 1 as b) select b from a' }],
    ['/open', { text: 'select 1', pageRows: 1 }],
    ['/batch', { statements: [{ text: 'select 1' }] }],
    ['/ping', {}],
  ])('may %s %j', async (path, body) => {
    expect((await post(path, body, readOnly)).status).toBe(200)
  })

  test.each<[string, object]>([
    ['/query', { text: "insert into people (name) values ('x')" }],
    ['/query', { text: 'with a as (select 1) delete from people' }],
    ['/query', { text: 'select 1; delete from people' }],
    ['/query', { text: 'create table x (y int)' }],
    ['/query', { text: 'vacuum' }],
    ['/open', { text: 'delete from people returning id', pageRows: 1 }],
    ['/batch', { statements: [{ text: 'select 1' }, { text: 'delete from people' }] }],
    ['/insert', { table: ['people'], columns: ['name'], rows: [['x']] }],
    ['/call', { name: ['p'], parameters: [] }],
  ])('may not %s %j', async (path, body) => {
    const before = await direct.query`select * from people`
    const { status, headers } = await post(path, body, readOnly)
    expect([status, headers.get('dualport-error')]).toEqual([403, 'SQL_FORBIDDEN;not-applied'])
    expect(await direct.query`select * from people`).toEqual(before)
  })
})

describe('requests that are turned down', () => {
  const statement = { text: 'select 1' }
  test.each<[string, string, string | object]>([
    ['no JSON', '/query', '{"text":'],
    ['no object', '/query', '[1]'],
    ['null', '/query', 'null'],
    ['not UTF-8', '/query', '"\\ud800"'],
    ['nothing', '/query', ''],
    ['no text', '/query', {}],
    ['a text that is none', '/query', { text: 1 }],
    ['half of a surrogate pair', '/query', '{"text":"select \'\\ud800\'"}'],
    ['U+0000', '/query', { text: 'select \0' }],
    ['a field that nobody knows', '/query', { ...statement, transacton: 'x' }],
    ['parameters that are no array', '/query', { ...statement, parameters: { 0: 1 } }],
    ['more values than placeholders', '/query', { ...statement, parameters: [1] }],
    ['fewer', '/query', { text: 'select ?' }],
    ['a type that is none', '/query', { text: 'select ?', parameters: [{ type: 'x', value: 1 }] }],
    [
      'the name of a method as a type',
      '/query',
      { text: 'select ?', parameters: [{ type: 'toString', value: 1 }] },
    ],
    [
      'a value that is not of its type',
      '/query',
      { text: 'select ?', parameters: [{ type: 'date', value: '2026-02-30' }] },
    ],
    [
      'a document that is none',
      '/query',
      { text: 'select ?', parameters: [{ type: 'json', value: '{' }] },
    ],
    ['an object as a value', '/query', { text: 'select ?', parameters: [{ $o: { a: 1 } }] }],
    ['an array as a value', '/query', { text: 'select ?', parameters: [[1]] }],
    ['what is no value', '/query', { text: 'select ?', parameters: [{ $x: 1 }] }],
    ['nothing as a value', '/query', { text: 'select ?', parameters: [{ $u: 0 }] }],
    ['NaN', '/query', { text: 'select ?', parameters: [{ $f: 'NaN' }] }],
    ['a transaction of its own', '/query', { text: 'begin' }],
    ['a transaction that is no text', '/query', { ...statement, transaction: 1 }],
    ['no rows of a page', '/open', { ...statement, pageRows: 0 }],
    ['half a row', '/open', { ...statement, pageRows: 0.5 }],
    ['a cursor that is none', '/next', { cursor: {} }],
    ['no statements', '/batch', {}],
    ['a statement that is none', '/batch', { statements: [1] }],
    ['an isolation that is none', '/batch', { statements: [], isolation: 'x' }],
    ['an isolation that is none', '/begin', { isolation: 'toString' }],
    ['a table that is a text', '/insert', { table: 'people', columns: ['id'], rows: [[1]] }],
    ['a table without a name', '/insert', { table: [''], columns: ['id'], rows: [[1]] }],
    ['rows that are not as long as it', '/insert', { table: ['t'], columns: ['a'], rows: [[]] }],
    ['a column twice', '/insert', { table: ['t'], columns: ['a', 'a'], rows: [[1, 2]] }],
    ['a column that is none', '/insert', { table: ['t'], columns: ['__proto__'], rows: [[[]]] }],
    ['no transaction', '/commit', {}],
    ['an action that is none', '/savepoint', { transaction: 'x', action: 'x', name: 'a' }],
    [
      'a name in need of quotes',
      '/savepoint',
      { transaction: 'x', action: 'release', name: 'a b' },
    ],
  ])('%s: %s', async (_, path, body) => {
    const { status, headers } = await post(path, body)
    expect(status).toBe(400)
    expect(headers.get('dualport-error')).toMatch(/^SQL_(INVALID|UNSUPPORTED);not-applied$/)
  })

  test('a path and a method that are not there, and nobody', async () => {
    expect((await post('/nope', {})).status).toBe(404)
    expect((await gateway.request('/query', '', { method: 'PUT' })).status).toBe(405)
    expect((await post('/query', statement, { headers: { authorization: 'x' } })).status).toBe(401)
  })

  test('whatever the body, there is an answer of the protocol, and no failure of the gateway', async () => {
    const paths = ['/query', '/open', '/next', '/close', '/call', '/insert', '/batch', '/commit']
    const fields = fc.constantFrom(
      ...['text', 'parameters', 'pageRows', 'cursor', 'transaction', 'name', 'table', 'columns'],
      ...['rows', 'statements', 'isolation', 'type', 'value', '$n', '$o', '$d', '__proto__'],
    )
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.jsonValue(),
        fc.constantFrom('select 1', 'select ?', 'people', 'id'),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(fields, tie('json'), { maxKeys: 4 }),
      ),
    }))
    const hostile = fc.tuple(fc.constantFrom(...paths), fc.oneof(json, fc.dictionary(fields, json)))
    await fc.assert(
      fc.asyncProperty(hostile, async ([path, body]) => {
        const response = await gateway.request(path, JSON.stringify(body))
        expect(response.status).toBeLessThan(500)
        await response.json()
      }),
      { numRuns: 500 },
    )
    expect(engine.transactions.size).toBe(0)
  })

  test('a body of many levels', async () => {
    const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`
    expect((await post('/query', `{"text":"select ?","parameters":${deep}}`)).status).toBe(400)
    expect((await post('/query', deep)).status).toBe(400)
  })
})

test('neither errors nor logs hold values, texts of statements or tokens', async () => {
  const insert = { text: `insert into people (name) values (?) -- ${secret}`, parameters: [secret] }
  await post('/query', insert)
  const attempts: [string, object][] = [
    ['/query', insert],
    ['/query', { text: `select ${secret} from people` }],
    ['/query', { text: `select * from ${secret}` }],
    ['/query', { text: `select '${secret}` }],
    ['/query', { text: 'select ?', parameters: [{ type: 'date', value: secret }] }],
    ['/query', { text: 'select ?', parameters: [{ [secret]: secret }] }],
    ['/query', { [secret]: secret }],
    ['/commit', { transaction: secret }],
    ['/next', { cursor: secret }],
    ['/insert', { table: ['people'], columns: ['name'], rows: [[secret]] }],
  ]
  for (const [path, body] of attempts) {
    const answer = await post(path, body)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    const said = JSON.stringify([answer.body, [...answer.headers]])
    expect(said).not.toContain(secret)
  }
  const logged = JSON.stringify(gateway.log)
  expect(logged).toContain('SQL_CONFLICT')
  for (const word of [secret, token, readOnlyToken]) expect(logged).not.toContain(word)
})

test('the name of a constraint survives, and what it means', async () => {
  await post('/query', { text: 'insert into people (name) values (?)', parameters: ['twice'] })
  const { status, body } = await post('/query', {
    text: 'insert into people (name) values (?)',
    parameters: ['twice'],
  })
  expect([status, body.error]).toEqual([
    409,
    {
      code: 'SQL_CONFLICT',
      kind: 'conflict',
      message: 'sql INSERT: a unique key has the value already: people.name',
      detail: 'a unique key has the value already: people.name',
      retryable: false,
    },
  ])
})
