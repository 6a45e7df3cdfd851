import type { CqlValue } from '../../scylladb/index.ts'
import { equal, rejects } from '../assert.ts'
import { type Column, not, type ScyllaCase, type ScyllaFixture } from './fixture.ts'

const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e'
const timeuuid = '8a1c7c9c-cb8f-11f0-8de9-0242ac120002'
const bytes = new Uint8Array([0, 1, 127, 128, 255])
const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

async function write({ scylladb, k }: ScyllaFixture, n: number, column: Column, value: CqlValue) {
  const cql = `INSERT INTO dualport_types (k, n, ${column}) VALUES (?, ?, ?)`
  await scylladb.execute(cql, [k, n, value])
}

async function read({ scylladb, k }: ScyllaFixture, n: number, column: Column) {
  const cql = `SELECT ${column} FROM dualport_types WHERE k = ? AND n = ?`
  return (await scylladb.one(cql, [k, n]))[column]
}

/** What is written is what is read, in each direction. */
function roundTrip(name: string, column: Column, values: readonly CqlValue[]): ScyllaCase {
  return {
    name,
    async run(fixture) {
      for (const [n, value] of values.entries()) {
        await write(fixture, n, column, value)
        equal(await read(fixture, n, column), value, `${column} ${n}`)
      }
    },
  }
}

/** What is written differently is read in one way. */
function canonical(
  name: string,
  column: Column,
  pairs: readonly (readonly [CqlValue, CqlValue])[],
): ScyllaCase {
  return {
    name,
    async run(fixture) {
      for (const [n, [given, expected]] of pairs.entries()) {
        await write(fixture, n, column, given)
        equal(await read(fixture, n, column), expected, `${column} ${n}`)
      }
    },
  }
}

