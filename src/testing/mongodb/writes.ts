import { equal, ok, rejects } from '../assert.ts'
import { type MongoCase, type MongoFixture, type Row, rows, same } from './fixture.ts'

interface Thing {
  readonly _id: number
  readonly n?: number
  readonly name?: string
  readonly tags?: readonly string[]
  readonly marks?: readonly number[]
  readonly items?: readonly { readonly sku: string; readonly count: number }[]
  readonly address?: { readonly city?: string; readonly street?: string }
  readonly at?: Date
  readonly long?: bigint
  readonly extra?: unknown
}

const one = { matchedCount: 1, modifiedCount: 1, upsertedCount: 0, upsertedId: null }
const none = { matchedCount: 0, modifiedCount: 0, upsertedCount: 0, upsertedId: null }

export const inserts: readonly MongoCase[] = [
  {
    name: 'a document without an _id is given an ObjectId, as its first field',
    async run({ collection, bson }) {
      const things = collection<{ name: string }>()
      const { insertedId } = await things.insertOne({ name: 'a' })
      ok(bson.ObjectId.isValid(insertedId), 'the _id is no ObjectId')
      equal(insertedId._bsontype, 'ObjectId')
      const found = await things.findOne()
      same(found, { _id: insertedId, name: 'a' })
      equal(Object.keys(found ?? {}), ['_id', 'name'], 'the fields in order')
    },
  },
  {
    name: 'the document that is passed is left alone',
    async run({ collection }) {
      const things = collection<{ name: string }>()
      const document = { name: 'a' }
      await things.insertOne(document)
      await things.insertMany([document, document])
      await things.bulkWrite([{ insertOne: { document } }])
      equal(document, { name: 'a' })
      equal(await things.countDocuments(), 4)
    },
  },
  {
    name: 'an _id is of any type but an array',
    async run({ collection, bson }) {
      const things = collection<{ _id: unknown }>()
      const ids = [
        1,
        -1.5,
        2n ** 60n,
        '',
        'text',
        true,
        new Date(1),
        new bson.ObjectId(),
        new bson.UUID(),
        { a: 1, b: 2 },
      ]
      for (const _id of ids) {
        same(await things.insertOne({ _id }), { insertedId: _id }, 'the reply')
        same(await things.findOne({ _id: _id as never }), { _id }, 'what is stored')
      }
      await rejects(things.insertOne({ _id: [1] }), { kind: 'invalid', outcome: 'not-applied' })
      equal(await things.countDocuments(), ids.length)
    },
  },
  {
    name: 'an _id that is not first is stored first',
    async run({ collection }) {
      const things = collection()
      await things.insertOne({ name: 'a', _id: 1 })
      equal(Object.keys((await things.findOne()) ?? {}), ['_id', 'name'])
    },
  },
  {
    name: 'an empty document is a document',
    async run({ collection }) {
      const things = collection<object>()
      const { insertedId } = await things.insertOne({})
      same(await things.find().toArray(), [{ _id: insertedId }])
    },
  },
  {
    name: 'insertMany gives the _ids in the order of the documents, given or made',
    async run({ collection, bson }) {
      const things = collection<{ _id: unknown; name?: string }>()
      const { insertedCount, insertedIds } = await things.insertMany([
        { _id: 7 },
        { name: 'a' },
        { _id: 'x' },
      ])
      equal(insertedCount, 3)
      equal([insertedIds[0], insertedIds[2]], [7, 'x'])
      ok(bson.ObjectId.isValid(insertedIds[1] as string), 'the second _id is no ObjectId')
      same(await things.findOne({ name: 'a' }), { _id: insertedIds[1], name: 'a' })
    },
  },
  {
    name: 'insertMany of thousands',
    async run({ collection }) {
      const things = collection()
      const { insertedCount, insertedIds } = await things.insertMany(rows(5000))
      equal([insertedCount, insertedIds.length, insertedIds[4999]], [5000, 5000, 4999])
      equal(await things.countDocuments(), 5000)
    },
  },
  {
    name: 'collections do not see one another',
    async run({ collection }) {
      await collection('a').insertOne({ _id: 1 })
      equal(await collection('b').findOne(), null)
      equal(await collection('a').countDocuments(), 1)
    },
  },
]

