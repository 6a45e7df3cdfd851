import type { Collection, Document } from '../../mongodb/index.ts'
import { equal, rejects } from '../assert.ts'
import { collectLines } from '../collect.ts'
import { type Bson, type MongoCase, not } from './fixture.ts'

type Calls = Record<string, () => unknown>

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

interface Any extends Document {
  readonly _id: unknown
}

/** Every call is `invalid` before anything is sent, and the collection is as it was: with one document in it. */
function invalidCase(name: string, calls: (all: Collection<Any>, bson: Bson) => Calls): MongoCase {
  return {
    name,
    async run({ create, bson }) {
      const { lines, logger } = collectLines()
      const unique = `dualport-test-${crypto.randomUUID()}`
      const all = create({ logger }).database().collection<Any>(unique)
      await all.insertOne({ _id: 1, a: 1 })
      for (const [what, call] of Object.entries(calls(all, bson))) {
        await rejects(call, refused, what)
        equal(lines.pop()?.record.attempts, 0, `${what}: the attempts`)
      }
      equal<unknown>(await all.find().toArray(), [{ _id: 1, a: 1 }])
      await all.deleteMany({})
    },
  }
}

/** The same bad value wherever a document, a filter or an update takes one. */
function everywhere(all: Collection<Any>, value: unknown): Calls {
  const document = not<Document>(value)
  return {
    insertOne: () => all.insertOne(not(document)),
    insertMany: () => all.insertMany([{ _id: 2 }, not(document)]),
    replaceOne: () => all.replaceOne({ _id: 1 }, document),
    findOneAndReplace: () => all.findOneAndReplace({ _id: 1 }, document),
    bulkWrite: () => all.bulkWrite([{ insertOne: { document: not(document) } }]),
    'a replaceOne of bulkWrite': () =>
      all.bulkWrite([{ replaceOne: { filter: {}, replacement: document } }]),
    $set: () => all.updateOne({ _id: 1 }, { $set: { 'x.y': document } }),
    $push: () => all.updateOne({ _id: 1 }, not({ $push: { list: { $each: [document] } } })),
    'a filter': () => all.findOne({ x: document as never }),
    $in: () => all.find({ x: { $in: [document] } }).next(),
    'a count': () => all.countDocuments({ $or: [{ x: document as never }] }),
    deleteMany: () => all.deleteMany({ x: { $ne: document } }),
    distinct: () => all.distinct('a', { x: document as never }),
  }
}

const parsed = (text: string) => JSON.parse(text) as Document

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = wrap(value)
  return value
}

