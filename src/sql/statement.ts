import type { Dialect, Parameter, Statement } from './driver.ts'
import { type Reading, read, valueMark } from './tokens.ts'
import { invalid, parameterOf, type SqlValue } from './values.ts'

/** A piece of SQL with its values: what goes into another one, or runs. */
export class Fragment {
  /** One more than there are values. */
  readonly pieces: readonly string[]
  readonly values: readonly Parameter[]

  /** @internal `sql.fragment` makes them. */
  constructor(pieces: readonly string[], values: readonly Parameter[]) {
    this.pieces = pieces
    this.values = values
  }
}

/** SQL in the database's own words, with its own placeholders: `sql.raw('select ?', [1])`. */
export class RawStatement {
  readonly text: string
  readonly values: readonly Parameter[]

  /** @internal `sql.raw` makes them. */
  constructor(text: string, values: readonly Parameter[]) {
    this.text = text
    this.values = values
  }
}

/** What may stand in `${...}`. */
export type Insert = SqlValue | Fragment

/** A statement that is ready to run, with what its text says of itself. */
export interface Prepared {
  readonly text: string
  readonly parameters: readonly Parameter[]
  readonly reading: Reading
}

/** A text whose values are all plain, read once for each place in a program. */
interface Template {
  readonly text: string
  readonly reading: Reading
}

/** The names of SQL Server and MySQL are no longer. https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html */
const maxName: Readonly<Record<Dialect, number>> = { sqlserver: 128, mysql: 64, sqlite: 1024 }

/** A character that a name or a number may have. */
const part = /[\w@$#\u0080-\uffff]/

/** Makes statements of one dialect. */
export class Writer {
  readonly dialect: Dialect
  readonly maxParameters: number
  /** By the strings of a template literal, which are the same object each time that place is run. */
  readonly #templates = new WeakMap<TemplateStringsArray, Template>()

  constructor(dialect: Dialect, maxParameters: number) {
    this.dialect = dialect
    this.maxParameters = maxParameters
  }

  /** @throws DriverFailure of kind `invalid` */
  prepare(strings: TemplateStringsArray, inserts: readonly Insert[]): Prepared {
    if (inserts.some((insert) => insert instanceof Fragment)) {
      return this.prepareFragment(this.fragment(strings, inserts))
    }
    let template = this.#templates.get(strings)
    if (template === undefined) {
      template = this.#read(strings)
      this.#templates.set(strings, template)
    }
    this.#count(inserts.length)
    return { ...template, parameters: inserts.map(parameterOf) }
  }

  prepareFragment({ pieces, values }: Fragment): Prepared {
    this.#count(values.length)
    return { ...this.#read(pieces), parameters: values }
  }

  prepareRaw({ text, values }: RawStatement): Prepared {
    const reading = read(text, this.dialect)
    if (reading.problem !== undefined) throw invalid(reading.problem)
    const { placeholders } = reading
    if (placeholders.length !== values.length) {
      throw invalid(`the text has ${placeholders.length} placeholders for ${values.length} values`)
    }
    if (
      this.dialect === 'sqlserver' &&
      !placeholders.every((_, i) => placeholders.includes(`@p${i + 1}`))
    ) {
      throw invalid(`the placeholders are not @p1 to @p${values.length}`)
    }
    if (this.dialect === 'sqlite' && placeholders.some((name) => !name.startsWith('?#'))) {
      throw invalid('a placeholder is not ?')
    }
    this.#count(values.length)
    return { text, parameters: values, reading }
  }

  fragment(strings: readonly string[], inserts: readonly Insert[]): Fragment {
    const pieces = [strings[0] as string]
    const values: Parameter[] = []
    const append = (text: string) => {
      pieces[pieces.length - 1] += text
    }
    for (const [i, insert] of inserts.entries()) {
      if (insert instanceof Fragment) {
        append(insert.pieces[0] as string)
        pieces.push(...insert.pieces.slice(1))
        values.push(...insert.values)
      } else {
        pieces.push('')
        values.push(parameterOf(insert))
      }
      append(strings[i + 1] as string)
    }
    return new Fragment(pieces, values)
  }

  /** `schema.table` in the dialect's quotes. */
  name(parts: readonly string[]): string {
    if (parts.length === 0) throw invalid('a name is missing')
    return parts.map((part) => this.#quote(part)).join('.')
  }

  #quote(name: string): string {
    checkName(name, this.dialect)
    if (this.dialect === 'mysql') return `\`${name.replaceAll('`', '``')}\``
    if (this.dialect === 'sqlserver') return `[${name.replaceAll(']', ']]')}]`
    return `"${name.replaceAll('"', '""')}"`
  }

  #read(pieces: readonly string[]): Template {
    const marked = pieces.join(valueMark)
    const reading = read(marked, this.dialect)
    const { problem, placeholders, values } = reading
    if (problem !== undefined) throw invalid(problem)
    if (values !== pieces.length - 1) throw invalid('the text has a character U+0000')
    if (placeholders.length > 0) {
      throw invalid('the text has a placeholder of its own: write the value into the template')
    }
    const named = this.dialect === 'sqlserver'
    // What stands beside a placeholder would become part of it: `@p1` and `1` are not `@p11`, nor `?` and `1` `?1`.
    const text = pieces.reduce((text, piece, i) => {
      const before = named && part.test(text.slice(-1)) ? ' ' : ''
      const after = part.test(piece.slice(0, 1)) ? ' ' : ''
      return `${text}${before}${named ? `@p${i}` : '?'}${after}${piece}`
    })
    return { text, reading }
  }

  #count(parameters: number): void {
    if (parameters > this.maxParameters) {
      throw invalid(`a statement has at most ${this.maxParameters} values`)
    }
  }
}

/** @throws DriverFailure of kind `invalid` */
export function checkName(name: string, dialect: Dialect): void {
  const max = maxName[dialect]
  if (typeof name !== 'string' || name === '' || name.length > max) {
    throw invalid(`a name is not a text of 1 to ${max} characters`)
  }
  if (!name.isWellFormed() || name.includes(valueMark)) {
    throw invalid('a name has a character that none may have')
  }
}

/** For the driver. */
export function statementOf({ text, parameters, reading }: Prepared, insertId: boolean): Statement {
  return { text, parameters, kind: reading.kind, insertId: insertId && reading.kind === 'INSERT' }
}
