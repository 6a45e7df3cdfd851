import {
  type Attempt,
  type ClientOptions,
  DriverFailure,
  type Failure,
} from '../../src/core/index.ts'
import {
  type Dialect,
  type Page,
  type Reply,
  type ServerTransaction,
  Sql,
  type SqlDriver,
} from '../../src/sql/index.ts'

const reply: Reply = { columns: [], rows: [], rowsAffected: 0, insertId: null }

/** What a step does in place of going well. */
export type Step = (attempt: Attempt) => Promise<unknown>

export const failing =
  (failure: Failure): Step =>
  async (attempt) => {
    attempt.sent = true
    throw new DriverFailure(failure)
  }

/** Until nobody waits any more. */
export const hanging: Step = (attempt) => {
  attempt.sent = true
  return new Promise((_, reject) => {
    attempt.onCancel = () => reject(new DriverFailure({ kind: 'aborted' }))
  })
}

/**
 * A driver that notes what it is asked: `begin`, `run select 1`, `savepoint dualport_1`, `commit`... What `script`
 * has for such a note is done in its place, the first time and, with several, the times after.
 */
export function scripted(
  script: Readonly<Record<string, readonly Step[]>> = {},
  options: ClientOptions = {},
  dialect: Dialect = 'sqlite',
) {
  const notes: string[] = []
  const taken = new Map<string, number>()
  const step = async <T>(note: string, attempt: Attempt, result: T): Promise<T> => {
    notes.push(note)
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    attempt.sent = true
    const count = taken.get(note) ?? 0
    taken.set(note, count + 1)
    const instead = script[note]?.[count]
    return instead === undefined ? result : ((await instead(attempt)) as T)
  }
  const page = (left: number): Page => ({
    columns: ['n'],
    rows: [[left]],
    rest:
      left === 0
        ? undefined
        : {
            next: (attempt) => step('next', attempt, page(left - 1)),
            close: (attempt) => step('close', attempt, undefined),
          },
  })
  const executor = {
    run: ({ text }: { text: string }, attempt: Attempt) => step(`run ${text}`, attempt, reply),
    open: ({ text }: { text: string }, _: number, attempt: Attempt) =>
      step(`open ${text}`, attempt, page(2)),
    call: (_: unknown, attempt: Attempt) =>
      step('call', attempt, { sets: [], output: {}, returnValue: null }),
    insert: ({ rows }: { rows: readonly unknown[] }, attempt: Attempt) =>
      step('insert', attempt, rows.length),
  }
  const transaction: ServerTransaction = {
    ...executor,
    savepoint: (name, attempt) => step(`savepoint ${name}`, attempt, undefined),
    rollbackTo: (name, attempt) => step(`rollbackTo ${name}`, attempt, undefined),
    release: (name, attempt) => step(`release ${name}`, attempt, undefined),
    commit: (attempt) => step('commit', attempt, undefined),
    rollback: (attempt) => step('rollback', attempt, undefined),
  }
  const driver: SqlDriver = {
    ...executor,
    adapter: 'scripted',
    resource: undefined,
    dialect,
    capabilities: {
      streaming: true,
      procedures: true,
      resultSets: true,
      outputParameters: true,
      cancel: true,
      isolation: ['serializable'],
      maxParameters: 100,
      maxInsertValues: 10,
    },
    begin: (_, attempt) => step('begin', attempt, transaction),
    ping: (attempt) => step('ping', attempt, undefined),
    isWritable: (attempt) => step('isWritable', attempt, true),
    close: async () => {},
    classify: () => ({ kind: 'internal' }),
    native: async () => undefined,
  }
  const sql = new Sql(driver, {
    logger: false,
    breaker: false,
    retry: { baseMs: 1, maxMs: 2 },
    ...options,
  })
  return { sql, notes }
}
