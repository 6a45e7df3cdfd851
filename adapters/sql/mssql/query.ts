import type { Request } from 'tedious'
import type { Attempt } from '../../../src/core/index.ts'
import type { CallReply, ProcedureCall, Reply, Statement } from '../../../src/sql/index.ts'
import { type ColumnMetadata, Columns, type Metadata, readValue } from './columns.ts'
import type { Link } from './link.ts'
import { addParameter } from './parameters.ts'

/** How the column that holds the new identity is called, so that it is not taken for one of the caller's. */
const identityName = 'dualport identity'
// On a line of its own, for the text may end with a comment; that it may end with a semicolon does no harm.
const identityText = `\n;select cast(scope_identity() as bigint) as [${identityName}]`

const changes: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** By sp_executesql always, also without parameters: what it SETs ends with it, and its plan is kept. */
export function requestOf(
  { library: { tedious } }: Link,
  { text, parameters, insertId }: Statement,
  done: (error?: Error | null) => void,
): Request {
  const request = new tedious.Request(insertId ? text + identityText : text, done)
  for (const [i, parameter] of parameters.entries()) {
    addParameter(request, tedious.TYPES, `p${i + 1}`, parameter)
  }
  return request
}

/** Runs a statement and reads what it gives. */
export async function query(link: Link, statement: Statement, attempt: Attempt): Promise<Reply> {
  const reading = new Reading(statement)
  try {
    await link.exec(attempt, (done) => {
      const request = requestOf(link, statement, done)
      reading.listen(request, link)
      link.connection.execSql(request)
    })
  } catch (error) {
    throw reading.failure ?? error
  }
  if (reading.failure !== undefined) throw reading.failure
  return reading.reply()
}

interface Result {
  readonly columns: Columns
  readonly rows: unknown[][]
}

/**
 * What comes of a statement: the first of its results, and how many rows it affected. The server counts for each
 * statement of a text, those of triggers included unless they SET NOCOUNT ON, and the one that fired them last. So
 * the last count is the statement's own; of several in one text, the last one's. With SET NOCOUNT ON in the text
 * there is none, and it is 0.
 */
class Reading {
  readonly #isChange: boolean
  #first: Result | undefined
  #current: Result | undefined
  #rowsAffected = 0
  #isStart = true
  #identity: Result | undefined
  /** A value that could not be read, for which the statement was stopped. */
  failure: unknown

  constructor({ kind }: Statement) {
    this.#isChange = changes.has(kind)
  }

  listen(request: Request, link: Link): void {
    request.on('columnMetadata', (metadata) => {
      const columns = metadata as ColumnMetadata[]
      this.#current = { columns: new Columns(columns), rows: [] }
      if (columns.length === 1 && columns[0]?.colName === identityName) {
        this.#identity = this.#current
      } else this.#first ??= this.#current
    })
    request.on('row', (values: { value: unknown }[]) => {
      const current = this.#current as Result
      if (current !== this.#first && current !== this.#identity) return
      try {
        current.rows.push(current.columns.row(values))
      } catch (error) {
        this.failure ??= error
        link.cancel()
      }
    })
    request.on('doneInProc', (count) => this.#done(count))
    request.on('done', (count) => this.#done(count))
  }

  #done(count: number | undefined): void {
    const current = this.#current
    const isStart = this.#isStart
    this.#current = undefined
    this.#isStart = false
    if (count === undefined) return
    // A SELECT has a count as well, and so has an INSERT with OUTPUT, which is a change.
    if (current === undefined || (this.#isChange && isStart)) {
      this.#rowsAffected = count
    }
  }

  reply(): Reply {
    const { columns, rows = [] } = this.#first ?? {}
    const identity = this.#identity?.rows[0]?.[0] as bigint | null | undefined
    return {
      columns: columns?.names ?? [],
      types: columns?.types ?? [],
      rows,
      rowsAffected: this.#rowsAffected,
      // Of several rows, SQL Server knows the last one's, and not which was the first.
      insertId: this.#rowsAffected > 1 ? null : (identity ?? null),
    }
  }
}

/** Runs a stored procedure. */
export async function call(
  link: Link,
  { name, parameters }: ProcedureCall,
  attempt: Attempt,
): Promise<CallReply> {
  const { tedious } = link.library
  const sets: Result[] = []
  // A parameter may have any name.
  const output: Record<string, unknown> = Object.create(null)
  let returnValue: number | null = null
  let failure: unknown
  const guarded = (read: () => void) => {
    try {
      read()
    } catch (error) {
      failure ??= error
      link.cancel()
    }
  }
  const running = link.exec(attempt, (done) => {
    const request = new tedious.Request(name.map(quoted).join('.'), done)
    for (const parameter of parameters) {
      addParameter(request, tedious.TYPES, parameter.name, parameter, parameter.output)
    }
    request.on('columnMetadata', (metadata) => {
      sets.push({ columns: new Columns(metadata as ColumnMetadata[]), rows: [] })
    })
    request.on('row', (values: { value: unknown }[]) => {
      const { columns, rows } = sets.at(-1) as Result
      guarded(() => rows.push(columns.row(values)))
    })
    request.on('returnValue', (name, value, metadata) => {
      guarded(() => {
        output[name] = readValue(metadata as Metadata, value)
      })
    })
    request.on('doneProc', (_count, _more, status) => {
      returnValue = (status as number | undefined) ?? returnValue
    })
    link.connection.callProcedure(request)
  })
  try {
    await running
  } catch (error) {
    throw failure ?? error
  }
  if (failure !== undefined) throw failure
  return {
    sets: sets.map(({ columns, rows }) => ({ columns: columns.names, types: columns.types, rows })),
    output: { ...output },
    returnValue,
  }
}

export function quoted(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`
}
