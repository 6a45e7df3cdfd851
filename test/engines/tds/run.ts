import * as errors from './errors.ts'
import type { Environment } from './expressions.ts'
import type { Reply } from './reply.ts'
import { rewrite } from './rewrite.ts'
import type { Session, Variables } from './session.ts'
import { parseBatch, type Statement } from './statements.ts'
import { stored, type Value } from './types.ts'
import { convert } from './values.ts'

/** One text on its way. */
export class Run implements Environment {
  readonly sql: string
  readonly variables: Variables
  readonly reply: Reply
  readonly signal: AbortSignal
  returned = false
  readonly #session: Session

  constructor(
    session: Session,
    sql: string,
    variables: Variables,
    reply: Reply,
    signal: AbortSignal,
  ) {
    this.#session = session
    this.sql = sql
    this.variables = variables
    this.reply = reply
    this.signal = signal
  }

  get database(): string {
    return this.#session.hostDatabase
  }

  known(name: string) {
    return this.#session.known(name)
  }

  view(name: string): string | undefined {
    return this.#session.view(name)
  }

  parameters(): Record<string, Value> {
    return Object.fromEntries(
      [...this.variables].map(([name, { type, value }]) => [name, stored(value, type)]),
    )
  }

  assign(name: string, value: Value): void {
    const variable = this.variables.get(name)
    if (variable === undefined) throw errors.undeclared(name)
    variable.value = convert(value, variable.type)
  }

  /** All of it is read before any of it runs: a batch with an error of syntax does nothing. */
  async compile(always = false): Promise<Statement[]> {
    const statements = parseBatch(this.sql)
    if (!always && statements.length < 2) return statements
    const variables = new Map(this.variables)
    const queries: string[] = []
    const visit = (list: readonly Statement[]) => {
      for (const statement of list) {
        if (statement.kind === 'declare') {
          for (const { name, type } of statement.variables)
            variables.set(name, { type, value: null })
        } else if (statement.kind === 'if') {
          visit(statement.yes)
          visit(statement.no)
        } else if (statement.kind === 'query') {
          const environment: Environment = {
            database: this.database,
            variables,
            known: (name) => this.known(name),
            view: (name) => this.view(name),
          }
          queries.push(...rewrite(statement.verb, statement.nodes, environment).sql)
        }
      }
    }
    visit(statements)
    await this.#session.check(queries)
    return statements
  }
}
