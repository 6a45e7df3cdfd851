import { once } from 'node:events'
import { ObjectId } from 'bson'
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type DataApiOptions, dataApi } from '../../adapters/mongodb/data-api.ts'
import type { ClientOptions, InfraError } from '../../src/core/index.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
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
import { type ChaosProxy, startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'
import { eventually, startMongodbGateway, token } from '../gateway/mongodb-gateway.ts'

interface Thing {
  _id: unknown
  n?: number
}

function open(options: DataApiOptions, clientOptions: ClientOptions = {}): MongoDB {
  const client = new MongoDB(dataApi({ token, ...options }), {
    logger: false,
    breaker: false,
    drainTimeoutMs: 1000,
    ...clientOptions,
  })
  onTestFinished(() => client.close())
  return client
}

/** A client of a server that answers as told, from the start or once the test says how. */
async function against(handler: Handler, options: ClientOptions = {}) {
  const server = await serve(handler)
  onTestFinished(() => server.close())
  const client = open({ url: server.url }, options)
  return { server, client, things: client.database().collection<Thing>('things') }
}

const text = (body: string, status = 200): Handler => {
  return (_, response) => response.writeHead(status).end(body)
}
const works: Handler = (request, response) =>
  text(request.path.endsWith('findOne') ? '{"document":null}' : '{"insertedId":1}')(
    request,
    response,
  )
const nested = (core: string) => `${'{"a":['.repeat(5000)}${core}${']}'.repeat(5000)}`

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
  'a server that drips': {
    handler: drip('{"document":null}', 50),
    kind: 'timeout',
    outcome: 'unknown',
  },
  'a reset before the reply': { handler: reset, kind: 'unavailable', outcome: 'unknown' },
  'a reply that is garbage': { handler: garbage, kind: 'internal', outcome: 'unknown' },
  'a reply that is cut short': {
    handler: cutShort('{"document":{"a":{"$numberInt":"1"}}}'),
    kind: 'unavailable',
    outcome: 'unknown',
  },
  'the error page of a proxy': { handler: badGateway, kind: 'unavailable', outcome: 'unknown' },
  'a page of some other server': {
    handler: text('<!doctype html><title>secret</title>'),
    kind: 'internal',
    outcome: 'unknown',
  },
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
    handler: json({ error: 'secret', error_code: 'TooManyRequests' }, 429),
    kind: 'throttled',
    outcome: 'not-applied',
    requests: 3,
  },
  'an empty reply': { handler: text(''), kind: 'internal', outcome: 'unknown' },
  'a reply that is null': { handler: text('null'), kind: 'internal', outcome: 'unknown' },
  'a reply that is a number': { handler: text('1'), kind: 'internal', outcome: 'unknown' },
  'corrupt EJSON': {
    handler: text('{"document":{"_id":{"$oid":"secret"}}}'),
    kind: 'internal',
    outcome: 'unknown',
  },
  'EJSON with a field that passes for a type': {
    handler: text('{"document":{"_bsontype":"ObjectId"}}'),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a reply nested 10,000 deep': {
    handler: text(`{"document":${nested('1')}}`),
    kind: 'internal',
    outcome: 'unknown',
  },
  'a reply nested 10,000 deep around a double': {
    handler: text(`{"document":${nested('1.0')}}`),
    kind: 'internal',
    outcome: 'unknown',
  },
  'an error nested 10,000 deep': {
    handler: text(`{"code":1,"error":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 500),
    kind: 'internal',
    outcome: 'unknown',
  },
  'an error that is no text': {
    handler: json({ code: 1, error: { toString: 1 }, index: {} }, 500),
    kind: 'internal',
    outcome: 'unknown',
  },
}

describe('data-api against a server that fails', () => {
  test.each(Object.entries(cases))('%s', async (_, { handler, kind, outcome, requests = 1 }) => {
    const { server, things } = await against(handler)
    const timeoutMs = kind === 'timeout' ? 200 : 5000
    const expected = { kind, code: `MONGODB_${kind.toUpperCase()}` }
    const insert = await failure(things.insertOne({ _id: 1 }, { timeoutMs }), timeoutMs)
    expect(insert).toMatchObject({ ...expected, outcome })
    expect(insert.message).not.toContain('secret')
    expect(server.requests).toHaveLength(requests)
    const read = await failure(things.findOne({}, { timeoutMs }), timeoutMs)
    expect(read).toMatchObject({ ...expected, outcome: 'not-applied' })
    expect(read.message).not.toContain('secret')
    server.handler = works
    await things.insertOne({ _id: 1 })
  })

  test.each([
    ['insertMany', '{"failures":5}'],
    ['insertMany', '{"failures":[{"index":"x","code":1}]}'],
    ['updateOne', '{"matchedCount":"1","modifiedCount":1}'],
    ['updateOne', '{"matchedCount":{"valueOf":1},"modifiedCount":1}'],
    ['updateOne', '{}'],
    ['deleteMany', '{"deletedCount":null}'],
    ['bulkWrite', '{"insertedCount":1}'],
  ])('%s with a reply of another shape: %s', async (action, reply) => {
    const { server, things } = await against(text(reply))
    const calls: Record<string, () => Promise<unknown>> = {
      insertMany: () => things.insertMany([{ _id: 1 }]),
      updateOne: () => things.updateOne({}, { $set: { n: 1 } }),
      deleteMany: () => things.deleteMany({}),
      bulkWrite: () => things.bulkWrite([{ insertOne: { document: { _id: 1 } } }]),
    }
    const error = await failure(calls[action]!())
    expect(error).toMatchObject({ code: 'MONGODB_INTERNAL', outcome: 'unknown' })
    expect(server.requests).toHaveLength(1)
  })

  test.each([
    ['find', '{"documents":{}}'],
    ['findOne', '{}'],
    ['findOne', '{"document":[]}'],
    ['countDocuments', '{"count":"many"}'],
    ['distinct', '{"values":null}'],
    ['listIndexes', '{}'],
  ])('%s with a reply of another shape: %s', async (action, reply) => {
    const { things } = await against(text(reply))
    const calls: Record<string, () => Promise<unknown>> = {
      find: () => things.find({}).toArray(),
      findOne: () => things.findOne({}),
      countDocuments: () => things.countDocuments(),
      distinct: () => things.distinct('n'),
      listIndexes: () => things.listIndexes(),
    }
    expect(await failure(calls[action]!())).toMatchObject({ code: 'MONGODB_INTERNAL' })
  })

  test('a redirect is not followed: the token and the values stay here', async () => {
    const { server: elsewhere } = await against(works)
    for (const status of [301, 302, 303, 307, 308]) {
      const { server, things } = await against((_, response) => {
        response.writeHead(status, { location: elsewhere.url }).end()
      })
      expect(await failure(things.insertOne({ _id: 1 }))).toMatchObject({
        code: 'MONGODB_CONFIG',
        outcome: 'not-applied',
      })
      expect(server.requests).toHaveLength(1)
    }
    expect(elsewhere.requests).toHaveLength(0)
  })

  describe('429 with Retry-After', () => {
    test('an insert was not applied, and is sent again when it may be', async () => {
      const { server, things } = await against(throttled('1'))
      const arrivals: number[] = []
      server.on('request', () => arrivals.push(performance.now()))
      const inserted = things.insertOne({ _id: 1 })
      await once(server, 'request')
      server.handler = works
      expect(await inserted).toEqual({ insertedId: 1 })
      expect(arrivals).toHaveLength(2)
      // A timer may be a fraction of a millisecond early.
      expect(arrivals[1]! - arrivals[0]!).toBeGreaterThan(990)
    })

    test('beyond the deadline it fails at once', async () => {
      const { server, things } = await against(throttled('60'))
      expect(await failure(things.insertOne({ _id: 1 }), 1000)).toMatchObject({
        code: 'MONGODB_THROTTLED',
        outcome: 'not-applied',
        retryAfterMs: 60_000,
      })
      expect(server.requests).toHaveLength(1)
    })
  })

  test('the gateway’s own header says what became of it', async () => {
    const failing = (header: string, body: object) => json(body, 503, { 'dualport-error': header })
    const { server, things } = await against(failing('MONGODB_UNAVAILABLE;not-applied;60000', {}))
    expect(await failure(things.insertOne({ _id: 1 }), 1000)).toMatchObject({
      code: 'MONGODB_UNAVAILABLE',
      outcome: 'not-applied',
      retryAfterMs: 60_000,
    })
    server.handler = failing('MONGODB_CONFLICT;unknown', {
      code: 11000,
      index: 'email_1',
      error: 'secret',
    })
    const duplicate = await failure(things.insertOne({ _id: 1 }))
    expect(duplicate).toMatchObject({ code: 'MONGODB_CONFLICT', outcome: 'unknown' })
    expect(duplicate.message).toContain('email_1')
    expect(duplicate.message).not.toContain('secret')
    server.handler = failing('MONGODB_BEWITCHED;unknown', {})
    expect(await failure(things.insertOne({ _id: 1 }))).toMatchObject({ code: 'MONGODB_INTERNAL' })
  })

  test('a cancelled call ends its request', async () => {
    const { server, things } = await against(silence)
    const abort = new AbortController()
    const insert = failure(things.insertOne({ _id: 1 }, { signal: abort.signal }))
    await once(server, 'request')
    const abandoned = once(server, 'abandoned')
    abort.abort()
    expect(await insert).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    await abandoned
  })

  test('so does a deadline, and closing the client', async () => {
    const { server, client, things } = await against(silence)
    const abandoned = once(server, 'abandoned')
    expect(await failure(things.insertOne({ _id: 1 }, { timeoutMs: 100 }), 100)).toMatchObject({
      kind: 'timeout',
    })
    await abandoned
    const call = failure(things.findOne({}))
    await once(server, 'request')
    const closed = once(server, 'abandoned')
    await client.close()
    await call
    await closed
  })

  test('a page that is lost is not asked for again, and its cursor is closed', async () => {
    const page = '{"documents":[{"_id":1}],"cursor":"c-1"}'
    for (const lost of [
      silence,
      reset,
      cutShort(page),
      text('<html>'),
      text('{}'),
      text('', 503),
    ]) {
      const { server, things } = await against(text(page))
      const cursor = things.find({}, { batchSize: 1, timeoutMs: 300 })
      expect(await cursor.nextBatch()).toEqual([{ _id: 1 }])
      server.handler = (request, response) =>
        (request.path === '/action/nextPage' ? lost : text('{}'))(request, response)
      await failure(cursor.nextBatch(), 300)
      expect(await cursor.next()).toEqual({ done: true, value: undefined })
      await eventually(() => {
        const [, ...then] = server.requests.map(({ path, body }) => [path, JSON.parse(body).cursor])
        expect(then).toEqual([
          ['/action/nextPage', 'c-1'],
          ['/action/closeCursor', 'c-1'],
        ])
      })
    }
  })
})

const server = await engine('mongodb-process')

describe('data-api through a gateway that fails', needs(server), async () => {
  if (server.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const gateway = await startMongodbGateway(server.url, { client: { timeoutMs: 5000 } })
  const { database, direct, openCursors } = gateway
  const url = new URL(gateway.url)
  const proxy: ChaosProxy = await startProxy(Number(url.port))
  url.port = `${proxy.port}`
  afterEach(() => proxy.setMode('pass'))
  afterAll(() => proxy.close())
  let collections = 0
  const fresh = (options: ClientOptions = {}) => {
    const client = open({ url: url.href, database }, options)
    return client.database().collection<Thing>(`c${collections++}`)
  }
  const stored = (name: string) => direct.db(database).collection(name).distinct('_id')
  /** Requests that arrived at the proxy since it had `sent` chunks. */
  const inserts = (sent: number) => {
    const bytes = Buffer.concat(proxy.received.slice(sent)).toString('latin1')
    return bytes.split('/action/insertOne').length - 1
  }
  const many = Array.from({ length: 250 }, (_, _id) => ({ _id }))

  test('a gateway that is down: nothing was applied, and the next call works when it is back', async () => {
    const things = fresh()
    await things.findOne({})
    await proxy.setMode('refuse')
    const errors: InfraError[] = []
    // The first may still find the connection that broke.
    for (let i = 0; i < 3; i++) errors.push(await failure(things.insertOne({ _id: i })))
    expect(errors.map(({ kind }) => kind)).toEqual(Array(3).fill('unavailable'))
    expect(errors[2]).toMatchObject({ outcome: 'not-applied', retryable: true })
    await proxy.setMode('pass')
    await things.insertOne({ _id: 9 })
    expect(await stored(things.name)).toEqual([9])
  })

  test('a silent gateway: an insert is unknown by its deadline, and was sent once', async () => {
    const things = fresh()
    await things.findOne({})
    await proxy.setMode('blackhole')
    const sent = proxy.received.length
    const error = await failure(things.insertOne({ _id: 1 }, { timeoutMs: 300 }), 300)
    expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown' })
    expect(inserts(sent)).toBe(1)
    await proxy.setMode('pass')
    await things.insertOne({ _id: 2 })
    expect(await stored(things.name)).toContain(2)
  })

  test('a reply that is cut: the insert may have been applied, and was sent once', async () => {
    const things = fresh()
    await things.findOne({})
    await proxy.setMode('cut')
    const sent = proxy.received.length
    const error = await failure(things.insertOne({ n: 1 } as Thing))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(inserts(sent)).toBe(1)
    await proxy.setMode('pass')
    await things.insertOne({ _id: 2 })
    expect(await stored(things.name)).toHaveLength(2)
  })

  test('garbage, and a request that never arrives', async () => {
    const things = fresh({ retry: false })
    for (const mode of ['garbage', 'reset'] as const) {
      await things.findOne({})
      await proxy.setMode(mode)
      const error = await failure(things.insertOne({ _id: mode }))
      expect(error).toMatchObject({
        kind: mode === 'garbage' ? 'internal' : 'unavailable',
        outcome: 'unknown',
      })
      await proxy.setMode('pass')
      await things.insertOne({ _id: `then${mode}` })
    }
    expect((await stored(things.name)).sort()).toEqual(['thengarbage', 'thenreset'])
  })

  test('an engine that is killed behind the gateway, and started again', async () => {
    const things = fresh({ retry: false })
    await things.insertOne({ _id: 1 })
    await server.kill()
    // The first may find the connection that broke.
    const errors: InfraError[] = []
    for (const _id of [2, 3]) errors.push(await failure(things.insertOne({ _id }), 5000))
    expect(errors.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable'])
    expect(errors[1]).toMatchObject({ outcome: 'not-applied' })
    await server.start()
    await eventually(() => things.insertOne({ _id: new ObjectId() }))
    expect(await things.findOne({ _id: 1 })).toEqual({ _id: 1 })
  })

  test('an engine that is silent behind the gateway: unknown, by the deadline', async () => {
    const things = fresh({ retry: false })
    await things.insertOne({ _id: 1 })
    server.pause()
    try {
      // A process stops a moment after it is told to, and may still have answered.
      const insert = () => things.insertOne({ _id: new ObjectId() }, { timeoutMs: 300 })
      const error = await eventually(() => failure(insert(), 300))
      expect(error).toMatchObject({ kind: 'timeout', outcome: 'unknown' })
    } finally {
      server.resume()
    }
    await eventually(() => things.insertOne({ _id: new ObjectId() }))
  })

  test('a cursor that is left half read is closed at the server', async () => {
    const things = fresh()
    await things.insertMany(many)
    for await (const { _id } of things.find({}, { batchSize: 100 })) {
      if (_id === 0) expect(openCursors.size).toBe(1)
      break
    }
    await eventually(() => expect(openCursors.size).toBe(0))
    const cursor = things.find({}, { batchSize: 100 })
    await cursor.nextBatch()
    expect(openCursors.size).toBe(1)
    await cursor.close()
    expect(openCursors.size).toBe(0)
  })

  test('a page whose reply is lost fails, is not skipped, and its cursor is closed', async () => {
    const things = fresh()
    await things.insertMany(many)
    const cursor = things.find({}, { batchSize: 100, sort: { _id: 1 } })
    expect(await cursor.nextBatch()).toHaveLength(100)
    await proxy.setMode('cut')
    expect(await failure(cursor.nextBatch())).toMatchObject({
      kind: 'unavailable',
      retryable: false,
    })
    await proxy.setMode('pass')
    expect(await cursor.next()).toEqual({ done: true, value: undefined })
    await eventually(() => expect(openCursors.size).toBe(0))
  })

  test('a page that is cancelled closes its cursor', async () => {
    const things = fresh()
    await things.insertMany(many)
    const cursor = things.find({}, { batchSize: 100 })
    await cursor.nextBatch()
    await proxy.setMode('blackhole')
    const abort = new AbortController()
    const page = failure(cursor.nextBatch({ signal: abort.signal }))
    await once(proxy, 'request')
    abort.abort()
    expect(await page).toMatchObject({ kind: 'aborted' })
    await proxy.setMode('pass')
    await eventually(() => expect(openCursors.size).toBe(0))
  })

  test('a cursor that the server has let go of is gone, and says so', async () => {
    const { act } = gateway
    const things = fresh()
    await things.insertMany(many)
    const cursor = things.find({}, { batchSize: 100 })
    const opened = once(proxy, 'reply') as Promise<[Buffer]>
    await cursor.nextBatch()
    const [reply] = await opened
    const id = /"cursor":"([^"]+)"/.exec(reply.toString('latin1'))?.[1]
    expect((await act('closeCursor', things.name, { cursor: id })).status).toBe(200)
    expect(await failure(cursor.nextBatch())).toMatchObject({
      code: 'MONGODB_NOT_FOUND',
      retryable: false,
    })
  })

  test('a document beyond 16 MB is refused here, a request beyond the gateway’s limit there', async () => {
    const things = fresh()
    const sent = proxy.received.length
    const big = { _id: 1, text: 'x'.repeat(17 * 1024 * 1024) }
    expect(await failure(things.insertOne(big))).toMatchObject({
      code: 'MONGODB_INVALID',
      outcome: 'not-applied',
    })
    expect(proxy.received).toHaveLength(sent)
    const small = await startMongodbGateway(server.url, { limits: { documentBodyBytes: 1000 } })
    const client = open({ url: small.url, database: small.database })
    const text = 'x'.repeat(2000)
    const error = await failure(client.database().collection('c').insertOne({ text }))
    expect(error).toMatchObject({ code: 'MONGODB_INVALID', outcome: 'not-applied' })
  })
})
