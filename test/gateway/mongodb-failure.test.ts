import type { Binary } from 'mongodb'
import { describe, expect, test, vi } from 'vitest'
import { createGateway } from '../../src/gateway/index.ts'
import {
  classifyServerError,
  MongoDB,
  type MongoDriver,
  ServerError,
} from '../../src/mongodb/index.ts'
import { engine, needs } from '../engines/index.ts'
import { eventually, readOnlyToken, startMongodbGateway, token } from './mongodb-gateway.ts'

const server = await engine('mongodb')
const secret = 'a-value-of-the-caller'
let collections = 0

function classify(error: unknown, { operation }: { operation: string }) {
  return classifyServerError(error as ServerError, operation)
}
const fresh = () => `c${collections++}`

describe('requests that are turned down', needs(server), async () => {
  if (server.missing !== undefined) return
  const gateway = await startMongodbGateway(server.url)
  const { act, request, url, database, log } = gateway

  test.each([
    ['no token', {}],
    ['another token', { authorization: 'Bearer x' }],
    ['another key', { apiKey: 'x' }],
  ])('%s', async (_, headers) => {
    const response = await fetch(`${url}/action/findOne`, { method: 'POST', headers, body: '{}' })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({
      error: expect.any(String),
      error_code: 'InvalidSession',
    })
  })

  test('an action that is not there, and methods that are not', async () => {
    for (const name of ['drop', 'constructor', '__proto__', 'runCommand', 'FindOne']) {
      const { status, body } = await act(name, fresh(), {})
      expect([status, body.error_code]).toEqual([404, 'ServiceCommandNotFound'])
    }
    const headers = { authorization: `Bearer ${token}` }
    expect((await fetch(`${url}/action/findOne`, { headers })).status).toBe(405)
    expect((await fetch(`${url}/action`, { headers, method: 'POST' })).status).toBe(404)
  })

  const nested = (levels: number, open: string, close: string) =>
    `${open.repeat(levels)}1${close.repeat(levels)}`
  const document = (text: string) =>
    `{"database":"${database}","collection":"c","document":${text}}`
  const filter = (text: string) => `{"database":"${database}","collection":"c","filter":${text}}`

  test.each([
    ['is empty', '', 'insertOne'],
    ['is not JSON', `{"a":${secret}`, 'insertOne'],
    ['is an array', '[]', 'insertOne'],
    ['is null', 'null', 'insertOne'],
    ['is a number', '1.0', 'insertOne'],
    ['is a value of EJSON', '{"$oid":"6193504e1be4ab27791c8133"}', 'insertOne'],
    ['has no document', `{"database":"${database}","collection":"c"}`, 'insertOne'],
    ['has an invalid ObjectId', filter('{"_id":{"$oid":"xyz"}}'), 'findOne'],
    ['has an invalid number', document('{"a":{"$numberLong":"1.5"}}'), 'insertOne'],
    [
      'has a number beyond 64 bits',
      document('{"a":{"$numberLong":"9223372036854775808"}}'),
      'insertOne',
    ],
    ['has an invalid date', document('{"a":{"$date":"yesterday"}}'), 'insertOne'],
    ['has 10,000 levels', document(nested(10_000, '{"a":', '}')), 'insertOne'],
    ['has 10,000 levels of arrays', filter(nested(10_000, '[', ']')), 'findOne'],
    ['has 500,000 levels and a 1.0', document(`[1.0,${nested(500_000, '[', ']')}]`), 'insertOne'],
    ['has 101 levels', document(nested(101, '{"a":', '}')), 'insertOne'],
    [
      'has __proto__',
      `{"__proto__":{"filter":{}},"database":"${database}","collection":"c"}`,
      'findOne',
    ],
    ['has __proto__ beside its own', filter('{}').replace('{', '{"__proto__":1,'), 'findOne'],
    ['has __proto__ in a document', document('{"a":{"__proto__":{"b":1}}}'), 'insertOne'],
    ['has __proto__ in a filter', filter('{"__proto__":{"$gt":1}}'), 'findOne'],
    ['pretends to be of BSON', document('{"a":{"_bsontype":"ObjectId"}}'), 'insertOne'],
    ['hides an operator in such', filter('{"$expr":{"_bsontype":"X","$function":{}}}'), 'findOne'],
    ['has $ in a stored name', document('{"$a":1}'), 'insertOne'],
    ['has an unknown option', filter('{}').replace('{', '{"limt":1,'), 'findOne'],
    ['has an option of our own', filter('{}').replace('{', '{"timeoutMs":1,'), 'findOne'],
    ['has a limit below 0', filter('{}').replace('{', '{"limit":-1,'), 'find'],
    ['has a limit of text', filter('{}').replace('{', '{"limit":"1",'), 'find'],
    ['deletes by no filter', `{"database":"${database}","collection":"c"}`, 'deleteMany'],
    ['names no valid collection', '{"database":"d","collection":"$cmd"}', 'findOne'],
    ['names no valid database', '{"database":"a.b","collection":"c"}', 'findOne'],
  ])('a body that %s', async (_, body, action) => {
    const response = await request(action, '', body)
    expect(response.status).toBe(400)
    expect(response.headers.get('dualport-error')).toBe('MONGODB_INVALID;not-applied')
    const { error, error_code } = (await response.json()) as Record<string, string>
    expect(error_code).toBe('InvalidParameter')
    expect(error).not.toContain(secret)
    expect(({} as { b?: unknown }).b).toBeUndefined()
  })

  test('a body that is not UTF-8, or names no database', async () => {
    const response = await request('findOne', '', '', {
      body: Buffer.from('{"a":"\xff"}', 'latin1'),
    })
    expect(response.status).toBe(400)
    const { status, body } = await act('findOne', '', { database: undefined })
    expect([status, body.error_code]).toEqual([400, 'MissingParameter'])
  })

  test('a duplicate key is a conflict, and its value is nowhere', async () => {
    const users = fresh()
    await act('createIndex', users, { keys: { email: 1 }, options: { unique: true } })
    const document = { email: secret }
    await act('insertOne', users, { document })
    const { status, body, headers } = await act('insertOne', users, { document })
    expect(status).toBe(409)
    expect(body).toMatchObject({
      error: expect.stringContaining('duplicate key'),
      error_code: 'MongoDBError',
      code: 11000,
    })
    expect(headers.get('dualport-error')).toBe('MONGODB_CONFLICT;not-applied')
    expect(JSON.stringify([body, log])).not.toContain(secret)
  })

  describe('what is applied in part', () => {
    const documents = [{ _id: 1 }, { _id: 2 }, { _id: 1 }, { _id: 3 }]
    const parts = { 'dualport-partial': '1' }
    /** FerretDB does not say which index it was. */
    const failure = (index: number) => expect.objectContaining({ index, code: 11000 })

    test('is an error to a client of the protocol', async () => {
      const { status, body, headers } = await act('insertMany', fresh(), { documents })
      expect(status).toBe(409)
      expect(body).toEqual({ error: expect.any(String), error_code: 'MongoDBError' })
      expect(headers.get('dualport-error')).toBe('MONGODB_CONFLICT;partial')
    })

    test('is told in parts to who asks for it', async () => {
      const ordered = await act('insertMany', fresh(), { documents }, parts)
      expect([ordered.status, ordered.body]).toEqual([
        200,
        { insertedIds: [1, 2], failures: [failure(2)] },
      ])
      expect(ordered.headers.get('dualport-error')).toBe(
        '2=MONGODB_CONFLICT;not-applied, 3=MONGODB_ABORTED;not-applied',
      )
      const unordered = { documents, ordered: false }
      expect((await act('insertMany', fresh(), unordered, parts)).body).toEqual({
        insertedIds: [1, 2, 3],
        failures: [failure(2)],
      })
      const all = fresh()
      await act('insertMany', all, { documents: documents.slice(0, 2) })
      expect((await act('insertMany', all, { documents: [{ _id: 1 }] }, parts)).body).toEqual({
        insertedIds: [],
        failures: [failure(0)],
      })
    })

    test('of a bulk with its counts', async () => {
      const c = fresh()
      await act('insertMany', c, { documents: [{ _id: 1 }, { _id: 2 }] })
      const update = { $set: { a: 1 } }
      const operations = [
        { insertOne: { document: { _id: 3 } } },
        { insertOne: { document: { _id: 1 } } },
        { updateOne: { filter: { _id: 9 }, update, upsert: true } },
        { updateOne: { filter: { _id: 2 }, update } },
      ]
      const { body } = await act('bulkWrite', c, { operations, ordered: false }, parts)
      expect(body).toMatchObject({
        insertedCount: 1,
        matchedCount: 1,
        modifiedCount: 1,
        upsertedCount: 1,
        upsertedIds: { 2: 9 },
        failures: [failure(1)],
      })
    })
  })

  test('what the engine refuses keeps its number, not its words', async () => {
    const c = fresh()
    await act('insertOne', c, { document: { _id: 1, a: secret } })
    const update = { $inc: { a: 1 } }
    const { status, body } = await act('updateOne', c, { filter: {}, update })
    expect([status, body.error_code]).toEqual([400, 'MongoDBError'])
    expect(body.code).toEqual(expect.any(Number))
    expect(JSON.stringify([body, log])).not.toContain(secret)
  })
})

