import type { Filter, Projection } from '../../mongodb/index.ts'
import { equal, rejects } from '../assert.ts'
import { type Bson, type MongoCase, type Row, rows, same } from './fixture.ts'

export const finds: readonly MongoCase[] = [
  {
    name: 'findOne gives null where there is nothing, and where there is no collection',
    async run({ collection }) {
      const never = collection('never-made')
      equal(await never.findOne(), null)
      equal(await never.find().toArray(), [])
      await collection().insertOne({ _id: 1 })
      equal(await collection().findOne({ _id: 2 }), null)
      equal(await collection().find({ _id: 2 }).toArray(), [])
    },
  },
  {
    name: 'findOne without a filter gives any',
    async run({ collection }) {
      await collection().insertOne({ _id: 1, a: 2 })
      equal(await collection().findOne(), { _id: 1, a: 2 })
      equal(await collection().findOne({}), { _id: 1, a: 2 })
    },
  },
  {
    name: 'findOne takes sort, skip and projection',
    async run({ collection }) {
      await collection().insertMany(rows(5).map((row) => ({ ...row, n: -row._id })))
      const options = { sort: { n: 1 }, skip: 1, projection: { n: 1, _id: 0 } } as const
      equal<unknown>(await collection().findOne({}, options), { n: -3 })
      equal(await collection().findOne({}, { skip: 5 }), null)
    },
  },
  {
    name: 'skip and limit cut a sorted list',
    async run({ collection }) {
      await collection().insertMany(rows(20))
      const found = async (options: { skip?: number; limit?: number }) =>
        (
          await collection()
            .find({}, { sort: { _id: 1 }, ...options })
            .toArray()
        ).map(({ _id }) => _id)
      equal(await found({ skip: 5, limit: 3 }), [5, 6, 7])
      equal(await found({ skip: 18, limit: 5 }), [18, 19])
      equal(await found({ skip: 20 }), [])
      equal(await found({ limit: 1 }), [0])
      equal((await found({ limit: 0 })).length, 20, 'a limit of 0')
    },
  },
  {
    name: 'a database of another name has collections of its own',
    async run({ mongodb, collection }) {
      const { name } = collection()
      await collection().insertOne({ _id: 1 })
      const other = mongodb.database(`${mongodb.database().name.slice(0, 50)}-other`)
      equal(await other.collection(name).findOne(), null)
      equal(other.collection(name).name, name)
    },
  },
]

/** What each filter finds of these. */
const people: readonly Row[] = [
  { _id: 1, name: 'Ann', age: 30, tags: ['a', 'b'], address: { city: 'Oslo', zip: '1' } },
  { _id: 2, name: 'bob', age: 40, tags: ['b'], address: { city: 'Rome', zip: '2' } },
  { _id: 3, name: 'Cid', age: 50.5, tags: [], address: { city: 'Oslo', zip: '3' } },
  {
    _id: 4,
    name: 'dora',
    age: null,
    tags: ['c', 'd'],
    scores: [
      { n: 1, of: 5 },
      { n: 7, of: 9 },
    ],
  },
  { _id: 5, name: 'Eve', scores: [{ n: 1, of: 9 }], flags: 0b0110 },
]

function filterCase(
  name: string,
  filters: (bson: Bson) => readonly (readonly [filter: Filter<Row>, ids: readonly number[]])[],
): MongoCase {
  return {
    name,
    async run({ collection, bson }) {
      await collection().insertMany(people)
      for (const [i, [filter, ids]] of filters(bson).entries()) {
        const found = await collection()
          .find(filter, { sort: { _id: 1 } })
          .toArray()
        equal(
          found.map(({ _id }) => _id),
          [...ids],
          `what filter ${i} finds`,
        )
        equal(await collection().countDocuments(filter), ids.length, `the count of filter ${i}`)
      }
    },
  }
}

