import type { CallOptions, Operation } from '../core/index.ts'
import { known } from '../core/index.ts'
import { add, invalid, one } from './arguments.ts'
import { isBlocking, refuseConnectionState } from './connection-state.ts'
import type { Arg, Command, Reply } from './driver.ts'
import { decode } from './replies.ts'

/** Not empty; text is well-formed Unicode; bytes are any bytes. At most 512 MB, less where the adapter says so. */
export type Key = string | Uint8Array
/** Text is well-formed Unicode; a number is finite. Redis stores bytes, so a number is read back as text. */
export type Value = string | Uint8Array | number | bigint

/** Names and values. A `Map` takes names of bytes. */
export type Fields = Readonly<Record<string, Value>> | ReadonlyMap<Key, Value>

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

/**
 * Every typed command, as a pure function from arguments to what goes out: `Redis` runs them, `pipeline()`
 * and `transaction()` collect them. Each takes the options of a call last, and throws for bad input.
 */
export interface Commands {
  /** The value as text, `null` if there is none. Bytes that are not UTF-8 read as U+FFFD. */
  get(key: Key, options?: CallOptions): Spec<string | null>
  /** The value as it is stored, `null` if there is none. */
  getBytes(key: Key, options?: CallOptions): Spec<Uint8Array | null>
  /** The value, which is then gone. */
  getDel(key: Key, options?: CallOptions): Spec<string | null>
  /** True if it was written: always, unless `ifAbsent` or `ifPresent` forbade it. */
  set(key: Key, value: Value, options?: SetOptions): Spec<boolean>
  /** In the order of the keys; `null` where there is none. */
  mget(keys: readonly Key[], options?: CallOptions): Spec<(string | null)[]>
  mgetBytes(keys: readonly Key[], options?: CallOptions): Spec<(Uint8Array | null)[]>
  /** All at once or none. On a cluster the keys must share a slot. */
  mset(entries: Fields, options?: CallOptions): Spec<undefined>
  /** How many existed. */
  del(keys: Key | readonly Key[], options?: CallOptions): Spec<number>
  /** How many exist; a key named twice counts twice. */
  exists(keys: Key | readonly Key[], options?: CallOptions): Spec<number>
  /** False if there is no such key. `seconds` is a whole number from 1. */
  expire(key: Key, seconds: number, options?: CallOptions): Spec<boolean>
  /** False if there is no such key, or no expiry on it. */
  persist(key: Key, options?: CallOptions): Spec<boolean>
  /** Seconds left; -1 without an expiry, -2 without the key. */
  ttl(key: Key, options?: CallOptions): Spec<number>
  /** Milliseconds left; -1 without an expiry, -2 without the key. */
  pttl(key: Key, options?: CallOptions): Spec<number>
  /** `string`, `hash`, `list`, `set`, `zset`, `stream`, or `none`. */
  type(key: Key, options?: CallOptions): Spec<string>
  /**
   * The new value; `by` is 1 by default. A result beyond 2^53 - 1 rejects with kind `unsupported` after it
   * was applied: for counters that large use `command(['INCRBY', ...])`, which gives a bigint.
   */
  incrBy(key: Key, by?: number | bigint, options?: CallOptions): Spec<number>
  /** The new value, in the server's own digits. */
  incrByFloat(key: Key, by: number, options?: CallOptions): Spec<string>
  /** The new length in bytes. */
  append(key: Key, value: Value, options?: CallOptions): Spec<number>
  /** In bytes; 0 without the key. */
  strlen(key: Key, options?: CallOptions): Spec<number>

