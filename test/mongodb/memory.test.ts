import {
  Binary,
  Decimal128,
  Double,
  EJSON,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'bson'
import fc from 'fast-check'
import type { MongoClient } from 'mongodb'
import { afterAll, describe, expect, test } from 'vitest'
import { memory } from '../../adapters/mongodb/memory.ts'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { isInfraError } from '../../src/core/index.ts'
import {
  type Collection,
  type Document,
  MongoDB,
  type ServerError,
} from '../../src/mongodb/index.ts'
import { failure } from '../chaos/failure.ts'
import { engine, needs } from '../engines/index.ts'

type Row = Document & { _id: unknown }

const open = (options = {}) => new MongoDB(memory(options), { logger: false })
const fresh = <T extends object = Row>(options = {}) =>
  open(options).database().collection<T>('rows')

const codeOf = async (work: Promise<unknown>) => ((await failure(work)).native as ServerError).code

describe('what is stored', () => {
  test('is a copy, and so is what comes back', async () => {
    const rows = fresh()
    const bytes = new Binary(Uint8Array.of(1, 2))
    const row = { _id: 1, list: [{ a: 1 }], at: new Date(5), bytes }
    await rows.insertOne(row)
    row.list[0]!.a = 9
    row.at.setTime(9)
    bytes.buffer[0] = 9
    const found = (await rows.findOne()) as typeof row
    expect(found).toEqual({
      _id: 1,
      list: [{ a: 1 }],
      at: new Date(5),
      bytes: new Binary(Uint8Array.of(1, 2)),
    })
    found.list.push({ a: 2 })
    expect((await rows.findOne())?.list).toEqual([{ a: 1 }])
  })

  test('is shared by the clients of one driver, and by no others', async () => {
    const driver = memory({ database: 'app' })
    const [one, other] = [new MongoDB(driver), new MongoDB(driver)]
    await one.database().collection<Row>('rows').insertOne({ _id: 1 })
    expect(await other.database('app').collection('rows').countDocuments()).toBe(1)
    expect(await other.database('test').collection('rows').countDocuments()).toBe(0)
    expect(await fresh().countDocuments()).toBe(0)
  })

  test('knows its type: an int32 grows into an int64, a double does not', async () => {
    const rows = fresh()
    const most = 2 ** 31 - 1
    await rows.insertOne({
      _id: 1,
      int: most,
      double: new Double(most),
      long: 1n,
      int2: new Int32(1),
    })
    await rows.updateOne({}, { $inc: { int: 1, double: 1, long: 1, int2: 1 } } as never)
    expect(await rows.findOne()).toEqual({
      _id: 1,
      int: 2n ** 31n,
      double: 2 ** 31,
      long: 2n,
      int2: 2,
    })
    expect(await codeOf(rows.updateOne({}, { $inc: { long: Long.MAX_VALUE } } as never))).toBe(2)
  })

  test('is calculated with in decimals without loss', async () => {
    const rows = fresh()
    await rows.insertOne({ _id: 1, price: Decimal128.fromString('0.10') })
    await rows.updateOne({}, { $inc: { price: Decimal128.fromString('0.20') } } as never)
    await rows.updateOne({}, { $mul: { price: 3 } } as never)
    expect(String((await rows.findOne())?.price)).toBe('0.90')
  })
})

describe('the order of values', () => {
  const ordered = [
    new MinKey(),
    [],
    null,
    Number.NaN,
    -1.5,
    0,
    Decimal128.fromString('0.1'),
    0.1,
    2n ** 53n,
    2n ** 53n + 1n,
    Decimal128.fromString('1E+40'),
    Number.POSITIVE_INFINITY,
    '',
    'a',
    '\uffee',
    '\u{1f600}',
    {},
    { a: 1 },
    { a: 1, b: 1 },
    { b: 0 },
    { a: 'x' },
    new Binary(Uint8Array.of(9)),
    new Binary(Uint8Array.of(1, 1)),
    new UUID('c8edabc3-f738-4ca3-b68d-ab92a91478a3'),
    new ObjectId('000000000000000000000001'),
    new ObjectId('000000000000000000000002'),
    false,
    true,
    new Date(-1),
    new Date(1),
    Timestamp.fromBits(2, 1),
    Timestamp.fromBits(1, 2),
    new MaxKey(),
  ]

  const places = [...ordered.keys()]

  test('is that of BSON, across all types', async () => {
    const rows = fresh()
    const shuffled = ordered.map((v, _id) => ({ _id, v })).reverse()
    await rows.insertMany(shuffled)
    const found = await rows.find({}, { sort: { v: 1 } }).toArray()
    expect(found.map(({ _id }) => _id)).toEqual(places)
    const back = await rows.find({}, { sort: { v: -1 } }).toArray()
    // Of an array that is empty nothing is the greatest.
    expect(back.map(({ _id }) => _id)).toEqual(places.toReversed())
  })

  test('does not mix types in comparisons', async () => {
    const rows = fresh()
    await rows.insertMany(ordered.map((v, _id) => ({ _id, v })))
    expect(await rows.countDocuments({ v: { $gt: 0 } })).toBe(6)
    expect(await rows.countDocuments({ v: { $lt: 'b' } })).toBe(2)
    expect(await rows.countDocuments({ v: { $gte: new Date(0) } })).toBe(1)
    expect(await rows.countDocuments({ v: { $type: 'number' } })).toBe(9)
  })

  test('takes equal numbers of all types for one', async () => {
    const rows = fresh()
    await rows.insertMany(
      [5, 5n, new Double(5), Decimal128.fromString('5.0')].map((v) => ({ v }) as never),
    )
    for (const v of [5, 5n, Decimal128.fromString('50E-1')]) {
      expect(await rows.countDocuments({ v })).toBe(4)
    }
    expect(await rows.distinct('v')).toEqual([5])
    expect(await rows.aggregate([{ $group: { _id: '$v', n: { $sum: 1 } } }]).toArray()).toEqual([
      { _id: 5, n: 4 },
    ])
    await rows.insertOne({ _id: 7 })
    expect(await codeOf(rows.insertOne({ _id: 7n }))).toBe(11000)
  })
})

describe('unique indexes', () => {
  test('hold over several fields, array elements and null', async () => {
    const rows = fresh()
    await rows.createIndex({ a: 1, tags: 1 }, { unique: true })
    await rows.insertMany([
      { _id: 1, a: 1, tags: ['x', 'y'] },
      { _id: 2, a: 2, tags: ['x'] },
      { _id: 3 },
    ])
    const error = await failure(rows.insertOne({ _id: 4, a: 1n, tags: ['z', 'y'] }))
    expect(error).toMatchObject({ kind: 'conflict', outcome: 'not-applied' })
    expect(error.message).toContain('duplicate key in index a_1_tags_1')
    expect(await codeOf(rows.insertOne({ _id: 4, a: null }))).toBe(11000)
    expect(await codeOf(rows.updateOne({ _id: 2 }, { $set: { a: 1 } } as never))).toBe(11000)
    expect(await codeOf(rows.insertOne({ _id: 4, a: [1, 2], tags: [3, 4] }))).toBe(171)
    await rows.deleteOne({ _id: 1 })
    await rows.insertOne({ _id: 4, a: 1, tags: ['z', 'y'] })
    await rows.updateOne({ _id: 4 }, { $set: { tags: ['w'] } } as never)
    await rows.insertOne({ _id: 5, a: 1, tags: ['z'] })
  })

  test('leave out what a sparse or partial one does not cover', async () => {
    const rows = fresh()
    await rows.createIndex({ a: 1 }, { unique: true, sparse: true })
    await rows.createIndex({ b: 1 }, { unique: true, partialFilterExpression: { b: { $gt: 10 } } })
    await rows.insertMany([
      { _id: 1, b: 1 },
      { _id: 2, b: 1 },
      { _id: 3, a: null, b: 11 },
    ])
    expect(await codeOf(rows.insertOne({ _id: 4, a: null }))).toBe(11000)
    expect(await codeOf(rows.insertOne({ _id: 4, b: 11 }))).toBe(11000)
  })

  test('cannot be made over duplicates, nor with other options', async () => {
    const rows = fresh()
    await rows.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 1 },
    ])
    expect(await codeOf(rows.createIndex({ a: 1 }, { unique: true }))).toBe(11000)
    expect(await rows.createIndex({ a: 1 })).toBe('a_1')
    expect(await rows.createIndex({ a: 1 })).toBe('a_1')
    expect(await codeOf(rows.createIndex({ b: 1 }, { name: 'a_1' }))).toBe(86)
    expect(await codeOf(rows.createIndex({ a: 1 }, { name: 'other' }))).toBe(85)
    expect((await rows.listIndexes()).map(({ name }) => name)).toEqual(['_id_', 'a_1'])
  })
})

