import * as errors from './errors.ts'
import type { Reply } from './reply.ts'
import type { RemoteCall, RemoteParameter } from './requests.ts'
import type { Called, Host, Session, Variables } from './session.ts'
import { type Declared, parseDeclarations } from './statements.ts'
import type { SqlType, Value } from './types.ts'
import { convert } from './values.ts'

interface Statement {
  readonly sql: string
  readonly declared: readonly Declared[]
}

/** Remote calls of one session: of texts, of prepared ones, and of procedures by name. */
export class Prepared {
  readonly #session: Session
  readonly #statements = new Map<number, Statement>()
  #handles = 0

  constructor(session: Session) {
    this.#session = session
  }

  clear(): void {
    this.#statements.clear()
  }

  /** Throws Stopped, Attention and SqlServerError; then what ends a procedure is not written. */
  async call(
    call: RemoteCall,
    host: Host,
    reply: Reply,
    signal: AbortSignal,
    more: boolean,
  ): Promise<void> {
    const { parameters } = call
    switch (call.procedure.toLowerCase()) {
      case 'sp_executesql': {
        const [sql, declarations] = parameters
        const statement = read(sql, declarations)
        await this.#execute(statement, parameters.slice(2), parameters, reply, signal, more)
        return
      }
      case 'sp_prepare': {
        const [handle, declarations, sql] = parameters
        const statement = read(sql, declarations)
        const variables = bind(statement.declared, [])
        try {
          await this.#session.prepare(statement.sql, variables, reply, signal)
        } catch (error) {
          if (!(error instanceof errors.SqlServerError)) throw error
          reply.error(error)
          throw errors.notPrepared()
        }
        this.#end(reply, [[handle!, int, this.#keep(statement)]], parameters, more)
        return
      }
      case 'sp_prepexec': {
        const [handle, declarations, sql, ...values] = parameters
        const statement = read(sql, declarations)
        const kept = this.#keep(statement)
        const first = [handle!, int, kept] as const
        await this.#execute(statement, values, parameters, reply, signal, more, first)
        return
      }
      case 'sp_execute': {
        const [handle, ...values] = parameters
        const number = Number(handle?.value)
        const statement = this.#statements.get(number)
        if (statement === undefined) throw errors.noSuchHandle(number)
        await this.#execute(statement, values, parameters, reply, signal, more)
        return
      }
      case 'sp_unprepare':
        this.#statements.delete(Number(parameters[0]?.value))
        this.#end(reply, [], parameters, more)
        return
      case 'sp_reset_connection':
        await this.#session.reset(reply)
        this.#end(reply, [], parameters, more)
        return
      default: {
        this.#session.command = 'EXECUTE'
        this.#session.sql = call.procedure
        let called: Called
        try {
          called = await host.call(call, this.#session, reply, signal)
        } finally {
          this.#session.command = undefined
        }
        const output = parameters
          .filter((parameter) => parameter.output)
          .map((parameter): Output => {
            const value = called.output.get(parameter.name.toLowerCase())
            return [parameter, parameter.type, value ?? parameter.value]
          })
        this.#end(reply, output, parameters, more, called.returned)
      }
    }
  }

  async #execute(
    { sql, declared }: Statement,
    values: readonly RemoteParameter[],
    all: readonly RemoteParameter[],
    reply: Reply,
    signal: AbortSignal,
    more: boolean,
    handle?: Output,
  ): Promise<void> {
    const variables = bind(declared, values)
    const before = this.#session.transactions
    await this.#session.scoped(() => this.#session.run(sql, variables, reply, signal))
    const after = this.#session.transactions
    if (before !== after) {
      reply.error(errors.countMismatch(before, after))
      reply.done({ failed: true })
    }
    const output = values.flatMap((parameter, at): Output[] => {
      if (!parameter.output) return []
      const name = parameter.name === '' ? declared[at]?.name : `@${parameter.name.toLowerCase()}`
      const variable = variables.get(name ?? '')
      return variable === undefined ? [] : [[parameter, variable.type, variable.value]]
    })
    this.#end(reply, handle === undefined ? output : [handle, ...output], all, more)
  }

  #keep(statement: Statement): bigint {
    this.#statements.set(++this.#handles, statement)
    return BigInt(this.#handles)
  }

  #end(
    reply: Reply,
    output: readonly Output[],
    all: readonly RemoteParameter[],
    more: boolean,
    returned = 0,
  ): void {
    reply.returned(returned)
    for (const [parameter, type, value] of output) {
      const name = parameter.name === '' ? '' : `@${parameter.name}`
      reply.output(all.indexOf(parameter), name, type, value)
    }
    reply.doneProcedure({}, more)
  }
}

type Output = readonly [parameter: RemoteParameter, type: SqlType, value: Value]

const int: SqlType = { name: 'int' }

function read(
  sql: RemoteParameter | undefined,
  declarations: RemoteParameter | undefined,
): Statement {
  const text = String(declarations?.value ?? '')
  return {
    sql: String(sql?.value ?? ''),
    declared: text.trim() === '' ? [] : parseDeclarations(text),
  }
}

/** By name, or else by place. */
function bind(declared: readonly Declared[], values: readonly RemoteParameter[]): Variables {
  return new Map(
    declared.map(({ name, type }, at) => {
      const given =
        values.find((value) => `@${value.name.toLowerCase()}` === name) ??
        (values[at]?.name === '' ? values[at] : undefined)
      return [name, { type, value: convert(given?.value ?? null, type) }]
    }),
  )
}
