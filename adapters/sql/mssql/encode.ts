import { DriverFailure } from '../../../src/core/index.ts'

/*
 * Values as TDS has them in parameters and in rows, each behind its length.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/cbe9c510-eae6-4b1f-9893-a098944d430a
 */

export const nullByte = Buffer.from([0])

/** Digits and where the point stands: -1.10 is -110 and 2. */
export interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

/** The most that SQL Server has. */
const maxPrecision = 38

/** @throws DriverFailure of kind `invalid` for more digits than there can be */
export function parseDecimal(text: string): Decimal {
  const [, sign = '', whole = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(text) ?? []
  const digits = BigInt(`${whole}${fraction}`)
  const decimal = { digits: sign === '-' ? -digits : digits, scale: fraction.length }
  if (precisionOf(decimal) > maxPrecision) throw unfit('a decimal has more than 38 digits')
  return decimal
}

export function precisionOf({ digits, scale }: Decimal): number {
  return Math.max(String(digits < 0n ? -digits : digits).length, scale, 1)
}

/** Half away from zero, as the server rounds. @throws DriverFailure of kind `invalid` for more digits than fit */
export function rescaled({ digits, scale }: Decimal, precision: number, to: number): bigint {
  let result = digits
  if (to >= scale) result *= 10n ** BigInt(to - scale)
  else {
    const step = 10n ** BigInt(scale - to)
    result = (digits + (digits < 0n ? -step : step) / 2n) / step
  }
  if (result >= 10n ** BigInt(precision) || -result >= 10n ** BigInt(precision)) throw unfit()
  return result
}

/** Of the magnitude alone. */
export function decimalBytes(precision: number): number {
  return precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16
}

export function encodeDecimal(digits: bigint, precision: number): Buffer {
  const length = decimalBytes(precision)
  const bytes = Buffer.alloc(length + 2)
  bytes[0] = length + 1
  bytes[1] = digits < 0n ? 0 : 1
  let rest = digits < 0n ? -digits : digits
  for (let at = 2; rest > 0n; at += 4) {
    bytes.writeUInt32LE(Number(rest & 0xffff_ffffn), at)
    rest >>= 32n
  }
  return bytes
}

const dayMs = 86_400_000
/** Days from 0001-01-01 to 1970-01-01. */
const epoch = 719_162

function days(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / dayMs + epoch
}

/** In 100 ns: `12:00:00.5`. */
function ticks(time: string): number {
  const fraction = time.slice(9).padEnd(7, '0')
  const [hours, minutes, seconds] = [time.slice(0, 2), time.slice(3, 5), time.slice(6, 8)]
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1e7 + Number(fraction)
}

export function encodeDate(day: string): Buffer {
  const bytes = Buffer.alloc(4)
  bytes[0] = 3
  bytes.writeUIntLE(days(day), 1, 3)
  return bytes
}

/** Of scale 7, as those below. */
export function encodeTime(time: string): Buffer {
  const bytes = Buffer.alloc(6)
  bytes[0] = 5
  bytes.writeUIntLE(ticks(time), 1, 5)
  return bytes
}

export function encodeDateTime(day: string, time: string): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = 8
  bytes.writeUIntLE(ticks(time), 1, 5)
  bytes.writeUIntLE(days(day), 6, 3)
  return bytes
}

/** In UTC. */
export function encodeDateTimeOffset(day: string, time: string): Buffer {
  const bytes = Buffer.alloc(11)
  encodeDateTime(day, time).copy(bytes)
  bytes[0] = 10
  return bytes
}

/** The day and the time of day in UTC. */
export function partsOf(instant: Date): readonly [day: string, time: string] {
  const text = instant.toISOString()
  return [text.slice(0, 10), text.slice(11, 23)]
}

/** `a value does not fit its column or type`, unless there is more to say. */
export function unfit(detail = 'a value does not fit its column or type'): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}
