import { DriverFailure } from '../../../src/core/index.ts'
import type { Parameter } from '../../../src/sql/index.ts'
import { type TokenType, tokensOf } from '../../../src/sql/tokens.ts'

/** Of `@planetscale/database`: puts values where the placeholders of a text are. */
export type Format = (query: string, values: unknown[]) => string

/**
 * A statement with its values in it. Where they go, our own tokenizer says, which reads quotes and comments as
 * MySQL does; how they are written, the client's `format`, but for the types that it does not keep.
 * @throws DriverFailure of kind `invalid`
 */
export function formatted(text: string, parameters: readonly Parameter[], format: Format): string {
  if (parameters.length === 0) return text
  let result = ''
  let done = 0
  let index = 0
  let before: TokenType | undefined
  for (const { type, text: token, at } of tokensOf(text, 'mysql')) {
    if (type === 'comment') continue
    // Two texts side by side would be one.
    if (isText(type) && isText(before) && (type === 'placeholder' || before === 'placeholder')) {
      throw invalid('a value stands beside a text: write AS between them')
    }
    before = type
    if (type !== 'placeholder') continue
    const parameter = parameters[index++]
    if (parameter === undefined) break
    const literal = literalOf(parameter, format)
    const end = at + token.length
    result += text.slice(done, at) + apart(text[at - 1]) + literal + apart(text[end])
    done = end
  }
  if (index !== parameters.length) throw invalid('there are not as many values as placeholders')
  return result + text.slice(done)
}

function isText(type: TokenType | undefined): boolean {
  return type === 'string' || type === 'placeholder'
}

/** What would make one word with a literal beside it: a name, a number, a quote. */
function apart(neighbour: string | undefined): string {
  return neighbour !== undefined && /[\w$.@'"`\u0080-\uffff]/.test(neighbour) ? ' ' : ''
}

export function literalOf({ type, value }: Parameter, format: Format): string {
  if (value === null) return 'null'
  switch (type) {
    case 'double':
      return signed(double(value as number))
    case 'decimal':
      return signed(decimal(value as string))
    case 'integer':
    case 'bigint':
      return signed(format('?', [value]))
    default:
      return format('?', [value])
  }
}

/** So that no two hyphens come together. */
function signed(number: string): string {
  return number.startsWith('-') ? `(${number})` : number
}

/** With an exponent: without one it would be a decimal. */
function double(value: number): string {
  return Object.is(value, -0) ? '-0e+0' : value.toExponential()
}

/** With a point: without one it would be an integer. */
function decimal(digits: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(digits) ?? []
  if (whole + fraction === '') throw invalid('a decimal is not digits')
  return `${sign === '-' ? '-' : ''}${whole === '' ? '0' : whole}.${fraction}`
}

function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}
