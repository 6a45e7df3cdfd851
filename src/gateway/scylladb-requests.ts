import { readValue, ValueError } from '../core/values.ts'
import type { BatchOptions, CqlStatement, CqlValue } from '../scylladb/index.ts'
import { type Call, type Limits, Refusal } from './face.ts'
import { array, type Body, object, string } from './json.ts'

const settings = ['consistency', 'serialConsistency', 'timestamp', 'idempotent']

/** What the body of a request may have, by its path. */
export const fields = {
  execute: ['keyspace', 'cql', 'parameters', 'pageSize', 'pagingState', ...settings],
  batch: ['keyspace', 'type', 'statements', ...settings],
  ping: ['keyspace'],
  hosts: ['keyspace'],
} as const

/** Characters. Values are bound, so that a text is short; to read a long one takes all the time and memory that there is. */
const maxText = 100_000

/** All of these throw Refusal for what is not of the protocol. What is, the client checks again. */
export function statementOf({ cql, parameters = [] }: Body): CqlStatement {
  const values = array(parameters, 'parameters')
  const text = string(cql, 'cql')
  if (text.length > maxText) {
    throw new Refusal('invalid', `cql is longer than ${maxText} characters`, 413)
  }
  try {
    return { cql: text, parameters: readValue(values) as CqlValue[] }
  } catch (error) {
    throw error instanceof ValueError ? new Refusal('invalid', error.message) : error
  }
}

export function statementsOf({ statements }: Body, { limits }: Call): CqlStatement[] {
  const given = array(statements, 'statements')
  if (given.length === 0) throw new Refusal('invalid', 'there are no statements')
  if (given.length > limits.commands) {
    throw new Refusal('invalid', `there are more than ${limits.commands} statements`, 413)
  }
  return given.map((each) => {
    const { cql, parameters, ...more } = object(each, 'a statement')
    if (Object.keys(more).length === 0) return statementOf({ cql, parameters })
    throw new Refusal('invalid', 'a statement has a field beside cql, parameters')
  })
}

/** Levels are what somebody else has checked. */
export function settingsOf(body: Body): BatchOptions {
  const { timestamp, idempotent } = body
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw new Refusal('invalid', 'idempotent is not a boolean')
  }
  return {
    consistency: body.consistency as BatchOptions['consistency'],
    serialConsistency: body.serialConsistency as BatchOptions['serialConsistency'],
    timestamp: timestamp === undefined ? undefined : microseconds(timestamp),
    idempotent,
  }
}

function microseconds(timestamp: unknown): bigint {
  const text = string(timestamp, 'timestamp')
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text)
  throw new Refusal('invalid', 'timestamp is not a text of digits')
}

/** As the client has it. */
const standardPageSize = 5000

/** Rows of a page, at most those that the gateway gives at a time. */
export function pageSizeOf({ pageSize = standardPageSize }: Body, { rows }: Limits): number {
  if (Number.isSafeInteger(pageSize) && (pageSize as number) > 0) {
    return Math.min(pageSize as number, rows, 100_000)
  }
  throw new Refusal('invalid', 'pageSize is not a whole number from 1')
}

export function typeOf({ type }: Body): BatchOptions['type'] {
  if (type === undefined || type === 'logged' || type === 'unlogged' || type === 'counter') {
    return type
  }
  throw new Refusal('invalid', 'type is none of logged, unlogged, counter')
}