describe('a server that quotes the key, as MongoDB does', async () => {
  const message = `E11000 duplicate key error collection: d.c index: email_1 dup key: { email: "${secret}" }`
  const execute = async ({ name }: { name: string }) => {
    if (name === 'insertOne') throw new ServerError(11000, message)
    return { insertedIds: [1, 2], failures: [{ index: 1, code: 11000, message }] }
  }
  const driver = { adapter: 'stand-in', capabilities: {}, execute, classify } as object
  const client = new MongoDB(driver as MongoDriver, { logger: false })
  const { fetch } = createGateway({ token, mongodb: client, logger: false })
  const act = (action: string, body: object) =>
    fetch(
      new Request(`http://gateway/mongodb/action/${action}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'dualport-partial': '1' },
        body: JSON.stringify({ database: 'd', collection: 'c', ...body }),
      }),
    )

  test('the name of the index gets through, the key does not', async () => {
    expect(await (await act('insertOne', { document: {} })).json()).toEqual({
      error: 'mongodb insertOne: duplicate key in index email_1',
      error_code: 'MongoDBError',
      code: 11000,
      index: 'email_1',
    })
    expect(await (await act('insertMany', { documents: [{}, {}] })).json()).toEqual({
      insertedIds: [1],
      failures: [
        {
          index: 1,
          code: 11000,
          message: 'E11000 duplicate key error collection: - index: email_1 dup key:',
        },
      ],
    })
  })
})

describe('what no token may do, or not this one', needs(server), async () => {
  if (server.missing !== undefined) return
  const gateway = await startMongodbGateway(server.url)
  const { act, database } = gateway
  const read = { authorization: `Bearer ${readOnlyToken}` }

  test('scripts and unknown operators do not pass, unless the client of the gateway lets them', async () => {
    const { act: permissive } = await startMongodbGateway(server.url, {
      client: { operators: { allow: ['$where'], deny: ['$lookup', '$out'] } },
    })
    const where = { filter: { $where: 'true' } }
    const refused = await act('find', fresh(), where)
    expect([refused.status, refused.body.error]).toEqual([400, expect.stringContaining('$where')])
    const passed = await permissive('find', fresh(), where)
    expect(passed.body.error ?? '').not.toContain('not allowed')
    for (const stage of [{ $lookup: { from: 'b' } }, { $out: 'b' }]) {
      const pipeline = [{ $match: {} }, stage]
      expect((await permissive('aggregate', fresh(), { pipeline })).status).toBe(400)
    }
    for (const filter of [{ $expr: { $function: {} } }, { a: { $nosuch: 1 } }, { $foo: [] }]) {
      expect((await act('findOne', fresh(), { filter })).status).toBe(400)
    }
    const update = [{ $set: { a: { $function: {} } } }]
    expect((await act('updateOne', fresh(), { filter: {}, update })).status).toBe(400)
  })

  test('a read-only token reads', async () => {
    const c = fresh()
    await act('insertMany', c, { documents: [{ _id: 1 }, { _id: 2 }] })
    for (const [action, body] of Object.entries({
      find: {},
      findOne: { filter: { _id: 1 } },
      aggregate: { pipeline: [{ $match: {} }] },
      countDocuments: {},
      estimatedDocumentCount: {},
      distinct: { key: '_id' },
      listIndexes: {},
      ping: {},
    })) {
      expect([action, (await act(action, c, body, read)).status]).toEqual([action, 200])
    }
  })

  test('and does not write', async () => {
    const c = fresh()
    const filter = {}
    for (const [action, body] of Object.entries({
      insertOne: { document: {} },
      insertMany: { documents: [{}] },
      updateOne: { filter, update: { $set: { a: 1 } }, upsert: true },
      updateMany: { filter, update: { $set: { a: 1 } } },
      replaceOne: { filter, replacement: {}, upsert: true },
      deleteOne: { filter },
      deleteMany: { filter },
      findOneAndUpdate: { filter, update: { $set: { a: 1 } }, upsert: true },
      findOneAndReplace: { filter, replacement: {}, upsert: true },
      findOneAndDelete: { filter },
      bulkWrite: { operations: [{ insertOne: { document: {} } }] },
      createIndex: { keys: { a: 1 } },
    })) {
      const { status, body: reply, headers } = await act(action, c, body, read)
      expect([action, status, reply.error_code]).toEqual([action, 403, 'NoMatchingRuleFound'])
      expect(headers.get('dualport-error')).toBe('MONGODB_FORBIDDEN;not-applied')
    }
    for (const pipeline of [
      [{ $out: 'x' }],
      [{ $match: {} }, { $merge: { into: 'x' } }],
      [{ $match: {}, $out: 'x' }],
      [{ $out: 'x' }, { $match: {} }],
      [{ $facet: { a: [{ $out: 'x' }] } }],
      [{ $lookup: { from: 'b', as: 'c', pipeline: [{ $merge: 'x' }] } }],
      { 0: { $out: 'x' }, length: 1 },
    ]) {
      expect((await act('aggregate', c, { pipeline }, read)).status).toBe(403)
    }
    expect((await act('countDocuments', c, {})).body).toEqual({ count: 0 })
  })

  test("the server's own databases are not served, also not by a stage", async () => {
    for (const database of ['admin', 'config', 'local']) {
      expect((await act('find', 'system.users', { database })).status).toBe(403)
    }
    for (const stage of [
      { $out: { db: 'admin', coll: 'x' } },
      { $merge: { into: { db: 'admin', coll: 'x' } } },
      { $lookup: { from: { db: 'local', coll: 'oplog.rs' }, as: 'x' } },
    ]) {
      expect((await act('aggregate', 'c', { pipeline: [stage] })).status).toBe(403)
    }
  })

  test('only the databases that are named are served', async () => {
    const { act } = await startMongodbGateway(server.url, { mongodbDatabases: [database] })
    expect((await act('findOne', 'c', { database })).status).toBe(200)
    expect((await act('findOne', 'c', {})).status).toBe(403)
    const pipeline = [{ $out: { db: 'other', coll: 'x' } }]
    expect((await act('aggregate', 'c', { database, pipeline })).status).toBe(403)
  })
})

describe('limits', needs(server), async () => {
  if (server.missing !== undefined) return

  test('a document of almost 16 MB goes in and comes out', async () => {
    const { act, direct, database } = await startMongodbGateway(server.url)
    const base64 = Buffer.alloc(16_000_000, 7).toString('base64')
    const document = { _id: 1, data: { $binary: { base64, subType: '00' } } }
    expect((await act('insertOne', 'large', { document })).status).toBe(201)
    const stored = await direct.db(database).collection('large').findOne()
    expect((stored?.data as Binary).length()).toBe(16_000_000)
    const { body } = await act('findOne', 'large', {}, { accept: 'application/ejson' })
    expect((body.document as typeof document).data.$binary.base64.length).toBe(base64.length)
    const larger = { a: 'x'.repeat(17_000_000) }
    const refused = await act('insertOne', 'large', { document: larger })
    expect([refused.status, refused.body.error_code]).toEqual([400, 'InvalidParameter'])
  })

  test('a large value in a pipeline is no place to look for stages', async () => {
    const { act } = await startMongodbGateway(server.url)
    const base64 = Buffer.alloc(12_000_000).toString('base64')
    const pipeline = [{ $match: { a: { $binary: { base64, subType: '00' } } } }]
    expect((await act('aggregate', 'c', { pipeline })).body).toEqual({ documents: [] })
  })

  test('bodies, and writes of one request', async () => {
    const { act } = await startMongodbGateway(server.url, {
      limits: { documentBodyBytes: 10_000, bodyBytes: 100, writes: 3, documents: 2 },
    })
    const document = { a: 'x'.repeat(9000) }
    expect((await act('insertOne', 'c', { document })).status).toBe(201)
    const larger = await act('insertOne', 'c', { document: { a: 'x'.repeat(10_000) } })
    expect([larger.status, larger.body.error_code]).toEqual([413, 'ReadSizeLimitExceeded'])
    const documents = [{}, {}, {}, {}]
    expect((await act('insertMany', 'c', { documents })).status).toBe(413)
    const operations = documents.map((document) => ({ insertOne: { document } }))
    expect((await act('bulkWrite', 'c', { operations })).status).toBe(413)
    expect((await act('insertMany', 'c', { documents: documents.slice(1) })).status).toBe(201)
    const { body } = await act('find', 'c', { limit: 3 })
    expect(body.documents).toHaveLength(2)
    const all = await act('aggregate', 'c', { pipeline: [{ $match: {} }] })
    expect(all.body.documents).toHaveLength(2)
  })
})

describe('an engine that fails', async () => {
  const server = await engine('mongodb-process')
  const insert = { document: { a: 1 } }

  test('deadlines cross the wire; who goes stops the work', needs(server), async () => {
    const gateway = await startMongodbGateway(server.url)
    const { act, log } = gateway
    await act('insertOne', 'c', insert)
    server.pause()
    try {
      const late = await act('insertOne', 'c', insert, { 'dualport-timeout-ms': '50' })
      expect([late.status, late.body.error_code]).toEqual([504, 'ExecutionTimeLimitExceeded'])
      expect(late.headers.get('dualport-error')).toBe('MONGODB_TIMEOUT;unknown')
      for (const batchSize of [10, undefined]) {
        const page = await act('find', 'c', { batchSize }, { 'dualport-timeout-ms': '50' })
        expect(page.headers.get('dualport-error')).toBe('MONGODB_TIMEOUT;not-applied')
      }
      const leaving = new AbortController()
      const headers = { 'x-correlation-id': 'leaving' }
      const gone = gateway.request('insertOne', 'c', insert, { signal: leaving.signal, headers })
      // It is on its way as soon as another that came later is over.
      await act('findOne', 'c', {}, { 'dualport-timeout-ms': '100' })
      leaving.abort()
      await expect(gone).rejects.toThrow()
      await eventually(() =>
        expect(log).toContainEqual(
          expect.objectContaining({ correlationId: 'leaving', code: 'MONGODB_ABORTED' }),
        ),
      )
    } finally {
      server.resume()
    }
    expect((await act('insertOne', 'c', insert)).status).toBe(201)
  })

  test(
    'killed in the middle of a reply: the reply breaks off; started again: it works',
    needs(server),
    async () => {
      const { act, request, direct, database } = await startMongodbGateway(server.url, {
        client: { timeoutMs: 1000 },
      })
      const documents = Array.from(
        { length: 5000 },
        (_, _id) => ({ _id, a: 'x'.repeat(1000) }) as object,
      )
      await direct.db(database).collection('many').insertMany(documents)
      const response = await request('find', 'many', { limit: 5000 })
      expect(response.status).toBe(200)
      await server.kill()
      // The HTTP server prints what broke a reply off.
      const print = vi.spyOn(console, 'error').mockImplementation(() => {})
      await expect(response.text()).rejects.toThrow()
      print.mockRestore()
      expect((await act('findOne', 'many', {})).status).toBe(503)
      await server.start()
      await eventually(async () => expect((await act('findOne', 'many', {})).status).toBe(200))
    },
  )
})
