import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { DriverFailure } from '../../../src/core/index.ts'
import type { Insertion, Page, Reply, Statement } from '../../../src/sql/index.ts'
import { type Token, tokensOf } from '../../../src/sql/tokens.ts'
import { bound, type Decode, decoderOf } from './values.ts'

type Row = SQLOutputValue[]

/** Kinds of statements after which `changes()` is of this statement. */
const changing: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE'])

/** https://www.sqlite.org/rescode.html#readonly */
const readOnly = 8

/** Statements of the seam on a connection to SQLite, all of them at once: each blocks until it is done. */
export class Database {
  readonly sqlite: DatabaseSync
  readonly #results = new Set<Result>()

  constructor(sqlite: DatabaseSync) {
    this.sqlite = sqlite
  }

  /** What has no parameters and gives nothing. */
  exec(text: string): void {
    this.#settle()
    this.sqlite.exec(text)
  }

  get inTransaction(): boolean {
    return this.sqlite.isTransaction
  }

  /** Of a database file that must not be written: false. */
  takesWrites(): boolean {
    const version = this.#number('user_version FROM pragma_user_version')
    this.exec('BEGIN IMMEDIATE')
    try {
      this.exec(`PRAGMA user_version = ${version}`)
      return true
    } catch (error) {
      if ((error as { errcode?: number }).errcode === readOnly) return false
      throw error
    } finally {
      this.exec('ROLLBACK')
    }
  }

  run(statement: Statement): Reply {
    const tokens = tokensOfOne(statement)
    if (statement.kind !== 'SELECT') this.#settle()
    const result = new Result(this.#prepare(statement.text), statement)
    const { columns, types } = result
    const { rows } = result.read(Infinity)
    const rowsAffected = changing.has(statement.kind) ? this.#number('changes()') : 0n
    const insertId = statement.insertId ? this.#insertId(tokens, rowsAffected) : null
    return { columns, types, rows, rowsAffected: Number(rowsAffected), insertId }
  }

  open(statement: Statement, pageRows: number): Page {
    tokensOfOne(statement)
    if (statement.kind !== 'SELECT') this.#settle()
    const result = new Result(this.#prepare(statement.text), statement)
    this.#results.add(result)
    return this.#page(result, pageRows)
  }

  #page(result: Result, pageRows: number): Page {
    const { columns, types } = result
    let page: { readonly rows: unknown[][]; readonly done: boolean }
    try {
      page = result.read(pageRows)
    } catch (error) {
      this.#results.delete(result)
      throw error
    }
    if (page.done) {
      this.#results.delete(result)
      return { columns, types, rows: page.rows, rest: undefined }
    }
    const rest = {
      next: async () => this.#page(result, pageRows),
      close: async () => {
        this.#results.delete(result)
        result.end()
      },
    }
    return { columns, types, rows: page.rows, rest }
  }

  /** All of them or none: within a transaction. */
  insert({ table, columns, rows }: Insertion): number {
    this.#settle()
    const list = columns.map(quoted).join(', ')
    const marks = columns.map(() => '?').join(', ')
    const name = table.map(quoted).join('.')
    const prepared = this.#prepare(`INSERT INTO ${name} (${list}) VALUES (${marks})`)
    for (const row of rows) prepared.run(...row.map(bound))
    return rows.length
  }

  close(): void {
    this.#results.clear()
    this.sqlite.close()
  }

  /** Reads the results that are under way to their end: what is written now must not show in them. */
  #settle(): void {
    for (const result of this.#results) result.settle()
    this.#results.clear()
  }

  #prepare(text: string): StatementSync {
    const prepared = this.sqlite.prepare(text)
    prepared.setReadBigInts(true)
    prepared.setReturnArrays(true)
    return prepared
  }

  #number(expression: string, ...values: string[]): bigint {
    const row = this.#prepare(`SELECT ${expression}`).get(...values) as unknown as Row
    return row[0] as bigint
  }

  /** Of the first row, where the table has a key that SQLite counts. */
  #insertId(tokens: readonly Token[], rowsAffected: bigint): bigint | null {
    // Nothing says which of the two an upsert did.
    if (rowsAffected === 0n || tokens.some(({ text }) => text === 'CONFLICT')) return null
    const table = tableOf(tokens)
    const keys = this.#number(
      `count(*) FROM pragma_table_info(?) WHERE pk = 1 AND upper(type) = 'INTEGER'
        AND NOT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE pk > 1)`,
      table,
      table,
    )
    return keys === 1n ? this.#number('last_insert_rowid()') - rowsAffected + 1n : null
  }
}

/** The rows of a statement, as they are asked for. */
class Result {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  readonly #decoders: readonly Decode[]
  readonly #rows: Iterator<Row>
  /** What was read before anybody asked, and what reading it failed with. */
  #settled: { readonly rows: Row[]; failed?: unknown } | undefined

  constructor(prepared: StatementSync, { parameters }: Statement) {
    const columns = prepared.columns()
    this.columns = columns.map(({ name }) => name)
    this.types = columns.map(({ type }) => type?.toUpperCase() ?? '')
    this.#decoders = columns.map(({ type }) => decoderOf(type))
    this.#rows = prepared.iterate(...parameters.map(bound)) as unknown as Iterator<Row>
  }

  /** The next `count` rows. */
  read(count: number): { readonly rows: unknown[][]; readonly done: boolean } {
    const rows: unknown[][] = []
    while (rows.length < count) {
      const row = this.#next()
      if (row === undefined) return { rows, done: true }
      rows.push(this.#decode(row))
    }
    return { rows, done: false }
  }

  settle(): void {
    const settled: { rows: Row[]; failed?: unknown } = { rows: [] }
    try {
      for (let row = this.#next(); row !== undefined; row = this.#next()) settled.rows.push(row)
    } catch (error) {
      settled.failed = error
    }
    settled.rows.reverse()
    this.#settled = settled
  }

  end(): void {
    this.#settled = undefined
    this.#rows.return?.()
  }

  #next(): Row | undefined {
    if (this.#settled === undefined) {
      const next = this.#rows.next()
      return next.done ? undefined : next.value
    }
    const row = this.#settled.rows.pop()
    if (row === undefined && this.#settled.failed !== undefined) throw this.#settled.failed
    return row
  }

  #decode(row: Row): unknown[] {
    return row.map((value, i) => (value === null ? null : (this.#decoders[i] as Decode)(value)))
  }
}

/** @throws DriverFailure for several statements, of which SQLite would leave out all but the first */
function tokensOfOne({ text }: Statement): Token[] {
  const tokens = [...tokensOf(text, 'sqlite')].filter(({ type }) => type !== 'comment')
  const end = tokens.findIndex((token) => token.text === ';' && token.type === 'symbol')
  // A trigger has statements in it.
  if (end < 0 || end === tokens.length - 1 || isTrigger(tokens)) return tokens
  const detail = 'the text has more than one statement'
  throw new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

function isTrigger(tokens: readonly Token[]): boolean {
  return tokens[0]?.text === 'CREATE' && tokens.slice(1, 3).some(({ text }) => text === 'TRIGGER')
}

/** What an INSERT goes into, without quotes and schema. */
function tableOf(tokens: readonly Token[]): string {
  let at = tokens.findIndex(({ type, text }) => type === 'word' && text === 'INTO') + 1
  if (tokens[at + 1]?.text === '.') at += 2
  const { type, text = '' } = tokens[at] ?? {}
  if (type !== 'name') return text
  const close = text.slice(-1)
  return text.slice(1, -1).replaceAll(close + close, close)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
