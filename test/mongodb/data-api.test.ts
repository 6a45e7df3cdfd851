import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Decimal128, Double, ObjectId, UUID } from 'bson'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type DataApiOptions, dataApi } from '../../adapters/mongodb/data-api.ts'
import { type Collection, type Document, MongoDB } from '../../src/mongodb/index.ts'
import { failure } from '../chaos/failure.ts'
import { json, serve } from '../chaos/http.ts'
import { Atlas, Ferretdb } from './stand-ins/data-api.ts'

function open(options: DataApiOptions): MongoDB {
  const client = new MongoDB(dataApi(options), { logger: false })
  onTestFinished(() => client.close())
  return client
}

interface Task extends Document {
  _id: unknown
}

async function atlas(options: Partial<DataApiOptions> = {}) {
  const server = new Atlas()
  await server.listen()
  onTestFinished(() => server.close())
  const { url, key } = server
  const client = open({ url, dialect: 'atlas', token: key, ...options })
  return { server, client, tasks: client.database().collection<Task>('tasks') }
}

async function ferretdb(options: Partial<DataApiOptions> = {}) {
  const server = new Ferretdb()
  await server.listen()
  onTestFinished(() => server.close())
  const { url, username, password } = server
  const client = open({ url, dialect: 'ferretdb', username, password, ...options })
  return { server, client, tasks: client.database().collection<Task>('tasks') }
}

const dialects = { atlas, ferretdb }

/** What a server of the standard actions lacks, by the capability that says so. */
const lacking: Record<string, (tasks: Collection<Task>, client: MongoDB) => Promise<unknown>> = {
  'extended: replaceOne': (tasks) => tasks.replaceOne({}, { a: 1 }),
  'extended: findOneAndUpdate': (tasks) => tasks.findOneAndUpdate({}, { $set: { a: 1 } }),
  'extended: findOneAndReplace': (tasks) => tasks.findOneAndReplace({}, { a: 1 }),
  'extended: findOneAndDelete': (tasks) => tasks.findOneAndDelete({}),
  'extended: countDocuments': (tasks) => tasks.countDocuments(),
  'extended: estimatedDocumentCount': (tasks) => tasks.estimatedDocumentCount(),
  'extended: distinct': (tasks) => tasks.distinct('a'),
  'extended: bulkWrite': (tasks) => tasks.bulkWrite([{ insertOne: { document: {} } }]),
  'indexes: createIndex': (tasks) => tasks.createIndex({ a: 1 }),
  'indexes: listIndexes': (tasks) => tasks.listIndexes(),
  'transactions: withTransaction': (_, client) => client.withTransaction(async () => {}),
  'extended: health({ writable })': (_, client) => client.health({ writable: true }),
}

/** Options that the protocol has no field for: to pass over them would give other results. */
const options: Record<string, (tasks: Collection<Task>) => Promise<unknown>> = {
  'sort of findOne': (tasks) => tasks.findOne({}, { sort: { a: 1 } }),
  'skip of findOne': (tasks) => tasks.findOne({}, { skip: 1 }),
  'collation of find': (tasks) => tasks.find({}, { collation: { locale: 'de' } }).toArray(),
  'hint of find': (tasks) => tasks.find({}, { hint: '_id_' }).toArray(),
  'allowDiskUse of aggregate': (tasks) => tasks.aggregate([], { allowDiskUse: true }).toArray(),
  'ordered of insertMany': (tasks) => tasks.insertMany([{ a: 1 }], { ordered: false }),
  'arrayFilters of updateOne': (tasks) =>
    tasks.updateOne({}, { $set: { 'a.$[x]': 1 } }, { arrayFilters: [{ x: 1 }] }),
  'collation of deleteMany': (tasks) => tasks.deleteMany({}, { collation: { locale: 'de' } }),
}

