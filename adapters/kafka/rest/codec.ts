import { fromBase64, toBase64 } from '../../../src/core/base64.ts'
import { DriverFailure } from '../../../src/core/index.ts'
import {
  type Header,
  KafkaMessage,
  type ProducerRecord,
  type TopicPartitionOffset,
} from '../../../src/kafka/index.ts'

// JSON ---------------------------------------------------------------------------------------------

/** A number of 16 digits or more that is not inside a string; a false alarm costs time, nothing else. */
const longNumber = /[:,[]\s*-?\d{16}/

/** JSON whose integers beyond 2^53 - 1 are bigints. @throws DriverFailure for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, longNumber.test(text) ? exact : undefined)
  } catch {
    throw notKafka()
  }
}

/** The third parameter is ES2025: the digits as they were written. */
function exact(this: unknown, _: string, value: unknown, context?: { source: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

/** @throws DriverFailure for what is no whole number, or was rounded on the way. */
export function offsetOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (Number.isSafeInteger(value)) return BigInt(value as number)
  throw notKafka()
}

/** @throws DriverFailure for what is no partition's number. */
export function int32Of(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number
  throw notKafka()
}

/** @throws DriverFailure for what is no array. */
export function arrayOf<T>(value: unknown): readonly T[] {
  if (Array.isArray(value)) return value
  throw notKafka()
}

export function notKafka(): DriverFailure {
  return new DriverFailure({ kind: 'internal', detail: 'the reply is not of the protocol' })
}

// Base64 -------------------------------------------------------------------------------------------

function bytesOf(text: unknown): Uint8Array | null {
  if (text === null || text === undefined) return null
  const bytes = fromBase64(text)
  if (bytes === undefined) throw notKafka()
  return bytes
}

// Records ------------------------------------------------------------------------------------------

/** What is null is left out: some servers take null for bytes, and some do not take it at all. */
export function encodeRecord(record: ProducerRecord, partition = record.partition): string {
  const { key, value, headers, timestamp } = record
  return JSON.stringify({
    ...(key !== null && { key: toBase64(key) }),
    ...(value !== null && { value: toBase64(value) }),
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp }),
    ...(headers.length > 0 && {
      headers: headers.map(([key, value]) => ({ key, value: value && toBase64(value) })),
    }),
  })
}

export function encodeOffsets(offsets: readonly TopicPartitionOffset[]): string {
  const items = offsets.map(
    // JSON.stringify has no bigints.
    ({ topic, partition, offset }) =>
      `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset}}`,
  )
  return `{"offsets":[${items.join(',')}]}`
}

interface WireRecord {
  readonly topic?: unknown
  readonly partition?: unknown
  readonly offset?: unknown
  readonly timestamp?: unknown
  readonly key?: unknown
  readonly value?: unknown
  readonly headers?: unknown
}

/** @throws DriverFailure if any is not a record. */
export function decodeRecords(body: unknown): KafkaMessage[] {
  return arrayOf<WireRecord | null>(body).map((record) => {
    if (typeof record?.topic !== 'string') throw notKafka()
    const { topic, timestamp } = record
    return new KafkaMessage({
      topic,
      partition: int32Of(record.partition),
      offset: offsetOf(record.offset),
      timestamp: typeof timestamp === 'number' ? new Date(timestamp) : undefined,
      keyBytes: bytesOf(record.key),
      valueBytes: bytesOf(record.value),
      headerList: headersOf(record.headers),
    })
  })
}

function headersOf(headers: unknown): readonly Header[] {
  if (headers === undefined || headers === null) return []
  return arrayOf<{ readonly key?: unknown; readonly value?: unknown } | null>(headers).map(
    (header) => {
      if (typeof header?.key !== 'string') throw notKafka()
      return [header.key, bytesOf(header.value)]
    },
  )
}
