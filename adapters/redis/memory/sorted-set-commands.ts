import { type Commands, type Database, sortedSet } from './database.ts'
import { scanCollection } from './key-commands.ts'
import { double, formatDouble, integer, natural, notFloat } from './numbers.ts'
import { type Result, refuse, syntaxError } from './reply.ts'
import { span } from './search.ts'
import { type Bound, type Scored, SortedSet } from './sorted-set.ts'

type One = [key: string]
type Two = [key: string, member: string]
type Three = [key: string, a: string, b: string]
type Many = [key: string, ...rest: string[]]
type Range = [key: string, start: string, stop: string, ...options: string[]]

export const sortedSets: Commands = {
  ZADD: { arity: -4, run: add },
  ZINCRBY: {
    arity: 4,
    run: (db, [key, by, member]: Three) => add(db, [key, 'INCR', by, member]),
  },
  ZREM: {
    arity: -3,
    run: (db, [key, ...members]: Many) => removeAll(db, key, () => members),
  },
  ZSCORE: { arity: 3, run: (db, [key, member]: Two) => score(db.find(key, sortedSet), member) },
  ZMSCORE: {
    arity: -3,
    run(db, [key, ...members]: Many) {
      const items = db.find(key, sortedSet)
      return members.map((member) => score(items, member))
    },
  },
  ZRANK: {
    arity: 3,
    run: (db, [key, member]: Two) => db.find(key, sortedSet)?.rank(member) ?? null,
  },
  ZREVRANK: {
    arity: 3,
    run(db, [key, member]: Two) {
      const items = db.find(key, sortedSet)
      const rank = items?.rank(member)
      return items === undefined || rank === undefined ? null : items.size - 1 - rank
    },
  },
  ZCARD: { arity: 2, run: (db, [key]: One) => db.find(key, sortedSet)?.size ?? 0 },
  ZCOUNT: { arity: 4, run: (db, args: Three) => count(db, args, 'SCORE') },
  ZLEXCOUNT: { arity: 4, run: (db, args: Three) => count(db, args, 'LEX') },

  ZRANGE: { arity: -4, run: (db, args: Range) => range(db, args) },
  ZREVRANGE: { arity: -4, run: (db, args: Range) => range(db, args, 'RANK', true) },
  ZRANGEBYSCORE: { arity: -4, run: (db, args: Range) => range(db, args, 'SCORE', false) },
  ZREVRANGEBYSCORE: { arity: -4, run: (db, args: Range) => range(db, args, 'SCORE', true) },
  ZRANGEBYLEX: { arity: -4, run: (db, args: Range) => range(db, args, 'LEX', false) },
  ZREVRANGEBYLEX: { arity: -4, run: (db, args: Range) => range(db, args, 'LEX', true) },
  ZREMRANGEBYRANK: { arity: 4, run: (db, args: Three) => removeRange(db, args, 'RANK') },
  ZREMRANGEBYSCORE: { arity: 4, run: (db, args: Three) => removeRange(db, args, 'SCORE') },
  ZREMRANGEBYLEX: { arity: 4, run: (db, args: Three) => removeRange(db, args, 'LEX') },

  ZPOPMIN: { arity: -2, run: (db, args: Many) => pop(db, args, false) },
  ZPOPMAX: { arity: -2, run: (db, args: Many) => pop(db, args, true) },
  ZSCAN: {
    arity: -3,
    run: (db, [key, cursor, ...options]: [string, string, ...string[]]) =>
      scanCollection(cursor, options, () => db.find(key, sortedSet)?.slice().map(withScore)),
  },
}

function withScore({ member, score }: Scored): [string, string] {
  return [member, formatDouble(score)]
}

function score(items: SortedSet | undefined, member: string): string | null {
  const value = items?.score(member)
  return value === undefined ? null : formatDouble(value)
}

function parseScore(text: string): number {
  const value = double(text)
  return Number.isNaN(value) ? refuse(notFloat) : value
}

