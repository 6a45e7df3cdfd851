import { type CallOptions, known, type Operation } from '../core/index.ts'
import { writeValue } from '../core/values.ts'
import {
  type BatchType,
  type Consistency,
  type CqlBatch,
  type CqlRequest,
  type CqlSettings,
  type CqlStatement,
  type CqlValue,
  consistencies,
  type SerialConsistency,
} from './driver.ts'
import { type Reading, read } from './tokens.ts'
import { checkValue, invalid } from './values.ts'

/** In the order of the `?` in the text, or by the names after the colons. */
export type Parameters = readonly CqlValue[] | Readonly<Record<string, CqlValue>>

interface WriteOptions {
  /** Default: the client's. */
  readonly consistency?: Consistency | undefined
  /** For the condition of a lightweight transaction. Default: the client's. */
  readonly serialConsistency?: SerialConsistency | undefined
  /**
   * Of what is written: the later one wins. Microseconds since 1970, or a Date. Default: now, by this machine's
   * clock; of a lightweight transaction and of counters the server's, and no other.
   */
  readonly timestamp?: bigint | Date | undefined
  /**
   * Running it twice, with the same timestamp, has the same effect and the same reply as once, so that it may be
   * repeated after a lost connection. Default: what the text says; see README. What can never be repeated, a
   * lightweight transaction or what adds to a counter or list, is refused with `true`.
   */
  readonly idempotent?: boolean | undefined
}

export interface StatementOptions extends CallOptions, WriteOptions {
  /** What is inserted or updated is gone after so many seconds. 0 to 630,720,000 (20 years); 0: never. */
  readonly ttlSeconds?: number | undefined
}

export interface BatchOptions extends CallOptions, WriteOptions {
  /** Default `logged`: all is applied in the end, or nothing. */
  readonly type?: BatchType | undefined
}

/** One statement of a batch. */
export interface BatchStatement {
  readonly cql: string
  readonly parameters?: Parameters | undefined
  readonly ttlSeconds?: number | undefined
}

/** What the client decides where a call does not. */
export interface Defaults {
  readonly consistency: Consistency
  readonly serialConsistency: SerialConsistency | undefined
}

export const settingNames = ['consistency', 'serialConsistency', 'timestamp', 'idempotent'] as const

const maxTtl = 630_720_000
/** The protocol counts the statements of a batch with 16 bits. */
const maxStatements = 65_535
const maxPageSize = 100_000
/** As many texts are remembered as read; who makes them of data has more. */
const maxReadings = 1000
/** Of characters: longer texts are not kept. */
const maxReadingLength = 10_000

/** Makes requests of what users give. All of it throws DriverFailure of kind `invalid`. */
export class Requests {
  readonly #defaults: Defaults
  readonly #readings = new Map<string, Reading>()
  #lastTimestamp = 0

  constructor(defaults: Defaults) {
    this.#defaults = defaults
  }

