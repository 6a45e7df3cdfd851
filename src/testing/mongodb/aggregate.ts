import { equal, rejects } from '../assert.ts'
import { type MongoCase, rows, same } from './fixture.ts'

const sales = [
  { _id: 1, shop: 'a', amount: 5, items: ['x', 'y'] },
  { _id: 2, shop: 'b', amount: 7, items: ['x'] },
  { _id: 3, shop: 'a', amount: 2.5, items: [] },
  { _id: 4, shop: 'b', amount: 1, items: ['y', 'z'] },
]

function pipelineCase(name: string, pipeline: readonly object[], expected: unknown): MongoCase {
  return {
    name,
    async run({ collection }) {
      await collection().insertMany(sales)
      const stages = pipeline as readonly Record<string, unknown>[]
      equal<unknown>(await collection().aggregate(stages).toArray(), expected)
    },
  }
}

export const aggregates: readonly MongoCase[] = [
  pipelineCase(
    '$match, $sort, $skip and $limit',
    [{ $match: { amount: { $gt: 1 } } }, { $sort: { amount: -1 } }, { $skip: 1 }, { $limit: 1 }],
    [sales[0]],
  ),
  pipelineCase(
    '$group sums and counts',
    [
      { $group: { _id: '$shop', total: { $sum: '$amount' }, count: { $sum: 1 } } },
      { $sort: { _id: 1 } },
    ],
    [
      { _id: 'a', total: 7.5, count: 2 },
      { _id: 'b', total: 8, count: 2 },
    ],
  ),
  pipelineCase(
    '$group of all',
    [{ $group: { _id: null, count: { $sum: 1 } } }],
    [{ _id: null, count: 4 }],
  ),
  pipelineCase('$count', [{ $match: { shop: 'a' } }, { $count: 'n' }], [{ n: 2 }]),
  pipelineCase(
    '$unwind',
    [{ $match: { shop: 'a' } }, { $unwind: '$items' }, { $project: { items: 1 } }],
    [
      { _id: 1, items: 'x' },
      { _id: 1, items: 'y' },
    ],
  ),
  pipelineCase(
    '$project and $set choose and add',
    [{ $match: { _id: 1 } }, { $project: { shop: 1 } }, { $set: { seen: true } }],
    [{ _id: 1, shop: 'a', seen: true }],
  ),
  pipelineCase(
    'expressions compute',
    [
      { $match: { _id: 2 } },
      { $project: { _id: 0, twice: { $multiply: ['$amount', 2] }, size: { $size: '$items' } } },
    ],
    [{ twice: 14, size: 1 }],
  ),
  pipelineCase(
    '$facet runs several at once',
    [
      {
        $facet: {
          count: [{ $count: 'n' }],
          shops: [{ $group: { _id: '$shop' } }, { $sort: { _id: 1 } }],
        },
      },
    ],
    [{ count: [{ n: 4 }], shops: [{ _id: 'a' }, { _id: 'b' }] }],
  ),
  {
    name: 'an empty pipeline gives all',
    async run({ collection }) {
      await collection().insertMany(sales)
      equal<unknown>(await collection().aggregate([]).toArray(), sales)
    },
  },
  {
    name: '$lookup joins another collection',
    async run({ collection }) {
      await collection('shops').insertMany([
        { _id: 1, key: 'a', city: 'Oslo' },
        { _id: 2, key: 'b', city: 'Rome' },
      ])
      await collection().insertMany(sales)
      const lookup = { from: collection('shops').name, localField: 'shop', foreignField: 'key' }
      const pipeline = [
        { $match: { _id: 2 } },
        { $lookup: { ...lookup, as: 'at' } },
        { $project: { 'at.city': 1 } },
      ]
      equal<unknown>(await collection().aggregate(pipeline).toArray(), [
        { _id: 2, at: [{ city: 'Rome' }] },
      ])
    },
  },
  {
    name: '$out writes another collection',
    async run({ collection }) {
      await collection().insertMany(sales)
      const pipeline = [{ $match: { shop: 'a' } }, { $out: collection('out').name }]
      equal(await collection().aggregate(pipeline).toArray(), [])
      equal(await collection('out').countDocuments(), 2)
    },
  },
  {
    name: 'types survive',
    async run({ collection, bson }) {
      const id = new bson.ObjectId()
      const row = { _id: 1, long: 7n, whole: new bson.Double(2), at: new Date(5), id }
      await collection().insertOne(row)
      same(
        await collection()
          .aggregate([{ $match: {} }])
          .toArray(),
        [{ ...row, whole: 2 }],
      )
    },
  },
  {
    name: 'all comes, page by page',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(250))
      const cursor = collection().aggregate([{ $sort: { _id: 1 } }], { batchSize: 100 })
      const sizes: number[] = []
      for (;;) {
        const { length } = await cursor.nextBatch()
        if (length === 0) break
        sizes.push(length)
      }
      equal(sizes, [100, 100, 50])
    },
  },
  {
    name: 'a stage that does not exist is invalid',
    async run({ collection }) {
      await collection().insertOne({ _id: 1 })
      await rejects(
        collection()
          .aggregate([{ $noSuchStage: {} }])
          .toArray(),
        {
          kind: 'invalid',
          outcome: 'not-applied',
          retryable: false,
        },
      )
    },
  },
]

