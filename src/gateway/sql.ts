import { isInfraError } from '../core/index.ts'
import type { RawStatement, Reply, Sql } from '../sql/index.ts'
import type { Queries } from '../sql/queries.ts'
import { writeCallReply, writeReply, writeRows } from '../sql/wire.ts'
import { type Call, type Face, Refusal } from './face.ts'
import { type Body, bodyOf, failureOf, string } from './json.ts'
import { closing, ifLost, Sessions, Started, type Stream } from './sql-held.ts'
import {
  insertionOf,
  isolationOf,
  maxPageRows,
  pageRowsOf,
  procedureOf,
  readsOnly,
  savepointOf,
  statementOf,
  statementsOf,
} from './sql-requests.ts'

/**
 * SQL over HTTP by a protocol of dualport's own, which README.md describes. Nothing reaches the engine but through
 * the portable client, which checks each text and each value again.
 */
export function sqlFace(sql: Sql): Face {
  const sessions = new Sessions(sql)
  const routes = Object.entries(requests).map(([path, { fields, run }]) => {
    const handler = async (call: Call) => {
      try {
        const reply = await run(sessions, await bodyOf(call, fields), call)
        return { type: 'application/json', body: JSON.stringify(reply) }
      } catch (error) {
        // The caller's client is not closed, and another gateway may be there.
        throw sql.closed && isInfraError(error, 'closed') ? closing() : error
      }
    }
    return [path, { POST: handler }] as const
  })
  return {
    name: 'sqlserver',
    component: 'sql',
    routes: Object.fromEntries(routes),
    failure: failureOf('sql'),
    close: () => sessions.close(),
  }
}

/** By the path: what its body may have, and what is done. */
const requests: Readonly<
  Record<
    string,
    {
      readonly fields: readonly string[]
      run(sessions: Sessions, body: Body, call: Call): Promise<object>
    }
  >
> = {
  '/query': {
    fields: ['text', 'parameters', 'insertId', 'transaction'],
    async run(sessions, body, call) {
      const { sql } = sessions
      const statement = statementOf(sql, body)
      const reads = permitted(sql, statement, call)
      const reply = await sessions.within(transactionOf(body), call, (target, options) =>
        reads && sql.capabilities.streaming
          ? bounded(target, statement, options, call.limits.rows)
          : target.reply(statement, options(), body.insertId === true),
      )
      return writeReply(reply)
    },
  },
  '/open': {
    fields: ['text', 'parameters', 'pageRows', 'transaction'],
    async run(sessions, body, call) {
      const { sql, streams } = sessions
      const statement = statementOf(sql, body)
      permitted(sql, statement, call)
      const pageRows = pageRowsOf(body, call)
      return sessions.within(transactionOf(body), call, async (target, options, started) => {
        const stream: Stream = target.stream(statement, { pageRows })
        const page = writeRows(await stream.nextReply(options()))
        if (stream.exhausted) return page
        if (started !== undefined) return { ...page, cursor: started.keep(stream) }
        const cursor = await streams.hold(stream, call)
        ifLost(call, () => streams.end(cursor))
        streams.release(cursor)
        return { ...page, cursor }
      })
    },
  },
  '/next': {
    fields: ['cursor', 'transaction'],
    async run(sessions, body, call) {
      const cursor = string(body.cursor, 'cursor')
      const id = transactionOf(body)
      if (id === undefined) return nextPage(sessions, cursor, call)
      return sessions.within(id, call, async (_, options, started) => {
        const stream = (started as Started).streamOf(cursor)
        const page = writeRows(await stream.nextReply(options()))
        return stream.exhausted ? page : { ...page, cursor }
      })
    },
  },
  '/close': {
    fields: ['cursor', 'transaction'],
    async run(sessions, body, call) {
      const cursor = string(body.cursor, 'cursor')
      const id = transactionOf(body)
      if (id === undefined) await sessions.streams.endBy(cursor, call)
      else {
        await sessions.within(id, call, (_, __, started) =>
          (started as Started).streamOf(cursor).close(),
        )
      }
      return {}
    },
  },
  '/call': {
    fields: ['name', 'parameters', 'transaction'],
    async run(sessions, body, call) {
      permit(false, call)
      const { name, parameters } = procedureOf(sessions.sql, body)
      const reply = await sessions.within(transactionOf(body), call, (target, options) =>
        target.callReply(name, parameters, options()),
      )
      return writeCallReply(reply)
    },
  },
  '/insert': {
    fields: ['table', 'columns', 'rows', 'transaction'],
    async run(sessions, body, call) {
      permit(false, call)
      const { table, columns, rows } = insertionOf(body, call)
      const rowsAffected = await sessions.within(transactionOf(body), call, (target, options) =>
        target.bulkInsert(table, rows, { ...options(), columns }),
      )
      return { rowsAffected }
    },
  },
  '/batch': {
    fields: ['statements', 'isolation'],
    async run({ sql }, body, call) {
      const statements = statementsOf(sql, body, call)
      for (const statement of statements) permitted(sql, statement, call)
      const isolation = isolationOf(sql, body)
      const replies = await sql.batchReplies(statements, { ...call.options, isolation })
      return { replies: replies.map(writeReply) }
    },
  },
  '/begin': {
    fields: ['isolation'],
    async run({ sql, transactions }, body, call) {
      const isolation = isolationOf(sql, body)
      transactions.check(call)
      const started = new Started(await sql.begin({ isolation }, call.options))
      const transaction = await transactions.hold(started, call)
      ifLost(call, () => transactions.end(transaction))
      transactions.release(transaction)
      return { transaction }
    },
  },
  '/savepoint': {
    fields: ['transaction', 'action', 'name'],
    async run(sessions, body, call) {
      const { action, name } = savepointOf(body)
      const id = string(body.transaction, 'transaction')
      await sessions.within(id, call, async (_, options, started) => {
        await (started as Started).open.transaction.savepoint(action, name, options())
      })
      return {}
    },
  },
  '/commit': {
    fields: ['transaction'],
    async run({ transactions }, body, call) {
      const id = string(body.transaction, 'transaction')
      const { open } = transactions.take(id, call)
      try {
        await open.commit(call.options)
        transactions.remove(id)
      } catch (error) {
        await transactions.end(id)
        throw error
      }
      return {}
    },
  },
  '/rollback': {
    fields: ['transaction'],
    async run({ transactions }, body, call) {
      // Whatever it is doing: its client may have given up a statement of which the gateway has not heard.
      await transactions.endBy(string(body.transaction, 'transaction'), call, 'end')
      return {}
    },
  },
  '/ping': {
    fields: ['writable'],
    async run({ sql }, { writable }, call) {
      await sql.health({ ...call.options, writable: writable === true })
      return { dialect: sql.dialect }
    },
  },
}

