import { once } from 'node:events'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { type InfraError, isInfraError } from '../../src/core/index.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { startProxy } from '../chaos/proxy.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('mongodb-process')

/** How much later than its deadline a call may settle: far more than promised, for machines that are busy. */
const slackMs = 2000

async function failure(work: Promise<unknown>): Promise<InfraError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isInfraError(error)) throw error ?? new Error('it succeeded')
  return error
}

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
