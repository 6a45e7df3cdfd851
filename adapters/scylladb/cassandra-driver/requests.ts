import type { Client, QueryOptions, types } from 'cassandra-driver'
import { type Attempt, DriverFailure } from '../../../src/core/index.ts'
import {
  type CqlColumn,
  type CqlReply,
  type CqlRequest,
  type CqlSettings,
  type CqlValue,
  consistencies,
} from '../../../src/scylladb/index.ts'
import { type Codec, codecOf, type NativeType } from './codec.ts'

/** What of the library, and of what it knows, a request needs. */
export interface Library {
  readonly client: Client
  readonly parse: (name: string) => NativeType
  readonly timestamp: (microseconds: bigint) => number | types.Long
  /** By their texts. */
  readonly statements: Map<string, Known>
}

interface Column {
  readonly name: string
  readonly type: NativeType
}

/** What the server has said of a statement. */
export interface Prepared {
  /** Others when it is prepared anew. */
  readonly columns: readonly Column[]
  readonly codecs: readonly Codec[]
}

interface Known {
  /** The library's own record. It does not declare it. */
  readonly info: { readonly meta?: { readonly columns: readonly Column[] } }
  prepared: Prepared | undefined
}

/** As many as the library keeps. */
const maxStatements = 500

/** `undefined` if the server has not been asked. */
export function preparedOf(library: Library, cql: string): Prepared | undefined {
  const { client, statements, parse } = library
  let known = statements.get(cql)
  if (known === undefined) {
    const metadata = client.metadata as unknown as {
      getPreparedInfo(keyspace: string | undefined, query: string): Known['info']
    }
    if (statements.size >= maxStatements) statements.clear()
    known = { info: metadata.getPreparedInfo(client.keyspace, cql), prepared: undefined }
    statements.set(cql, known)
  }
  const columns = known.info.meta?.columns
  if (columns === undefined) return undefined
  if (known.prepared?.columns !== columns) {
    known.prepared = { columns, codecs: columns.map(({ type }) => codecOf(type, parse)) }
  }
  return known.prepared
}

/** How a request says what is to be done with it. */
export class Sending implements QueryOptions {
  prepare = true
  readonly isIdempotent = false
  readonly consistency: number
  readonly readTimeout: number
  serialConsistency?: number
  timestamp?: number | types.Long
  fetchSize?: number
  pageState?: Buffer
  logged?: boolean
  counter?: boolean
  readonly #attempt: Attempt

  constructor(
    { timestamp: timestampOf }: Library,
    attempt: Attempt,
    settings: CqlSettings | undefined,
    page: Pick<CqlRequest, 'pageSize' | 'pagingState'> | undefined,
  ) {
    const { consistency = 'LOCAL_ONE', serialConsistency, timestamp } = settings ?? {}
    this.#attempt = attempt
    // Their numbers on the wire are their places in the list.
    const level = consistencies.indexOf(consistency)
    // The library takes a 0, which is ANY, for none, and ONE in its place; but not this one.
    this.consistency = level === 0 ? (Object(0) as number) : level
    // The pipeline ends the wait. A moment later, so that an answer which never comes counts against the connection.
    this.readTimeout = Math.max(1, Math.ceil(attempt.due - performance.now())) + 50
    if (serialConsistency !== undefined) {
      this.serialConsistency = consistencies.indexOf(serialConsistency)
    }
    if (timestamp !== undefined) this.timestamp = timestampOf(timestamp)
    if (page !== undefined) this.fetchSize = page.pageSize
    if (page?.pagingState !== undefined) this.pageState = Buffer.from(page.pagingState)
  }

  /** The library asks for it while it writes the request, and at no other time: now, or never. */
  get traceQuery(): boolean {
    checkAwaited(this.#attempt)
    this.#attempt.sent = true
    return false
  }
}

/** Stops where `Sending` would be sent. */
export class Preparing implements QueryOptions {
  readonly prepare = true
  readonly isIdempotent = false
  isPrepared = false

  get traceQuery(): boolean {
    this.isPrepared = true
    throw new DriverFailure({ kind: 'aborted', detail: 'prepared' })
  }
}

/** @throws DriverFailure if nobody waits any more: what has not been sent by then must not be */
export function checkAwaited({ over }: Attempt): void {
  if (over) throw new DriverFailure({ kind: 'aborted', outcome: 'not-applied' })
}

export type Bytes = Buffer | null | undefined

/**
 * @param where in front of the message
 * @throws DriverFailure of kind `invalid`
 */
export function bind(
  { columns, codecs }: Prepared,
  parameters: readonly CqlValue[],
  where: string,
): Bytes[] {
  if (parameters.length !== codecs.length) {
    throw invalid(`${where}there are ${parameters.length} parameters for ${codecs.length} markers`)
  }
  return parameters.map((value, i) => {
    if (value === null || value === undefined) return value
    const codec = codecs[i] as Codec
    const bytes = codec.encode(value)
    if (bytes !== undefined) return bytes
    throw invalid(`${where}parameter ${i + 1} (${columns[i]?.name}) is no ${codec.name}`)
  })
}

function invalid(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'invalid', outcome: 'not-applied', detail })
}

/** Of nearly every call: no closures, and nothing made twice. */
export function replyOf(result: types.ResultSet, parse: Library['parse']): CqlReply {
  const described = (result.columns ?? []) as readonly Column[]
  const count = described.length
  const columns = new Array<CqlColumn>(count)
  const decoders = new Array<Codec['decode']>(count)
  for (let i = 0; i < count; i++) {
    const { name, type } = described[i] as Column
    const codec = codecOf(type, parse)
    columns[i] = { name, type: codec.name }
    decoders[i] = codec.decode
  }
  const native = (result.rows ?? []) as readonly Readonly<Record<string, unknown>>[]
  const rows = new Array<CqlValue[]>(native.length)
  for (let r = 0; r < native.length; r++) {
    const row = native[r] as Readonly<Record<string, unknown>>
    const values = new Array<CqlValue>(count)
    for (let i = 0; i < count; i++) {
      const value = row[(columns[i] as CqlColumn).name]
      const decode = decoders[i]
      if (value === null || value === undefined) values[i] = null
      else values[i] = decode === undefined ? (value as CqlValue) : decode(value as never)
    }
    rows[r] = values
  }
  const { rawPageState } = result as { rawPageState?: Buffer }
  const pagingState = rawPageState === undefined ? undefined : new Uint8Array(rawPageState)
  return { columns, rows, pagingState, warnings: result.info.warnings ?? [] }
}
