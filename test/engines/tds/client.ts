import { once } from 'node:events'
import { Connection, type ConnectionConfiguration, Request } from 'tedious'
import type { TdsServer } from '../tds.ts'

type TediousType = Parameters<Request['addParameter']>[1]
type ParameterOptions = { length?: number; precision?: number; scale?: number }
export type Given = readonly [type: TediousType, value: unknown, options?: ParameterOptions]

export interface Reply {
  readonly sets: Record<string, unknown>[][]
  readonly output: Record<string, unknown>
  readonly counts: number[]
  readonly returned: number | undefined
}

/** tedious, with promises: for the tests of the stand-in. */
export class Client {
  readonly connection: Connection

  private constructor(connection: Connection) {
    this.connection = connection
  }

  /** `options` are tedious' own. */
  static async connect(
    server: TdsServer,
    { options, ...rest }: Partial<ConnectionConfiguration> = {},
  ): Promise<Client> {
    const connection = new Connection({
      server: '127.0.0.1',
      authentication: {
        type: 'default',
        options: { userName: server.user, password: server.password },
      },
      ...rest,
      options: { port: server.port, database: server.database, encrypt: false, ...options },
    })
    const connected = Promise.withResolvers<void>()
    connection.on('error', () => {})
    connection.connect((error) => (error ? connected.reject(error) : connected.resolve()))
    await connected.promise
    return new Client(connection)
  }

  /** As sp_executesql. */
  query(sql: string, inputs: Readonly<Record<string, Given>> = {}): Promise<Reply> {
    return this.run(sql, (request) => {
      for (const [name, [type, value, options]] of Object.entries(inputs)) {
        request.addParameter(name, type, value, options)
      }
      this.connection.execSql(request)
    })
  }

  batch(sql: string): Promise<Reply> {
    return this.run(sql, (request) => this.connection.execSqlBatch(request))
  }

  /** The first row of the first set. */
  async row(sql: string, inputs: Readonly<Record<string, Given>> = {}) {
    return (await this.query(sql, inputs)).sets[0]![0]!
  }

  run(sql: string, start: (request: Request) => void): Promise<Reply> {
    const reply = Promise.withResolvers<Reply>()
    const sets: Record<string, unknown>[][] = []
    const output: Record<string, unknown> = {}
    const counts: number[] = []
    let returned: number | undefined
    const request = new Request(sql, (error) => {
      if (error) reply.reject(error)
      else reply.resolve({ sets, output, counts, returned })
    })
    request.on('columnMetadata', () => void sets.push([]))
    request.on('row', (columns: { metadata: { colName: string }; value: unknown }[]) => {
      sets.at(-1)!.push(Object.fromEntries(columns.map((c) => [c.metadata.colName, c.value])))
    })
    request.on('returnValue', (name: string, value: unknown) => {
      output[name] = value
    })
    const onDone = (count: number | undefined) => {
      if (count !== undefined) counts.push(count)
    }
    request.on('done', onDone)
    request.on('doneInProc', onDone)
    request.on('doneProc', (_count: unknown, _more: unknown, status: number) => {
      returned = status
    })
    start(request)
    return reply.promise
  }

  begin(isolation?: number): Promise<void> {
    return this.#call((done) => this.connection.beginTransaction(done, '', isolation))
  }

  commit(): Promise<void> {
    return this.#call((done) => this.connection.commitTransaction(done))
  }

  rollback(name?: string): Promise<void> {
    return this.#call((done) => this.connection.rollbackTransaction(done, name))
  }

  save(name: string): Promise<void> {
    return this.#call((done) => this.connection.saveTransaction(done, name))
  }

  reset(): Promise<void> {
    return this.#call((done) => this.connection.reset(done))
  }

  async close(): Promise<void> {
    if ((this.connection as unknown as { closed: boolean }).closed) return
    const ended = once(this.connection, 'end')
    this.connection.close()
    await ended
  }

  #call(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    const called = Promise.withResolvers<void>()
    start((error) => (error ? called.reject(error) : called.resolve()))
    return called.promise
  }
}