test('what expires goes by the clock', async () => {
  let now = 1_000_000
  const rows = fresh({ clock: () => now })
  await rows.createIndex({ at: 1 }, { expireAfterSeconds: 60 })
  await rows.insertMany([{ _id: 1, at: new Date(now) }, { _id: 2, at: 'never' }, { _id: 3 }])
  now += 59_999
  expect(await rows.countDocuments()).toBe(3)
  now += 1
  expect(await rows.distinct('_id')).toEqual([2, 3])
})

test('a cursor sees what was there when it began, and is gone once it is closed', async () => {
  const rows = fresh()
  await rows.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }])
  const cursor = rows.find({}, { batchSize: 2 })
  expect((await cursor.next()).value).toEqual({ _id: 1 })
  await rows.deleteMany({})
  expect(await cursor.toArray()).toEqual([{ _id: 2 }, { _id: 3 }])
})

describe('updates', () => {
  const refused: [string, Document, number][] = [
    ['a field below a number', { $set: { 'n.a': 1 } }, 28],
    ['a name in an array', { $set: { 'list.a': 1 } }, 28],
    ['the same field twice', { $set: { n: 1 }, $inc: { n: 1 } }, 40],
    ['a field and what is below it', { $set: { o: 1, 'o.a': 1 } }, 40],
    ['another _id', { $set: { _id: 2 } }, 66],
    ['no _id', { $unset: { _id: '' } }, 66],
    ['an empty name', { $set: { 'a..b': 1 } }, 56],
    ['a text plus one', { $inc: { text: 1 } }, 14],
    ['a push to a number', { $push: { n: 1 } }, 2],
    ['a pop from a number', { $pop: { n: 1 } }, 14],
    ['a place that nothing has matched', { $set: { 'list.$': 1 } }, 2],
    ['an identifier without a filter', { $set: { 'list.$[x]': 1 } }, 2],
  ]
  test.each(refused)('%s is refused, and changes nothing', async (_, update, code) => {
    const rows = fresh()
    const row = { _id: 1, n: 1, text: 'a', list: [1], o: { a: 1 } }
    await rows.insertOne(row)
    expect(await codeOf(rows.updateOne({}, update as never))).toBe(code)
    expect(await rows.findOne()).toEqual(row)
  })

  test('reach elements by `$`, `$[]` and filters, also nested', async () => {
    const rows = fresh()
    const groups = [{ marks: [1, 5] }, { marks: [7, 2] }]
    await rows.insertOne({ _id: 1, groups, list: [1, 2, 3] })
    await rows.updateOne({ list: 2 }, { $set: { 'list.$': 9 } } as never)
    await rows.updateOne({}, { $inc: { 'groups.$[].marks.$[high]': 10 } } as never, {
      arrayFilters: [{ high: { $gte: 5 } }],
    })
    expect(await rows.findOne()).toEqual({
      _id: 1,
      groups: [{ marks: [1, 15] }, { marks: [17, 2] }],
      list: [1, 9, 3],
    })
  })

  test('make new fields in the order of their names', async () => {
    const rows = fresh()
    await rows.insertOne({ _id: 1 })
    await rows.updateOne({}, { $set: { c: 1, a: 1 }, $inc: { b: 1 } } as never)
    expect(Object.keys((await rows.findOne()) ?? {})).toEqual(['_id', 'a', 'b', 'c'])
  })
})

