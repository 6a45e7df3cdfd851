import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriverFailure } from '../../src/core/index.ts'
import { readValue, writeValue } from '../../src/core/values.ts'
import { type CqlRequest, classifyCqlError } from '../../src/scylladb/index.ts'
import { empty, readOnlyToken, scriptedGateway, token } from './scylladb-scripted.ts'

const cql = 'SELECT a FROM k.t WHERE b = ?'
const columns = [{ name: 'a', type: 'int' }]

describe('requests', () => {
  test('what is asked reaches the engine, and its answer the caller', async () => {
    const values = [
      ...[null, undefined, true, -0, Number.NaN, 2n ** 70n, '1.10', new Date(0)],
      ...[new Uint8Array([0, 255]), new Set([1n]), new Map([['k', [undefined]]])],
      { field: null, __proto__: null },
    ]
    const named = values.map((_, i) => ({ name: `c${i}`, type: 'int' }))
    const { post, sent } = scriptedGateway(() => ({
      columns: named,
      rows: [values],
      pagingState: undefined,
      warnings: ['careful'],
    }))
    const marks = values.map(() => '?').join()
    const { status, body } = await post('execute', {
      cql: `INSERT INTO k.t (a) VALUES (${marks})`,
      parameters: writeValue(values),
      consistency: 'QUORUM',
      serialConsistency: 'LOCAL_SERIAL',
      timestamp: '-9223372036854775808',
      pageSize: 7,
      idempotent: true,
    })
    expect(status).toBe(200)
    expect({ ...body, rows: readValue(body.rows) }).toEqual({
      columns: named,
      rows: [values],
      warnings: ['careful'],
    })
    expect(sent).toEqual([
      {
        cql: `INSERT INTO k.t (a) VALUES (${marks})`,
        parameters: values,
        consistency: 'QUORUM',
        serialConsistency: 'LOCAL_SERIAL',
        timestamp: -(2n ** 63n),
        pageSize: 7,
        pagingState: undefined,
        idempotent: true,
      },
    ])
  })

  test('a batch', async () => {
    const { post, sent } = scriptedGateway()
    const statement = { cql: 'DELETE FROM k.t WHERE a = ?', parameters: [1] }
    const request = { type: 'unlogged', statements: [statement, statement], timestamp: '5' }
    expect((await post('batch', request)).body).toEqual({ columns: [], rows: [], warnings: [] })
    expect(sent).toMatchObject([
      { type: 'unlogged', statements: [statement, statement], timestamp: 5n, idempotent: true },
    ])
  })

  test('a request by hand need not say more than the statement', async () => {
    const { post, sent } = scriptedGateway()
    expect((await post('execute', { cql: 'SELECT a FROM k.t' })).status).toBe(200)
    expect(sent).toMatchObject([{ parameters: [], consistency: 'LOCAL_QUORUM', pageSize: 5000 }])
  })

  test.each([
    ['a body that is none', 'execute', '{"cql":'],
    ['a body that is no object', 'execute', '[]'],
    ['no statement', 'execute', {}],
    ['a statement that is no text', 'execute', { cql: ['SELECT a FROM k.t'] }],
    ['a field that is misspelt', 'execute', { cql: 'SELECT a FROM k.t', consistancy: 'ALL' }],
    ['too few parameters', 'execute', { cql }],
    ['too many parameters', 'execute', { cql, parameters: [1, 2] }],
    ['parameters by name', 'execute', { cql, parameters: { b: 1 } }],
    ['a parameter that is no value', 'execute', { cql, parameters: [{ a: 1 }] }],
    ['a parameter of two types', 'execute', { cql, parameters: [{ $n: '1', $b: '' }] }],
    ['a timestamp that is a number', 'execute', { cql, parameters: [1], timestamp: 1 }],
    [
      'a timestamp beyond 64 bits',
      'execute',
      { cql: 'DELETE FROM k.t WHERE a = 1', timestamp: '9223372036854775808' },
    ],
    ['a page of no rows', 'execute', { cql, parameters: [1], pageSize: 0 }],
    ['a paging state that is none', 'execute', { cql, parameters: [1], pagingState: 'AAAA' }],
    ['an empty paging state', 'execute', { cql, parameters: [1], pagingState: '' }],
    ['idempotent that is no boolean', 'execute', { cql, parameters: [1], idempotent: 'yes' }],
    ['USE', 'execute', { cql: 'USE k' }],
    ['a batch as a text', 'execute', { cql: 'BEGIN BATCH DELETE FROM k.t WHERE a=1 APPLY BATCH' }],
    ['two statements', 'execute', { cql: 'SELECT a FROM k.t; SELECT a FROM k.t' }],
    ['a batch without statements', 'batch', { statements: [] }],
    ['a batch of another type', 'batch', { type: 'bulk', statements: [{ cql }] }],
    ['a SELECT in a batch', 'batch', { statements: [{ cql: 'SELECT a FROM k.t' }] }],
    ['a statement with more fields', 'batch', { statements: [{ cql: 'DELETE', ttlSeconds: 1 }] }],
  ])('%s is refused', async (_, path, body) => {
    const { post, sent } = scriptedGateway()
    const { status, headers, body: reply } = await post(path, body)
    expect(status).toBe(400)
    expect(headers.get('dualport-error')).toBe('SCYLLADB_INVALID;not-applied')
    expect(reply.error).toMatchObject({ code: 'SCYLLADB_INVALID', retryable: false })
    expect(sent).toHaveLength(0)
  })

  test('who expects to be in another keyspace is told', async () => {
    const { post, sent } = scriptedGateway(undefined, { keyspace: 'mine' })
    const within = (keyspace: string) => ({ cql: 'SELECT a FROM t', keyspace })
    expect((await post('execute', within('mine'))).status).toBe(200)
    for (const [path, body] of [
      ['execute', within('theirs')],
      ['batch', { statements: [], keyspace: 'theirs' }],
      ['ping', { keyspace: 'theirs' }],
      ['hosts', { keyspace: null }],
    ] as const) {
      expect(await post(path, body)).toMatchObject({
        status: 404,
        body: { error: { code: 'SCYLLADB_NOT_FOUND' } },
      })
    }
    expect(sent).toHaveLength(1)
  })

  test('limits: of a body, of a batch, of a page', async () => {
    const limits = { documentBodyBytes: 300, commands: 2, rows: 10 }
    const { post, sent } = scriptedGateway(undefined, { limits })
    const statements = Array(3).fill({ cql: 'DELETE FROM k.t WHERE a = 1' })
    expect((await post('batch', { statements })).status).toBe(413)
    expect((await post('execute', { cql: `SELECT ${'a'.repeat(300)} FROM k.t` })).status).toBe(413)
    const roomy = scriptedGateway()
    const long = `SELECT a FROM k.t WHERE b IN (${';'.repeat(100_000)})`
    expect((await roomy.post('execute', { cql: long })).status).toBe(413)
    expect((await roomy.post('batch', { statements: [{ cql: long }] })).status).toBe(413)
    expect([...sent, ...roomy.sent]).toHaveLength(0)
    await post('execute', { cql: 'SELECT a FROM k.t', pageSize: 1000 })
    await post('execute', { cql: 'SELECT a FROM k.t' })
    expect(sent).toMatchObject([{ pageSize: 10 }, { pageSize: 10 }])
  })

  test('paths and methods that there are not', async () => {
    const { gateway } = scriptedGateway()
    const headers = { authorization: `Bearer ${token}` }
    const status = async (path: string, init: RequestInit) =>
      (await gateway.fetch(new Request(`http://gateway${path}`, { headers, ...init }))).status
    expect(await status('/scylladb/execute', {})).toBe(405)
    expect(await status('/scylladb/drop', { method: 'POST', body: '{}' })).toBe(404)
    expect(await status('/scylladb', { method: 'POST', body: '{}' })).toBe(404)
    const nobody = { method: 'POST', body: '{}', headers: {} }
    expect(await status('/scylladb/ping', nobody)).toBe(401)
  })
})

