import { type Commands, type Database, type Entry, never, typeOf, type Value } from './database.ts'
import { dueAt, expire, pttl, secondsOf } from './expiry.ts'
import { glob } from './glob.ts'
import { int64, integer } from './numbers.ts'
import { ok, type Result, refuse, syntaxError, wrongArity } from './reply.ts'
import { SortedSet } from './sorted-set.ts'
import { Stream } from './stream.ts'

type Keys = [string, ...string[]]

export const keys: Commands = {
  DEL: { arity: -2, run: remove },
  UNLINK: { arity: -2, run: remove },
  EXISTS: { arity: -2, run: count },
  TOUCH: { arity: -2, run: count },
  TYPE: {
    arity: 2,
    run(db, [key]: [string]) {
      const entry = db.entry(key)
      return entry === undefined ? 'none' : typeOf(entry.value)
    },
  },

  EXPIRE: { arity: -3, run: (db, args: Expire) => setExpiry(db, args, 'expire', 'EX') },
  PEXPIRE: { arity: -3, run: (db, args: Expire) => setExpiry(db, args, 'pexpire', 'PX') },
  EXPIREAT: { arity: -3, run: (db, args: Expire) => setExpiry(db, args, 'expireat', 'EXAT') },
  PEXPIREAT: { arity: -3, run: (db, args: Expire) => setExpiry(db, args, 'pexpireat', 'PXAT') },
  TTL: {
    arity: 2,
    run: (db, [key]: [string]) => ifExpiring(db, key, (e) => secondsOf(pttl(db, e))),
  },
  PTTL: { arity: 2, run: (db, [key]: [string]) => ifExpiring(db, key, (e) => pttl(db, e)) },
  EXPIRETIME: {
    arity: 2,
    run: (db, [key]: [string]) => ifExpiring(db, key, (e) => secondsOf(BigInt(e.expires))),
  },
  PEXPIRETIME: { arity: 2, run: (db, [key]: [string]) => ifExpiring(db, key, (e) => e.expires) },
  PERSIST: {
    arity: 2,
    run(db, [key]: [string]) {
      const entry = db.entry(key)
      if (entry === undefined || entry.expires === never) return 0
      entry.expires = never
      return 1
    },
  },

  RENAME: {
    arity: 3,
    run(db, [from, to]: [string, string]) {
      rename(db, from, to)
      return ok
    },
  },
  RENAMENX: {
    arity: 3,
    run(db, [from, to]: [string, string]) {
      if (db.entry(from) !== undefined && db.entry(to) !== undefined) return 0
      rename(db, from, to)
      return 1
    },
  },
  COPY: { arity: -3, run: copy },

  KEYS: {
    arity: 2,
    run: (db, [pattern]: [string]) =>
      Array.from(db.entries(), ({ key }) => key).filter((key) => glob(pattern, key)),
  },
  SCAN: {
    arity: -2,
    run(db, [cursor, ...options]: Keys) {
      const position = parseCursor(cursor)
      const { match, count, type } = scanOptions(options, true)
      const [next, page] = db.scan(position, count)
      const found = page
        .filter(({ value }) => type === undefined || typeOf(value) === type)
        .map(({ key }) => key)
      return [String(next), match === undefined ? found : found.filter((key) => glob(match, key))]
    },
  },
  RANDOMKEY: { arity: 1, run: (db) => db.random() ?? null },
  DBSIZE: { arity: 1, run: (db) => db.size },
  FLUSHDB: { arity: -1, run: flush },
  FLUSHALL: { arity: -1, run: flush },

  PING: {
    arity: -1,
    run(_, args) {
      if (args.length > 1) wrongArity('ping')
      return args[0] ?? 'PONG'
    },
  },
  ECHO: { arity: 2, run: (_, [message]: [string]) => message },
  TIME: {
    arity: 1,
    run: ({ now }) => [String(Math.floor(now / 1000)), String((now % 1000) * 1000)],
  },
  PUBLISH: {
    arity: 3,
    run: (db, [channel, message]: [string, string]) => db.channels.publish(channel, message),
  },
}

/**
 * HSCAN, SSCAN and ZSCAN give the whole collection in one page, as Redis does while it is small:
 * COUNT is a hint.
 */