describe.each(Object.entries(dialects))('the dialect %s', (_, start) => {
  test('has the standard actions', async () => {
    const { client, tasks } = await start()
    await client.health()
    const { insertedId } = await tasks.insertOne({ status: 'open', n: 1 })
    expect(insertedId).toBeInstanceOf(ObjectId)
    const two = await tasks.insertMany([{ _id: 2, n: 2 }, { n: 3 }])
    expect(two).toEqual({ insertedCount: 2, insertedIds: [2, expect.any(ObjectId)] })
    expect(await tasks.findOne({ _id: insertedId })).toMatchObject({ status: 'open' })
    expect(await tasks.findOne({ n: 9 })).toBeNull()
    const page = tasks.find({}, { skip: 1, limit: 1, projection: { n: 1 }, sort: { n: 1 } })
    expect(await page.toArray()).toMatchObject([{ _id: 2 }])
    expect(await tasks.aggregate([{ $match: {} }]).toArray()).toHaveLength(3)
    expect(await tasks.updateOne({ _id: 2 }, { $set: { done: true } })).toEqual({
      matchedCount: 1,
      modifiedCount: 1,
      upsertedCount: 0,
      upsertedId: null,
    })
    const changed = await tasks.updateMany({}, { $set: { done: true } }, { upsert: false })
    expect(changed).toMatchObject({ matchedCount: 3 })
    const upserted = await tasks.updateOne({ _id: 'x' }, { $set: { n: 4 } }, { upsert: true })
    expect(upserted).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: 'x' })
    expect(await tasks.deleteOne({ _id: 2 })).toEqual({ deletedCount: 1 })
    expect(await tasks.deleteMany({})).toEqual({ deletedCount: 3 })
  })

  test.each(
    Object.entries(lacking),
  )('lacks %s, and says so before anything is sent', async (name, call) => {
    const { server, client, tasks } = await start()
    const error = await failure(call(tasks, client))
    expect(error).toMatchObject({
      code: 'MONGODB_UNSUPPORTED',
      outcome: 'not-applied',
      retryable: false,
    })
    expect(client.capabilities).toMatchObject({ [name.split(':')[0]!]: false })
    expect(server.requests).toHaveLength(0)
  })

  test.each(Object.entries(options))('has no %s', async (name, call) => {
    const { server, tasks } = await start()
    const error = await failure(call(tasks))
    expect(error).toMatchObject({ code: 'MONGODB_UNSUPPORTED', outcome: 'not-applied' })
    expect(error.message).toContain(name.split(' ')[0])
    expect(server.requests).toHaveLength(0)
  })

  test('a cursor has its one page, and no more is asked for', async () => {
    const { server, client, tasks } = await start()
    await tasks.insertMany(Array.from({ length: 150 }, (_, _id) => ({ _id })))
    const cursor = tasks.find({}, { batchSize: 10 })
    const first = await cursor.nextBatch()
    expect(cursor.exhausted).toBe(true)
    expect(first.length).toBe(client.capabilities.exactTypes ? 150 : 101)
    expect(await cursor.nextBatch()).toEqual([])
    expect(server.bodies.map(([action]) => action)).toEqual(['insertMany', 'find'])
  })

  test('credentials that are refused', async () => {
    const { server } = await start()
    const { url } = server
    const dialect = server instanceof Atlas ? 'atlas' : 'ferretdb'
    const none = open({ url, dialect })
    const wrong = open({ url, dialect, username: 'someone', password: 'wrong' })
    for (const client of [none, wrong]) {
      const error = await failure(client.database().collection('tasks').insertOne({ a: 1 }))
      expect(error).toMatchObject({ code: 'MONGODB_UNAUTHENTICATED', outcome: 'not-applied' })
    }
  })
})

