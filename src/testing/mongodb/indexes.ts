import { equal, ok, rejects } from '../assert.ts'
import type { MongoCase, MongoFixture } from './fixture.ts'

const duplicate = { kind: 'conflict', outcome: 'not-applied', retryable: false } as const

export const indexes: readonly MongoCase[] = [
  {
    name: 'createIndex gives the name: its own, or that of the keys',
    needs: ['indexes'],
    async run({ collection }) {
      const all = collection()
      equal(await all.createIndex({ a: 1 }), 'a_1')
      equal(await all.createIndex({ a: 1, 'b.c': -1 }), 'a_1_b.c_-1')
      equal(await all.createIndex({ d: 1 }, { name: 'mine' }), 'mine')
      equal((await all.listIndexes()).map(({ name }) => name).sort(), [
        '_id_',
        'a_1',
        'a_1_b.c_-1',
        'mine',
      ])
    },
  },
  {
    name: 'the same index again is no error',
    needs: ['indexes'],
    async run({ collection }) {
      equal(await collection().createIndex({ a: 1 }, { unique: true }), 'a_1')
      equal(await collection().createIndex({ a: 1 }, { unique: true }), 'a_1')
      equal((await collection().listIndexes()).length, 2)
    },
  },
  {
    name: 'another index of the same name is a conflict',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1 }, { name: 'mine' })
      await rejects(collection().createIndex({ b: 1 }, { name: 'mine' }), duplicate)
    },
  },
  {
    name: 'listIndexes describes each',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1, b: -1 }, { unique: true })
      const found = (await collection().listIndexes()).sort((a, b) => (a.name < b.name ? -1 : 1))
      equal(found, [
        { name: '_id_', key: { _id: 1 } },
        { name: 'a_1_b_-1', key: { a: 1, b: -1 }, unique: true },
      ])
    },
  },
  {
    name: 'a collection that was never made has no indexes',
    needs: ['indexes'],
    async run({ collection }) {
      equal(await collection('never-made').listIndexes(), [])
    },
  },
  {
    name: 'documents that break a unique index keep it from being made',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().insertMany([
        { _id: 1, a: 'same' },
        { _id: 2, a: 'same' },
      ])
      const error = await rejects(collection().createIndex({ a: 1 }, { unique: true }), duplicate)
      ok(!error.message.includes('same'), error.message)
      equal((await collection().listIndexes()).length, 1)
    },
  },
  {
    name: 'sparse: what has no such field is free',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1 }, { unique: true, sparse: true })
      await collection().insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3, a: 1 }])
      await rejects(collection().insertOne({ _id: 4, a: 1 }), duplicate)
    },
  },
  {
    name: 'partial: what does not match is free',
    needs: ['indexes'],
    async run({ collection }) {
      const partialFilterExpression = { active: true }
      await collection().createIndex({ a: 1 }, { unique: true, partialFilterExpression })
      await collection().insertMany([
        { _id: 1, a: 1 },
        { _id: 2, a: 1 },
        { _id: 3, a: 1, active: true },
      ])
      await rejects(collection().insertOne({ _id: 4, a: 1, active: true }), duplicate)
    },
  },
  {
    name: 'an index may have a time to live',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ at: 1 }, { expireAfterSeconds: 3600 })
      const found = (await collection().listIndexes()).find(({ name }) => name === 'at_1')
      equal(found?.expireAfterSeconds, 3600)
    },
  },
]

/** With a unique index on a and b together, and one document in it. */
async function unique({ collection }: MongoFixture) {
  const all = collection<{ _id: number; a?: unknown; b?: unknown }>()
  await all.createIndex({ a: 1, b: -1 }, { unique: true })
  await all.insertMany([
    { _id: 1, a: 'private', b: 1 },
    { _id: 2, a: 'private', b: 2 },
  ])
  return all
}