export function scanCollection(
  cursor: string,
  options: readonly string[],
  read: () => Iterable<[member: string, ...rest: string[]]> | undefined,
): Result {
  parseCursor(cursor)
  const items = read()
  if (items === undefined) return ['0', []]
  const { match } = scanOptions(options, false)
  const found: string[] = []
  for (const item of items) if (match === undefined || glob(match, item[0])) found.push(...item)
  return ['0', found]
}

function parseCursor(cursor: string): number {
  return /^\d{1,20}$/.test(cursor) ? Number(cursor) : refuse('ERR invalid cursor')
}

function scanOptions(options: readonly string[], types: boolean) {
  let match: string | undefined
  let type: string | undefined
  let count = 10
  for (let i = 0; i < options.length; i += 2) {
    const [name, value] = [options[i]?.toUpperCase(), options[i + 1]]
    if (value === undefined) return syntaxError()
    if (name === 'MATCH') match = value
    else if (name === 'TYPE' && types) type = value.toLowerCase()
    else if (name === 'COUNT') count = integer(value)
    else syntaxError()
    if (count < 1) syntaxError()
  }
  return { match, type, count }
}

function remove(db: Database, names: readonly string[]): number {
  return names.filter((key) => db.delete(key)).length
}

function count(db: Database, names: readonly string[]): number {
  return names.filter((key) => db.entry(key) !== undefined).length
}

function flush(db: Database, [mode, ...rest]: readonly string[]): Result {
  if (rest.length > 0 || !/^(a?sync)?$/i.test(mode ?? '')) syntaxError()
  db.clear()
  return ok
}

function ifExpiring(
  db: Database,
  key: string,
  read: (entry: Entry) => number | bigint,
): number | bigint {
  const entry = db.entry(key)
  if (entry === undefined) return -2
  return entry.expires === never ? -1 : read(entry)
}

type Expire = [key: string, amount: string, ...flags: string[]]

function setExpiry(
  db: Database,
  [key, amount, ...words]: Expire,
  command: string,
  unit: 'EX' | 'PX' | 'EXAT' | 'PXAT',
): number {
  const flags = new Set<string>()
  for (const word of words) {
    const flag = word.toUpperCase()
    if (!['NX', 'XX', 'GT', 'LT'].includes(flag)) refuse(`ERR Unsupported option ${word}`)
    flags.add(flag)
  }
  if (flags.has('NX') && flags.size > 1) {
    refuse('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (flags.has('GT') && flags.has('LT')) {
    refuse('ERR GT and LT options at the same time are not compatible')
  }
  const due = dueAt(db, unit, int64(amount), command)
  const entry = db.entry(key)
  if (entry === undefined) return 0
  const current = entry.expires
  if (
    (flags.has('NX') && current !== never) ||
    (flags.has('XX') && current === never) ||
    (flags.has('GT') && due <= current) ||
    (flags.has('LT') && due >= current)
  ) {
    return 0
  }
  expire(db, entry, due)
  return 1
}

function rename(db: Database, from: string, to: string): void {
  const { value, expires } = db.entry(from) ?? refuse('ERR no such key')
  if (from === to) return
  db.delete(from)
  db.put(to, value, expires)
}

function copy(db: Database, [from, to, ...options]: [string, string, ...string[]]): Result {
  let replace = false
  for (let i = 0; i < options.length; i++) {
    const option = options[i]?.toUpperCase()
    const index = options[i + 1]
    if (option === 'REPLACE') replace = true
    else if (option !== 'DB' || index === undefined) syntaxError()
    else if (integer(index) !== 0) refuse('ERR DB index is out of range')
    else i++
  }
  if (from === to) refuse('ERR source and destination objects are the same')
  const entry = db.entry(from)
  if (entry === undefined || (!replace && db.entry(to) !== undefined)) return 0
  db.put(to, copyOf(entry.value), entry.expires)
  return 1
}

function copyOf(value: Value): Value {
  if (value instanceof Map) return new Map(value)
  if (value instanceof Set) return new Set(value)
  if (value instanceof SortedSet || value instanceof Stream) return value.copy()
  return typeof value === 'string' ? value : value.slice()
}