export const filters: readonly MongoCase[] = [
  filterCase('a field is equal', () => [
    [{ _id: 2 }, [2]],
    [{ name: 'Ann' }, [1]],
    [{ age: 50.5 }, [3]],
    [{ age: { $eq: 40 } }, [2]],
    [{ name: 'Ann', age: 30 }, [1]],
    [{ name: 'Ann', age: 40 }, []],
    [{ name: 'ann' }, []],
  ]),
  filterCase('numbers are equal whatever their type', ({ Double, Long }) => [
    [{ age: 30n }, [1]],
    [{ age: new Double(30) }, [1]],
    [{ age: Long.fromNumber(30) }, [1]],
    [{ _id: { $in: [1n, new Double(2)] } as never }, [1, 2]],
  ]),
  filterCase('null is for what is null or missing', () => [
    [{ age: null }, [4, 5]],
    [{ age: { $ne: null } }, [1, 2, 3]],
    [{ age: { $type: 'null' } }, [4]],
  ]),
  filterCase('a path reaches below', () => [
    [{ 'address.city': 'Oslo' }, [1, 3]],
    [{ 'address.city': { $ne: 'Oslo' } }, [2, 4, 5]],
    [{ 'scores.n': 7 }, [4]],
    [{ 'scores.0.of': 9 }, [5]],
    [{ 'tags.1': 'b' }, [1]],
  ]),
  filterCase('a document is equal as a whole, in the order of its fields', () => [
    [{ address: { city: 'Oslo', zip: '1' } }, [1]],
    [{ address: { zip: '1', city: 'Oslo' } }, []],
    [{ address: { city: 'Oslo' } }, []],
  ]),
  filterCase('an array is found by an element and as a whole', () => [
    [{ tags: 'b' }, [1, 2]],
    [{ tags: ['b'] }, [2]],
    [{ tags: ['b', 'a'] }, []],
    [{ tags: [] }, [3]],
  ]),
  filterCase('comparisons', () => [
    [{ age: { $gt: 30 } }, [2, 3]],
    [{ age: { $gte: 30, $lt: 50 } }, [1, 2]],
    [{ age: { $lte: 40 } }, [1, 2]],
    [{ name: { $gt: 'Cid' } }, [2, 4, 5]],
    [{ age: { $ne: 30 } }, [2, 3, 4, 5]],
    [{ age: { $gt: '30' } }, []],
  ]),
  filterCase('$in and $nin', () => [
    [{ age: { $in: [30, 40, 99] } }, [1, 2]],
    [{ tags: { $in: ['a', 'c'] } }, [1, 4]],
    [{ age: { $in: [] } }, []],
    [{ age: { $nin: [30, null] } }, [2, 3]],
  ]),
  filterCase('$and, $or, $nor and $not', () => [
    [{ $and: [{ age: { $gt: 20 } }, { 'address.city': 'Oslo' }] }, [1, 3]],
    [{ $or: [{ age: 30 }, { name: 'Eve' }] }, [1, 5]],
    [{ $nor: [{ age: 30 }, { name: 'Eve' }] }, [2, 3, 4]],
    [{ age: { $not: { $gt: 30 } } }, [1, 4, 5]],
    [{ $or: [{ $and: [{ age: 30 }, { tags: 'a' }] }, { _id: 2 }] }, [1, 2]],
  ]),
  filterCase('$exists and $type', () => [
    [{ age: { $exists: true } }, [1, 2, 3, 4]],
    [{ age: { $exists: false } }, [5]],
    [{ age: { $type: 'double' } }, [3]],
    [{ age: { $type: ['int', 'null'] } }, [1, 2, 4]],
    [{ name: { $type: 2 } }, [1, 2, 3, 4, 5]],
  ]),
  filterCase('patterns', ({ BSONRegExp }) => [
    [{ name: /^[AC]/ }, [1, 3]],
    [{ name: /^b/i }, [2]],
    [{ name: new BSONRegExp('^e', 'i') }, [5]],
    [{ name: { $regex: '^d' } }, [4]],
    [{ name: { $regex: '^D', $options: 'i' } }, [4]],
    [{ name: { $regex: /^D/i } }, [4]],
    [{ tags: /^a/ }, [1]],
    [{ name: { $not: /^[A-Z]/ } }, [2, 4]],
    [{ name: { $in: [/^A/, 'bob'] } as never }, [1, 2]],
  ]),
  filterCase('a pattern beside another condition', () => [
    [{ name: { $regex: '^[A-C]', $ne: 'Ann' } }, [3]],
    [{ name: { $regex: 'o', $gt: 'c' } }, [4]],
  ]),
  filterCase('$mod, and bits', () => [
    [{ _id: { $mod: [2, 1] } }, [1, 3, 5]],
    [{ flags: { $bitsAllSet: 0b0010 } }, [5]],
    [{ flags: { $bitsAnyClear: [1, 2] } }, []],
    [{ flags: { $bitsAllClear: 0b1001 } }, [5]],
  ]),
  filterCase('$all, $size and $elemMatch', () => [
    [{ tags: { $all: ['b', 'a'] } }, [1]],
    [{ tags: { $size: 2 } }, [1, 4]],
    [{ tags: { $size: 0 } }, [3]],
    [{ scores: { $elemMatch: { n: 1, of: 9 } } }, [5]],
    [{ scores: { $elemMatch: { n: { $gt: 1 } } } }, [4]],
  ]),
  filterCase('$expr compares fields', () => [
    [{ $expr: { $gt: ['$age', 35] } }, [2, 3]],
    [{ $expr: { $eq: ['$_id', 2] } }, [2]],
  ]),
  {
    name: 'a filter that the server refuses is invalid',
    async run({ collection }) {
      await collection().insertOne({ _id: 1, a: 1 })
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await rejects(collection().findOne({ a: { $in: 5 } as never }), refused, '$in of a number')
      await rejects(collection().find({ $and: [] }).toArray(), refused, 'an empty $and')
      await rejects(collection().countDocuments({ a: { $size: -1 } }), refused, 'a $size below 0')
    },
  },
  {
    name: 'a collation says what is equal',
    async run({ collection }) {
      await collection().insertMany(people)
      const collation = { locale: 'en', strength: 2 } as const
      same((await collection().findOne({ name: 'ANN' }, { collation }))?._id, 1)
      equal(await collection().countDocuments({ name: 'BOB' }, { collation }), 1)
      equal(await collection().deleteOne({ name: 'BOB' }, { collation }), { deletedCount: 1 })
      const sorted = await collection()
        .find({}, { collation, sort: { name: -1 } })
        .toArray()
      equal(
        sorted.map(({ _id }) => _id),
        [5, 4, 3, 1],
      )
    },
  },
]

