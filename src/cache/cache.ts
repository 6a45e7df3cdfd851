import { currentContext, withoutContext } from '../core/context.ts'
import {
  type CallOptions,
  CallPipeline,
  type Driver,
  type Labels,
  type MetricsSink,
  type Operation,
} from '../core/index.ts'
import { isWorkerd } from '../core/runtime.ts'
import { misconfigured } from './errors.ts'
import { type Cached, type Entry, idOf, isOf, MemoryLevel } from './memory.ts'
import { type Kept, type Read, SharedLevel, type SharedOptions, type Turn } from './shared.ts'
import { isAnswer, Source } from './source.ts'

export interface Loaded<V> {
  readonly value: V
  /** The value is not kept beyond. Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined
}

export interface CacheOptions<V> {
  /** Of what is cached: the `cache` label of metrics, and the component of errors. */
  readonly name: string
  /** The operation in errors: what callers call. */
  readonly operation: string
  /**
   * Asks the source, within a time of its own. `undefined`: there is no such thing, and that is kept for
   * `negativeTtlMs`. Rejects if the source did not answer (then what is known is kept), or with an `InfraError` of
   * kind `forbidden`, `invalid`, `conflict` or `not-found` if it refuses (then what is known is dropped).
   */
  readonly load: (key: string, variant: string) => Promise<Loaded<V> | undefined>
  /** What this process shares with others. Default: nothing. */
  readonly shared?: SharedOptions<V> | undefined
  /** Milliseconds for which a value counts as fresh, give or take 10 %. Default 5 minutes. */
  readonly softTtlMs?: number | undefined
  /** Milliseconds after which a value is of no use. Default 8 hours. */
  readonly hardTtlMs?: number | undefined
  /** Milliseconds for which an absence is believed, in this process; 0 for not at all. Default 10 seconds. */
  readonly negativeTtlMs?: number | undefined
  /** In this process. Default 1000. */
  readonly maxEntries?: number | undefined
  /** How long a caller waits at most, if the call does not say. Milliseconds, default 5000. */
  readonly timeoutMs?: number | undefined
  readonly metrics?: MetricsSink | undefined
  /** Milliseconds since the epoch. Default `Date.now`: TTLs are shared with other machines and go on in a freeze. */
  readonly clock?: (() => number) | undefined
}

/** How a request was answered: from a level, from the source (`miss`), or with what is no longer fresh. */
type Result = 'memory' | 'shared' | 'stale' | 'miss'

/** What became of a load. It does not reject, since nobody may be waiting for it. */
type Outcome<V> =
  | { readonly found: Cached<V> | undefined; readonly result: Result }
  | { readonly error: unknown; readonly result: 'miss' }

const jitter = 0.1
/** How long others leave a refresh to whoever began it: in workerd its request may end without a word. */
const refreshLeaseMs = 10_000
const refreshPauseMs = 1000
const connectPatienceMs = 250

/**
 * A cache of two levels before a source: this process, and a store that processes share (optional).
 *
 * - Fresh (soft TTL): answered from memory. Beyond: answered with the old value, marked stale, while one load in
 *   the background renews it. Beyond the hard TTL: callers wait for the load.
 * - One load for all callers in this process (in workerd, where requests must not wait for each other, one for each),
 *   and with `shared.lock` one for all processes.
 * - When the source fails, what is known is given until the hard TTL, marked stale, and the source is asked less and
 *   less often.
 * - When the store fails, the source is asked: slower, never an error.
 *
 * `invalidate` holds at once here, in the store, and within a round trip in processes that listen. What a load that
 * began before it finds is not kept, anywhere. A process that cannot listen (workerd, some adapters) and one whose
 * store was out of reach may give the old value until its soft TTL is over.
 */
export class Cache<V> {
  readonly #options: CacheOptions<V>
  readonly #softTtlMs: number
  readonly #hardTtlMs: number
  readonly #negativeTtlMs: number
  readonly #clock: () => number
  readonly #memory: MemoryLevel<V>
  readonly #shared: SharedLevel<V> | undefined
  readonly #source: Source
  readonly #calls: CallPipeline
  readonly #get: Operation<Outcome<V>>
  readonly #loads = new Map<string, Promise<Outcome<V>>>()
  readonly #background = new Set<Promise<void>>()
  readonly #requests: Readonly<Record<Result, () => void>>
  readonly #loaded: Readonly<Record<'success' | 'absent' | 'failure', () => void>>
  /** Made when it is needed: at module scope a Worker must not. */
  #listening: AbortController | undefined
  #connected: Promise<void> | undefined

