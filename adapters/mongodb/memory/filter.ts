import type { Binary, BSONRegExp } from 'bson'
import type { Document } from '../../../src/mongodb/index.ts'
import { type Numeric, toNumber } from './numbers.ts'
import { reaches, split } from './paths.ts'
import { refuse, unsupported } from './refusals.ts'
import {
  compare,
  isDocument,
  isEqual,
  isNumeric,
  isTrue,
  rank,
  type TypeName,
  typeName,
  typeNamed,
} from './values.ts'

/** What a filter found on its way: the element that `$` stands for. */
export interface Match {
  position?: number | undefined
}

export type Predicate = (document: unknown, match?: Match) => boolean

/** Evaluates an expression of aggregation. */
export type Evaluate = (document: Document, expression: unknown) => unknown

/** Whether one value passes. */
type Check = (value: unknown) => boolean

/** @throws ServerError for a filter that MongoDB refuses; a DriverFailure for what is not here */
export function compile(filter: Document, evaluate: Evaluate): Predicate {
  const all = Object.entries(filter).map(([name, condition]) =>
    name.startsWith('$') ? logical(name, condition, evaluate) : onPath(name, condition, evaluate),
  )
  return (document, match) => all.every((predicate) => predicate(document, match))
}

function logical(name: string, condition: unknown, evaluate: Evaluate): Predicate {
  const several = () => {
    if (!Array.isArray(condition) || condition.length === 0) {
      refuse('badValue', `${name} must be a nonempty array`)
    }
    return condition.map((one) => {
      if (!isDocument(one)) refuse('badValue', `${name} argument's entries must be objects`)
      return compile(one, evaluate)
    })
  }
  switch (name) {
    case '$and': {
      const all = several()
      return (document, match) => all.every((one) => one(document, match))
    }
    case '$or': {
      const any = several()
      return (document, match) => any.some((one) => one(document, match))
    }
    case '$nor': {
      const none = several()
      return (document) => !none.some((one) => one(document))
    }
    case '$expr':
      return (document) => isTrue(evaluate(document as Document, condition))
    case '$comment':
      return () => true
    default:
      return absent(name) ?? refuse('badValue', `unknown top level operator: ${name}`)
  }
}

const elsewhere =
  /^\$(where|text|jsonSchema|near|nearSphere|geoWithin|geoIntersects|maxDistance|minDistance|sampleRate)$/

function absent(name: string): undefined {
  if (elsewhere.test(name)) unsupported(name)
}

/** `{ $gt: 1 }`, but not a reference to another document. */
export function hasOperators(value: unknown): value is Document {
  if (!isDocument(value)) return false
  const name = Object.keys(value)[0]
  return name?.startsWith('$') === true && !/^\$(ref|id|db)$/.test(name)
}

function onPath(path: string, condition: unknown, evaluate: Evaluate): Predicate {
  const parts = split(path)
  if (!hasOperators(condition)) return some(parts, true, equality(condition))
  const all = conditions(parts, condition, evaluate)
  return (document, match) => all.every((predicate) => predicate(document, match))
}

function conditions(path: readonly string[], condition: Document, evaluate: Evaluate): Predicate[] {
  return Object.entries(condition)
    .filter(([name]) => name !== '$options' || !('$regex' in condition))
    .map(([name, operand]) => operator(path, name, operand, condition, evaluate))
}

function some(path: readonly string[], spread: boolean, check: Check): Predicate {
  return (document, match) =>
    // What is looked at itself, as an element of an array, is not taken apart further.
    reaches(document, path, spread && path.length > 0, (value, position) => {
      if (!check(value)) return false
      if (match !== undefined && position !== undefined) match.position = position
      return true
    })
}

const not =
  (predicate: Predicate): Predicate =>
  (document) =>
    !predicate(document)

