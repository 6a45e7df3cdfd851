import { type Commands, type Database, stream } from './database.ts'
import { integer } from './numbers.ts'
import { Blocked, type Result, refuse, syntaxError, wrongArity } from './reply.ts'
import { formatId, maxId, millisecondsOf, parseId, Stream, type StreamItem } from './stream.ts'

type Many = [key: string, ...rest: string[]]
type Range = [key: string, a: string, b: string, ...options: string[]]

const notAnId = 'ERR Invalid stream ID specified as stream command argument'
const notAbove = 'ERR The ID specified in XADD is equal or smaller than the target stream top item'

export const streams: Commands = {
  XADD: { arity: -5, run: add },
  XTRIM: {
    arity: -4,
    run(db, [key, ...words]: Many) {
      const { trim } = trimOptions(words, false)
      if (trim === undefined) syntaxError('XTRIM must be called with a trimming strategy')
      const items = db.find(key, stream)
      return items === undefined ? 0 : trim(items)
    },
  },
  XLEN: { arity: 2, run: (db, [key]: [string]) => db.find(key, stream)?.size ?? 0 },
  XRANGE: {
    arity: -4,
    run: (db, [key, start, end, ...rest]: Range) => range(db, key, start, end, rest),
  },
  XREVRANGE: {
    arity: -4,
    run: (db, [key, end, start, ...rest]: Range) => range(db, key, start, end, rest, true),
  },
  XDEL: {
    arity: -3,
    run(db, [key, ...texts]: Many) {
      const items = db.find(key, stream)
      if (items === undefined) return 0
      const ids = texts.map((text) => strictId(text))
      return ids.filter((id) => items.delete(id)).length
    },
  },
  XREAD: { arity: -4, run: read },
}

function strictId(text: string, sequence = 0n): bigint {
  return parseId(text, sequence) ?? refuse(notAnId)
}

function reply({ id, fields }: StreamItem): Result {
  return [formatId(id), fields.slice()]
}

function add(db: Database, [key, ...words]: Many): Result {
  const { trim, create, id, fields } = trimOptions(words, true)
  if (id === undefined || fields.length === 0 || fields.length % 2 !== 0) return wrongArity('xadd')
  if (id.explicit === 0n) refuse('ERR The ID specified in XADD must be greater than 0-0')
  const existing = db.find(key, stream)
  if (existing === undefined && !create) return null
  const items = existing ?? new Stream()
  if (items.lastId === maxId) {
    refuse('ERR The stream has exhausted the last possible ID, unable to add more items')
  }
  const chosen = id.explicit ?? items.nextId(BigInt(db.now), id.ms)
  if (chosen === undefined || chosen <= items.lastId) return refuse(notAbove)
  items.add(chosen, fields)
  trim?.(items)
  if (existing === undefined) db.put(key, items)
  return formatId(chosen)
}

/** The ID of a new entry: given (`5-1`, `5`), or chosen with given milliseconds (`5-*`) or without (`*`). */
interface NewId {
  readonly explicit?: bigint
  readonly ms?: bigint
}

function newId(text: string): NewId {
  if (text === '*') return {}
  return text.endsWith('-*') && !text.slice(0, -2).includes('-')
    ? { ms: millisecondsOf(strictId(text.slice(0, -2))) }
    : { explicit: strictId(text) }
}

/** Redis trims by `~` in whole nodes of its tree, which have so many entries. */
const nodeSize = 100

interface TrimOptions {
  /** Trims the stream and says by how many. */
  trim: ((items: Stream) => number) | undefined
  create: boolean
  id: NewId | undefined
  fields: string[]
}