export const values: readonly ScyllaCase[] = [
  roundTrip('tinyint is a number of 8 bits', 'c_tinyint', [0, 1, -1, 127, -128]),
  roundTrip('smallint is a number of 16 bits', 'c_smallint', [0, 32_767, -32_768]),
  roundTrip('int is a number of 32 bits', 'c_int', [0, 2 ** 31 - 1, -(2 ** 31)]),
  roundTrip('bigint is exact to its last bit', 'c_bigint', [
    ...[0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 32n, 2n ** 63n - 1n, -(2n ** 63n)],
  ]),
  roundTrip('varint is a bigint of any size', 'c_varint', [
    ...[0n, 1n, -1n, 127n, 128n, -128n, -129n, 255n, 256n, 32_767n, 32_768n, -32_769n],
    ...[2n ** 64n, -(2n ** 64n), 10n ** 60n, -(10n ** 60n)],
  ]),
  canonical('integers may be given as number or bigint', 'c_int', [
    [7, 7],
    [7n, 7],
    [-(2n ** 31n), -(2 ** 31)],
  ]),
  canonical('a bigint may be given as a whole number', 'c_bigint', [
    [7, 7n],
    [-(2 ** 53) + 1, -(2n ** 53n) + 1n],
  ]),
  roundTrip('decimal keeps its digits, also the zeros', 'c_decimal', [
    ...['0', '1.10', '-1.10', '-0.001', '123456789012345678901234567890.123456789', '0.00'],
    '1E+1000',
  ]),
  canonical('decimal is read as one would write it', 'c_decimal', [
    ['+1.5', '1.5'],
    ['007', '7'],
    ['-0', '0'],
    ['1.5e2', '15E+1'],
    ['15e-1', '1.5'],
  ]),
  roundTrip('double is a number, also one that is none', 'c_double', [
    ...[0, -0, 0.1, Math.PI, Number.MAX_VALUE, Number.MIN_VALUE],
    ...[Number.NaN, Infinity, -Infinity],
  ]),
  canonical('float is the nearest of 32 bits', 'c_float', [
    [1.5, 1.5],
    [0.1, Math.fround(0.1)],
    [-0, -0],
    [Infinity, Infinity],
  ]),
  roundTrip('text is text, of any characters', 'c_text', [
    ...['', 'a', "it's", '"quoted"', 'äöü €', '漢字', '\u{1f600}', '\0\x01\n', '?:name$$--/*'],
    'x'.repeat(100_000),
  ]),
  roundTrip('ascii is text', 'c_ascii', ['', 'abc', '\0~\x7f']),
  roundTrip('boolean is a boolean', 'c_boolean', [true, false]),
  roundTrip('timestamp is a Date, to the millisecond', 'c_timestamp', [
    ...[new Date(0), new Date('2026-11-28T12:34:56.789Z'), new Date(-1)],
    ...[new Date('0001-01-01T00:00:00Z'), new Date(8.64e15), new Date(-8.64e15)],
  ]),
  roundTrip('date is a text, of any year that the type has', 'c_date', [
    ...['1970-01-01', '2026-11-28', '2024-02-29', '0001-01-01', '0000-12-31', '-0044-03-15'],
    ...['9999-12-31', '+10000-01-01', '+5881580-07-11', '-5877641-06-23'],
  ]),
  roundTrip('time is a text, to the nanosecond', 'c_time', [
    ...['00:00:00', '12:34:56', '23:59:59.999999999', '00:00:00.000000001', '01:00:00.5'],
  ]),
  canonical('time is read without zeros at the end', 'c_time', [['12:00:00.500', '12:00:00.5']]),
  roundTrip('duration is a text as CQL writes it', 'c_duration', [
    ...['1y2mo3d4h5m6s7ms8us9ns', '-1mo', '11mo', '23h59m59s999ms', '1d', '24h', '0s'],
    ...['178956970y7mo', '2562047h47m16s854ms775us807ns', '2147483647d'],
  ]),
  canonical('duration is read in its largest units', 'c_duration', [
    ['14mo', '1y2mo'],
    ['2w', '14d'],
    ['90m', '1h30m'],
    ['1000ns', '1us'],
    ['5µs', '5us'],
    ['0ns', '0s'],
  ]),
  roundTrip('uuid is a text', 'c_uuid', [uuid, '00000000-0000-0000-0000-000000000000']),
  canonical('uuid is read in lower case', 'c_uuid', [[uuid.toUpperCase(), uuid]]),
  roundTrip('timeuuid is a text', 'c_timeuuid', [timeuuid]),
  roundTrip('inet is a text, of either kind', 'c_inet', [
    ...['192.0.2.1', '0.0.0.0', '255.255.255.255', '::', '::1', '1::', '2001:db8::1'],
    ...['fe80::1:0:0:1', '2001:db8:1:2:3:4:5:6'],
  ]),
  canonical('inet is read as short as it can be', 'c_inet', [
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ]),
  roundTrip('blob is bytes', 'c_blob', [bytes, new Uint8Array(), new Uint8Array(70_000).fill(7)]),
  roundTrip('list is an array in its order', 'c_list', [[3, 1, 2, 1], [0]]),
  roundTrip('set is a Set, sorted', 'c_set', [new Set(['a', 'b', 'c']), new Set([''])]),
  canonical('set has each once', 'c_set', [[new Set(['b', 'a']), new Set(['a', 'b'])]]),
  roundTrip('map is a Map, sorted by its keys', 'c_map', [
    new Map([
      ['', 0n],
      ['__proto__', -(2n ** 63n)],
      ['b', 2n],
    ]),
  ]),
  roundTrip('a frozen collection may be empty', 'c_frozen', [['1.10', '2'], []]),
  roundTrip('tuple is an array, with null for what is not there', 'c_tuple', [
    [1, 'a', '2026-11-28'],
    [null, '', null],
    [null, null, null],
  ]),
  roundTrip('a user-defined type is an object', 'c_place', [
    { city: 'Bern', level: 3, tags: new Set(['x', 'y']) },
    { city: null, level: 0, tags: null },
  ]),
  canonical('of a user-defined type, fields that are not given are null', 'c_place', [
    [{ level: 1 }, { city: null, level: 1, tags: null }],
    [
      { city: undefined, level: 1 },
      { city: null, level: 1, tags: null },
    ],
  ]),
  roundTrip('vector is an array of numbers', 'c_vector', [
    [1, 2.5, -3],
    [0, 0, 0],
  ]),
  roundTrip('vector may be of another type', 'c_words', [
    ['', 'x'.repeat(200)],
    ['a', 'x'.repeat(20_000)],
  ]),
  roundTrip('collections hold collections', 'c_deep', [
    new Map([
      [
        uuid,
        [
          ['192.0.2.1', new Set([new Uint8Array([1]), bytes.slice(1)])],
          [null, null],
        ],
      ],
    ]),
  ]),
  {
    name: 'null is null, of every type',
    async run(fixture) {
      const { scylladb, k } = fixture
      await scylladb.execute('INSERT INTO dualport_types (k, n) VALUES (?, 1)', [k])
      const row = await scylladb.one('SELECT * FROM dualport_types WHERE k = ?', [k])
      equal(new Set(Object.values({ ...row, k: null, n: null })), new Set([null]))
    },
  },
  {
    name: 'null deletes, and undefined leaves as it is',
    async run(fixture) {
      const { scylladb, k } = fixture
      const cql = 'INSERT INTO dualport_types (k, n, c_int, c_text) VALUES (?, 1, ?, ?)'
      await scylladb.execute(cql, [k, 1, 'a'])
      await scylladb.execute(cql, [k, undefined, 'b'])
      equal([await read(fixture, 1, 'c_int'), await read(fixture, 1, 'c_text')], [1, 'b'])
      await scylladb.execute(cql, [k, null, undefined])
      equal([await read(fixture, 1, 'c_int'), await read(fixture, 1, 'c_text')], [null, 'b'])
    },
  },
  {
    name: 'a collection that is empty and not frozen is null',
    async run(fixture) {
      await write(fixture, 1, 'c_list', [])
      equal(await read(fixture, 1, 'c_list'), null)
      await write(fixture, 1, 'c_set', new Set())
      equal(await read(fixture, 1, 'c_set'), null)
      await write(fixture, 1, 'c_map', new Map())
      equal(await read(fixture, 1, 'c_map'), null)
    },
  },
  {
    name: 'what the server computes has its types, too',
    async run(fixture) {
      const { scylladb, k } = fixture
      await write(fixture, 1, 'c_text', 'a')
      const row = await scylladb.one(
        `SELECT count(*) AS all, max(n) AS most, writetime(c_text) AS written
          FROM dualport_types WHERE k = ?`,
        [k],
      )
      equal([row.all, row.most, typeof row.written], [1n, 1, 'bigint'])
    },
  },
]

