import { type Attempt, DriverFailure } from '../../src/core/index.ts'
import type {
  Executor,
  Page,
  ServerCursor,
  ServerTransaction,
  SqlDriver,
  Statement,
} from '../../src/sql/index.ts'

export interface Watched {
  readonly driver: SqlDriver
  /** What is open at the engine. */
  readonly transactions: ReadonlySet<unknown>
  readonly streams: ReadonlySet<unknown>
  /** Statements that hang: they have `hang` in their text, and end when they are cancelled. */
  readonly hanging: ReadonlySet<unknown>
  /** How often the engine was asked for a page. */
  readonly pages: { asked: number }
  /** Asked for, and not there yet. */
  readonly beginning: ReadonlySet<unknown>
  /** `begin` waits for this. */
  gate: Promise<void>
}

/** A driver that says what the gateway has open, and whose statements can hang. */
export function watched(below: SqlDriver): Watched {
  const transactions = new Set<unknown>()
  const streams = new Set<unknown>()
  const beginning = new Set<unknown>()
  const hanging = new Set<unknown>()
  const pages = { asked: 0 }

  const hang = (statement: Statement, attempt: Attempt) => {
    if (!statement.text.includes('hang')) return undefined
    hanging.add(statement)
    attempt.sent = true
    return new Promise<never>((_, reject) => {
      attempt.onCancel = () => {
        hanging.delete(statement)
        reject(new DriverFailure({ kind: 'aborted' }))
      }
    })
  }
  const paged = async (work: Promise<Page>): Promise<Page> => {
    pages.asked++
    const { rest, ...page } = await work
    if (rest === undefined) return { ...page, rest }
    const cursor: ServerCursor = {
      next(attempt) {
        streams.delete(cursor)
        return paged(rest.next(attempt))
      },
      async close(attempt) {
        await rest.close(attempt)
        streams.delete(cursor)
      },
    }
    streams.add(cursor)
    return { ...page, rest: cursor }
  }
  const executor = (it: Executor): Executor => ({
    run: (statement, attempt) => hang(statement, attempt) ?? it.run(statement, attempt),
    open: (statement, pageRows, attempt) =>
      hang(statement, attempt) ?? paged(it.open(statement, pageRows, attempt)),
    call: (call, attempt) => it.call(call, attempt),
    insert: (insertion, attempt) => it.insert(insertion, attempt),
  })
  const { adapter, resource, dialect, capabilities } = below
  const driver: SqlDriver = {
    ...{ adapter, resource, dialect, capabilities },
    ...executor(below),
    ping: (attempt) => below.ping(attempt),
    isWritable: (attempt) => below.isWritable(attempt),
    close: () => below.close(),
    classify: (error, failed) => below.classify(error, failed),
    native: () => below.native(),
    async begin(settings, attempt) {
      beginning.add(attempt)
      await result.gate
      const it = await below.begin(settings, attempt).finally(() => beginning.delete(attempt))
      const ended = async (work: Promise<void>) => {
        await work
        transactions.delete(transaction)
      }
      const transaction: ServerTransaction = {
        ...executor(it),
        savepoint: (name, attempt) => it.savepoint(name, attempt),
        rollbackTo: (name, attempt) => it.rollbackTo(name, attempt),
        release: (name, attempt) => it.release(name, attempt),
        commit: (attempt) => ended(it.commit(attempt)),
        rollback: (attempt) => ended(it.rollback(attempt)),
      }
      transactions.add(transaction)
      return transaction
    },
  }
  const result = {
    ...{ driver, transactions, streams, hanging, beginning, pages },
    gate: Promise.resolve(),
  }
  return result
}
