import { isInfraError } from '../core/index.ts'
import { fullJitter } from '../core/resilience.ts'
import type { Redis } from '../redis/index.ts'
import { base64Of, bytesOf } from './seal.ts'
import type { CacheStore, InvalidationListener, Stored } from './store.ts'

export interface RedisStoreOptions {
  readonly redis: Redis
  /** Of every key, and of the channel. */
  readonly prefix: string
  /** For each command. Milliseconds. */
  readonly timeoutMs: number
}

const unlockScript =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

/**
 * A store in Redis, over any adapter: base64 in strings. `{}` puts all that belongs to a key into one slot of a
 * cluster. Names of keys are readable there, values are not.
 */
export class RedisStore implements CacheStore {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #channel: string
  readonly #options: { readonly timeoutMs: number }
  #origin: string | undefined

  constructor({ redis, prefix, timeoutMs }: RedisStoreOptions) {
    this.#redis = redis
    this.#prefix = prefix
    this.#channel = `${prefix}invalidations`
    this.#options = { timeoutMs }
  }

  async read(key: string, variant: string): Promise<Stored> {
    const names = [this.#valueName(key, variant), this.#generationName(key)]
    const [text, generation] = await this.#redis.mget(names, this.#options)
    return { sealed: decoded(text), generation: generation ?? '' }
  }

  async write(key: string, variant: string, sealed: Uint8Array, ttlMs: number): Promise<void> {
    await this.#redis.set(this.#valueName(key, variant), base64Of(sealed), {
      ttlMs: Math.ceil(ttlMs),
      ...this.#options,
    })
  }

  async remove(key: string, variant: string): Promise<void> {
    await this.#redis.del(this.#valueName(key, variant), this.#options)
  }

  async invalidate(keys: readonly string[], ttlMs: number): Promise<void> {
    await Promise.all(
      keys.map((key) =>
        this.#redis
          .pipeline()
          .set(this.#generationName(key), crypto.randomUUID(), { ttlMs: Math.ceil(ttlMs) })
          // Of no use any more; other variants, which are not known here, go when they expire.
          .del(this.#valueName(key, ''))
          .publish(this.#channel, JSON.stringify([this.#self(), key]))
          .exec(this.#options),
      ),
    )
  }

  async lock(key: string, variant: string, ttlMs: number): Promise<string | undefined> {
    const token = crypto.randomUUID()
    const name = this.#lockName(key, variant)
    const taken = await this.#redis.set(name, token, { ttlMs, ifAbsent: true, ...this.#options })
    return taken ? token : undefined
  }

  async unlock(key: string, variant: string, token: string): Promise<void> {
    const name = this.#lockName(key, variant)
    if (this.#redis.capabilities.scripts) {
      await this.#redis.eval(unlockScript, [name], [token], this.#options)
      return
    }
    // Not atomic: at worst the lock of another goes, and a value is loaded once more than needed.
    if ((await this.#redis.get(name, this.#options)) === token) {
      await this.#redis.del(name, this.#options)
    }
  }

  async listen(listener: InvalidationListener, signal: AbortSignal): Promise<void> {
    if (!this.#redis.capabilities.subscribe) return
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const messages = await this.#redis.subscribe(this.#channel, { signal })
        attempt = 0
        listener.connected()
        for await (const { message } of messages) this.#heard(message, listener)
      } catch (error) {
        if (signal.aborted || isInfraError(error, 'closed')) return
      }
      await pause(fullJitter(attempt, 100, 10_000), signal)
    }
  }

  #heard(message: string, listener: InvalidationListener): void {
    let parsed: unknown
    try {
      parsed = JSON.parse(message)
    } catch {
      return
    }
    const [origin, key] = Array.isArray(parsed) ? parsed : []
    if (origin !== this.#self() && typeof key === 'string') listener.invalidated(key)
  }

  /** Made when it is first needed: at module scope a Worker has no random values. */
  #self(): string {
    this.#origin ??= crypto.randomUUID()
    return this.#origin
  }

  #valueName(key: string, variant: string): string {
    return `${this.#base(key)}:value:${variant}`
  }

  #generationName(key: string): string {
    return `${this.#base(key)}:generation`
  }

  #lockName(key: string, variant: string): string {
    return `${this.#base(key)}:lock:${variant}`
  }

  #base(key: string): string {
    return `${this.#prefix}{${encodeURIComponent(key)}}`
  }
}

/** What is not base64 is not ours: too short to be opened, so that it is dropped as any other such value. */
function decoded(text: string | null | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (text === null || text === undefined) return undefined
  try {
    return bytesOf(text)
  } catch {
    return new Uint8Array()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    // A process that has nothing else to do may end.
    timer.unref()
    signal.addEventListener('abort', end)
  })
}