async function nextPage({ streams }: Sessions, cursor: string, call: Call): Promise<object> {
  const stream = streams.take(cursor, call)
  let page: object
  try {
    page = writeRows(await stream.nextReply(call.options))
  } catch (error) {
    // The page is lost, and a stream does not go back.
    streams.remove(cursor)
    throw error
  }
  if (stream.exhausted) {
    streams.remove(cursor)
    return page
  }
  if (streams.closed) {
    await stream.close()
    throw closing()
  }
  ifLost(call, () => streams.end(cursor))
  streams.release(cursor)
  return { ...page, cursor }
}

/** The rows of a statement that reads, with no more of them in memory than a reply may have. */
async function bounded(
  target: Queries,
  statement: RawStatement,
  options: () => Call['options'],
  most: number,
): Promise<Reply> {
  const stream: Stream = target.stream(statement, { pageRows: Math.min(most, maxPageRows) })
  try {
    const first = await stream.nextReply(options())
    let { rows } = first
    while (!stream.exhausted) {
      rows = rows.concat((await stream.nextReply(options())).rows)
      if (rows.length > most) {
        const message = `the reply has more than ${most} rows: read them by stream`
        throw new Refusal('invalid', message, 413)
      }
    }
    return { ...first, rows, rowsAffected: 0, insertId: null }
  } finally {
    await stream.close()
  }
}

/** Whether it only reads. @throws Refusal for a statement that this token may not run */
function permitted(sql: Sql, statement: RawStatement, call: Call): boolean {
  const reads = readsOnly(sql, statement)
  permit(reads, call)
  return reads
}

function permit(reads: boolean, { access }: Call): void {
  if (!reads && access === 'read') throw new Refusal('forbidden', 'this token only reads')
}

function transactionOf({ transaction }: Body): string | undefined {
  return transaction === undefined ? undefined : string(transaction, 'transaction')
}
