import { known } from '../core/index.ts'
import type { ExecuteOptions, ScyllaDB } from './client.ts'
import type { CqlValue } from './driver.ts'
import type { StatementOptions } from './request.ts'
import type { Result, Row } from './rows.ts'
import type { RowStream } from './stream.ts'
import { formatDate, invalid } from './values.ts'

export interface TimeSeriesOptions {
  /** `readings`, or `metrics.readings`. As the server has it: lower case, unless it was created in quotes. */
  readonly table: string
  /** What the partition key has beside the bucket: `['device']`. */
  readonly key: readonly string[]
  /** The column of the partition key that says which bucket it is. */
  readonly bucket: string
  /** The first clustering column, a timestamp. */
  readonly time: string
  /** How much one partition holds. */
  readonly every: 'hour' | 'day'
  /**
   * What the bucket's column holds, of the moment at which the bucket begins. Default: `'2026-11-28'` for a day (a
   * column of type date), and the moment itself for an hour (timestamp). All of UTC.
   */
  readonly bucketOf?: ((start: Date) => CqlValue) | undefined
}

export interface RangeOptions
  extends Pick<ExecuteOptions, 'consistency' | 'signal' | 'timeoutMs' | 'correlationId'> {
  /** Included. */
  readonly from: Date
  /** Not included. */
  readonly to: Date
  /** By time. Default `newest first`. */
  readonly order?: 'newest first' | 'oldest first' | undefined
  /** Default: all that there are. */
  readonly limit?: number | undefined
  /** Of the rows, to have less of them. Default: all. */
  readonly columns?: readonly string[] | undefined
  /** Pages that are in memory or on their way at a time. 1 to 100, default 8; with 1, one after the other. */
  readonly fanOut?: number | undefined
  /** Rows of a page. 1 to 100,000, default 1000. */
  readonly pageSize?: number | undefined
}

const lengths = { hour: 3_600_000, day: 86_400_000 } as const
const rangeNames = [
  ...['from', 'to', 'order', 'limit', 'columns', 'fanOut', 'pageSize', 'consistency'],
] as const

/**
 * Readings over time in a table of which each partition holds an hour or a day:
 *
 * ```cql
 * CREATE TABLE readings (device int, day date, at timestamp, celsius double,
 *   PRIMARY KEY ((device, day), at)) WITH CLUSTERING ORDER BY (at DESC)
 * ```
 * ```ts
 * const readings = new TimeSeries(scylla, {
 *   table: 'readings', key: ['device'], bucket: 'day', time: 'at', every: 'day',
 * })
 * ```
 */
export class TimeSeries<R = Row> {
  readonly #scylla: ScyllaDB
  readonly #options: TimeSeriesOptions
  readonly #table: string

  /** @throws InfraError `SCYLLADB_INVALID` for names that none can have */
  constructor(scylla: ScyllaDB, options: TimeSeriesOptions) {
    const { table, key, bucket, time, every } = options
    this.#scylla = scylla
    this.#options = options
    if (!Object.hasOwn(lengths, every)) throw scylla.refusal(invalid('every is not hour or day'))
    if (![...table.split('.'), ...key, bucket, time].every(isName)) {
      throw scylla.refusal(invalid('the name of a table or column is not valid'))
    }
    this.#table = table.split('.').map(quoted).join('.')
  }

