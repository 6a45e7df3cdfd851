import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { Writer } from './bytes.ts'
import * as errors from './errors.ts'
import { explain, explainSyntax } from './explain.ts'
import { addFunctions, type Facts, Interrupted } from './functions.ts'
import type { Item } from './rewrite.ts'
import {
  declaredType,
  parseType,
  type SqlType,
  stored,
  sumOf,
  typeNamed,
  type Value,
} from './types.ts'
import { fitColumn, infer } from './values.ts'
import { writeValue } from './wire.ts'

/** SQLite for one connection, in a thread of its own: a query there blocks no one else. */
export type Request =
  | { readonly do: 'open'; readonly database: string; readonly user: string }
  | { readonly do: 'execute'; readonly sql: string }
  | { readonly do: 'check'; readonly sql: readonly string[] }
  | ({ readonly do: 'run' } & Run)
  | { readonly do: 'next' | 'end' | 'reset' }
  | ({ readonly do: 'insert' } & Insert)

export interface Run {
  readonly verb: string
  readonly sql: readonly string[]
  readonly parameters: Readonly<Record<string, Value>>
  readonly items?: readonly Item[] | undefined
  readonly probe?: string | undefined
  /** By name of the column, in lower case: what the test says it is. */
  readonly columnTypes?: Readonly<Record<string, string>> | undefined
  readonly table?: string | undefined
  /** Give the last row alone, as values. */
  readonly last?: boolean
}

/** Rows of a bulk load. */
export interface Insert {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
}

export type Answer = Failed | Busy | Done

export interface Failed {
  readonly error: errors.PlainError
}
/** Another connection writes: to be asked again. `stale`: never to succeed in this transaction. */
export interface Busy {
  readonly busy: 'later' | 'stale'
}
export interface Done {
  readonly columns?: readonly Column[]
  /** ROW tokens. */
  readonly rows?: Uint8Array
  readonly count?: number
  /** There are rows left: `next` gives them, `end` gives them up. */
  readonly more?: boolean
  /** Of an INSERT into a table with an identity. */
  readonly identity?: bigint
  /** Of `last`. */
  readonly values?: readonly Value[]
  readonly interrupted?: boolean
}

export interface Column {
  readonly name: string
  readonly type: SqlType
}

const pageBytes = 32_768
const busy = 5
const staleSnapshot = 517

class Engine {
  readonly #file: string
  readonly #readOnly: boolean
  readonly #interrupt: Int32Array
  #database!: DatabaseSync
  #facts!: Facts
  #verb = ''
  #table: string | undefined
  #rows: Iterator<Value[]> | undefined
  #columns: readonly Column[] = []
  /** Columns by table, for one statement. */
  readonly #known = new Map<string, ReturnType<Facts['columns']>>()

  constructor(file: string, readOnly: boolean, interrupt: Int32Array) {
    this.#file = file
    this.#readOnly = readOnly
    this.#interrupt = interrupt
  }

  answer(request: Request): Answer {
    try {
      return this.#do(request)
    } catch (error) {
      this.#end()
      if (error instanceof Interrupted) return { interrupted: true }
      if (error instanceof errors.SqlServerError) return { error: errors.plain(error) }
      const code = (error as { errcode?: number }).errcode ?? 0
      if ((code & 0xff) === busy) return { busy: code === staleSnapshot ? 'stale' : 'later' }
      const statement = { verb: this.#verb, table: this.#table }
      const explained = explain(error as Error, code, this.#database, this.#facts, statement)
      return { error: errors.plain(explained) }
    }
  }

  #do(request: Request): Answer {
    switch (request.do) {
      case 'open':
        this.#open(request.database, request.user)
        return {}
      case 'execute':
        this.#database.exec(request.sql)
        return {}
      case 'check':
        return this.#check(request.sql)
      case 'run':
        return this.#run(request)
      case 'next':
        return this.#page()
      case 'end':
        this.#end()
        return {}
      case 'insert':
        return this.#insert(request)
      case 'reset':
        this.#reset()
        return {}
    }
  }

  #open(name: string, user: string): void {
    this.#facts = {
      database: name,
      user,
      readOnly: this.#readOnly,
      interrupt: this.#interrupt,
      seen: new Map(),
      columns: (table) => this.#columnsOf(table),
    }
    if (this.#database !== undefined) {
      this.#reset()
      this.#database.close()
    }
    // Waiting is done outside, where attention can end it.
    this.#database = new DatabaseSync(this.#file, { timeout: 0 })
    this.#database.exec('pragma synchronous = off')
    addFunctions(this.#database, this.#facts)
  }

