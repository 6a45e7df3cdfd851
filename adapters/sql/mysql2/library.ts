import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'

/* What is used of mysql2. Its own types lack some of it, and have `any` for the rest. */

export interface Library {
  createConnection(options: object): NativeConnection
  readonly TypedParameter: TypedParameters
}

/** Values that go out as exactly that type. */
export interface TypedParameters {
  LONG(value: number): object
  readonly LONGLONG: { (value: bigint): object; unsigned(value: bigint): object }
  DOUBLE(value: number): object
  NEWDECIMAL(value: string): object
  JSON(value: string): object
}

export interface NativeConnection extends EventEmitter {
  readonly threadId: number
  readonly stream: Duplex
  prepare(text: string, done: (error: Error | null, statement: NativeStatement) => void): void
  unprepare(text: string): void
  query(text: string, done: Done): Command
  ping(done: (error?: Error | null) => void): void
  pause(): void
  resume(): void
  /** Says goodbye to the server. */
  end(): void
  destroy(): void
}

export interface NativeStatement {
  execute(values: readonly unknown[], done?: Done): Command
}

/** With a callback it collects the rows; without, it emits `result` for each, then `end`, or `error` and `end`. */
export type Command = EventEmitter

/** Of several results, `rows` and `fields` have one entry for each. */
type Done = (error: Error | null, rows: Answer[0], fields: Answer[1]) => void
export type Answer = readonly [
  rows: unknown[][] | Header | readonly (unknown[][] | Header)[],
  fields: readonly Field[] | readonly (readonly Field[] | undefined)[] | undefined,
]

/** What a statement answers that has no rows. */
export interface Header {
  readonly affectedRows: number
  /** A string beyond 2^53. */
  readonly insertId: number | string
  readonly serverStatus: number
}

/** The definition of a column. */
export interface Field {
  name: string
  /** Ours: the name, where the library must not see it. */
  label?: string
  /** As the server says. */
  readonly type: number
  /** By which its values are read. */
  columnType: number
  readonly flags: number
  readonly characterSet: number
  /** MariaDB's own types: `uuid`. */
  readonly extendedTypeName?: string | undefined
  /** MariaDB: `json`, for what is text otherwise. */
  readonly extendedFormat?: string | undefined
}