  read(cql: string): Reading {
    let reading = this.#readings.get(cql)
    if (reading === undefined) {
      if (typeof cql !== 'string' || !cql.isWellFormed())
        throw invalid('the statement is not a text')
      reading = read(cql)
      if (this.#readings.size >= maxReadings) this.#readings.clear()
      if (cql.length <= maxReadingLength) this.#readings.set(cql, reading)
    }
    if (reading.problem !== undefined) throw invalid(reading.problem)
    return reading
  }

  /** A statement and everything that may be said of it. `options` were checked for names that are none. */
  statement(
    cql: string,
    parameters: Parameters,
    options: StatementOptions,
    pageSize: number,
    pagingState: Uint8Array | undefined,
  ): { readonly reading: Reading; readonly request: CqlRequest } {
    const reading = this.read(cql)
    checkPageSize(pageSize)
    const settings = this.#settings([reading], options, reading.repeatable)
    const statement = withTtl(cql, bound(reading, parameters), reading, options.ttlSeconds)
    return { reading, request: { ...statement, ...settings, pageSize, pagingState } }
  }

  /** With the name of the operation, which is another one for conditions and for counters. */
  batch(
    statements: readonly BatchStatement[],
    options: BatchOptions,
  ): { readonly name: string; readonly batch: CqlBatch } {
    const { type = 'logged' } = options
    if (type !== 'logged' && type !== 'unlogged' && type !== 'counter') {
      throw invalid('type is not logged, unlogged or counter')
    }
    if (!Array.isArray(statements)) throw invalid('statements are not an array')
    if (statements.length > maxStatements) {
      throw invalid(`a batch has more than ${maxStatements} statements`)
    }
    const readings: Reading[] = []
    const prepared = statements.map((each: BatchStatement): CqlStatement => {
      known(each, 'cql', 'parameters', 'ttlSeconds')
      const { cql, parameters = [], ttlSeconds } = each
      const reading = this.read(cql)
      if (!isChange(reading)) throw invalid('a batch takes INSERT, UPDATE and DELETE')
      readings.push(reading)
      return withTtl(cql, bound(reading, parameters), reading, ttlSeconds)
    })
    const isConditional = readings.some(({ conditional }) => conditional)
    const name = type === 'counter' ? 'COUNTER BATCH' : isConditional ? 'BATCH IF' : 'BATCH'
    const settings = this.#settings(readings, options, repeatableOf(type, readings), type)
    return { name, batch: { type, statements: prepared, ...settings } }
  }

  #settings(
    readings: readonly Reading[],
    options: WriteOptions,
    repeatable: Reading['repeatable'],
    type?: BatchType,
  ): CqlSettings {
    const {
      consistency = this.#defaults.consistency,
      serialConsistency = this.#defaults.serialConsistency,
      timestamp,
      idempotent = repeatable === 'yes',
    } = options
    checkConsistency(consistency, serialConsistency)
    if (typeof idempotent !== 'boolean') throw invalid('idempotent is not a boolean')
    if (idempotent && repeatable === 'no') {
      throw invalid('it is not idempotent: it has a condition, or adds to a counter or a list')
    }
    const takesTimestamp = type !== 'counter' && readings.every(isPlainChange)
    if (timestamp !== undefined && !takesTimestamp) {
      throw invalid(
        'timestamp is for INSERT, UPDATE and DELETE without a condition, and not for counters',
      )
    }
    const own = takesTimestamp ? this.#now() : undefined
    return {
      consistency,
      serialConsistency,
      timestamp: timestamp === undefined ? own : microseconds(timestamp),
      idempotent,
    }
  }

  /** Of two writes by this client, the later one wins, also within the same millisecond. */
  #now(): bigint {
    this.#lastTimestamp = Math.max(this.#lastTimestamp + 1, Date.now() * 1000)
    return BigInt(this.#lastTimestamp)
  }
}

export function checkConsistency(consistency: unknown, serialConsistency: unknown): void {
  const all: readonly unknown[] = consistencies
  if (!all.includes(consistency))
    throw invalid(`consistency is none of ${consistencies.join(', ')}`)
  if (
    serialConsistency !== undefined &&
    serialConsistency !== 'SERIAL' &&
    serialConsistency !== 'LOCAL_SERIAL'
  ) {
    throw invalid('serialConsistency is not SERIAL or LOCAL_SERIAL')
  }
}

function checkPageSize(pageSize: number): void {
  if (Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= maxPageSize) return
  throw invalid(`pageSize is not a whole number from 1 to ${maxPageSize}`)
}

function repeatableOf(type: BatchType, readings: readonly Reading[]): Reading['repeatable'] {
  const all = readings.map(({ repeatable }) => repeatable)
  if (type === 'counter' || all.includes('no')) return 'no'
  return all.includes('unclear') ? 'unclear' : 'yes'
}