const object = { a: 1 }
/** What is no value of a type, although a driver or server might take it for one. */
const misfits: Readonly<Partial<Record<Column, readonly unknown[]>>> = {
  c_tinyint: [128, -129, 1.5, '1', true, 2n ** 64n, Number.NaN, [1], object],
  c_smallint: [32_768, -32_769, '1'],
  c_int: [2 ** 31, -(2 ** 31) - 1, 0.5, '1', true, Infinity, new Date(0), new Uint8Array(4)],
  c_bigint: [2n ** 63n, -(2n ** 63n) - 1n, 2 ** 53, 0.5, '1', new Uint8Array(8)],
  c_varint: [2 ** 53, 0.5, '1', true],
  c_decimal: [1.5, 1n, '', 'x', '1,5', '1.', '.5', '0x10', '1E+99999999999', ' 1'],
  c_float: ['1.5', 1n, true],
  c_double: ['1.5', 1n, true, new Date(0)],
  c_text: [1, 1n, true, new Date(0), new Uint8Array(1), ['a'], object],
  c_ascii: ['é', 1],
  c_boolean: [0, 1, 'true', ''],
  c_timestamp: [0, 0n, '2026-11-28T00:00:00Z'],
  c_date: [...['2026-02-30', '2026-13-01', '26-1-1', '2026-11-28T00:00:00Z'], new Date(0), 0],
  c_time: ['24:00:00', '12:60:00', '12:00', '12:00:00.1234567890', 0, new Date(0)],
  c_duration: ['', '-', '1', 'P1D', '1h1d', '1h1h', '2147483648d', '1x', 1, 1n],
  c_uuid: ['', 'x', uuid.replaceAll('-', ''), `{${uuid}}`, new Uint8Array(16)],
  c_timeuuid: ['x', 1],
  c_inet: ['', '1.2.3', '256.0.0.1', 'localhost', 'fe80::1%eth0', '192.0.2.1/24', 1],
  c_blob: ['00', [0], 1, new Uint16Array(1)],
  c_list: [new Set([1]), ['1'], [null], [undefined], [1.5], { 0: 1 }, 'ab', new Uint8Array(4)],
  c_set: [['a'], new Set([1]), new Set([null]), new Map()],
  c_map: [{ a: 1n }, new Map([['a', '1']]), new Map([[1, 1n]]), new Map([['a', null]])],
  c_frozen: [[1], [null]],
  c_tuple: [[1, 'a'], [1, 'a', '2026-11-28', 1], ['1', 'a', null], object],
  c_place: [object, { level: '1' }, [], new Map(), 'Bern'],
  c_vector: [[1, 2], [1, 2, 3, 4], [1, 2, null], ['1', '2', '3'], new Float32Array(3)],
  c_words: [['a'], ['a', 1]],
}

export const refusals: readonly ScyllaCase[] = [
  ...Object.entries(misfits).map(
    ([column, wrong]): ScyllaCase => ({
      name: `${column.slice(2)}: what is no value of it is refused before it is written`,
      async run(fixture) {
        const { scylladb, k } = fixture
        for (const [n, value] of wrong.entries()) {
          const writing = write(fixture, n, column as Column, not(value))
          await rejects(writing, refused, `${column} ${n}`)
        }
        const { rows } = await scylladb.execute('SELECT n FROM dualport_types WHERE k = ?', [k])
        equal(rows, [])
      },
    }),
  ),
  {
    name: 'what is no value of any type is refused',
    async run(fixture) {
      const deep: unknown[] = []
      let inner = deep
      for (let i = 0; i < 200; i++) inner = inner[inner.push([]) - 1] as unknown[]
      const wrong = [
        () => 1,
        Symbol('a'),
        new Date(Number.NaN),
        'a\ud800',
        new (class A {})(),
        deep,
      ]
      for (const [n, value] of wrong.entries()) {
        await rejects(write(fixture, n, 'c_text', not(value)), refused, `value ${n}`)
      }
    },
  },
  {
    name: 'the message says which parameter it was, and not what was in it',
    async run({ scylladb, k }) {
      const cql = 'INSERT INTO dualport_types (k, n, c_int) VALUES (?, ?, ?)'
      const { message } = await rejects(scylladb.execute(cql, [k, 1, 'a secret']), refused)
      equal(message, 'scylladb INSERT: parameter 3 (c_int) is no int')
    },
  },
]
