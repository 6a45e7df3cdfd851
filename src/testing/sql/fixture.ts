import type { ClientOptions } from '../../core/index.ts'
import {
  type Dialect,
  type Fragment,
  Sql,
  type SqlCapabilities,
  type SqlDriver,
} from '../../sql/index.ts'
import type { Case } from '../suite.ts'
import { type Types, typesOf } from './types.ts'

/**
 * The adapter under test, and a database for it, in which the suite makes tables of its own. It may be shared: their
 * names are random, and they are dropped after each case.
 */
export interface SqlTarget {
  /** Used by most cases, several of them after one another. */
  readonly sql: Sql
  /** For another client, which the suite closes. It need not see the same data. */
  driver(): SqlDriver
  /**
   * Where the adapter has procedures: makes the stored procedures of the suite, and gives their names. They are
   * listed, with what each does, at `Procedures`.
   */
  readonly procedures?: (() => Promise<Procedures>) | undefined
}

/** Names of procedures, in the schema of the user. */
export interface Procedures {
  /** `(a int, b int)`: gives one row `sum` of one result; no rows where `a` is null. */
  readonly add: string
  /** `(code int)`: two results, `select 1 as first` and `select 2 as second union all select 3`. */
  readonly twoResults?: string | undefined
  /** `(a int, doubled int output)`: `doubled` is twice `a`, and RETURN gives `a`. Where there are output parameters. */
  readonly double?: string | undefined
}

export interface Table {
  /** For templates. */
  readonly t: Fragment
  readonly name: string
}

export interface SqlFixture {
  readonly sql: Sql
  readonly dialect: Dialect
  readonly types: Types
  readonly procedures: (() => Promise<Procedures>) | undefined
  /** Makes a table of these columns and constraints. Dropped afterwards, the last one first. */
  table(columns: string, sql?: Sql): Promise<Table>
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  create(options?: ClientOptions): Sql
  /** What `tearDown` undoes. */
  readonly used: {
    readonly tables: { readonly sql: Sql; readonly t: Fragment }[]
    readonly clients: Sql[]
  }
}

export type SqlCase = Case<SqlFixture, SqlCapabilities>

export function setUp({ sql, driver, procedures }: SqlTarget): SqlFixture {
  const { dialect } = sql
  const used: SqlFixture['used'] = { tables: [], clients: [] }
  return {
    sql,
    dialect,
    types: typesOf[dialect],
    procedures,
    used,
    async table(columns, by = sql) {
      const name = randomName()
      const t = by.id(name)
      used.tables.push({ sql: by, t })
      await by.execute(by.raw(`create table ${name} (${columns})`))
      return { t, name }
    },
    create(options) {
      const client = new Sql(driver(), { logger: false, ...options })
      used.clients.push(client)
      return client
    },
  }
}

export async function tearDown({ used }: SqlFixture): Promise<void> {
  for (const { sql, t } of used.tables.reverse()) {
    if (!sql.closed) await sql.execute`drop table if exists ${t}`
  }
  await Promise.all(used.clients.map((client) => client.close()))
}

/** Of a table. In need of no quotes. */
export function randomName(): string {
  return `dualport_${crypto.randomUUID().replaceAll('-', '')}`
}

/** For what the types forbid, as JavaScript callers may write it. */
export const not = <T>(value: unknown): T => value as T
