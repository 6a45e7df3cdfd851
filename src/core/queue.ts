import { DriverFailure } from './driver.ts'
import type { Failure } from './errors.ts'

/**
 * Between a transport that pushes and a reader who pulls, bounded: a reader who is too far behind loses the
 * rest, and is told so. One reader at a time.
 */
export class PullQueue<T> {
  readonly #limit: number
  readonly #items: T[] = []
  #reader: { resolve(item: T): void; reject(error: unknown): void } | undefined
  #end: DriverFailure | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** False if the queue has ended, or ends because it is full. */
  push(item: T): boolean {
    if (this.#end !== undefined) return false
    if (this.#reader !== undefined) {
      this.#reader.resolve(item)
      this.#reader = undefined
    } else if (this.#items.length < this.#limit) {
      this.#items.push(item)
    } else {
      this.end({ kind: 'throttled', detail: `the reader is ${this.#limit} messages behind` })
      return false
    }
    return true
  }

  /** What is there already can still be read, so that the reader knows where the gap begins. Once. */
  end(failure: Failure): void {
    this.#end ??= new DriverFailure(failure)
    this.#reader?.reject(this.#end)
    this.#reader = undefined
  }

  /** Rejects with the DriverFailure of the end when nothing is left. */
  next(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift() as T)
    if (this.#end !== undefined) return Promise.reject(this.#end)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }
}
