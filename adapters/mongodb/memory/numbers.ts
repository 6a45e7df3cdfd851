import type { Decimal128, Double } from 'bson'
import type { Bson } from '../../../src/mongodb/ejson.ts'

/** An int32 if it is a whole number of 32 bits, a double if it is another number or a `Double`, an int64, a decimal. */
export type Numeric = number | bigint | Double | Decimal128

export type Operator = 'add' | 'subtract' | 'multiply'

export function isInt32(value: number): boolean {
  return value === (value | 0) && !Object.is(value, -0)
}

function isDecimal(value: Numeric): value is Decimal128 {
  return typeof value === 'object' && value._bsontype === 'Decimal128'
}

/** The nearest double. */
export function toNumber(value: Numeric): number {
  return isDecimal(value) ? Number(value.toString()) : Number(value)
}

const isInteger = (value: Numeric) =>
  typeof value === 'bigint' || (typeof value === 'number' && isInt32(value))

/** `coefficient * 10 ** exponent` */
interface Parts {
  readonly coefficient: bigint
  readonly exponent: number
}

/** Of a finite number; of a double so many digits. */
function partsOf(value: Numeric, digitsOfDouble = 34): Parts {
  if (isInteger(value)) return { coefficient: BigInt(value as bigint), exponent: 0 }
  const text = isDecimal(value) ? value.toString() : Number(value).toPrecision(digitsOfDouble)
  const [digits = '', power = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = digits.split('.')
  return { coefficient: BigInt(whole + fraction), exponent: Number(power) - fraction.length }
}

/** Both with the same exponent. */
function aligned(a: Parts, b: Parts): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent)
  const scaled = (parts: Parts) => parts.coefficient * 10n ** BigInt(parts.exponent - exponent)
  return [scaled(a), scaled(b), exponent]
}

/** NaN equals itself, and is less than all others. */
export function compareNumbers(a: Numeric, b: Numeric): number {
  const [x, y] = [toNumber(a), toNumber(b)]
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x))
  if ((isDecimal(a) || isDecimal(b)) && !isInfinite(a) && !isInfinite(b)) {
    const [left, right] = aligned(partsOf(a), partsOf(b))
    return left < right ? -1 : left > right ? 1 : 0
  }
  // JavaScript compares a bigint with a number exactly.
  const left = typeof a === 'bigint' ? a : x
  const right = typeof b === 'bigint' ? b : y
  return left < right ? -1 : left > right ? 1 : 0
}

/** By its text: a decimal beyond what doubles reach is finite. */
function isInfinite(value: Numeric): boolean {
  return /Infinity/.test(String(value))
}

/** The same text for equal numbers of whatever type. */
export function numberKey(value: Numeric): string {
  if (isInteger(value)) return `${value}`
  const text = String(value)
  if (/NaN|Infinity/.test(text)) return text
  let { coefficient, exponent } = partsOf(value)
  while (exponent < 0 && coefficient % 10n === 0n) {
    coefficient /= 10n
    exponent++
  }
  return exponent < 0 ? `${coefficient}e${exponent}` : `${coefficient * 10n ** BigInt(exponent)}`
}

const int64 = 2n ** 63n

/** Arithmetic as MongoDB does it: the result is of the wider type, and an int32 that overflows becomes an int64. */
export class Arithmetic {
  readonly #bson: Bson

  constructor(bson: Bson) {
    this.#bson = bson
  }

  /** `undefined` for a result that does not fit 64 bits. */
  exact(operator: Operator, a: Numeric, b: Numeric): Numeric | undefined {
    if (isDecimal(a) || isDecimal(b)) return this.#decimal(operator, a, b)
    if (!isInteger(a) || !isInteger(b)) {
      return this.double(calculate(operator, Number(a), Number(b)))
    }
    const result = calculate(operator, BigInt(a as bigint), BigInt(b as bigint))
    if (typeof a === 'number' && typeof b === 'number' && isInt32(Number(result))) {
      return Number(result)
    }
    return result >= -int64 && result < int64 ? result : undefined
  }

  /** Expressions go on with doubles where updates fail. */
  evaluate(operator: Operator, a: Numeric, b: Numeric): Numeric {
    return this.exact(operator, a, b) ?? this.double(calculate(operator, Number(a), Number(b)))
  }

  /** As it is stored. */
  double(value: number): Numeric {
    return isInt32(value) ? new this.#bson.Double(value) : value
  }

  #decimal(operator: Operator, a: Numeric, b: Numeric): Decimal128 {
    const { Decimal128 } = this.#bson
    if (/NaN|Infinity/.test(`${a}${b}`)) {
      return Decimal128.fromString(String(calculate(operator, toNumber(a), toNumber(b))))
    }
    // To compare, the server takes all that a decimal holds; to calculate, what a double is good for.
    const [x, y] = [partsOf(a, 15), partsOf(b, 15)]
    if (operator === 'multiply') {
      const exponent = x.exponent + y.exponent
      return Decimal128.fromStringWithRounding(`${x.coefficient * y.coefficient}E${exponent}`)
    }
    const [left, right, exponent] = aligned(x, y)
    return Decimal128.fromStringWithRounding(`${calculate(operator, left, right)}E${exponent}`)
  }
}

function calculate<N extends number | bigint>(operator: Operator, a: N, b: N): N {
  switch (operator) {
    case 'add':
      return ((a as number) + (b as number)) as N
    case 'subtract':
      return ((a as number) - (b as number)) as N
    case 'multiply':
      return ((a as number) * (b as number)) as N
  }
}
