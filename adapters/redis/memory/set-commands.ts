import { type Commands, type Database, set } from './database.ts'
import { scanCollection } from './key-commands.ts'
import { integer, natural } from './numbers.ts'
import { type Result, syntaxError } from './reply.ts'

type One = [key: string]
type Two = [key: string, member: string]
type Many = [key: string, ...rest: string[]]

export const sets: Commands = {
  SADD: {
    arity: -3,
    run(db, [key, ...members]: Many) {
      const items = db.open(key, set)
      const before = items.size
      for (const member of members) items.add(member)
      return items.size - before
    },
  },
  SREM: {
    arity: -3,
    run(db, [key, ...members]: Many) {
      const items = db.find(key, set)
      if (items === undefined) return 0
      const count = members.filter((member) => items.delete(member)).length
      db.prune(key, items)
      return count
    },
  },
  SMEMBERS: { arity: 2, run: (db, [key]: One) => [...(db.find(key, set) ?? [])] },
  SISMEMBER: {
    arity: 3,
    run: (db, [key, member]: Two) => Number(db.find(key, set)?.has(member) ?? 0),
  },
  SMISMEMBER: {
    arity: -3,
    run(db, [key, ...members]: Many) {
      const items = db.find(key, set)
      return members.map((member) => Number(items?.has(member) ?? 0))
    },
  },
  SCARD: { arity: 2, run: (db, [key]: One) => db.find(key, set)?.size ?? 0 },
  SPOP: {
    arity: -2,
    run(db, [key, count, ...rest]: Many) {
      if (rest.length > 0) syntaxError()
      const limit = count === undefined ? undefined : natural(count)
      const items = db.find(key, set)
      if (items === undefined) return limit === undefined ? null : []
      const taken = sample([...items], limit ?? 1)
      for (const member of taken) items.delete(member)
      db.prune(key, items)
      return limit === undefined ? (taken[0] as string) : taken
    },
  },
  SRANDMEMBER: {
    arity: -2,
    run(db, [key, count, ...rest]: Many) {
      if (rest.length > 0) syntaxError()
      const limit = count === undefined ? undefined : integer(count)
      const items = db.find(key, set)
      if (items === undefined) return limit === undefined ? null : []
      const members = [...items]
      if (limit === undefined) return pick(members)
      return limit < 0
        ? Array.from({ length: -limit }, () => pick(members))
        : sample(members, limit)
    },
  },
  SMOVE: {
    arity: 4,
    run(db, [from, to, member]: [string, string, string]) {
      if (db.entry(from) === undefined) return 0
      const source = db.find(from, set)
      db.find(to, set)
      if (!source?.delete(member)) return 0
      db.open(to, set).add(member)
      db.prune(from, source)
      return 1
    },
  },
  SUNION: { arity: -2, run: (db, keys: Many) => [...union(db, keys)] },
  SINTER: { arity: -2, run: (db, keys: Many) => [...intersection(db, keys)] },
  SDIFF: { arity: -2, run: (db, keys: Many) => [...difference(db, keys)] },
  SUNIONSTORE: { arity: -3, run: (db, [to, ...keys]: Many) => store(db, to, union(db, keys)) },
  SINTERSTORE: {
    arity: -3,
    run: (db, [to, ...keys]: Many) => store(db, to, intersection(db, keys)),
  },
  SDIFFSTORE: { arity: -3, run: (db, [to, ...keys]: Many) => store(db, to, difference(db, keys)) },
  SSCAN: {
    arity: -3,
    run: (db, [key, cursor, ...options]: [string, string, ...string[]]) =>
      scanCollection(cursor, options, () => {
        const items = db.find(key, set)
        return items && Array.from(items, (member): [string] => [member])
      }),
  },
}

function pick(members: readonly string[]): string {
  return members[Math.floor(Math.random() * members.length)] as string
}

/** So many different ones, as if drawn from a shuffled deck. Uses up the list. */
function sample(members: string[], count: number): string[] {
  const taken = Math.min(count, members.length)
  for (let i = 0; i < taken; i++) {
    const j = i + Math.floor(Math.random() * (members.length - i))
    ;[members[i], members[j]] = [members[j] as string, members[i] as string]
  }
  return members.slice(0, taken)
}

/** Every key is looked at first, since a wrong type anywhere is an error. */
function read(db: Database, keys: readonly string[]): Set<string>[] {
  return keys.map((key) => db.find(key, set) ?? new Set())
}

function union(db: Database, keys: readonly string[]): Set<string> {
  return new Set(read(db, keys).flatMap((items) => [...items]))
}

function intersection(db: Database, keys: readonly string[]): Set<string> {
  const [first, ...others] = read(db, keys)
  return new Set([...(first ?? [])].filter((member) => others.every((items) => items.has(member))))
}

function difference(db: Database, keys: readonly string[]): Set<string> {
  const [first, ...others] = read(db, keys)
  return new Set([...(first ?? [])].filter((member) => !others.some((items) => items.has(member))))
}

function store(db: Database, to: string, result: Set<string>): Result {
  db.put(to, result)
  db.prune(to, result)
  return result.size
}
