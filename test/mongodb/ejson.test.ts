import { isDeepStrictEqual } from 'node:util'
import * as bson from 'bson'
import {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'bson'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { settingsOf } from '../../adapters/mongodb/mongodb/settings.ts'
import { EjsonError, ejsonWith } from '../../src/mongodb/ejson.ts'

const client = ejsonWith(bson, 'number')
const gateway = ejsonWith(bson, 'Double')
/** The options with which the driver reads and writes BSON over TCP. */
const { useBigInt64, bsonRegExp, ignoreUndefined } = settingsOf({}).client
const tcp = {
  useBigInt64: useBigInt64!,
  bsonRegExp: bsonRegExp!,
  ignoreUndefined: ignoreUndefined!,
}
type Document = Record<string, unknown>
const serialize = (value: unknown) => Buffer.from(bson.serialize(value as Document, tcp))
const deserialize = (bytes: Uint8Array) => bson.deserialize(bytes, tcp)

const text = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
const noNul = text.filter((text) => !text.includes('\0'))
const uint32 = fc.nat(0xffff_ffff)
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const bytes = fc.uint8Array({ maxLength: 40 })
/** Keys that a query or an EJSON reader might take for something else, and what a stored document may have. */
const key = fc.oneof(
  noNul.filter((key) => !key.startsWith('$') && key !== '_bsontype'),
  fc.constantFrom('__proto__', 'constructor', 'a.b', '', 'toString', 'length', '0'),
)

const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.double(),
  fc.constantFrom(-0, 2 ** 31, -(2 ** 31) - 1, 3e10, 2 ** 53, 1e21, 5e-324),
  fc.double().map((value) => new Double(value)),
  fc.integer(),
  fc.integer().map((value) => new Int32(value)),
  fc.integer().map((value) => new Double(value)),
  int64,
  int64.map((value) => Long.fromBigInt(value)),
  fc
    .tuple(int64, fc.integer({ min: -6176, max: 6000 }))
    .map(([digits, exponent]) => Decimal128.fromString(`${digits}E${exponent}`)),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0', '1.10').map(Decimal128.fromString),
  text,
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((id) => new ObjectId(id)),
  bytes,
  fc
    .tuple(bytes, fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 128, 255))
    .map(([value, subType]) => new Binary(value, subType)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => new UUID(id)),
  fc
    .tuple(noNul, fc.subarray(['i', 'l', 'm', 's', 'u', 'x']))
    .map(([pattern, options]) => new BSONRegExp(pattern, options.join(''))),
  fc.constantFrom(/^a\/b\n"/i, /(?:)/m, /x/),
  fc.tuple(uint32, uint32).map(([t, i]) => new Timestamp({ t, i })),
  fc.constantFrom(new MinKey(), new MaxKey()),
  text.map((code) => new Code(code)),
)
const document = fc.letrec<{ value: unknown; document: Document }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('document'),
  ),
  document: fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map(withOwnKeys),
})).document

/** An own field even of the name `__proto__`. */
function withOwnKeys(fields: readonly (readonly [string, unknown])[]): Document {
  const result: Document = {}
  for (const [key, value] of fields) {
    Object.defineProperty(result, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    })
  }
  return result
}