  /** Inserts one row, into the bucket of its time. Its fields are columns; the bucket is not among them. */
  async insert(
    row: Readonly<Record<string, CqlValue>>,
    options?: StatementOptions,
  ): Promise<Result> {
    const { bucket, time } = this.#options
    const at = row[time]
    const columns = Object.keys(row)
    if (!(at instanceof Date) || Number.isNaN(at.getTime()) || !columns.every(isName)) {
      throw this.#scylla.refusal(
        invalid(`a row has no Date as ${time}, or a column that none can be`),
      )
    }
    const names = [bucket, ...columns].map(quoted).join(', ')
    const markers = ['?', ...columns.map(() => '?')].join(', ')
    const cql = `INSERT INTO ${this.#table} (${names}) VALUES (${markers})`
    const values = columns.map((column) => row[column])
    return this.#scylla.execute(
      cql,
      [this.#bucketOf(this.#startOf(at.getTime())), ...values],
      options,
    )
  }

  /**
   * The rows of one key from one moment to another, in order, across its buckets. Buckets, and parts of them where
   * they hold more than a page, are read at the same time: at most `fanOut` pages are in memory or on their way.
   * `timeoutMs` bounds each page, not the whole. To stop early is to leave the loop.
   * @throws InfraError of the first page that fails, when its turn comes
   */
  async *range(
    key: Readonly<Record<string, CqlValue>>,
    options: RangeOptions,
  ): AsyncGenerator<R, undefined> {
    const { fanOut, limit, pageSize, time } = this.#checked(key, options)
    const slices = new Slices(options, lengths[this.#options.every], pageSize)
    /** In order. Each has one page in memory or on its way. */
    const ahead: Reading<R>[] = []
    let left = limit
    // How much time a page covers is not known before the first one is there.
    let most = 1
    for (;;) {
      while (ahead.length < most) {
        const slice = slices.next()
        if (slice === undefined) break
        ahead.push(new Reading(slice, this.#stream(key, slice, options, Math.min(pageSize, left))))
      }
      const reading = ahead[0]
      if (reading === undefined) return
      const rows = await reading.page
      const last = rows.at(-1) as Row | undefined
      if (reading.stream.exhausted) ahead.shift()
      else reading.ask()
      slices.learn(reading, rows.length, last?.[time])
      // This page is one of them.
      most = Math.max(1, fanOut - 1)
      for (const row of rows) {
        if (left-- <= 0) return
        yield row
      }
      if (left <= 0) return
    }
  }

  #checked(key: Readonly<Record<string, CqlValue>>, options: RangeOptions) {
    const { key: names, time } = this.#options
    try {
      known(options, ...rangeNames)
      const {
        from,
        to,
        order,
        fanOut = 8,
        pageSize = 1000,
        limit = Infinity,
        columns = [],
      } = options
      if (!isMoment(from) || !isMoment(to)) throw invalid('from and to are not Dates')
      if (order !== undefined && order !== 'newest first' && order !== 'oldest first') {
        throw invalid('order is not newest first or oldest first')
      }
      if (!Number.isInteger(fanOut) || fanOut < 1 || fanOut > 100) {
        throw invalid('fanOut is not a whole number from 1 to 100')
      }
      if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 1)) {
        throw invalid('limit is not a whole number from 1')
      }
      if (!columns.every(isName)) throw invalid('the name of a column is not valid')
      if (Object.keys(key).length !== names.length || !names.every((name) => name in key)) {
        throw invalid(`the key is not ${names.join(', ')}`)
      }
      return { fanOut, limit, pageSize, time }
    } catch (error) {
      throw this.#scylla.refusal(error)
    }
  }

  #stream(
    key: Readonly<Record<string, CqlValue>>,
    { bucket, from, to }: Slice,
    options: RangeOptions,
    pageSize: number,
  ): RowStream<R> {
    const {
      order = 'newest first',
      columns,
      consistency,
      signal,
      timeoutMs,
      correlationId,
    } = options
    const { key: names, bucket: bucketColumn, time } = this.#options
    const where = [...names, bucketColumn].map((name) => `${quoted(name)} = ? AND `).join('')
    const cql = `SELECT ${columns === undefined ? '*' : columns.map(quoted).join(', ')} FROM ${this.#table} WHERE ${where}${quoted(time)} >= ? AND ${quoted(time)} < ? ORDER BY ${quoted(time)} ${order === 'newest first' ? 'DESC' : 'ASC'}`
    const parameters = [
      ...names.map((name) => key[name]),
      this.#bucketOf(bucket),
      new Date(from),
      new Date(to),
    ]
    const call = { consistency, signal, timeoutMs, correlationId, pageSize }
    return this.#scylla.stream<R>(cql, parameters, call)
  }

  #startOf(time: number): number {
    const length = lengths[this.#options.every]
    return Math.floor(time / length) * length
  }

  #bucketOf(start: number): CqlValue {
    const { every, bucketOf } = this.#options
    if (bucketOf !== undefined) return bucketOf(new Date(start))
    return every === 'day' ? formatDate(start / lengths.day) : new Date(start)
  }
}