  hget(key: Key, field: Key, options?: CallOptions): Spec<string | null>
  hgetBytes(key: Key, field: Key, options?: CallOptions): Spec<Uint8Array | null>
  /** How many fields are new. */
  hset(key: Key, fields: Fields, options?: CallOptions): Spec<number>
  /** In the order of the fields; `null` where there is none. */
  hmget(key: Key, fields: readonly Key[], options?: CallOptions): Spec<(string | null)[]>
  /** `{}` without the key. */
  hgetAll(key: Key, options?: CallOptions): Spec<Record<string, string>>
  /** How many existed. */
  hdel(key: Key, fields: Key | readonly Key[], options?: CallOptions): Spec<number>
  hexists(key: Key, field: Key, options?: CallOptions): Spec<boolean>
  /** The new value; see `incrBy`. */
  hincrBy(key: Key, field: Key, by?: number | bigint, options?: CallOptions): Spec<number>
  hkeys(key: Key, options?: CallOptions): Spec<string[]>
  hvals(key: Key, options?: CallOptions): Spec<string[]>
  hlen(key: Key, options?: CallOptions): Spec<number>

  /** The new length. */
  lpush(key: Key, values: Value | readonly Value[], options?: CallOptions): Spec<number>
  /** The new length. */
  rpush(key: Key, values: Value | readonly Value[], options?: CallOptions): Spec<number>
  lpop(key: Key, options?: CallOptions): Spec<string | null>
  rpop(key: Key, options?: CallOptions): Spec<string | null>
  /** Both ends included; negative counts from the end. */
  lrange(key: Key, start: number, stop: number, options?: CallOptions): Spec<string[]>
  lrangeBytes(key: Key, start: number, stop: number, options?: CallOptions): Spec<Uint8Array[]>
  llen(key: Key, options?: CallOptions): Spec<number>
  lindex(key: Key, index: number, options?: CallOptions): Spec<string | null>
  /** How many were removed: from the head, from the tail if `count` is negative, all if it is 0. */
  lrem(key: Key, count: number, value: Value, options?: CallOptions): Spec<number>
  ltrim(key: Key, start: number, stop: number, options?: CallOptions): Spec<undefined>

  /** How many are new. */
  sadd(key: Key, members: Value | readonly Value[], options?: CallOptions): Spec<number>
  /** How many existed. */
  srem(key: Key, members: Value | readonly Value[], options?: CallOptions): Spec<number>
  /** In no order. */
  smembers(key: Key, options?: CallOptions): Spec<string[]>
  sismember(key: Key, member: Value, options?: CallOptions): Spec<boolean>
  scard(key: Key, options?: CallOptions): Spec<number>
  spop(key: Key, options?: CallOptions): Spec<string | null>

  /** How many are new. */
  zadd(
    key: Key,
    members: ScoredMember | readonly ScoredMember[],
    options?: CallOptions,
  ): Spec<number>
  /** How many existed. */
  zrem(key: Key, members: Value | readonly Value[], options?: CallOptions): Spec<number>
  /** Members from low to high. Both ends included. */
  zrange(key: Key, start: number, stop: number, options?: ZRangeOptions): Spec<string[]>
  /** The same, with scores. */
  zrangeWithScores(
    key: Key,
    start: number,
    stop: number,
    options?: ZRangeOptions,
  ): Spec<ScoredMember[]>
  zscore(key: Key, member: Value, options?: CallOptions): Spec<number | null>
  /** 0-based from the lowest score, `null` if it is no member. */
  zrank(key: Key, member: Value, options?: CallOptions): Spec<number | null>
  zcard(key: Key, options?: CallOptions): Spec<number>
  /** How many have a score from `min` to `max`, both included. */
  zcount(key: Key, min: number, max: number, options?: CallOptions): Spec<number>
  /** The new score. */
  zincrBy(key: Key, by: number, member: Value, options?: CallOptions): Spec<number>

  /** The ID of the entry. */
  xadd(key: Key, fields: Fields, options?: XAddOptions): Spec<string>
  /** From `start` to `end`, both included; by default the whole stream, `-` to `+`. */
  xrange(key: Key, start?: string, end?: string, options?: RangeOptions): Spec<StreamEntry[]>
  /** From `start` down to `end`; by default the whole stream, `+` to `-`. */
  xrevrange(key: Key, start?: string, end?: string, options?: RangeOptions): Spec<StreamEntry[]>
  /** Entries after the given IDs, by stream; `[]` if there is none. */
  xread(
    streams: Readonly<Record<string, string>>,
    options?: XReadOptions,
  ): Spec<{ key: string; entries: StreamEntry[] }[]>
  xlen(key: Key, options?: CallOptions): Spec<number>
  /** How many existed. */
  xdel(key: Key, ids: string | readonly string[], options?: CallOptions): Spec<number>

