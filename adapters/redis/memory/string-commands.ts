import { type Commands, type Database, string } from './database.ts'
import { type ExpiryUnit, expire, laterAt } from './expiry.ts'
import { addFloats, float, int64, integer, isInt64 } from './numbers.ts'
import { ok, type Result, refuse, syntaxError, wrongArity } from './reply.ts'

/** The longest string of V8, 24 short of Redis' own limit. */
export const maxStringLength = 2 ** 29 - 24

type Two = [string, string]
type Three = [string, string, string]

export const strings: Commands = {
  GET: { arity: 2, run: (db, [key]: [string]) => db.find(key, string) ?? null },
  SET: { arity: -3, run: set },
  GETSET: {
    arity: 3,
    run(db, [key, value]: Two) {
      const old = db.find(key, string) ?? null
      db.put(key, value)
      return old
    },
  },
  GETDEL: {
    arity: 2,
    run(db, [key]: [string]) {
      const value = db.find(key, string) ?? null
      db.delete(key)
      return value
    },
  },
  GETEX: { arity: -2, run: getEx },
  SETNX: { arity: 3, run: (db, pair: Two) => setAllNew(db, pair) },
  SETEX: {
    arity: 4,
    run(db, [key, seconds, value]: Three) {
      db.put(key, value, laterAt(db, 'EX', int64(seconds), 'setex'))
      return ok
    },
  },
  PSETEX: {
    arity: 4,
    run(db, [key, ms, value]: Three) {
      db.put(key, value, laterAt(db, 'PX', int64(ms), 'psetex'))
      return ok
    },
  },
  MGET: {
    arity: -2,
    run: (db, names) =>
      names.map((key) => {
        const value = db.entry(key)?.value
        return typeof value === 'string' ? value : null
      }),
  },
  MSET: {
    arity: -3,
    run(db, pairs) {
      if (pairs.length % 2 !== 0) wrongArity('mset')
      setAll(db, pairs)
      return ok
    },
  },
  MSETNX: {
    arity: -3,
    run(db, pairs) {
      if (pairs.length % 2 !== 0) wrongArity('msetnx')
      return setAllNew(db, pairs)
    },
  },

  INCR: { arity: 2, run: (db, [key]: [string]) => increment(db, key, 1n) },
  DECR: { arity: 2, run: (db, [key]: [string]) => increment(db, key, -1n) },
  INCRBY: { arity: 3, run: (db, [key, by]: Two) => increment(db, key, int64(by)) },
  DECRBY: {
    arity: 3,
    run(db, [key, by]: Two) {
      const amount = -int64(by)
      return isInt64(amount) ? increment(db, key, amount) : refuse('ERR decrement would overflow')
    },
  },
  INCRBYFLOAT: {
    arity: 3,
    run(db, [key, by]: Two) {
      const current = float(db.find(key, string) ?? '0')
      return db.replace(key, addFloats(current, float(by)))
    },
  },

  APPEND: {
    arity: 3,
    run(db, [key, tail]: Two) {
      const value = db.find(key, string) ?? ''
      checkLength(value.length + tail.length)
      return db.replace(key, value + tail).length
    },
  },
  STRLEN: { arity: 2, run: (db, [key]: [string]) => db.find(key, string)?.length ?? 0 },
  GETRANGE: {
    arity: 4,
    run(db, [key, start, end]: Three) {
      const [from, to] = [integer(start), integer(end)]
      const value = db.find(key, string) ?? ''
      if (from < 0 && to < 0 && from > to) return ''
      // Unlike a list's, an end before the first byte is the first byte.
      const at = (index: number) => Math.max(0, index < 0 ? index + value.length : index)
      return value.slice(at(from), at(to) + 1)
    },
  },
  SETRANGE: {
    arity: 4,
    run(db, [key, start, patch]: Three) {
      const offset = integer(start)
      if (offset < 0) refuse('ERR offset is out of range')
      const value = db.find(key, string) ?? ''
      if (patch === '') return value.length
      checkLength(offset + patch.length)
      const head = value.slice(0, offset).padEnd(offset, '\0')
      return db.replace(key, head + patch + value.slice(offset + patch.length)).length
    },
  },
}

function set(db: Database, [key, value, ...words]: [string, string, ...string[]]): Result {
  const { flags, unit, amount } = setOptions(words, ['KEEPTTL', 'NX', 'XX', 'GET'])
  const expires = unit && laterAt(db, unit, int64(amount), 'set')
  const old = flags.has('GET') ? (db.find(key, string) ?? null) : undefined
  const exists = db.entry(key) !== undefined
  if (flags.has(exists ? 'NX' : 'XX')) return old ?? null
  if (flags.has('KEEPTTL')) db.replace(key, value)
  else db.put(key, value, expires)
  return old === undefined ? ok : old
}

function getEx(db: Database, [key, ...words]: [string, ...string[]]): Result {
  const { flags, unit, amount } = setOptions(words, ['PERSIST'])
  const value = db.find(key, string)
  const entry = db.entry(key)
  if (value === undefined || entry === undefined) return null
  if (unit !== undefined) expire(db, entry, laterAt(db, unit, int64(amount), 'getex'))
  else if (flags.has('PERSIST')) db.put(key, value)
  return value
}

/** What may follow in SET and GETEX: flags, of which some exclude each other, and one expiry. */
function setOptions(words: readonly string[], allowed: readonly string[]) {
  const flags = new Set<string>()
  let unit: ExpiryUnit | undefined
  let amount = ''
  for (let i = 0; i < words.length; i++) {
    const word = words[i]?.toUpperCase() as string
    if (allowed.includes(word)) {
      flags.add(word)
      continue
    }
    const value = words[++i]
    if (value === undefined || !isExpiryUnit(word) || (unit ?? word) !== word) {
      return syntaxError()
    }
    unit = word
    amount = value
  }
  const timed = Number(unit !== undefined) + Number(flags.has('KEEPTTL') || flags.has('PERSIST'))
  if (timed > 1 || (flags.has('NX') && flags.has('XX'))) syntaxError()
  return { flags, unit, amount }
}

function isExpiryUnit(word: string): word is ExpiryUnit {
  return word === 'EX' || word === 'PX' || word === 'EXAT' || word === 'PXAT'
}

function setAll(db: Database, pairs: readonly string[]): void {
  for (let i = 0; i < pairs.length; i += 2) db.put(pairs[i] as string, pairs[i + 1] as string)
}

function setAllNew(db: Database, pairs: readonly string[]): number {
  if (pairs.some((key, i) => i % 2 === 0 && db.entry(key) !== undefined)) return 0
  setAll(db, pairs)
  return 1
}

function increment(db: Database, key: string, by: bigint): bigint {
  const sum = int64(db.find(key, string) ?? '0') + by
  if (!isInt64(sum)) refuse('ERR increment or decrement would overflow')
  db.replace(key, String(sum))
  return sum
}

function checkLength(length: number): void {
  if (length > maxStringLength) {
    refuse('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  }
}