/** An update of one document, and what becomes of it. */
function updateCase(
  name: string,
  before: Thing,
  update: (fixture: MongoFixture) => Parameters<ReturnType<typeof things>['updateOne']>[1],
  after: Thing,
): MongoCase {
  return {
    name,
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne(before)
      equal(await all.updateOne({ _id: before._id }, update(fixture)), one)
      same(await all.findOne(), after)
    },
  }
}

const things = ({ collection }: MongoFixture) => collection<Thing>()

export const updates: readonly MongoCase[] = [
  {
    name: 'updateOne changes the first that matches, and tells matched from modified',
    async run(fixture) {
      const all = things(fixture)
      await all.insertMany([
        { _id: 1, n: 1 },
        { _id: 2, n: 1 },
      ])
      equal(await all.updateOne({ n: 1 }, { $set: { n: 2 } }), one)
      equal(await all.countDocuments({ n: 2 }), 1)
      equal(await all.updateOne({ n: 2 }, { $set: { n: 2 } }), { ...one, modifiedCount: 0 })
      equal(await all.updateOne({ n: 9 }, { $set: { n: 2 } }), none)
    },
  },
  {
    name: 'updateMany changes all that match',
    async run(fixture) {
      const all = things(fixture)
      await all.insertMany([{ _id: 1, n: 1 }, { _id: 2, n: 2 }, { _id: 3 }])
      equal(await all.updateMany({ n: { $exists: true } }, { $set: { n: 2 } }), {
        matchedCount: 2,
        modifiedCount: 1,
        upsertedCount: 0,
        upsertedId: null,
      })
      equal(await all.updateMany({}, { $inc: { n: 1 } }), {
        matchedCount: 3,
        modifiedCount: 3,
        upsertedCount: 0,
        upsertedId: null,
      })
      equal(await all.distinct('n').then((found) => found.sort()), [1, 3])
      equal(await all.updateMany({ n: 9 }, { $set: { n: 1 } }), none)
    },
  },
  updateCase(
    '$set makes what is missing, below as well',
    { _id: 1, n: 1, address: { street: 's' } },
    () => ({ $set: { n: 2, 'address.city': 'c', 'extra.deep.er': [1] } }),
    { _id: 1, n: 2, address: { street: 's', city: 'c' }, extra: { deep: { er: [1] } } },
  ),
  updateCase(
    '$unset removes',
    { _id: 1, n: 1, name: 'a', address: { street: 's' } },
    () => ({ $unset: { n: '', 'address.street': '' } }),
    { _id: 1, name: 'a', address: {} },
  ),
  updateCase(
    '$inc and $mul calculate, and keep the kind of number',
    { _id: 1, n: 4, long: 2n ** 40n, marks: [1] },
    ({ bson }) => ({ $inc: { n: -1, long: 1n, 'marks.0': new bson.Int32(2) } }),
    { _id: 1, n: 3, long: 2n ** 40n + 1n, marks: [3] },
  ),
  updateCase('$mul multiplies', { _id: 1, n: 4 }, () => ({ $mul: { n: 1.5 } }), { _id: 1, n: 6 }),
  updateCase(
    '$inc with a fraction makes a double of an int',
    { _id: 1, n: 4 },
    () => ({ $inc: { n: 0.5 } }),
    { _id: 1, n: 4.5 },
  ),
  updateCase(
    '$min and $max keep the lesser and the greater',
    { _id: 1, n: 4, marks: [5] },
    () => ({ $min: { n: 3 }, $max: { 'marks.0': 9 } }),
    { _id: 1, n: 3, marks: [9] },
  ),
  updateCase('$rename moves', { _id: 1, n: 4 }, () => ({ $rename: { n: 'extra' } }), {
    _id: 1,
    extra: 4,
  }),
  updateCase('$push appends', { _id: 1, tags: ['a'] }, () => ({ $push: { tags: 'b' } }), {
    _id: 1,
    tags: ['a', 'b'],
  }),
  updateCase(
    '$push makes the array that is missing, and appends each',
    { _id: 1 },
    () => ({ $push: { tags: { $each: ['a', 'b'] } } }),
    { _id: 1, tags: ['a', 'b'] },
  ),
  updateCase(
    '$push sorts, cuts and places',
    { _id: 1, marks: [5, 1] },
    () => ({ $push: { marks: { $each: [3], $sort: 1, $slice: 2 } } }),
    { _id: 1, marks: [1, 3] },
  ),
  updateCase(
    '$push at a position',
    { _id: 1, marks: [1, 3] },
    () => ({ $push: { marks: { $each: [2], $position: 1 } } }),
    { _id: 1, marks: [1, 2, 3] },
  ),
  updateCase(
    '$addToSet adds what is not there',
    { _id: 1, tags: ['a', 'b'] },
    () => ({ $addToSet: { tags: { $each: ['b', 'c'] } } }),
    { _id: 1, tags: ['a', 'b', 'c'] },
  ),
  updateCase(
    '$pop takes from an end',
    { _id: 1, tags: ['a', 'b'], marks: [1, 2] },
    () => ({ $pop: { tags: 1, marks: -1 } }),
    { _id: 1, tags: ['a'], marks: [2] },
  ),
  updateCase(
    '$pull removes by value',
    { _id: 1, tags: ['a', 'b', 'a'] },
    () => ({ $pull: { tags: 'a' } }),
    { _id: 1, tags: ['b'] },
  ),
  updateCase(
    '$pull removes by condition',
    { _id: 1, marks: [1, 5, 9] },
    () => ({ $pull: { marks: { $gte: 5 } } }),
    { _id: 1, marks: [1] },
  ),
  updateCase(
    '$pullAll removes each',
    { _id: 1, tags: ['a', 'b', 'c', 'a'] },
    () => ({ $pullAll: { tags: ['a', 'c'] } }),
    { _id: 1, tags: ['b'] },
  ),
  updateCase(
    '$bit works on bits',
    { _id: 1, n: 0b1100 },
    () => ({ $bit: { n: { and: 0b0110 } } }),
    { _id: 1, n: 0b0100 },
  ),
  {
    name: '$currentDate sets the time of the server',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1 })
      await all.updateOne({ _id: 1 }, { $currentDate: { at: true } })
      ok((await all.findOne())?.at instanceof Date, 'it is no Date')
    },
  },
  {
    name: 'an element of an array is reached by its place and by what matched',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({
        _id: 1,
        items: [
          { sku: 'a', count: 1 },
          { sku: 'b', count: 1 },
        ],
      })
      await all.updateOne({ _id: 1 }, { $set: { 'items.0.count': 5 } })
      await all.updateOne({ 'items.sku': 'b' }, { $inc: { 'items.$.count': 1 } })
      equal((await all.findOne())?.items, [
        { sku: 'a', count: 5 },
        { sku: 'b', count: 2 },
      ])
    },
  },
  {
    name: 'arrayFilters choose the elements',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, marks: [1, 5, 9] })
      const arrayFilters = [{ high: { $gte: 5 } }]
      await all.updateOne({ _id: 1 }, { $set: { 'marks.$[high]': 0 } }, { arrayFilters })
      equal((await all.findOne())?.marks, [1, 0, 0])
    },
  },
  {
    name: 'an update may be a pipeline',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 2 })
      await all.updateOne({ _id: 1 }, [{ $set: { extra: { $add: ['$n', 1] } } }, { $unset: 'n' }])
      equal(await all.findOne(), { _id: 1, extra: 3 })
    },
  },
  {
    name: '_id cannot be changed',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1 })
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await rejects(all.updateOne({ n: 1 }, { $set: { _id: 2 } }), refused)
      equal(await all.find().toArray(), [{ _id: 1, n: 1 }])
    },
  },
  {
    name: 'an operator on a field of another type is invalid, and changes nothing',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, name: 'text' })
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await rejects(all.updateOne({ _id: 1 }, { $inc: { name: 1 } as never }), refused)
      await rejects(all.updateOne({ _id: 1 }, { $push: { name: 'x' } as never }), refused)
      equal(await all.find().toArray(), [{ _id: 1, name: 'text' }])
    },
  },
]