/** A part of a bucket, or all of it. In milliseconds since 1970. */
interface Slice {
  /** Where its bucket begins. */
  readonly bucket: number
  readonly from: number
  readonly to: number
}

/** A slice that is read: one page of it is in memory, or on its way. */
class Reading<R> {
  readonly slice: Slice
  readonly stream: RowStream<R>
  page: Promise<R[]>
  rows = 0

  constructor(slice: Slice, stream: RowStream<R>) {
    this.slice = slice
    this.stream = stream
    this.page = this.ask()
  }

  ask(): Promise<R[]> {
    this.page = this.stream.nextPage()
    // Its failure is told when its turn comes, if it comes.
    this.page.catch(() => {})
    return this.page
  }
}

/**
 * Cuts a range into slices in the order in which they are read, none of which reaches beyond its bucket. The next
 * page of a slice can only be asked for when the one before is there; so a slice is to be about one page, which
 * is learned from how many rows the time that was read so far had.
 */
class Slices {
  readonly #from: number
  readonly #to: number
  readonly #newestFirst: boolean
  readonly #bucketMs: number
  readonly #pageSize: number
  /** Where the next one begins, or ends if the newest come first. */
  #edge: number
  #spanMs: number

  constructor(options: RangeOptions, bucketMs: number, pageSize: number) {
    this.#from = options.from.getTime()
    this.#to = options.to.getTime()
    this.#newestFirst = options.order !== 'oldest first'
    this.#bucketMs = bucketMs
    this.#pageSize = pageSize
    this.#edge = this.#newestFirst ? this.#to : this.#from
    this.#spanMs = bucketMs
  }

  next(): Slice | undefined {
    const edge = this.#edge
    const length = this.#bucketMs
    if (this.#newestFirst) {
      if (edge <= this.#from) return undefined
      const bucket = Math.floor((edge - 1) / length) * length
      const from = Math.max(bucket, this.#from, edge - this.#spanMs)
      this.#edge = from
      return { bucket, from, to: edge }
    }
    if (edge >= this.#to) return undefined
    const bucket = Math.floor(edge / length) * length
    const to = Math.min(bucket + length, this.#to, edge + this.#spanMs)
    this.#edge = to
    return { bucket, from: edge, to }
  }

  /** After a page. `last` is the time of its last row, if the caller has asked for that column. */
  learn<R>(reading: Reading<R>, rows: number, last: CqlValue): void {
    const { slice, stream } = reading
    reading.rows += rows
    let covered = slice.to - slice.from
    if (!stream.exhausted) {
      if (!(last instanceof Date)) return
      covered = this.#newestFirst ? slice.to - last.getTime() : last.getTime() - slice.from
    }
    // With some room: what is a little more than a page is two round trips.
    const ideal = (covered * this.#pageSize * 0.8) / Math.max(1, reading.rows)
    const most = Math.min(this.#bucketMs, this.#spanMs * 4)
    this.#spanMs = Math.max(1, Math.ceil(Math.min(ideal, most)))
  }
}

function isMoment(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}

/** https://cassandra.apache.org/doc/latest/cassandra/developing/cql/definitions.html#identifiers */
function isName(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && name.length <= 222 && !name.includes('\0')
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
