/** What a store holds of one value. */
export interface Stored {
  /** `undefined`: nothing. */
  readonly sealed: Uint8Array<ArrayBuffer> | undefined
  /** Of the key; another after every invalidation. `''` before the first. */
  readonly generation: string
}

export interface InvalidationListener {
  /** From now on every invalidation by others is heard. What went before may have been missed. */
  connected(): void
  /** By another cache than this one. */
  invalidated(key: string): void
}

/** The second level, which several processes share. Every method rejects, soon, if it cannot be reached. */
export interface CacheStore {
  /** Both as of one moment. */
  read(key: string, variant: string): Promise<Stored>
  write(key: string, variant: string, sealed: Uint8Array, ttlMs: number): Promise<void>
  remove(key: string, variant: string): Promise<void>
  /** Gives each key a new generation, which it keeps for `ttlMs` at least, and tells every listener. */
  invalidate(keys: readonly string[], ttlMs: number): Promise<void>
  /** A token, or `undefined` if another holds the lock, which ends by itself after `ttlMs`. */
  lock(key: string, variant: string, ttlMs: number): Promise<string | undefined>
  /** Does nothing to the lock of another. */
  unlock(key: string, variant: string, token: string): Promise<void>
  /** Listens until the signal fires, and again after every loss. Resolves at the end, or if it cannot. */
  listen(listener: InvalidationListener, signal: AbortSignal): Promise<void>
}
