import { equal, ok } from '../assert.ts'
import { type Bson, type MongoCase, type MongoFixture, not, same } from './fixture.ts'

interface Valued {
  readonly _id: number
  readonly value: unknown
}

/** What goes out, and what comes back for it. */
type Examples = (bson: Bson) => readonly (readonly [out: unknown, back: unknown])[]

const unchanged = (...values: unknown[]) => values.map((value) => [value, value] as const)

/** Each value goes out in a field, in an array and below a document, and is of the type in the end. */
function typeCase(name: string, type: string, examples: Examples): MongoCase {
  return {
    name,
    async run({ collection, bson }) {
      const values = collection<Valued>()
      for (const [_id, [out, back]] of examples(bson).entries()) {
        await values.insertOne({ _id, value: out })
        same(await values.findOne({ _id }), { _id, value: back }, `value ${_id}`)
        const isOfType = { _id, value: { $type: type } }
        equal(await values.countDocuments(isOfType), 1, `the ${type}s for value ${_id}`)
        const nested = { list: [out, { deep: [out] }], below: { it: out } }
        await values.replaceOne({ _id }, { value: nested })
        const all = { list: [back, { deep: [back] }], below: { it: back } }
        same(await values.findOne({ _id }), { _id, value: all }, `value ${_id}, nested`)
      }
    },
  }
}