  /** @throws InfraError `CACHE_CONFIG` for a time or number that cannot be. */
  constructor(options: CacheOptions<V>) {
    const { name, operation, shared, metrics, clock = Date.now } = options
    const { softTtlMs = 300_000, hardTtlMs = 28_800_000, negativeTtlMs = 10_000 } = options
    const { maxEntries = 1000, timeoutMs } = options
    if (!(softTtlMs > 0 && softTtlMs <= hardTtlMs && hardTtlMs < Infinity)) {
      throw misconfigured('softTtlMs and hardTtlMs are not times above 0, the hard one no shorter')
    }
    if (!(negativeTtlMs >= 0)) throw misconfigured('negativeTtlMs is not a time from 0')
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw misconfigured('maxEntries is not a whole number from 1')
    }
    this.#options = options
    this.#softTtlMs = softTtlMs
    this.#hardTtlMs = hardTtlMs
    this.#negativeTtlMs = negativeTtlMs
    this.#clock = clock
    this.#memory = new MemoryLevel(maxEntries)
    this.#source = new Source(clock)
    const count = (metric: string, help: string, label: string, value: string) =>
      counter(metrics, metric, help, { cache: name, [label]: value })
    const requests = (result: Result) =>
      count('cache_requests_total', 'Reads of a cache by what answered them', 'result', result)
    const loads = (result: string) =>
      count('cache_loads_total', 'Loads of a cache from its source', 'result', result)
    this.#requests = {
      memory: requests('memory'),
      shared: requests('shared'),
      stale: requests('stale'),
      miss: requests('miss'),
    }
    this.#loaded = {
      success: loads('success'),
      absent: loads('absent'),
      failure: loads('failure'),
    }
    const dropped = (reason: string) =>
      count('cache_dropped_total', 'Shared values that could not be opened', 'reason', reason)
    const drops = {
      malformed: dropped('malformed'),
      'unknown-key': dropped('unknown-key'),
      tampered: dropped('tampered'),
    }
    this.#shared =
      shared && new SharedLevel(shared, hardTtlMs, clock, (problem) => drops[problem]())
    this.#get = { name: operation, write: false, idempotent: true }
    this.#calls = new CallPipeline(
      name,
      waiting(() => this.#stop()),
      // For deadlines and signals only: what is logged and measured is what the source is asked.
      { duration: 'cache_wait_seconds', label: 'operation' },
      { timeoutMs, retry: false, breaker: false, logger: false },
    )
  }

  /**
   * The value; `undefined` if the source has no such thing.
   * @param key without NUL
   * @param variant of the key, such as its version; variants are invalidated together.
   * @throws InfraError what `load` rejects with; kind `timeout` or `aborted` if the caller's wait ends first (the
   *   load goes on for others).
   */
  get(key: string, variant = '', options?: CallOptions): Promise<Cached<V> | undefined> {
    const id = idOf(key, variant)
    const entry = this.#memory.get(id)
    // The pipeline refuses what must not be answered, even if the answer is at hand.
    if (entry === undefined || this.#calls.closed || options?.signal?.aborted) {
      return this.#wait(key, variant, undefined, options)
    }
    const now = this.#clock()
    if (now < entry.softUntil) {
      this.#requests.memory()
      return Promise.resolve(entry.found)
    }
    if (now >= entry.hardUntil) return this.#wait(key, variant, undefined, options)
    if (now >= entry.refreshAt) {
      entry.refreshAt = now + refreshLeaseMs
      const waitUntil = currentContext()?.waitUntil
      // Here nothing outlives the request that began it, so that the caller has to wait.
      if (isWorkerd && waitUntil === undefined) return this.#wait(key, variant, entry, options)
      const refresh = withoutContext(() => this.#load(key, variant, entry))
      if (isWorkerd) waitUntil?.(refresh)
    }
    this.#requests.stale()
    return Promise.resolve(staleOf(entry))
  }

  /**
   * Forgets the key with all its variants, here and in other processes. Resolves when the store has been told, or
   * cannot be. Never rejects.
   */
  async invalidate(key: string): Promise<void> {
    this.#forget(key)
    await this.#shared?.invalidate(key)
    // What was loaded meanwhile, from a store that did not know yet.
    this.#forget(key)
  }

  get closed(): boolean {
    return this.#calls.closed
  }

  /** Refuses new calls (kind `closed`), ends the listening, and waits for what is under way. Idempotent. */
  close(): Promise<void> {
    return this.#calls.close()
  }

  async #wait(
    key: string,
    variant: string,
    current: Entry<V> | undefined,
    options: CallOptions | undefined,
  ): Promise<Cached<V> | undefined> {
    const outcome = await this.#calls.run(
      this.#get,
      current,
      () => this.#load(key, variant, current),
      options,
    )
    this.#requests[outcome.result]()
    if ('error' in outcome) throw outcome.error
    return outcome.found
  }

  /** The load that is under way, or else a new one. Does not reject. */
  #load(key: string, variant: string, current: Entry<V> | undefined): Promise<Outcome<V>> {
    if (isWorkerd) return this.#loadNow(key, variant, current)
    const id = idOf(key, variant)
    let load = this.#loads.get(id)
    if (load === undefined) {
      load = withoutContext(() => this.#loadNow(key, variant, current))
      this.#loads.set(id, load)
      const done = () => {
        if (this.#loads.get(id) === load) this.#loads.delete(id)
      }
      void this.#keep(load.then(done))
    }
    return load
  }

  async #loadNow(key: string, variant: string, current: Entry<V> | undefined): Promise<Outcome<V>> {
    await this.#connect()
    const sequence = this.#memory.next()
    const young = (kept: Kept<V> | undefined) => kept !== undefined && this.#isYoung(kept)
    let read = await this.#shared?.read(key, variant)
    let turn: Turn<V> | undefined
    if (read !== undefined && !young(read.kept)) {
      turn = await this.#shared?.turn(key, variant, young)
      read = turn?.read ?? read
    }
    if (read?.kept !== undefined && this.#isYoung(read.kept)) {
      return { found: this.#remember(key, variant, sequence, read.kept), result: 'shared' }
    }
    const answer = await this.#ask(key, variant)
    const outcome: Outcome<V> =
      'error' in answer
        ? this.#fallBack(key, variant, sequence, answer.error, newer(current?.kept, read?.kept))
        : { found: this.#remember(key, variant, sequence, answer.kept), result: 'miss' }
    await this.#later(this.#share(key, variant, read, answer).then(turn?.end))
    return outcome
  }

  async #ask(key: string, variant: string): Promise<Answer<V>> {
    try {
      return await this.#source.ask(async () => {
        const loadedAt = this.#clock()
        try {
          const loaded = await this.#options.load(key, variant)
          this.#loaded[loaded === undefined ? 'absent' : 'success']()
          return { kept: loaded && this.#kept(loaded, loadedAt) }
        } catch (error) {
          this.#loaded.failure()
          throw error
        }
      })
    } catch (error) {
      return { error }
    }
  }

  /** What is given when the source gave an error: what it said last, unless it has taken that back. */
  #fallBack(
    key: string,
    variant: string,
    sequence: number,
    error: unknown,
    last: Kept<V> | undefined,
  ): Outcome<V> {
    const now = this.#clock()
    if (isAnswer(error)) {
      this.#memory.forget(idOf(key, variant), sequence)
      return { error, result: 'miss' }
    }
    if (last === undefined || now >= last.hardUntil) return { error, result: 'miss' }
    const found = { value: last.value, stale: false }
    const pauseMs = refreshPauseMs * (0.5 + Math.random())
    const refreshAt = Math.max(this.#source.pausedUntil, now + pauseMs)
    const { hardUntil } = last
    const entry = { sequence, kept: last, found, softUntil: 0, hardUntil, refreshAt }
    this.#memory.put(key, idOf(key, variant), entry)
    return { found: { value: last.value, stale: true }, result: 'stale' }
  }

  /** Puts it into the first level, unless it is outdated already, and gives it in any case. */
  #remember(
    key: string,
    variant: string,
    sequence: number,
    kept: Kept<V> | undefined,
  ): Cached<V> | undefined {
    const now = this.#clock()
    const hardUntil = kept?.hardUntil ?? now + this.#negativeTtlMs
    const found = kept && { value: kept.value, stale: false }
    const spread = 1 - jitter + 2 * jitter * Math.random()
    const softUntil =
      kept === undefined ? hardUntil : Math.min(hardUntil, kept.loadedAt + this.#softTtlMs * spread)
    const id = idOf(key, variant)
    if (now >= hardUntil) this.#memory.forget(id, sequence)
    else {
      const entry = { sequence, kept, found, softUntil, hardUntil, refreshAt: 0 }
      this.#memory.put(key, id, entry)
    }
    return found
  }

  /** Lets other processes know. Does not reject. */
  async #share(
    key: string,
    variant: string,
    read: Read<V> | undefined,
    answer: Answer<V>,
  ): Promise<void> {
    if (read === undefined) return
    const { kept, error } = answer
    if (kept !== undefined) await this.#shared?.write(key, variant, read.generation, kept)
    else if (read.kept !== undefined && (error === undefined || isAnswer(error))) {
      await this.#shared?.remove(key, variant)
    }
  }

  #kept({ value, expiresAt = Infinity }: Loaded<V>, loadedAt: number): Kept<V> {
    return { value, loadedAt, hardUntil: Math.min(loadedAt + this.#hardTtlMs, expiresAt) }
  }

  /** Young enough to be fresh in any process, whatever its jitter. */
  #isYoung({ loadedAt, hardUntil }: Kept<V>): boolean {
    const now = this.#clock()
    return now < hardUntil && now < loadedAt + this.#softTtlMs * (1 - jitter)
  }

  #forget(key: string): void {
    this.#memory.invalidate(key)
    // Who asks from now on does not join a load that may have found the old value.
    for (const id of this.#loads.keys()) if (isOf(key, id)) this.#loads.delete(id)
  }

  /**
   * Listens to other processes, from the first load on. That load waits for it, a little: what is loaded before
   * it is confirmed could be outdated unheard.
   */
  #connect(): Promise<void> | undefined {
    // In workerd nothing outlives a request.
    if (this.#shared === undefined || isWorkerd || this.closed) return undefined
    this.#connected ??= this.#listen(this.#shared)
    return this.#connected
  }

  #listen(shared: SharedLevel<V>): Promise<void> {
    const listening = new AbortController()
    this.#listening = listening
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, connectPatienceMs)
      const ready = () => {
        clearTimeout(timer)
        resolve()
      }
      const listener = {
        connected: () => {
          this.#memory.suspect()
          void this.#keep(shared.flush())
          ready()
        },
        invalidated: (key: string) => this.#forget(key),
      }
      void this.#keep(shared.listen(listener, listening.signal).then(ready, ready))
    })
  }

  /** Work that the caller need not wait for, where something else keeps it alive. It does not reject. */
  async #later(work: Promise<void>): Promise<void> {
    if (!isWorkerd) {
      void this.#keep(work)
      return
    }
    const waitUntil = currentContext()?.waitUntil
    if (waitUntil === undefined) await work
    else waitUntil(work)
  }

  /** What `close` waits for. */
  async #keep(work: Promise<void>): Promise<void> {
    this.#background.add(work)
    await work
    this.#background.delete(work)
  }

  async #stop(): Promise<void> {
    this.#listening?.abort()
    // What ends may have begun something else.
    while (this.#background.size > 0) await Promise.all(this.#background)
  }
}

/** What the source said. */
type Answer<V> =
  | { readonly kept: Kept<V> | undefined; readonly error?: undefined }
  | { readonly kept?: undefined; readonly error: unknown }

function newer<V>(a: Kept<V> | undefined, b: Kept<V> | undefined): Kept<V> | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.loadedAt > b.loadedAt ? a : b
}

function staleOf<V>({ found }: Entry<V>): Cached<V> | undefined {
  return found && { value: found.value, stale: true }
}

/** The end of the pipeline: there is no server behind it. */
function waiting(close: () => Promise<void>): Driver {
  return {
    adapter: 'cache',
    resource: undefined,
    ping: async () => {},
    close,
    classify: () => ({ kind: 'internal' }),
    native: async () => undefined,
  }
}

function counter(
  metrics: MetricsSink | undefined,
  name: string,
  help: string,
  labels: Labels,
): () => void {
  const add = metrics?.counter({ name, help, labels })
  return () => {
    try {
      add?.(1)
    } catch {
      // Telemetry that fails is not the caller's concern.
    }
  }
}