function operator(
  path: readonly string[],
  name: string,
  operand: unknown,
  condition: Document,
  evaluate: Evaluate,
): Predicate {
  const spread = (check: Check) => some(path, true, check)
  switch (name) {
    case '$eq':
      return spread(same(operand))
    case '$ne':
      return not(spread(same(operand)))
    case '$gt':
      return spread(ordered(operand, (difference) => difference > 0, false))
    case '$gte':
      return spread(ordered(operand, (difference) => difference >= 0, true))
    case '$lt':
      return spread(ordered(operand, (difference) => difference < 0, false))
    case '$lte':
      return spread(ordered(operand, (difference) => difference <= 0, true))
    case '$in':
      return spread(oneOf(name, operand))
    case '$nin':
      return not(spread(oneOf(name, operand)))
    case '$not':
      return negation(path, operand, evaluate)
    case '$exists': {
      const exists = some(path, false, (value) => value !== undefined)
      return isTrue(operand) ? exists : not(exists)
    }
    case '$type':
      return spread(ofType(operand))
    case '$regex':
      return spread(pattern(operand, condition.$options))
    case '$options':
      return refuse('badValue', '$options needs a $regex')
    case '$mod':
      return spread(modulo(operand))
    case '$size':
      return some(path, false, ofSize(operand))
    case '$all':
      return everyOf(path, operand, evaluate)
    case '$elemMatch':
      return someElement(path, operand, evaluate)
    case '$bitsAllSet':
      return spread(bits(operand, (value, mask) => (value & mask) === mask))
    case '$bitsAllClear':
      return spread(bits(operand, (value, mask) => (value & mask) === 0n))
    case '$bitsAnySet':
      return spread(bits(operand, (value, mask) => (value & mask) !== 0n))
    case '$bitsAnyClear':
      return spread(bits(operand, (value, mask) => (value & mask) !== mask))
    case '$comment':
      return () => true
    default:
      return absent(name) ?? refuse('badValue', `unknown operator: ${name}`)
  }
}

function same(operand: unknown): Check {
  // Missing compares as null does.
  return (value) => compare(value, operand) === 0
}

/** A regular expression finds texts, and itself. */
export function equality(operand: unknown): Check {
  if (typeName(operand) !== 'regex') return same(operand)
  const matches = pattern(operand, undefined)
  return (value) => matches(value) || isEqual(value, operand)
}

/** Only values of the same type are less or greater, but for the ends of all. */
function ordered(operand: unknown, fits: (difference: number) => boolean, orEqual: boolean): Check {
  const type = typeName(operand)
  if (type === 'regex') refuse('badValue', "Can't have RegEx as arg to predicate over field")
  if (type === 'minKey' || type === 'maxKey') return (value) => fits(compare(value, operand))
  const limit = rank(operand)
  const isNoNumber = (value: unknown) => isNumeric(value) && Number.isNaN(toNumber(value))
  if (isNoNumber(operand)) return (value) => orEqual && isNoNumber(value)
  return (value) => rank(value) === limit && !isNoNumber(value) && fits(compare(value, operand))
}

function listed(name: string, operand: unknown): unknown[] {
  if (!Array.isArray(operand)) refuse('badValue', `${name} needs an array`)
  if (operand.some(hasOperators)) refuse('badValue', `cannot nest $ under ${name}`)
  return operand
}

function oneOf(name: string, operand: unknown): Check {
  const checks = listed(name, operand).map(equality)
  return (value) => checks.some((check) => check(value))
}

function negation(path: readonly string[], operand: unknown, evaluate: Evaluate): Predicate {
  if (typeName(operand) === 'regex') return not(some(path, true, pattern(operand, undefined)))
  if (!hasOperators(operand)) refuse('badValue', '$not needs a regex or a document of operators')
  const all = conditions(path, operand, evaluate)
  return (document) => !all.every((predicate) => predicate(document))
}

const numbers: readonly TypeName[] = ['int', 'long', 'double', 'decimal']

function ofType(operand: unknown): Check {
  const wanted = (Array.isArray(operand) ? operand : [operand]).flatMap((alias) =>
    alias === 'number'
      ? numbers
      : (typeNamed(isNumeric(alias) ? toNumber(alias) : alias) ??
        refuse('badValue', 'Unknown type name alias')),
  )
  return (value) => wanted.includes(typeName(value))
}

function modulo(operand: unknown): Check {
  if (!Array.isArray(operand) || operand.length !== 2 || !operand.every(isNumeric)) {
    refuse('badValue', 'malformed mod, needs to be an array of two numbers')
  }
  const [divisor, remainder] = operand.map(whole)
  if (divisor === undefined || remainder === undefined || divisor === 0n) {
    refuse('badValue', 'divisor cannot be 0')
  }
  return (value) => {
    const number = isNumeric(value) ? whole(value) : undefined
    return number !== undefined && number % divisor === remainder
  }
}

/** Without its fraction; `undefined` for what is not finite. */
function whole(value: Numeric): bigint | undefined {
  if (typeof value === 'bigint') return value
  const number = Math.trunc(toNumber(value))
  return Number.isFinite(number) ? BigInt(number) : undefined
}