export const validation: readonly MongoCase[] = [
  invalidCase('what is no object is no document', (all, { ObjectId }) => {
    const values = [undefined, null, 7, 'text', [], [{ a: 1 }], new Date(0), () => 1, new Map()]
    return Object.fromEntries(
      [...values, new ObjectId(), /a/, new Uint8Array(1)].flatMap((value, i) => [
        [`insertOne ${i}`, () => all.insertOne(not(value))],
        [`insertMany ${i}`, () => all.insertMany([not(value)])],
        [`replaceOne ${i}`, () => all.replaceOne({}, not(value))],
        [
          `findOne ${i}`,
          () => (value === undefined ? all.insertOne(not(0)) : all.findOne(not(value))),
        ],
        [`deleteMany ${i}`, () => all.deleteMany(not(value))],
        [`updateOne ${i}`, () => all.updateOne(not(value), { $set: { a: 2 } })],
      ]),
    )
  }),
  invalidCase('a key that begins with $ is not stored', (all) => ({
    ...everywhere(all, { $nonsense: 1 }),
    'on top': () => all.insertOne({ _id: 2, $a: 1 }),
    'a $set of one': () => all.updateOne({ _id: 1 }, { $set: { $a: 1 } as never }),
    'what looks like Extended JSON': () => all.insertOne({ _id: 2, a: { $numberLong: '1' } }),
    'what looks like a reference': () => all.insertOne({ _id: 2, a: { $ref: 'other', $id: 1 } }),
  })),
  invalidCase('a key with a dot is not stored', (all) => ({
    insertOne: () => all.insertOne({ _id: 2, 'a.b': 1 }),
    below: () => all.insertOne({ _id: 2, a: [{ 'b.c': 1 }] }),
    replaceOne: () => all.replaceOne({ _id: 1 }, { 'a.b': 1 }),
    'below $set': () => all.updateOne({ _id: 1 }, { $set: { 'a.b': { 'c.d': 1 } } }),
  })),
  invalidCase('__proto__ is no key', (all) => ({
    ...everywhere(all, parsed('{"__proto__":{"polluted":true}}')),
    'on top': () => all.insertOne(not(parsed('{"_id":2,"__proto__":1}'))),
    'of a filter': () => all.findOne(not(parsed('{"__proto__":1}'))),
    'of an update': () => all.updateOne({}, not(parsed('{"__proto__":{"a":1}}'))),
    'in $set': () => all.updateOne({}, { $set: parsed('{"__proto__":1}') as never }),
    $match: () => all.aggregate([{ $match: parsed('{"__proto__":1}') }]).toArray(),
    'on a path': () => all.updateOne({}, { $set: { 'a.__proto__.b': 1 } }),
    'on a path of a filter': () => all.findOne({ '__proto__.a': 1 }),
    'of a sort': () => all.find({}, { sort: not(parsed('{"__proto__":1}')) }).next(),
    'of a projection': () => all.findOne({}, { projection: not(parsed('{"__proto__":1}')) }),
    'and no object has it': async () => {
      equal(({} as Document).polluted, undefined)
      return all.insertOne(not(0))
    },
  })),
  invalidCase('a key with a NUL, and text that is not Unicode', (all) => ({
    'a NUL': () => all.insertOne({ _id: 2, 'a\0b': 1 }),
    'a NUL in a filter': () => all.findOne({ 'a\0b': 1 }),
    'half a character': () => all.insertOne({ _id: 2, a: 'x\ud800' }),
    'half a character in a key': () => all.insertOne({ _id: 2, '\ud800': 1 }),
    'half a character in a filter': () => all.findOne({ a: '\udc00' }),
    'half a character in a list': () => all.insertOne({ _id: 2, a: ['\ud800'] }),
  })),
  invalidCase('what BSON has no type for is not stored', (all, { Code, Double }) => {
    const values: unknown[] = [
      Symbol('s'),
      () => 1,
      new Map([['a', 1]]),
      new Set([1]),
      new Date(Number.NaN),
      2n ** 63n,
      -(2n ** 63n) - 1n,
      new ArrayBuffer(1),
      new Float64Array(1),
      /a/g,
      /a/u,
      new Error('e'),
      Promise.resolve(1),
      new Code('return a', { a: 1 }),
      { toBSON: () => new Double(1) },
      { _bsontype: 'Nonsense' },
      { _bsontype: 'ObjectId', id: 'of somebody' },
    ]
    return Object.fromEntries(
      values.flatMap((value, i) => [
        [`value ${i}`, () => all.insertOne({ _id: 2, value })],
        [`value ${i} in a list`, () => all.insertOne({ _id: 2, list: [value] })],
        [`value ${i} in a filter`, () => all.findOne({ value: value as never })],
      ]),
    )
  }),
  invalidCase('undefined in a filter, an update or a list is not left out in silence', (all) => ({
    'a filter': () => all.findOne({ a: undefined }),
    'a filter to delete by': () => all.deleteMany({ a: undefined }),
    'a comparison': () => all.find({ a: { $gt: undefined } }).next(),
    'an alternative': () => all.countDocuments({ $or: [{ a: undefined }] }),
    'a list': () => all.insertOne({ _id: 2, a: [1, undefined] }),
    'a list with a gap': () => all.insertOne({ _id: 2, a: Array(2) }),
    $in: () => all.findOne({ a: { $in: [undefined] } }),
    $set: () => all.updateOne({}, { $set: { a: undefined } }),
    'a stage': () => all.aggregate([{ $match: { a: undefined } }]).next(),
  })),
  invalidCase('10,000 levels', (all) => ({
    ...everywhere(
      all,
      nested(10_000, (a) => ({ a })),
    ),
    'of lists': () => all.insertOne({ _id: 2, a: nested(10_000, (a) => [a]) }),
    'of alternatives': () =>
      all.findOne(not(nested(10_000, (inner) => ({ $or: [inner === 1 ? { a: 1 } : inner] })))),
    'of a pipeline': () =>
      all.aggregate([{ $project: { a: nested(10_000, (inner) => ({ $abs: inner })) } }]).next(),
  })),
  invalidCase('101 levels, and rings', (all) => {
    const ring: Document = {}
    ring.ring = ring
    const list: unknown[] = []
    list.push(list)
    return {
      '101 levels': () => all.insertOne(not({ _id: 2, a: nested(100, (a) => ({ a })) })),
      'a ring': () => all.insertOne({ _id: 2, ring }),
      'a ring of lists': () => all.insertOne({ _id: 2, list }),
      'a ring in a filter': () => all.findOne({ a: ring as never }),
    }
  }),
  invalidCase('a document of more than 16 MB', (all) => {
    const half = 'x'.repeat(2 ** 23)
    // 6 MB of UTF-16, and 18 MB of UTF-8.
    const wide = '漢'.repeat(6 * 2 ** 20)
    const bytes = new Uint8Array(2 ** 24)
    return {
      text: () => all.insertOne({ _id: 2, half, other: half }),
      'text of three bytes a character': () => all.insertOne({ _id: 2, wide }),
      bytes: () => all.insertOne({ _id: 2, bytes }),
      'one of several': () => all.insertMany([{ _id: 2 }, { _id: 3, bytes }]),
      replaceOne: () => all.replaceOne({ _id: 1 }, { bytes }),
      $set: () => all.updateOne({ _id: 1 }, { $set: { 'a.b': bytes } }),
      'a filter': () => all.findOne({ a: bytes as never }),
      bulkWrite: () => all.bulkWrite([{ insertOne: { document: { _id: 2, bytes } } }]),
      'many numbers': () => all.insertOne({ _id: 2, list: new Array(2 ** 21).fill(1.5) }),
    }
  }),
  invalidCase('an update that is none, and a replacement that is an update', (all) => ({
    'no operator': () => all.updateOne({}, not({ a: 2 })),
    'operators and fields': () => all.updateMany({}, not({ $set: { a: 2 }, b: 1 })),
    'an empty update': () => all.updateOne({}, {}),
    'no update': () => all.updateOne({}, not(undefined)),
    'an update of text': () => all.findOneAndUpdate({}, not('a')),
    'a pipeline of text': () => all.updateOne({}, not(['$set'])),
    'operators for replaceOne': () => all.replaceOne({}, not({ $set: { a: 2 } })),
    'operators for findOneAndReplace': () => all.findOneAndReplace({}, not({ $set: { a: 2 } })),
    'a pipeline for replaceOne': () => all.replaceOne({}, not([{ $set: { a: 2 } }])),
    'in bulkWrite': () => all.bulkWrite([{ updateOne: { filter: {}, update: not({ a: 2 }) } }]),
  })),
  invalidCase('an unknown option', (all) => ({
    find: () => all.find({}, not({ limt: 1 })).next(),
    findOne: () => all.findOne({}, not({ limit: 1 })),
    insertOne: () => all.insertOne({ _id: 2 }, not({ ordered: true })),
    insertMany: () => all.insertMany([{ _id: 2 }], not({ orderd: false })),
    updateOne: () => all.updateOne({}, { $set: { a: 2 } }, not({ upsrt: true })),
    replaceOne: () => all.replaceOne({}, { a: 2 }, not({ arrayFilters: [] })),
    deleteOne: () => all.deleteOne({}, not({ limit: 1 })),
    findOneAndUpdate: () =>
      all.findOneAndUpdate({}, { $set: { a: 2 } }, not({ returnOriginal: false })),
    findOneAndDelete: () => all.findOneAndDelete({}, not({ returnDocument: 'after' })),
    aggregate: () => all.aggregate([], not({ explain: true })).next(),
    countDocuments: () => all.countDocuments({}, not({ sort: {} })),
    estimatedDocumentCount: () => all.estimatedDocumentCount(not({ limit: 1 })),
    distinct: () => all.distinct('a', {}, not({ limit: 1 })),
    bulkWrite: () => all.bulkWrite([{ deleteOne: { filter: {} } }], not({ order: true })),
    'a write of bulkWrite': () => all.bulkWrite([{ deleteOne: not({ filter: {}, limit: 1 }) }]),
    createIndex: () => all.createIndex({ a: 1 }, not({ uniqe: true })),
    listIndexes: () => all.listIndexes(not({ batchSize: 1 })),
    'options that are no object': () => all.findOne({}, not('fast')),
  })),
  invalidCase('an option of the wrong kind', (all) => ({
    'skip -1': () => all.find({}, { skip: -1 }).next(),
    'skip 1.5': () => all.findOne({}, { skip: 1.5 }),
    'limit -1': () => all.find({}, { limit: -1 }).next(),
    'limit as text': () => all.countDocuments({}, { limit: not('5') }),
    'batchSize 0': () => all.find({}, { batchSize: 0 }).next(),
    'batchSize NaN': () => all.aggregate([], { batchSize: Number.NaN }).next(),
    'sort as text': () => all.find({}, { sort: not('a') }).next(),
    'projection as a list': () => all.findOne({}, { projection: not(['a']) }),
    'upsert as text': () => all.updateOne({}, { $set: { a: 2 } }, { upsert: not('yes') }),
    'ordered 1': () => all.insertMany([{ _id: 2 }], { ordered: not(1) }),
    'returnDocument of the driver': () =>
      all.findOneAndUpdate({}, { $set: { a: 2 } }, { returnDocument: not('updated') }),
    'arrayFilters of text': () =>
      all.updateOne({}, { $set: { a: 2 } }, { arrayFilters: not(['a']) }),
    'an empty hint': () => all.findOne({}, { hint: '' }),
    'a collation of text': () => all.findOne({}, { collation: not('en') }),
    'an empty name': () => all.createIndex({ a: 1 }, { name: '' }),
    'unique as text': () => all.createIndex({ a: 1 }, { unique: not('yes') }),
    'no keys': () => all.createIndex({}),
    'keys of text': () => all.createIndex(not('a')),
    'a key of distinct that is none': () => all.distinct(''),
    'a number for a key of distinct': () => all.distinct(not<string>(1)),
  })),
  invalidCase('nothing to write, and what is no list', (all) => ({
    'no documents': () => all.insertMany([]),
    'documents that are no list': () => all.insertMany(not({ _id: 2 })),
    'no writes': () => all.bulkWrite([]),
    'writes that are no list': () => all.bulkWrite(not({ deleteOne: { filter: {} } })),
    'an empty write': () => all.bulkWrite([not({})]),
    'no write': () => all.bulkWrite([not(null)]),
    'an unknown write': () => all.bulkWrite([not({ upsertOne: { filter: {} } })]),
    'two in one': () =>
      all.bulkWrite([not({ deleteOne: { filter: {} }, deleteMany: { filter: {} } })]),
    'a write without a filter': () => all.bulkWrite([not({ deleteMany: {} })]),
    'a pipeline that is none': () => all.aggregate(not({ $match: {} })).next(),
    'a stage that is none': () => all.aggregate([not('$match')]).next(),
  })),
  invalidCase('a timeoutMs, signal or correlationId of the wrong kind', (all) => ({
    'timeoutMs 0': () => all.insertOne({ _id: 2 }, { timeoutMs: 0 }),
    'timeoutMs NaN': () => all.insertOne({ _id: 2 }, { timeoutMs: Number.NaN }),
    'timeoutMs beyond a timer': () => all.findOne({}, { timeoutMs: 2 ** 31 }),
    'timeoutMs as text': () => all.find({}, { timeoutMs: not('5') }).next(),
    'signal that is none': () => all.insertOne({ _id: 2 }, { signal: not({ aborted: false }) }),
    'correlationId with a line break': () =>
      all.insertOne({ _id: 2 }, { correlationId: 'a\r\nx-header: b' }),
    'an empty correlationId': () => all.insertOne({ _id: 2 }, { correlationId: '' }),
    'a number for a correlationId': () => all.aggregate([], { correlationId: not(5) }).next(),
  })),
  {
    name: 'names that no database and no collection can have',
    async run({ mongodb }) {
      const database = mongodb.database()
      const bad = ['', 'a\0b', '\ud800', 'x'.repeat(300), not<string>(7), not<string>(null)]
      for (const name of [...bad, 'a b', 'a.b', 'a/b', 'a$b', 'x'.repeat(64)]) {
        await rejects(async () => mongodb.database(name), refused, `database ${name}`)
      }
      for (const name of [...bad, '$cmd', 'a$b', '.a', 'a.', 'a..b']) {
        await rejects(async () => database.collection(name), refused, `collection ${name}`)
      }
      equal(database.collection('a.b-c_d é').name, 'a.b-c_d é')
    },
  },
]

