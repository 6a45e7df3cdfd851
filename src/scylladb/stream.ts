import type { CallOptions } from '../core/index.ts'

/** A page, and where the next one is; `undefined` if there is none. */
export interface Fetched<R> {
  readonly rows: R[]
  readonly pagingState: Uint8Array | undefined
}

/** Gets the page after `pagingState`. Rejects with an InfraError only. */
export type Fetch<R> = (
  pagingState: Uint8Array | undefined,
  options: CallOptions | undefined,
) => Promise<Fetched<R>>

/**
 * The rows of a statement, fetched page by page as they are read. Nothing is sent before the first is asked for,
 * and nothing is held at the server. `timeoutMs` bounds each page, not the whole. One reader at a time. A page
 * that failed can be asked for again.
 */
export class RowStream<R> implements AsyncIterableIterator<R, undefined> {
  readonly #fetch: Fetch<R>
  readonly #options: CallOptions | undefined
  #exhausted = false
  #page: R[] = []
  #read = 0
  #pagingState: Uint8Array | undefined

  /** @internal */
  constructor(fetch: Fetch<R>, options: CallOptions | undefined) {
    this.#fetch = fetch
    this.#options = options
  }

  /** True once the server has nothing more: what is left has been fetched already. */
  get exhausted(): boolean {
    return this.#exhausted
  }

  /** @throws InfraError of the page; the next call asks for it again */
  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#read < this.#page.length) {
      return Promise.resolve({ done: false, value: this.#page[this.#read++] as R })
    }
    return this.#advance()
  }

  async #advance(): Promise<IteratorResult<R, undefined>> {
    this.#page = await this.nextPage()
    this.#read = 0
    return this.#page.length === 0 ? { done: true, value: undefined } : this.next()
  }

  /**
   * What is left of the present page, or else the next one. Empty at the end. The options are for this page, in
   * place of the stream's own.
   */
  async nextPage(options = this.#options): Promise<R[]> {
    let page = this.#page.slice(this.#read)
    this.#page = []
    this.#read = 0
    // A page may be empty and not the last.
    while (page.length === 0 && !this.#exhausted) {
      const { rows, pagingState } = await this.#fetch(this.#pagingState, options)
      // Unless it was closed meanwhile.
      if (this.#exhausted) break
      page = rows
      this.#pagingState = pagingState
      this.#exhausted = pagingState === undefined
    }
    return page
  }

  /** Iterating ends. There is nothing to free. */
  async close(): Promise<void> {
    this.#exhausted = true
    this.#page = []
    this.#read = 0
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