test.each<[string, Document[], unknown[]]>([
  [
    'parts of a date, also of none',
    [{ $project: { year: { $year: '$at' } } }],
    [
      { _id: 1, year: 2024 },
      { _id: 2, year: null },
    ],
  ],
  [
    'what is missing, in a text',
    [{ $project: { text: { $toUpper: '$s' } } }],
    [
      { _id: 1, text: 'AB' },
      { _id: 2, text: '' },
    ],
  ],
  [
    'elements of an array',
    [
      { $project: { list: { $map: { input: '$list', in: { $add: ['$$this', 1] } } } } },
      { $limit: 1 },
    ],
    [{ _id: 1, list: [2, 3n] }],
  ],
  [
    'buckets, but for empty ones',
    [{ $bucket: { groupBy: '$n', boundaries: [0, 5, 8, 10], output: { sum: { $sum: '$n' } } } }],
    [
      { _id: 5, sum: 5 },
      { _id: 8, sum: 9n },
    ],
  ],
  [
    'a join with conditions',
    [
      {
        $lookup: {
          from: 'rows',
          let: { mine: '$n' },
          pipeline: [{ $match: { $expr: { $lt: ['$n', '$$mine'] } } }, { $project: { _id: 1 } }],
          as: 'less',
        },
      },
      { $project: { less: 1 } },
    ],
    [
      { _id: 1, less: [] },
      { _id: 2, less: [{ _id: 1 }] },
    ],
  ],
])('a pipeline evaluates %s', async (_, pipeline, expected) => {
  const rows = fresh()
  await rows.insertMany([
    { _id: 1, n: 5, list: [1, 2n], at: new Date('2024-03-01T10:00:00Z'), s: 'Ab' },
    { _id: 2, n: 9n },
  ])
  expect(await rows.aggregate(pipeline).toArray()).toEqual(expected)
})

