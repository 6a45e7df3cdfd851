import type { Connection, ExecutedQuery } from '@planetscale/database'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import type {
  CallReply,
  Insertion,
  ProcedureCall,
  Reply,
  Statement,
} from '../../../src/sql/index.ts'
import { failureOf } from './failures.ts'
import { formatted, literalOf } from './literals.ts'
import { mysqlType, portable } from './values.ts'

export type Sdk = Pick<typeof import('@planetscale/database'), 'Client' | 'Connection' | 'format'>
export type Send = (
  body: string | undefined,
  attempt: Attempt,
  signal: AbortSignal,
) => Promise<Response>

/** Characters of an INSERT, before the next begins. In bytes, and escaped as JSON, it may be some times as long. */
const insertLength = 1_000_000

/** One connection of the client, which is no more than the session that it sends along. One call at a time. */
export class Session {
  readonly #sdk: Sdk
  readonly #send: Send
  readonly #open: Set<AbortController>
  readonly #connection: Connection
  /** Of the call under way. */
  #fetch: (body: string | undefined) => Promise<Response> = () => Promise.reject()

  /** @param open What is under way, of all sessions. */
  constructor(sdk: Sdk, send: Send, open: Set<AbortController>) {
    this.#sdk = sdk
    this.#send = send
    this.#open = open
    this.#connection = new sdk.Connection({
      // Where it goes and with which credentials, `send` says.
      host: 'localhost',
      username: '',
      password: '',
      fetch: (_, init) => this.#fetch(init?.body),
      cast: portable,
    })
  }

  async run(statement: Statement, attempt: Attempt): Promise<Reply> {
    const { text, parameters, kind } = statement
    const query = formatted(text, parameters, this.#sdk.format)
    const { fields, rows, rowsAffected, insertId } = await this.execute(query, attempt)
    return {
      columns: fields.map(({ name = '' }) => name),
      types: fields.map(mysqlType),
      rows,
      // Vitess counts the rows of a SELECT as well.
      rowsAffected: kind === 'SELECT' ? 0 : rowsAffected,
      insertId: statement.insertId && insertId !== '0' ? BigInt(insertId) : null,
    }
  }

  async call({ name, parameters }: ProcedureCall, attempt: Attempt): Promise<CallReply> {
    const values = parameters.map((parameter) => literalOf(parameter, this.#sdk.format))
    const text = `CALL ${quoted(name)}(${values.join(', ')})`
    const { fields, rows } = await this.execute(text, attempt)
    const columns = fields.map(({ name = '' }) => name)
    const sets = columns.length === 0 ? [] : [{ columns, types: fields.map(mysqlType), rows }]
    return { sets, output: {}, returnValue: null }
  }

  /** As few statements as their length allows. */
  insertions({ table, columns, rows }: Insertion): string[] {
    const { format } = this.#sdk
    const names = columns.map((column) => quoted([column])).join(', ')
    const head = `INSERT INTO ${quoted(table)} (${names}) VALUES `
    const texts: string[] = []
    let text = ''
    for (const row of rows) {
      const values = `(${row.map((value) => literalOf(value, format)).join(', ')})`
      if (text !== '' && text.length + values.length > insertLength) {
        texts.push(text)
        text = ''
      }
      text += text === '' ? head + values : `, ${values}`
    }
    if (text !== '') texts.push(text)
    return texts
  }

  /** From here on, all that is executed belongs to a transaction. */
  async begin(attempt: Attempt): Promise<void> {
    await this.execute('BEGIN', attempt)
    const { session } = this.#connection as unknown as { session: unknown }
    if (typeof session === 'object' && session !== null) return
    // What follows would run outside of it.
    const detail = 'the server began a transaction and gave no session for it'
    throw new DriverFailure({ kind: 'internal', outcome: 'not-applied', detail })
  }

  /** @throws DriverFailure, or what `fetch` threw */
  async execute(text: string, attempt: Attempt): Promise<ExecutedQuery<unknown[]>> {
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const controller = new AbortController()
    this.#open.add(controller)
    attempt.onCancel = () => controller.abort()
    let answer: Response | undefined
    this.#fetch = async (body) => {
      const response = await this.#send(body, attempt, controller.signal)
      // Here, so that a body that is cut fails as `fetch` does, and what the client throws is its own.
      const received = await response.text()
      answer = response
      const { ok, status, statusText, headers } = response
      return { ok, status, statusText, headers, text: async () => received } as Response
    }
    try {
      return await this.#connection.execute<unknown[]>(text, null, { as: 'array' })
    } catch (error) {
      if (answer === undefined || error instanceof DriverFailure) throw error
      throw failureOf(error, answer)
    } finally {
      this.#open.delete(controller)
    }
  }
}

export function quoted(name: readonly string[]): string {
  return name.map((part) => `\`${part.replaceAll('`', '``')}\``).join('.')
}
