import { type CallOptions, DriverFailure, type Operation } from '../core/index.ts'
import type { Arg, Command, Reply } from './driver.ts'

/** Not empty; text is well-formed Unicode; bytes are any bytes. At most 512 MB, less where the adapter says so. */
export type Key = string | Uint8Array
/** Text is well-formed Unicode; a number is finite. Redis stores bytes, so a number is read back as text. */
export type Value = string | Uint8Array | number | bigint

/** One command, checked and ready to go. */
export interface Spec<T = unknown> extends Command {
  readonly operation: Operation<T>
  readonly args: readonly Arg[]
  readonly bytes: boolean
  readonly options: CallOptions | undefined
}

export interface SetOptions extends CallOptions {
  /** Seconds until the key expires: a whole number from 1 to 2^53 - 1. */
  readonly ttlSeconds?: number | undefined
  /** Milliseconds until the key expires. Not together with `ttlSeconds`. */
  readonly ttlMs?: number | undefined
  /** Keeps the expiry that the key has. */
  readonly keepTtl?: boolean | undefined
  /** Writes only if the key does not exist (NX). */
  readonly ifAbsent?: boolean | undefined
  /** Writes only if the key exists (XX). */
  readonly ifPresent?: boolean | undefined
}

export interface ScoredMember {
  readonly member: string
  /** A double; `Infinity` and `-Infinity` are scores, `NaN` is not. */
  readonly score: number
}

export interface ZRangeOptions extends CallOptions {
  /** What `start` and `stop` are: ranks (0-based, negative from the end) or scores. Default `rank`. */
  readonly by?: 'rank' | 'score' | undefined
  readonly reverse?: boolean | undefined
  /** Only by score: at most so many, after skipping `offset`. */
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

export interface StreamEntry {
  /** `1700000000000-0`. */
  readonly id: string
  readonly fields: Record<string, string>
}

export interface XAddOptions extends CallOptions {
  /** Default `*`: the server chooses. */
  readonly id?: string | undefined
  /** Trims the stream to about so many entries. */
  readonly maxLength?: number | undefined
}

export interface XReadOptions extends CallOptions {
  /** At most so many entries of each stream. */
  readonly count?: number | undefined
  /** Waits so long for an entry to come, in milliseconds; give `timeoutMs` room. Needs capability `blocking`. */
  readonly blockMs?: number | undefined
}

export interface RangeOptions extends CallOptions {
  readonly count?: number | undefined
}

type Fields = Readonly<Record<string, Value>> | ReadonlyMap<Key, Value>

// What is wrong with an argument -----------------------------------------------------------------

/** @internal */
export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

function key(value: Key): Key {
  if (typeof value === 'string' ? value === '' : !(value instanceof Uint8Array)) {
    throw invalid(value === '' ? 'the key is empty' : 'the key is not a string or Uint8Array')
  }
  if (value.length === 0) throw invalid('the key is empty')
  return text(value, 'the key') as Key
}

function text<V>(value: V, what: string): V {
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw invalid(`${what} is not well-formed Unicode (it holds a lone surrogate)`)
  }
  return value
}

function value(input: Value, what = 'the value'): Value {
  if (typeof input === 'string') return text(input, what)
  if (typeof input === 'number') {
    if (!Number.isFinite(input)) throw invalid(`${what} is not a finite number`)
    return input
  }
  if (typeof input === 'bigint' || input instanceof Uint8Array) return input
  throw invalid(`${what} is not a string, number, bigint or Uint8Array`)
}

function integer(input: number, what: string, least = Number.MIN_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(input) || input < least) {
    const from = least === Number.MIN_SAFE_INTEGER ? '' : ` from ${least}`
    throw invalid(`${what} is not a whole number${from}`)
  }
  return input
}

const int64 = 2n ** 63n

function increment(input: number | bigint): number | bigint {
  if (typeof input === 'bigint') {
    if (input < -int64 || input >= int64) throw invalid('the increment is beyond 64 bits')
    return input
  }
  return integer(input, 'the increment')
}

