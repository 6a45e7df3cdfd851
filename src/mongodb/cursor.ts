import { type CallOptions, DriverFailure, type Operation } from '../core/index.ts'
import type { CursorOperation, Page, ServerCursor } from './driver.ts'
import type { Scope } from './scope.ts'

/** Not idempotent: what a lost page held is not sent again. */
const getMore: Operation<Page> = { name: 'getMore', write: false, idempotent: false }
const killCursors: Operation<void> = { name: 'killCursors', write: false, idempotent: true }

/** How a cursor begins. Made when it does, so that what is wrong with it rejects the first page. */
export interface Query {
  readonly operation: Operation<Page>
  readonly request: CursorOperation
}

/**
 * The documents that a query finds, fetched page by page as they are read. Nothing is sent before the first
 * is asked for. `timeoutMs` bounds each page, not the whole. Leaving a `for await` early closes it on the
 * server; whoever reads by `next` or `nextBatch` calls `close`. One reader at a time.
 */
export class Cursor<T> implements AsyncIterableIterator<T, undefined> {
  readonly #scope: Scope
  readonly #name: string
  readonly #start: () => Query
  readonly #options: CallOptions | undefined
  #started = false
  #batch: T[] = []
  #read = 0
  #rest: ServerCursor | undefined

  /** @internal */
  constructor(scope: Scope, name: string, start: () => Query, options: CallOptions | undefined) {
    this.#scope = scope
    this.#name = name
    this.#start = start
    this.#options = options
  }

  /** True once the server has nothing more: what is left has been fetched already. */
  get exhausted(): boolean {
    return this.#started && this.#rest === undefined
  }

  /** @throws InfraError with which the cursor ends. A page that is lost cannot be asked for again. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#read < this.#batch.length) {
      return Promise.resolve({ done: false, value: this.#batch[this.#read++] as T })
    }
    return this.#advance()
  }

  async #advance(): Promise<IteratorResult<T, undefined>> {
    while (!this.exhausted) {
      this.#batch = await this.#page(this.#options)
      this.#read = 0
      if (this.#batch.length > 0) return this.next()
    }
    return { done: true, value: undefined }
  }

  /**
   * What is left of the present page, or else the next one. Empty at the end. The options are for this page,
   * in place of the cursor's own.
   */
  async nextBatch(options = this.#options): Promise<T[]> {
    let batch = this.#batch.slice(this.#read)
    this.#batch = []
    this.#read = 0
    while (batch.length === 0 && !this.exhausted) batch = await this.#page(options)
    return batch
  }

  /** All that is left, in memory. */
  async toArray(): Promise<T[]> {
    const all: T[] = []
    for (;;) {
      const batch = await this.nextBatch()
      if (batch.length === 0) return all
      // Not `push(...batch)`: a page may have more documents than a call may have arguments.
      for (const document of batch) all.push(document)
    }
  }

  /** Frees it on the server. Iterating ends. Idempotent, never rejects: the server drops idle cursors by itself. */
  async close(): Promise<void> {
    const rest = this.#rest
    this.#started = true
    this.#rest = undefined
    this.#batch = []
    this.#read = 0
    if (rest === undefined) return
    const { timeoutMs, correlationId } = this.#options ?? {}
    await this.#scope.calls
      .run(killCursors, rest, (cursor, attempt) => cursor.close(attempt), {
        timeoutMs,
        correlationId,
      })
      .catch(() => {})
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #page(options: CallOptions | undefined): Promise<T[]> {
    const rest = this.#rest
    this.#rest = undefined
    const { documents, rest: after } =
      rest === undefined ? await this.#open(options) : await this.#more(rest, options)
    this.#rest = after
    return documents as T[]
  }

  #open(options: CallOptions | undefined): Promise<Page> {
    const { calls, executor } = this.#scope
    this.#started = true
    let query: Query
    try {
      query = this.#start()
    } catch (error) {
      return calls.refuse(this.#name, error)
    }
    const { operation, request } = query
    return calls.run(
      operation,
      request,
      (request, attempt) => executor.open(request, attempt),
      options,
    )
  }

  #more(rest: ServerCursor, options: CallOptions | undefined): Promise<Page> {
    const { calls } = this.#scope
    let tried = false
    return calls.run(
      getMore,
      rest,
      async (cursor, attempt) => {
        if (tried) throw new DriverFailure({ kind: 'timeout', retryable: false })
        tried = true
        try {
          return await cursor.next(attempt)
        } catch (error) {
          const failure = calls.explain(error, getMore.name, attempt.sent)
          throw new DriverFailure({ ...failure, retryable: false }, { cause: error })
        }
      },
      options,
    )
  }
}
