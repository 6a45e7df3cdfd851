import type { Attempt } from '../core/index.ts'
import { isWorkerd } from '../core/runtime.ts'
import type { ProduceBatch, ProducerDriver, ProducerRecord, RecordMetadata } from './driver.ts'

/** The fate of each record, in order: a native error for one that failed. */
export type Fates = readonly (RecordMetadata | Error)[]

/** What one call sends, on its way. */
interface Entry {
  readonly records: readonly ProducerRecord[]
  readonly size: number
  readonly attempt: Attempt
  /** Its own fates begin at `start`. */
  settle(fates: Fates, start: number): void
  reject(error: unknown): void
}

const maxRecords = 10_000

/**
 * Gathers the messages of all calls into batches: those of one tick, or of the linger, and those that come
 * while a batch is on its way. One batch at a time, so that messages keep the order of the calls. In workerd
 * each tick is on its own: nothing that is pending may be shared by requests.
 */
export class RecordBatcher {
  readonly #driver: ProducerDriver
  readonly #maxBytes: number
  readonly #lingerMs: number
  #waiting: Entry[] = []
  #scheduled = false
  #lingering: ReturnType<typeof setTimeout> | undefined
  #sending = false

  constructor(driver: ProducerDriver, maxBytes: number, lingerMs: number) {
    this.#driver = driver
    this.#maxBytes = maxBytes
    this.#lingerMs = lingerMs
  }

  /** Rejects with the record's own error. */
  addOne(record: ProducerRecord, attempt: Attempt): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      const settle = (fates: Fates, start: number) => {
        const fate = fates[start]
        if (fate instanceof Error) reject(fate)
        else resolve(fate as RecordMetadata)
      }
      this.#add({ records: [record], size: record.size, attempt, settle, reject })
    })
  }

  addMany(records: readonly ProducerRecord[], attempt: Attempt): Promise<Fates> {
    return new Promise((resolve, reject) => {
      let size = 0
      for (const record of records) size += record.size
      const settle = (fates: Fates, start: number) =>
        resolve(fates.slice(start, start + records.length))
      this.#add({ records, size, attempt, settle, reject })
    })
  }

  /** What lingers goes out now: for `flush` and `close`. */
  hurry(): void {
    if (this.#lingering === undefined) return
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    void this.#drain()
  }

  #add(entry: Entry): void {
    this.#waiting.push(entry)
    if (this.#scheduled || this.#sending) return
    this.#scheduled = true
    if (this.#lingerMs > 0) {
      this.#lingering = setTimeout(() => {
        this.#lingering = undefined
        void this.#drain()
      }, this.#lingerMs)
    } else {
      queueMicrotask(() => void this.#drain())
    }
  }

  async #drain(): Promise<void> {
    this.#scheduled = false
    if (isWorkerd) {
      const waiting = this.#waiting
      this.#waiting = []
      while (waiting.length > 0) await this.#send(this.#take(waiting))
      return
    }
    this.#sending = true
    while (this.#waiting.length > 0) await this.#send(this.#take(this.#waiting))
    this.#sending = false
  }

  /** What fits into one batch. A call's records stay together. */
  #take(waiting: Entry[]): Entry[] {
    let count = 0
    let records = 0
    let bytes = 0
    for (const entry of waiting) {
      records += entry.records.length
      bytes += entry.size
      if (count > 0 && (records > maxRecords || bytes > this.#maxBytes)) break
      count++
    }
    return waiting.splice(0, count)
  }

  async #send(taken: readonly Entry[]): Promise<void> {
    const entries = taken.filter((entry) => !entry.attempt.over)
    if (entries.length === 0) return
    const controller = new AbortController()
    const { signal } = controller
    let live = entries.length
    const leave = () => {
      if (--live === 0) controller.abort()
    }
    const records: ProducerRecord[] = []
    const attempts: Attempt[] = []
    for (const entry of entries) {
      for (const record of entry.records) {
        records.push(record)
        attempts.push(entry.attempt)
      }
      entry.attempt.onCancel = leave
    }
    // Whatever the driver does: a batch that nobody waits for does not hold up the next one.
    const abandoned = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([this.#produce(entries, { records, attempts, signal }), abandoned])
  }

  async #produce(entries: readonly Entry[], batch: ProduceBatch): Promise<void> {
    try {
      const fates = await this.#driver.produce(batch)
      let start = 0
      for (const entry of entries) {
        entry.settle(fates, start)
        start += entry.records.length
      }
    } catch (error) {
      for (const entry of entries) entry.reject(error)
    }
  }
}
