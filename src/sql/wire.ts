import { DriverFailure } from '../core/index.ts'
import { readValue, ValueError, writeValue } from '../core/values.ts'
import type { CallReply, Page, Parameter, Reply, Statement } from './driver.ts'
import { invalid, parameterOf, type SqlValue, TypedParameter, typed } from './values.ts'

// What statements and replies look like in the JSON between the gateway and its adapter. Values are those of
// `core/values.ts`.

type Rows = Pick<Page, 'columns' | 'types' | 'rows'>

export function writeStatement({ text, parameters }: Statement): object {
  return { text, parameters: parameters.map(writeParameter) }
}

/** As a value by itself, or as `{"type":"decimal","value":"1.10"}` where its type says more. */
export function writeParameter({ type, value }: Parameter): unknown {
  const plain = parameterOf(value).type === type
  return plain ? writeValue(value) : writeTyped({ type, value })
}

export function writeTyped({ type, value }: Parameter): object {
  return { type, value: writeValue(value) }
}

/**
 * As somebody would give it to the client, which checks it.
 * @throws DriverFailure of kind `invalid`
 */
export function readParameter(json: unknown): SqlValue {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, 'type')) {
    return given(json) as SqlValue
  }
  return readTyped(json)
}

/** @throws DriverFailure of kind `invalid` */
export function readTyped(json: object): TypedParameter {
  const { type, value } = json as { type?: unknown; value?: unknown }
  if (typeof type !== 'string' || !Object.hasOwn(typed, type))
    throw invalid('there is no such type')
  const content = given(value)
  if (type === 'json') return document(content)
  return (typed[type as keyof typeof typed] as (value: unknown) => TypedParameter)(content)
}

/** Its text, as the client wrote it. */
function document(text: unknown): TypedParameter {
  if (text === null) return typed.json(null)
  try {
    JSON.parse(String(text))
  } catch {
    throw invalid('a document is not JSON')
  }
  return new TypedParameter('json', typed.string(text as string).value)
}

function given(json: unknown): unknown {
  try {
    return readValue(json)
  } catch (error) {
    throw error instanceof ValueError ? invalid(error.message) : error
  }
}

// Replies ----------------------------------------------------------------------------------------

export function writeRows({ columns, types, rows }: Rows): object {
  return { columns, ...(types !== undefined && { types }), rows: writeValue(rows) }
}

export function writeReply(reply: Reply): object {
  const { rowsAffected, insertId } = reply
  return { ...writeRows(reply), rowsAffected, insertId: writeValue(insertId) }
}

export function writeCallReply({ sets, output, returnValue }: CallReply): object {
  return { sets: sets.map(writeRows), output: writeValue(output), returnValue }
}

type Fields = Readonly<Record<string, unknown>>

/** What is not of the protocol, whoever sent it, is of kind `internal`. All of these throw DriverFailure for it. */
export function readRows(json: unknown): Rows {
  const { columns, types, rows } = fieldsOf(json)
  const read = valueOfReply(rows)
  if (!isTexts(columns) || !(types === undefined || isTexts(types)) || !Array.isArray(read)) {
    throw notOfProtocol()
  }
  const isRow = (row: unknown) => Array.isArray(row) && row.length === columns.length
  if (!read.every(isRow)) throw notOfProtocol()
  return { columns, ...(types !== undefined && { types }), rows: read }
}

export function readReply(json: unknown): Reply {
  const fields = fieldsOf(json)
  const insertId = valueOfReply(fields.insertId)
  if (insertId !== null && typeof insertId !== 'bigint') throw notOfProtocol()
  return { ...readRows(fields), rowsAffected: readCount(fields.rowsAffected), insertId }
}

export function readCallReply(json: unknown): CallReply {
  const { sets, output, returnValue } = fieldsOf(json)
  if (!Array.isArray(sets)) throw notOfProtocol()
  return {
    sets: sets.map(readRows),
    output: fieldsOf(valueOfReply(output)),
    returnValue: returnValue === null ? null : readNumber(returnValue),
  }
}

/** @throws DriverFailure */
export function readCount(json: unknown): number {
  const count = readNumber(json)
  if (count < 0) throw notOfProtocol()
  return count
}

function readNumber(json: unknown): number {
  if (!Number.isSafeInteger(json)) throw notOfProtocol()
  return json as number
}

export function fieldsOf(json: unknown): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw notOfProtocol()
  return json as Fields
}

function isTexts(json: unknown): json is string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string')
}

function valueOfReply(json: unknown): unknown {
  try {
    return readValue(json)
  } catch (error) {
    throw error instanceof ValueError ? notOfProtocol() : error
  }
}

export function notOfProtocol(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}