describe('paging states', () => {
  const state = new Uint8Array([1, 2, 3, 250])
  const paged = () =>
    scriptedGateway((request) => ({
      ...empty,
      columns,
      rows: [[1]],
      pagingState: (request as CqlRequest).pagingState === undefined ? state : undefined,
    }))
  const statement = { cql, parameters: [1] }

  test('the engine gets what it gave, whatever the size of the next page and whichever process it is', async () => {
    const { post } = paged()
    const { pagingState } = (await post('execute', { ...statement, pageSize: 1 })).body
    const other = paged()
    const rest = await other.post('execute', { ...statement, pageSize: 9, pagingState })
    expect(rest.body).toEqual({ columns, rows: [[1]], warnings: [] })
    expect(other.sent).toMatchObject([{ pagingState: state }])
  })

  test('one that was changed in any way never reaches the engine', async () => {
    const { post, sent } = paged()
    const { pagingState } = (await post('execute', statement)).body
    const bytes = Buffer.from(pagingState as string, 'base64')
    const change = fc.oneof(
      fc
        .tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, mask]) => bytes.map((byte, i) => (i === at ? byte ^ mask : byte))),
      fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => Buffer.concat([bytes, more])),
      fc.uint8Array({ maxLength: 60 }),
    )
    await fc.assert(
      fc.asyncProperty(change, async (changed) => {
        const pagingState = Buffer.from(changed).toString('base64')
        const { status, text } = await post('execute', { ...statement, pagingState })
        expect(status).toBe(400)
        expect(text).toContain('pagingState is not what this token was given')
      }),
      { numRuns: 500 },
    )
    for (const pagingState of [null, 1, [], {}, '*', 'AAA', `${'A'.repeat(40)}\n`]) {
      expect((await post('execute', { ...statement, pagingState })).status).toBe(400)
    }
    expect(sent).toHaveLength(1)
  })

  test('nor does that of another statement, of other parameters, of another keyspace or of another token', async () => {
    const { post, sent } = paged()
    const { pagingState } = (await post('execute', statement)).body
    const others = [
      { cql: `${cql} `, parameters: [1] },
      { cql, parameters: [2] },
      { cql, parameters: ['1'] },
      { cql, parameters: [{ $n: '1' }] },
      { cql, parameters: [[1]] },
    ]
    for (const other of others) {
      expect((await post('execute', { ...other, pagingState })).status).toBe(400)
    }
    expect((await post('execute', { ...statement, pagingState }, readOnlyToken)).status).toBe(400)
    const elsewhere = scriptedGateway(undefined, { keyspace: 'other' })
    expect((await elsewhere.post('execute', { ...statement, pagingState })).status).toBe(400)
    const rotated = scriptedGateway(undefined, { token: 'another-token', readOnlyToken: token })
    const renewed = { ...statement, pagingState }
    expect((await rotated.post('execute', renewed, 'another-token')).status).toBe(400)
    expect([...elsewhere.sent, ...rotated.sent]).toEqual([])
    expect(sent).toHaveLength(1)
    expect((await post('execute', { ...statement, pagingState })).status).toBe(200)
  })
})