describe('a document of any BSON values', () => {
  test('reaches the server as the bytes that TCP would have sent', () => {
    fc.assert(
      fc.property(document, (document) => {
        const received = gateway.read(client.write(document, 'ejson'))
        expect(serialize(received).equals(serialize(document))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('comes back as TCP would have given it, in types, values and bytes', () => {
    fc.assert(
      fc.property(document, (document) => {
        const stored = deserialize(serialize(document))
        const read = client.read(gateway.write(stored, 'ejson'))
        // Not `toStrictEqual`, which trips over a field of the name `constructor`.
        expect(isDeepStrictEqual(read, stored)).toBe(true)
        expect(serialize(read).equals(serialize(stored))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('is read from what bson’s own EJSON writes as well, canonical or relaxed', () => {
    fc.assert(
      fc.property(document, fc.boolean(), (document, relaxed) => {
        const stored = deserialize(serialize(document))
        const exact = bson.deserialize(serialize(document), {
          promoteValues: false,
          bsonRegExp: true,
        })
        const read = client.read(bson.EJSON.stringify(exact, { relaxed }))
        // Relaxed has no difference between a long and an int32.
        if (!relaxed) expect(serialize(read).equals(serialize(stored))).toBe(true)
        expect(Object.keys(read as Document)).toEqual(Object.keys(stored))
      }),
    )
  })
})

test('an absent field is not written, and a whole double stays a double only where it goes on', () => {
  expect(client.write({ a: undefined, b: 1 }, 'ejson')).toBe('{"b":{"$numberInt":"1"}}')
  const written = client.write({ a: new Double(3), b: 3e10, c: -0 }, 'ejson')
  expect(gateway.read(written)).toEqual({ a: new Double(3), b: new Double(3e10), c: -0 })
  expect(client.read(written)).toStrictEqual({ a: 3, b: 3e10, c: -0 })
})

test('what is no document of EJSON’s stays as it is', () => {
  for (const value of [
    { a: { $regex: 'x', $ne: 1 } },
    { $oid: '0123456789abcdef01234567', b: 1 },
    { a: { $gt: 1, $lt: 2 } },
    { $set: { a: 1 } },
    { a: { $type: 'int' } },
    { $date: { $gt: 1 }, x: 1 },
  ]) {
    expect(client.read(JSON.stringify(value))).toEqual(value)
  }
})

describe('plain JSON', () => {
  const plain =
    '{"int":7,"long":3000000000,"longer":9007199254740993,"huge":1e400,"point":1.0,"large":3.0e10,' +
    '"beyond":123456789012345680000000000000,"minus":-0.0,"half":0.5,"list":[1,2.0],"id":"6193504e1be4ab27791c8133"}'

  test('has longs without a point and doubles with one', () => {
    expect(client.read(plain)).toStrictEqual({
      int: 7,
      long: 3000000000n,
      longer: 9007199254740993n,
      huge: Infinity,
      point: 1,
      large: 3e10,
      beyond: 123456789012345680000000000000,
      minus: -0,
      half: 0.5,
      list: [1, 2],
      id: '6193504e1be4ab27791c8133',
    })
  })

  test('and the gateway passes its doubles on as doubles', () => {
    expect(gateway.read(plain)).toMatchObject({
      int: 7,
      long: 3000000000n,
      point: new Double(1),
      large: new Double(3e10),
      beyond: new Double(123456789012345680000000000000),
      list: [1, new Double(2)],
    })
  })

  test('any JSON of texts and booleans comes out as JSON.parse gives it', () => {
    const json = fc
      .jsonValue()
      .map((value) =>
        JSON.stringify(value, (_, inner) => (typeof inner === 'number' ? String(inner) : inner)),
      )
    fc.assert(
      fc.property(
        json.filter((json) => !json.includes('"$') && !json.includes('_bsontype')),
        (json) => isDeepStrictEqual(client.read(json), JSON.parse(json)),
      ),
    )
  })
})

describe('a text that is not Extended JSON', () => {
  const secret = 's3cret'
  const corrupt = [
    '',
    secret,
    `{"a":"${secret}"`,
    `{"a":${secret}}`,
    ...[
      { $oid: secret },
      { $oid: 5 },
      { $oid: null },
      { $numberInt: '2147483648' },
      { $numberInt: secret },
      { $numberInt: 1 },
      { $numberLong: '9223372036854775808' },
      { $numberLong: secret },
      { $numberDouble: secret },
      { $numberDouble: '' },
      { $numberDouble: '0x10' },
      { $numberDecimal: secret },
      { $numberDecimal: null },
      { $date: secret },
      { $date: { $numberLong: '8640000000000001' } },
      { $date: null },
      { $date: [] },
      { $binary: secret },
      { $binary: { base64: `${secret}!`, subType: '00' } },
      { $binary: { base64: 'AA==', subType: secret } },
      { $binary: { base64: 'AA==' } },
      { $binary: null },
      { $uuid: secret },
      { $uuid: 5 },
      { $uuid: null },
      { $uuid: {} },
      { $regularExpression: secret },
      { $regularExpression: { pattern: `${secret}\0`, options: '' } },
      { $regularExpression: { pattern: 'a', options: 'g' } },
      { $regularExpression: null },
      { $timestamp: secret },
      { $timestamp: { t: -1, i: 0 } },
      { $timestamp: { t: 1.5, i: 0 } },
      { $timestamp: { t: 2 ** 32, i: 0 } },
      { $timestamp: { t: 1 } },
      { $timestamp: null },
      { $minKey: 2 },
      { $maxKey: secret },
      { $code: 5 },
    ].map((value) => JSON.stringify({ [secret]: [value] })),
  ]

  test.each(corrupt)('%s', (text) => {
    for (const side of [client, gateway]) {
      const read = () => side.read(text)
      expect(read).toThrow(EjsonError)
      expect(read).not.toThrow(new RegExp(secret))
    }
  })

  test('cut anywhere', () => {
    const whole = client.write(
      { _id: new ObjectId(), secret, at: new Date(), list: [1, 2n, new Double(1)] },
      'ejson',
    )
    for (let length = 0; length < whole.length; length++) {
      const read = () => client.read(whole.slice(0, length))
      expect(read).toThrow(EjsonError)
      expect(read).not.toThrow(new RegExp(secret))
    }
  })

  test('with any wrapper around any value: a value or an EjsonError, nothing else', () => {
    const wrappers = ['oid', 'numberInt', 'numberLong', 'numberDouble', 'numberDecimal', 'date']
    const more = ['binary', 'uuid', 'regularExpression', 'timestamp', 'minKey', 'maxKey', 'code']
    const name = fc.constantFrom(...wrappers, ...more).map((name) => `$${name}`)
    const field = fc.constantFrom(
      'base64',
      'subType',
      'pattern',
      'options',
      't',
      'i',
      '$numberLong',
    )
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.dictionary(field, fc.jsonValue({ maxDepth: 1 })),
    )
    fc.assert(
      fc.property(name, value, (name, value) => {
        try {
          client.read(JSON.stringify({ [name]: value }))
        } catch (error) {
          expect(error).toBeInstanceOf(EjsonError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('depth', () => {
  const nested = (levels: number, core: string) =>
    `${'{"a":['.repeat(levels / 2)}${core}${']}'.repeat(levels / 2)}`

  test.each([
    '1',
    '1.0',
    '12345678901234567890',
    '{"$numberInt":"1"}',
  ])('10,000 levels around %s are an EjsonError and no overflow', (core) => {
    for (const levels of [10_000, 200_000]) {
      expect(() => client.read(nested(levels, core))).toThrow(/levels deep/)
      expect(() => gateway.read(nested(levels, core))).toThrow(EjsonError)
    }
  })

  test('100 levels, as deep as a document may be, are read', () => {
    expect(() => client.read(nested(100, '{"$numberInt":"1"}'))).not.toThrow()
  })
})

describe('names that JavaScript gives a meaning', () => {
  test('__proto__ is a field as any other, and changes no prototype', () => {
    const text =
      '{"__proto__":{"polluted":{"$numberInt":"1"}},"a":{"__proto__":[{"__proto__":1.0}]}}'
    for (const side of [client, gateway]) {
      const read = side.read(text) as Document
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
      expect(Object.keys(read)).toEqual(['__proto__', 'a'])
      expect(Object.getOwnPropertyDescriptor(read, '__proto__')?.value).toEqual({ polluted: 1 })
      expect(Object.keys(read.a as object)).toEqual(['__proto__'])
      expect(side.write(read, 'ejson')).toContain('"__proto__":{"polluted":{"$numberInt":"1"}}')
      expect('polluted' in read).toBe(false)
    }
    expect('polluted' in {}).toBe(false)
  })

  test.each([
    '{"_bsontype":"ObjectId","id":"x"}',
    '{"a":[{"b":{"_bsontype":null}}]}',
    '{"a":1.0,"_bsontype":{"$oid":"0123456789abcdef01234567"}}',
  ])('_bsontype is refused: %s', (text) => {
    expect(() => client.read(text)).toThrow(EjsonError)
    expect(() => gateway.read(text)).toThrow(EjsonError)
  })

  test('_bsontype of a stored document is written as the field that it is', () => {
    const stored = { _bsontype: 'ObjectId', toHexString: 'x' }
    expect(JSON.parse(gateway.write(stored, 'ejson'))).toEqual(stored)
  })
})