export const duplicates: readonly MongoCase[] = [
  {
    name: 'an _id that is taken is a conflict, in the index _id_',
    async run({ collection }) {
      await collection<{ _id: string }>().insertOne({ _id: 'private' })
      const error = await rejects(
        collection<{ _id: string }>().insertOne({ _id: 'private' }),
        duplicate,
      )
      equal(error.code, 'MONGODB_CONFLICT')
      equal(error.message, 'mongodb insertOne: duplicate key in index _id_')
    },
  },
  {
    name: 'every way to a duplicate is the same conflict, with the name of the index and without the values',
    needs: ['indexes'],
    async run(fixture) {
      const all = await unique(fixture)
      const taken = { a: 'private', b: 1 }
      const upsert = { upsert: true }
      const ways: Record<string, () => Promise<unknown>> = {
        insertOne: () => all.insertOne({ _id: 3, ...taken }),
        updateOne: () => all.updateOne({ _id: 2 }, { $set: { b: 1 } }),
        replaceOne: () => all.replaceOne({ _id: 2 }, taken),
        findOneAndUpdate: () => all.findOneAndUpdate({ _id: 2 }, { $set: { b: 1 } }),
        findOneAndReplace: () => all.findOneAndReplace({ _id: 2 }, taken),
        'updateOne that inserts': () => all.updateOne({ _id: 3 }, { $set: taken }, upsert),
        'replaceOne that inserts': () => all.replaceOne({ _id: 3 }, taken, upsert),
      }
      for (const [way, work] of Object.entries(ways)) {
        const error = await rejects(work, duplicate, way)
        ok(error.message.endsWith(': duplicate key in index a_1_b_-1'), `${way}: ${error.message}`)
      }
      equal(await all.find({}, { sort: { _id: 1 } }).toArray(), [
        { _id: 1, a: 'private', b: 1 },
        { _id: 2, a: 'private', b: 2 },
      ])
    },
  },
  {
    name: 'a duplicate that updateMany comes to may follow on changes',
    needs: ['indexes'],
    async run(fixture) {
      const all = await unique(fixture)
      const { message } = await rejects(all.updateMany({}, { $set: { b: 7 } }), {
        kind: 'conflict',
        outcome: 'unknown',
      })
      ok(message.includes('duplicate key in index a_1_b_-1'), message)
    },
  },
  {
    name: 'what is missing counts as null: once',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1 }, { unique: true })
      await collection().insertOne({ _id: 1 })
      await rejects(collection().insertOne({ _id: 2 }), duplicate)
      await rejects(collection().insertOne({ _id: 3, a: null }), duplicate)
    },
  },
  {
    name: 'numbers of any type are the same key',
    needs: ['indexes'],
    async run({ collection, bson }) {
      await collection().createIndex({ a: 1 }, { unique: true })
      await collection().insertOne({ _id: 1, a: 5 })
      await rejects(collection().insertOne({ _id: 2, a: 5n }), duplicate)
      await rejects(collection().insertOne({ _id: 3, a: new bson.Double(5) }), duplicate)
      await collection().insertOne({ _id: 4, a: 5.5 })
    },
  },
  {
    name: 'each element of an array is a key',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1 }, { unique: true })
      await collection().insertOne({ _id: 1, a: [1, 2] })
      await rejects(collection().insertOne({ _id: 2, a: [2, 3] }), duplicate)
      await collection().insertOne({ _id: 3, a: [3, 3] })
    },
  },
  {
    name: 'what is deleted or changed is free again',
    needs: ['indexes'],
    async run({ collection }) {
      await collection().createIndex({ a: 1 }, { unique: true })
      await collection().insertOne({ _id: 1, a: 1 })
      await collection().updateOne({ _id: 1 }, { $set: { a: 2 } as never })
      await collection().insertOne({ _id: 2, a: 1 })
      await collection().deleteOne({ _id: 1 })
      await collection().insertOne({ _id: 3, a: 2 })
    },
  },
  {
    name: 'of many that insert the same at once, one does',
    async run({ collection }) {
      const tries = Array.from({ length: 20 }, () => collection().insertOne({ _id: 1 }))
      const results = await Promise.allSettled(tries)
      const failed = results.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
      equal(failed, Array(19).fill('MONGODB_CONFLICT'))
    },
  },
]
