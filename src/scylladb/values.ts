import { DriverFailure } from '../core/index.ts'

export function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

/** As deep as the codec that carries values over HTTP goes. */
const maxDepth = 100

/**
 * What can be said of a parameter without its type.
 * @throws DriverFailure of kind `invalid`
 */
export function checkValue(value: unknown, depth = 0): void {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw invalid('a text has half of a surrogate pair')
      return
    case 'object':
      if (value !== null) checkObject(value, depth)
      return
    case 'function':
    case 'symbol':
      throw invalid(`a ${typeof value} is no value`)
  }
}

function checkObject(value: object, depth: number): void {
  if (value instanceof Uint8Array) return
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid('a Date is not valid')
    return
  }
  if (depth === maxDepth) throw invalid(`a value has more than ${maxDepth} levels`)
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) checkValue(item, depth + 1)
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      checkValue(key, depth + 1)
      checkValue(item, depth + 1)
    }
  } else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) {
      throw invalid('an object of a class is no value')
    }
    for (const item of Object.values(value)) checkValue(item, depth + 1)
  }
}

// Texts ------------------------------------------------------------------------------------------

/*
 * What has no JavaScript type of its own is a text. `parse...` takes what a user may write and gives `undefined`
 * for what is none; `format...` writes what a user gets. Adapters use them with what CQL has on the wire:
 * https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec, section 6.
 */

const day = /^([+-]?)(\d{4,7})-(\d\d)-(\d\d)$/

/** Days since 1970, 32 bits. Years as ISO 8601 counts them: `0000` is 1 BC. */
export function parseDate(text: string): number | undefined {
  const [, sign, digits = '', month, date] = day.exec(text) ?? []
  if (sign === undefined || (sign === '' && digits.length > 4)) return undefined
  const year = Number(digits) * (sign === '-' ? -1 : 1)
  const days = daysOf(year, Number(month), Number(date))
  const isDay =
    formatDate(days) === text.replace(/^\+(\d{4}-)/, '$1').replace(/^([+-])0+(?=\d{4})/, '$1')
  return isDay && days === (days | 0) ? days : undefined
}

/** `2026-11-28`, `-0044-03-15`, `+12345-01-01`: as Java writes it. */
export function formatDate(days: number): string {
  // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153)
  const date = ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const sign = year < 0 ? '-' : year > 9999 ? '+' : ''
  return `${sign}${padded(Math.abs(year), 4)}-${padded(month, 2)}-${padded(date, 2)}`
}

function daysOf(year: number, month: number, date: number): number {
  // https://howardhinnant.github.io/date_algorithms.html#days_from_civil
  const shiftedYear = month <= 2 ? year - 1 : year
  const era = Math.floor(shiftedYear / 400)
  const yearOfEra = shiftedYear - era * 400
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + date - 1
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear
  return era * 146_097 + ofEra - 719_468
}

const clock = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/

/** Nanoseconds since midnight. */
export function parseTime(text: string): bigint | undefined {
  const [, hours, minutes, seconds, fraction = ''] = clock.exec(text) ?? []
  if (hours === undefined) return undefined
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** `12:00:00.5` */
export function formatTime(nanoseconds: bigint): string {
  const whole = Number(nanoseconds / 1_000_000_000n)
  const fraction = padded(Number(nanoseconds % 1_000_000_000n), 9).replace(/0+$/, '')
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const text = parts.map((part) => padded(part, 2)).join(':')
  return fraction === '' ? text : `${text}.${fraction}`
}

/** All of one sign. Months and days of 32 bits, nanoseconds of 64. */
export interface Duration {
  readonly months: number
  readonly days: number
  readonly nanoseconds: bigint
}

const parts = [
  ['y', 'months', 12n],
  ['mo', 'months', 1n],
  ['w', 'days', 7n],
  ['d', 'days', 1n],
  ['h', 'nanoseconds', 3_600_000_000_000n],
  ['m', 'nanoseconds', 60_000_000_000n],
  ['s', 'nanoseconds', 1_000_000_000n],
  ['ms', 'nanoseconds', 1_000_000n],
  ['us', 'nanoseconds', 1000n],
  ['ns', 'nanoseconds', 1n],
] as const
const units = parts.map(([unit]) => `(?:(\\d{1,19})${unit})?`)
const duration = new RegExp(`^(-?)(?=\\d)${units.join('')}$`)

export function parseDuration(text: string): Duration | undefined {
  const [, sign, ...counts] = duration.exec(text.replace('µs', 'us')) ?? []
  if (sign === undefined) return undefined
  const sum = { months: 0n, days: 0n, nanoseconds: 0n }
  for (const [i, [, field, factor]] of parts.entries())
    sum[field] += BigInt(counts[i] ?? 0) * factor
  if (sum.months > 2n ** 31n - 1n || sum.days > 2n ** 31n - 1n) return undefined
  if (sum.nanoseconds > 2n ** 63n - 1n) return undefined
  const factor = sign === '-' ? -1 : 1
  return {
    // Not -0.
    months: Number(sum.months) * factor + 0,
    days: Number(sum.days) * factor + 0,
    nanoseconds: sum.nanoseconds * BigInt(factor),
  }
}

/** `1y2mo3d4h5m6s7ms8us9ns`, as Cassandra writes it; `0s` for none. */
export function formatDuration({ months, days, nanoseconds }: Duration): string {
  const isNegative = months < 0 || days < 0 || nanoseconds < 0n
  const rest = { months: BigInt(months), days: BigInt(days), nanoseconds }
  let text = ''
  for (const [unit, field, factor] of parts) {
    if (unit === 'w') continue
    const count = rest[field] / factor
    rest[field] %= factor
    if (count !== 0n) text += `${isNegative ? -count : count}${unit}`
  }
  return text === '' ? '0s' : `${isNegative ? '-' : ''}${text}`
}

/** `unscaled / 10 ** scale`; a scale of 32 bits. */
export interface Decimal {
  readonly unscaled: bigint
  readonly scale: number
}

const decimal = /^([+-]?)(\d{1,10000})(?:\.(\d{1,10000}))?(?:E([+-]?\d{1,10}))?$/i

export function parseDecimal(text: string): Decimal | undefined {
  const [, sign, whole, fraction = '', exponent = '0'] = decimal.exec(text) ?? []
  if (whole === undefined) return undefined
  const scale = fraction.length - Number(exponent)
  if (scale !== (scale | 0)) return undefined
  const digits = BigInt(whole + fraction)
  return { unscaled: sign === '-' ? -digits : digits, scale: scale + 0 }
}

/** With as many digits behind the point as the scale says: `1.10`. With an exponent if that is too many: `11E+20`. */
export function formatDecimal({ unscaled, scale }: Decimal): string {
  if (scale === 0) return String(unscaled)
  if (scale < 0 || scale > 1000) return `${unscaled}E${scale < 0 ? '+' : ''}${-scale}`
  const sign = unscaled < 0n ? '-' : ''
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0')
}
