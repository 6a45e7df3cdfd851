import { Binary, BSONRegExp, Decimal128, Double, Long, ObjectId, Timestamp, UUID } from 'mongodb'
import { afterAll, describe, expect, test } from 'vitest'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { type Document, MongoDB } from '../../src/mongodb/index.ts'
import { failure } from '../chaos/failure.ts'
import { engine, needs } from '../engines/index.ts'

const server = await engine('mongodb')

describe('MongoDB over the driver', needs(server), () => {
  if (server.missing !== undefined) {
    test('answers', () => {})
    return
  }
  const database = `dualport-smoke-${crypto.randomUUID().slice(0, 8)}`
  const client = new MongoDB(mongodb({ url: server.url, database }), { logger: false })
  const fresh = <T extends object = Document>() =>
    client.database().collection<T>(`c${crypto.randomUUID().slice(0, 8)}`)
  afterAll(() => client.close())

  test('answers a ping, and says that it takes writes', async () => {
    await client.health()
    await client.health({ writable: true })
  })

  test('a document comes back with the types it went out with', async () => {
    const values = fresh()
    const document = {
      int: 7,
      long: 7n,
      longer: Long.fromString('9007199254740993'),
      double: 1.5,
      whole: new Double(3),
      large: 3e10,
      // FerretDB drops the connection over it.
      ...(!server.isFerretdb && { decimal: Decimal128.fromString('1.10') }),
      date: new Date(86_400_000),
      binary: new Binary(Uint8Array.of(0, 255)),
      bytes: Uint8Array.of(1, 2),
      uuid: new UUID('c8edabc3-f738-4ca3-b68d-ab92a91478a3'),
      regex: /^a/i,
      timestamp: Timestamp.fromBits(1, 2),
      nothing: null,
      missing: undefined,
      nested: { list: [1, 'two', { three: 3n }] },
    }
    const { insertedId } = await values.insertOne(document)
    expect(insertedId).toBeInstanceOf(ObjectId)
    expect(document).not.toHaveProperty('_id')
    const { missing, ...rest } = document
    expect(await values.findOne({ _id: insertedId })).toEqual({
      ...rest,
      _id: insertedId,
      longer: 9007199254740993n,
      whole: 3,
      bytes: new Binary(Uint8Array.of(1, 2)),
      regex: new BSONRegExp('^a', 'i'),
    })
  })

  test('updates, replaces and deletes', async () => {
    const users = fresh<{ _id: number; name: string; visits?: number }>()
    await users.insertMany([
      { _id: 1, name: 'a' },
      { _id: 2, name: 'b' },
    ])
    expect(await users.updateOne({ _id: 1 }, { $inc: { visits: 2 } })).toEqual({
      matchedCount: 1,
      modifiedCount: 1,
      upsertedCount: 0,
      upsertedId: null,
    })
    expect(
      await users.findOneAndUpdate(
        { _id: 1 },
        { $set: { name: 'A' } },
        { returnDocument: 'after' },
      ),
    ).toEqual({ _id: 1, name: 'A', visits: 2 })
    expect(await users.replaceOne({ _id: 9 }, { name: 'c' }, { upsert: true })).toMatchObject({
      upsertedId: 9,
    })
    expect((await users.distinct('name')).sort()).toEqual(['A', 'b', 'c'])
    expect(await users.countDocuments({ name: { $in: ['A', 'b'] } })).toBe(2)
    expect(await users.deleteMany({ _id: { $lt: 9 } })).toEqual({ deletedCount: 2 })
    expect(await users.findOneAndDelete({ _id: 9 })).toEqual({ _id: 9, name: 'c' })
    expect(await users.findOne({})).toBeNull()
  })

  test('reads page by page, and closes on the server what is left half read', async () => {
    const numbers = fresh<{ _id: number }>()
    await numbers.insertMany(Array.from({ length: 250 }, (_, i) => ({ _id: i })))
    const seen: number[] = []
    const sorted = { sort: { _id: 1 }, batchSize: 100 } as const
    for await (const { _id } of numbers.find({}, sorted)) seen.push(_id)
    expect(seen).toEqual(Array.from({ length: 250 }, (_, i) => i))
    expect(await numbers.find({}, { ...sorted, limit: 120 }).toArray()).toHaveLength(120)
    const cursor = numbers.find({}, sorted)
    for await (const _ of cursor) break
    expect(await cursor.next()).toEqual({ done: true, value: undefined })
    expect(await numbers.aggregate([{ $match: { _id: { $gte: 248 } } }]).toArray()).toHaveLength(2)
  })

  test('a duplicate is a conflict, and a bulk says what became of each item', async () => {
    const users = fresh<{ _id: number; email: string }>()
    expect(await users.createIndex({ email: 1 }, { unique: true })).toBe('email_1')
    expect((await users.listIndexes()).map(({ name }) => name)).toContain('email_1')
    await users.insertOne({ _id: 1, email: 'taken' })
    const one = await failure(users.insertOne({ _id: 2, email: 'taken' }))
    expect(one).toMatchObject({ code: 'MONGODB_CONFLICT', outcome: 'not-applied' })
    expect(one.message).not.toContain('taken')
    const documents = [
      { _id: 3, email: 'x' },
      { _id: 4, email: 'taken' },
      { _id: 5, email: 'y' },
    ]
    const ordered = await failure(users.insertMany(documents))
    expect(ordered).toMatchObject({ kind: 'conflict', outcome: 'partial' })
    expect(ordered.items?.map((item) => item.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(ordered.items?.[0]).toEqual({ status: 'fulfilled', value: 3 })
    expect(ordered.items?.[1]).toMatchObject({ reason: { kind: 'conflict' } })
    expect(ordered.items?.[2]).toMatchObject({ reason: { kind: 'aborted' } })
    const bulk = await failure(
      users.bulkWrite(
        [
          { insertOne: { document: { _id: 6, email: 'taken' } } },
          { updateOne: { filter: { _id: 3 }, update: { $set: { email: 'z' } } } },
          { deleteOne: { filter: { _id: 1 } } },
        ],
        { ordered: false },
      ),
    )
    expect(bulk.items?.map((item) => item.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  })

  test('what cannot be right is refused before anything is sent', async () => {
    const c = fresh()
    let deep: Record<string, unknown> = {}
    for (let i = 0; i < 10_000; i++) deep = { deep }
    for (const work of [
      c.insertOne(deep),
      c.insertOne({ 'a.b': 1 }),
      c.insertOne({ a: { $b: 1 } }),
      c.insertOne(JSON.parse('{"__proto__":1}')),
      c.insertOne({ a: 'x'.repeat(17 * 1024 * 1024) }),
      c.insertOne({ a: new Date(Number.NaN) }),
      c.findOne(JSON.parse('{"$where":"1"}')),
      c.findOne({ a: { $foo: 1 } }),
      c.findOne({ a: undefined }),
      c.find({ a: 1 }, JSON.parse('{"limt":1}')).toArray(),
      c.updateOne({}, JSON.parse('{"a":1}')),
      c.replaceOne({}, { $set: { a: 1 } }),
      c.aggregate([{ $match: { $expr: { $function: {} } } }]).next(),
    ]) {
      expect(await failure(work)).toMatchObject({ kind: 'invalid', outcome: 'not-applied' })
    }
    expect(await c.countDocuments()).toBe(0)
  })

  test('the pool is used, and empty in the end', async () => {
    const c = fresh()
    await Promise.all(Array.from({ length: 20 }, () => c.findOne({})))
    expect(client.pool()).toMatchObject({ inUse: 0, waiting: 0 })
    expect(client.pool()?.open).toBeLessThanOrEqual(5)
  })

  test('an aborted call ends at once, and the next one works', async () => {
    const c = fresh()
    const abort = new AbortController()
    const call = failure(c.findOne({}, { signal: abort.signal }))
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted' })
    await c.findOne({})
  })
})

describe('without a server', () => {
  test('a call is unavailable long before its deadline, and nothing was applied', async () => {
    const client = new MongoDB(mongodb({ port: 1 }), { logger: false, retry: false })
    const error = await failure(client.database().collection('c').insertOne({ a: 1 }))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'not-applied' })
    expect(error.message).toContain('ECONNREFUSED')
    await client.close()
  })
})