export const upserts: readonly MongoCase[] = [
  {
    name: 'updateOne makes what it does not find, of its filter and the update',
    async run(fixture) {
      const all = things(fixture)
      const upsert = { upsert: true }
      const change = { $set: { name: 'a' }, $setOnInsert: { extra: 'new' } }
      equal(await all.updateOne({ _id: 7, n: 1 }, change, upsert), {
        ...none,
        upsertedCount: 1,
        upsertedId: 7,
      })
      equal(await all.findOne(), { _id: 7, n: 1, name: 'a', extra: 'new' })
      const again = await all.updateOne(
        { _id: 7 },
        { $set: { n: 2 }, $setOnInsert: { extra: 'again' } },
        upsert,
      )
      equal(again, one)
      equal(await all.find().toArray(), [{ _id: 7, n: 2, name: 'a', extra: 'new' }])
    },
  },
  {
    name: 'the _id of what is made is an ObjectId if the filter has none',
    async run({ collection, bson }) {
      const all = collection<{ name: string }>()
      const { upsertedId, upsertedCount } = await all.updateOne(
        { name: 'a' },
        { $set: { name: 'b' } },
        { upsert: true },
      )
      equal(upsertedCount, 1)
      ok(bson.ObjectId.isValid(upsertedId as unknown as string), 'the _id is no ObjectId')
      same(await all.findOne(), { _id: upsertedId, name: 'b' })
    },
  },
  {
    name: 'updateMany and replaceOne make what they do not find',
    async run(fixture) {
      const all = things(fixture)
      const upserted = (upsertedId: number) => ({ ...none, upsertedCount: 1, upsertedId })
      const upsert = { upsert: true }
      equal(await all.updateMany({ _id: 1 }, { $set: { n: 1 } }, upsert), upserted(1))
      equal(await all.replaceOne({ _id: 2 }, { n: 2 }, upsert), upserted(2))
      equal(await all.replaceOne({ _id: 2 }, { n: 3 }, upsert), one)
      equal(await all.find({}, { sort: { _id: 1 } }).toArray(), [
        { _id: 1, n: 1 },
        { _id: 2, n: 3 },
      ])
    },
  },
  {
    name: 'findOneAndUpdate and findOneAndReplace make what they do not find',
    async run(fixture) {
      const all = things(fixture)
      const upsert = { upsert: true }
      const after = { ...upsert, returnDocument: 'after' } as const
      equal(await all.findOneAndUpdate({ _id: 1 }, { $set: { n: 1 } }, upsert), null)
      equal(await all.findOneAndUpdate({ _id: 2 }, { $set: { n: 2 } }, after), { _id: 2, n: 2 })
      equal(await all.findOneAndReplace({ _id: 3 }, { n: 3 }, upsert), null)
      equal(await all.findOneAndReplace({ _id: 4 }, { n: 4 }, after), { _id: 4, n: 4 })
      equal(await all.countDocuments(), 4)
    },
  },
]