describe('failures', () => {
  test('say what failed and what it left behind, and nothing of what was asked or answered', async () => {
    const secret = 'a-secret-value'
    const failing = scriptedGateway(() => {
      throw Object.assign(new Error(`cannot write ${secret}`), { secret })
    })
    const insert = { cql: `INSERT INTO k.t (a) VALUES ('${secret}', ?)`, parameters: [secret] }
    const { status, headers, text } = await failing.post('execute', insert)
    expect(status).toBe(500)
    expect(headers.get('dualport-error')).toBe('SCYLLADB_INTERNAL;unknown')
    const refused = await failing.post('execute', { ...insert, cql: `${insert.cql} ${secret} ;;a` })
    expect(refused.status).toBe(400)
    await failing.post('execute', `{"cql":"${secret}`)
    await failing.post('execute', { [secret]: secret })
    await failing.post('execute', insert, secret)
    const seen = JSON.stringify([text, [...headers], refused.text, failing.log])
    expect(failing.log).toHaveLength(5)
    expect(seen).not.toContain(secret)
    expect(seen).not.toContain('INSERT INTO')
    for (const each of [token, readOnlyToken]) expect(seen).not.toContain(each)
  })

  test.each([
    [0x1000, { alive: 1, required: 2 }, 503, 'not-applied'],
    [0x1100, { received: 1, blockFor: 2, writeType: 'BATCH' }, 504, 'unknown'],
    [0x1200, { received: 1, blockFor: 2 }, 504, 'unknown'],
    [0x2000, {}, 400, 'not-applied'],
    [0x2100, {}, 403, 'not-applied'],
    [0x0100, {}, 502, 'not-applied'],
    [0x1001, {}, 429, 'unknown'],
  ])('the server’s error %i', async (code, more, status, outcome) => {
    const failure = classifyCqlError({ code, ...more }, 'UPDATE')
    const { post } = scriptedGateway(() => {
      throw new DriverFailure(failure)
    })
    const update = { cql: 'UPDATE k.t SET a = 1 WHERE b = 1' }
    const reply = await post('execute', update)
    expect(reply.status).toBe(status)
    expect(reply.headers.get('dualport-error')).toMatch(new RegExp(`;${outcome}$`))
    expect(reply.body.error).toMatchObject({ kind: failure.kind, detail: failure.detail })
  })
})