export const distincts: readonly MongoCase[] = [
  {
    name: 'each value comes once, those of an array one by one',
    async run({ collection }) {
      await collection().insertMany(sales)
      equal((await collection().distinct<string>('shop')).sort(), ['a', 'b'])
      equal((await collection().distinct<string>('items')).sort(), ['x', 'y', 'z'])
      equal((await collection().distinct<string>('items', { shop: 'a' })).sort(), ['x', 'y'])
    },
  },
  {
    name: 'values keep their types',
    async run({ collection, bson }) {
      const id = new bson.ObjectId()
      await collection().insertMany([
        { _id: 1, v: 'x' },
        { _id: 2, v: 7n },
        { _id: 3, v: id },
        { _id: 4, v: null },
        { _id: 5, v: { a: 1 } },
        { _id: 6, v: 7 },
      ])
      const byType = new Map((await collection().distinct('v')).map((v) => [kindOf(v), v]))
      equal([...byType.keys()].sort(), ['ObjectId', 'bigint', 'null', 'object', 'string'])
      same(byType.get('ObjectId'), id)
      equal(byType.get('bigint'), 7n)
    },
  },
  {
    name: 'a path reaches below',
    async run({ collection }) {
      await collection().insertMany([
        { _id: 1, a: { b: 1 } },
        { _id: 2, a: { b: 2 } },
        { _id: 3, a: { b: 1 } },
      ])
      equal((await collection().distinct<number>('a.b')).sort(), [1, 2])
    },
  },
  {
    name: 'nothing has no values',
    async run({ collection }) {
      equal(await collection().distinct('a'), [])
      await collection().insertOne({ _id: 1 })
      equal(await collection().distinct('a'), [])
      equal(await collection().distinct('_id', { _id: 9 }), [])
    },
  },
]

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return '_bsontype' in value ? String(value._bsontype) : 'object'
}

export const counts: readonly MongoCase[] = [
  {
    name: 'countDocuments counts what matches, within skip and limit',
    async run({ collection }) {
      await collection().insertMany(rows(20))
      equal(await collection().countDocuments(), 20)
      equal(await collection().countDocuments({}), 20)
      equal(await collection().countDocuments({ _id: { $gte: 15 } }), 5)
      equal(await collection().countDocuments({}, { skip: 15 }), 5)
      equal(await collection().countDocuments({}, { limit: 3 }), 3)
      equal(await collection().countDocuments({}, { limit: 0 }), 20, 'a limit of 0')
      equal(await collection().countDocuments({}, { skip: 18, limit: 5 }), 2)
      equal(await collection().countDocuments({ _id: 99 }), 0)
    },
  },
  {
    name: 'estimatedDocumentCount counts all',
    async run({ collection }) {
      await collection().insertMany(rows(20))
      equal(await collection().estimatedDocumentCount(), 20)
    },
  },
  {
    name: 'a collection that was never made has none',
    async run({ collection }) {
      equal(await collection('never-made').countDocuments(), 0)
      equal(await collection('never-made').estimatedDocumentCount(), 0)
    },
  },
]