function list<V>(input: V | readonly V[], what: string, check: (item: V) => Arg): Arg[] {
  const items = Array.isArray(input) ? (input as readonly V[]) : [input as V]
  if (items.length === 0) throw invalid(`${what}: there is none`)
  return items.map((item) => check(item))
}

function pairs(input: Fields, name: string, checkName: (name: Key) => Key): Arg[] {
  if (typeof input !== 'object' || input === null)
    throw invalid(`${name}s are not an object or Map`)
  const args: Arg[] = []
  const entries = input instanceof Map ? input.entries() : Object.entries(input)
  for (const [field, item] of entries) args.push(checkName(field as Key), value(item as Value))
  if (args.length === 0) throw invalid(`${name}s: there is none`)
  return args
}

function field(name: Key): Key {
  if (typeof name !== 'string' && !(name instanceof Uint8Array)) {
    throw invalid('the field is not a string or Uint8Array')
  }
  return text(name, 'the field')
}

function score(input: number, what: string): string {
  if (typeof input !== 'number' || Number.isNaN(input)) throw invalid(`${what} is not a number`)
  if (input === Infinity) return '+inf'
  return input === -Infinity ? '-inf' : String(input)
}

function streamId(input: string, what = 'the stream ID'): string {
  if (typeof input !== 'string' || !/^([-+*$>]|\(?\d+(-(\d+|\*))?)$/.test(input)) {
    throw invalid(`${what} is not of the form 1700000000000-0`)
  }
  return input
}

const callOptionNames = ['signal', 'timeoutMs', 'correlationId']

/** @internal A misspelt option is an error, not a surprise. */
export function known<O extends object>(options: O | undefined, ...names: string[]): O | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null)
    throw invalid('the options are not an object')
  for (const name of Object.keys(options)) {
    if (!callOptionNames.includes(name) && !names.includes(name)) {
      // The name is the programmer's, not data; still, it could be a pasted value.
      throw invalid(
        /^[A-Za-z]{1,32}$/.test(name) ? `unknown option ${name}` : 'an option has an unknown name',
      )
    }
  }
  return options
}

// What a reply means -----------------------------------------------------------------------------

const unexpected = () => new TypeError('unexpected reply')

function asText(reply: Reply): string {
  if (typeof reply === 'string') return reply
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  throw unexpected()
}
const asTextOrNull = (reply: Reply) => (reply === null ? null : asText(reply))
function asBytesOrNull(reply: Reply): Uint8Array | null {
  if (reply === null || reply instanceof Uint8Array) return reply
  throw unexpected()
}
function asArray(reply: Reply): Reply[] {
  if (Array.isArray(reply)) return reply
  throw unexpected()
}
const asTexts = (reply: Reply) => asArray(reply).map(asText)
const asTextsOrNulls = (reply: Reply) => asArray(reply).map(asTextOrNull)
const asBytesList = (reply: Reply) => asArray(reply).map(asBytesOrNull)
function asInteger(reply: Reply): number {
  if (typeof reply === 'number') return reply
  if (typeof reply !== 'bigint') throw unexpected()
  throw new DriverFailure({
    kind: 'unsupported',
    detail: 'the integer is beyond 2^53 - 1; command([...]) gives it exactly, as a bigint',
  })
}
function asBoolean(reply: Reply): boolean {
  if (reply === 1 || reply === 0) return reply === 1
  throw unexpected()
}
function asDone(reply: Reply): undefined {
  if (reply !== 'OK') throw unexpected()
  return undefined
}
function asWritten(reply: Reply): boolean {
  if (reply === 'OK' || reply === null) return reply === 'OK'
  throw unexpected()
}
function asScore(reply: Reply): number {
  if (typeof reply === 'number') return reply
  if (reply === 'inf' || reply === '+inf') return Infinity
  if (reply === '-inf') return -Infinity
  const number = typeof reply === 'string' ? Number(reply) : Number.NaN
  if (Number.isNaN(number)) throw unexpected()
  return number
}
const asScoreOrNull = (reply: Reply) => (reply === null ? null : asScore(reply))
function* twos(reply: Reply): Generator<[Reply, Reply]> {
  const flat = asArray(reply)
  if (flat.length % 2 !== 0) throw unexpected()
  for (let i = 0; i < flat.length; i += 2) yield [flat[i] as Reply, flat[i + 1] as Reply]
}
function asRecord(reply: Reply): Record<string, string> {
  // fromEntries, since a field may be called __proto__.
  return Object.fromEntries(Array.from(twos(reply), ([name, item]) => [asText(name), asText(item)]))
}
function asScored(reply: Reply): ScoredMember[] {
  return Array.from(twos(reply), ([member, points]) => ({
    member: asText(member),
    score: asScore(points),
  }))
}
function asEntries(reply: Reply): StreamEntry[] {
  return asArray(reply).map((entry) => {
    const [id, fields] = asArray(entry)
    return { id: asText(id as Reply), fields: asRecord(fields as Reply) }
  })
}
function asStreams(reply: Reply): { key: string; entries: StreamEntry[] }[] {
  if (reply === null) return []
  return asArray(reply).map((stream) => {
    const [name, entries] = asArray(stream)
    return { key: asText(name as Reply), entries: asEntries(entries as Reply) }
  })
}

