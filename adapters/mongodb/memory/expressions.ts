import { DriverFailure } from '../../../src/core/index.ts'
import type { Bson } from '../../../src/mongodb/ejson.ts'
import { type Document, ServerError } from '../../../src/mongodb/index.ts'
import { collator } from './collation.ts'
import { hasOperators } from './filter.ts'
import { Arithmetic, isInt32, type Numeric, type Operator, toNumber } from './numbers.ts'
import { field, split } from './paths.ts'
import { refuse, unsupported } from './refusals.ts'
import { compare, isDocument, isEqual, isNumeric, isTrue, keyOf, typeName } from './values.ts'

/** The parts of mingo that are used. */
export interface Mingo {
  readonly core: typeof import('mingo/core')
  readonly Aggregator: typeof import('mingo/aggregator').Aggregator
  readonly expressions: object
  readonly accumulators: object
  readonly stages: object
}

type Variables = Readonly<Record<string, unknown>>
type Options = Parameters<Mingo['core']['evalExpr']>[2]
type ExpressionOperator = (document: unknown, expression: unknown, options: Options) => unknown

/**
 * The expressions of aggregation, by mingo: with arithmetic and comparisons of our own, since mingo knows
 * JavaScript's numbers only. There, a whole double counts as an int32.
 */
export class Expressions {
  readonly arithmetic: Arithmetic
  readonly #mingo: Mingo
  readonly #bson: Bson
  readonly #options: Options
  /** For mingo's own stages and accumulators, which count on its own expressions. */
  readonly #original: Options
  readonly #known: ReadonlySet<string>
  readonly #plain = new WeakMap<Document, Document>()

