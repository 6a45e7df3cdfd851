import { type CallOptions, InfraError } from '../core/index.ts'
import { errorHeader, formatFailures } from '../core/wire.ts'
import type { RawStatement, Reply, Sql } from '../sql/index.ts'
import type { Queries } from '../sql/queries.ts'
import { read } from '../sql/tokens.ts'
import { type Answer, type Call, type Face, type Failed, Refusal, wireFailure } from './face.ts'
import {
  type Command,
  commandOf,
  locksOf,
  plainlyWrites,
  sharedConnection,
} from './mysql-commands.ts'
import { failure, LostTransaction, refusedBy } from './mysql-failure.ts'
import { resultOf } from './mysql-fields.ts'
import { readSession, type Session, writeSession } from './mysql-session.ts'
import { ifLost, Sessions, Started } from './sql-held.ts'

/**
 * The protocol of PlanetScale's client: statements as texts, with their values in them, and sessions that the
 * client sends along. https://github.com/planetscale/database-js
 * @throws InfraError `GATEWAY_CONFIG` for a client of another dialect
 */
export function mysqlFace(client: Sql): Face {
  if (client.dialect !== 'mysql') {
    const detail = 'mysql is not a client of MySQL'
    const init = { component: 'gateway', adapter: '-', operation: 'configure', detail }
    throw new InfraError({ kind: 'config', ...init })
  }
  const sessions = new Sessions(client, (message, why) => new LostTransaction(message, why))
  const routes = {
    '/psdb.v1alpha1.Database/Execute': { POST: (call: Call) => execute(sessions, call) },
    '/psdb.v1alpha1.Database/CreateSession': { POST: createSession },
  }
  return {
    name: 'mysql',
    component: 'sql',
    routes,
    rootRoutes: routes,
    failure,
    close: () => sessions.close(),
  }
}

async function createSession(call: Call): Promise<Answer> {
  const role = call.access === 'full' ? 'admin' : 'reader'
  await call.body()
  return answer({
    branch: 'main',
    user: { username: '', psid: '', role },
    session: writeSession({}),
  })
}

async function execute(sessions: Sessions, call: Call): Promise<Answer> {
  const startedAt = performance.now()
  const { query, session } = requestOf(await call.json())
  const command = commandOf(query)
  try {
    const { reply, session: next = session } =
      command === undefined
        ? { reply: await run(sessions, query, session, call) }
        : { ...(await commanded(sessions, command, session, call)), reply: nothing }
    return answer({
      session: writeSession(next),
      result: resultOf(reply),
      timing: (performance.now() - startedAt) / 1000,
    })
  } catch (error) {
    const refused = refusedBy(error)
    if (refused === undefined) throw error
    // After a COMMIT there is no transaction any more, whatever became of it.
    const next = command?.does === 'commit' ? {} : session
    const body = {
      session: writeSession(next),
      error: refused,
      timing: (performance.now() - startedAt) / 1000,
    }
    const whole = wireFailure(error as Failed, 'sql')
    const header = formatFailures({ whole, items: new Map() })
    return { ...answer(body), headers: { [errorHeader]: header } }
  }
}

function answer(body: object): Answer {
  return { type: 'application/json', body: JSON.stringify(body) }
}

/** @throws Refusal */
function requestOf(body: unknown): { query: string; session: Session } {
  const { query, session } = (body ?? {}) as { query?: unknown; session?: unknown }
  if (typeof query !== 'string') throw new Refusal('invalid', 'query is not there, or not a text')
  return { query, session: readSession(session) }
}

// Statements -------------------------------------------------------------------------------------

const nothing: Reply = { columns: [], rows: [], rowsAffected: 0, insertId: null }

function run(
  sessions: Sessions,
  query: string,
  { transaction }: Session,
  call: Call,
): Promise<Reply> {
  const paged = permit(query, call) && sessions.sql.capabilities.streaming
  return sessions.within(transaction, call, async (target, options) => {
    const statement = target.raw(query, [])
    const most = call.limits.rows
    return paged
      ? pages(target, statement, options, most)
      : bounded(await target.reply(statement, options()), most)
  })
}

/** Pages of a reply, so that what is too large is stopped at the server before it fills the memory. */
const pageRows = 10_000

async function pages(
  target: Queries,
  statement: RawStatement,
  options: () => CallOptions,
  most: number,
): Promise<Reply> {
  const stream = target.stream(statement, { pageRows: Math.min(pageRows, most + 1) })
  try {
    const first = await stream.nextReply(options())
    let { rows } = first
    while (!stream.exhausted && rows.length <= most) {
      rows = rows.concat((await stream.nextReply(options())).rows)
    }
    return bounded({ ...nothing, ...first, rows }, most)
  } finally {
    await stream.close()
  }
}

/** @throws Refusal */
function bounded(reply: Reply, most: number): Reply {
  if (reply.rows.length <= most) return reply
  throw new Refusal('invalid', `the reply has more than ${most} rows: read them in parts`, 413)
}

/**
 * Whether it only reads.
 * @throws Refusal for what the token may not
 */
function permit(query: string, { access }: Call): boolean {
  const locks = locksOf(query)
  if (locks === 'named') throw new Refusal('unsupported', sharedConnection)
  // Some are long, and the client reads them once more, to refuse what is not clear.
  if (access === 'full' && plainlyWrites(query)) return false
  const { reads, problem } = read(query, 'mysql')
  if (problem !== undefined) throw new Refusal('invalid', problem)
  if (access === 'full') return reads
  if (reads && locks === undefined) return true
  throw new Refusal('forbidden', 'this token only reads')
}

// Transactions -----------------------------------------------------------------------------------

async function commanded(
  sessions: Sessions,
  command: Command,
  session: Session,
  call: Call,
): Promise<{ session: Session }> {
  const { sql, transactions } = sessions
  const { transaction: id } = session
  switch (command.does) {
    case 'nothing':
      return { session }
    case 'isolation':
      if (id === undefined) return { session: { isolation: command.level } }
      throw new Refusal('invalid', 'the isolation level is said before the transaction begins')
    case 'begin': {
      // As in MySQL, one that begins commits the one before.
      if (id !== undefined) await commit(sessions, id, call)
      transactions.check(call)
      const { isolation } = session
      const started = new Started(await sql.begin({ isolation }, call.options))
      const next = await transactions.hold(started, call)
      ifLost(call, () => transactions.end(next))
      transactions.release(next)
      return { session: { transaction: next } }
    }
    case 'commit':
      if (id !== undefined) await commit(sessions, id, call)
      return { session: {} }
    case 'rollback':
      if (id !== undefined) await rollback(sessions, id, call)
      return { session: {} }
    default: {
      if (id === undefined) throw new Refusal('invalid', 'there is no transaction')
      const { does, name } = command
      await sessions.within(id, call, async (_, options, started) => {
        await (started as Started).open.transaction.savepoint(does, name, options())
      })
      return { session }
    }
  }
}

async function commit({ transactions }: Sessions, id: string, call: Call): Promise<void> {
  const { open } = transactions.take(id, call)
  try {
    await open.commit(call.options)
    transactions.remove(id)
  } catch (error) {
    await transactions.end(id)
    throw error
  }
}

/** Of a transaction that is gone, there is nothing left to undo. */
async function rollback({ transactions }: Sessions, id: string, call: Call): Promise<void> {
  try {
    await transactions.endBy(id, call, 'end')
  } catch (error) {
    if (!(error instanceof LostTransaction && error.why === 'gone')) throw error
  }
}
