import { randomBytes } from 'node:crypto'
import type { Cursor, Document } from '../mongodb/index.ts'
import { type Access, type Call, Refusal } from './face.ts'
import { MongoRefusal } from './mongodb-failure.ts'

interface Held {
  readonly cursor: Cursor<Document>
  /** Only the token that opened it reads on: there is one of each kind. */
  readonly access: Access
  readonly idleMs: number
  /** A page of it is being read, or written to the client. */
  busy: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

/** The cursors that clients have left half read, until they read on, close them, or do neither for too long. */
export class HeldCursors {
  readonly #held = new Map<string, Held>()
  /** In every ID, so that another gateway process knows that a cursor is not one of its own. */
  readonly #processId = randomBytes(4).toString('hex')
  #closed = false

  /**
   * Keeps what has more to give, for `release` or `forget` when its first page is written. Gives its ID.
   * @throws Refusal if there are too many.
   */
  async hold(cursor: Cursor<Document>, call: Call): Promise<string> {
    const { cursors, cursorIdleMs } = call.limits
    if (this.#held.size >= cursors || this.#closed) {
      await cursor.close()
      throw this.#closed
        ? new Refusal('unavailable', 'the gateway is closing')
        : new Refusal('throttled', `${cursors} cursors are open already`)
    }
    const id = `${this.#processId}-${randomBytes(18).toString('base64url')}`
    const { access } = call
    const held: Held = { cursor, access, idleMs: cursorIdleMs, busy: true, timer: undefined }
    this.#held.set(id, held)
    return id
  }

  /**
   * The next page, to be written and followed by `release` or `forget`. Was it the last, the cursor is no more:
   * `more` is false.
   */
  async next(id: string, call: Call): Promise<{ documents: Document[]; more: boolean }> {
    const held = this.#get(id, call)
    held.busy = true
    clearTimeout(held.timer)
    try {
      const documents = await held.cursor.nextBatch(call.options)
      const more = !held.cursor.exhausted
      if (more && this.#closed) {
        await held.cursor.close()
        throw new Refusal('unavailable', 'the gateway is closing')
      }
      if (!more) this.#held.delete(id)
      return { documents, more }
    } catch (error) {
      // The page is lost, and a cursor does not go back.
      this.#held.delete(id)
      throw error
    }
  }

  /** The page is written. From here on, the client has `cursorIdleMs` to ask for the next. */
  release(id: string): void {
    const held = this.#held.get(id)
    if (held === undefined) return
    held.busy = false
    held.timer = setTimeout(() => void this.#let(id, held), held.idleMs)
    held.timer.unref()
  }

  /** The page will never be read, and so nothing after it. */
  async forget(id: string): Promise<void> {
    const held = this.#held.get(id)
    if (held !== undefined) await this.#let(id, held)
  }

  /** By its client. */
  async drop(id: string, call: Call): Promise<void> {
    await this.#let(id, this.#get(id, call))
  }

  close(): void {
    this.#closed = true
    for (const [id, held] of this.#held) void this.#let(id, held)
  }

  /** @throws MongoRefusal */
  #get(id: string, { access }: Call): Held {
    const held = this.#held.get(id)
    if (held === undefined || held.access !== access) {
      const [, processId = this.#processId] = /^([\da-f]{8})-[\w-]{24}$/.exec(id) ?? []
      throw new MongoRefusal(
        'not-found',
        processId === this.#processId
          ? 'the cursor is gone: it was read to its end, closed, unused for too long, or never there'
          : 'the cursor lives in another gateway process: the requests for one cursor must go to one process',
        { serverCode: cursorNotFound },
      )
    }
    if (held.busy) throw new Refusal('conflict', 'another request reads the cursor')
    return held
  }

  async #let(id: string, { cursor, timer }: Held): Promise<void> {
    this.#held.delete(id)
    clearTimeout(timer)
    await cursor.close()
  }
}

/** The server's number for it. */
const cursorNotFound = 43
