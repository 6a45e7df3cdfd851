import { equal, rejects } from '../assert.ts'
import { allBytes, bytesOf, type RedisCase } from './fixture.ts'

const invalidUtf8: Readonly<Record<string, Uint8Array>> = {
  'a lone continuation byte': Uint8Array.of(0x80),
  'an overlong NUL': Uint8Array.of(0xc0, 0x80),
  'a surrogate in UTF-8': Uint8Array.of(0xed, 0xa0, 0x80),
  'a code point above the last': Uint8Array.of(0xf4, 0x90, 0x80, 0x80),
  'a cut sequence': Uint8Array.of(0x61, 0xe2, 0x82),
  'bytes that are Latin-1': Uint8Array.of(0x47, 0x72, 0xfc, 0xdf, 0x65),
}

export const bytes: readonly RedisCase[] = [
  {
    name: 'bytes that are UTF-8 read back as text and as bytes',
    async run({ redis, key }) {
      await redis.set(key(), bytesOf('Grüße 😀'))
      equal(await redis.get(key()), 'Grüße 😀')
      equal(await redis.getBytes(key()), bytesOf('Grüße 😀'))
    },
  },
  {
    name: 'a byte order mark in bytes is kept when they are read as text',
    async run({ redis, key }) {
      await redis.set(key(), Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))
      equal(await redis.get(key()), '\ufeffa')
      equal(await redis.getBytes(key()), Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))
    },
  },
  {
    name: 'what is sent is what the array held at the time of the call',
    async run({ redis, key }) {
      const value = bytesOf('before')
      const written = redis.set(key(), value)
      await written
      value.fill(0)
      equal(await redis.get(key()), 'before')
    },
  },
  {
    name: 'a view into a larger buffer writes only what it shows',
    async run({ redis, key }) {
      await redis.set(key(), bytesOf('0123456789').subarray(3, 6))
      equal(await redis.get(key()), '345')
    },
  },
  {
    name: 'bytes that are not UTF-8 are refused as unsupported, not damaged',
    without: 'bytes',
    async run({ redis, key }) {
      const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
      await rejects(redis.set(key(), allBytes), unsupported, 'value')
      await rejects(redis.get(allBytes), unsupported, 'key')
      await rejects(redis.pipeline().set(key(), 'a').append(key(), allBytes).exec(), unsupported)
      equal(await redis.get(key()), null)
    },
  },
  {
    name: 'all 256 byte values survive in a value',
    needs: ['bytes'],
    async run({ redis, key }) {
      await redis.set(key(), allBytes)
      equal(await redis.getBytes(key()), allBytes)
      equal(await redis.strlen(key()), 256)
      equal(await redis.append(key(), Uint8Array.of(0xff)), 257)
      equal(await redis.mgetBytes([key('none'), key()]), [null, Uint8Array.of(...allBytes, 0xff)])
    },
  },
  {
    name: 'all 256 byte values survive in a key',
    needs: ['bytes'],
    async run({ redis, bytesKey }) {
      const key = bytesKey(allBytes)
      const other = bytesKey(allBytes.toReversed())
      await redis.set(key, 'here')
      equal(await redis.mget([other, key]), [null, 'here'])
      equal(await redis.exists([key, other]), 1)
      equal(await redis.type(key), 'string')
      equal(await redis.del([key, other]), 1)
      equal(await redis.get(key), null)
    },
  },
  {
    name: 'keys that differ only in bytes that are not UTF-8 are different keys',
    needs: ['bytes'],
    async run({ redis, bytesKey }) {
      const keys = [0x80, 0xfe, 0xff].map((byte) => bytesKey(Uint8Array.of(byte)))
      await redis.mset(new Map(keys.map((key, i) => [key, i])))
      equal(await redis.mget(keys), ['0', '1', '2'])
    },
  },
  {
    name: 'no sequence of bytes is repaired on the way',
    needs: ['bytes'],
    async run({ redis, key }) {
      for (const [what, value] of Object.entries(invalidUtf8)) {
        await redis.set(key(), value)
        equal(await redis.getBytes(key()), value, what)
      }
    },
  },
  {
    name: 'bytes that are not UTF-8 read as text hold U+FFFD',
    needs: ['bytes'],
    async run({ redis, key }) {
      await redis.set(key(), Uint8Array.of(0x61, 0xff, 0x62))
      equal(await redis.get(key()), 'a\ufffdb')
      await redis.set(key(), Uint8Array.of(0x61, 0xe2, 0x82))
      equal(await redis.get(key()), 'a\ufffd')
    },
  },
  {
    name: 'all 256 byte values survive in the fields and values of a hash',
    needs: ['bytes'],
    async run({ redis, key }) {
      equal(await redis.hset(key(), new Map([[allBytes, allBytes]])), 1)
      equal(await redis.hgetBytes(key(), allBytes), allBytes)
      equal(await redis.hexists(key(), allBytes), true)
      equal(await redis.command(['HGETALL', key()], { bytes: true }), [allBytes, allBytes])
      equal(await redis.hdel(key(), allBytes), 1)
    },
  },
  {
    name: 'all 256 byte values survive in list items',
    needs: ['bytes'],
    async run({ redis, key }) {
      await redis.rpush(key(), [allBytes, 'text', Uint8Array.of(0xff)])
      equal(await redis.lrangeBytes(key(), 0, -1), [allBytes, bytesOf('text'), Uint8Array.of(0xff)])
      equal(await redis.lrem(key(), 0, allBytes), 1)
    },
  },
  {
    name: 'all 256 byte values survive in the members of sets and sorted sets',
    needs: ['bytes'],
    async run({ redis, key }) {
      await redis.sadd(key('set'), [allBytes, allBytes])
      equal(await redis.sismember(key('set'), allBytes), true)
      equal(await redis.command(['SMEMBERS', key('set')], { bytes: true }), [allBytes])
      await redis.command(['ZADD', key('zset'), 7, allBytes])
      equal(await redis.zscore(key('zset'), allBytes), 7)
      equal(await redis.zincrBy(key('zset'), 1, allBytes), 8)
      equal(await redis.command(['ZRANGE', key('zset'), 0, -1], { bytes: true }), [allBytes])
    },
  },
  {
    name: 'text and bytes mix in one pipeline',
    needs: ['bytes'],
    async run({ redis, key, bytesKey }) {
      const results = await redis
        .pipeline()
        .set(key(), 'text')
        .set(bytesKey(allBytes), allBytes)
        .get(key())
        .getBytes(bytesKey(allBytes))
        .command(['GET', bytesKey(allBytes)], { bytes: true })
        .exec()
      equal(results, [true, true, 'text', allBytes, allBytes])
    },
  },
  {
    name: 'text and bytes mix in one transaction',
    needs: ['bytes'],
    async run({ redis, key }) {
      const results = await redis
        .transaction()
        .set(key(), allBytes)
        .append(key(), 'text')
        .getBytes(key())
        .exec()
      equal(results, [true, 260, Uint8Array.of(...allBytes, ...bytesOf('text'))])
    },
  },
  {
    name: 'calls with text and calls with bytes keep their order',
    needs: ['bytes'],
    async run({ redis, key }) {
      const replies = await Promise.all([
        redis.set(key(), 'text'),
        redis.append(key(), Uint8Array.of(0xff)),
        redis.append(key(), '+'),
        redis.getBytes(key()),
      ])
      equal(replies, [true, 5, 6, Uint8Array.of(...bytesOf('text'), 0xff, 0x2b)])
    },
  },
  {
    name: 'a call with bytes that is refused fails as one with text does',
    needs: ['bytes'],
    async run({ redis, key }) {
      const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
      await redis.set(key(), 'text')
      await rejects(redis.rpush(key(), allBytes), refused, 'the wrong type')
      await rejects(redis.command(['GET', key(), allBytes]), refused, 'too many arguments')
      const unsupported = { kind: 'unsupported', outcome: 'not-applied' } as const
      await rejects(redis.command(['NOSUCHCOMMAND', allBytes]), unsupported, 'unknown')
      const error = await rejects(
        redis.pipeline().append(key(), '!').rpush(key(), allBytes).exec(),
        { kind: 'invalid', outcome: 'partial' },
      )
      equal(error.items?.[0], { status: 'fulfilled', value: 5 })
    },
  },
  {
    name: '1 MB of random bytes survives',
    needs: ['bytes'],
    async run({ redis, key }) {
      const value = new Uint8Array(2 ** 20)
      for (let i = 0; i < value.length; i += 65_536) {
        crypto.getRandomValues(value.subarray(i, i + 65_536))
      }
      await redis.set(key(), value)
      equal(await redis.getBytes(key()), value)
    },
  },
]
