import {
  type CqlCapabilities,
  type CqlValue,
  ScyllaDB,
  type ScyllaDriver,
  type ScyllaOptions,
} from '../../scylladb/index.ts'
import type { Case } from '../suite.ts'

/**
 * The adapter under test, in a keyspace in which the suite makes tables of its own and leaves them. It may be shared:
 * each case has a partition of its own.
 */
export interface ScyllaTarget {
  /** Used by most cases, several of them after one another. */
  readonly scylladb: ScyllaDB
  /** For another client, in the same keyspace, which the suite closes. */
  driver(): ScyllaDriver
}

export interface ScyllaFixture {
  readonly scylladb: ScyllaDB
  /** The partition of this case: `k` of every table. */
  readonly k: string
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  create(options?: ScyllaOptions): ScyllaDB
  /** Makes the tables, where they are not. */
  ready(): Promise<void>
  readonly clients: ScyllaDB[]
}

export type ScyllaCase = Case<ScyllaFixture, CqlCapabilities>

/** The columns of `dualport_types`, but for its key. */
const columns = {
  c_tinyint: 'tinyint',
  c_smallint: 'smallint',
  c_int: 'int',
  c_bigint: 'bigint',
  c_varint: 'varint',
  c_decimal: 'decimal',
  c_float: 'float',
  c_double: 'double',
  c_text: 'text',
  c_ascii: 'ascii',
  c_boolean: 'boolean',
  c_timestamp: 'timestamp',
  c_date: 'date',
  c_time: 'time',
  c_duration: 'duration',
  c_uuid: 'uuid',
  c_timeuuid: 'timeuuid',
  c_inet: 'inet',
  c_blob: 'blob',
  c_list: 'list<int>',
  c_set: 'set<text>',
  c_map: 'map<text, bigint>',
  c_frozen: 'frozen<list<decimal>>',
  c_tuple: 'tuple<int, text, date>',
  c_place: 'frozen<dualport_place>',
  c_vector: 'vector<float, 3>',
  c_words: 'vector<text, 2>',
  c_deep: 'map<uuid, frozen<list<frozen<tuple<inet, frozen<set<blob>>>>>>>',
} as const

export type Column = keyof typeof columns

const schema = [
  'CREATE TYPE IF NOT EXISTS dualport_place (city text, level int, tags set<text>)',
  `CREATE TABLE IF NOT EXISTS dualport_types (k text, n int, ${Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(', ')}, PRIMARY KEY (k, n))`,
  'CREATE TABLE IF NOT EXISTS dualport_rows (k text, n int, v text, PRIMARY KEY (k, n))',
  'CREATE TABLE IF NOT EXISTS dualport_counters (k text, n int, c counter, PRIMARY KEY (k, n))',
  'CREATE TABLE IF NOT EXISTS dualport_lists (k text PRIMARY KEY, l list<int>, s set<int>)',
  `CREATE TABLE IF NOT EXISTS dualport_days (k text, day date, at timestamp, n int, "V" text,
    PRIMARY KEY ((k, day), at, n)) WITH CLUSTERING ORDER BY (at DESC, n ASC)`,
  `CREATE TABLE IF NOT EXISTS dualport_hours (k text, hour timestamp, at timestamp, v double,
    PRIMARY KEY ((k, hour), at))`,
]
/** Only what is settled is kept: a promise of one request must not be awaited by another in workerd. */
const ready = new WeakSet<ScyllaDB>()

export function setUp({ scylladb, driver }: ScyllaTarget): ScyllaFixture {
  const clients: ScyllaDB[] = []
  return {
    scylladb,
    k: crypto.randomUUID(),
    clients,
    create(options) {
      const client = new ScyllaDB(driver(), { logger: false, ...options })
      clients.push(client)
      return client
    },
    async ready() {
      if (ready.has(scylladb)) return
      for (const cql of schema) await scylladb.execute(cql, [], { timeoutMs: 30_000 })
      ready.add(scylladb)
    },
  }
}

export async function tearDown({ clients }: ScyllaFixture): Promise<void> {
  await Promise.all(clients.map((client) => client.close()))
}

/** For what the types forbid, as JavaScript callers may write it. */
export const not = <T>(value: unknown): T => value as T

export const insertRow = 'INSERT INTO dualport_rows (k, n, v) VALUES (?, ?, ?)'
export const selectRows = 'SELECT n, v FROM dualport_rows WHERE k = ?'

/** Rows `n` from 1 to `count`, with the texts `row 1`, `row 2`, ... */
export async function numbers({ scylladb, k }: ScyllaFixture, count: number): Promise<void> {
  for (let from = 1; from <= count; from += 100) {
    const length = Math.min(100, count - from + 1)
    const statements = Array.from({ length }, (_, i) => ({
      cql: insertRow,
      parameters: [k, from + i, `row ${from + i}`] satisfies CqlValue[],
    }))
    await scylladb.batch(statements, { type: 'unlogged' })
  }
}

export function rowsFrom(first: number, last: number): { n: number; v: string }[] {
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    n: first + i,
    v: `row ${first + i}`,
  }))
}