// The operations ---------------------------------------------------------------------------------

function read<T>(name: string, decode: (reply: Reply) => T): Operation<T> {
  return { name, write: false, idempotent: true, decode }
}
/** Repeating it gives the same effect and the same reply. */
function absolute<T>(name: string, decode: (reply: Reply) => T): Operation<T> {
  return { name, write: true, idempotent: true, decode }
}
/** Repeating it adds up, or answers differently: never sent twice. */
function relative<T>(name: string, decode: (reply: Reply) => T): Operation<T> {
  return { name, write: true, idempotent: false, decode }
}

function spec<T>(
  operation: Operation<T>,
  args: readonly Arg[],
  options?: CallOptions,
  bytes = false,
): Spec<T> {
  return { operation, args, bytes, options: known(options) }
}

const op = {
  get: read('get', asTextOrNull),
  getBytes: read('get', asBytesOrNull),
  getDel: relative('getdel', asTextOrNull),
  set: absolute('set', asWritten),
  setIf: relative('set', asWritten),
  mget: read('mget', asTextsOrNulls),
  mgetBytes: read('mget', asBytesList),
  mset: absolute('mset', asDone),
  del: relative('del', asInteger),
  exists: read('exists', asInteger),
  expire: absolute('expire', asBoolean),
  persist: relative('persist', asBoolean),
  ttl: read('ttl', asInteger),
  pttl: read('pttl', asInteger),
  type: read('type', asText),
  incrBy: relative('incrby', asInteger),
  incrByFloat: relative('incrbyfloat', asText),
  append: relative('append', asInteger),
  strlen: read('strlen', asInteger),
  hget: read('hget', asTextOrNull),
  hgetBytes: read('hget', asBytesOrNull),
  hset: relative('hset', asInteger),
  hmget: read('hmget', asTextsOrNulls),
  hgetAll: read('hgetall', asRecord),
  hdel: relative('hdel', asInteger),
  hexists: read('hexists', asBoolean),
  hincrBy: relative('hincrby', asInteger),
  hkeys: read('hkeys', asTexts),
  hvals: read('hvals', asTexts),
  hlen: read('hlen', asInteger),
  lpush: relative('lpush', asInteger),
  rpush: relative('rpush', asInteger),
  lpop: relative('lpop', asTextOrNull),
  rpop: relative('rpop', asTextOrNull),
  lrange: read('lrange', asTexts),
  lrangeBytes: read('lrange', asBytesList),
  llen: read('llen', asInteger),
  lindex: read('lindex', asTextOrNull),
  lrem: relative('lrem', asInteger),
  ltrim: relative('ltrim', asDone),
  sadd: relative('sadd', asInteger),
  srem: relative('srem', asInteger),
  smembers: read('smembers', asTexts),
  sismember: read('sismember', asBoolean),
  scard: read('scard', asInteger),
  spop: relative('spop', asTextOrNull),
  zadd: relative('zadd', asInteger),
  zrem: relative('zrem', asInteger),
  zrange: read('zrange', asTexts),
  zrangeScored: read('zrange', asScored),
  zscore: read('zscore', asScoreOrNull),
  zrank: read('zrank', (reply: Reply) => (reply === null ? null : asInteger(reply))),
  zcard: read('zcard', asInteger),
  zcount: read('zcount', asInteger),
  zincrBy: relative('zincrby', asScore),
  xadd: relative('xadd', asText),
  xrange: read('xrange', asEntries),
  xrevrange: read('xrevrange', asEntries),
  xread: read('xread', asStreams),
  xlen: read('xlen', asInteger),
  xdel: relative('xdel', asInteger),
  eval: relative('eval', (reply: Reply) => reply),
  publish: relative('publish', asInteger),
}

