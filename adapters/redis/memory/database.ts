import { Channels } from './pubsub.ts'
import { type Blocked, type Result, refuse } from './reply.ts'
import { search } from './search.ts'
import { SortedSet } from './sorted-set.ts'
import { Stream } from './stream.ts'

export type Hash = Map<string, string>
export type List = string[]
export type Value = string | Hash | List | Set<string> | SortedSet | Stream

/** A kind of value: how to know one, and how one begins. */
export interface Kind<T extends Value> {
  readonly name: string
  is(value: Value): value is T
  create(): T
}

export const string: Kind<string> = {
  name: 'string',
  is: (value) => typeof value === 'string',
  create: () => '',
}
export const hash: Kind<Hash> = {
  name: 'hash',
  is: (value) => value instanceof Map,
  create: () => new Map(),
}
export const list: Kind<List> = {
  name: 'list',
  is: (value) => Array.isArray(value),
  create: () => [],
}
export const set: Kind<Set<string>> = {
  name: 'set',
  is: (value) => value instanceof Set,
  create: () => new Set(),
}
export const sortedSet: Kind<SortedSet> = {
  name: 'zset',
  is: (value) => value instanceof SortedSet,
  create: () => new SortedSet(),
}
export const stream: Kind<Stream> = {
  name: 'stream',
  is: (value) => value instanceof Stream,
  create: () => new Stream(),
}

export function typeOf(value: Value): string {
  const kinds = [string, hash, list, set, sortedSet, stream]
  return (kinds.find((kind) => kind.is(value)) as Kind<Value>).name
}

/** Epoch milliseconds, beyond 2^53 a bigint; `never` for a key that stays. */
export type Expiry = number | bigint
export const never = Infinity

export interface Entry {
  readonly key: string
  /** Keys that are newer have a higher one; it stays while the key exists. */
  readonly serial: number
  value: Value
  expires: Expiry
}

/** A command as it is dispatched. */
export interface Command {
  /** With the name; negative for "at least", as Redis counts. */
  readonly arity: number
  /** The arguments come without the name, as binary strings, and there are as many as `arity` says. */
  run(db: Database, args: readonly string[]): Result | Blocked
}
export type Commands = Readonly<Record<string, Command>>

/** The keys and their values. Keys that have expired are dropped when something comes across them. */
export class Database {
  readonly channels = new Channels()
  readonly #clock: () => number
  readonly #entries = new Map<string, Entry>()
  /** By serial, with keys that are gone among them, until `#compact` drops those. */
  #order: Entry[] = []
  #compactAt = 64
  #serial = 0
  #now = 0

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Epoch milliseconds; stands still while a command runs. */
  get now(): number {
    return this.#now
  }

  tick(): void {
    this.#now = Math.floor(this.#clock())
  }

  /** How many keys there are. */
  get size(): number {
    this.tick()
    this.#compact()
    return this.#entries.size
  }

  entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expires >= this.#now) return entry
    this.#entries.delete(key)
    return undefined
  }

  /** The value, `undefined` without the key; refuses a value of another kind. */
  find<T extends Value>(key: string, kind: Kind<T>): T | undefined {
    const value = this.entry(key)?.value
    if (value === undefined || kind.is(value)) return value
    return refuse('WRONGTYPE Operation against a key holding the wrong kind of value')
  }

  /** The value, which is made if there is none. */
  open<T extends Value>(key: string, kind: Kind<T>): T {
    return this.find(key, kind) ?? this.put(key, kind.create())
  }

  put<T extends Value>(key: string, value: T, expires: Expiry = never): T {
    const entry = this.entry(key)
    if (entry === undefined) {
      const created = { key, serial: ++this.#serial, value, expires }
      this.#entries.set(key, created)
      this.#order.push(created)
      if (this.#order.length >= this.#compactAt) this.#compact()
    } else {
      entry.value = value
      entry.expires = expires
    }
    return value
  }

  /** As `put`, but the expiry stays. */
  replace<T extends Value>(key: string, value: T): T {
    return this.put(key, value, this.entry(key)?.expires)
  }

  delete(key: string): boolean {
    return this.entry(key) !== undefined && this.#entries.delete(key)
  }

  /** Deletes a collection from which the last item was taken. */
  prune(key: string, collection: Exclude<Value, string | Stream>): void {
    if ((Array.isArray(collection) ? collection.length : collection.size) === 0) this.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#order = []
  }

  *entries(): Generator<Entry> {
    for (const key of this.#entries.keys()) {
      const entry = this.entry(key)
      if (entry !== undefined) yield entry
    }
  }

  /** One key, each as likely as any other. */
  random(): string | undefined {
    this.#compact()
    return this.#order[Math.floor(Math.random() * this.#order.length)]?.key
  }

  /**
   * Up to `count` keys, from the newest to the oldest: what is created during a scan comes before where it
   * stands, so that a scan always ends, and a key that stays is always found. 0 starts and ends it.
   */
  scan(cursor: number, count: number): [next: number, page: Entry[]] {
    const order = this.#order
    const end = cursor === 0 ? order.length : search(order, ({ serial }) => serial < cursor)
    const page: Entry[] = []
    let i = end
    while (i > 0 && page.length < count) {
      const entry = order[--i] as Entry
      if (this.entry(entry.key) === entry) page.push(entry)
    }
    return [i > 0 ? (order[i] as Entry).serial : 0, page]
  }

  /** Drops what is gone or has expired. After as many new keys as there are old ones, so it is cheap per key. */
  #compact(): void {
    this.#order = this.#order.filter((entry) => this.entry(entry.key) === entry)
    this.#compactAt = 2 * this.#order.length + 64
  }
}