  constructor(mingo: Mingo, bson: Bson) {
    this.arithmetic = new Arithmetic(bson)
    this.#mingo = mingo
    this.#bson = bson
    const original = mingo.expressions as Record<string, ExpressionOperator>
    const expression = { ...original, ...this.#operators(original) }
    for (const name of absent) delete expression[name]
    const contextWith = (operators: object): Options => {
      const context = mingo.core.Context.init({
        accumulator: { ...mingo.accumulators },
        expression: { ...operators },
        pipeline: { ...mingo.stages },
      } as Parameters<Mingo['core']['Context']['init']>[0])
      return { context, scriptEnabled: false } as unknown as Options
    }
    this.#options = contextWith(expression)
    this.#original = contextWith(original)
    this.#known = new Set([...Object.keys(expression), ...Object.keys(mingo.accumulators)])
  }

  /** `undefined` for what is missing. */
  evaluate(document: Document, expression: unknown, variables: Variables = {}): unknown {
    if (typeof expression === 'string' && /^\$[^$]/.test(expression)) {
      return fieldAt(document, split(expression.slice(1)))
    }
    if (expression === '$$ROOT' || expression === '$$CURRENT') return document
    if (Array.isArray(expression)) {
      return expression.map((one) => this.evaluate(document, one, variables) ?? null)
    }
    if (isDocument(expression) && !hasOperators(expression)) {
      const fields = Object.entries(expression).map(([name, one]) => [
        name,
        this.evaluate(document, one, variables),
      ])
      return Object.fromEntries(fields.filter(([, one]) => one !== undefined))
    }
    if (typeof expression !== 'string' && !isDocument(expression)) return expression
    if (isDocument(expression) && '$literal' in expression) return expression.$literal
    return attempt(() => {
      const options = { ...this.#options, variables: plain(variables) } as Options
      const root = this.#withoutDoubles(document)
      return this.#mingo.core.evalExpr(root, plain(expression), options)
    })
  }

  /** @throws DriverFailure `unsupported` that names an operator which is not here */
  check(expression: unknown): void {
    if (Array.isArray(expression)) {
      for (const one of expression) this.check(one)
    } else if (isDocument(expression)) {
      for (const [name, one] of Object.entries(expression)) {
        if (name === '$literal') continue
        if (absent.includes(name)) unsupported(name)
        if (name.startsWith('$') && !this.#known.has(name)) {
          refuse('unknownExpression', `Unrecognized expression '${name}'`)
        }
        this.check(one)
      }
    }
  }

  /** What mingo's own accumulator makes of a group. */
  accumulate(name: string, documents: readonly Document[], expression: unknown): unknown {
    const operator = (this.#mingo.accumulators as Record<string, ExpressionOperator>)[name]
    if (operator === undefined) refuse('unknownAccumulator', `unknown group operator '${name}'`)
    const options = this.#original
    return attempt(() => operator(this.#forMingo(name, documents), plain(expression), options))
  }

  /** A stage of mingo's own. */
  stage(
    name: string,
    documents: readonly Document[],
    operand: unknown,
    find: (name: string) => Document[],
  ): Document[] {
    if (absentStages.includes(name)) unsupported(name)
    if (!inherited.includes(name)) {
      refuse('unknownStage', `Unrecognized pipeline stage name: '${name}'`)
    }
    const options = {
      ...this.#original,
      collectionResolver: (other: string) => this.#forMingo(name, find(other)),
    }
    const aggregator = new this.#mingo.Aggregator(
      [{ [name]: plain(operand) }] as object as Document[],
      options,
    )
    return attempt(() => aggregator.run(this.#forMingo(name, documents)))
  }

  #withoutDoubles(document: Document): Document {
    let result = this.#plain.get(document)
    if (result === undefined) {
      result = plain(document) as Document
      this.#plain.set(document, result)
    }
    return result
  }

  #forMingo(name: string, documents: readonly Document[]): Document[] {
    return documents.map((document) => {
      const result = this.#withoutDoubles(document)
      if (holdsExact(result)) unsupported(`${name} over 64-bit integers or decimals`)
      return result
    })
  }

  // Operators of our own --------------------------------------------------------------------------

  #operators(
    original: Readonly<Record<string, ExpressionOperator>>,
  ): Record<string, ExpressionOperator> {
    const { arithmetic } = this
    const { evalExpr } = this.#mingo.core
    const operators: Record<string, ExpressionOperator> = {}
    const define = (name: string, apply: (args: unknown[]) => unknown) => {
      operators[name] = (document, expression, options) => {
        const value = evalExpr(document as Document, expression, options)
        return apply(Array.isArray(expression) ? (value as unknown[]) : [value])
      }
    }
    const numeric = (name: string, apply: (args: Numeric[]) => unknown) =>
      define(name, (args) => {
        if (args.some((one) => one === undefined || one === null)) return null
        if (!args.every(isNumeric)) refuse('typeMismatch', `${name} only supports numeric types`)
        return plain(apply(args))
      })
    const fold = (operator: Operator) => (args: Numeric[]) =>
      args.reduce((result, one) => arithmetic.evaluate(operator, result, one))

    define('$add', (args) => {
      if (args.some((one) => one === undefined || one === null)) return null
      const date = args.find((one) => one instanceof Date)
      const numbers = args.filter((one) => one !== date)
      if (!numbers.every(isNumeric))
        refuse('typeMismatch', '$add only supports numeric or date types')
      const sum = numbers.length === 0 ? 0 : fold('add')(numbers)
      return date === undefined ? plain(sum) : new Date(Number(date) + Math.round(toNumber(sum)))
    })
    define('$subtract', ([a, b]) => {
      if (a === undefined || a === null || b === undefined || b === null) return null
      if (a instanceof Date && b instanceof Date) return BigInt(Number(a) - Number(b))
      if (a instanceof Date && isNumeric(b)) return new Date(Number(a) - Math.round(toNumber(b)))
      if (!isNumeric(a) || !isNumeric(b)) refuse('typeMismatch', "can't $subtract these types")
      return plain(arithmetic.evaluate('subtract', a, b))
    })
    numeric('$multiply', fold('multiply'))
    numeric('$divide', ([a, b]) => {
      const [x, y] = doubles('$divide', [a, b])
      if (y === 0) refuse('badValue', "can't $divide by zero")
      return (x as number) / (y as number)
    })
    numeric('$mod', ([a, b]) => {
      if (typeof a === 'bigint' && typeof b === 'bigint' && b !== 0n) return a % b
      const [x, y] = doubles('$mod', [a, b])
      if (y === 0) refuse('badValue', "can't $mod by zero")
      const result = (x as number) % (y as number)
      return typeof a === 'bigint' || typeof b === 'bigint' ? long(result) : result
    })
    numeric('$abs', ([value]) =>
      compare(value, 0) < 0 ? arithmetic.evaluate('multiply', value as Numeric, -1) : value,
    )
    for (const name of ['ceil', 'floor', 'trunc', 'round'] as const) {
      const rounded = original[`$${name}`] as ExpressionOperator
      numeric(`$${name}`, (args) => {
        if (typeof args[0] === 'bigint') return args[0]
        return rounded({}, doubles(`$${name}`, args), this.#options)
      })
    }
    for (const name of mathematical) {
      const calculated = original[name] as ExpressionOperator
      operators[name] = (document, expression, options) => {
        const value = evalExpr(document as Document, expression, options)
        const isList = Array.isArray(expression)
        const args = isList ? (value as unknown[]) : [value]
        const numbers = args.map((one) => (isNumeric(one) ? doubles(name, [one])[0] : one))
        const result = calculated(document, isList ? numbers : numbers[0], options)
        const isWhole = args.every((one) => /^(int|long)$/.test(typeName(one)))
        return name === '$pow' && isWhole && Number.isSafeInteger(result)
          ? narrow(result as number)
          : result
      }
    }

    const compared = (name: string, fits: (difference: number) => unknown) =>
      define(name, ([a, b]) => fits(compareInExpression(a, b)))
    compared('$cmp', (difference) => Math.sign(difference))
    compared('$eq', (difference) => difference === 0)
    compared('$ne', (difference) => difference !== 0)
    compared('$gt', (difference) => difference > 0)
    compared('$gte', (difference) => difference >= 0)
    compared('$lt', (difference) => difference < 0)
    compared('$lte', (difference) => difference <= 0)
    define('$in', ([value, list]) => {
      if (!Array.isArray(list)) refuse('badValue', '$in requires an array as a second argument')
      return list.some((one) => isEqual(one, value))
    })
    define('$not', ([value]) => !isTrue(value))
    for (const [name, combine] of Object.entries(combining)) {
      define(name, (args) => {
        const [only] = args
        return plain(combine(args.length === 1 && Array.isArray(only) ? only : args, arithmetic))
      })
    }

    define('$type', ([value]) => typeName(value))
    define('$isNumber', ([value]) => isNumeric(value))
    define('$toString', ([value]) => converted(value, 'string', text))
    define('$toBool', ([value]) =>
      converted(value, 'bool', (one) => !isNumeric(one) || isTrue(one)),
    )
    define('$toInt', ([value]) =>
      converted(value, 'int', (one) => {
        const result = integral(one)
        return result !== undefined && isInt32(Number(result)) ? Number(result) : undefined
      }),
    )
    define('$toLong', ([value]) => converted(value, 'long', integral))
    define('$toDouble', ([value]) => converted(value, 'double', (one) => finite(one)))
    define('$toDecimal', ([value]) =>
      converted(value, 'decimal', (one) =>
        isNumeric(one) || typeof one === 'string'
          ? this.#bson.Decimal128.fromStringWithRounding(String(one))
          : undefined,
      ),
    )
    define('$toUpper', ([value]) => (value == null ? '' : String(value).toUpperCase()))
    define('$toLower', ([value]) => (value == null ? '' : String(value).toLowerCase()))
    define('$size', ([value]) =>
      Array.isArray(value) ? value.length : refuse('badValue', '$size must be an array'),
    )
    for (const name of ofDates) {
      const part = original[name] as ExpressionOperator
      operators[name] = (document, expression, options) => {
        const date = isDocument(expression) && 'date' in expression ? expression.date : expression
        if (evalExpr(document as Document, date, options) == null) return null
        return part(document, expression, options)
      }
    }
    const dateDiff = original.$dateDiff as ExpressionOperator
    operators.$dateDiff = (document, expression, options) => {
      const result = dateDiff(document, expression, options)
      return typeof result === 'number' ? BigInt(result) : result
    }
    return operators
  }
}

/** Scripts, and what mingo does by JavaScript's types alone. */
const absent = names('function accumulator convert toHashedIndexKey meta sampleRate')
/** The stages of mingo that do what MongoDB's do. */
const inherited = names('bucketAuto graphLookup')
/** Its others, and those that need a server. */
const absentStages = names(
  'densify documents fill redact setWindowFields ' +
    'changeStream collStats currentOp geoNear indexStats listSessions planCacheStats search ' +
    'searchMeta vectorSearch',
)
const ofDates = names(
  'year month week dayOfMonth dayOfWeek dayOfYear hour minute second millisecond isoDayOfWeek ' +
    'isoWeek isoWeekYear dateToParts',
)

function names(text: string): readonly string[] {
  return text.split(' ').map((name) => `$${name}`)
}

const mathematical = names(
  'exp ln log log10 pow sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh ' +
    'degreesToRadians radiansToDegrees',
)

type Combine = (values: readonly unknown[], arithmetic: Arithmetic) => unknown

/** Of the values of a group, or of an array. */
export const combining: Readonly<Record<string, Combine>> = {
  $sum: (values, arithmetic) => sum(values.filter(isNumeric), arithmetic),
  $avg(values, arithmetic) {
    const numbers = values.filter(isNumeric)
    if (numbers.length === 0) return null
    const [total] = doubles('$avg', [sum(numbers, arithmetic)])
    return arithmetic.double((total as number) / numbers.length)
  },
  $min: (values) => extreme(values, -1),
  $max: (values) => extreme(values, 1),
}

function sum(values: readonly Numeric[], arithmetic: Arithmetic): Numeric {
  return values.reduce((total, one) => arithmetic.evaluate('add', total, one), 0 as Numeric)
}

function extreme(values: readonly unknown[], direction: number): unknown {
  let result: unknown
  for (const value of values) {
    if (value === undefined || value === null) continue
    if (result === undefined || direction * compare(value, result) > 0) result = value
  }
  return result ?? null
}

/** Of what is grouped. No collation tells of a text what stands for all that are equal to it. */
export function groupKey(value: unknown): string {
  if (collator() !== undefined) unsupported('groups by a collation')
  return keyOf(value)
}

/** Each once. */
export function distinct(values: readonly unknown[]): unknown[] {
  const found = new Map<string, unknown>()
  for (const value of values) {
    const key = groupKey(value)
    if (!found.has(key)) found.set(key, value)
  }
  return [...found.values()]
}

function doubles(name: string, values: readonly (Numeric | undefined)[]): number[] {
  return values.map((one) => {
    if (typeName(one) === 'decimal') unsupported(`${name} of decimals`)
    return toNumber(one as Numeric)
  })
}

/** Missing stands before everything, null too. */
function compareInExpression(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return Number(b === undefined) - Number(a === undefined)
  return compare(a, b)
}

/** Whole: as an int32 if it fits. */
function narrow(value: number): number | bigint {
  return isInt32(value) ? value : BigInt(value)
}

const long = (value: number) => (Number.isInteger(value) ? BigInt(value) : value)

function converted(value: unknown, to: string, convert: (value: unknown) => unknown): unknown {
  if (value === undefined || value === null) return null
  return (
    convert(value) ?? refuse('badValue', `Unsupported conversion from ${typeName(value)} to ${to}`)
  )
}

function text(value: unknown): string | undefined {
  if (value instanceof Date) return value.toISOString()
  if (/^(string|bool|objectId)$/.test(typeName(value)) || isNumeric(value)) return String(value)
  return undefined
}

/** As an int64, without its fraction. */
function integral(value: unknown): bigint | undefined {
  if (typeof value === 'string') return /^[+-]?\d+$/.test(value) ? BigInt(value) : undefined
  if (typeof value === 'bigint') return value
  const number = finite(value)
  return number !== undefined && Math.abs(number) < 2 ** 63 ? BigInt(Math.trunc(number)) : undefined
}

function finite(value: unknown): number | undefined {
  if (typeof value === 'boolean' || value instanceof Date) return Number(value)
  if (typeof value === 'string')
    return value.trim() === '' || Number.isNaN(Number(value)) ? undefined : Number(value)
  return isNumeric(value) ? toNumber(value) : undefined
}

/** In aggregation a path goes into every element of an array, and never to one by its place. */
function fieldAt(value: unknown, path: readonly string[]): unknown {
  const [name, ...below] = path
  if (name === undefined) return value
  if (Array.isArray(value)) {
    return value.map((one) => fieldAt(one, path)).filter((one) => one !== undefined)
  }
  return isDocument(value) ? fieldAt(field(value, name), below) : undefined
}

/** mingo knows no `Double`. */
function plain<T>(value: T): T {
  if (Array.isArray(value)) return value.map(plain) as T
  if (isDocument(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)])) as T
  }
  return typeName(value) === 'double' ? (Number(value) as T) : value
}

function holdsExact(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsExact)
  if (isDocument(value)) return Object.values(value).some(holdsExact)
  return /^(long|decimal)$/.test(typeName(value))
}

/** What mingo throws, in the server's place. */
function attempt<R>(work: () => R): R {
  try {
    return work()
  } catch (error) {
    if (error instanceof ServerError || error instanceof DriverFailure) throw error
    return refuse('badValue', String((error as Error).message))
  }
}
