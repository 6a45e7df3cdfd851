import type { Redis } from '../../redis/index.ts'
import { equal, rejects } from '../assert.ts'
import type { RedisCase, RedisFixture } from './fixture.ts'

/** What the types forbid, for JavaScript callers. */
const not = <T>(value: unknown): T => value as T

type Calls = Record<string, () => unknown>

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const

/** Every call is `invalid`, and the key is as it was: with a text in it. */
function invalidCase(
  name: string,
  calls: (redis: Redis, key: string, fixture: RedisFixture) => Calls,
): RedisCase {
  return {
    name,
    async run(fixture) {
      const { redis, key } = fixture
      await redis.set(key(), 'untouched')
      for (const [what, call] of Object.entries(calls(redis, key(), fixture))) {
        await rejects(call, refused, what)
      }
      equal(await redis.get(key()), 'untouched')
      equal(await redis.ttl(key()), -1)
    },
  }
}

export const validation: readonly RedisCase[] = [
  invalidCase('an empty key is invalid', (redis, key) => ({
    get: () => redis.get(''),
    'get of bytes': () => redis.get(new Uint8Array(0)),
    set: () => redis.set('', 'v'),
    mget: () => redis.mget([key, '']),
    mset: () => redis.mset({ [key]: 'v', '': 'v' }),
    del: () => redis.del([key, '']),
    incrBy: () => redis.incrBy(''),
    hset: () => redis.hset('', { field: 'v' }),
    rpush: () => redis.rpush('', 'v'),
    sadd: () => redis.sadd('', 'v'),
    zadd: () => redis.zadd('', { member: 'm', score: 1 }),
    xadd: () => redis.xadd('', { field: 'v' }),
    xread: () => redis.xread({ '': '0' }),
    publish: () => redis.publish('', 'v'),
  })),
  invalidCase('a key that is neither text nor bytes is invalid', (redis) => {
    const keys = [undefined, null, 7, {}, [], true, Symbol('key'), new ArrayBuffer(1), ['a']]
    return Object.fromEntries(keys.map((key, i) => [`key ${i}`, () => redis.get(not(key))]))
  }),
  invalidCase('a value that is neither text, bytes nor a number is invalid', (redis, key) => {
    const values = [
      undefined,
      null,
      {},
      ['a'],
      true,
      Symbol('v'),
      () => 1,
      new Date(0),
      new ArrayBuffer(1),
    ]
    return Object.fromEntries(
      values.flatMap((value, i) => [
        [`set ${i}`, () => redis.set(key, not(value))],
        [`hset ${i}`, () => redis.hset(key, { field: not(value) })],
        [`rpush ${i}`, () => redis.rpush(key, [not(value)])],
        [`command ${i}`, () => redis.command(['SET', key, not(value)])],
      ]),
    )
  }),
  invalidCase('a number that is not finite is no value', (redis, key) => ({
    NaN: () => redis.set(key, Number.NaN),
    Infinity: () => redis.append(key, Infinity),
    'a hash field': () => redis.hset(key, { field: -Infinity }),
    incrByFloat: () => redis.incrByFloat(key, Number.NaN),
    command: () => redis.command(['SET', key, Number.NaN]),
  })),
  invalidCase('text with a lone surrogate is invalid, since it has no bytes', (redis, key) => ({
    'a key': () => redis.set(`${key}\ud800`, 'v'),
    'a value': () => redis.set(key, 'a\udc00b'),
    'a field': () => redis.hset(key, { '\ud800': 'v' }),
    'a field to read': () => redis.hget(key, '\ud800'),
    'a list item': () => redis.rpush(key, ['a', '\ud800']),
    'a member': () => redis.zadd(key, { member: '\ud800', score: 1 }),
    'a message': () => redis.publish(key, '\ud800'),
    'a channel': () => redis.subscribe(`${key}\ud800`),
    'a script': () => redis.eval("return '\ud800'"),
    'a pattern': () => redis.scan({ match: '\ud800' }).next(),
    'an argument': () => redis.command(['SET', key, '\ud800']),
  })),
  invalidCase('a time to live that is no whole number from 1 is invalid', (redis, key) => {
    const times = [Number.NaN, 0, -1, 1.5, Infinity, 2 ** 53, '60', null, 60n]
    return Object.fromEntries(
      times.flatMap((time, i) => [
        [`ttlSeconds ${i}`, () => redis.set(key, 'v', { ttlSeconds: not(time) })],
        [`ttlMs ${i}`, () => redis.set(key, 'v', { ttlMs: not(time) })],
        [`expire ${i}`, () => redis.expire(key, not(time))],
      ]),
    )
  }),
  invalidCase('options of set that contradict each other are invalid', (redis, key) => ({
    'two times': () => redis.set(key, 'v', { ttlSeconds: 1, ttlMs: 1 }),
    'a time and keepTtl': () => redis.set(key, 'v', { ttlMs: 1, keepTtl: true }),
    'both conditions': () => redis.set(key, 'v', { ifAbsent: true, ifPresent: true }),
  })),
  invalidCase('an unknown option is invalid', (redis, key) => ({
    set: () => redis.set(key, 'v', not({ ttl: 60 })),
    get: () => redis.get(key, not({ timeout: 60 })),
    del: () => redis.del(key, not({ timeOutMs: 60 })),
    zrange: () => redis.zrange(key, 0, -1, not({ rev: true })),
    xadd: () => redis.xadd(key, { field: 'v' }, not({ maxLen: 1 })),
    xread: () => redis.xread({ [key]: '0' }, not({ block: 1 })),
    xrange: () => redis.xrange(key, '-', '+', not({ limit: 1 })),
    scan: () => redis.scan(not({ pattern: '*' })).next(),
    subscribe: () => redis.subscribe(key, not({ pattern: true })),
    command: () => redis.command(['SET', key, 'v'], not({ raw: true })),
    pipeline: () =>
      redis
        .pipeline()
        .set(key, 'v')
        .exec(not({ atomic: true })),
    'options that are no object': () => redis.get(key, not('fast')),
  })),
  invalidCase('a score or bound that is not a number is invalid', (redis, key) => ({
    'NaN in zadd': () => redis.zadd(key, { member: 'm', score: Number.NaN }),
    'text in zadd': () => redis.zadd(key, { member: 'm', score: not('1') }),
    'no score': () => redis.zadd(key, not({ member: 'm' })),
    'no member': () => redis.zadd(key, not({ score: 1 })),
    'not a member at all': () => redis.zadd(key, not('m')),
    zincrBy: () => redis.zincrBy(key, Number.NaN, 'm'),
    zcount: () => redis.zcount(key, Number.NaN, 1),
    'zrange by score': () => redis.zrange(key, 0, Number.NaN, { by: 'score' }),
    'zrange by rank': () => redis.zrange(key, 0, 1.5),
    'zrange by something else': () => redis.zrange(key, 0, 1, { by: not('lex') }),
    'a limit by rank': () => redis.zrange(key, 0, 1, { limit: 1 }),
  })),
  invalidCase('an index, count or increment that is no whole number is invalid', (redis, key) => ({
    lrange: () => redis.lrange(key, 0, 1.5),
    lindex: () => redis.lindex(key, Number.NaN),
    lrem: () => redis.lrem(key, not('1'), 'v'),
    ltrim: () => redis.ltrim(key, 0, Infinity),
    incrBy: () => redis.incrBy(key, 0.5),
    'a bigint beyond 64 bits': () => redis.incrBy(key, -(2n ** 63n) - 1n),
    hincrBy: () => redis.hincrBy(key, 'field', 2 ** 53),
    'count of scan': () => redis.scan({ count: 0 }).next(),
    'count of xrange': () => redis.xrange(key, '-', '+', { count: 0 }),
    'maxLength of xadd': () => redis.xadd(key, { field: 'v' }, { maxLength: -1 }),
  })),
  invalidCase('nothing where something is needed is invalid', (redis, key) => ({
    mget: () => redis.mget([]),
    mset: () => redis.mset({}),
    del: () => redis.del([]),
    exists: () => redis.exists([]),
    hset: () => redis.hset(key, {}),
    'hset of an empty Map': () => redis.hset(key, new Map()),
    'hset of null': () => redis.hset(key, not(null)),
    hmget: () => redis.hmget(key, []),
    hdel: () => redis.hdel(key, []),
    lpush: () => redis.lpush(key, []),
    rpush: () => redis.rpush(key, []),
    sadd: () => redis.sadd(key, []),
    zadd: () => redis.zadd(key, []),
    xadd: () => redis.xadd(key, {}),
    xread: () => redis.xread({}),
    xdel: () => redis.xdel(key, []),
    eval: () => redis.eval(''),
    subscribe: () => redis.subscribe([]),
    'an empty channel': () => redis.subscribe(''),
    'an empty match': () => redis.scan({ match: '' }).next(),
    command: () => redis.command([]),
    'a command without a name': () => redis.command(['', key]),
    'a command that is no list': () => redis.command(not('PING')),
  })),
  invalidCase('what is no stream ID is invalid', (redis, key) => ({
    xadd: () => redis.xadd(key, { field: 'v' }, { id: 'first' }),
    xrange: () => redis.xrange(key, 'a', 'b'),
    xdel: () => redis.xdel(key, '1-0-0'),
    xread: () => redis.xread({ [key]: not(5) }),
  })),
  invalidCase(
    'a timeoutMs, signal or correlationId of the wrong kind is invalid',
    (redis, key) => ({
      'timeoutMs 0': () => redis.set(key, 'v', { timeoutMs: 0 }),
      'timeoutMs below 0': () => redis.set(key, 'v', { timeoutMs: -1 }),
      'timeoutMs NaN': () => redis.set(key, 'v', { timeoutMs: Number.NaN }),
      'timeoutMs Infinity': () => redis.set(key, 'v', { timeoutMs: Infinity }),
      'timeoutMs beyond a timer': () => redis.set(key, 'v', { timeoutMs: 2 ** 31 }),
      'timeoutMs as text': () => redis.set(key, 'v', { timeoutMs: not('5') }),
      signal: () => redis.set(key, 'v', { signal: not({ aborted: false }) }),
      'correlationId with a line break': () =>
        redis.set(key, 'v', { correlationId: 'a\r\nx-header: b' }),
      'an empty correlationId': () => redis.set(key, 'v', { correlationId: '' }),
      'a long correlationId': () => redis.set(key, 'v', { correlationId: 'x'.repeat(129) }),
      'correlationId of a number': () => redis.set(key, 'v', { correlationId: not(5) }),
      pipeline: () => redis.pipeline().set(key, 'v').exec({ timeoutMs: -1 }),
      transaction: () => redis.transaction().set(key, 'v').exec({ correlationId: 'a b' }),
      health: () => redis.health({ timeoutMs: -1 }),
    }),
  ),
  invalidCase('a request beyond the adapter’s limit is invalid', (redis, _, { key }) => {
    // The same megabyte over and over: nothing as large as the limit needs to exist.
    const chunk = new Uint8Array(2 ** 20)
    const chunks = Array.from(
      { length: redis.capabilities.maxRequestBytes / chunk.length + 1 },
      () => chunk,
    )
    const pipeline = redis.pipeline()
    for (const each of chunks) pipeline.append(key('big'), each)
    return {
      rpush: () => redis.rpush(key('big'), chunks),
      pipeline: () => pipeline.exec(),
      'and nothing was written': async () => {
        equal(await redis.exists(key('big')), 0)
        return redis.get('')
      },
    }
  }),
]
