import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './database.ts'
import * as errors from './errors.ts'
import { SqlServerError } from './errors.ts'
import type { Reply } from './reply.ts'
import { type Rewritten, rewrite, rewriteValue } from './rewrite.ts'
import { Run } from './run.ts'
import type { Argument, Statement } from './statements.ts'
import { type Node, name, split } from './tokens.ts'
import type { SqlType, Value } from './types.ts'
import { convert } from './values.ts'
import type { Done as Answered, Request } from './worker.ts'

/** What a session needs of the server that it is part of. */
export interface Host {
  readonly database: string
  readonly readOnly: boolean
  columnTypes(sql: string): Readonly<Record<string, string>> | undefined
  /** The rows of a view of the server's own, as SQL. */
  view(name: string): string | undefined
  kill(spid: number): void
  /** Runs a procedure of the test's, and writes its result sets. */
  call(call: Call, session: Session, reply: Reply, signal: AbortSignal): Promise<Called>
}

export interface Call {
  readonly procedure: string
  readonly parameters: readonly Parameter[]
}

interface Parameter extends Variable {
  /** Without the `@`; empty of one that is given by its place. */
  readonly name: string
  readonly output: boolean
}

export interface Called {
  readonly returned: number
  /** By name, in lower case, without the `@`. */
  readonly output: ReadonlyMap<string, Value>
}

interface Variable {
  readonly type: SqlType
  value: Value
}

/** By name, in lower case, with the `@`. */
export type Variables = Map<string, Variable>

export type Isolation = (typeof isolations)[number]

export const isolations = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
  'snapshot',
] as const

interface SessionSettings {
  readonly isolation: Isolation
  /** XACT_ABORT */
  readonly abortsOnError: boolean
  /** NOCOUNT */
  readonly countsOff: boolean
  /** Without end if it is negative. */
  readonly lockTimeoutMs: number
}

const defaults: SessionSettings = {
  isolation: 'read committed',
  abortsOnError: false,
  countsOff: false,
  lockTimeoutMs: -1,
}

interface Transaction {
  readonly descriptor: Buffer
  readonly name: string | undefined
  count: number
  /** SQLite has one as well: not before it is needed, so that reads see what others committed. */
  open: boolean
}

/** A batch that went no further: its error is written. */
export class Stopped extends Error {}

/** Attention was asked for. */
export class Attention extends Error {}

const none = Buffer.alloc(0)
let descriptors = 0n

/** What one connection may do: texts, variables, transactions, settings. */
export class Session {
  readonly spid: number
  readonly user: string
  /** What runs, for those who look: `SELECT`. */
  command: string | undefined
  waiting = false
  /** Where the rows of the bulk load that was announced go. */
  bulk: { readonly table: string; readonly columns: readonly string[] } | undefined
  sql = ''
  readonly #host: Host
  readonly #connection: Connection
  #transaction: Transaction | undefined
  #settings = defaults
  #rowCount = 0
  #error = 0
  #identity: bigint | null = null
  #scopeIdentity: bigint | null = null
  #database: string

  constructor(spid: number, user: string, host: Host, connection: Connection) {
    this.spid = spid
    this.user = user
    this.#host = host
    this.#connection = connection
    this.#database = host.database
  }

  get transactions(): number {
    return this.#transaction?.count ?? 0
  }

  /** A text: a batch, or what sp_executesql is given. Throws Stopped and Attention. */
  async run(sql: string, variables: Variables, reply: Reply, signal: AbortSignal): Promise<void> {
    this.#scopeIdentity = null
    this.sql = sql
    try {
      const run = new Run(this, sql, variables, reply, signal)
      const statements = await this.#guard(reply, () => run.compile())
      await this.#all(statements ?? [], run)
    } finally {
      this.command = undefined
    }
  }

  /** Whether it has syntax: what sp_prepare is about. Throws 102. */
  async prepare(sql: string, variables: Variables, reply: Reply, signal: AbortSignal) {
    await new Run(this, sql, variables, reply, signal).compile(true)
  }