export const replacements: readonly MongoCase[] = [
  {
    name: 'replaceOne leaves nothing of the old but its _id',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1, name: 'a' })
      equal(await all.replaceOne({ n: 1 }, { tags: ['x'] }), one)
      equal(await all.findOne(), { _id: 1, tags: ['x'] })
      equal(await all.replaceOne({ _id: 1 }, {}), one)
      equal(await all.findOne(), { _id: 1 })
      equal(await all.replaceOne({ _id: 9 }, { n: 1 }), none)
    },
  },
  {
    name: 'the same again is matched, not modified',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1 })
      equal(await all.replaceOne({ _id: 1 }, { n: 1 }), { ...one, modifiedCount: 0 })
    },
  },
  {
    name: 'another _id is refused',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1 })
      await rejects(all.replaceOne({ n: 1 }, { _id: 2 } as never), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
      equal(await all.find().toArray(), [{ _id: 1, n: 1 }])
    },
  },
]

export const deletes: readonly MongoCase[] = [
  {
    name: 'deleteOne deletes one, deleteMany all that match',
    async run(fixture) {
      const all = things(fixture)
      await all.insertMany([
        { _id: 1, n: 1 },
        { _id: 2, n: 1 },
        { _id: 3, n: 1 },
        { _id: 4, n: 2 },
      ])
      equal(await all.deleteOne({ n: 1 }), { deletedCount: 1 })
      equal(await all.countDocuments({ n: 1 }), 2)
      equal(await all.deleteMany({ n: 1 }), { deletedCount: 2 })
      equal(await all.find().toArray(), [{ _id: 4, n: 2 }])
      equal(await all.deleteMany({}), { deletedCount: 1 })
    },
  },
  {
    name: 'what is not there is not deleted',
    async run({ collection }) {
      const all = collection<Row>('never-made')
      equal(await all.deleteOne({ _id: 1 }), { deletedCount: 0 })
      equal(await all.deleteMany({}), { deletedCount: 0 })
    },
  },
]

