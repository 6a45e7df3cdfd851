import { type CallOptions, isInfraError } from '../core/index.ts'
import type { OpenTransaction } from '../sql/client.ts'
import type { RowStream, Sql } from '../sql/index.ts'
import type { Queries } from '../sql/queries.ts'
import { type Call, Refusal } from './face.ts'
import { Held, type Lost } from './held.ts'

export type Stream = RowStream<unknown>

/** A transaction under way, with the one stream that it may have open. */
export class Started {
  readonly open: OpenTransaction
  /** Stops the statement that it runs. */
  readonly #stop = new AbortController()
  #stream: Stream | undefined
  #streams = 0
  #ended: Promise<void> | undefined

  constructor(open: OpenTransaction) {
    this.open = open
  }

  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  /** Gives the ID of a stream that has more to give. */
  keep(stream: Stream): string {
    this.#stream = stream
    return String(++this.#streams)
  }

  /** @throws Refusal */
  streamOf(cursor: string): Stream {
    if (cursor === String(this.#streams) && this.#stream?.exhausted === false) return this.#stream
    throw new Refusal('not-found', 'the cursor is gone: it came to its end, or was closed')
  }

  /** Rolls it back, and frees its connection. */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    this.#stop.abort()
    await this.#stream?.close()
    await this.open.rollback()
  }
}

/** Where a request's statements run. `options` are asked for before each of them: time has passed. */
type Work<R> = (target: Queries, options: () => CallOptions, started?: Started) => Promise<R>

/** What clients have left between their requests. */
export class Sessions {
  readonly sql: Sql
  readonly streams = new Held<Stream>({
    noun: 'cursor',
    most: ({ cursors }) => cursors,
    idleMs: ({ cursorIdleMs }) => cursorIdleMs,
    end: (stream) => stream.close(),
    refuse: (message) => new Refusal('not-found', message),
  })
  readonly transactions: Held<Started>

  /** @param refuse For a transaction that is of no use, in the words of the protocol. */
  constructor(sql: Sql, refuse = lost) {
    this.sql = sql
    this.transactions = new Held<Started>({
      noun: 'transaction',
      most: ({ transactions }) => transactions,
      idleMs: ({ transactionIdleMs }) => transactionIdleMs,
      end: (started) => started.end(),
      refuse,
    })
  }

  close(): void {
    this.streams.close()
    this.transactions.close()
  }

  /** Runs something at the client, or in the transaction of that ID. What breaks it ends it. */
  async within<R>(id: string | undefined, call: Call, work: Work<R>): Promise<R> {
    if (id === undefined) return work(this.sql, () => call.options)
    const { transactions } = this
    const started = transactions.take(id, call)
    const signal = AbortSignal.any([call.request.signal, started.stopped])
    try {
      const result = await work(
        started.open.transaction,
        () => ({ ...call.options, signal }),
        started,
      )
      ifLost(call, () => transactions.end(id))
      transactions.release(id)
      return result
    } catch (error) {
      // A client that is gone cannot know how far it came.
      if (signal.aborted || !started.open.open) await transactions.end(id)
      else transactions.release(id)
      throw transactions.closed && isInfraError(error, 'aborted') ? closing() : error
    }
  }
}

/** As a statement is refused in a transaction that is over. It is no table that was not found. */
function lost(message: string, why: Lost): Refusal {
  return why === 'forged' ? new Refusal('forbidden', message) : new Refusal('closed', message, 404)
}

/** A reply that its client does not wait for, or that does not reach it. */
export function ifLost({ request: { signal } }: Call, undo: () => Promise<void>): void {
  const listener = () => void undo()
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
}

export function closing(): Refusal {
  return new Refusal('unavailable', 'the gateway is closing')
}
