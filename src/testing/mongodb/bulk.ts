import type { InfraError } from '../../core/index.ts'
import type { BulkWrite } from '../../mongodb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { type MongoCase, type MongoFixture, same } from './fixture.ts'

interface User {
  readonly _id: number
  readonly email: string
  readonly n?: number
}

/** With a unique index on the email, and the user 1 who has the email `taken`. */
async function users({ collection }: MongoFixture) {
  const all = collection<User>('users')
  await all.createIndex({ email: 1 }, { unique: true })
  await all.insertOne({ _id: 1, email: 'taken' })
  return all
}

/** Of each item: what it gave, or the kind and the outcome of its error. */
function fates({ items }: InfraError): unknown[] {
  ok(items !== undefined, 'the error has no items')
  return items.map((item) =>
    item.status === 'fulfilled' ? item.value : [item.reason.kind, item.reason.outcome],
  )
}

const duplicate = ['conflict', 'not-applied']
const untried = ['aborted', 'not-applied']

async function stored(fixture: MongoFixture): Promise<number[]> {
  const found = await fixture
    .collection<User>('users')
    .find({}, { sort: { _id: 1 } })
    .toArray()
  return found.map(({ _id }) => _id)
}

/** The second and the fourth cannot be. */
const mixed: readonly User[] = [
  { _id: 2, email: 'a' },
  { _id: 3, email: 'taken' },
  { _id: 4, email: 'b' },
  { _id: 1, email: 'c' },
  { _id: 5, email: 'd' },
]

export const insertsInPart: readonly MongoCase[] = [
  {
    name: 'in order, the first failure ends it: which failed, which are stored, which were not tried',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const error = await rejects(all.insertMany(mixed), {
        kind: 'conflict',
        outcome: 'partial',
        retryable: false,
      })
      equal(fates(error), [2, duplicate, untried, untried, untried])
      equal(error.operation, 'insertMany')
      const [, failed] = error.items ?? []
      ok(failed?.status === 'rejected', 'the second did not fail')
      equal(failed.reason.operation, 'insertOne')
      ok(failed.reason.message.includes('duplicate key'), failed.reason.message)
      ok(error.message.includes('1 of 5 failed'), error.message)
      equal(await stored(fixture), [1, 2])
    },
  },
  {
    name: 'out of order, all are tried',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const error = await rejects(all.insertMany(mixed, { ordered: false }), {
        kind: 'conflict',
        outcome: 'partial',
      })
      equal(fates(error), [2, duplicate, 4, duplicate, 5])
      ok(error.message.includes('2 of 5 failed'), error.message)
      equal(await stored(fixture), [1, 2, 4, 5])
    },
  },
  {
    name: 'if none is stored, nothing was applied',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const refused = { kind: 'conflict', outcome: 'not-applied', retryable: false } as const
      const inOrder = all.insertMany([
        { _id: 1, email: 'x' },
        { _id: 2, email: 'y' },
      ])
      equal(fates(await rejects(inOrder, refused)), [duplicate, untried])
      const all2 = [
        { _id: 1, email: 'x' },
        { _id: 3, email: 'taken' },
      ]
      const outOfOrder = all.insertMany(all2, { ordered: false })
      equal(fates(await rejects(outOfOrder, refused)), [duplicate, duplicate])
      equal(await stored(fixture), [1])
    },
  },
  {
    name: 'two of one request may contradict each other',
    async run({ collection }) {
      const documents = [{ _id: 1 }, { _id: 1 }, { _id: 2 }]
      const error = await rejects(collection().insertMany(documents), {
        kind: 'conflict',
        outcome: 'partial',
      })
      equal(fates(error), [1, duplicate, untried])
      equal(await collection().find().toArray(), [{ _id: 1 }])
    },
  },
  {
    name: 'made _ids are told of those that are stored',
    async run({ collection }) {
      const all = collection<{ _id: unknown; n: number }>()
      await all.insertOne({ _id: 1, n: 0 })
      const documents = [{ n: 1 }, { _id: 1, n: 2 }, { n: 3 }]
      const { items = [] } = await rejects(all.insertMany(documents, { ordered: false }), {
        kind: 'conflict',
        outcome: 'partial',
      })
      for (const [i, n] of [
        [0, 1],
        [2, 3],
      ] as const) {
        const item = items[i]
        ok(item?.status === 'fulfilled', `item ${i} was not stored`)
        same(await all.findOne({ n }), { _id: item.value, n })
      }
    },
  },
]