export const findsAnd: readonly MongoCase[] = [
  {
    name: 'findOneAndUpdate gives the document as it was, or as it is now',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1 })
      equal(await all.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }), { _id: 1, n: 1 })
      const after = { returnDocument: 'after' } as const
      equal(await all.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, after), { _id: 1, n: 3 })
      const before = { returnDocument: 'before' } as const
      equal(await all.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, before), { _id: 1, n: 3 })
      equal(await all.findOneAndUpdate({ _id: 9 }, { $inc: { n: 1 } }, after), null)
    },
  },
  {
    name: 'findOneAndReplace gives the document as it was, or as it is now',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1, name: 'a' })
      equal(await all.findOneAndReplace({ _id: 1 }, { n: 2 }), { _id: 1, n: 1, name: 'a' })
      const after = { returnDocument: 'after' } as const
      equal(await all.findOneAndReplace({ _id: 1 }, { n: 3 }, after), { _id: 1, n: 3 })
      equal(await all.findOneAndReplace({ _id: 9 }, { n: 3 }), null)
    },
  },
  {
    name: 'findOneAndDelete gives what it has deleted',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1 })
      equal(await all.findOneAndDelete({ n: 1 }), { _id: 1, n: 1 })
      equal(await all.findOneAndDelete({ n: 1 }), null)
      equal(await all.countDocuments(), 0)
    },
  },
  {
    name: 'the sort says which one',
    async run(fixture) {
      const all = things(fixture)
      await all.insertMany([
        { _id: 1, n: 3 },
        { _id: 2, n: 9 },
        { _id: 3, n: 5 },
      ])
      const highest = { sort: { n: -1 } } as const
      const change = { $set: { name: 'x' } }
      equal(await all.findOneAndUpdate({}, change, highest), { _id: 2, n: 9 })
      equal(await all.findOneAndReplace({}, { n: 1 }, highest), { _id: 2, n: 9, name: 'x' })
      equal(await all.findOneAndDelete({}, highest), { _id: 3, n: 5 })
      equal(await all.find({}, { sort: { _id: 1 } }).toArray(), [
        { _id: 1, n: 3 },
        { _id: 2, n: 1 },
      ])
    },
  },
  {
    name: 'the projection says what of it',
    async run(fixture) {
      const all = things(fixture)
      await all.insertOne({ _id: 1, n: 1, name: 'a' })
      const name = { projection: { name: 1, _id: 0 } } as const
      equal<unknown>(await all.findOneAndUpdate({}, { $set: { n: 2 } }, name), { name: 'a' })
      equal<unknown>(await all.findOneAndReplace({}, { name: 'b' }, name), { name: 'a' })
      equal<unknown>(await all.findOneAndDelete({}, name), { name: 'b' })
    },
  },
  {
    name: 'of many that take from one queue each gets another document',
    async run({ collection }) {
      const queue = collection()
      await queue.insertMany(rows(20))
      const taken = await Promise.all(
        Array.from({ length: 25 }, () => queue.findOneAndDelete({}, { sort: { _id: 1 } })),
      )
      const ids = taken.flatMap((row) => (row === null ? [] : [row._id]))
      equal(
        ids.sort((a, b) => a - b),
        rows(20).map(({ _id }) => _id),
      )
    },
  },
]
