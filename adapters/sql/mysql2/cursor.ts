import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type { Page, ServerCursor } from '../../../src/sql/index.ts'
import type { Field } from './library.ts'
import type { Session } from './session.ts'
import { prepareFields, type Shape } from './values.ts'

interface Reader {
  resolve(page: Page): void
  reject(error: unknown): void
}

/**
 * The rows of a statement, page by page. Between two pages nothing is read from the connection, so that the
 * server waits.
 */
export class Cursor implements ServerCursor {
  readonly #session: Session
  readonly #pageRows: number
  /** Called once, when it needs the session no longer. */
  readonly #onEnd: (error: unknown) => void
  #rows: unknown[][] = []
  #shape: Shape | undefined
  #reader: Reader | undefined
  #isFirst = false
  #discards = false
  #error: unknown
  #ended: Promise<void> | undefined
  #over: (() => void) | undefined

  constructor(session: Session, pageRows: number, onEnd: (error: unknown) => void) {
    this.#session = session
    this.#pageRows = pageRows
    this.#onEnd = onEnd
  }

  /** Once. Resolves to the first page. */
  async open(text: string, values: readonly unknown[], attempt: Attempt): Promise<Page> {
    const first = this.#read()
    this.#ended = new Promise((resolve) => {
      this.#over = resolve
    })
    try {
      const end = await this.#session.stream(
        text,
        values,
        attempt,
        (command, prepared) => {
          command.on('fields', (fields: readonly Field[] | undefined, index = 0) => {
            prepareFields(fields)
            // Of several results the first.
            this.#isFirst = index === 0 && fields !== undefined
            if (this.#isFirst) this.#shape = prepared.shape(fields as readonly Field[])
          })
          command.on('result', (row: unknown[]) => this.#take(row))
          command.on('error', (error: unknown) => {
            this.#error = error
          })
          command.on('end', () => {
            end()
            this.#finish()
          })
        },
        (error) => {
          this.#error = error
          this.#finish()
        },
      )
    } catch (error) {
      this.#error = error
      this.#finish()
    }
    attempt.onCancel = () => this.#abandon()
    if (attempt.over) this.#abandon()
    return first
  }

  next(attempt: Attempt): Promise<Page> {
    const page = this.#read()
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    attempt.onCancel = () => this.#abandon()
    this.#session.native.resume()
    return page
  }

  async close(attempt: Attempt): Promise<void> {
    if (this.#session.canStop) this.#abandon()
    else {
      // What is left is read instead: a transaction needs the connection.
      attempt.onCancel = () => this.#session.cancel()
      this.#discard()
    }
    await this.#ended
    await this.#session.stopping
  }

  #read(): Promise<Page> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }

  #take(row: unknown[]): void {
    if (!this.#isFirst || this.#discards) return
    this.#shape?.decode(row)
    this.#rows.push(row)
    if (this.#rows.length < this.#pageRows) return
    this.#session.native.pause()
    this.#give(this)
  }

  #give(rest: ServerCursor | undefined): void {
    const { columns = [], types = [] } = this.#shape ?? {}
    const rows = this.#rows
    this.#rows = []
    this.#reader?.resolve({ columns, types, rows, rest })
    this.#reader = undefined
  }

  /** Nobody wants the rest: the server is told, and what is on its way is thrown away. */
  #abandon(): void {
    if (this.#over === undefined) return
    this.#session.cancel()
    this.#discard()
  }

  #discard(): void {
    if (this.#over === undefined) return
    this.#discards = true
    this.#rows = []
    this.#session.native.resume()
  }

  #finish(): void {
    const over = this.#over
    if (over === undefined) return
    this.#over = undefined
    if (this.#error === undefined) this.#give(undefined)
    else this.#reader?.reject(this.#error)
    this.#onEnd(this.#error)
    over()
  }
}