/** ZADD. With INCR the new score, otherwise how many are new (or, with CH, new or changed). */
function add(db: Database, [key, ...words]: Many): Result {
  const flags = new Set<string>()
  let at = 0
  for (; /^(NX|XX|GT|LT|CH|INCR)$/i.test(words[at] ?? ''); at++) {
    flags.add((words[at] as string).toUpperCase())
  }
  const [nx, xx, gt, lt, incr] = ['NX', 'XX', 'GT', 'LT', 'INCR'].map((flag) => flags.has(flag))
  const pairs = words.slice(at)
  if (pairs.length === 0 || pairs.length % 2 !== 0) syntaxError()
  if (nx && xx) refuse('ERR XX and NX options at the same time are not compatible')
  if ((gt && (nx || lt)) || (lt && nx)) {
    refuse('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (incr && pairs.length > 2) refuse('ERR INCR option supports a single increment-element pair')
  const scores = pairs.filter((_, i) => i % 2 === 0).map(parseScore)

  // A set of its own until something is in it: a key without members must not come to be.
  const items = db.find(key, sortedSet) ?? new SortedSet()
  let added = 0
  let changed = 0
  let result: string | null = null
  for (const [i, given] of scores.entries()) {
    const member = pairs[2 * i + 1] as string
    const old = items.score(member)
    if (old === undefined ? xx : nx) continue
    const next = incr ? (old ?? 0) + given : given
    if (Number.isNaN(next)) refuse('ERR resulting score is not a number (NaN)')
    if (old !== undefined && ((gt && next <= old) || (lt && next >= old))) continue
    if (old === undefined) added++
    else if (next !== old) changed++
    if (next !== old) items.set(member, next)
    result = formatDouble(next)
  }
  if (items.size > 0) db.replace(key, items)
  if (incr) return result
  return flags.has('CH') ? added + changed : added
}

function removeAll(
  db: Database,
  key: string,
  choose: (items: SortedSet) => readonly string[],
): number {
  const items = db.find(key, sortedSet)
  if (items === undefined) return 0
  const removed = choose(items).filter((member) => items.delete(member)).length
  db.prune(key, items)
  return removed
}

type By = 'RANK' | 'SCORE' | 'LEX'

/** Ranks, the second not included. Parses before it is asked, since a bad bound is an error even without the key. */
function rangeOf(
  by: By,
  min: string,
  max: string,
): (items: SortedSet, reverse: boolean) => [number, number] {
  if (by === 'RANK') {
    const [start, stop] = [integer(min), integer(max)]
    return ({ size }, reverse) => {
      const [from, to] = span(start, stop, size)
      return reverse ? [size - to, size - from] : [from, to]
    }
  }
  if (by === 'SCORE') {
    const [low, high] = [scoreBound(min), scoreBound(max)]
    return (items) => items.byScore(low, high)
  }
  const [low, high] = [memberBound(min, false), memberBound(max, true)]
  return (items) => items.byMember(low, high)
}

function scoreBound(text: string): Bound<number> {
  const exclusive = text.startsWith('(')
  const digits = exclusive ? text.slice(1) : text
  // Redis reads nothing at all as 0 here.
  const value = digits === '' ? 0 : double(digits)
  return Number.isNaN(value) ? refuse('ERR min or max is not a float') : { value, exclusive }
}

/** Above every member: they are binary strings, and so have no character beyond U+00FF. */
const highest = '\u0100'

function memberBound(text: string, isMax: boolean): Bound<string> {
  // As a maximum, `-` is below the empty member too.
  if (text === '-') return { value: '', exclusive: isMax }
  if (text === '+') return { value: highest, exclusive: false }
  if (!/^[[(]/.test(text)) refuse('ERR min or max not valid string range item')
  return { value: text.slice(1), exclusive: text.startsWith('(') }
}

function count(db: Database, [key, min, max]: Three, by: By): number {
  const find = rangeOf(by, min, max)
  const items = db.find(key, sortedSet)
  if (items === undefined) return 0
  const [from, to] = find(items, false)
  return to - from
}

function removeRange(db: Database, [key, min, max]: Three, by: By): number {
  const find = rangeOf(by, min, max)
  return removeAll(db, key, (items) =>
    items.slice(...find(items, false)).map(({ member }) => member),
  )
}

/** ZRANGE, which is told by options what it does, and the older commands, which know. */
function range(
  db: Database,
  [key, start, stop, ...options]: Range,
  fixedBy?: By,
  fixedReverse?: boolean,
): Result {
  let by: By = fixedBy ?? 'RANK'
  let reverse = fixedReverse ?? false
  let scores = false
  let [offset, limit] = [0, -1]
  for (let i = 0; i < options.length; i++) {
    const option = options[i]?.toUpperCase()
    const open = fixedBy === undefined
    if (option === 'WITHSCORES') scores = true
    else if (option === 'REV' && open && !reverse) reverse = true
    else if (option === 'BYSCORE' && open && by === 'RANK') by = 'SCORE'
    else if (option === 'BYLEX' && open && by === 'RANK') by = 'LEX'
    else if (option === 'LIMIT' && i + 2 < options.length) {
      offset = integer(options[++i] as string)
      limit = integer(options[++i] as string)
    } else syntaxError()
  }
  if (by === 'RANK' && limit !== -1) {
    syntaxError('LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  if (by === 'LEX' && scores) syntaxError('WITHSCORES not supported in combination with BYLEX')
  const [min, max] = reverse && by !== 'RANK' ? [stop, start] : [start, stop]
  const find = rangeOf(by, min, max)
  const items = db.find(key, sortedSet)
  if (items === undefined) return []
  const found = items.slice(...find(items, reverse))
  if (reverse) found.reverse()
  const end = limit < 0 ? undefined : offset + limit
  const page = by === 'RANK' ? found : offset < 0 ? [] : found.slice(offset, end)
  return scores ? page.flatMap(withScore) : page.map(({ member }) => member)
}

function pop(db: Database, [key, count, ...rest]: Many, highestFirst: boolean): Result {
  if (rest.length > 0) syntaxError()
  const limit = count === undefined ? 1 : natural(count)
  const items = db.find(key, sortedSet)
  if (items === undefined) return []
  const found = highestFirst
    ? items.slice(Math.max(0, items.size - limit)).reverse()
    : items.slice(0, limit)
  for (const { member } of found) items.delete(member)
  db.prune(key, items)
  return found.flatMap(withScore)
}
