import {
  type Attempt,
  type CallOptions,
  DriverFailure,
  known,
  type Operation,
} from '../core/index.ts'
import type {
  CallReply,
  Insertion,
  Page,
  Parameter,
  ParameterType,
  ProcedureCall,
  Reply,
  Statement,
} from './driver.ts'
import { objects, type Row } from './rows.ts'
import { operationOf, type Scope, type StatementOptions } from './scope.ts'
import {
  checkName,
  Fragment,
  type Insert,
  type Prepared,
  RawStatement,
  statementOf,
} from './statement.ts'
import { RowStream } from './stream.ts'
import { invalid, parameterOf, type SqlValue, type TypedParameter, typed } from './values.ts'

export interface ExecuteResult {
  /** Of an UPDATE: rows that were found, whether or not they changed. */
  readonly rowsAffected: number
  /** What an auto-increment or identity column gave the first row of an INSERT; on SQL Server only of a single row. */
  readonly insertId: bigint | null
}

export interface BatchResult extends ExecuteResult {
  readonly rows: Row[]
}

export interface StreamOptions extends CallOptions {
  /** Rows of a page. 1 to 100,000, default 1000. */
  readonly pageRows?: number | undefined
}

export interface BulkInsertOptions extends CallOptions {
  /** Default: the fields of the first row. */
  readonly columns?: readonly string[] | undefined
}

export interface CallResult {
  /** The rows of each result. */
  readonly sets: Row[][]
  /** What the output parameters hold, by name. */
  readonly output: Readonly<Record<string, unknown>>
  /** What RETURN gave; `null` on MySQL, which has none. */
  readonly returnValue: number | null
}

/** A parameter of a procedure that the server writes to. */
export class OutputParameter {
  readonly parameter: Parameter

  /** @internal `sql.output` makes them. */
  constructor(parameter: Parameter) {
    this.parameter = parameter
  }
}

type InputRow = Readonly<Record<string, SqlValue>>
type Rows = Iterable<InputRow> | AsyncIterable<InputRow>
type Argument = SqlValue | OutputParameter
/** By name, or in order. */
type Arguments = Readonly<Record<string, Argument>> | readonly Argument[]

/** A statement: a template literal, or what `sql.fragment` and `sql.raw` make. */
type Text = TemplateStringsArray | Fragment | RawStatement

const maxPageRows = 100_000
/** A round trip costs little against so many rows, and they take little memory. */
const insertRows = 10_000

const insert: Operation<number> = { name: 'BULK INSERT', write: true, idempotent: false }
/** Of a transaction, nothing is applied before its commit. */
const insertWithin: Operation<number> = { ...insert, write: false, once: true }

/** @internal */
export const commits =
  'in MySQL, the statement would commit what came before it: it runs in no transaction'

/** What runs statements: a client, or one of its transactions. */
export class Queries {
  readonly #scope: Scope
  readonly #run: (statement: Statement, attempt: Attempt) => Promise<Reply>
  readonly #call: (call: ProcedureCall, attempt: Attempt) => Promise<CallReply>

  /** @internal */
  constructor(scope: Scope) {
    const { executor } = scope
    this.#scope = scope
    this.#run = (statement, attempt) => executor.run(statement, attempt)
    this.#call = (call, attempt) => executor.call(call, attempt)
  }

  // Making statements ------------------------------------------------------------------------------

  /** Values of a type, where the JavaScript type says too little: `sql.decimal('1.10')`, `sql.date(null)`. */
  readonly boolean = this.#checked(typed.boolean)
  readonly integer = this.#checked(typed.integer)
  readonly bigint = this.#checked(typed.bigint)
  readonly double = this.#checked(typed.double)
  readonly decimal = this.#checked(typed.decimal)
  readonly string = this.#checked(typed.string)
  readonly date = this.#checked(typed.date)
  readonly time = this.#checked(typed.time)
  readonly datetime = this.#checked(typed.datetime)
  readonly instant = this.#checked(typed.instant)
  readonly binary = this.#checked(typed.binary)
  readonly uuid = this.#checked(typed.uuid)
  readonly json = this.#checked(typed.json)

  /** Part of a statement, with its values, to be put into another one or run with options. */
  fragment(strings: TemplateStringsArray, ...inserts: Insert[]): Fragment {
    return this.#make(() => this.#scope.writer.fragment(strings, inserts))
  }

  /** A name, quoted: `sql.id('dbo', 'users')` is `[dbo].[users]` on SQL Server. */
  id(...parts: string[]): Fragment {
    return this.#make(() => new Fragment([this.#scope.writer.name(parts)], []))
  }