/** What XADD and XTRIM take after the key, checked in the order in which Redis does. */
function trimOptions(words: readonly string[], xadd: boolean): TrimOptions {
  let excess: ((items: Stream) => number) | undefined
  let approximate = false
  let limit: number | undefined
  let create = true
  let id: NewId | undefined
  let at = 0
  for (; at < words.length; at++) {
    const option = words[at]?.toUpperCase()
    const more = words.length - 1 - at
    if ((option === 'MAXLEN' || option === 'MINID') && more > 0) {
      if (excess !== undefined) {
        syntaxError('MAXLEN and MINID options at the same time are not compatible')
      }
      approximate = more > 1 && words[at + 1] === '~'
      if (approximate || (more > 1 && words[at + 1] === '=')) at++
      const threshold = words[++at] as string
      excess = option === 'MAXLEN' ? aboveLength(threshold) : belowId(threshold)
    } else if (option === 'LIMIT' && more > 0) {
      limit = integer(words[++at] as string)
      if (limit < 0) refuse('ERR The LIMIT argument must be >= 0.')
    } else if (!xadd) {
      syntaxError()
    } else if (option === 'NOMKSTREAM') {
      create = false
    } else {
      id = newId(words[at++] as string)
      break
    }
  }
  const fields = words.slice(at)
  if (limit && excess === undefined) {
    syntaxError('LIMIT cannot be used without specifying a trimming strategy')
  }
  if (limit !== undefined && !approximate) {
    syntaxError('LIMIT cannot be used without the special ~ option')
  }
  if (excess === undefined) return { trim: undefined, create, id, fields }
  const count = excess
  const most = limit === undefined ? 100 * nodeSize : limit || Infinity
  const trim = (items: Stream) => {
    let dropped = count(items)
    if (approximate) dropped = Math.min(dropped, most)
    // The last node is whole however few it has.
    if (approximate && dropped < items.size) dropped -= dropped % nodeSize
    items.dropOldest(dropped)
    return dropped
  }
  return { trim, create, id, fields }
}

function aboveLength(text: string): (items: Stream) => number {
  const length = integer(text)
  if (length < 0) refuse('ERR The MAXLEN argument must be >= 0.')
  return ({ size }) => Math.max(0, size - length)
}

function belowId(text: string): (items: Stream) => number {
  const id = strictId(text)
  return (items) => items.countBelow(id)
}

function range(
  db: Database,
  key: string,
  start: string,
  end: string,
  options: readonly string[],
  reverse = false,
): Result {
  const from = intervalId(start, 0n, 1n) ?? refuse('ERR invalid start ID for the interval')
  const to = intervalId(end, maxSequence, -1n) ?? refuse('ERR invalid end ID for the interval')
  let count = -1
  for (let i = 0; i < options.length; i += 2) {
    if (options[i]?.toUpperCase() !== 'COUNT') syntaxError()
    count = Math.max(0, integer(options[i + 1] ?? syntaxError()))
  }
  const items = db.find(key, stream)
  if (items === undefined) return []
  if (count === 0) return null
  const found = items.range(from, to)
  if (reverse) found.reverse()
  return found.slice(0, count < 0 ? undefined : count).map(reply)
}

const maxSequence = (1n << 64n) - 1n

/** One end of a range; `(` leaves the ID itself out. `undefined` if that leaves nothing. */
function intervalId(text: string, sequence: bigint, step: bigint): bigint | undefined {
  if (text === '-') return 0n
  if (text === '+') return maxId
  if (text.length < 2 || !text.startsWith('(')) return strictId(text, sequence)
  const id = strictId(text.slice(1), sequence) + step
  return id < 0n || id > maxId ? undefined : id
}

function read(db: Database, words: readonly string[]): Result | Blocked {
  let count = 0
  let block: number | undefined
  let at = 0
  for (; words[at]?.toUpperCase() !== 'STREAMS'; at += 2) {
    const option = words[at]?.toUpperCase()
    const value = words[at + 1] ?? syntaxError()
    if (option === 'COUNT') count = Math.max(0, integer(value))
    else if (option === 'BLOCK') {
      block = integer(value, 'ERR timeout is not an integer or out of range')
      if (block < 0) refuse('ERR timeout is negative')
    } else syntaxError()
  }
  const rest = words.slice(at + 1)
  if (rest.length === 0) syntaxError()
  if (rest.length % 2 !== 0) {
    refuse(
      "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
    )
  }
  const keys = rest.slice(0, rest.length / 2)
  const after = rest.slice(keys.length).map((id, i) => {
    const items = db.find(keys[i] as string, stream)
    if (id === '$') return items?.lastId ?? 0n
    if (id === '>') {
      refuse(
        'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
      )
    }
    return strictId(id)
  })
  const look = () => {
    const found: Result[] = []
    for (const [i, key] of keys.entries()) {
      const items = db.entry(key)?.value
      if (!(items instanceof Stream)) continue
      const entries = items.range((after[i] as bigint) + 1n, maxId)
      if (entries.length > 0) found.push([key, entries.slice(0, count || undefined).map(reply)])
    }
    return found.length > 0 ? found : undefined
  }
  return look() ?? (block === undefined ? null : new Blocked(block, look))
}
