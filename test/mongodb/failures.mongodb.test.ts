import { once } from 'node:events'
import { Long, type MongoClient } from 'mongodb'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import type { InfraError } from '../../src/core/index.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { failure, slackMs } from '../chaos/failure.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('mongodb-process')

describe('MongoDB over a connection that fails', needs(server), async () => {
  if (server.missing !== undefined) {
    test('fails well', () => {})
    return
  }
  const proxy = await startProxy(server.port)
  const url = `mongodb://127.0.0.1:${proxy.port}/dualport-failures?directConnection=true`
  const clients: MongoDB[] = []
  const create = (timeoutMs = 5000) => {
    const client = new MongoDB(mongodb({ url, maxPoolSize: 2 }), {
      logger: false,
      retry: false,
      breaker: false,
      timeoutMs,
    })
    clients.push(client)
    return client
  }
  const fresh = (client: MongoDB) =>
    client.database().collection<{ _id: number }>(`c${crypto.randomUUID().slice(0, 8)}`)
  const direct = new MongoDB(mongodb({ url: server.url, database: 'dualport-failures' }), {
    logger: false,
  })
  afterEach(async () => {
    await proxy.setMode('pass')
    await Promise.all(clients.splice(0).map((client) => client.close()))
  })
  afterAll(async () => {
    await direct.close()
    await proxy.close()
  })

  test('an insert whose reply is cut may have been applied, and was sent once', async () => {
    const client = create()
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode('cut')
    const error = await failure(things.insertOne({ _id: 1 }))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    await proxy.setMode('pass')
    await things.insertOne({ _id: 2 })
    const same = direct.database().collection(things.name)
    expect((await same.distinct('_id')).sort()).toEqual([1, 2])
  })

  test('of a silent server, what was sent is unknown, and what waited for a connection was not applied', async () => {
    const client = create(500)
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode('blackhole')
    const started = performance.now()
    const errors = await Promise.all(
      Array.from({ length: 10 }, (_, i) => failure(things.insertOne({ _id: i }))),
    )
    expect(performance.now() - started).toBeLessThan(500 + slackMs)
    expect(new Set(errors.map(({ kind }) => kind))).toEqual(new Set(['timeout']))
    const outcomes = errors.map(({ outcome }) => outcome)
    // One connection was open, and a second cannot be opened.
    expect(outcomes.filter((outcome) => outcome === 'unknown')).toHaveLength(1)
    expect(client.pool()).toMatchObject({ waiting: 0 })
    await proxy.setMode('pass')
    await expect.poll(() => things.countDocuments({}).catch(() => -1)).toBeGreaterThanOrEqual(0)
    expect(await direct.database().collection(things.name).countDocuments({})).toBeLessThanOrEqual(
      1,
    )
  })

  test('a server that is gone is unavailable at once, and the next call works when it is back', async () => {
    const client = create()
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode('refuse')
    // The first may find the broken connection, and those after it no server.
    const errors: InfraError[] = []
    const started = performance.now()
    for (let i = 0; i < 3; i++) errors.push(await failure(things.insertOne({ _id: i })))
    expect(performance.now() - started).toBeLessThan(slackMs)
    expect(errors.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable', 'unavailable'])
    expect(errors[2]).toMatchObject({ outcome: 'not-applied' })
    await proxy.setMode('pass')
    await things.insertOne({ _id: 9 })
    expect(await things.countDocuments({ _id: 9 })).toBe(1)
  })

  test('a client that began without a server works once there is one', async () => {
    await proxy.setMode('refuse')
    const client = create()
    const things = fresh(client)
    expect(await failure(things.insertOne({ _id: 1 }))).toMatchObject({
      kind: 'unavailable',
      outcome: 'not-applied',
    })
    await proxy.setMode('pass')
    await things.insertOne({ _id: 1 })
  })

  test('bytes that are no protocol are an error, and the next call works', async () => {
    const client = create(1000)
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode('garbage')
    const error = await failure(things.findOne({}))
    expect(['internal', 'unavailable', 'timeout']).toContain(error.kind)
    await proxy.setMode('pass')
    await expect.poll(() => things.findOne({}).catch(() => 'failed')).toBeNull()
  })

  test('an aborted find frees its connection', async () => {
    const client = create()
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode('blackhole')
    const abort = new AbortController()
    const call = failure(things.findOne({}, { signal: abort.signal }))
    await once(proxy, 'request')
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted' })
    await expect.poll(() => client.pool()?.inUse).toBe(0)
  })

  test('a cursor whose page is lost ends with that error, and no document is skipped', async () => {
    const client = create()
    const things = fresh(client)
    await things.insertMany(Array.from({ length: 30 }, (_, i) => ({ _id: i })))
    const cursor = things.find({}, { batchSize: 10, sort: { _id: 1 } })
    expect(await cursor.nextBatch()).toHaveLength(10)
    await proxy.setMode('cut')
    expect(await failure(cursor.nextBatch())).toMatchObject({
      kind: 'unavailable',
      retryable: false,
    })
    await proxy.setMode('pass')
    expect(await cursor.next()).toEqual({ done: true, value: undefined })
  })

  test('a server that drips is over at the deadline, and the next call works', async () => {
    const client = create(500)
    const things = fresh(client)
    await things.findOne({})
    await proxy.setMode({ dripBytes: 1, everyMs: 200 })
    expect(await failure(things.insertOne({ _id: 1 }))).toMatchObject({
      kind: 'timeout',
      outcome: 'unknown',
    })
    await proxy.setMode({ dripBytes: 64 })
    expect(await things.countDocuments({}, { timeoutMs: 5000 })).toBe(1)
  })

  test('a server that is stopped: over at the deadline, and answered once it goes on', async () => {
    const client = create(500)
    const things = fresh(client)
    await things.findOne({})
    server.pause()
    try {
      // A process with several threads stops a little later than it is told to.
      await expect
        .poll(() => failure(client.health({ timeoutMs: 200 })), { timeout: 5000 })
        .toBeDefined()
      const started = performance.now()
      const [read, write] = await Promise.all([
        failure(things.findOne({})),
        failure(things.insertOne({ _id: 1 })),
      ])
      expect(performance.now() - started).toBeLessThan(500 + slackMs)
      expect(read).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
      expect(write.kind).toBe('timeout')
      expect(await failure(client.health())).toMatchObject({ kind: 'timeout' })
    } finally {
      server.resume()
    }
    await things.insertOne({ _id: 2 }, { timeoutMs: 5000 })
    expect(await things.countDocuments({ _id: 2 })).toBe(1)
  })

  test('a server that is killed and started again is found by the same client', async () => {
    const client = create()
    const things = fresh(client)
    await things.insertOne({ _id: 1 })
    await server.kill()
    try {
      expect(await failure(things.findOne({}))).toMatchObject({ kind: 'unavailable' })
      expect(await failure(things.insertOne({ _id: 2 }))).toMatchObject({ kind: 'unavailable' })
    } finally {
      await server.start()
    }
    // It had no part in its death, and it may not know yet that the server is back.
    await expect.poll(() => things.countDocuments().catch(() => -1)).toBeGreaterThanOrEqual(1)
    await things.insertOne({ _id: 3 })
    expect((await things.distinct('_id')).sort()).toContain(3)
  })

  describe('with retries', () => {
    const retrying = () => {
      const options = { logger: false, breaker: false } as const
      const client = new MongoDB(mongodb({ url, maxPoolSize: 2 }), options)
      clients.push(client)
      return client
    }
    /** How often it was on the line. */
    const sent = (marker: string) =>
      Buffer.concat(proxy.received).toString('latin1').split(marker).length - 1

    test('a write whose reply is cut is never sent twice, whatever the write', async () => {
      const things = retrying().database().collection<{ _id: string; n?: number }>('cut')
      await things.findOne({})
      const writes = {
        insertOne: (_id: string) => things.insertOne({ _id }),
        insertMany: (_id: string) => things.insertMany([{ _id }]),
        updateOne: (_id: string) => things.updateOne({ _id }, { $inc: { n: 1 } }),
        deleteOne: (_id: string) => things.deleteOne({ _id }),
        findOneAndUpdate: (_id: string) => things.findOneAndUpdate({ _id }, { $inc: { n: 1 } }),
        bulkWrite: (_id: string) => things.bulkWrite([{ insertOne: { document: { _id } } }]),
      }
      for (const [name, write] of Object.entries(writes)) {
        const marker = `${name}-${crypto.randomUUID()}`
        await proxy.setMode('pass')
        await things.countDocuments()
        await proxy.setMode('cut')
        const error = await failure(write(marker))
        expect(error, name).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
        await proxy.setMode('pass')
        await things.countDocuments()
        expect(sent(marker), name).toBe(1)
      }
    })

    test('a bulk that is cut after a part of it was answered is not sent again', async () => {
      const things = retrying().database().collection<{ _id: string }>('bulk')
      await things.findOne({})
      const _id = crypto.randomUUID()
      proxy.once('request', () => {
        proxy.once('request', () => void proxy.setMode('cut'))
      })
      const error = await failure(
        things.bulkWrite([
          { insertOne: { document: { _id } } },
          { deleteOne: { filter: { _id: 'none' } } },
        ]),
      )
      expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
      await proxy.setMode('pass')
      expect(await things.countDocuments()).toBe(1)
      expect(sent(_id)).toBe(1)
    })

    test('a read whose connection is cut is sent again, and nobody notices', async () => {
      const things = retrying().database().collection<{ _id: string }>('read')
      const _id = crypto.randomUUID()
      await things.insertOne({ _id })
      const before = sent(_id)
      await proxy.setMode('cut')
      proxy.once('connection', () => void proxy.setMode('pass'))
      expect(await things.findOne({ _id })).toEqual({ _id })
      expect(sent(_id)).toBe(before + 2)
    })
  })

  describe('the pool', () => {
    const busy = async (waitQueueTimeoutMs?: number) => {
      const client = new MongoDB(mongodb({ url, maxPoolSize: 1, waitQueueTimeoutMs }), {
        logger: false,
        retry: false,
        breaker: false,
        timeoutMs: 1000,
      })
      clients.push(client)
      const things = fresh(client)
      await things.findOne({})
      await proxy.setMode('blackhole')
      const first = failure(things.findOne({}))
      await expect.poll(() => client.pool()?.inUse).toBe(1)
      return { client, things, first }
    }

    test('a write that waits for a connection until its deadline was not applied', async () => {
      const { client, things, first } = await busy()
      const waiting = failure(things.insertOne({ _id: 1 }, { timeoutMs: 300 }))
      await expect.poll(() => client.pool()?.waiting).toBe(1)
      expect(await waiting).toMatchObject({ kind: 'timeout', outcome: 'not-applied' })
      await first
    })

    test('a wait with a limit of its own says what it was for', async () => {
      const { things, first } = await busy(100)
      const error = await failure(things.insertOne({ _id: 1 }))
      expect(error.message).toContain('no connection was free in time')
      expect(error).toMatchObject({ outcome: 'not-applied', retryable: true })
      await first
    })
  })

  describe('cursors on the server', () => {
    /** A client that says which cursors its replies have. */
    const watched = async () => {
      const client = new MongoDB(mongodb({ url: `${url}&monitorCommands=true` }), {
        logger: false,
        retry: false,
      })
      clients.push(client)
      const things = fresh(client)
      await things.insertMany(Array.from({ length: 30 }, (_, _id) => ({ _id })))
      const ids: bigint[] = []
      const native = (await client.native()) as MongoClient
      native.on('commandSucceeded', ({ reply }) => {
        const { id } = (reply as { cursor?: { id?: bigint | { toBigInt(): bigint } } }).cursor ?? {}
        if (id !== undefined) ids.push(typeof id === 'bigint' ? id : id.toBigInt())
      })
      const cursor = things.find({}, { batchSize: 10 })
      await cursor.nextBatch()
      const [id] = ids
      expect(id).toBeGreaterThan(0n)
      const db = ((await direct.native()) as MongoClient).db('dualport-failures')
      const command = (command: object) =>
        db.command(command).then(
          () => undefined,
          (error: { code?: number }) => error.code,
        )
      const read = () =>
        command({ getMore: Long.fromBigInt(id as bigint), collection: things.name })
      const kill = () =>
        command({ killCursors: things.name, cursors: [Long.fromBigInt(id as bigint)] })
      return { cursor, read, kill }
    }

    test('one that is left half read is closed there', async () => {
      const { cursor, read } = await watched()
      for await (const _ of cursor) break
      expect(await read()).toBe(43)
    })

    test('one that the server has dropped is not found, and ends', async () => {
      const { cursor, kill } = await watched()
      await kill()
      expect(await failure(cursor.nextBatch())).toMatchObject({
        code: 'MONGODB_NOT_FOUND',
        outcome: 'not-applied',
        retryable: false,
        message: 'mongodb getMore: the cursor is gone',
      })
      expect(await cursor.next()).toEqual({ done: true, value: undefined })
    })
  })

  test('a connection that idled for too long is replaced before use', async () => {
    const client = new MongoDB(mongodb({ url, maxIdleMs: 50 }), { logger: false, retry: false })
    clients.push(client)
    const things = fresh(client)
    await things.findOne({})
    const before = proxy.connections
    await new Promise((resolve) => setTimeout(resolve, 120))
    await things.insertOne({ _id: 1 })
    expect(proxy.connections).toBe(before + 1)
  })
})