export const values: readonly MongoCase[] = [
  typeCase('a number with a fraction is a double', 'double', () =>
    unchanged(1.5, -0.1, 1e-300, 1.7976931348623157e308, 5e-324),
  ),
  typeCase('a whole number beyond 32 bits is a double', 'double', () =>
    unchanged(2 ** 31, -(2 ** 31) - 1, 3e10, 2 ** 53 - 1, 2 ** 53, 1e21),
  ),
  typeCase('a Double is a double, whole or not', 'double', ({ Double }) => [
    [new Double(3), 3],
    [new Double(0.5), 0.5],
  ]),
  typeCase('minus zero keeps its sign', 'double', () => unchanged(-0)),
  typeCase('infinities and NaN are doubles', 'double', () =>
    unchanged(Infinity, -Infinity, Number.NaN),
  ),
  typeCase('a whole number of 32 bits is an int', 'int', ({ Int32 }) => [
    ...unchanged(0, 1, -1, 2 ** 31 - 1, -(2 ** 31)),
    [new Int32(7), 7],
  ]),
  typeCase('a bigint is a long, however small', 'long', ({ Long }) => [
    ...unchanged(0n, 7n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)),
    [Long.fromString('9007199254740993'), 9007199254740993n],
  ]),
  typeCase('a Decimal128 keeps its digits', 'decimal', ({ Decimal128 }) =>
    unchanged(
      ...['1.10', '-0.000001', '9999999999999999999999999999999999', '1E+6144', 'NaN'].map((text) =>
        Decimal128.fromString(text),
      ),
    ),
  ),
  typeCase('text is text, whatever is in it', 'string', () =>
    unchanged(
      '',
      'é 漢字 👩‍🚀',
      'a\0b',
      '"quoted" \\ \n\r\t',
      '\u2028\u2029\ufeff',
      '$set',
      '{"$oid":"1"}',
    ),
  ),
  typeCase('a long text is one piece', 'string', () => unchanged('0123456789'.repeat(100_000))),
  typeCase('true and false are booleans', 'bool', () => unchanged(true, false)),
  typeCase('null is null', 'null', () => unchanged(null)),
  typeCase('a Date keeps its milliseconds', 'date', () =>
    unchanged(
      new Date(0),
      new Date(1),
      new Date(-1),
      new Date('1901-12-13T20:45:51.999Z'),
      new Date('9999-12-31T23:59:59.999Z'),
    ),
  ),
  typeCase('an ObjectId is an ObjectId', 'objectId', ({ ObjectId }) =>
    unchanged(new ObjectId('6193504e1be4ab27791c8133'), new ObjectId('0'.repeat(24))),
  ),
  typeCase('a Binary keeps its bytes and its subtype', 'binData', ({ Binary }) =>
    unchanged(
      new Binary(new Uint8Array(0)),
      new Binary(Uint8Array.from({ length: 256 }, (_, i) => i)),
      new Binary(Uint8Array.of(1, 2, 3), 128),
      new Binary(Uint8Array.of(1, 2, 3), 5),
    ),
  ),
  typeCase('a Uint8Array comes back as a Binary', 'binData', ({ Binary }) => {
    const part = Uint8Array.of(9, 0, 255, 9).subarray(1, 3)
    return [
      [part, new Binary(Uint8Array.of(0, 255))],
      [new Uint8Array(0), new Binary(new Uint8Array(0))],
    ]
  }),
  typeCase('a UUID is a UUID', 'binData', ({ UUID }) =>
    unchanged(new UUID('c8edabc3-f738-4ca3-b68d-ab92a91478a3')),
  ),
  typeCase('a regular expression comes back as BSONRegExp', 'regex', ({ BSONRegExp }) => [
    [/^a.*"\/z$/, new BSONRegExp('^a.*"\\/z$', '')],
    [/a/im, new BSONRegExp('a', 'im')],
    [new BSONRegExp('a b', 'x'), new BSONRegExp('a b', 'x')],
  ]),
  typeCase('a Timestamp is a Timestamp', 'timestamp', ({ Timestamp }) =>
    unchanged(new Timestamp({ t: 1, i: 2 }), new Timestamp({ t: 4294967295, i: 4294967295 })),
  ),
  typeCase('MinKey is MinKey', 'minKey', ({ MinKey }) => unchanged(new MinKey())),
  typeCase('MaxKey is MaxKey', 'maxKey', ({ MaxKey }) => unchanged(new MaxKey())),
  typeCase('Code is Code', 'javascript', ({ Code }) => unchanged(new Code('return 1'))),
  typeCase('a document is a document', 'object', () =>
    unchanged({}, { a: {} }, { b: 1, a: { c: [{}] } }),
  ),
  {
    name: 'a UUID has the methods of one',
    async run({ collection, bson }) {
      const text = 'c8edabc3-f738-4ca3-b68d-ab92a91478a3'
      const values = collection<Valued>()
      await values.insertOne({ _id: 1, value: new bson.UUID(text) })
      const found = (await values.findOne())?.value as { toHexString(): string }
      equal(found.toHexString(), text)
    },
  },
  {
    name: 'arrays are arrays, empty and nested',
    async run({ collection }) {
      const values = collection<Valued>()
      const lists = [[], [[]], [[1, [2, [3]]], null, 'x', { a: [] }]]
      for (const [_id, value] of lists.entries()) await values.insertOne({ _id, value })
      equal(
        (await values.find({}, { sort: { _id: 1 } }).toArray()).map(({ value }) => value),
        lists,
      )
    },
  },
  {
    name: 'fields keep their order',
    async run({ collection }) {
      const values = collection<Valued>()
      const value = { z: 1, a: 2, m: { y: 1, b: 2 }, _id: 3, '': 4 }
      await values.insertOne({ _id: 1, value })
      equal(JSON.stringify(await values.findOne()), JSON.stringify({ _id: 1, value }))
    },
  },
  {
    name: 'a field that is undefined is not written',
    async run({ collection }) {
      const values = collection<Valued>()
      await values.insertOne(not({ _id: 1, value: { a: undefined, b: 1 }, gone: undefined }))
      equal(await values.findOne(), { _id: 1, value: { b: 1 } })
    },
  },
  {
    name: 'names that objects have by themselves are names like any other',
    async run({ collection }) {
      const values = collection<Valued>()
      const value = {
        constructor: 1,
        prototype: 2,
        toString: 3,
        hasOwnProperty: 4,
        length: 5,
        valueOf: { toString: 6 },
        '': 7,
        ' ': 8,
        'é"\n\\': 9,
        a$b: 10,
      }
      await values.insertOne({ _id: 1, value })
      const found = await values.findOne()
      equal(Object.entries(found?.value as object), Object.entries(value))
    },
  },
  {
    name: 'objects of classes and without a prototype are documents',
    async run({ collection }) {
      class Point {
        readonly x = 1
        get y() {
          return 2
        }
      }
      const bare = Object.assign(Object.create(null), { a: 1 })
      const values = collection<Valued>()
      await values.insertOne({ _id: 1, value: [new Point(), bare] })
      equal(await values.findOne(), { _id: 1, value: [{ x: 1 }, { a: 1 }] })
    },
  },
  {
    name: 'what comes back belongs to the caller',
    async run({ collection }) {
      const values = collection<{ _id: number; value: number[] }>()
      const value = [1]
      await values.insertOne({ _id: 1, value })
      value.push(2)
      const found = await values.findOne()
      found?.value.push(3)
      equal(await values.findOne(), { _id: 1, value: [1] })
    },
  },
  {
    name: 'a document of 90 levels is whole',
    async run({ collection }) {
      const values = collection<Valued>()
      let value: unknown = 'the end'
      for (let i = 0; i < 89; i++) value = i % 2 === 0 ? { value } : [value]
      await values.insertOne({ _id: 1, value })
      equal(await values.findOne(), { _id: 1, value })
    },
  },
  {
    name: 'a document of almost 16 MB is whole',
    async run({ collection, mongodb }) {
      const values = collection<Valued>()
      const { maxDocumentBytes } = mongodb.capabilities
      const value = new Uint8Array(maxDocumentBytes - 1024)
      for (let i = 0; i < value.length; i += 4096) value[i] = i >> 12
      await values.insertOne({ _id: 1, value }, { timeoutMs: 15_000 })
      const found = await values.findOne({ _id: 1 }, { timeoutMs: 15_000 })
      const { buffer } = found?.value as { buffer: Uint8Array }
      // Not `equal`, which would print megabytes.
      ok(buffer.length === value.length, `${buffer.length} bytes came back`)
      ok(
        buffer.every((byte, i) => byte === value[i]),
        'other bytes came back',
      )
    },
  },
  {
    name: 'values of every type are found by what they are',
    async run(fixture) {
      const values = fixture.collection<Valued>()
      const wanted = sought(fixture)
      for (const [_id, value] of wanted.entries()) await values.insertOne({ _id, value })
      for (const [_id, value] of wanted.entries()) {
        const found = await values.find({ value: value as never }).toArray()
        equal(
          found.map((row) => row._id),
          [_id],
          `those with value ${_id}`,
        )
      }
    },
  },
]

function sought({ bson }: MongoFixture): unknown[] {
  return [
    1,
    2n ** 53n + 1n,
    2.5,
    'text',
    true,
    new Date(1),
    new bson.ObjectId('6193504e1be4ab27791c8133'),
    new bson.UUID('c8edabc3-f738-4ca3-b68d-ab92a91478a3'),
    new bson.Binary(Uint8Array.of(1)),
    Uint8Array.of(2),
    { a: 1 },
    new bson.Timestamp({ t: 1, i: 2 }),
  ]
}