export const projections: readonly MongoCase[] = [
  {
    name: 'fields are chosen, or left out',
    async run({ collection }) {
      await collection().insertOne(people[0] as Row)
      const found = async (projection: Projection<Row>) =>
        await collection().findOne<unknown>({}, { projection })
      equal(await found({ name: 1 }), { _id: 1, name: 'Ann' })
      equal(await found({ name: 1, _id: 0 }), { name: 'Ann' })
      equal(await found({ name: true, age: true }), { _id: 1, name: 'Ann', age: 30 })
      equal(await found({ tags: 0, address: 0 }), { _id: 1, name: 'Ann', age: 30 })
      equal(await found({ _id: 1 }), { _id: 1 })
      equal(await found({ missing: 1 }), { _id: 1 })
      equal(await found({}), people[0])
    },
  },
  {
    name: 'fields below are chosen by path',
    async run({ collection }) {
      await collection().insertOne(people[0] as Row)
      const found = async (projection: Projection<Row>) =>
        await collection().findOne<unknown>({}, { projection })
      equal(await found({ 'address.city': 1, _id: 0 }), { address: { city: 'Oslo' } })
      equal(await found({ 'address.city': 0, name: 0, age: 0, tags: 0 }), {
        _id: 1,
        address: { zip: '1' },
      })
    },
  },
  {
    name: 'elements are chosen by $slice and $elemMatch',
    async run({ collection }) {
      await collection().insertOne(people[3] as Row)
      const found = async (projection: Projection<Row>) =>
        await collection().findOne<unknown>({}, { projection })
      equal(await found({ tags: { $slice: 1 }, scores: 0, name: 0, age: 0 }), {
        _id: 4,
        tags: ['c'],
      })
      equal(await found({ scores: { $elemMatch: { n: 7 } } }), {
        _id: 4,
        scores: [{ n: 7, of: 9 }],
      })
    },
  },
  {
    name: 'fields may be computed',
    async run({ collection }) {
      await collection().insertOne(people[0] as Row)
      const projection = { older: { $add: ['$age', 1] }, text: { $literal: '$age' } }
      equal<unknown>(await collection().findOne({}, { projection }), {
        _id: 1,
        older: 31,
        text: '$age',
      })
    },
  },
  {
    name: 'to choose and to leave out at once is invalid',
    async run({ collection }) {
      await collection().insertOne({ _id: 1, a: 1, b: 2 })
      await rejects(collection().findOne({}, { projection: { a: 1, b: 0 } }), {
        kind: 'invalid',
        outcome: 'not-applied',
      })
    },
  },
]

