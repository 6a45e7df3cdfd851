import { fromBase64 } from '../../../src/core/base64.ts'
import { statusFailure } from '../../../src/core/http.ts'
import { DriverFailure } from '../../../src/core/index.ts'
import { readValue, ValueError } from '../../../src/core/values.ts'
import { errorHeader, kindOf, parseFailures } from '../../../src/core/wire.ts'
import type { CqlColumn, CqlReply, CqlValue, Hosts } from '../../../src/scylladb/index.ts'

type Fields = Readonly<Record<string, unknown>>

/** @throws DriverFailure for what is none */
export function objectOf(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw foreign()
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw foreign()
  return value as Fields
}

/** @throws DriverFailure for what is none */
export function replyOf({ columns, rows, pagingState, warnings }: Fields): CqlReply {
  if (!isArrayOf(columns, isColumn) || !isArrayOf(warnings, isText)) throw foreign()
  if (!isArrayOf(rows, (row) => Array.isArray(row) && row.length === columns.length)) {
    throw foreign()
  }
  const state = pagingState === undefined ? undefined : fromBase64(pagingState)
  if (pagingState !== undefined && state === undefined) throw foreign()
  try {
    return {
      columns,
      rows: rows.map((row) => readValue(row) as CqlValue[]),
      pagingState: state,
      warnings,
    }
  } catch (error) {
    throw error instanceof ValueError ? foreign() : error
  }
}

/** @throws DriverFailure for what is none */
export function hostsOf({ up, total }: Fields): Hosts {
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value)
  if (isCount(up) && isCount(total) && up >= 0 && up <= total) return { up, total }
  throw foreign()
}

function isArrayOf<T>(value: unknown, isOne: (item: unknown) => item is T): value is T[]
function isArrayOf(value: unknown, isOne: (item: unknown) => boolean): value is unknown[]
function isArrayOf(value: unknown, isOne: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isColumn(value: unknown): value is CqlColumn {
  const { name, type } = (value ?? {}) as Fields
  return isText(name) && isText(type)
}

/** Of a line of a log. */
const printable = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,500}$/u

/** What a status other than 2xx means. The gateway has put the engine's error into the words of all adapters. */
export function failureOf(response: Response, text: string): DriverFailure {
  const whole = parseFailures(response.headers.get(errorHeader))?.whole
  // A proxy's page, or another server's.
  if (whole === undefined) return new DriverFailure(statusFailure(response))
  const { detail, retryable } = errorOf(text)
  const { code, outcome, retryAfterMs } = whole
  return new DriverFailure({
    kind: kindOf(code) ?? 'internal',
    outcome,
    retryAfterMs,
    ...(typeof retryable === 'boolean' && { retryable }),
    ...(typeof detail === 'string' && printable.test(detail) && { detail }),
  })
}

function errorOf(text: string): Fields {
  try {
    return JSON.parse(text).error ?? {}
  } catch {
    // Cut, or changed on its way: the header has to do.
    return {}
  }
}

function foreign(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}
