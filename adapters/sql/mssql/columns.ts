import { DriverFailure } from '../../../src/core/index.ts'
import { Variant } from './exact.ts'

/** What tedious says of a column, or of a parameter that is given back. */
export interface Metadata {
  readonly type: { readonly name: string }
  readonly userType?: number
  readonly flags?: number
  readonly dataLength?: number | undefined
  readonly precision?: number | undefined
  readonly scale?: number | undefined
  readonly udtInfo?: { readonly typeName?: string } | undefined
}

export interface ColumnMetadata extends Metadata {
  readonly colName: string
}

type Read = (value: unknown) => unknown

/** How the rows of a result are read. */
export class Columns {
  readonly names: readonly string[]
  readonly types: readonly string[]
  readonly #readers: readonly Read[]

  constructor(metadata: readonly ColumnMetadata[]) {
    this.names = metadata.map(({ colName }) => colName)
    this.types = metadata.map(typeName)
    this.#readers = metadata.map(readerOf)
  }

  /** @throws DriverFailure of kind `unsupported` for a value that could not be read exactly */
  row(columns: readonly { readonly value: unknown }[]): unknown[] {
    const readers = this.#readers
    const row = new Array<unknown>(readers.length)
    for (let i = 0; i < readers.length; i++) {
      const value = columns[i]?.value
      row[i] = value === null ? null : (readers[i] as Read)(value)
    }
    return row
  }
}

/** For a parameter that is given back. */
export function readValue(metadata: Metadata, value: unknown): unknown {
  return value === null || value === undefined ? null : readerOf(metadata)(value)
}

// Types ------------------------------------------------------------------------------------------

const bySize: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  IntN: { 1: 'TinyInt', 2: 'SmallInt', 4: 'Int', 8: 'BigInt' },
  FloatN: { 4: 'Real', 8: 'Float' },
  MoneyN: { 4: 'SmallMoney', 8: 'Money' },
  DateTimeN: { 4: 'SmallDateTime', 8: 'DateTime' },
}
const renamed: Readonly<Record<string, string>> = {
  BitN: 'Bit',
  DecimalN: 'Decimal',
  NumericN: 'Numeric',
  Variant: 'sql_variant',
}
/** https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-types-transact-sql */
const rowversion = 80

/** `INT`, `DATETIME2`: in the words of T-SQL. */
export function typeName({ type, dataLength, udtInfo, userType }: Metadata): string {
  if (type.name === 'UDT') return (udtInfo?.typeName ?? 'udt').toUpperCase()
  if (type.name === 'Binary' && userType === rowversion) return 'ROWVERSION'
  const name = bySize[type.name]?.[dataLength ?? 0] ?? renamed[type.name] ?? type.name
  return name.toUpperCase()
}

// Values -----------------------------------------------------------------------------------------

function readerOf({ type: { name }, dataLength, scale }: Metadata): Read {
  if (name === 'IntN') return dataLength === 8 ? bigint : same
  if (name === 'DecimalN' || name === 'NumericN') return decimalOf(scale ?? 0)
  return readers[name] ?? same
}

const same: Read = (value) => value
const bigint: Read = (value) => BigInt(value as string)
/** A copy, for the value is a piece of the packet it came in. */
const binary: Read = (value) => new Uint8Array(value as Uint8Array)
const datetime: Read = (value) => momentText(value as Moment)
const decimalOf =
  (scale: number): Read =>
  (value) =>
    typeof value === 'number' ? rounded(value, scale) : value

const readers: Readonly<Record<string, Read>> = {
  BigInt: bigint,
  MoneyN: decimalOf(4),
  Money: decimalOf(4),
  SmallMoney: decimalOf(4),
  Date: (value) => momentText(value as Moment).slice(0, 10),
  Time: (value) => momentText(value as Moment).slice(11),
  DateTime2: datetime,
  DateTimeN: datetime,
  DateTime: datetime,
  SmallDateTime: datetime,
  DateTimeOffset: (value) => new Date(value as Date),
  Binary: binary,
  VarBinary: binary,
  Image: binary,
  UDT: binary,
  Variant(value) {
    if (value instanceof Variant) {
      return value.value instanceof Uint8Array
        ? binary(value.value)
        : (readers[value.type] ?? same)(value.value)
    }
    if (typeof value === 'boolean') return value
    throw inexact('the type of a sql_variant')
  },
}

/** A moment as tedious has it: without a time zone, as if it were in UTC, with what is below the millisecond beside it. */
interface Moment extends Date {
  /** Of a second. */
  readonly nanosecondsDelta?: number
}

/** `2026-11-28T12:00:00.5` */
function momentText(moment: Moment): string {
  const text = moment.toISOString()
  // Years have four digits, but before 0 and after 9999, which no type has.
  const beyond = Math.round((moment.nanosecondsDelta ?? 0) * 1e7)
  if (beyond === 0 && text.endsWith('.000Z')) return text.slice(0, -5)
  const fraction = `${text.slice(20, 23)}${String(beyond).padStart(4, '0')}`.replace(/0+$/, '')
  return `${text.slice(0, 20)}${fraction}`
}

/** Only where tedious could not be told to leave them as they are. */
function rounded(value: number, scale: number): string {
  if (Math.abs(value) * 10 ** scale >= 1e15) throw inexact('a decimal of more than 15 digits')
  return value.toFixed(scale)
}

function inexact(what: string): DriverFailure {
  const detail = `${what} is lost in this version of tedious`
  return new DriverFailure({ kind: 'unsupported', detail })
}