/**
 * Every typed command, as a pure function from arguments to what goes out: `Redis` runs them, `pipeline()`
 * and `transaction()` collect them. Each takes the options of a call last.
 */
export const commands = {
  /** The value as text, `null` if there is none. Bytes that are not UTF-8 read as U+FFFD. */
  get: (k: Key, options?: CallOptions) => spec(op.get, ['GET', key(k)], options),
  /** The value as it is stored, `null` if there is none. */
  getBytes: (k: Key, options?: CallOptions) => spec(op.getBytes, ['GET', key(k)], options, true),
  /** The value, which is then gone. */
  getDel: (k: Key, options?: CallOptions) => spec(op.getDel, ['GETDEL', key(k)], options),
  /** True if it was written: always, unless `ifAbsent` or `ifPresent` forbade it. */
  set(k: Key, v: Value, options?: SetOptions): Spec<boolean> {
    const args: Arg[] = ['SET', key(k), value(v)]
    if (options === undefined) return spec(op.set, args)
    known(options, 'ttlSeconds', 'ttlMs', 'keepTtl', 'ifAbsent', 'ifPresent')
    const { ttlSeconds, ttlMs, keepTtl, ifAbsent, ifPresent } = options
    if (Number(ttlSeconds !== undefined) + Number(ttlMs !== undefined) + Number(!!keepTtl) > 1) {
      throw invalid('only one of ttlSeconds, ttlMs and keepTtl can be given')
    }
    if (ifAbsent && ifPresent) throw invalid('only one of ifAbsent and ifPresent can be given')
    if (ttlSeconds !== undefined) args.push('EX', integer(ttlSeconds, 'ttlSeconds', 1))
    if (ttlMs !== undefined) args.push('PX', integer(ttlMs, 'ttlMs', 1))
    if (keepTtl) args.push('KEEPTTL')
    if (ifAbsent) args.push('NX')
    if (ifPresent) args.push('XX')
    const operation = ifAbsent || ifPresent ? op.setIf : op.set
    return { operation, args, bytes: false, options }
  },
  /** In the order of the keys; `null` where there is none. */
  mget: (keys: readonly Key[], options?: CallOptions) =>
    spec(op.mget, ['MGET', ...list(keys, 'keys', key)], options),
  mgetBytes: (keys: readonly Key[], options?: CallOptions) =>
    spec(op.mgetBytes, ['MGET', ...list(keys, 'keys', key)], options, true),
  /** All at once or none. On a cluster the keys must share a slot. */
  mset: (entries: Fields, options?: CallOptions) =>
    spec(op.mset, ['MSET', ...pairs(entries, 'key', key)], options),
  /** How many existed. */
  del: (keys: Key | readonly Key[], options?: CallOptions) =>
    spec(op.del, ['DEL', ...list(keys, 'keys', key)], options),
  /** How many exist; a key named twice counts twice. */
  exists: (keys: Key | readonly Key[], options?: CallOptions) =>
    spec(op.exists, ['EXISTS', ...list(keys, 'keys', key)], options),
  /** False if there is no such key. */
  expire: (k: Key, seconds: number, options?: CallOptions) =>
    spec(op.expire, ['EXPIRE', key(k), integer(seconds, 'seconds', 1)], options),
  /** False if there is no such key, or no expiry on it. */
  persist: (k: Key, options?: CallOptions) => spec(op.persist, ['PERSIST', key(k)], options),
  /** Seconds left; -1 without an expiry, -2 without the key. */
  ttl: (k: Key, options?: CallOptions) => spec(op.ttl, ['TTL', key(k)], options),
  /** Milliseconds left; -1 without an expiry, -2 without the key. */
  pttl: (k: Key, options?: CallOptions) => spec(op.pttl, ['PTTL', key(k)], options),
  /** `string`, `hash`, `list`, `set`, `zset`, `stream`, or `none`. */
  type: (k: Key, options?: CallOptions) => spec(op.type, ['TYPE', key(k)], options),
  /**
   * The new value. A result beyond 2^53 - 1 rejects with kind `unsupported` after it was applied:
   * for counters that large use `command(['INCRBY', ...])`, which gives a bigint.
   */
  incrBy: (k: Key, by: number | bigint = 1, options?: CallOptions) =>
    spec(op.incrBy, ['INCRBY', key(k), increment(by)], options),
  /** The new value, in the server's own digits. */
  incrByFloat: (k: Key, by: number, options?: CallOptions) =>
    spec(op.incrByFloat, ['INCRBYFLOAT', key(k), value(by, 'the increment')], options),
  /** The new length in bytes. */
  append: (k: Key, v: Value, options?: CallOptions) =>
    spec(op.append, ['APPEND', key(k), value(v)], options),
  /** In bytes; 0 without the key. */
  strlen: (k: Key, options?: CallOptions) => spec(op.strlen, ['STRLEN', key(k)], options),

  hget: (k: Key, f: Key, options?: CallOptions) =>
    spec(op.hget, ['HGET', key(k), field(f)], options),
  hgetBytes: (k: Key, f: Key, options?: CallOptions) =>
    spec(op.hgetBytes, ['HGET', key(k), field(f)], options, true),
  /** How many fields are new. A `Map` takes fields of bytes. */
  hset: (k: Key, fields: Fields, options?: CallOptions) =>
    spec(op.hset, ['HSET', key(k), ...pairs(fields, 'field', field)], options),
  hmget: (k: Key, fields: readonly Key[], options?: CallOptions) =>
    spec(op.hmget, ['HMGET', key(k), ...list(fields, 'fields', field)], options),
  /** `{}` without the key. */
  hgetAll: (k: Key, options?: CallOptions) => spec(op.hgetAll, ['HGETALL', key(k)], options),
  /** How many existed. */
  hdel: (k: Key, fields: Key | readonly Key[], options?: CallOptions) =>
    spec(op.hdel, ['HDEL', key(k), ...list(fields, 'fields', field)], options),
  hexists: (k: Key, f: Key, options?: CallOptions) =>
    spec(op.hexists, ['HEXISTS', key(k), field(f)], options),
  /** The new value; see `incrBy`. */
  hincrBy: (k: Key, f: Key, by: number | bigint = 1, options?: CallOptions) =>
    spec(op.hincrBy, ['HINCRBY', key(k), field(f), increment(by)], options),
  hkeys: (k: Key, options?: CallOptions) => spec(op.hkeys, ['HKEYS', key(k)], options),
  hvals: (k: Key, options?: CallOptions) => spec(op.hvals, ['HVALS', key(k)], options),
  hlen: (k: Key, options?: CallOptions) => spec(op.hlen, ['HLEN', key(k)], options),

  /** The new length. */
  lpush: (k: Key, values: Value | readonly Value[], options?: CallOptions) =>
    spec(op.lpush, ['LPUSH', key(k), ...list(values, 'values', value)], options),
  /** The new length. */
  rpush: (k: Key, values: Value | readonly Value[], options?: CallOptions) =>
    spec(op.rpush, ['RPUSH', key(k), ...list(values, 'values', value)], options),
  lpop: (k: Key, options?: CallOptions) => spec(op.lpop, ['LPOP', key(k)], options),
  rpop: (k: Key, options?: CallOptions) => spec(op.rpop, ['RPOP', key(k)], options),
  /** Both ends included; negative counts from the end. */
  lrange: (k: Key, start: number, stop: number, options?: CallOptions) =>
    spec(op.lrange, ['LRANGE', key(k), integer(start, 'start'), integer(stop, 'stop')], options),
  lrangeBytes: (k: Key, start: number, stop: number, options?: CallOptions) =>
    spec(
      op.lrangeBytes,
      ['LRANGE', key(k), integer(start, 'start'), integer(stop, 'stop')],
      options,
      true,
    ),
  llen: (k: Key, options?: CallOptions) => spec(op.llen, ['LLEN', key(k)], options),
  lindex: (k: Key, index: number, options?: CallOptions) =>
    spec(op.lindex, ['LINDEX', key(k), integer(index, 'index')], options),
  /** How many were removed: from the head, from the tail if `count` is negative, all if it is 0. */
  lrem: (k: Key, count: number, v: Value, options?: CallOptions) =>
    spec(op.lrem, ['LREM', key(k), integer(count, 'count'), value(v)], options),
  ltrim: (k: Key, start: number, stop: number, options?: CallOptions) =>
    spec(op.ltrim, ['LTRIM', key(k), integer(start, 'start'), integer(stop, 'stop')], options),

  /** How many are new. */
  sadd: (k: Key, members: Value | readonly Value[], options?: CallOptions) =>
    spec(op.sadd, ['SADD', key(k), ...list(members, 'members', value)], options),
  /** How many existed. */
  srem: (k: Key, members: Value | readonly Value[], options?: CallOptions) =>
    spec(op.srem, ['SREM', key(k), ...list(members, 'members', value)], options),
  /** In no order. */
  smembers: (k: Key, options?: CallOptions) => spec(op.smembers, ['SMEMBERS', key(k)], options),
  sismember: (k: Key, member: Value, options?: CallOptions) =>
    spec(op.sismember, ['SISMEMBER', key(k), value(member)], options),
  scard: (k: Key, options?: CallOptions) => spec(op.scard, ['SCARD', key(k)], options),
  spop: (k: Key, options?: CallOptions) => spec(op.spop, ['SPOP', key(k)], options),

  /** How many are new. */
  zadd: (k: Key, members: ScoredMember | readonly ScoredMember[], options?: CallOptions) => {
    const args: Arg[] = ['ZADD', key(k)]
    const items = Array.isArray(members)
      ? (members as readonly ScoredMember[])
      : [members as ScoredMember]
    if (items.length === 0) throw invalid('members: there is none')
    for (const item of items) {
      if (typeof item !== 'object' || item === null)
        throw invalid('a member is not { member, score }')
      args.push(score(item.score, 'the score'), value(item.member, 'the member'))
    }
    return spec(op.zadd, args, options)
  },
  /** How many existed. */
  zrem: (k: Key, members: Value | readonly Value[], options?: CallOptions) =>
    spec(op.zrem, ['ZREM', key(k), ...list(members, 'members', value)], options),
  /** Members from low to high. Both ends included. */
  zrange: (k: Key, start: number, stop: number, options?: ZRangeOptions) =>
    zrange(op.zrange, k, start, stop, options),
  /** The same, with scores. */
  zrangeWithScores: (k: Key, start: number, stop: number, options?: ZRangeOptions) =>
    zrange(op.zrangeScored, k, start, stop, options),
  zscore: (k: Key, member: Value, options?: CallOptions) =>
    spec(op.zscore, ['ZSCORE', key(k), value(member)], options),
  /** 0-based from the lowest score, `null` if it is no member. */
  zrank: (k: Key, member: Value, options?: CallOptions) =>
    spec(op.zrank, ['ZRANK', key(k), value(member)], options),
  zcard: (k: Key, options?: CallOptions) => spec(op.zcard, ['ZCARD', key(k)], options),
  /** How many have a score from `min` to `max`, both included. */
  zcount: (k: Key, min: number, max: number, options?: CallOptions) =>
    spec(op.zcount, ['ZCOUNT', key(k), score(min, 'min'), score(max, 'max')], options),
  /** The new score. */
  zincrBy: (k: Key, by: number, member: Value, options?: CallOptions) =>
    spec(op.zincrBy, ['ZINCRBY', key(k), score(by, 'the increment'), value(member)], options),

  /** The ID of the entry. */
  xadd(k: Key, fields: Fields, options?: XAddOptions): Spec<string> {
    known(options, 'id', 'maxLength')
    const args: Arg[] = ['XADD', key(k)]
    if (options?.maxLength !== undefined) {
      args.push('MAXLEN', '~', integer(options.maxLength, 'maxLength', 0))
    }
    args.push(streamId(options?.id ?? '*'), ...pairs(fields, 'field', field))
    return { operation: op.xadd, args, bytes: false, options }
  },
  /** From `start` to `end`, both included; `-` and `+` are the ends of the stream. */
  xrange: (k: Key, start = '-', end = '+', options?: RangeOptions) =>
    xrange(op.xrange, 'XRANGE', k, start, end, options),
  /** From `start` down to `end`. */
  xrevrange: (k: Key, start = '+', end = '-', options?: RangeOptions) =>
    xrange(op.xrevrange, 'XREVRANGE', k, start, end, options),
  /** Entries after the given IDs, by stream; `[]` if there is none. */
  xread(streams: Readonly<Record<string, string>>, options?: XReadOptions) {
    known(options, 'count', 'blockMs')
    const args: Arg[] = ['XREAD']
    if (options?.count !== undefined) args.push('COUNT', integer(options.count, 'count', 1))
    if (options?.blockMs !== undefined) args.push('BLOCK', integer(options.blockMs, 'blockMs', 1))
    if (typeof streams !== 'object' || streams === null) throw invalid('streams are not an object')
    const names = Object.keys(streams)
    if (names.length === 0) throw invalid('streams: there is none')
    args.push('STREAMS', ...names.map(key))
    for (const name of names) args.push(streamId(streams[name] as string))
    const result: Spec<ReturnType<typeof asStreams>> = {
      operation: op.xread,
      args,
      bytes: false,
      options,
    }
    return result
  },
  xlen: (k: Key, options?: CallOptions) => spec(op.xlen, ['XLEN', key(k)], options),
  /** How many existed. */
  xdel: (k: Key, ids: string | readonly string[], options?: CallOptions) =>
    spec(op.xdel, ['XDEL', key(k), ...list(ids, 'ids', (id: string) => streamId(id))], options),

  /** Lua. Everything that the script touches belongs in `keys`. Needs capability `scripts`. */
  eval: (
    script: string,
    keys: readonly Key[] = [],
    args: readonly Value[] = [],
    options?: CallOptions,
  ) => {
    if (typeof script !== 'string' || script === '') throw invalid('the script is not a string')
    const all: Arg[] = ['EVAL', text(script, 'the script'), keys.length]
    for (const k of keys) all.push(key(k))
    for (const arg of args) all.push(value(arg, 'the argument'))
    return spec(op.eval, all, options)
  },
  /** How many subscribers it reached, on the node that took it. */
  publish: (channel: string, message: Value, options?: CallOptions) =>
    spec(op.publish, ['PUBLISH', key(channel), value(message, 'the message')], options),
}