  /** Lua. Everything that the script touches belongs in `keys`. Needs capability `scripts`. */
  eval(
    script: string,
    keys?: readonly Key[],
    args?: readonly Value[],
    options?: CallOptions,
  ): Spec<Reply>
  /** How many subscribers it reached, on the node that took it. */
  publish(channel: string, message: Value, options?: CallOptions): Spec<number>
}

/**
 * A command for each row, by the name of its method: `r`ead, `a`bsolute write (repeating it has the same
 * effect and the same reply) or relative `w`rite; its arguments by their letters; how its reply is decoded;
 * and the command's own name, if it is another.
 */
const table = {
  get: 'r k textOrNull',
  getBytes: 'r k bytes GET',
  getDel: 'w k textOrNull',
  mget: 'r K textsOrNulls',
  mgetBytes: 'r K bytesList MGET',
  mset: 'a P done',
  del: 'w K integer',
  exists: 'r K integer',
  expire: 'a kp boolean',
  persist: 'w k boolean',
  ttl: 'r k integer',
  pttl: 'r k integer',
  type: 'r k text',
  incrBy: 'w kn integer',
  incrByFloat: 'w kd text',
  append: 'w kv integer',
  strlen: 'r k integer',
  hget: 'r kf textOrNull',
  hgetBytes: 'r kf bytes HGET',
  hset: 'w kE integer',
  hmget: 'r kF textsOrNulls',
  hgetAll: 'r k record',
  hdel: 'w kF integer',
  hexists: 'r kf boolean',
  hincrBy: 'w kfn integer',
  hkeys: 'r k texts',
  hvals: 'r k texts',
  hlen: 'r k integer',
  lpush: 'w kV integer',
  rpush: 'w kV integer',
  lpop: 'w k textOrNull',
  rpop: 'w k textOrNull',
  lrange: 'r kii texts',
  lrangeBytes: 'r kii bytesList LRANGE',
  llen: 'r k integer',
  lindex: 'r ki textOrNull',
  lrem: 'w kiv integer',
  ltrim: 'w kii done',
  sadd: 'w kV integer',
  srem: 'w kV integer',
  smembers: 'r k texts',
  sismember: 'r kv boolean',
  scard: 'r k integer',
  spop: 'w k textOrNull',
  zrem: 'w kV integer',
  zscore: 'r kv scoreOrNull',
  zrank: 'r kv integerOrNull',
  zcard: 'r k integer',
  zcount: 'r kss integer',
  zincrBy: 'w ksv score',
  xlen: 'r k integer',
  xdel: 'w kT integer',
  publish: 'w kv integer',
} satisfies { [K in Exclude<keyof Commands, keyof typeof special>]: string }

/** What typed commands read, by their own names. */
const reads = new Set<string>()

function operationOf<T>(
  word: string,
  effect: string,
  decode: ((reply: never) => T) | undefined,
): Operation<T> {
  if (effect === 'r') reads.add(word)
  return { name: word.toLowerCase(), write: effect !== 'r', idempotent: effect !== 'w', decode }
}

type Make = (...input: unknown[]) => Spec

function maker([method, row]: [string, string]): [string, Make] {
  const [effect, letters, decoder, word = method.toUpperCase()] = row.split(' ') as [
    string,
    string,
    keyof typeof decode,
    string?,
  ]
  const operation = operationOf(word, effect, decode[decoder] as (reply: never) => unknown)
  const bytes = decoder.startsWith('bytes')
  return [
    method,
    (...input) => {
      const args: Arg[] = [word]
      for (let i = 0; i < letters.length; i++) {
        add(args, input[i], letters[i] as string, `argument ${i + 1}`)
      }
      return { operation, args, bytes, options: known(input[letters.length] as CallOptions) }
    },
  ]
}

