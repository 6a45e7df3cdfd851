import { refuse } from './reply.ts'

const integerForm = /^(?:0|-?[1-9]\d{0,18})$/
const decimalForm = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i
const infiniteForm = /^[+-]?inf(?:inity)?$/i

const notInteger = 'ERR value is not an integer or out of range'
export const notFloat = 'ERR value is not a valid float'
const notPositive = 'ERR value is out of range, must be positive'

export function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/** As strict as Redis: no `+`, no leading zero, no space. */
export function int64(text: string, error = notInteger): bigint {
  const value = integerForm.test(text) ? BigInt(text) : undefined
  return value !== undefined && isInt64(value) ? value : refuse(error)
}

/** For indexes and counts: what is lost beyond 2^53 is far beyond any length. */
export function integer(text: string, error = notInteger): number {
  return Number(int64(text, error))
}

export function natural(text: string): number {
  const value = integer(text, notPositive)
  return value < 0 ? refuse(notPositive) : value
}

/** Sign, digits before and after the point, exponent. */
function decimal(text: string): [string, string, string, number] | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = decimalForm.exec(text) ?? []
  return whole + fraction === '' ? undefined : [sign, whole, fraction, Number(exponent)]
}

/** As C's strtod, whose overflow and underflow Redis refuses; NaN if it is no number. */
export function double(text: string): number {
  if (infiniteForm.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (decimal(text) === undefined) return Number.NaN
  const value = Number(text)
  const underflow = value === 0 && /^[+-]?[0.]*[1-9]/.test(text)
  return Number.isFinite(value) && !underflow ? value : Number.NaN
}

/** As C's `%.17g`, which is how Redis 7.0 writes scores. */
export function formatDouble(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const [digits, exponent] = value.toExponential(16).split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 17) return trimZeros(value.toPrecision(17))
  return `${trimZeros(digits)}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

// INCRBYFLOAT adds in x86's 80-bit floats: 64 bits of mantissa, which doubles cannot reproduce. So here
// they are integers times powers of two.

type Float = Extended | typeof Infinity

interface Extended {
  readonly mantissa: bigint
  readonly exponent: number
}

const zero: Extended = { mantissa: 0n, exponent: 0 }
/** The longest decimal that Redis reads. */
const maxLength = 5119

/** Refuses what is not a number that 80 bits can hold. `Infinity` is of either sign. */
export function float(text: string, error = notFloat): Float {
  return parseFloat80(text) ?? refuse(error)
}

export function isInfinite(value: Float): value is typeof Infinity {
  return value === Infinity
}

function parseFloat80(text: string): Float | undefined {
  if (text.length > maxLength) return undefined
  if (infiniteForm.test(text)) return Infinity
  const parts = decimal(text)
  if (parts === undefined) return undefined
  const [sign, whole, fraction, power] = parts
  const digits = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`)
  if (digits === 0n) return zero
  const scale = power - fraction.length
  if (Math.abs(scale) > 2 * maxLength) return undefined
  const value =
    scale >= 0
      ? round(digits * 10n ** BigInt(scale), 1n, 0)
      : round(digits, 10n ** BigInt(-scale), 0)
  return magnitude(value) > 16_384 || magnitude(value) < -16_445 ? undefined : value
}

/** The nearest 80-bit float to a fraction times a power of two, ties to even. */
function round(numerator: bigint, denominator: bigint, exponent: number): Extended {
  if (numerator < 0n) {
    const positive = round(-numerator, denominator, exponent)
    return { mantissa: -positive.mantissa, exponent: positive.exponent }
  }
  const shift = bits(numerator) - bits(denominator) - 66
  const [n, d] =
    shift >= 0
      ? [numerator, denominator << BigInt(shift)]
      : [numerator << BigInt(-shift), denominator]
  // At least two bits more than are kept; the last one says whether anything follows.
  const quotient = ((n / d) << 1n) | (n % d === 0n ? 0n : 1n)
  const drop = bits(quotient) - 64
  return { mantissa: halve(quotient, drop), exponent: exponent + shift - 1 + drop }
}

/** Divided by 2^count, ties to even. */
function halve(value: bigint, count: number): bigint {
  const by = BigInt(count)
  const kept = value >> by
  const rest = value - (kept << by)
  const half = 1n << (by - 1n)
  return rest > half || (rest === half && (kept & 1n) === 1n) ? kept + 1n : kept
}

function bits(value: bigint): number {
  return value.toString(2).replace('-', '').length
}

function magnitude({ mantissa, exponent }: Extended): number {
  return bits(mantissa) + exponent
}

const overflow = 'ERR increment would produce NaN or Infinity'

/** The sum as Redis writes it: at most 17 decimals, never an exponent. */
export function addFloats(a: Float, b: Float): string {
  if (isInfinite(a) || isInfinite(b)) return refuse(overflow)
  const sum = add(a, b)
  if (magnitude(sum) > 16_384) return refuse(overflow)
  const { mantissa, exponent } = sum
  const scaled = (mantissa < 0n ? -mantissa : mantissa) * 10n ** 17n
  const digits = (exponent >= 0 ? scaled << BigInt(exponent) : halve(scaled, -exponent))
    .toString()
    .padStart(18, '0')
  const text = trimZeros(`${digits.slice(0, -17)}.${digits.slice(-17)}`)
  return mantissa < 0n && text !== '0' ? `-${text}` : text
}

function add(a: Extended, b: Extended): Extended {
  const exponent = Math.min(a.exponent, b.exponent)
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  return sum === 0n ? zero : round(sum, 1n, exponent)
}
