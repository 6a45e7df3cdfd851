import { randomBytes } from 'node:crypto'
import { onTestFinished, vi } from 'vitest'
import type { Loaded } from '../../src/cache/cache.ts'
import { Cache, type CacheOptions, RedisStore, Sealer } from '../../src/cache/index.ts'
import { type ErrorKind, InfraError, type MetricsSink } from '../../src/core/index.ts'
import type { Redis } from '../../src/redis/index.ts'

/** A clock that goes when it is told to. */
export class Clock {
  now = 1_800_000_000_000
  readonly read = () => this.now
}

/** Where values come from, with a count of the loads; what `values` lacks does not exist. */
export class CountedSource {
  readonly values = new Map<string, string>()
  loads = 0
  /** What every load fails with, if anything. */
  failure: Error | undefined
  /** Loads wait for it. */
  gate: Promise<unknown> = Promise.resolve()
  expiresAt: number | undefined

  readonly load = async (key: string, variant: string): Promise<Loaded<string> | undefined> => {
    this.loads++
    // What it was when it was asked, as any server would answer.
    const value = this.values.get(variant === '' ? key : `${key}/${variant}`)
    const { failure, expiresAt } = this
    await this.gate
    if (failure !== undefined) throw failure
    return value === undefined ? undefined : { value, expiresAt }
  }
}

export function failed(kind: ErrorKind): InfraError {
  return new InfraError({ kind, component: 'test', adapter: 'test', operation: 'load' })
}

/** A cache before a source, closed when the test is over. */
export function cacheOf(
  source: CountedSource,
  options: Partial<CacheOptions<string>> = {},
): Cache<string> {
  const cache = new Cache({ name: 'test', operation: 'get', load: source.load, ...options })
  onTestFinished(() => cache.close())
  return cache
}

export const key = new Uint8Array(randomBytes(32))

let prefixes = 0
/** Keys that no other test uses. */
export function freshPrefix(): string {
  return `test:cache:${process.pid}:${Date.now()}:${prefixes++}:`
}

export function sharedBy(
  redis: Redis,
  prefix: string,
  {
    keys = key,
    lock,
    timeoutMs = 5000,
  }: { keys?: Uint8Array | Uint8Array[]; lock?: boolean; timeoutMs?: number } = {},
): NonNullable<CacheOptions<string>['shared']> {
  return {
    store: new RedisStore({ redis, prefix, timeoutMs }),
    sealer: new Sealer(keys),
    codec: { encode: (value) => value, decode: (json) => json as string },
    context: ['test'],
    lock,
  }
}

/** Counts by `name{label,label}`. */
export function counters(): { readonly sink: MetricsSink; readonly counts: Map<string, number> } {
  const counts = new Map<string, number>()
  const none = () => () => {}
  const sink: MetricsSink = {
    histogram: none,
    gauge: none,
    counter({ name, labels }) {
      const id = `${name}{${Object.values(labels).join(',')}}`
      return (increment) => counts.set(id, (counts.get(id) ?? 0) + increment)
    },
  }
  return { sink, counts }
}

/** Resolves as soon as the check passes; it may take long on a busy machine. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 10_000, interval: 20 })
}