function isChange({ kind }: Reading): boolean {
  return kind === 'INSERT' || kind === 'UPDATE' || kind === 'DELETE'
}

function isPlainChange(reading: Reading): boolean {
  return isChange(reading) && !reading.conditional
}

function microseconds(timestamp: bigint | Date): bigint {
  if (timestamp instanceof Date && !Number.isNaN(timestamp.getTime())) {
    return BigInt(timestamp.getTime()) * 1000n
  }
  if (typeof timestamp !== 'bigint' || BigInt.asIntN(64, timestamp) !== timestamp) {
    throw invalid('timestamp is not a bigint of microseconds or a Date')
  }
  return timestamp
}

/** The values in the order of the markers. */
function bound({ markers }: Reading, parameters: Parameters): CqlValue[] {
  if (typeof parameters !== 'object' || parameters === null) {
    throw invalid('parameters are not an array or an object')
  }
  const values: CqlValue[] = []
  if (Array.isArray(parameters)) {
    if (parameters.length !== markers.length) {
      throw invalid(`there are ${parameters.length} parameters for ${markers.length} markers`)
    }
    for (const value of parameters) values.push(value)
  } else {
    const names = Object.keys(parameters)
    if (markers.includes('?')) throw invalid('the markers have no names: parameters are an array')
    for (const name of names) {
      if (!markers.includes(name)) throw invalid('a parameter has no marker of its name')
    }
    for (const name of markers) {
      if (!Object.hasOwn(parameters, name)) throw invalid(`there is no parameter ${name}`)
      values.push((parameters as Readonly<Record<string, CqlValue>>)[name])
    }
  }
  for (const value of values) checkValue(value)
  return values
}

function withTtl(
  cql: string,
  parameters: CqlValue[],
  { ttl, markers }: Reading,
  seconds: number | undefined,
): CqlStatement {
  if (seconds === undefined) return { cql, parameters }
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > maxTtl) {
    throw invalid(`ttlSeconds is not a whole number from 0 to ${maxTtl}`)
  }
  if (ttl === undefined) {
    throw invalid('ttlSeconds is for INSERT and UPDATE, and for those that name no TTL themselves')
  }
  const marker = (markers[0] ?? '?') === '?' ? '?' : ':dualport_ttl'
  const clause = `${ttl.word} TTL ${marker}`
  const before = cql.slice(0, ttl.at)
  return {
    cql: `${before}${/\s$/.test(before) ? '' : ' '}${clause} ${cql.slice(ttl.at)}`,
    parameters: parameters.toSpliced(ttl.marker, 0, seconds),
  }
}

// Operations -------------------------------------------------------------------------------------

interface Pair {
  idempotent?: Operation<never>
  other?: Operation<never>
}
type Levels = Map<Consistency, Pair>
/** By what is made of the reply, and by name. Of each call: no key is made of these. */
const operations = new Map<unknown, Map<string, Levels>>()

/** One constant for each kind of statement, its consistency, and what is made of its reply. */
export function operationOf<T, N>(
  name: string,
  reads: boolean,
  { consistency, idempotent }: CqlSettings,
  decode: (reply: N) => T,
): Operation<T> {
  const ofDecode = entry(operations, decode, () => new Map<string, Levels>())
  const levels = entry(ofDecode, name, (): Levels => new Map())
  const pair = entry(levels, consistency, (): Pair => ({}))
  const which = idempotent ? 'idempotent' : 'other'
  pair[which] ??= { name, write: !reads, idempotent, label: consistency, decode: decode as never }
  return pair[which] as Operation<T>
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

/** `UPDATE IF` for a lightweight transaction: what its failure leaves behind is another question. */
export function nameOf({ kind, conditional }: Reading): string {
  return conditional ? `${kind} IF` : kind
}

/** What a page belongs to, as a text: two that differ have different ones. */
export function identityOf({ cql, parameters }: CqlStatement): string {
  return JSON.stringify([cql, writeValue(parameters)])
}