const operations = {
  set: operationOf('SET', 'a', decode.written),
  /** A condition that the first try met is not met by the second. */
  setIf: operationOf('SET', 'w', decode.written),
  zadd: operationOf('ZADD', 'w', decode.integer),
  zrange: operationOf('ZRANGE', 'r', decode.texts),
  zrangeScored: operationOf('ZRANGE', 'r', decode.scored),
  xadd: operationOf('XADD', 'w', decode.text),
  xrange: operationOf('XRANGE', 'r', decode.entries),
  xrevrange: operationOf('XREVRANGE', 'r', decode.entries),
  xread: operationOf('XREAD', 'r', decode.streams),
  eval: operationOf('EVAL', 'w', decode.any),
  rawRead: { name: 'command', write: false, idempotent: true },
  rawWrite: { name: 'command', write: true, idempotent: false },
}

function spec<T>(operation: Operation<T>, args: Arg[], options: CallOptions | undefined): Spec<T> {
  return { operation, args, bytes: false, options }
}

/** Commands whose options are more than a row can say. */
const special = {
  set(key: Key, value: Value, options?: SetOptions): Spec<boolean> {
    const args = ['SET', one(key, 'k', 'the key'), one(value, 'v', 'the value')]
    if (options === undefined) return spec(operations.set, args, options)
    known(options, 'ttlSeconds', 'ttlMs', 'keepTtl', 'ifAbsent', 'ifPresent')
    const { ttlSeconds, ttlMs, keepTtl, ifAbsent, ifPresent } = options
    if (ttlSeconds !== undefined) args.push('EX', one(ttlSeconds, 'p', 'ttlSeconds'))
    if (ttlMs !== undefined) args.push('PX', one(ttlMs, 'p', 'ttlMs'))
    if (keepTtl) args.push('KEEPTTL')
    // The key, the value, and at most one expiry of two words.
    if (args.length > (keepTtl ? 4 : 5)) {
      throw invalid('only one of ttlSeconds, ttlMs and keepTtl can be given')
    }
    if (ifAbsent && ifPresent) throw invalid('only one of ifAbsent and ifPresent can be given')
    if (ifAbsent) args.push('NX')
    if (ifPresent) args.push('XX')
    return spec(ifAbsent || ifPresent ? operations.setIf : operations.set, args, options)
  },
  zadd(key: Key, members: ScoredMember | readonly ScoredMember[], options?: CallOptions) {
    const args = ['ZADD', one(key, 'k', 'the key')]
    for (const item of Array.isArray(members) ? members : [members]) {
      args.push(one(item?.score, 's', 'a score'), one(item?.member, 'v', 'a member'))
    }
    if (args.length === 2) throw invalid('members is empty')
    return spec(operations.zadd, args, known(options))
  },
  zrange(key: Key, start: number, stop: number, options?: ZRangeOptions): Spec<string[]> {
    return spec(operations.zrange, zrangeArgs(key, start, stop, options), options)
  },
  zrangeWithScores(
    key: Key,
    start: number,
    stop: number,
    options?: ZRangeOptions,
  ): Spec<ScoredMember[]> {
    const args = zrangeArgs(key, start, stop, options)
    return spec(operations.zrangeScored, [...args, 'WITHSCORES'], options)
  },
  xadd(key: Key, fields: Fields, options?: XAddOptions): Spec<string> {
    known(options, 'id', 'maxLength')
    const { id = '*', maxLength } = options ?? {}
    const args = ['XADD', one(key, 'k', 'the key')]
    if (maxLength !== undefined) args.push('MAXLEN', '~', one(maxLength, 'z', 'maxLength'))
    args.push(one(id, 't', 'id'))
    add(args, fields, 'E', 'fields')
    return spec(operations.xadd, args, options)
  },
  xrange(key: Key, start = '-', end = '+', options?: RangeOptions): Spec<StreamEntry[]> {
    return spec(operations.xrange, xrangeArgs('XRANGE', key, start, end, options), options)
  },
  xrevrange(key: Key, start = '+', end = '-', options?: RangeOptions): Spec<StreamEntry[]> {
    return spec(operations.xrevrange, xrangeArgs('XREVRANGE', key, start, end, options), options)
  },
  xread(streams: Readonly<Record<string, string>>, options?: XReadOptions) {
    known(options, 'count', 'blockMs')
    const { count, blockMs } = options ?? {}
    const args: Arg[] = ['XREAD']
    if (count !== undefined) args.push('COUNT', one(count, 'p', 'count'))
    if (blockMs !== undefined) args.push('BLOCK', one(blockMs, 'p', 'blockMs'))
    args.push('STREAMS')
    const entries = Object.entries(streams ?? {})
    if (entries.length === 0) throw invalid('streams is empty')
    for (const [key] of entries) args.push(one(key, 'k', 'a stream'))
    for (const [, id] of entries) args.push(one(id, 't', 'an ID'))
    return { ...spec(operations.xread, args, options), blocking: blockMs !== undefined }
  },
  eval(
    script: string,
    keys: readonly Key[] = [],
    values: readonly Value[] = [],
    options?: CallOptions,
  ): Spec<Reply> {
    const args = ['EVAL', one(script, 'k', 'the script'), keys.length]
    for (const key of keys) args.push(one(key, 'k', 'a key'))
    for (const value of values) args.push(one(value, 'v', 'an argument'))
    return spec(operations.eval, args, known(options))
  },
}