function zrange<T extends string[] | ScoredMember[]>(
  operation: Operation<T> | Operation<string[]> | Operation<ScoredMember[]>,
  k: Key,
  start: number,
  stop: number,
  options: ZRangeOptions | undefined,
): Spec<T> {
  known(options, 'by', 'reverse', 'limit', 'offset')
  const args: Arg[] = ['ZRANGE', key(k)]
  const { by = 'rank', reverse, limit, offset } = options ?? {}
  if (by === 'rank') {
    args.push(integer(start, 'start'), integer(stop, 'stop'))
    if (limit !== undefined || offset !== undefined) throw invalid('limit goes with by: score')
  } else if (by === 'score') {
    const [low, high] = [score(start, 'start'), score(stop, 'stop')]
    args.push(...(reverse ? [high, low] : [low, high]), 'BYSCORE')
  } else {
    throw invalid('by is not rank or score')
  }
  if (reverse) args.push('REV')
  if (limit !== undefined || offset !== undefined) {
    args.push('LIMIT', integer(offset ?? 0, 'offset', 0), integer(limit ?? -1, 'limit', -1))
  }
  if ((operation as unknown) === op.zrangeScored) args.push('WITHSCORES')
  return { operation: operation as Operation<T>, args, bytes: false, options }
}

function xrange(
  operation: Operation<StreamEntry[]>,
  name: string,
  k: Key,
  start: string,
  end: string,
  options: RangeOptions | undefined,
): Spec<StreamEntry[]> {
  known(options, 'count')
  const args: Arg[] = [name, key(k), streamId(start, 'start'), streamId(end, 'end')]
  if (options?.count !== undefined) args.push('COUNT', integer(options.count, 'count', 1))
  return { operation, args, bytes: false, options }
}