  /** Writes what a step throws as SQL Server would, and stops the batch when it says so. */
  async #guard<T>(reply: Reply, step: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await step()
      this.#error = 0
      return result
    } catch (error) {
      if (!(error instanceof SqlServerError)) throw error
      await this.fail(error, reply)
      return undefined
    }
  }

  async fail(error: SqlServerError, reply: Reply): Promise<void> {
    this.#error = error.number
    this.#rowCount = 0
    reply.error(error)
    const compiling = error.class === 15
    const aborts = this.#settings.abortsOnError && !compiling && error.number !== 50_000
    if (error.ends === 'transaction' || aborts) await this.#undo(reply)
    reply.done({ failed: true })
    if (aborts || error.ends !== 'statement') throw new Stopped()
  }

  async #all(statements: readonly Statement[], run: Run): Promise<void> {
    for (const statement of statements) {
      if (run.signal.aborted) throw new Attention()
      if (run.returned) return
      await this.#guard(run.reply, () => this.#one(statement, run))
    }
  }

  async #one(statement: Statement, run: Run): Promise<void> {
    const { reply } = run
    this.command = statement.kind === 'query' ? statement.verb.toUpperCase() : statement.kind
    switch (statement.kind) {
      case 'query':
        await this.#query(rewrite(statement.verb, statement.nodes, run), statement.verb, run)
        return
      case 'declare':
        for (const { name, type, value } of statement.variables) {
          const given = value === undefined ? null : await this.#value(value, run)
          run.variables.set(name, { type, value: convert(given, type) })
        }
        return
      case 'assign':
        run.assign(statement.name, await this.#value(statement.value, run))
        return
      case 'option':
        this.#option(statement.words)
        reply.done()
        return
      case 'begin':
        await this.begin(statement.name, undefined, reply)
        reply.done()
        return
      case 'commit':
        await this.commit(reply)
        reply.done()
        return
      case 'rollback':
        await this.rollback(statement.name, reply, run.signal)
        reply.done()
        return
      case 'save':
        await this.save(statement.name!, run.signal)
        reply.done()
        return
      case 'if': {
        const test = `select case when ${rewriteValue(statement.condition, run).slice(7)} then 1 else 0 end`
        const [yes] = await this.#row(test, run)
        await this.#all(yes === 1n ? statement.yes : statement.no, run)
        return
      }
      case 'waitfor':
        await this.#wait(await this.#value([statement.delay], run), run.signal)
        reply.done()
        return
      case 'print':
        reply.info(String((await this.#value(statement.value, run)) ?? ''))
        return
      case 'throw':
      case 'raiserror':
        throw await this.#raised(statement.kind, statement.values, run)
      case 'exec':
        await this.#exec(statement, run)
        return
      case 'kill':
        this.#host.kill(statement.spid)
        reply.done()
        return
      case 'use':
        this.use(statement.database, reply)
        reply.done()
        return
      case 'return':
        run.returned = true
        return
      case 'bulk':
        await this.#row(bulkTarget(statement), run)
        this.bulk = { table: statement.table, columns: statement.columns }
        reply.done()
    }
  }

  use(database: string, reply: Reply): void {
    const known = [this.#host.database, 'master'].find(
      (name) => name.toLowerCase() === database.toLowerCase(),
    )
    if (known === undefined) throw errors.noSuchDatabase(database)
    reply.changedText(1, known, this.#database)
    this.#database = known
  }

  // Queries ----------------------------------------------------------------------------------------

  async #query(rewritten: Rewritten, verb: string, run: Run): Promise<void> {
    const { reply, signal } = run
    const { assigns } = rewritten
    const request: Request = {
      do: 'run',
      verb,
      sql: rewritten.sql,
      parameters: run.parameters(),
      items: rewritten.items,
      probe: rewritten.probe,
      columnTypes: this.#host.columnTypes(run.sql),
      table: rewritten.table,
      last: assigns.length > 0,
    }
    let answer: Answered
    try {
      answer = await this.#ask(request, rewritten.writes, signal, rewritten.table)
    } catch (error) {
      throw error instanceof SqlServerError ? asWritten(error, rewritten) : error
    }
    if (answer.identity !== undefined) {
      this.#identity = answer.identity
      this.#scopeIdentity = answer.identity
    }
    answer.values?.forEach((value, at) => {
      run.assign(assigns[at]!, value)
    })
    let count = answer.count ?? 0
    if (answer.columns !== undefined && assigns.length === 0) {
      reply.columns(answer.columns)
      try {
        for (;;) {
          await reply.rows(answer.rows!)
          if (answer.more !== true) break
          answer = await this.#ask({ do: 'next' }, false, signal)
          count += answer.count ?? 0
        }
      } catch (error) {
        await this.#connection.ask({ do: 'end' })
        throw signal.aborted ? new Attention() : error
      }
    }
    this.#rowCount = count
    const counted = (answer.columns ?? answer.count ?? answer.rows) !== undefined
    reply.done(counted && !this.#settings.countsOff ? { count } : {})
  }

  async #value(nodes: readonly Node[], run: Run): Promise<Value> {
    const [value] = await this.#row(rewriteValue(nodes, run), run)
    return value ?? null
  }

  async #row(sql: string, run: Run): Promise<readonly Value[]> {
    const parameters = run.parameters()
    const request: Request = { do: 'run', verb: 'select', sql: [sql], parameters, last: true }
    return (await this.#ask(request, false, run.signal)).values ?? []
  }

  /** Waits for other connections' locks, as long as LOCK_TIMEOUT lets it. */
  async #ask(
    request: Request,
    writes: boolean,
    signal?: AbortSignal,
    table = '',
  ): Promise<Answered> {
    await this.#ready(writes, signal)
    const started = performance.now()
    for (;;) {
      if (signal?.aborted === true) throw new Attention()
      const answer = await this.#connection.ask(request)
      if ('error' in answer) throw errors.revive(answer.error)
      if (!('busy' in answer)) {
        if (answer.interrupted === true) throw new Attention()
        return answer
      }
      if (answer.busy === 'stale') {
        const conflicts = this.#settings.isolation === 'snapshot'
        throw conflicts
          ? errors.updateConflict(table, this.#host.database)
          : errors.deadlock(this.spid)
      }
      const waited = performance.now() - started
      if (this.#settings.lockTimeoutMs >= 0 && waited >= this.#settings.lockTimeoutMs)
        throw errors.lockTimeout()
      await this.#sleep(5, signal)
    }
  }

  /** Begins SQLite's transaction at the first write, or at the first read of the strict levels. */
  async #ready(writes: boolean, signal?: AbortSignal): Promise<void> {
    if (writes && this.#host.readOnly) throw errors.readOnlyDatabase(this.#host.database)
    const transaction = this.#transaction
    if (transaction === undefined || transaction.open) return
    const repeatable = !this.#settings.isolation.startsWith('read ')
    if (!writes && !repeatable) return
    transaction.open = true
    try {
      const sql = repeatable ? 'begin' : 'begin immediate'
      await this.#ask({ do: 'execute', sql }, false, signal)
    } catch (error) {
      transaction.open = false
      throw error
    }
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    this.waiting = true
    try {
      await sleep(ms, undefined, signal === undefined ? {} : { signal })
    } catch {
      throw new Attention()
    } finally {
      this.waiting = false
    }
  }

  /** WAITFOR DELAY 'hh:mm:ss.fff' */
  async #wait(delay: Value, signal: AbortSignal): Promise<void> {
    const match = /^(?:.* )?(\d\d?):(\d\d)(?::(\d\d(?:\.\d+)?))?$/.exec(String(delay))
    if (match === null) throw errors.syntax(String(delay))
    const [, hours, minutes, seconds = '0'] = match
    await this.#sleep(
      ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000,
      signal,
    )
  }

  async #raised(kind: string, nodes: readonly Node[], run: Run): Promise<SqlServerError> {
    const values: Value[] = []
    for (const part of split(nodes)) values.push(await this.#value(part, run))
    if (kind === 'throw') {
      const [number, message, state] = values
      return new SqlServerError(Number(number), String(message), {
        state: Number(state),
        ends: 'batch',
      })
    }
    const [message, severity, state, ...parts] = values
    const text = String(message).replaceAll(/%[sdiu]/g, () => String(parts.shift() ?? ''))
    return new SqlServerError(50_000, text, { class: Number(severity), state: Number(state) })
  }

  async #exec(statement: Statement & { kind: 'exec' }, run: Run): Promise<void> {
    const { procedure, result, values } = statement
    const parameters: Parameter[] = []
    const targets = new Map<string, string>()
    for (const argument of values) {
      const variable = variableOf(argument)
      const target = variable === undefined ? undefined : run.variables.get(variable)
      const value = target?.value ?? (await this.#value([argument.value], run))
      const type = target?.type ?? typeOfValue(value)
      const name = argument.name ?? ''
      if (argument.output && variable !== undefined) targets.set(name.toLowerCase(), variable)
      parameters.push({ name, type, value, output: argument.output })
    }
    const called = await this.#host.call({ procedure, parameters }, this, run.reply, run.signal)
    for (const [name, value] of called.output) {
      const target = targets.get(name)
      if (target !== undefined) run.assign(target, value)
    }
    if (result !== undefined) run.assign(result, BigInt(called.returned))
  }

  // Transactions -----------------------------------------------------------------------------------

  async begin(
    name: string | undefined,
    isolation: Isolation | undefined,
    reply: Reply,
  ): Promise<void> {
    if (isolation !== undefined) this.#set({ isolation })
    if (this.#transaction !== undefined) {
      this.#transaction.count++
      return
    }
    const descriptor = Buffer.alloc(8)
    descriptor.writeBigUInt64LE(++descriptors)
    this.#transaction = { descriptor, name, count: 1, open: false }
    reply.changed(8, descriptor, none)
  }

  async commit(reply: Reply): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined) throw errors.noTransaction('COMMIT')
    if (--transaction.count > 0) return
    if (transaction.open) await this.#ask({ do: 'execute', sql: 'commit' }, false)
    this.#transaction = undefined
    reply.changed(9, none, transaction.descriptor)
  }

  async rollback(
    name: string | undefined,
    reply: Reply,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined) throw errors.noTransaction('ROLLBACK')
    if (name === undefined || name === '' || name === transaction.name) {
      await this.#undo(reply)
      return
    }
    const sql = `rollback to ${quoted(name)}`
    try {
      await this.#ask({ do: 'execute', sql }, false, signal)
    } catch (error) {
      throw error instanceof SqlServerError ? errors.noSavepoint(name) : error
    }
  }

  async save(name: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#transaction === undefined) throw errors.noTransactionToSave()
    const sql = `savepoint ${quoted(name)}`
    await this.#ask({ do: 'execute', sql }, true, signal)
  }

  /** After attention: as XACT_ABORT has it. */
  async interrupted(reply: Reply): Promise<void> {
    if (this.#settings.abortsOnError) await this.#undo(reply)
  }

  async #undo(reply: Reply): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined) return
    if (transaction.open) await this.#connection.ask({ do: 'execute', sql: 'rollback' })
    this.#transaction = undefined
    reply.changed(10, none, transaction.descriptor)
  }

  /** As a pool leaves a connection: nothing of what was before is left. */
  async reset(reply: Reply): Promise<void> {
    await this.#undo(reply)
    await this.#connection.ask({ do: 'reset' })
    this.#settings = defaults
    this.#identity = null
    reply.changed(18, none, none)
  }

  /** What is set within ends with it: of sp_executesql. */
  async scoped(run: () => Promise<void>): Promise<void> {
    const settings = this.#settings
    try {
      await run()
    } finally {
      this.#settings = settings
    }
  }

  #set(change: Partial<SessionSettings>): void {
    this.#settings = { ...this.#settings, ...change }
  }

  // Settings ---------------------------------------------------------------------------------------

  #option(words: readonly string[]): void {
    const [first, second] = words
    const on = second === 'on'
    if (first === 'xact_abort') this.#set({ abortsOnError: on })
    else if (first === 'nocount') this.#set({ countsOff: on })
    else if (first === 'lock_timeout') this.#set({ lockTimeoutMs: Number(words.slice(1).join('')) })
    else if (first === 'transaction') {
      const level = isolations.find((name) => name === words.slice(3).join(' '))
      if (level === undefined) throw errors.syntax(words.at(-1)!)
      this.#set({ isolation: level })
    }
  }

  /** `@@rowcount`, `scope_identity()`: what statements may ask of the session. */
  known(name: string): { value: Value; type: SqlType } | undefined {
    const int: SqlType = { name: 'int' }
    const numeric: SqlType = { name: 'numeric', precision: 38, scale: 0 }
    const smallint: SqlType = { name: 'smallint' }
    const text: SqlType = { name: 'nvarchar', length: 300 }
    switch (name) {
      case '@@rowcount':
        return { value: BigInt(this.#rowCount), type: int }
      case '@@error':
        return { value: BigInt(this.#error), type: int }
      case '@@trancount':
        return { value: BigInt(this.transactions), type: int }
      case 'xact_state()':
        return { value: this.#transaction === undefined ? 0n : 1n, type: smallint }
      case '@@spid':
        return { value: BigInt(this.spid), type: smallint }
      case '@@identity':
        return { value: this.#identity, type: numeric }
      case 'scope_identity()':
        return { value: this.#scopeIdentity, type: numeric }
      case '@@lock_timeout':
        return { value: BigInt(this.#settings.lockTimeoutMs), type: int }
      case '@@servername':
        return { value: 'dualport-tds', type: text }
      case '@@version':
        return { value: 'Microsoft SQL Server: a stand-in over SQLite, for tests', type: text }
      case 'db_name()':
        return { value: this.#database, type: text }
      default:
        return undefined
    }
  }

  view(name: string): string | undefined {
    return this.#host.view(name)
  }

  /** Throws 102. */
  async check(sql: readonly string[]): Promise<void> {
    await this.#ask({ do: 'check', sql }, false)
  }

  get hostDatabase(): string {
    return this.#host.database
  }

  /** Rows of a bulk load: all of them, or none. */
  async insert(
    table: string,
    columns: readonly string[],
    rows: readonly (readonly Value[])[],
    signal: AbortSignal,
  ): Promise<number> {
    const own = this.#transaction === undefined
    const sql = own ? 'begin immediate' : 'savepoint tds_bulk'
    await this.#ask({ do: 'execute', sql }, !own, signal)
    try {
      await this.#ask({ do: 'insert', table, columns, rows }, !own, signal)
    } catch (error) {
      for (const undo of own ? ['rollback'] : ['rollback to tds_bulk', 'release tds_bulk']) {
        await this.#connection.ask({ do: 'execute', sql: undo })
      }
      throw error
    }
    await this.#connection.ask({ do: 'execute', sql: own ? 'commit' : 'release tds_bulk' })
    return rows.length
  }
}

/** Fails as the rows would, were there no such table or column. */
function bulkTarget({ table, columns }: Statement & { kind: 'bulk' }): string {
  return `select ${columns.map(quoted).join(', ')} from ${quoted(table)} where 1 = 0`
}

function quoted(text: string): string {
  return name(text).text
}

function variableOf({ value }: Argument): string | undefined {
  return value.kind === 'variable' ? value.value : undefined
}

function typeOfValue(value: Value): SqlType {
  if (typeof value === 'bigint')
    return { name: BigInt.asIntN(32, value) === value ? 'int' : 'bigint' }
  if (typeof value === 'number') return { name: 'float' }
  return value instanceof Uint8Array
    ? { name: 'varbinary', length: -1 }
    : { name: 'nvarchar', length: -1 }
}

/** `dbo.orders`, as the statement had it; and a column of a table that is there, by itself. */
function asWritten(error: SqlServerError, { written, names }: Rewritten): SqlServerError {
  const name = /['"]([\s\S]*)['"]/.exec(error.message)?.[1] ?? ''
  if (error.number === 208) return errors.invalidObject(written.get(name.toLowerCase()) ?? name)
  if (error.number !== 4104) return error
  if (names.has(name.toLowerCase())) return errors.invalidColumn(name)
  const point = name.indexOf('.')
  const known = names.has(name.slice(0, point).toLowerCase())
  return known ? errors.invalidColumn(name.slice(point + 1)) : error
}
