import { DriverFailure } from '../core/index.ts'
import type { Isolation, RawStatement, Sql, SqlValue, Transaction } from '../sql/index.ts'
import { OutputParameter } from '../sql/queries.ts'
import { readParameter, readTyped } from '../sql/wire.ts'
import { type Call, Refusal } from './face.ts'
import { array, type Body, object, string } from './json.ts'

/** All of these throw Refusal for what is not of the protocol, or what the client would not take. */
export function statementOf(sql: Sql, { text, parameters = [] }: Body): RawStatement {
  const values = array(parameters, 'parameters')
  return refusing(() => sql.raw(string(text, 'text'), values.map(readParameter)))
}

/** Whether it can only read, by what the client makes of it. */
export function readsOnly(sql: Sql, statement: RawStatement): boolean {
  return refusing(() => sql.prepare(statement).reading.reads)
}

export function statementsOf(sql: Sql, { statements }: Body, { limits }: Call): RawStatement[] {
  const given = array(statements, 'statements')
  if (given.length > limits.commands) {
    throw new Refusal('invalid', `there are more than ${limits.commands} statements`, 413)
  }
  return given.map((each) => statementOf(sql, object(each, 'a statement')))
}

export function isolationOf(sql: Sql, { isolation }: Body): Isolation | undefined {
  if (isolation === undefined) return undefined
  const found = sql.capabilities.isolation.find((each) => each === isolation)
  if (found !== undefined) return found
  throw new Refusal('unsupported', `isolation is none of ${sql.capabilities.isolation.join(', ')}`)
}

export function pageRowsOf({ pageRows }: Body, { limits }: Call): number {
  if (!Number.isSafeInteger(pageRows) || (pageRows as number) < 1) {
    throw new Refusal('invalid', 'pageRows is not a whole number from 1')
  }
  return Math.min(pageRows as number, limits.rows, maxPageRows)
}

/** As the client has it. */
export const maxPageRows = 100_000

type Arguments = Record<string, SqlValue | OutputParameter>

export function procedureOf(sql: Sql, { name, parameters }: Body) {
  const given = array(parameters, 'parameters').map((each): [string, Arguments[string]] => {
    const { name, output, ...json } = object(each, 'a parameter')
    const parameter = refusing(() => readTyped(json))
    return [string(name, 'a name'), output === true ? new OutputParameter(parameter) : parameter]
  })
  const byName = sql.dialect === 'sqlserver'
  return {
    name: names(name, 'name'),
    parameters: byName ? Object.fromEntries(given) : given.map(([, parameter]) => parameter),
  }
}

export function insertionOf({ table, columns, rows }: Body, { limits }: Call) {
  const fields = names(columns, 'columns')
  const given = array(rows, 'rows')
  if (given.length > limits.writes) {
    throw new Refusal('invalid', `there are more than ${limits.writes} rows`, 413)
  }
  return {
    table: names(table, 'table'),
    columns: fields,
    rows: given.map((row) => {
      const values = array(row, 'a row')
      if (values.length !== fields.length) {
        throw new Refusal('invalid', 'a row has not as many values as there are columns')
      }
      const read = refusing(() => values.map(readParameter))
      return Object.fromEntries(fields.map((column, i) => [column, read[i] as SqlValue]))
    }),
  }
}

type Action = Parameters<Transaction['savepoint']>[0]

const actions: readonly Action[] = ['savepoint', 'rollbackTo', 'release']

export function savepointOf({ action, name }: Body): { action: Action; name: string } {
  const found = actions.find((each) => each === action)
  if (found === undefined) throw new Refusal('invalid', `action is none of ${actions.join(', ')}`)
  // Both databases take these, and SQL Server none that is longer.
  if (typeof name === 'string' && /^[A-Za-z_]\w{0,31}$/.test(name)) {
    return { action: found, name }
  }
  throw new Refusal('invalid', 'name is not 1 to 32 letters, digits and underscores')
}

function names(value: unknown, name: string): string[] {
  return array(value, name).map((part) => string(part, `a part of ${name}`))
}

/** What the client's own checks throw, as a refusal. */
function refusing<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof DriverFailure)) throw error
    const { kind, detail } = error.failure
    throw new Refusal(kind, detail ?? kind)
  }
}
