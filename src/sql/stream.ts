import {
  type Attempt,
  type CallOptions,
  DriverFailure,
  detachedAttempt,
  type Operation,
} from '../core/index.ts'
import type { Page, ServerCursor, Statement } from './driver.ts'
import { objects } from './rows.ts'
import { orFree, type Scope } from './scope.ts'

/** Not idempotent: what a lost page held is not sent again. */
const fetchMore: Operation<Page> = { name: 'FETCH', write: false, idempotent: false, once: true }
const stop: Operation<void> = { name: 'CLOSE', write: false, idempotent: true }

/** How long the end of a stream that nobody waits for may take. */
const closeMs = 5000

/** How a stream begins. Made when it does, so that what is wrong with it rejects the first page. */
export interface Query {
  readonly operation: Operation<Page>
  readonly statement: Statement
  readonly pageRows: number
}

/**
 * The rows of a statement, fetched page by page as they are read. Nothing is sent before the first is asked for.
 * `timeoutMs` bounds each page, not the whole. Leaving a `for await` early stops the statement at the server;
 * whoever reads by `next` or `nextPage` calls `close`. It may hold a connection until its end. One reader at a
 * time.
 */
export class RowStream<R> implements AsyncIterableIterator<R, undefined> {
  readonly #scope: Scope
  readonly #start: () => Query
  readonly #options: CallOptions | undefined
  #started = false
  #page: R[] = []
  #read = 0
  #rest: ServerCursor | undefined

  /** @internal */
  constructor(scope: Scope, start: () => Query, options: CallOptions | undefined) {
    this.#scope = scope
    this.#start = start
    this.#options = options
  }

  /** True once the server has nothing more: what is left has been fetched already. */
  get exhausted(): boolean {
    return this.#started && this.#rest === undefined
  }

  /** @throws InfraError with which the stream ends. A page that is lost cannot be asked for again. */
  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#read < this.#page.length) {
      return Promise.resolve({ done: false, value: this.#page[this.#read++] as R })
    }
    return this.#advance()
  }

  async #advance(): Promise<IteratorResult<R, undefined>> {
    while (!this.exhausted) {
      this.#page = this.#objects(await this.nextReply(this.#options))
      this.#read = 0
      if (this.#page.length > 0) return this.next()
    }
    this.#page = []
    this.#read = 0
    return { done: true, value: undefined }
  }

  /**
   * What is left of the present page, or else the next one. Empty at the end. The options are for this page, in
   * place of the stream's own.
   */
  async nextPage(options = this.#options): Promise<R[]> {
    let page = this.#page.slice(this.#read)
    this.#page = []
    this.#read = 0
    while (page.length === 0 && !this.exhausted) page = this.#objects(await this.nextReply(options))
    return page
  }

  /** @internal The next page as the driver gives it, which may be empty. */
  async nextReply(options: CallOptions | undefined): Promise<Omit<Page, 'rest'>> {
    const rest = this.#rest
    this.#rest = undefined
    const page = rest === undefined ? await this.#open(options) : await this.#more(rest, options)
    this.#rest = page.rest
    return page
  }

  /** Stops the statement at the server. Iterating ends. Idempotent, never rejects. */
  async close(): Promise<void> {
    const rest = this.#rest
    this.#started = true
    this.#rest = undefined
    this.#page = []
    this.#read = 0
    if (rest === undefined) return
    const { calls, turn } = this.#scope
    const { timeoutMs, correlationId } = this.#options ?? {}
    const options = { timeoutMs, correlationId }
    await turn(() => calls.run(stop, rest, (rest, attempt) => rest.close(attempt), options)).catch(
      () => {},
    )
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

  #objects(page: Pick<Page, 'columns' | 'rows'>): R[] {
    try {
      return objects<R>(page)
    } catch (error) {
      throw this.#scope.calls.refusal('SELECT', error)
    }
  }

  #open(options: CallOptions | undefined): Promise<Page> {
    const { calls, executor, turn } = this.#scope
    this.#started = true
    let query: Query
    try {
      query = this.#start()
    } catch (error) {
      return calls.refuse('SELECT', error)
    }
    return turn(() =>
      calls.run(
        query.operation,
        query,
        async ({ statement, pageRows }, attempt) =>
          orClosed(await executor.open(statement, pageRows, attempt), attempt),
        options,
      ),
    )
  }

  #more(rest: ServerCursor, options: CallOptions | undefined): Promise<Page> {
    const { calls, turn } = this.#scope
    return turn(() =>
      calls.run(
        fetchMore,
        rest,
        async (rest, attempt) => {
          try {
            return orClosed(await rest.next(attempt), attempt)
          } catch (error) {
            const failure = calls.explain(error, fetchMore.name, attempt.sent)
            throw new DriverFailure({ ...failure, retryable: false }, { cause: error })
          }
        },
        options,
      ),
    )
  }
}

function orClosed(page: Page, attempt: Attempt): Page {
  const { rest } = page
  if (rest === undefined) return page
  return orFree(page, attempt, () => rest.close(detachedAttempt(stop.name, closeMs)))
}
