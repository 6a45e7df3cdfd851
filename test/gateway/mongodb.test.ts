import { describe, expect, test } from 'vitest'
import { engine, needs } from '../engines/index.ts'
import { startMongodbGateway, token } from './mongodb-gateway.ts'

const server = await engine('mongodb')
const canonical = { accept: 'application/ejson' }
const hex = expect.stringMatching(/^[\da-f]{24}$/)
let collections = 0
const fresh = () => `tasks${collections++}`

describe('the Data API as Atlas documented it', needs(server), async () => {
  if (server.missing !== undefined) return
  const { act, request, database, url, direct } = await startMongodbGateway(server.url)
  const text = 'Do the dishes'

  test('the requests of the quick start', async () => {
    const tasks = fresh()
    const inserted = await act('insertOne', tasks, { document: { status: 'open', text } })
    expect(inserted).toMatchObject({ status: 201, body: { insertedId: hex } })
    const { insertedId } = inserted.body
    const documents = [{ text: 'Mop the floor' }, { text: 'Clean the windows' }]
    const several = await act('insertMany', tasks, { documents })
    expect(several).toMatchObject({ status: 201, body: { insertedIds: [hex, hex] } })

    const filter = { _id: { $oid: insertedId } }
    const found = await act('findOne', tasks, { filter, projection: { status: 1, text: 1 } })
    expect(found.status).toBe(200)
    expect(found.headers.get('content-type')).toBe('application/json')
    expect(found.body).toEqual({ document: { _id: insertedId, status: 'open', text } })
    expect((await act('findOne', tasks, { filter: { a: 1 } })).body).toEqual({ document: null })

    const all = await act('find', tasks, { filter: {}, sort: { text: 1 }, skip: 1, limit: 1 })
    expect(all.body).toEqual({ documents: [expect.objectContaining({ text })] })
    const pipeline = [{ $group: { _id: null, count: { $sum: 1 } } }]
    const counted = await act('aggregate', tasks, { pipeline })
    expect(counted.body).toEqual({ documents: [{ _id: null, count: 3 }] })

    const update = { $set: { status: 'complete' } }
    expect((await act('updateOne', tasks, { filter, update })).body).toEqual({
      matchedCount: 1,
      modifiedCount: 1,
    })
    const everything = { filter: {}, update: { $set: { done: true } } }
    expect((await act('updateMany', tasks, everything)).body).toEqual({
      matchedCount: 3,
      modifiedCount: 3,
    })
    const upsert = { filter: { _id: 7 }, update, upsert: true }
    expect((await act('updateOne', tasks, upsert)).body).toMatchObject({
      matchedCount: 0,
      upsertedId: 7,
    })
    expect((await act('deleteOne', tasks, { filter })).body).toEqual({ deletedCount: 1 })
    expect((await act('deleteMany', tasks, { filter: {} })).body).toEqual({ deletedCount: 3 })
  })

  test('the header and the paths of Atlas', async () => {
    const body = JSON.stringify({
      dataSource: 'mongodb-atlas',
      database,
      collection: fresh(),
      document: { text },
    })
    for (const path of ['/endpoint/data/v1', '/app/data-abcde/endpoint/data/v1']) {
      for (const header of ['apiKey', 'api-key']) {
        const response = await fetch(`${url}${path}/action/insertOne`, {
          method: 'POST',
          headers: { [header]: token, 'content-type': 'application/json' },
          body,
        })
        expect(response.status).toBe(201)
        expect(await response.json()).toEqual({ insertedId: hex })
      }
    }
  })

  test('a find without a limit gives 1000, as it did there, and no cursor', async () => {
    const numbers = fresh()
    const many = Array.from({ length: 2500 }, (_, _id) => ({ _id }) as object)
    await direct.db(database).collection(numbers).insertMany(many)
    const lengthOf = async (action: string, body: object) => {
      const { documents, ...rest } = (await act(action, numbers, body)).body
      expect(rest).toEqual({})
      return (documents as object[]).length
    }
    expect(await lengthOf('find', {})).toBe(1000)
    expect(await lengthOf('find', { limit: 2400 })).toBe(2400)
    expect(await lengthOf('find', { limit: 0 })).toBe(2500)
    expect(await lengthOf('aggregate', { pipeline: [{ $match: {} }] })).toBe(2500)
  })

  describe('formats', () => {
    const document = {
      _id: { $oid: '6193504e1be4ab27791c8133' },
      double: { $numberDouble: '1.5' },
      large: { $numberDouble: '30000000000' },
      int: { $numberInt: '7' },
      long: { $numberLong: '9007199254740993' },
      date: { $date: { $numberLong: '1638551310749' } },
      binary: { $binary: { base64: 'AP8=', subType: '00' } },
      uuid: { $binary: { base64: 'yO2r8/c4TKO2jauSqRR4ow==', subType: '04' } },
      regex: { $regularExpression: { pattern: '^a', options: 'i' } },
      timestamp: { $timestamp: { t: 1, i: 2 } },
      nested: { list: [{ $numberInt: '1' }, 'two', null, true] },
    }

    test('canonical EJSON keeps every type', async () => {
      const values = fresh()
      const inserted = await act('insertOne', values, { document }, canonical)
      expect(inserted.body).toEqual({ insertedId: document._id })
      const found = await act('findOne', values, {}, canonical)
      expect(found.headers.get('content-type')).toBe('application/ejson')
      expect(found.body).toEqual({ document })
    })

    test('plain JSON says them as Atlas did', async () => {
      const values = fresh()
      await act('insertOne', values, { document })
      expect((await act('findOne', values, {})).body).toEqual({
        document: {
          _id: '6193504e1be4ab27791c8133',
          double: 1.5,
          large: 3e10,
          int: 7,
          // In the text it is exact.
          long: 9007199254740992,
          date: '2021-12-03T17:08:30.749Z',
          binary: { Subtype: 0, Data: 'AP8=' },
          uuid: { Subtype: 4, Data: 'yO2r8/c4TKO2jauSqRR4ow==' },
          regex: { Pattern: '^a', Options: 'i' },
          timestamp: { T: 1, I: 2 },
          nested: { list: [1, 'two', null, true] },
        },
      })
    })

    test('plain numbers keep their digits and their kind', async () => {
      const values = fresh()
      const body = `{"database":"${database}","collection":"${values}","document":{"_id":1,
        "long":9007199254740993,"large":30000000000,"half":0.5,"whole":2.0}}`
      await request('insertOne', values, body, { headers: { 'content-type': 'application/json' } })
      const { document } = (await act('findOne', values, {}, canonical)).body
      expect(document).toMatchObject({
        long: { $numberLong: '9007199254740993' },
        large: { $numberLong: '30000000000' },
        half: { $numberDouble: '0.5' },
      })
      const stored = direct.db(database).collection(values)
      expect(await stored.countDocuments({ whole: { $type: 'double' } })).toBe(1)
    })

    test('a pattern beside another condition is no regular expression of EJSON', async () => {
      const values = fresh()
      await act('insertMany', values, { documents: [{ _id: 'ab' }, { _id: 'ac' }, { _id: 'b' }] })
      const filter = { _id: { $regex: '^a', $ne: 'ab' } }
      expect((await act('find', values, { filter })).body).toEqual({ documents: [{ _id: 'ac' }] })
    })
  })
})

