import { type Commands, type Database, type List, list } from './database.ts'
import { double, integer, natural } from './numbers.ts'
import { Blocked, ok, type Result, refuse, syntaxError, wrongArity } from './reply.ts'
import { span } from './search.ts'

type Two = [key: string, a: string]
type Three = [key: string, a: string, b: string]
type Many = [key: string, ...rest: string[]]

export const lists: Commands = {
  LPUSH: { arity: -3, run: (db, [key, ...items]: Many) => push(db.open(key, list), items, true) },
  RPUSH: { arity: -3, run: (db, [key, ...items]: Many) => push(db.open(key, list), items, false) },
  LPUSHX: { arity: -3, run: (db, [key, ...items]: Many) => push(db.find(key, list), items, true) },
  RPUSHX: { arity: -3, run: (db, [key, ...items]: Many) => push(db.find(key, list), items, false) },
  LPOP: { arity: -2, run: (db, args: Many) => pop(db, args, true) },
  RPOP: { arity: -2, run: (db, args: Many) => pop(db, args, false) },
  BLPOP: { arity: -3, run: (db, args) => blockingPop(db, args, true) },
  BRPOP: { arity: -3, run: (db, args) => blockingPop(db, args, false) },
  LMOVE: {
    arity: 5,
    run(db, [from, to, whence, whither]: [string, string, string, string]) {
      const [left, leftmost] = [isLeft(whence), isLeft(whither)]
      return move(db, from, to, left, leftmost)
    },
  },
  RPOPLPUSH: { arity: 3, run: (db, [from, to]: Two) => move(db, from, to, false, true) },
  LRANGE: {
    arity: 4,
    run(db, [key, start, stop]: Three) {
      const [first, last] = [integer(start), integer(stop)]
      const items = db.find(key, list) ?? []
      return items.slice(...span(first, last, items.length))
    },
  },
  LLEN: { arity: 2, run: (db, [key]: [string]) => db.find(key, list)?.length ?? 0 },
  LINDEX: {
    arity: 3,
    run: (db, [key, index]: Two) => db.find(key, list)?.at(integer(index)) ?? null,
  },
  LSET: {
    arity: 4,
    run(db, [key, position, item]: Three) {
      const items = db.find(key, list) ?? refuse('ERR no such key')
      const index = integer(position)
      const at = index < 0 ? index + items.length : index
      if (at < 0 || at >= items.length) refuse('ERR index out of range')
      items[at] = item
      return ok
    },
  },
  LINSERT: {
    arity: 5,
    run(db, [key, where, pivot, item]: [string, string, string, string]) {
      const side = where.toUpperCase()
      if (side !== 'BEFORE' && side !== 'AFTER') syntaxError()
      const items = db.find(key, list)
      if (items === undefined) return 0
      const at = items.indexOf(pivot)
      if (at < 0) return -1
      items.splice(side === 'BEFORE' ? at : at + 1, 0, item)
      return items.length
    },
  },
  LREM: {
    arity: 4,
    run(db, [key, count, item]: Three) {
      const limit = integer(count)
      const items = db.find(key, list)
      if (items === undefined) return 0
      const found = positions(items, item, limit < 0).slice(0, Math.abs(limit) || undefined)
      const gone = new Set(found)
      db.prune(
        key,
        db.replace(
          key,
          items.filter((_, i) => !gone.has(i)),
        ),
      )
      return found.length
    },
  },
  LTRIM: {
    arity: 4,
    run(db, [key, start, stop]: Three) {
      const [first, last] = [integer(start), integer(stop)]
      const items = db.find(key, list)
      if (items !== undefined) {
        db.prune(key, db.replace(key, items.slice(...span(first, last, items.length))))
      }
      return ok
    },
  },
  LPOS: { arity: -3, run: lpos },
}

function isLeft(word: string): boolean {
  const side = word.toUpperCase()
  if (side !== 'LEFT' && side !== 'RIGHT') syntaxError()
  return side === 'LEFT'
}

/** The new length. To the left, the last one pushed is the first one in the list. */
function push(items: List | undefined, added: readonly string[], left: boolean): number {
  if (items === undefined) return 0
  if (left && added.length === 1) return items.unshift(added[0] as string)
  // Turned around for many, since one unshift for each would move the whole list each time.
  if (left) items.reverse()
  for (const item of added) items.push(item)
  if (left) items.reverse()
  return items.length
}

function take(db: Database, key: string, items: List, left: boolean): string {
  const item = (left ? items.shift() : items.pop()) as string
  db.prune(key, items)
  return item
}

function pop(db: Database, [key, count, ...rest]: Many, left: boolean): Result {
  if (rest.length > 0) wrongArity(left ? 'lpop' : 'rpop')
  const limit = count === undefined ? undefined : natural(count)
  const items = db.find(key, list)
  if (items === undefined) return null
  if (limit === undefined) return take(db, key, items, left)
  const taken = left
    ? items.splice(0, limit)
    : items.splice(Math.max(0, items.length - limit)).reverse()
  db.prune(key, items)
  return taken
}

function blockingPop(db: Database, args: readonly string[], left: boolean): Result | Blocked {
  const keys = args.slice(0, -1)
  const seconds = double(args.at(-1) as string)
  if (Number.isNaN(seconds)) refuse('ERR timeout is not a float or out of range')
  if (seconds < 0) refuse('ERR timeout is negative')
  for (const key of keys) {
    const items = db.find(key, list)
    if (items !== undefined) return [key, take(db, key, items, left)]
  }
  return new Blocked(Math.ceil(seconds * 1000), () => {
    for (const key of keys) {
      // A key that holds something else by now is none to wait for, and no error either.
      const value = db.entry(key)?.value
      if (Array.isArray(value)) return [key, take(db, key, value, left)]
    }
    return undefined
  })
}

function move(db: Database, from: string, to: string, left: boolean, leftmost: boolean): Result {
  const source = db.find(from, list)
  if (source === undefined) return null
  const target = from === to ? source : db.open(to, list)
  const item = (left ? source.shift() : source.pop()) as string
  push(target, [item], leftmost)
  db.prune(from, source)
  return item
}

/** Where the item is, in the order of looking. */
function positions(
  items: List,
  item: string,
  fromEnd: boolean,
  maxLength = items.length,
): number[] {
  const found: number[] = []
  for (let n = 0; n < Math.min(maxLength, items.length); n++) {
    const i = fromEnd ? items.length - 1 - n : n
    if (items[i] === item) found.push(i)
  }
  return found
}

function lpos(db: Database, [key, item, ...options]: [string, string, ...string[]]): Result {
  let rank = 1
  let count: number | undefined
  let maxLength = 0
  for (let i = 0; i < options.length; i += 2) {
    const value = options[i + 1] ?? syntaxError()
    const name = options[i]?.toUpperCase()
    if (name === 'RANK') {
      rank = integer(value)
      if (rank === 0) {
        refuse(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
            'or use negative to start from the end of the list',
        )
      }
    } else if (name === 'COUNT') {
      count = integer(value, "ERR COUNT can't be negative")
      if (count < 0) refuse("ERR COUNT can't be negative")
    } else if (name === 'MAXLEN') {
      maxLength = integer(value, "ERR MAXLEN can't be negative")
      if (maxLength < 0) refuse("ERR MAXLEN can't be negative")
    } else syntaxError()
  }
  const items = db.find(key, list)
  if (items === undefined) return count === undefined ? null : []
  const found = positions(items, item, rank < 0, maxLength || undefined).slice(Math.abs(rank) - 1)
  return count === undefined ? (found[0] ?? null) : found.slice(0, count || undefined)
}
