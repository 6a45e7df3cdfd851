import { type Commands, type Database, hash } from './database.ts'
import { scanCollection } from './key-commands.ts'
import { addFloats, float, int64, isInfinite, isInt64 } from './numbers.ts'
import { ok, refuse, wrongArity } from './reply.ts'

type One = [key: string]
type Two = [key: string, field: string]
type Three = [key: string, field: string, value: string]
type Many = [key: string, ...fields: string[]]

export const hashes: Commands = {
  HSET: { arity: -4, run: (db, args: Many) => setFields(db, args, 'hset') },
  HMSET: {
    arity: -4,
    run(db, args: Many) {
      setFields(db, args, 'hmset')
      return ok
    },
  },
  HSETNX: {
    arity: 4,
    run: (db, [key, field, value]: Three) =>
      db.find(key, hash)?.has(field) ? 0 : setFields(db, [key, field, value], 'hsetnx'),
  },
  HGET: { arity: 3, run: (db, [key, field]: Two) => db.find(key, hash)?.get(field) ?? null },
  HMGET: {
    arity: -3,
    run(db, [key, ...fields]: Many) {
      const map = db.find(key, hash)
      return fields.map((field) => map?.get(field) ?? null)
    },
  },
  HGETALL: { arity: 2, run: (db, [key]: One) => [...(db.find(key, hash) ?? [])].flat() },
  HDEL: {
    arity: -3,
    run(db, [key, ...fields]: Many) {
      const map = db.find(key, hash)
      if (map === undefined) return 0
      const count = fields.filter((field) => map.delete(field)).length
      db.prune(key, map)
      return count
    },
  },
  HEXISTS: {
    arity: 3,
    run: (db, [key, field]: Two) => Number(db.find(key, hash)?.has(field) ?? 0),
  },
  HINCRBY: {
    arity: 4,
    run(db, [key, field, by]: Three) {
      const amount = int64(by)
      const current = db.find(key, hash)?.get(field) ?? '0'
      const sum = int64(current, 'ERR hash value is not an integer') + amount
      if (!isInt64(sum)) refuse('ERR increment or decrement would overflow')
      db.open(key, hash).set(field, String(sum))
      return sum
    },
  },
  HINCRBYFLOAT: {
    arity: 4,
    run(db, [key, field, by]: Three) {
      const amount = float(by)
      if (isInfinite(amount)) refuse('ERR value is NaN or Infinity')
      const current = db.find(key, hash)?.get(field) ?? '0'
      const sum = addFloats(float(current, 'ERR hash value is not a float'), amount)
      db.open(key, hash).set(field, sum)
      return sum
    },
  },
  HKEYS: { arity: 2, run: (db, [key]: One) => [...(db.find(key, hash)?.keys() ?? [])] },
  HVALS: { arity: 2, run: (db, [key]: One) => [...(db.find(key, hash)?.values() ?? [])] },
  HLEN: { arity: 2, run: (db, [key]: One) => db.find(key, hash)?.size ?? 0 },
  HSTRLEN: {
    arity: 3,
    run: (db, [key, field]: Two) => db.find(key, hash)?.get(field)?.length ?? 0,
  },
  HSCAN: {
    arity: -3,
    run: (db, [key, cursor, ...options]: [string, string, ...string[]]) =>
      scanCollection(cursor, options, () => db.find(key, hash)),
  },
}

/** How many are new. */
function setFields(db: Database, [key, ...pairs]: Many, name: string): number {
  if (pairs.length % 2 !== 0) wrongArity(name)
  const map = db.open(key, hash)
  const before = map.size
  for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i] as string, pairs[i + 1] as string)
  return map.size - before
}