describe('what Atlas did not have', needs(server), async () => {
  if (server.missing !== undefined) return
  const { act } = await startMongodbGateway(server.url)

  test('the other operations', async () => {
    const users = fresh()
    await act('insertMany', users, {
      documents: [
        { _id: 1, name: 'a', tags: ['x'] },
        { _id: 2, name: 'b', tags: ['x', 'y'] },
      ],
    })
    const run = async (action: string, body: object) => (await act(action, users, body)).body
    expect(await run('countDocuments', { filter: { tags: 'x' } })).toEqual({ count: 2 })
    expect(await run('estimatedDocumentCount', {})).toEqual({ count: 2 })
    expect(await run('distinct', { key: 'tags', filter: { _id: 2 } })).toEqual({
      values: ['x', 'y'],
    })
    const filter = { _id: 1 }
    expect(await run('replaceOne', { filter, replacement: { name: 'A' } })).toEqual({
      matchedCount: 1,
      modifiedCount: 1,
    })
    const update = { $set: { name: 'AA' } }
    expect(await run('findOneAndUpdate', { filter, update })).toEqual({
      document: { _id: 1, name: 'A' },
    })
    const replacement = { name: 'AAA' }
    const returnDocument = 'after'
    expect(await run('findOneAndReplace', { filter, replacement, returnDocument })).toEqual({
      document: { _id: 1, name: 'AAA' },
    })
    expect(await run('findOneAndDelete', { filter })).toEqual({
      document: { _id: 1, name: 'AAA' },
    })
    expect(
      await run('bulkWrite', {
        operations: [
          { insertOne: { document: { _id: 3 } } },
          { updateOne: { filter: { _id: 4 }, update, upsert: true } },
          { deleteOne: { filter: { _id: 2 } } },
        ],
      }),
    ).toEqual({
      insertedCount: 1,
      matchedCount: 0,
      modifiedCount: 0,
      deletedCount: 1,
      upsertedCount: 1,
      insertedIds: { 0: 3 },
      upsertedIds: { 1: 4 },
    })
    const options = { unique: true }
    expect(await run('createIndex', { keys: { name: 1 }, options })).toEqual({ name: 'name_1' })
    expect(await run('listIndexes', {})).toMatchObject({
      indexes: [{ name: '_id_' }, { name: 'name_1', key: { name: 1 }, unique: true }],
    })
    expect(await run('ping', {})).toEqual({ ok: 1 })
    expect(await run('ping', { writable: true })).toEqual({ ok: 1, writable: true })
  })
})