  /** A list for IN: `where id in ${sql.in([1, 2])}`. An empty one holds nothing, also after NOT IN. */
  in(values: readonly SqlValue[]): Fragment {
    return this.#make(() => {
      if (!Array.isArray(values)) throw invalid('sql.in takes an array')
      if (values.length === 0) return new Fragment(['(select null where 1 = 0)'], [])
      const commas = Array.from({ length: values.length - 1 }, () => ', ')
      return new Fragment(['(', ...commas, ')'], values.map(parameterOf))
    })
  }

  /** Fragments with a text between them: `sql.join(conditions, ' and ')`. Default: a comma. */
  join(fragments: readonly Fragment[], separator = ', '): Fragment {
    return this.#make(() => {
      if (fragments.length === 0) throw invalid('there is nothing to join')
      const between = fragments.map((_, i) => (i === 0 ? '' : separator))
      return this.#scope.writer.fragment([...between, ''], fragments)
    })
  }

  /**
   * SQL as it is, with the database's own placeholders: `?`, or `@p1` on SQL Server. **Never put data into the
   * text.** Without values it may also be put into a template.
   */
  raw(text: string, values?: undefined): Fragment
  raw(text: string, values: readonly SqlValue[]): RawStatement
  raw(text: string, values?: readonly SqlValue[]): Fragment | RawStatement {
    return this.#make(() => {
      if (typeof text !== 'string' || !text.isWellFormed() || text.includes('\0')) {
        throw invalid('the text is none, or has a character that none may have')
      }
      if (values === undefined) return new Fragment([text], [])
      return new RawStatement(text, values.map(parameterOf))
    })
  }

  /** For `call`: a parameter that the procedure writes to, and maybe reads. */
  output(type: ParameterType, value: Parameter['value'] = null): OutputParameter {
    return this.#make(() => {
      if (!Object.hasOwn(typed, type)) throw invalid('there is no such type')
      return new OutputParameter((typed[type] as (value: unknown) => Parameter)(value))
    })
  }

  // Running them -----------------------------------------------------------------------------------

  /** All rows of a statement. Of several results the first. */
  query<R = Row>(text: TemplateStringsArray, ...inserts: Insert[]): Promise<R[]>
  query<R = Row>(text: Fragment | RawStatement, options?: StatementOptions): Promise<R[]>
  query(text: Text, ...rest: unknown[]): Promise<unknown> {
    return this.#execute(text, rest, objects, false)
  }

  /** The one row that there is. @throws InfraError `SQL_NOT_FOUND` for none, `SQL_INVALID` for several */
  one<R = Row>(text: TemplateStringsArray, ...inserts: Insert[]): Promise<R>
  one<R = Row>(text: Fragment | RawStatement, options?: StatementOptions): Promise<R>
  one(text: Text, ...rest: unknown[]): Promise<unknown> {
    return this.#execute(text, rest, only, false)
  }

  /** The one row that there is, or `null`. @throws InfraError `SQL_INVALID` for several */
  maybeOne<R = Row>(text: TemplateStringsArray, ...inserts: Insert[]): Promise<R | null>
  maybeOne<R = Row>(text: Fragment | RawStatement, options?: StatementOptions): Promise<R | null>
  maybeOne(text: Text, ...rest: unknown[]): Promise<unknown> {
    return this.#execute(text, rest, atMostOne, false)
  }

  /** How many rows a statement affected, and the id of what it inserted. */
  execute(text: TemplateStringsArray, ...inserts: Insert[]): Promise<ExecuteResult>
  execute(text: Fragment | RawStatement, options?: StatementOptions): Promise<ExecuteResult>
  execute(text: Text, ...rest: unknown[]): Promise<unknown> {
    return this.#execute(text, rest, counts, true)
  }

  /** @internal The driver's own reply, for the gateway. */
  reply(
    text: Fragment | RawStatement,
    options?: StatementOptions,
    insertId = true,
  ): Promise<Reply> {
    return this.#execute(text, [options], asItCame, insertId)
  }

  /** The rows of a statement, page by page as they are read. Sends nothing before the first is asked for. */
  stream<R = Row>(text: TemplateStringsArray, ...inserts: Insert[]): RowStream<R>
  stream<R = Row>(text: Fragment | RawStatement, options?: StreamOptions): RowStream<R>
  stream<R>(text: Text, ...rest: unknown[]): RowStream<R> {
    const scope = this.#scope
    const options = isTemplate(text) ? undefined : (rest[0] as StreamOptions | undefined)
    const start = () => {
      const { pageRows = 1000 } = known(options, 'pageRows') ?? {}
      if (!scope.capabilities.streaming) throw new DriverFailure({ kind: 'unsupported' })
      if (!Number.isInteger(pageRows) || pageRows < 1 || pageRows > maxPageRows) {
        throw invalid(`pageRows is not a whole number from 1 to ${maxPageRows}`)
      }
      const prepared = this.#prepare(text, rest)
      const { reading } = prepared
      return {
        operation: operationOf(reading, reading.reads, scope.once, pageAsItCame),
        statement: statementOf(prepared, false),
        pageRows,
      }
    }
    return new RowStream<R>(scope, start, options)
  }

  /**
   * Runs a stored procedure. Parameters by name (SQL Server) or in order (MySQL).
   * @throws InfraError of kind `unsupported` for output parameters on MySQL, and where there are no procedures
   */
  call(
    name: string | readonly string[],
    parameters: Arguments = {},
    options?: CallOptions,
  ): Promise<CallResult> {
    return this.#callWith(name, parameters, options, calledResult)
  }

  /** @internal As `call`, with the driver's own reply. */
  callReply(
    name: string | readonly string[],
    parameters: Arguments,
    options?: CallOptions,
  ): Promise<CallReply> {
    return this.#callWith(name, parameters, options, callAsItCame)
  }

  #callWith<T>(
    name: string | readonly string[],
    parameters: Arguments,
    options: CallOptions | undefined,
    decode: (reply: CallReply) => T,
  ): Promise<T> {
    const { calls, once, turn } = this.#scope
    let request: ProcedureCall
    try {
      known(options)
      request = this.#procedure(name, parameters)
    } catch (error) {
      return calls.refuse('CALL', error)
    }
    const operation = operationOf({ kind: 'CALL', reads: false }, false, once, decode)
    return turn(() => calls.run(operation, request, this.#call, options))
  }

  /**
   * Inserts rows by the fastest way that there is, all or none of them, and gives their number. Each row has the
   * same fields; they are read as they are needed, so that there may be more than fit into memory. `timeoutMs`
   * bounds each part of some thousand rows.
   */
  async bulkInsert(
    table: string | readonly string[],
    rows: Rows,
    options?: BulkInsertOptions,
  ): Promise<number> {
    let inserted = 0
    for await (const part of this.insertions(table, rows, options)) {
      inserted += await this.insertPart(part, options)
    }
    return inserted
  }

  /** @internal What one round trip can take of them, each. */
  protected async *insertions(
    table: string | readonly string[],
    rows: Rows,
    options: BulkInsertOptions | undefined,
  ): AsyncGenerator<Insertion, undefined> {
    const { calls, capabilities, writer } = this.#scope
    try {
      let columns = known(options, 'columns')?.columns
      const parts = this.#parts(table)
      if (!isIterable(rows)) throw invalid('the rows are not iterable')
      let most = 0
      let part: Parameter[][] = []
      for await (const row of rows) {
        if (typeof row !== 'object' || row === null || Array.isArray(row)) {
          throw invalid('a row is not an object')
        }
        columns ??= Object.keys(row)
        if (most === 0) {
          if (columns.length === 0) throw invalid('there are no columns')
          for (const column of columns) checkName(column, writer.dialect)
          most = Math.min(insertRows, Math.floor(capabilities.maxInsertValues / columns.length))
          if (most === 0) throw invalid('a row has more columns than one statement takes')
        }
        part.push(valuesOf(row, columns))
        if (part.length < most) continue
        yield { table: parts, columns, rows: part }
        part = []
      }
      if (columns !== undefined && part.length > 0) yield { table: parts, columns, rows: part }
    } catch (error) {
      throw error instanceof DriverFailure ? calls.refusal(insert.name, error) : error
    }
  }

  /** @internal One part. */
  insertPart(part: Insertion, options: BulkInsertOptions | undefined): Promise<number> {
    const { calls, executor, once, turn } = this.#scope
    return turn(() =>
      calls.run(
        once ? insertWithin : insert,
        part,
        (part, attempt) => executor.insert(part, attempt),
        options,
      ),
    )
  }

  // ------------------------------------------------------------------------------------------------

  #execute<T>(
    text: Text,
    rest: readonly unknown[],
    decode: (reply: Reply) => T,
    insertId: boolean,
  ): Promise<T> {
    const { calls, once, turn } = this.#scope
    let prepared: Prepared
    let options: StatementOptions | undefined
    try {
      if (!isTemplate(text)) options = known(rest[0] as StatementOptions | undefined, 'idempotent')
      prepared = this.#prepare(text, rest)
    } catch (error) {
      return calls.refuse('OTHER', error)
    }
    const { reading } = prepared
    const operation = operationOf(reading, options?.idempotent ?? reading.reads, once, decode)
    const statement = statementOf(prepared, insertId)
    return turn(() => calls.run(operation, statement, this.#run, options))
  }

  /** @internal @throws DriverFailure of kind `invalid` */
  prepare(text: Fragment | RawStatement): Prepared {
    return this.#prepare(text, [])
  }

  #prepare(text: Text, inserts: readonly unknown[]): Prepared {
    const { writer } = this.#scope
    let prepared: Prepared
    if (isTemplate(text)) prepared = writer.prepare(text, inserts as Insert[])
    else if (text instanceof Fragment) prepared = writer.prepareFragment(text)
    else if (text instanceof RawStatement) prepared = writer.prepareRaw(text)
    else throw invalid('a statement is a template literal, or what sql.fragment or sql.raw makes')
    if (prepared.reading.session) {
      throw invalid(
        'a connection is shared: use transaction for a transaction, and set nothing on it',
      )
    }
    if (prepared.reading.commits && this.#scope.once) throw invalid(commits)
    return prepared
  }

  #procedure(name: string | readonly string[], given: Arguments): ProcedureCall {
    const { capabilities, writer } = this.#scope
    if (!capabilities.procedures) throw new DriverFailure({ kind: 'unsupported' })
    const parts = this.#parts(name)
    const byName = writer.dialect === 'sqlserver'
    if (Array.isArray(given) === byName && Object.keys(given).length > 0) {
      throw invalid(byName ? 'parameters are given by name' : 'parameters are given in order')
    }
    const parameters = Object.entries(given).map(([name, argument]: [string, Argument]) => {
      if (byName && !/^[\w$#@]{1,127}$/.test(name)) throw invalid('a parameter has no valid name')
      if (!(argument instanceof OutputParameter))
        return { name, output: false, ...parameterOf(argument) }
      if (!capabilities.outputParameters) throw new DriverFailure({ kind: 'unsupported' })
      return { name, output: true, ...argument.parameter }
    })
    return { name: parts, parameters }
  }

  /** `dbo.users`, or its parts where one has a dot in it. */
  #parts(name: string | readonly string[]): readonly string[] {
    const parts = typeof name === 'string' ? name.split('.') : name
    this.#scope.writer.name(parts)
    return parts
  }

  #make<T>(make: () => T): T {
    try {
      return make()
    } catch (error) {
      throw this.#scope.calls.refusal('OTHER', error)
    }
  }

  #checked<A>(make: (value: A) => TypedParameter): (value: A) => TypedParameter {
    return (value) => this.#make(() => make(value))
  }
}

