import type { Page } from './driver.ts'

/**
 * What a vault lists, page by page: `for await (const item of listing)` for all of it, as often as one likes,
 * or `page()` for who goes on later with what a page gave as its `continuation`.
 */
export class Listing<T> implements AsyncIterable<T> {
  readonly #fetch: (continuation: string | undefined) => Promise<Page<T>>

  /** @internal */
  constructor(fetch: (continuation: string | undefined) => Promise<Page<T>>) {
    this.#fetch = fetch
  }

  /** One page: the first, or the one behind the page that gave `continuation`. */
  page(continuation?: string): Promise<Page<T>> {
    return this.#fetch(continuation)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let continuation: string | undefined
    do {
      const page = await this.#fetch(continuation)
      yield* page.items
      continuation = page.continuation
    } while (continuation !== undefined)
  }
}