// Raw commands -----------------------------------------------------------------------------------

/** Commands that change nothing. Everything else counts as a write that must not be repeated. */
const reads = new Set(
  (
    'BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP ECHO EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL_RO GEODIST ' +
    'GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET HGETALL ' +
    'HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS INFO KEYS LCS LINDEX LLEN LPOS LRANGE MGET OBJECT ' +
    'PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY SCAN SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS ' +
    'SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME TOUCH TTL TYPE XINFO XLEN XPENDING ' +
    'XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ' +
    'ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION'
  ).split(' '),
)

/** True if the command (its name in upper case) changes nothing, whatever its arguments. */
export function isRead(name: string): boolean {
  return reads.has(name)
}

const waits = new Set(
  'BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF'.split(' '),
)

/** True if the server may hold back the reply, and with it every reply behind it. */
export function isBlocking(args: readonly Arg[]): boolean {
  const name = String(args[0]).toUpperCase()
  if (waits.has(name)) return true
  // BLOCK is an option only before STREAMS; behind it, it could be a key.
  if (name !== 'XREAD' && name !== 'XREADGROUP') return false
  for (const arg of args.slice(1)) {
    const word = typeof arg === 'string' ? arg.toUpperCase() : ''
    if (word === 'STREAMS') return false
    if (word === 'BLOCK') return true
  }
  return false
}

