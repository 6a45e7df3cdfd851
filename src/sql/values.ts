import { DriverFailure } from '../core/index.ts'
import type { Parameter, ParameterType } from './driver.ts'

const marker = Symbol.for('dualport.SqlParameter')

/** A value whose type was named: `sql.decimal('1.10')`. */
export class TypedParameter implements Parameter {
  readonly type: ParameterType
  readonly value: Parameter['value']

  constructor(type: ParameterType, value: Parameter['value']) {
    this.type = type
    this.value = value
    Object.defineProperty(this, marker, { value: true })
  }
}

/** What may stand in a statement as a value. */
export type SqlValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | TypedParameter

export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

const isInt32 = (value: number) => value === (value | 0) && !Object.is(value, -0)

/**
 * By its JavaScript type.
 * @throws DriverFailure of kind `invalid`
 */
export function parameterOf(value: unknown): Parameter {
  switch (typeof value) {
    case 'string':
      return { type: 'string', value: wellFormed(value) }
    case 'number':
      if (isInt32(value)) return { type: 'integer', value }
      if (Number.isSafeInteger(value) && value !== 0)
        return { type: 'bigint', value: BigInt(value) }
      if (Number.isFinite(value)) return { type: 'double', value }
      throw invalid('a number is not finite')
    case 'bigint':
      return { type: 'bigint', value: int64(value) }
    case 'boolean':
      return { type: 'boolean', value }
    case 'object':
      if (value === null) return { type: 'string', value }
      if (isTyped(value)) return value
      if (value instanceof Date) return { type: 'instant', value: instant(value) }
      if (value instanceof Uint8Array) return { type: 'binary', value }
      if (Array.isArray(value)) {
        throw invalid('an array is no value: sql.in makes a list of it, sql.json a document')
      }
      throw invalid('an object is no value: sql.json makes a document of it')
    case 'undefined':
      throw invalid('a value is undefined: write null for none')
    default:
      throw invalid(`a ${typeof value} is no value`)
  }
}

function isTyped(value: object): value is TypedParameter {
  return (value as Record<symbol, unknown>)[marker] === true
}

function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw invalid('a text has half of a surrogate pair')
  return text
}

function int64(value: bigint): bigint {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) throw invalid('a bigint is beyond 64 bits')
  return value
}

function instant(value: Date): Date {
  const year = value.getUTCFullYear()
  if (!(year >= 1 && year <= 9999))
    throw invalid('a Date is not valid, or not of the years 1 to 9999')
  return value
}

// By name ----------------------------------------------------------------------------------------

const day = /^(\d{4})-(\d\d)-(\d\d)$/
const clock = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,7})?$/
/** MySQL's are durations as well: up to 838 hours, with a sign. */
const time = /^-?(\d{2}|[1-7]\d\d|8[0-2]\d|83[0-8]):[0-5]\d:[0-5]\d(\.\d{1,7})?$/
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i
const digits = /^[+-]?(\d+(\.\d*)?|\.\d+)$/

function isDay(text: string): boolean {
  const [, year, month, date] = day.exec(text) ?? []
  if (year === undefined || year === '0000') return false
  const parsed = new Date(`${text}T00:00:00Z`)
  return parsed.getUTCMonth() + 1 === Number(month) && parsed.getUTCDate() === Number(date)
}

function text(
  type: ParameterType,
  isValid: (text: string) => boolean,
  wanted: string,
): (value: string | null) => TypedParameter {
  return (value) => {
    if (value !== null && !(typeof value === 'string' && isValid(value))) {
      throw invalid(`a ${type} is not ${wanted}`)
    }
    return new TypedParameter(type, value)
  }
}

function nullOr<T>(check: (value: T) => Parameter): (value: T | null) => TypedParameter {
  return (value) => {
    const { type, value: checked } = check(value as T)
    return new TypedParameter(type, value === null ? null : checked)
  }
}

/** What is given a type in a statement. Each also takes `null`. All throw InfraError `SQL_INVALID` for what is none. */
export const typed = {
  boolean: nullOr((value: boolean): Parameter => {
    if (value !== null && typeof value !== 'boolean') throw invalid('a boolean is none')
    return { type: 'boolean', value }
  }),
  /** 32 bits. */
  integer: nullOr((value: number): Parameter => {
    if (value !== null && !isInt32(value))
      throw invalid('an integer is not a whole number of 32 bits')
    return { type: 'integer', value }
  }),
  /** 64 bits, signed or not. */
  bigint: nullOr((value: bigint | number): Parameter => {
    if (value === null || typeof value === 'bigint') {
      return { type: 'bigint', value: value === null ? null : int64(value) }
    }
    if (!Number.isSafeInteger(value)) throw invalid('a bigint is not a whole number below 2^53')
    return { type: 'bigint', value: BigInt(value) }
  }),
  double: nullOr((value: number): Parameter => {
    if (value !== null && !Number.isFinite(value)) throw invalid('a double is not a finite number')
    return { type: 'double', value }
  }),
  /** `'-1.10'`, exact. Up to 65 digits (MySQL) or 38 (SQL Server). */
  decimal: text(
    'decimal',
    (value) => value.length <= 80 && digits.test(value),
    'digits such as -1.10',
  ),
  string: nullOr((value: string): Parameter => {
    if (value !== null && typeof value !== 'string') throw invalid('a string is none')
    return { type: 'string', value: value === null ? null : wellFormed(value) }
  }),
  /** `'2026-11-28'`, of the years 1 to 9999. */
  date: text('date', isDay, 'a day such as 2026-11-28'),
  /** `'12:00:00.5'`. */
  time: text('time', (value) => time.test(value), 'a time such as 12:00:00.5'),
  /** `'2026-11-28T12:00:00.5'`, of no time zone. */
  datetime: text(
    'datetime',
    (value) =>
      isDay(value.slice(0, 10)) && /[T ]/.test(value[10] ?? '') && clock.test(value.slice(11)),
    'a day and a time such as 2026-11-28T12:00:00.5',
  ),
  instant: nullOr((value: Date): Parameter => {
    if (value !== null && !(value instanceof Date)) throw invalid('an instant is not a Date')
    return { type: 'instant', value: value === null ? null : instant(value) }
  }),
  binary: nullOr((value: Uint8Array): Parameter => {
    if (value !== null && !(value instanceof Uint8Array))
      throw invalid('a binary is not a Uint8Array')
    return { type: 'binary', value }
  }),
  uuid(value: string | null): TypedParameter {
    if (value !== null && !(typeof value === 'string' && uuid.test(value))) {
      throw invalid('a uuid is not a UUID such as 0f8fad5b-d9cb-469f-a165-70867728950e')
    }
    return new TypedParameter('uuid', value?.toLowerCase() ?? null)
  },
  /** What JSON has, as a document. `null` is SQL's NULL. */
  json(value: unknown): TypedParameter {
    let written: string | undefined
    try {
      written = value === null ? undefined : JSON.stringify(value)
    } catch {
      throw invalid('a document has a cycle or a bigint')
    }
    if (written === undefined && value !== null) throw invalid('a document is not what JSON has')
    return new TypedParameter('json', written ?? null)
  },
} as const