function zrangeArgs(key: Key, start: number, stop: number, options?: ZRangeOptions): Arg[] {
  known(options, 'by', 'reverse', 'limit', 'offset')
  const { by = 'rank', reverse, limit, offset } = options ?? {}
  const letter = by === 'score' ? 's' : 'i'
  const bounds = [one(start, letter, 'start'), one(stop, letter, 'stop')]
  const args: Arg[] = ['ZRANGE', one(key, 'k', 'the key')]
  if (by === 'score') args.push(...(reverse ? bounds.reverse() : bounds), 'BYSCORE')
  else if (by === 'rank') args.push(...bounds)
  else throw invalid('by is not rank or score')
  if (reverse) args.push('REV')
  if (limit !== undefined || offset !== undefined) {
    if (by === 'rank') throw invalid('limit and offset go with by: score')
    args.push('LIMIT', one(offset ?? 0, 'z', 'offset'), one(limit ?? -1, 'i', 'limit'))
  }
  return args
}

function xrangeArgs(
  word: string,
  key: Key,
  start: string,
  end: string,
  options?: RangeOptions,
): Arg[] {
  known(options, 'count')
  const args = [word, one(key, 'k', 'the key'), one(start, 't', 'start'), one(end, 't', 'end')]
  if (options?.count !== undefined) args.push('COUNT', one(options.count, 'p', 'count'))
  return args
}

/** @internal Every command by the name of its method. */
export const commands = Object.fromEntries([
  ...Object.entries(table).map(maker),
  ...Object.entries(special),
]) as unknown as Commands

export interface CommandOptions extends CallOptions {
  /** Strings come back as `Uint8Array`, status replies included. */
  readonly bytes?: boolean | undefined
  /**
   * Your word that the command changes nothing, so that it may be repeated and a failure is `not-applied`.
   * Needed only for reads that have no method here (GEOSEARCH, BITCOUNT).
   */
  readonly readOnly?: boolean | undefined
}

/** @internal Any command, checked for what would harm the connection that all callers share. */
export function raw(args: readonly Value[], options?: CommandOptions): Spec<Reply> {
  known(options, 'bytes', 'readOnly')
  const { bytes = false, readOnly } = options ?? {}
  const [first, ...rest] = Array.isArray(args) ? (args as Value[]) : []
  if (typeof first !== 'string' || !/^[A-Za-z][\w.|-]{0,63}$/.test(first)) {
    throw invalid('the command is not a list that begins with a name')
  }
  const name = first.toUpperCase()
  const checked: Arg[] = [name]
  for (const arg of rest) checked.push(one(arg, 'v', 'an argument'))
  refuseConnectionState({ args: checked })
  const operation = readOnly || reads.has(name) ? operations.rawRead : operations.rawWrite
  return { operation, args: checked, bytes, blocking: isBlocking(checked), options }
}
