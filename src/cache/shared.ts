import type { Sealer, SealProblem } from './seal.ts'
import type { CacheStore, InvalidationListener } from './store.ts'

/** A value as both levels keep it. Times are milliseconds since the epoch. */
export interface Kept<V> {
  readonly value: V
  readonly loadedAt: number
  /** Of no use from then on. */
  readonly hardUntil: number
}

export interface Read<V> {
  /** What a value that is loaded from now on belongs to. */
  readonly generation: string
  readonly kept: Kept<V> | undefined
}

/** How values are written: what `encode` gives is JSON, and `decode` takes it back. */
export interface Codec<V> {
  encode(value: V): unknown
  decode(json: unknown): V
}

export interface SharedOptions<V> {
  readonly store: CacheStore
  readonly sealer: Sealer
  readonly codec: Codec<V>
  /** What a sealed value is bound to besides its key and variant: whose it is, and in which form. */
  readonly context: readonly string[]
  /** Across all processes one at a time loads a value; the others wait for it, 3 s at most. */
  readonly lock?: boolean | undefined
}

/** How long a lock holds if its owner is gone, and how long anyone waits for one. */
const lockMs = 3000
const lockPollMs = 25
/** Longer than any load: what a load that began before an invalidation leaves is gone before the generation is. */
const generationSlackMs = 60_000

/**
 * The second level: sealed values in a store that processes share. A store that cannot be reached is no error,
 * and neither is a value that cannot be opened: it is removed and reported to `dropped`.
 */
export class SharedLevel<V> {
  readonly #options: SharedOptions<V>
  readonly #hardTtlMs: number
  readonly #clock: () => number
  readonly #dropped: (problem: SealProblem) => void
  /** Invalidations that the store does not know of yet. */
  readonly #pending = new Map<string, object>()

  constructor(
    options: SharedOptions<V>,
    hardTtlMs: number,
    clock: () => number,
    dropped: (problem: SealProblem) => void,
  ) {
    this.#options = options
    this.#hardTtlMs = hardTtlMs
    this.#clock = clock
    this.#dropped = dropped
  }

  /** `undefined` if the store cannot be reached: then nothing may be written to it either. */
  async read(key: string, variant: string): Promise<Read<V> | undefined> {
    try {
      // Before that, the store may hold what this process knows to be outdated.
      await this.#flush()
      const { sealed, generation } = await this.#options.store.read(key, variant)
      if (sealed === undefined) return { generation, kept: undefined }
      return { generation, kept: await this.#open(key, variant, sealed, generation) }
    } catch {
      return undefined
    }
  }

  /** Does not reject. */
  async write(key: string, variant: string, generation: string, kept: Kept<V>): Promise<void> {
    const { store, sealer, codec } = this.#options
    const { value, loadedAt, hardUntil } = kept
    const ttlMs = hardUntil - this.#clock()
    if (ttlMs <= 0) return
    try {
      const written: Written = [generation, loadedAt, hardUntil, codec.encode(value)]
      const context = this.#context(key, variant)
      const sealed = await sealer.seal(new TextEncoder().encode(JSON.stringify(written)), context)
      await store.write(key, variant, sealed, ttlMs)
    } catch {
      // Then the next process loads it.
    }
  }

  /** Does not reject. */
  async remove(key: string, variant: string): Promise<void> {
    await this.#options.store.remove(key, variant).catch(() => {})
  }

  /** Does not reject: what the store could not be told, it is told before anything is read from it again. */
  async invalidate(key: string): Promise<void> {
    this.#pending.set(key, {})
    await this.flush()
  }

  /** Tells the store of invalidations that it has missed. Does not reject. */
  async flush(): Promise<void> {
    await this.#flush().catch(() => {})
  }

  /** See `CacheStore`. */
  listen(listener: InvalidationListener, signal: AbortSignal): Promise<void> {
    return this.#options.store.listen(listener, signal)
  }

  /**
   * Waits for the turn to load. Gives what another has left in the meantime, if `enough` of it, or else how to
   * end the turn; `undefined` where there are no turns, or none came.
   */
  async turn(
    key: string,
    variant: string,
    enough: (kept: Kept<V> | undefined) => boolean,
  ): Promise<Turn<V> | undefined> {
    const { store, lock } = this.#options
    if (!lock) return undefined
    const due = performance.now() + lockMs
    try {
      for (;;) {
        const token = await store.lock(key, variant, lockMs)
        const end =
          token === undefined ? undefined : () => store.unlock(key, variant, token).catch(() => {})
        const read = await this.read(key, variant)
        if (read !== undefined && end !== undefined && !enough(read.kept)) return { read, end }
        await end?.()
        if (read === undefined) return undefined
        if (enough(read.kept)) return { read, end: undefined }
        if (performance.now() >= due) return undefined
        await new Promise((resolve) => setTimeout(resolve, lockPollMs * (0.5 + Math.random())))
      }
    } catch {
      return undefined
    }
  }

  async #open(
    key: string,
    variant: string,
    sealed: Uint8Array<ArrayBuffer>,
    generation: string,
  ): Promise<Kept<V> | undefined> {
    const { store, sealer, codec } = this.#options
    const plain = await sealer.open(sealed, this.#context(key, variant))
    if (typeof plain === 'string') {
      this.#dropped(plain)
      await store.remove(key, variant)
      return undefined
    }
    const [filledIn, loadedAt, until, json]: Written = JSON.parse(new TextDecoder().decode(plain))
    const now = this.#clock()
    // The other process may keep values for longer, and its clock may be ahead.
    const hardUntil = Math.min(until, loadedAt + this.#hardTtlMs)
    // Loaded before an invalidation, and written after it.
    if (filledIn !== generation || now >= hardUntil) return undefined
    return { value: codec.decode(json), loadedAt: Math.min(loadedAt, now), hardUntil }
  }

  #context(key: string, variant: string): readonly string[] {
    return [...this.#options.context, key, variant]
  }

  async #flush(): Promise<void> {
    if (this.#pending.size === 0) return
    const sent = [...this.#pending]
    await this.#options.store.invalidate(
      sent.map(([key]) => key),
      this.#hardTtlMs + generationSlackMs,
    )
    // A key may have been invalidated once more in the meantime.
    for (const [key, mark] of sent) if (this.#pending.get(key) === mark) this.#pending.delete(key)
  }
}

export interface Turn<V> {
  readonly read: Read<V>
  /** Missing if there is nothing to load any more. Does not reject. */
  readonly end: (() => Promise<void>) | undefined
}

/** What is sealed. */
type Written = readonly [generation: string, loadedAt: number, hardUntil: number, value: unknown]
