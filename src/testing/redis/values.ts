import { equal, rejects } from '../assert.ts'
import { bytesOf, type RedisCase } from './fixture.ts'

/** Stored under a key each, read back alone and together: text is text, whatever it looks like. */
function textCase(name: string, texts: readonly string[]): RedisCase {
  return {
    name,
    async run({ redis, key }) {
      const keys = texts.map((_, i) => key(`text-${i}`))
      for (const [i, text] of texts.entries()) {
        equal(await redis.set(keys[i] as string, text), true)
        equal(await redis.get(keys[i] as string), text, 'get')
      }
      equal(await redis.mget(keys), [...texts], 'mget')
    },
  }
}

export const values: readonly RedisCase[] = [
  textCase('text comes back as it was written', ['on', 'two words', ' spaces around ', '\t']),
  textCase('text of any script and in any normal form comes back as it was written', [
    'Grüße',
    'καλημέρα',
    'שלום',
    '漢字かな',
    'e\u0301 is not \u00e9',
    '\u2028\u2029\u200b\u200d',
  ]),
  textCase('emoji beyond the basic plane survive', ['😀', '👩‍👩‍👧‍👦', '🏳️‍🌈', '\u{10ffff}']),
  textCase('text that looks like JSON stays text', [
    '{"a":1}',
    '[1,2]',
    '"quoted"',
    'null',
    'true',
    '{"result":"OK"}',
    '{"error":"ERR no"}',
    '\\u0041',
  ]),
  textCase('text that looks like a number stays text, digit by digit', [
    '007',
    '1e3',
    '+1',
    '-0',
    '0.10',
    '12345678901234567890',
    'NaN',
    'Infinity',
  ]),
  textCase('text that looks like base64 stays text', ['T0s=', 'QUJD', 'aGVsbG8gd29ybGQ=', '====']),
  textCase('text that looks like a server reply stays text', [
    'OK',
    'QUEUED',
    '(nil)',
    '+OK\r\n',
    '-ERR no',
    '$3\r\nabc\r\n',
    ':1',
  ]),
  textCase('line breaks and control characters survive', [
    '\n',
    '\r\n',
    'a\rb',
    '\u0001\u001f\u007f',
  ]),
  textCase('a NUL does not end the text', ['\0', 'before\0after']),
  textCase('a byte order mark is kept', ['\ufeff', '\ufefftext', 'in the \ufeff middle']),
  {
    name: 'a missing key reads as null',
    async run({ redis, key }) {
      equal(await redis.get(key()), null, 'get')
      equal(await redis.getBytes(key()), null, 'getBytes')
      equal(await redis.getDel(key()), null, 'getDel')
      equal(await redis.strlen(key()), 0, 'strlen')
      equal(await redis.exists(key()), 0, 'exists')
      equal(await redis.type(key()), 'none', 'type')
      equal(await redis.del(key()), 0, 'del')
    },
  },
  {
    name: 'an empty value is a value, not a missing one',
    async run({ redis, key }) {
      await redis.set(key(), '')
      equal(await redis.get(key()), '', 'get')
      equal(await redis.getBytes(key()), new Uint8Array(0), 'getBytes')
      equal(await redis.mget([key(), key('none')]), ['', null], 'mget')
      equal(await redis.exists(key()), 1, 'exists')
      equal(await redis.strlen(key()), 0, 'strlen')
      equal(await redis.getDel(key()), '', 'getDel')
    },
  },
  {
    name: 'numbers are stored in decimal and read back as text',
    async run({ redis, key }) {
      for (const number of [0, 42, -1, 1.5, 0.1 + 0.2, Number.MAX_SAFE_INTEGER, 1e21, 5e-324]) {
        await redis.set(key(), number)
        equal(await redis.get(key()), String(number))
      }
    },
  },
  {
    name: 'a bigint is stored with all its digits',
    async run({ redis, key }) {
      for (const number of [0n, -(2n ** 63n), 2n ** 53n + 1n, 10n ** 40n]) {
        await redis.set(key(), number)
        equal(await redis.get(key()), String(number))
      }
    },
  },
  {
    name: 'text can be read as its UTF-8 bytes',
    async run({ redis, key }) {
      await redis.set(key(), 'Grüße 😀')
      equal(await redis.getBytes(key()), bytesOf('Grüße 😀'))
      equal(await redis.mgetBytes([key(), key('none')]), [bytesOf('Grüße 😀'), null])
    },
  },
  {
    name: 'any text is a key',
    async run({ redis, key }) {
      const names = [
        '',
        ' ',
        'ключ',
        '😀',
        'a b\r\nc',
        '\0',
        '../?a=1&b=%2f#',
        '__proto__',
        '*',
        '"\\',
      ]
      const keys = [...names, 'long'.repeat(500)].map((name) => key(name))
      for (const [i, each] of keys.entries()) await redis.set(each, i)
      equal(
        await redis.mget(keys),
        keys.map((_, i) => String(i)),
      )
      equal(await redis.exists(keys), keys.length)
    },
  },
  {
    name: 'a value of 1 MB survives, as text and as bytes',
    async run({ redis, key }) {
      const text = 'kilobyte: 😀'.padEnd(1022, '.').repeat(1024)
      await redis.set(key(), text)
      const reply = await redis.get(key())
      equal(reply === text, true, `get, ${reply?.length} of ${text.length} characters`)
      equal(await redis.strlen(key()), bytesOf(text).length, 'strlen')
      equal(await redis.getBytes(key()), bytesOf(text), 'getBytes')
    },
  },
  {
    name: 'set replaces what was there, whatever its type',
    async run({ redis, key }) {
      await redis.rpush(key(), ['a', 'b'])
      equal(await redis.set(key(), 'text'), true)
      equal(await redis.get(key()), 'text')
    },
  },
  {
    name: 'set with ifAbsent writes only the first time',
    async run({ redis, key }) {
      equal(await redis.set(key(), 'first', { ifAbsent: true }), true)
      equal(await redis.set(key(), 'second', { ifAbsent: true }), false)
      equal(await redis.get(key()), 'first')
    },
  },
  {
    name: 'set with ifPresent writes only over something',
    async run({ redis, key }) {
      equal(await redis.set(key(), 'first', { ifPresent: true }), false)
      equal(await redis.get(key()), null)
      await redis.set(key(), 'first')
      equal(await redis.set(key(), 'second', { ifPresent: true }), true)
      equal(await redis.get(key()), 'second')
    },
  },
  {
    name: 'options that are false or undefined are as if absent',
    async run({ redis, key }) {
      const options = { ifAbsent: false, ifPresent: false, keepTtl: false, ttlMs: undefined }
      equal(await redis.set(key(), 'a', options), true)
      equal(await redis.set(key(), 'b', options), true)
      equal(await redis.ttl(key()), -1)
    },
  },
  {
    name: 'mget answers in the order of the keys, with gaps and repetitions',
    async run({ redis, key }) {
      await redis.set(key('a'), '1')
      await redis.set(key('b'), '2')
      const keys = [key('b'), key('none'), key('a'), key('b'), key('none')]
      equal(await redis.mget(keys), ['2', null, '1', '2', null])
    },
  },
  {
    name: 'mget reads null where the key holds no string',
    async run({ redis, key }) {
      await redis.set(key('text'), 'here')
      await redis.sadd(key('set'), 'member')
      equal(await redis.mget([key('set'), key('text')]), [null, 'here'])
    },
  },
  {
    name: 'mset writes every pair of an object or a Map',
    async run({ redis, key }) {
      equal(await redis.mset({ [key('a')]: 'text', [key('b')]: 2, [key('c')]: 3n }), undefined)
      equal(await redis.mget([key('a'), key('b'), key('c')]), ['text', '2', '3'])
      await redis.mset(
        new Map([
          [key('a'), ''],
          [key('d'), 'new'],
        ]),
      )
      equal(await redis.mget([key('a'), key('d')]), ['', 'new'])
    },
  },
  {
    name: 'del and exists count: a key named twice exists twice and is deleted once',
    async run({ redis, key }) {
      await redis.mset({ [key('a')]: '1', [key('b')]: '2' })
      equal(await redis.exists([key('a'), key('a'), key('none')]), 2, 'exists')
      equal(await redis.del([key('a'), key('a'), key('b'), key('none')]), 2, 'del')
      equal(await redis.exists([key('a'), key('b')]), 0, 'exists after del')
    },
  },
  {
    name: 'getDel reads for the last time',
    async run({ redis, key }) {
      await redis.set(key(), 'once')
      equal(await redis.getDel(key()), 'once')
      equal(await redis.getDel(key()), null)
    },
  },
  {
    name: 'append answers the length in bytes and starts from nothing',
    async run({ redis, key }) {
      equal(await redis.append(key(), 'Grü'), 4)
      equal(await redis.append(key(), 'ße'), 7)
      equal(await redis.append(key(), 1), 8)
      equal(await redis.get(key()), 'Grüße1')
    },
  },
  {
    name: 'strlen counts bytes, not characters',
    async run({ redis, key }) {
      await redis.set(key(), '😀ü')
      equal(await redis.strlen(key()), 6)
    },
  },
  {
    name: 'type names what a key holds',
    async run({ redis, key }) {
      await redis.set(key('string'), 1)
      await redis.hset(key('hash'), { field: 1 })
      await redis.rpush(key('list'), 1)
      await redis.sadd(key('set'), 1)
      await redis.zadd(key('zset'), { member: 'a', score: 1 })
      await redis.xadd(key('stream'), { field: 1 })
      for (const type of ['string', 'hash', 'list', 'set', 'zset', 'stream']) {
        equal(await redis.type(key(type)), type)
      }
    },
  },
]