function ofSize(operand: unknown): Check {
  const size = isNumeric(operand) ? toNumber(operand) : Number.NaN
  if (!Number.isInteger(size)) refuse('failedToParse', '$size needs a whole number')
  if (size < 0) refuse('badValue', '$size may not be negative')
  return (value) => Array.isArray(value) && value.length === size
}

function everyOf(path: readonly string[], operand: unknown, evaluate: Evaluate): Predicate {
  if (!Array.isArray(operand)) refuse('badValue', '$all needs an array')
  if (operand.length === 0) return () => false
  const all = operand.map((one) => {
    if (isDocument(one) && '$elemMatch' in one) return someElement(path, one.$elemMatch, evaluate)
    if (hasOperators(one)) refuse('badValue', 'no $ expressions in $all')
    return some(path, true, equality(one))
  })
  return (document, match) => all.every((predicate) => predicate(document, match))
}

function someElement(path: readonly string[], operand: unknown, evaluate: Evaluate): Predicate {
  const fits = element(operand, evaluate)
  return (document, match) =>
    reaches(document, path, false, (value, position) => {
      if (!Array.isArray(value)) return false
      const found = value.findIndex(fits)
      if (found === -1) return false
      if (match !== undefined) match.position = position ?? found
      return true
    })
}

/** What `$elemMatch` and `$pull` ask of an element: conditions on itself, or on its fields. */
export function element(operand: unknown, evaluate: Evaluate): Check {
  if (!isDocument(operand)) refuse('badValue', '$elemMatch needs an Object')
  if (hasOperators(operand) && !/^\$(and|or|nor|expr|where)$/.test(Object.keys(operand)[0] ?? '')) {
    const all = conditions([], operand, evaluate)
    return (value) => all.every((predicate) => predicate(value))
  }
  const predicate = compile(operand, evaluate)
  return (value) => {
    if (Array.isArray(value)) return predicate({ ...value })
    return isDocument(value) && predicate(value)
  }
}

function pattern(operand: unknown, options: unknown): Check {
  const isRegex = typeName(operand) === 'regex'
  if (!isRegex && typeof operand !== 'string') refuse('badValue', '$regex has to be a string')
  if (options !== undefined && typeof options !== 'string') {
    refuse('badValue', '$options has to be a string')
  }
  const source = isRegex ? (operand as BSONRegExp).pattern : (operand as string)
  const regex = regularExpression(
    source,
    options ?? (isRegex ? (operand as BSONRegExp).options : ''),
  )
  return (value) => typeof value === 'string' && regex.test(value)
}

/** PCRE's as JavaScript's: what both understand. */
function regularExpression(source: string, options: string): RegExp {
  const [, inline = '', rest = source] = /^\(\?([imsx]+)\)(.*)$/s.exec(source) ?? []
  const given = new Set(options + inline)
  if (given.has('x')) unsupported('option x of regular expressions')
  if (![...given].every((option) => 'imsu'.includes(option))) {
    refuse('badRegex', 'Regular expression is invalid: option')
  }
  const flags = ['i', 'm', 's'].filter((flag) => given.has(flag)).join('')
  // By code points, unless it has an escape that JavaScript then refuses.
  for (const each of [`${flags}u`, flags]) {
    try {
      return new RegExp(rest, each)
    } catch {}
  }
  return refuse('badRegex', 'Regular expression is invalid')
}

function bits(operand: unknown, fits: (value: bigint, mask: bigint) => boolean): Check {
  const mask = maskOf(operand)
  return (value) => {
    if (typeName(value) === 'binData') return fits(littleEndian(value as Binary), mask)
    if (!isNumeric(value) || typeName(value) === 'decimal') return false
    const number = typeof value === 'bigint' ? value : toNumber(value)
    if (typeof number === 'number' && !Number.isSafeInteger(number)) return false
    return fits(BigInt.asUintN(64, BigInt(number)), mask)
  }
}

function maskOf(operand: unknown): bigint {
  if (typeName(operand) === 'binData') return littleEndian(operand as Binary)
  const positions = Array.isArray(operand) ? operand : undefined
  const numbers = positions ?? [operand]
  if (
    !numbers.every((one) => isNumeric(one) && Number.isInteger(toNumber(one)) && toNumber(one) >= 0)
  ) {
    refuse('badValue', 'bit positions and masks are whole numbers from 0')
  }
  if (positions === undefined) return BigInt(numbers[0] as bigint)
  return positions.reduce((mask: bigint, one) => mask | (1n << BigInt(one as bigint)), 0n)
}

function littleEndian(binary: Binary): bigint {
  const bytes = binary.toString('hex').match(/../g) ?? []
  return BigInt(`0x0${bytes.reverse().join('')}`)
}