export const operators: readonly MongoCase[] = [
  invalidCase('scripts are not allowed', (all) => ({
    $where: () => all.findOne(not({ $where: 'true' })),
    'below $or': () => all.deleteMany({ $or: [not({ $where: 'true' })] }),
    $function: () => all.findOne({ $expr: { $function: { body: 'x', args: [], lang: 'js' } } }),
    'in a pipeline': () => all.aggregate([{ $match: { $expr: { $function: {} } } }]).toArray(),
    $accumulator: () => all.aggregate([{ $group: { _id: 1, a: { $accumulator: {} } } }]).toArray(),
    'in an update by pipeline': () => all.updateOne({}, [{ $set: { a: { $function: {} } } }]),
    'in a projection': () => all.findOne({}, { projection: { a: { $function: {} } } }),
    'in a filter of bulkWrite': () =>
      all.bulkWrite([{ deleteMany: { filter: not({ $where: 'true' }) } }]),
  })),
  invalidCase('what is no operator is not sent to see what becomes of it', (all) => ({
    'of a filter': () => all.findOne({ a: { $foo: 1 } as never }),
    'on top of a filter': () => all.findOne(not({ $foo: 1 })),
    'an update’s in a filter': () => all.findOne({ a: { $set: 1 } as never }),
    'of an update': () => all.updateOne({}, not({ $foo: { a: 1 } })),
    'a filter’s in an update': () => all.updateOne({}, not({ $gt: { a: 1 } })),
    'below $push': () => all.updateOne({}, not({ $push: { a: { $each: [1], $foo: 1 } } })),
    'in a filter of arrayFilters': () =>
      all.updateOne({}, { $set: { 'a.$[x]': 1 } }, { arrayFilters: [{ x: { $foo: 1 } }] }),
    'in a partial index': () =>
      all.createIndex({ a: 1 }, { partialFilterExpression: { a: { $foo: 1 } } }),
  })),
  {
    name: 'the message names a known operator, and no other',
    async run({ collection }) {
      const known = await rejects(collection().findOne(not({ $where: 'a' })), refused)
      equal(known.message, 'mongodb findOne: the operator $where is not allowed')
      const other = await rejects(collection().findOne(not({ $password: 'a' })), refused)
      equal(other.message, 'mongodb findOne: an operator is not allowed')
    },
  },
  {
    name: 'a client may forbid more',
    async run({ create }) {
      const client = create({ operators: { deny: ['$regex', '$lookup', '$inc'] } })
      const all = client.database().collection('never-made')
      await rejects(all.findOne({ a: { $regex: 't' } }), refused, 'a filter')
      await rejects(all.find({ $or: [{ a: { $regex: 't' } }] }).next(), refused, 'below')
      await rejects(all.updateOne({}, { $inc: { 'a.b': 1 } }), refused, 'an update')
      const $lookup = { from: 'other', localField: 'a', foreignField: 'a', as: 'b' }
      await rejects(all.aggregate([{ $lookup }]).next(), refused, 'a stage')
      await rejects(all.aggregate([{ $facet: { b: [{ $lookup }] } }]).next(), refused, 'deep below')
    },
  },
]