/** Commands that change the connection itself, which callers share: no adapter can let them through. */
const connection = new Set(
  (
    'AUTH ASKING CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY ' +
    'READWRITE REPLCONF RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC UNSUBSCRIBE UNWATCH WATCH'
  ).split(' '),
)

const rawRead: Operation<Reply> = { name: 'command', write: false, idempotent: true }
const rawWrite: Operation<Reply> = { name: 'command', write: true, idempotent: false }

/** @internal Any command, checked for what would harm the connection that all callers share. */
export function raw(
  args: readonly Value[],
  options?: CallOptions & { readonly bytes?: boolean | undefined },
): Spec<Reply> {
  known(options, 'bytes')
  if (!Array.isArray(args) || args.length === 0)
    throw invalid('the command is not a list of arguments')
  const [first, ...rest] = args as Value[]
  if (typeof first !== 'string' || !/^[A-Za-z][\w.|-]{0,63}$/.test(first)) {
    throw invalid('the command has no name')
  }
  const name = first.toUpperCase()
  if (connection.has(name)) {
    throw new DriverFailure({
      kind: 'unsupported',
      detail: 'this command changes the state of a connection that is shared',
    })
  }
  const checked: Arg[] = [name]
  for (const arg of rest) checked.push(value(arg, 'an argument'))
  return {
    operation: isRead(name) ? rawRead : rawWrite,
    args: checked,
    bytes: options?.bytes ?? false,
    options,
  }
}
