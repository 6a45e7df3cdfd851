import type { Request } from 'tedious'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type { Page, ServerCursor, Statement } from '../../../src/sql/index.ts'
import { type ColumnMetadata, Columns } from './columns.ts'
import type { Link } from './link.ts'
import { requestOf } from './query.ts'

/** Runs a statement as far as its first page. `free` is called when the connection is no longer needed. */
export function openCursor(
  link: Link,
  statement: Statement,
  pageRows: number,
  attempt: Attempt,
  free: () => void,
): Promise<Page> {
  const cursor = new Cursor(link, pageRows, free)
  return cursor.start({ ...statement, insertId: false }, attempt)
}

/**
 * The rows of a statement as they come: when a page is full, no more of them are read from the connection, and
 * the server waits.
 */
class Cursor implements ServerCursor {
  readonly #link: Link
  readonly #pageRows: number
  readonly #free: () => void
  #request!: Request
  #columns: Columns | undefined
  /** The first result; of others the rows are passed over. */
  #isFirst = true
  #rows: unknown[][] = []
  #reader: PromiseWithResolvers<Page> | undefined
  #ended: Promise<void> = Promise.resolve()
  #isOver = false
  #failure: unknown

  constructor(link: Link, pageRows: number, free: () => void) {
    this.#link = link
    this.#pageRows = pageRows
    this.#free = free
  }

  start(statement: Statement, attempt: Attempt): Promise<Page> {
    const link = this.#link
    const page = this.#wait()
    link.cursor = this
    const running = link.exec(attempt, (done) => {
      this.#request = requestOf(link, statement, done)
      this.#listen()
      link.connection.execSql(this.#request)
    })
    this.#ended = running.then(
      () => this.#end(undefined),
      (error) => this.#end(error),
    )
    return page
  }

  next(attempt: Attempt): Promise<Page> {
    if (attempt.over) {
      void this.stop()
      return Promise.reject(new DriverFailure({ kind: 'aborted' }))
    }
    const page = this.#wait()
    if (this.#isOver) this.#deliver()
    else {
      attempt.sent = true
      attempt.onCancel = () => this.#link.cancel()
      this.#request.resume()
    }
    return page
  }

  close(): Promise<void> {
    return this.stop()
  }

  /** Resolves when the connection can be used for something else. */
  async stop(): Promise<void> {
    if (!this.#isOver) this.#link.cancel()
    await this.#ended
  }

  #wait(): Promise<Page> {
    this.#reader = Promise.withResolvers()
    return this.#reader.promise
  }

  #listen(): void {
    this.#request.on('columnMetadata', (metadata) => {
      this.#isFirst = this.#columns === undefined
      this.#columns ??= new Columns(metadata as ColumnMetadata[])
    })
    this.#request.on('row', (values: { value: unknown }[]) => {
      if (!this.#isFirst || this.#failure !== undefined) return
      try {
        this.#rows.push((this.#columns as Columns).row(values))
      } catch (error) {
        this.#failure = error
        this.#link.cancel()
        return
      }
      if (this.#rows.length < this.#pageRows) return
      this.#request.pause()
      this.#deliver()
    })
  }

  #end(error: unknown): void {
    this.#isOver = true
    this.#failure ??= error
    this.#link.cursor = undefined
    this.#free()
    this.#deliver()
  }

  #deliver(): void {
    const reader = this.#reader
    if (reader === undefined) return
    this.#reader = undefined
    if (this.#failure !== undefined) {
      reader.reject(this.#failure)
      return
    }
    const rows = this.#rows
    this.#rows = []
    reader.resolve({
      columns: this.#columns?.names ?? [],
      types: this.#columns?.types ?? [],
      rows,
      rest: this.#isOver ? undefined : this,
    })
  }
}