  #reset(): void {
    this.#end()
    if (this.#database.isTransaction) this.#database.exec('rollback')
    const temporary = this.#database.prepare(
      `select name from temp.sqlite_master where type = 'table'`,
    )
    for (const { name } of temporary.all()) {
      this.#database.exec(`drop table temp."${String(name).replaceAll('"', '""')}"`)
    }
  }

  /** Syntax alone: what a statement refers to may be made by the one before. */
  #check(statements: readonly string[]): Answer {
    for (const sql of statements) {
      try {
        this.#database.prepare(sql)
      } catch (error) {
        const known = explainSyntax((error as Error).message)
        if (known !== undefined) throw known
      }
    }
    return {}
  }

  #run(run: Run): Answer {
    this.#known.clear()
    this.#verb = run.verb
    this.#table = run.table
    const sql = [...run.sql]
    const last = sql.pop()!
    if (sql.length > 0) return this.#definition([...sql, last])
    const statement = this.#prepare(last)
    const parameters = run.parameters as Record<string, SQLInputValue>
    const described = statement.columns()
    if (described.length === 0) {
      const { changes, lastInsertRowid } = statement.run(parameters)
      const identity = run.verb === 'insert' ? this.#identityOf(run.table) : false
      return {
        ...(isCounted(run.verb) ? { count: Number(changes) } : {}),
        ...(identity && Number(changes) > 0 ? { identity: BigInt(lastInsertRowid) } : {}),
      }
    }
    if (run.last === true) {
      let values: Value[] | undefined
      for (const row of statement.iterate(parameters)) values = row as unknown as Value[]
      return { ...(values === undefined ? {} : { values }), count: values === undefined ? 0 : 1 }
    }
    this.#rows = statement.iterate(parameters) as unknown as Iterator<Value[]>
    return this.#firstPage(statement, run)
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql)
    statement.setReadBigInts(true)
    statement.setReturnArrays(true)
    statement.setAllowUnknownNamedParameters(true)
    return statement
  }

  /** CREATE TABLE and the like take several statements here, which stand or fall together. */
  #definition(sql: readonly string[]): Answer {
    this.#database.exec('savepoint tds_definition')
    try {
      for (const statement of sql) this.#database.exec(statement)
      this.#database.exec('release tds_definition')
    } catch (error) {
      if (this.#database.isTransaction) {
        this.#database.exec('rollback to tds_definition')
        this.#database.exec('release tds_definition')
      }
      throw error
    }
    return {}
  }

  #identityOf(table: string | undefined): boolean {
    if (table === undefined) return false
    const sql = 'select 1 from tds_identities where tbl = ? collate nocase'
    return this.#database.prepare(sql).get(table) !== undefined
  }

  // Rows -------------------------------------------------------------------------------------------

  #firstPage(statement: StatementSync, run: Run): Answer {
    const first: Value[][] = []
    let complete = false
    for (let cells = 0; cells < 2_000; ) {
      const next = this.#rows!.next()
      if (next.done === true) {
        complete = true
        break
      }
      first.push(next.value)
      cells += next.value.length
    }
    this.#columns = this.#describe(statement, run, first, complete)
    const writer = new Writer(pageBytes * 2)
    for (const row of first) this.#writeRow(writer, row)
    if (complete) this.#rows = undefined
    const inserted = run.verb === 'insert' && first.length > 0 && this.#identityOf(run.table)
    return {
      columns: this.#columns,
      rows: writer.take(),
      count: first.length,
      more: !complete,
      ...(inserted ? { identity: this.#lastIdentity() } : {}),
    }
  }

  #lastIdentity(): bigint {
    const row = this.#database.prepare('select last_insert_rowid() as id').get()
    return BigInt(row!.id as number)
  }

  #page(): Answer {
    if (this.#rows === undefined) return { rows: new Uint8Array(), count: 0, more: false }
    const writer = new Writer(pageBytes * 2)
    let count = 0
    while (writer.length < pageBytes) {
      if (count % 64 === 0 && Atomics.load(this.#interrupt, 0) !== 0) throw new Interrupted()
      const next = this.#rows.next()
      if (next.done === true) {
        this.#rows = undefined
        break
      }
      this.#writeRow(writer, next.value)
      count++
    }
    return { rows: writer.take(), count, more: this.#rows !== undefined }
  }

  #writeRow(writer: Writer, row: readonly Value[]): void {
    writer.uint8(0xd1)
    for (let at = 0; at < this.#columns.length; at++) {
      writeValue(writer, this.#columns[at]!.type, row[at]!)
    }
  }

  #end(): void {
    this.#rows?.return?.()
    this.#rows = undefined
  }

  // Columns ----------------------------------------------------------------------------------------

  #describe(
    statement: StatementSync,
    run: Run,
    rows: readonly Value[][],
    complete: boolean,
  ): Column[] {
    const probed = run.probe === undefined ? [] : this.#probe(run.probe)
    return statement.columns().map((column, at) => {
      const item = run.items?.[at]
      const name = item?.name ?? column.name
      const said = run.columnTypes?.[name.toLowerCase()]
      if (said !== undefined) return { name, type: typeNamed(said) }
      const probe = item?.as === undefined ? undefined : probed[item.as]
      const as = probe !== undefined && item?.sum === true ? sumOf(probe) : probe
      const type =
        (item?.type === undefined ? undefined : parseType(item.type)) ??
        as ??
        this.#declared(column) ??
        infer(
          rows.map((row) => row[at]!),
          complete,
        )
      return { name, type }
    })
  }

  #probe(sql: string): (SqlType | undefined)[] {
    try {
      return this.#database
        .prepare(sql)
        .columns()
        .map((column) => this.#declared(column))
    } catch {
      return []
    }
  }

  #declared(column: { type: string | null; table: string | null; column: string | null }) {
    if (column.type === null) return undefined
    if (column.type !== 'INTEGER') return declaredType(column.type)
    const sql = 'select type from tds_identities where tbl = ? and col = ? collate nocase'
    const row = this.#database.prepare(sql).get(column.table, column.column)
    return row === undefined ? undefined : parseType(String(row.type))
  }

  // Bulk load --------------------------------------------------------------------------------------

  #insert({ table, columns, rows }: Insert): Answer {
    this.#verb = 'insert'
    this.#table = table
    const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
    const list = columns.map(quoted).join(', ')
    const marks = columns.map(() => '?').join(', ')
    this.#known.clear()
    const types = this.#columnsOf(table)
    const wanted = columns.map((name) =>
      types.find((column) => column.name.toLowerCase() === name.toLowerCase()),
    )
    const statement = this.#prepare(`insert into ${quoted(table)} (${list}) values (${marks})`)
    for (const row of rows) {
      if (Atomics.load(this.#interrupt, 0) !== 0) throw new Interrupted()
      const values = row.map((value, at) => {
        const { name, type } = wanted[at] ?? {}
        if (name === undefined || type === undefined) return value
        return stored(fitColumn(value, type, `${this.#facts.database}.dbo.${table}`, name), type)
      })
      statement.run(...(values as SQLInputValue[]))
    }
    return { count: rows.length }
  }

  #columnsOf(table: string): ReturnType<Facts['columns']> {
    const known = this.#known.get(table)
    if (known !== undefined) return known
    const rows = this.#database.prepare('select name, type from pragma_table_info(?)').all(table)
    const columns = rows.map(({ name, type }) => ({
      name: String(name),
      type: declaredType(String(type)),
    }))
    this.#known.set(table, columns)
    return columns
  }
}

function isCounted(verb: string): boolean {
  return verb === 'insert' || verb === 'update' || verb === 'delete'
}

interface Data {
  readonly file: string
  readonly readOnly: boolean
  readonly interrupt: Int32Array
}

if (parentPort !== null) {
  const port = parentPort
  const { file, readOnly, interrupt } = workerData as Data
  const engine = new Engine(file, readOnly, interrupt)
  port.on('message', (request: Request) => {
    const answer = engine.answer(request)
    const { rows } = answer as Done
    port.postMessage(answer, rows === undefined ? [] : [rows.buffer as ArrayBuffer])
  })
}