function isIterable(rows: unknown): boolean {
  return (
    typeof rows === 'object' &&
    rows !== null &&
    (Symbol.iterator in rows || Symbol.asyncIterator in rows)
  )
}

function isTemplate(text: unknown): text is TemplateStringsArray {
  return Array.isArray(text) && 'raw' in text
}

function valuesOf(
  row: Readonly<Record<string, SqlValue>>,
  columns: readonly string[],
): Parameter[] {
  if (Object.keys(row).length !== columns.length) {
    throw invalid('a row has other fields than there are columns')
  }
  return columns.map((column) => {
    if (!Object.hasOwn(row, column)) throw invalid('a row has other fields than there are columns')
    return parameterOf(row[column])
  })
}

// Replies ----------------------------------------------------------------------------------------

function atMostOne(reply: Reply): Row | null {
  if (reply.rows.length > 1) throw invalid(`there is not one row but ${reply.rows.length}`)
  return objects(reply)[0] ?? null
}

function only(reply: Reply): Row {
  const row = atMostOne(reply)
  if (row !== null) return row
  throw new DriverFailure({ kind: 'not-found', detail: 'there is no such row' })
}

function counts({ rowsAffected, insertId }: Reply): ExecuteResult {
  return { rowsAffected, insertId }
}

function asItCame(reply: Reply): Reply {
  return reply
}

function pageAsItCame(page: Page): Page {
  return page
}

function callAsItCame(reply: CallReply): CallReply {
  return reply
}

function calledResult({ sets, output, returnValue }: CallReply): CallResult {
  return { sets: sets.map((set) => objects(set)), output, returnValue }
}

/** @internal */
export function batchResult(reply: Reply): BatchResult {
  const { rowsAffected, insertId } = reply
  return { rows: objects(reply), rowsAffected, insertId }
}