export const counters: readonly RedisCase[] = [
  {
    name: 'incrBy counts from 0, by 1 unless told otherwise',
    async run({ redis, key }) {
      equal(await redis.incrBy(key()), 1)
      equal(await redis.incrBy(key(), 41), 42)
      equal(await redis.incrBy(key(), -50), -8)
      equal(await redis.incrBy(key(), 0), -8)
      equal(await redis.incrBy(key(), 10n), 2)
      equal(await redis.get(key()), '2')
    },
  },
  {
    name: 'incrBy is exact up to 2^53 - 1 either way',
    async run({ redis, key }) {
      await redis.set(key(), Number.MAX_SAFE_INTEGER - 1)
      equal(await redis.incrBy(key()), Number.MAX_SAFE_INTEGER)
      await redis.set(key(), Number.MIN_SAFE_INTEGER + 1)
      equal(await redis.incrBy(key(), -1), Number.MIN_SAFE_INTEGER)
    },
  },
  {
    name: 'a counter beyond 2^53 - 1 is refused as unsupported rather than rounded',
    async run({ redis, key }) {
      await redis.set(key(), Number.MAX_SAFE_INTEGER)
      await rejects(redis.incrBy(key(), 2), { kind: 'unsupported', outcome: 'unknown' })
      equal(await redis.get(key()), '9007199254740993', 'the counter, which was counted up')
      await redis.hset(key('hash'), { field: -(2n ** 60n) })
      await rejects(redis.hincrBy(key('hash'), 'field', -1), { kind: 'unsupported' })
      equal(await redis.hget(key('hash'), 'field'), '-1152921504606846977')
    },
  },
  {
    name: 'command gives an integer beyond 2^53 - 1 exactly, as a bigint',
    needs: ['exactIntegers'],
    async run({ redis, key }) {
      await redis.set(key(), 2n ** 63n - 2n)
      equal(await redis.command(['INCRBY', key(), 1]), 9223372036854775807n)
      equal(await redis.command(['DECRBY', key(), 2n ** 62n]), 4611686018427387903n)
      await redis.set(key(), -(2n ** 63n) + 1n)
      equal(await redis.command(['DECR', key()]), -9223372036854775808n)
      equal(await redis.command(['INCRBY', key(), 2n ** 63n - 1n]), -1)
    },
  },
  {
    name: 'command refuses an integer beyond 2^53 - 1 where it could only be rounded',
    without: 'exactIntegers',
    async run({ redis, key }) {
      await redis.set(key(), Number.MAX_SAFE_INTEGER)
      await rejects(redis.command(['INCRBY', key(), 2]), { kind: 'unsupported' })
    },
  },
  {
    name: 'an overflow is invalid and leaves the counter alone',
    async run({ redis, key }) {
      await redis.set(key(), 2n ** 63n - 1n)
      await rejects(redis.incrBy(key()), { kind: 'invalid', outcome: 'not-applied' })
      equal(await redis.get(key()), '9223372036854775807')
      await rejects(redis.incrBy(key('new'), 2n ** 63n), { kind: 'invalid' }, 'beyond 64 bits')
      equal(await redis.get(key('new')), null)
    },
  },
  {
    name: 'counting what is not an integer is invalid',
    async run({ redis, key }) {
      for (const text of ['text', '', '1.5', ' 1', '1 ', '0x10', '9223372036854775808']) {
        await redis.set(key(), text)
        await rejects(redis.incrBy(key()), { kind: 'invalid', outcome: 'not-applied' }, text)
        equal(await redis.get(key()), text)
      }
    },
  },
  {
    name: 'incrByFloat answers in plain decimal text',
    async run({ redis, key }) {
      equal(await redis.incrByFloat(key(), 10.5), '10.5')
      equal(await redis.incrByFloat(key(), 0.1), '10.6')
      equal(await redis.incrByFloat(key(), -10.6), '0')
      await redis.set(key(), '5.0e3')
      equal(await redis.incrByFloat(key(), 2.0e2), '5200')
      equal(await redis.get(key()), '5200')
    },
  },
  {
    name: 'incrByFloat of what is not a number is invalid',
    async run({ redis, key }) {
      await redis.set(key(), 'text')
      await rejects(redis.incrByFloat(key(), 1), { kind: 'invalid', outcome: 'not-applied' })
    },
  },
]
