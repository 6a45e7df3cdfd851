import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { DriverFailure } from '../../../src/core/index.ts'
import type { Parameter } from '../../../src/sql/index.ts'

/*
 * SQLite has five types, and a column any that it is given; what a column is declared as says how it is read.
 * https://www.sqlite.org/datatype3.html
 */

/** More digits a REAL does not keep. */
const exactDigits = 15
const int64 = 2n ** 63n

/** What SQLite is given for a value. @throws DriverFailure of kind `invalid` for integers that it does not have */
export function bound({ type, value }: Parameter): SQLInputValue {
  switch (typeof value) {
    case 'boolean':
      return value ? 1n : 0n
    case 'number':
      // A number would become a REAL.
      return type === 'integer' ? BigInt(value) : value
    case 'bigint':
      if (value < int64) return value
      throw new DriverFailure({
        kind: 'invalid',
        outcome: 'not-applied',
        detail: 'SQLite has no integers of 2^63 and more',
      })
    case 'string':
      return text(type, value)
    default:
      return value instanceof Date ? stamp(value) : value
  }
}

function text(type: Parameter['type'], value: string): SQLInputValue {
  // As SQLite's own functions write it, so that it compares with what they give.
  if (type === 'datetime') return trimmed(value.replace('T', ' '))
  if (type === 'time') return trimmed(value)
  if (type !== 'decimal') return value
  const digits = plainDigits(value)
  // Bytes are kept as they are, even in a column of numbers.
  return digits.replace(/\D/g, '').replace(/^0+/, '').length > exactDigits
    ? new TextEncoder().encode(digits)
    : digits
}

/** `2026-11-28 12:00:00.000`, which is UTC. */
function stamp(date: Date): string {
  return date.toISOString().slice(0, -1).replace('T', ' ')
}

/** Without the plus, the zeros in front and a bare point. */
function plainDigits(value: string): string {
  const [, sign, whole = '', fraction = ''] = /^[+]?(-?)0*(\d*)\.?(\d*)$/.exec(value) ?? []
  return `${sign ?? ''}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`
}

function trimmed(time: string): string {
  return time.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}

export type Decode = (value: Exclude<SQLOutputValue, null>) => unknown

/** How a column is read that is declared so. */
export function decoderOf(declared: string | null): Decode {
  const [, word = '', scale] =
    /^\s*([a-z]\w*)[^(]*(?:\([^,)]*(?:,\s*(\d+))?)?/i.exec(declared ?? '') ?? []
  const name = word.toLowerCase()
  if (name === 'decimal' || name === 'numeric' || name === 'dec') {
    return (value) => decimal(value, scale === undefined ? undefined : Number(scale))
  }
  return decoders[name] ?? plain
}

const decoders: Readonly<Record<string, Decode>> = {
  bigint: (value) => (typeof value === 'number' ? whole(value) : value),
  money: (value) => decimal(value, 4),
  smallmoney: (value) => decimal(value, 4),
  bit: boolean,
  bool: boolean,
  boolean,
  double: real,
  float: real,
  real,
  date: plain,
  time: (value) => (typeof value === 'string' ? trimmed(value) : plain(value)),
  datetime,
  datetime2: datetime,
  smalldatetime: datetime,
  timestamp: instant,
  datetimeoffset: instant,
  uuid: lower,
  uniqueidentifier: lower,
  json,
}

/** Of an expression, too: a number where it is exact. */
function plain(value: Exclude<SQLOutputValue, null>): unknown {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function whole(value: number): unknown {
  return Number.isSafeInteger(value) ? BigInt(value) : value
}

function boolean(value: Exclude<SQLOutputValue, null>): unknown {
  return typeof value === 'bigint' ? value !== 0n : plain(value)
}

function real(value: Exclude<SQLOutputValue, null>): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

function lower(value: Exclude<SQLOutputValue, null>): unknown {
  return typeof value === 'string' ? value.toLowerCase() : plain(value)
}

function datetime(value: Exclude<SQLOutputValue, null>): unknown {
  return typeof value === 'string' ? trimmed(value.replace(' ', 'T')) : plain(value)
}

const zone = /(Z|[+-]\d\d:\d\d)$/i

function instant(value: Exclude<SQLOutputValue, null>): unknown {
  if (typeof value !== 'string') return plain(value)
  const text = value.replace(' ', 'T')
  const date = new Date(zone.test(text) ? text : `${text}Z`)
  return Number.isNaN(date.getTime()) ? value : date
}

function json(value: Exclude<SQLOutputValue, null>): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function decimal(value: Exclude<SQLOutputValue, null>, scale: number | undefined): unknown {
  if (typeof value === 'number') {
    // What has an exponent is beyond what a decimal is for, and comes as it is.
    return scale === undefined ? String(value) : value.toFixed(Math.min(scale, 100))
  }
  const digits = value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value)
  if (scale === undefined || scale === 0) return digits
  const [whole, fraction = ''] = digits.split('.')
  return `${whole}.${fraction.padEnd(scale, '0')}`
}
