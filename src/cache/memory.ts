import type { Kept } from './shared.ts'

/** What a cache gives. */
export interface Cached<V> {
  readonly value: V
  /** It is older than the soft TTL: it is being loaded again, or that has failed. */
  readonly stale: boolean
}

/** Times are milliseconds since the epoch. */
export interface Entry<V> {
  /** When its load began, in the order of things: an older load does not replace a younger one. */
  readonly sequence: number
  /** `undefined` if the source has no such thing. */
  readonly kept: Kept<V> | undefined
  /** As it is given while it is fresh. */
  readonly found: Cached<V> | undefined
  /** Fresh until then. */
  softUntil: number
  /** Of no use from then on. */
  readonly hardUntil: number
  /** When it may be loaded again, once it is not fresh. */
  refreshAt: number
}

/**
 * The first level: this process. Bounded; what was not used for longest goes first.
 *
 * Loads and invalidations are numbered as they begin. A load that began before an invalidation of its key is not
 * kept, however late it ends.
 */
export class MemoryLevel<V> {
  readonly #maxEntries: number
  readonly #entries = new Map<string, Entry<V>>()
  readonly #invalidated = new Map<string, number>()
  #sequence = 0
  /** The number of the latest invalidation that is not in the map any more. */
  #forgotten = 0
  #suspected = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /** The number of something that begins now. */
  next(): number {
    return ++this.#sequence
  }

  get(id: string): Entry<V> | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    // The map keeps the order of insertion: the first is the one to go.
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry
  }

  put(key: string, id: string, entry: Entry<V>): void {
    if ((this.#invalidated.get(key) ?? this.#forgotten) > entry.sequence) return
    if ((this.#entries.get(id)?.sequence ?? 0) > entry.sequence) return
    if (entry.sequence < this.#suspected) entry.softUntil = 0
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    if (this.#entries.size > this.#maxEntries) {
      this.#entries.delete(this.#entries.keys().next().value as string)
    }
  }

  /** What is older than a load that began with this number. */
  forget(id: string, sequence: number): void {
    if ((this.#entries.get(id)?.sequence ?? sequence) < sequence) this.#entries.delete(id)
  }

  /** Every variant of the key. */
  invalidate(key: string): void {
    for (const id of this.#entries.keys()) if (isOf(key, id)) this.#entries.delete(id)
    this.#invalidated.delete(key)
    this.#invalidated.set(key, this.next())
    if (this.#invalidated.size > this.#maxEntries) {
      const [oldest, sequence] = this.#invalidated.entries().next().value as [string, number]
      this.#invalidated.delete(oldest)
      this.#forgotten = sequence
    }
  }

  /** An invalidation may have been missed: nothing that is here, or on its way, counts as fresh. */
  suspect(): void {
    this.#suspected = this.next()
    for (const entry of this.#entries.values()) {
      entry.softUntil = 0
      entry.refreshAt = 0
    }
  }
}

/** A key with one of its variants. Keys hold no NUL. */
export function idOf(key: string, variant: string): string {
  return `${key}\0${variant}`
}

export function isOf(key: string, id: string): boolean {
  return id.startsWith(`${key}\0`)
}