describe('Atlas', () => {
  test('keeps every type', async () => {
    const { tasks, server } = await atlas({ dataSource: 'mongodb-atlas', database: 'todo' })
    const document = {
      _id: new ObjectId(),
      whole: new Double(3),
      long: 9007199254740993n,
      decimal: Decimal128.fromString('1.10'),
      date: new Date(-1),
      uuid: new UUID('c8edabc3-f738-4ca3-b68d-ab92a91478a3'),
    }
    await tasks.insertOne(document)
    expect(await tasks.findOne({ _id: document._id })).toEqual({ ...document, whole: 3 })
    expect(server.bodies[0]).toMatchObject([
      'insertOne',
      { dataSource: 'mongodb-atlas', database: 'todo', document: { whole: new Double(3) } },
    ])
  })

  test('a duplicate key is a conflict that names the index, and not the key', async () => {
    const { tasks, server } = await atlas()
    await tasks.insertOne({ _id: 'secret-key' })
    const error = await failure(tasks.insertOne({ _id: 'secret-key' }))
    expect(error).toMatchObject({
      code: 'MONGODB_CONFLICT',
      outcome: 'not-applied',
      retryable: false,
    })
    expect(error.message).toContain('_id_')
    expect(error.message).not.toContain('secret-key')
    expect(server.requests).toHaveLength(2)
  })

  test('of several inserts that fail, it does not say which: unknown', async () => {
    const { tasks } = await atlas()
    await tasks.insertOne({ _id: 2 })
    const error = await failure(tasks.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]))
    expect(error).toMatchObject({ code: 'MONGODB_CONFLICT', outcome: 'unknown' })
  })

  test.each([
    [400, 'InvalidParameter', 'INVALID'],
    [400, 'SomethingNew', 'INVALID'],
    [400, 'NoMatchingRuleFound', 'FORBIDDEN'],
    [403, 'NoMatchingRuleFound', 'FORBIDDEN'],
    [400, 'ExecutionTimeLimitExceeded', 'TIMEOUT'],
    [401, 'InvalidSession', 'UNAUTHENTICATED'],
    [404, 'ServiceCommandNotFound', 'CONFIG'],
    [500, 'InternalServerError', 'INTERNAL'],
    [503, 'Unavailable', 'UNAVAILABLE'],
  ])('status %i with %s is %s, without its words', async (status, error_code, code) => {
    const error = 'the filter { name: "secret" } is not one'
    const server = await serve(json({ error, error_code, link: 'https://secret.example' }, status))
    onTestFinished(() => server.close())
    const client = open({ url: server.url, dialect: 'atlas', apiKey: 'key' })
    const refused = await failure(client.database().collection('tasks').insertOne({ a: 1 }))
    expect(refused.code).toBe(`MONGODB_${code}`)
    expect(refused.message).not.toContain('secret')
    expect(server.requests).toHaveLength(1)
  })
})

describe('FerretDB 2', () => {
  test('loses types, and says so', async () => {
    const { client, tasks } = await ferretdb()
    expect(client.capabilities).toMatchObject({ exactTypes: false, writeErrors: false })
    const _id = new ObjectId()
    await tasks.insertOne({ _id, date: new Date(0), n: 7, long: 3000000000n, half: 0.5 })
    // Looked up with its type, and found as a text.
    expect(await tasks.findOne({ _id })).toEqual({
      _id: _id.toHexString(),
      date: '1970-01-01T00:00:00.000Z',
      n: 7,
      long: 3000000000n,
      half: 0.5,
    })
  })

  test('a duplicate key may pass for a success', async () => {
    const { tasks } = await ferretdb()
    await tasks.insertOne({ _id: 1, n: 1 })
    await tasks.insertOne({ _id: 1, n: 2 })
    expect(await tasks.findOne({ _id: 1 })).toEqual({ _id: 1, n: 1 })
  })

  test('what its database refuses is not a server that is gone: no retry', async () => {
    const { server, tasks } = await ferretdb()
    const error = await failure(tasks.findOne({ $nor: [] }))
    expect(error).toMatchObject({ code: 'MONGODB_INTERNAL', retryable: false })
    expect(error.message).not.toContain('secret')
    expect(server.requests).toHaveLength(1)
  })
})