export const bulks: readonly MongoCase[] = [
  {
    name: 'all kinds of writes in one request',
    async run({ collection, bson }) {
      const all = collection<{ _id: unknown; n: number }>()
      await all.insertMany([
        { _id: 1, n: 1 },
        { _id: 2, n: 1 },
        { _id: 3, n: 3 },
        { _id: 4, n: 4 },
        { _id: 5, n: 4 },
      ])
      const { insertedIds, ...rest } = await all.bulkWrite([
        { insertOne: { document: { _id: 6, n: 6 } } },
        { insertOne: { document: { n: 7 } } },
        { updateOne: { filter: { _id: 1 }, update: { $set: { n: 10 } } } },
        { updateMany: { filter: { n: { $lte: 3 } }, update: { $inc: { n: 100 } } } },
        { replaceOne: { filter: { _id: 4 }, replacement: { n: 40 } } },
        { deleteOne: { filter: { _id: 5 } } },
        { deleteMany: { filter: { n: { $gt: 100 } } } },
        { updateOne: { filter: { _id: 8 }, update: { $set: { n: 8 } }, upsert: true } },
        { replaceOne: { filter: { _id: 9 }, replacement: { n: 9 }, upsert: true } },
      ])
      equal(rest, {
        insertedCount: 2,
        matchedCount: 4,
        modifiedCount: 4,
        deletedCount: 3,
        upsertedCount: 2,
        upsertedIds: { 7: 8, 8: 9 },
      })
      equal(Object.keys(insertedIds), ['0', '1'])
      equal(insertedIds[0], 6)
      ok(bson.ObjectId.isValid(insertedIds[1] as string), 'the made _id is no ObjectId')
      same(await all.find({}, { sort: { n: 1 } }).toArray(), [
        { _id: 6, n: 6 },
        { _id: insertedIds[1], n: 7 },
        { _id: 8, n: 8 },
        { _id: 9, n: 9 },
        { _id: 1, n: 10 },
        { _id: 4, n: 40 },
      ])
    },
  },
  {
    name: 'writes are in order: each sees those before it',
    async run({ collection }) {
      const all = collection<{ _id: number; n: number }>()
      const add: BulkWrite<{ _id: number; n: number }> = {
        updateOne: { filter: { _id: 1 }, update: { $mul: { n: 2 } } },
      }
      await all.bulkWrite([
        { insertOne: { document: { _id: 1, n: 1 } } },
        add,
        { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 1 } } } },
        add,
      ])
      equal(await all.findOne(), { _id: 1, n: 6 })
    },
  },
  {
    name: 'out of order all are done',
    async run({ collection }) {
      const writes = Array.from({ length: 100 }, (_, _id) => ({ insertOne: { document: { _id } } }))
      const { insertedCount } = await collection().bulkWrite(writes, { ordered: false })
      equal(insertedCount, 100)
      equal(await collection().countDocuments(), 100)
    },
  },
  {
    name: 'a thousand writes of changing kinds',
    async run({ collection }) {
      const all = collection<{ _id: number; n?: number }>()
      const { insertedCount, modifiedCount, deletedCount } = await all.bulkWrite(
        Array.from({ length: 300 }, (_, _id): BulkWrite<{ _id: number; n?: number }>[] => [
          { insertOne: { document: { _id } } },
          { updateOne: { filter: { _id }, update: { $set: { n: _id } } } },
          { deleteOne: { filter: { _id: _id - 1 } } },
        ]).flat(),
        { timeoutMs: 15_000 },
      )
      equal([insertedCount, modifiedCount, deletedCount], [300, 300, 299])
      equal(await all.find().toArray(), [{ _id: 299, n: 299 }])
    },
  },
]

const writes: readonly BulkWrite<User>[] = [
  { insertOne: { document: { _id: 2, email: 'a' } } },
  { insertOne: { document: { _id: 3, email: 'taken' } } },
  { deleteOne: { filter: { _id: 1 } } },
  { insertOne: { document: { _id: 2, email: 'b' } } },
  { updateOne: { filter: { _id: 9 }, update: { $set: { email: 'c' } }, upsert: true } },
]

export const bulksInPart: readonly MongoCase[] = [
  {
    name: 'in order, the first failure ends it: which failed, which are applied, which were not tried',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const error = await rejects(all.bulkWrite(writes), {
        kind: 'conflict',
        outcome: 'partial',
        retryable: false,
      })
      equal(fates(error), [2, duplicate, untried, untried, untried])
      const names = (error.items ?? []).map((item) =>
        item.status === 'rejected' ? item.reason.operation : undefined,
      )
      equal(names, [undefined, 'insertOne', 'deleteOne', 'insertOne', 'updateOne'])
      equal(await stored(fixture), [1, 2])
    },
  },
  {
    name: 'out of order, all are tried',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const error = await rejects(all.bulkWrite(writes, { ordered: false }), {
        kind: 'conflict',
        outcome: 'partial',
      })
      // Writes of one kind may go together, so that the delete may come before an insert or after it.
      equal(fates(error).toSpliced(1, 1), [2, undefined, duplicate, 9])
      equal(await stored(fixture), [2, 9])
    },
  },
  {
    name: 'if none is applied, nothing was',
    needs: ['indexes'],
    async run(fixture) {
      const all = await users(fixture)
      const error = await rejects(
        all.bulkWrite([
          { insertOne: { document: { _id: 2, email: 'taken' } } },
          { deleteOne: { filter: { _id: 1 } } },
        ]),
        { kind: 'conflict', outcome: 'not-applied', retryable: false },
      )
      equal(fates(error), [duplicate, untried])
      equal(await stored(fixture), [1])
    },
  },
]