test('a pipeline calculates with every type of number', async () => {
  const rows = fresh()
  await rows.insertMany([
    { _id: 1, n: 2n ** 40n, p: Decimal128.fromString('1.10') },
    { _id: 2, n: 1, p: 2 },
  ])
  const [result] = await rows
    .aggregate([
      { $set: { twice: { $multiply: ['$n', 2] } } },
      { $group: { _id: null, n: { $sum: '$twice' }, p: { $sum: '$p' }, most: { $max: '$n' } } },
    ])
    .toArray()
  expect(result).toEqual({
    _id: null,
    n: 2n ** 41n + 2n,
    p: Decimal128.fromString('3.10'),
    most: 2n ** 40n,
  })
})

test.each([
  ['a text search', (rows: Collection<Row>) => rows.findOne({ $text: { $search: 'a' } }), '$text'],
  [
    'a geographic search',
    (rows: Collection<Row>) => rows.findOne({ a: { $near: [0, 0] } } as never),
    '$near',
  ],
  [
    'a stage of the server',
    (rows: Collection<Row>) => rows.aggregate([{ $indexStats: {} }]).toArray(),
    '$indexStats',
  ],
  [
    'a square root of a decimal',
    (rows: Collection<Row>) => rows.aggregate([{ $set: { a: { $sqrt: '$p' } } }]).toArray(),
    '$sqrt of decimals',
  ],
])('%s is unsupported, by its name', async (_, run, name) => {
  const rows = fresh()
  await rows.insertOne({ _id: 1, p: Decimal128.fromString('4') })
  const error = await failure(run(rows))
  expect(error).toMatchObject({ kind: 'unsupported', outcome: 'not-applied' })
  expect(error.message).toContain(name)
})

const server = await engine('mongodb')