describe('the headers', () => {
  const reply = json({ document: null })

  test.each([
    [{ token: 'a-token' }, { authorization: 'Bearer a-token' }],
    [{ token: async () => 'a-token' }, { authorization: 'Bearer a-token' }],
    [{ apiKey: 'a-key' }, { apikey: 'a-key' }],
    [
      { token: 'a-token', apiKey: 'a-key' },
      { authorization: 'Bearer a-token', apikey: 'a-key' },
    ],
    [{ username: 'ü', password: 'p:w' }, { authorization: 'Basic w7w6cDp3' }],
    [{ username: 'a', password: () => 'b' }, { authorization: 'Basic YTpi' }],
    [{}, { authorization: undefined, apikey: undefined }],
  ] as [object, object][])('of %j', async (credentials, expected) => {
    const server = await serve(reply)
    onTestFinished(() => server.close())
    const client = open({ url: `${server.url}/mongodb/`, ...credentials })
    await client
      .database()
      .collection('tasks')
      .findOne({}, { correlationId: 'c-1', timeoutMs: 900 })
    const [{ method, path, headers }] = server.requests as [(typeof server.requests)[0]]
    expect([method, path]).toEqual(['POST', '/mongodb/action/findOne'])
    const { authorization, apikey } = headers
    expect({ authorization, apikey }).toMatchObject(expected)
    expect(headers).toMatchObject({
      'content-type': 'application/ejson',
      accept: 'application/ejson',
      'x-correlation-id': 'c-1',
    })
    expect(Number(headers['dualport-timeout-ms'])).toBeLessThanOrEqual(900)
  })

  test('a token that is refused is asked for once more, and then no more', async () => {
    const { server, tasks } = await atlas({ token: undefined })
    let asked = 0
    const { url } = server
    const client = open({ url, dialect: 'atlas', token: () => `key-${++asked}` })
    const things = client.database().collection<Task>('things')
    server.key = 'key-1'
    await things.insertOne({ _id: 1 })
    expect(asked).toBe(1)
    server.key = 'key-2'
    await things.insertOne({ _id: 2 })
    expect(asked).toBe(2)
    server.key = 'another'
    expect(await failure(things.insertOne({ _id: 3 }))).toMatchObject({
      code: 'MONGODB_UNAUTHENTICATED',
      outcome: 'not-applied',
    })
    expect(asked).toBe(3)
    expect(server.bodies).toHaveLength(2)
    expect(await failure(tasks.findOne({}))).toMatchObject({ code: 'MONGODB_UNAUTHENTICATED' })
  })

  test('a token function that fails: nothing was sent', async () => {
    const { server } = await atlas()
    const token = () => Promise.reject(new Error('secret'))
    const client = open({ url: server.url, dialect: 'atlas', token })
    const error = await failure(client.database().collection('c').insertOne({ a: 1 }))
    expect(error).toMatchObject({ code: 'MONGODB_UNAVAILABLE', outcome: 'not-applied' })
    expect(error.message).not.toContain('secret')
    expect(server.requests).toHaveLength(0)
  })
})

test.each([
  [{ url: 'mongodb://secret' }],
  [{ url: 'https://user:secret@host' }],
  [{ url: 'https://host/?secret' }],
  [{ token: 'secret\n' }],
  [{ token: 'sécret' }],
  [{ apiKey: 'secret key' }],
  [{ apiKey: '' }],
  [{ token: '' }],
  [{ token: 'secret', username: 'a', password: 'secret' }],
  [{ username: 'secret' }],
  [{ password: 'secret' }],
  [{ username: 'a:secret', password: 'secret' }],
  [{ dialect: 'secret' }],
  [{ dialect: 'toString' }],
  [{ maxDocumentBytes: 0 }],
  [{ maxDocumentBytes: Number.NaN }],
  [{ tokn: 'secret' }],
])('options that cannot be: %j', (options) => {
  const make = () => dataApi({ url: 'https://host', ...options } as DataApiOptions)
  expect(make).toThrow(expect.objectContaining({ code: 'MONGODB_CONFIG', operation: 'configure' }))
  expect(make).not.toThrow(/secret/)
})

test('where it goes is said without credentials', () => {
  const { resource } = dataApi({ url: 'https://host/mongodb/', database: 'app', token: 'secret' })
  expect(resource).toBe('host/mongodb/app')
})

test.each([
  ['data-api.ts'],
  ['data-api/optional.ts'],
])('without bson, %s gives the install command, and no retry', async (file) => {
  // In a process of its own, where importing bson fails as it does when it is absent.
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '--eval'],
    `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== 'bson') return next(specifier, context)
        throw Object.assign(new Error('absent'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })
    const { MongoDB } = await import('./src/mongodb/index.ts')
    const { dataApi } = await import('./adapters/mongodb/${file}')
    const client = new MongoDB(dataApi({ url: 'http://127.0.0.1:1', token: 'secret' }), { logger: false })
    const failed = await client.database().collection('c').insertOne({ a: 1 }).catch((error) => error)
    const { code, message, retryable, outcome } = failed
    console.log(JSON.stringify({ code, message, retryable, outcome }))
    `,
  ])
  expect(JSON.parse(stdout)).toEqual({
    code: 'MONGODB_CONFIG',
    message: expect.stringMatching(/npm install bson$/),
    retryable: false,
    outcome: 'not-applied',
  })
})