export const sorts: readonly MongoCase[] = [
  {
    name: 'by several fields, in the order of the keys',
    async run({ collection }) {
      await collection().insertMany([
        { _id: 1, a: 2, b: 1 },
        { _id: 2, a: 1, b: 1 },
        { _id: 3, a: 2, b: 2 },
        { _id: 4, a: 1, b: 2 },
      ])
      const found = async (sort: Record<string, 1 | -1>) =>
        (await collection().find({}, { sort }).toArray()).map(({ _id }) => _id)
      equal(await found({ a: 1, b: -1 }), [4, 2, 3, 1])
      equal(await found({ b: -1, a: 1 }), [4, 3, 2, 1])
      equal(await found({ _id: -1 }), [4, 3, 2, 1])
    },
  },
  {
    name: 'by what is below, and by the least of an array',
    async run({ collection }) {
      await collection().insertMany([
        { _id: 1, deep: { n: 2 }, list: [5, 3] },
        { _id: 2, deep: { n: 1 }, list: [4, 9] },
        { _id: 3, deep: { n: 3 }, list: [1, 7] },
      ])
      const found = async (sort: Record<string, 1 | -1>) =>
        (await collection().find({}, { sort }).toArray()).map(({ _id }) => _id)
      equal(await found({ 'deep.n': 1 }), [2, 1, 3])
      equal(await found({ list: 1 }), [3, 1, 2])
    },
  },
  {
    name: 'by type first, and numbers by their value',
    async run({ collection, bson }) {
      const ordered = [null, -1.5, 0, 2n, 2.5, 3, 'B', 'a', { a: 1 }, true, new Date(1)]
      await collection().insertMany(ordered.map((value, _id) => ({ _id, value })).toReversed())
      await collection().insertOne({ _id: 99, value: new bson.ObjectId() })
      const found = await collection()
        .find({}, { sort: { value: 1 } })
        .toArray()
      equal(
        found.map(({ _id }) => _id),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 99, 9, 10],
      )
    },
  },
  {
    name: 'a hint names the index to use',
    async run({ collection }) {
      await collection().insertMany(rows(3))
      const found = await collection()
        .find({}, { hint: '_id_', sort: { _id: 1 } })
        .toArray()
      equal(found, rows(3))
      equal(await collection().countDocuments({}, { hint: { _id: 1 } }), 3)
      await rejects(collection().findOne({}, { hint: 'no_such_index' }), { kind: 'invalid' })
    },
  },
]
