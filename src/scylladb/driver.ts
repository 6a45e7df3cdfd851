import type { Attempt, Driver, Pool } from '../core/index.ts'

/*
 * Values, the same on every transport, in either direction:
 *
 * | CQL                       | JavaScript                                                                      |
 * |---------------------------|---------------------------------------------------------------------------------|
 * | tinyint, smallint, int    | number; in also bigint                                                          |
 * | bigint, varint, counter   | bigint; in also a whole number below 2^53                                       |
 * | float, double             | number                                                                          |
 * | decimal                   | string: `'1.10'`, `'1E+1000'`                                                   |
 * | text, varchar, ascii      | string                                                                          |
 * | boolean                   | boolean                                                                         |
 * | timestamp                 | Date                                                                            |
 * | date                      | string: `'2026-11-28'`; before year 0 and after 9999 with a sign, `'-0044-03-15'` |
 * | time                      | string: `'12:00:00.5'`, up to nine digits, no zeros at the end                  |
 * | duration                  | string: `'1mo2d3h4ns'`, units `mo d h m s ms us ns`                             |
 * | uuid, timeuuid            | string, lower case                                                              |
 * | inet                      | string: `'192.0.2.1'`, `'2001:db8::1'`                                          |
 * | blob                      | Uint8Array                                                                      |
 * | list, vector              | array                                                                           |
 * | set                       | Set                                                                             |
 * | map                       | Map                                                                             |
 * | tuple                     | array; `null` for what it lacks                                                 |
 * | user-defined type         | object; `null` for fields that it lacks, in either direction                    |
 * | null                      | null. A collection that is empty and not frozen is null to the server           |
 *
 * As a parameter, `null` deletes what the column has (a tombstone), and `undefined` leaves it as it is (unset).
 * What the server converts, a number to a text, say, is refused instead; nothing is rounded, but to a float.
 */

export type CqlValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly CqlValue[]
  | ReadonlySet<CqlValue>
  | ReadonlyMap<CqlValue, CqlValue>
  | { readonly [field: string]: CqlValue }

export const consistencies = [
  'ANY',
  'ONE',
  'TWO',
  'THREE',
  'QUORUM',
  'ALL',
  'LOCAL_QUORUM',
  'EACH_QUORUM',
  'SERIAL',
  'LOCAL_SERIAL',
  'LOCAL_ONE',
] as const

export type Consistency = (typeof consistencies)[number]
/** For the condition of a lightweight transaction. */
export type SerialConsistency = 'SERIAL' | 'LOCAL_SERIAL'

export interface CqlStatement {
  /** One statement, with `?` or `:name` where the parameters go. It is always prepared. */
  readonly cql: string
  /** As many as the text has markers, in their order: of a name that stands there twice, two. Checked but for their types. */
  readonly parameters: readonly CqlValue[]
}

export interface CqlSettings {
  readonly consistency: Consistency
  readonly serialConsistency: SerialConsistency | undefined
  /** Of what is written, in microseconds since 1970. `undefined`: the server's. */
  readonly timestamp: bigint | undefined
  /** To send it twice does no harm. An adapter that does not repeat anything has no use for it. */
  readonly idempotent: boolean
}

export interface CqlRequest extends CqlStatement, CqlSettings {
  /** Rows of a page. At least 1. */
  readonly pageSize: number
  /** Of the page before, with the same statement and parameters. `undefined` for the first page. */
  readonly pagingState: Uint8Array | undefined
}

export type BatchType = 'logged' | 'unlogged' | 'counter'

export interface CqlBatch extends CqlSettings {
  readonly type: BatchType
  readonly statements: readonly CqlStatement[]
}

export interface CqlColumn {
  readonly name: string
  /** In CQL: `int`, `map<text, frozen<list<int>>>`, `vector<float, 3>`, the name of a user-defined type. */
  readonly type: string
}

export interface CqlReply {
  /** Empty if it has no rows to give. Not necessarily unique. The first of a lightweight transaction is `[applied]`. */
  readonly columns: readonly CqlColumn[]
  /** Each as long as `columns`. */
  readonly rows: readonly (readonly CqlValue[])[]
  /** Where the rest is; `undefined` if this was all. A page may be empty and not the last. */
  readonly pagingState: Uint8Array | undefined
  /** The server's own words, which may quote names of tables. */
  readonly warnings: readonly string[]
}

/** The nodes of the local data centre. */
export interface Hosts {
  /** That can be reached. */
  readonly up: number
  readonly total: number
}

/** What an adapter cannot do. Data: the conformance suite and the docs read it. */
export interface CqlCapabilities {
  /** A caller who stops waiting also stops the statement at the server. CQL has no such thing. */
  readonly cancel: boolean
  /** `hosts` knows them. */
  readonly hosts: boolean
}

/** The seam that adapters for ScyllaDB and Cassandra implement. */
export interface ScyllaDriver extends Driver {
  readonly capabilities: CqlCapabilities
  /** In which names without a keyspace are looked up. */
  readonly keyspace: string | undefined
  /** `SELECT key FROM system.local` at LOCAL_ONE. */
  ping(attempt: Attempt): Promise<void>
  /** One page of one statement. */
  execute(request: CqlRequest, attempt: Attempt): Promise<CqlReply>
  /** All of its statements in one request. With a condition in one of them, the reply is that of a lightweight transaction. */
  batch(batch: CqlBatch, attempt: Attempt): Promise<CqlReply>
  /** Only where `capabilities.hosts` says so. Sends nothing that `ping` has not. */
  hosts?(attempt: Attempt): Promise<Hosts>
  /** Set by the client, which logs what it is told: something was decided that configuration left open. */
  onNotice?: ((notice: Notice) => void) | undefined
  /** Of adapters that hold connections. */
  readonly pool?: Pool
}

export interface Notice {
  /** `local_data_center_learned` */
  readonly event: string
  /** Nothing in it is secret. */
  readonly details: Readonly<Record<string, string | number>>
}