describe('what a server does, memory does', needs(server), () => {
  if (server.missing !== undefined) {
    test('with random documents, filters and updates', () => {})
    return
  }
  const name = `dualport-memory-${crypto.randomUUID().slice(0, 8)}`
  const real = new MongoDB(mongodb({ url: server.url, database: name }), { logger: false })
  afterAll(async () => {
    await (await (real.native() as Promise<MongoClient>)).db(name).dropDatabase()
    await real.close()
  })

  const scalar = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(0.5, -1.5, 1n, 3n, 2n ** 40n),
    fc.constantFrom('a', 'b', 'ab', ''),
    fc.constantFrom(true, false, null, new Date(5)),
  )
  const value = fc.oneof(
    { weight: 4, arbitrary: scalar },
    fc.array(scalar, { minLength: 1, maxLength: 3 }),
    fc.record({ x: scalar, y: scalar }, { requiredKeys: [] }),
    fc.array(fc.record({ x: scalar, y: scalar }, { requiredKeys: [] }), {
      minLength: 1,
      maxLength: 2,
    }),
  )
  const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'b.y')
  const row = fc.record({ a: value, b: value, c: value }, { requiredKeys: [] })
  const condition = fc.oneof(
    fc.record({ $eq: scalar }),
    fc.record({ $ne: scalar }),
    fc.record({ $gt: scalar }),
    fc.record({ $gte: scalar }),
    fc.record({ $lt: scalar }),
    fc.record({ $lte: scalar }),
    fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ $nin: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ $exists: fc.boolean() }),
    fc.record({ $size: fc.nat(3) }),
    fc.record({ $all: fc.array(scalar, { minLength: 1, maxLength: 2 }) }),
    fc.record({ $elemMatch: fc.record({ $gt: scalar }) }),
    fc.record({ $type: fc.constantFrom('int', 'long', 'double', 'string', 'array', 'object') }),
    fc.record({ $not: fc.record({ $gt: scalar }) }),
    fc.record({ $regex: fc.constantFrom('a', '^b') }),
    scalar,
  )
  const simple = fc.tuple(path, condition).map(([key, one]): Document => ({ [key]: one }))
  const filter = fc.oneof(
    simple,
    fc
      .tuple(
        fc.constantFrom('$and', '$or', '$nor'),
        fc.array(simple, { minLength: 1, maxLength: 2 }),
      )
      .map(([key, all]): Document => ({ [key]: all })),
  )
  const operand = fc.oneof(
    fc.record({ $set: fc.tuple(path, value).map(([key, one]) => ({ [key]: one })) }),
    fc.record({ $unset: path.map((key) => ({ [key]: '' })) }),
    fc.record({
      $inc: fc.tuple(path, fc.constantFrom(1, 0.5, 1n)).map(([key, by]) => ({ [key]: by })),
    }),
    fc.record({
      $mul: fc.tuple(path, fc.constantFrom(2, 0.5)).map(([key, by]) => ({ [key]: by })),
    }),
    fc.record({ $max: fc.tuple(path, scalar).map(([key, one]) => ({ [key]: one })) }),
    fc.record({ $push: fc.tuple(path, scalar).map(([key, one]) => ({ [key]: one })) }),
    fc.record({ $addToSet: fc.tuple(path, scalar).map(([key, one]) => ({ [key]: one })) }),
    fc.record({ $pop: path.map((key) => ({ [key]: 1 })) }),
    fc.record({ $pull: fc.tuple(path, scalar).map(([key, one]) => ({ [key]: one })) }),
  )
  /** None is within another, which FerretDB does not refuse. */
  const apart = fc.constantFrom('a.x', 'b', 'c', '_id')
  const projection = fc.oneof(
    fc.dictionary(apart, fc.constant(1), { maxKeys: 2, minKeys: 1 }),
    fc.dictionary(apart, fc.constant(0), { maxKeys: 2, minKeys: 1 }),
  )
  /** What a user gets: the reply, or the kind of error. */
  const told = (work: Promise<unknown>) =>
    work.catch((error: unknown) => {
      if (!isInfraError(error)) throw error
      return error.kind
    })

  test('with random documents and filters', async () => {
    const property = async (rows: Document[], where: Document, direction: 1 | -1) => {
      // FerretDB finds null below what cannot have fields, and takes one of several for none of them.
      fc.pre(!/"\w\.\w.*(null|\$ne|\$nin|\$not|\$nor)|\$nor.*"\w\.\w/.test(EJSON.stringify(where)))
      const numbered = rows.map((one, _id) => ({ _id, ...one }))
      const [expected, actual] = await Promise.all(
        [real, open()].map(async (client) => {
          const all = client.database().collection<Row>('found')
          await all.deleteMany({})
          await all.insertMany(numbered)
          return Promise.all([
            told(all.find(where as never, { sort: { _id: 1 } }).toArray()),
            told(all.find({}, { sort: { c: direction, _id: 1 } as never }).toArray()),
          ])
        }),
      )
      expect(actual).toEqual(expected)
    }
    const rows = fc.array(row, { minLength: 1, maxLength: 6 })
    await fc.assert(fc.asyncProperty(rows, filter, fc.constantFrom(1, -1), property), {
      numRuns: 200,
    })
  })

  test('with random updates and projections', async () => {
    const property = async (one: Document, update: Document, chosen: Document) => {
      const [expected, actual] = await Promise.all(
        [real, open()].map(async (client) => {
          const all = client.database().collection<Row>('updated')
          await all.deleteMany({})
          await all.insertOne({ _id: 1, ...one })
          const reply = await told(all.updateOne({ _id: 1 }, update as never))
          return [
            reply,
            await all.findOne(),
            await told(all.findOne({}, { projection: chosen as never })),
          ]
        }),
      )
      expect(actual).toEqual(expected)
    }
    await fc.assert(fc.asyncProperty(row, operand, projection, property), {
      numRuns: 200,
    })
  })
})
