import { isCorrelationId } from '../core/context.ts'
import { InfraError, isInfraError, jsonLogger, withContext } from '../core/index.ts'
import { correlationHeader } from '../core/wire.ts'
import { type Header, KafkaMessage, type MessageInit } from './message.ts'

/** What Lambda says of an invocation, as far as it is needed here. */
export interface KafkaLambdaContext {
  readonly awsRequestId: string
  getRemainingTimeInMillis(): number
}

/** What Lambda takes for an answer: for each partition that failed, where to go on. */
export interface KafkaBatchResponse {
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: {
      /** Topic and partition as the event has them: `events-0`. */
      readonly partition: string
      readonly offset: number
    }
  }[]
}

/** What is decoded. */
export interface EncodedPayload {
  readonly topic: string
  readonly isKey: boolean
  /**
   * Where the event source mapping has a schema registry and the record format `SOURCE`: it has then taken the
   * ID out of the bytes. Otherwise it is in there.
   */
  readonly schemaId: string | undefined
}

/** A message with what `decode` made of its key and its value; `null` where they are. */
export class DecodedMessage<T> extends KafkaMessage {
  readonly decodedKey: T | null
  readonly decodedValue: T | null

  constructor(init: MessageInit, decodedKey: T | null, decodedValue: T | null) {
    super(init)
    this.decodedKey = decodedKey
    this.decodedValue = decodedValue
  }
}

export interface KafkaHandlerOptions {
  /** Partitions that are worked on at the same time. Default 10. */
  readonly concurrency?: number | undefined
  /**
   * Default `true`: a failure is reported with its offset, and Lambda delivers it again with what follows in its
   * partition. Lambda ignores the report, **and takes the failed for done**, unless the event source mapping has
   * `FunctionResponseTypes: ['ReportBatchItemFailures']`, which takes its provisioned mode. Without that set
   * this to `false`: then any failure rejects, and Lambda delivers the whole batch again.
   */
  readonly reportItems?: boolean | undefined
  /** Told of each failure; the message is delivered again all the same. It must not throw. Default: a line in the log, without the data. */
  readonly onError?: ((error: unknown, message: KafkaMessage) => void) | undefined
}

type Decode<T> = (bytes: Uint8Array, payload: EncodedPayload) => T | Promise<T>
type Work<M, C> = (message: M, context: C) => unknown

/** What an invocation keeps for handing back its result, in milliseconds. */
const reserveMs = 100

/**
 * A handler of the events that Lambda makes of Kafka's messages, of Amazon MSK or self-managed:
 *
 *     export const handler = kafkaHandler(async (message) => { await store(message.json()) })
 *
 * Messages of a partition are handled in order, one after the other; a failure ends the work on its partition,
 * and it is delivered again with what follows it. So is what the invocation had no time to begin. `decode` is
 * for a schema registry: it is called for each key and value that is not `null`.
 *
 * What `work` does over dualport's clients is over shortly before the invocation is, and logs with the message's
 * header `x-correlation-id`, or else the ID of the invocation.
 *
 * Rejects with an `InfraError` of kind `invalid`, before anything is handled, for an event of another kind.
 */
export function kafkaHandler<C extends KafkaLambdaContext = KafkaLambdaContext>(
  work: Work<KafkaMessage, C>,
  options?: KafkaHandlerOptions,
): (event: unknown, context: C) => Promise<KafkaBatchResponse>
export function kafkaHandler<T, C extends KafkaLambdaContext = KafkaLambdaContext>(
  work: Work<DecodedMessage<T>, C>,
  options: KafkaHandlerOptions & { readonly decode: Decode<T> },
): (event: unknown, context: C) => Promise<KafkaBatchResponse>
export function kafkaHandler<T, C extends KafkaLambdaContext>(
  work: Work<DecodedMessage<T>, C> | Work<KafkaMessage, C>,
  options: KafkaHandlerOptions & { readonly decode?: Decode<T> } = {},
): (event: unknown, context: C) => Promise<KafkaBatchResponse> {
  const { decode, concurrency = 10, reportItems = true, onError = log } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw failure('config', 'concurrency is not a whole number from 1')
  }

  const handle = async (record: LambdaRecord, context: C): Promise<void> => {
    const { message, keySchema, valueSchema } = record
    if (decode === undefined) return void (await (work as Work<KafkaMessage, C>)(message, context))
    const { topic, keyBytes, valueBytes } = message
    const key = keyBytes && (await decode(keyBytes, { topic, isKey: true, schemaId: keySchema }))
    const value =
      valueBytes && (await decode(valueBytes, { topic, isKey: false, schemaId: valueSchema }))
    await (work as Work<DecodedMessage<T>, C>)(new DecodedMessage(message, key, value), context)
  }

  /** The first message of the partition that is not done; `undefined` if all are. */
  const drain = async (
    records: readonly LambdaRecord[],
    deadline: number,
    context: C,
  ): Promise<KafkaMessage | undefined> => {
    for (const record of records) {
      const { message } = record
      if (Date.now() >= deadline) return message
      const correlationId = correlationIdOf(message) ?? context.awsRequestId
      try {
        await withContext({ correlationId, deadline }, () => handle(record, context))
      } catch (error) {
        onError(error, message)
        return message
      }
    }
    return undefined
  }

  return async (event, context) => {
    const partitions = partitionsOf(event)
    const deadline = Date.now() + context.getRemainingTimeInMillis() - reserveMs
    const batchItemFailures: KafkaBatchResponse['batchItemFailures'][number][] = []
    let next = 0
    const worker = async () => {
      for (;;) {
        const entry = partitions[next++]
        if (entry === undefined) return
        const [partition, records] = entry
        const failed = await drain(records, deadline, context)
        if (failed === undefined) continue
        batchItemFailures.push({
          itemIdentifier: { partition, offset: Number(failed.offset) },
        })
      }
    }
    await Promise.all(Array.from({ length: Math.min(concurrency, partitions.length) }, worker))
    if (!reportItems && batchItemFailures.length > 0) {
      throw failure('internal', `messages of ${batchItemFailures.length} partitions are not done`)
    }
    return { batchItemFailures }
  }
}

function correlationIdOf({ headers }: KafkaMessage): string | undefined {
  const id = headers[correlationHeader] ?? undefined
  return isCorrelationId(id) ? id : undefined
}

/** The error of another kind may quote the message: only our own are safe to print. */
function log(error: unknown, { topic, partition, offset }: KafkaMessage): void {
  jsonLogger.error(
    {
      component: 'kafka',
      operation: 'handle',
      topic,
      partition,
      offset: Number(offset),
      error: isInfraError(error) ? error.message : error instanceof Error ? error.name : 'unknown',
    },
    'message_failed',
  )
}

interface LambdaRecord {
  readonly message: KafkaMessage
  readonly keySchema: string | undefined
  readonly valueSchema: string | undefined
}

function failure(kind: 'config' | 'invalid' | 'internal', detail: string): InfraError {
  return new InfraError({
    kind,
    component: 'kafka',
    adapter: 'lambda',
    operation: kind === 'config' ? 'configure' : 'handle',
    detail,
  })
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function partitionsOf(event: unknown): [partition: string, records: LambdaRecord[]][] {
  const isKafka =
    isFields(event) && /^(?:aws:kafka|(?:aws:)?SelfManagedKafka)$/.test(String(event.eventSource))
  if (!isKafka || !isFields(event.records)) throw failure('invalid', 'the event is not of Kafka')
  return Object.entries(event.records).map(([partition, records]) => {
    if (!Array.isArray(records)) throw malformed()
    return [partition, records.map(recordOf)]
  })
}

function malformed(): InfraError {
  return failure('invalid', 'a record of the event is malformed')
}

function recordOf(record: unknown): LambdaRecord {
  if (!isFields(record)) throw malformed()
  const { topic, partition, offset, timestamp } = record
  if (
    typeof topic !== 'string' ||
    !isWhole(partition) ||
    !isWhole(offset) ||
    !isWhole(timestamp ?? 0)
  ) {
    throw malformed()
  }
  return {
    message: new KafkaMessage({
      topic,
      partition,
      offset: BigInt(offset),
      timestamp: timestamp == null ? undefined : new Date(timestamp as number),
      keyBytes: bytesOf(record.key),
      valueBytes: bytesOf(record.value),
      headerList: headersOf(record.headers),
    }),
    keySchema: schemaOf(record.keySchemaMetadata),
    valueSchema: schemaOf(record.valueSchemaMetadata),
  }
}

/** As instants are, too: further than this no Date goes. */
function isWhole(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 8.64e15
}

/** Base64, which `Buffer` would take as far as it can be read. */
function bytesOf(text: unknown): Uint8Array | null {
  if (text === undefined || text === null) return null
  const isBase64 =
    typeof text === 'string' && /^(?:[\w+/-]{4})*(?:[\w+/-]{2}==|[\w+/-]{3}=)?$/.test(text)
  if (!isBase64) throw malformed()
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** `[{ "name": [104, 105] }]`, where bytes may be negative, as Java has them. */
function headersOf(headers: unknown): Header[] {
  if (headers === undefined || headers === null) return []
  if (!Array.isArray(headers)) throw malformed()
  return headers.flatMap((header: unknown) => {
    if (!isFields(header)) throw malformed()
    return Object.entries(header).map(([name, bytes]): Header => {
      if (bytes === null) return [name, null]
      if (!Array.isArray(bytes) || !bytes.every(isByte)) throw malformed()
      return [name, Uint8Array.from(bytes)]
    })
  })
}

function isByte(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= -128 && (value as number) <= 255
}

function schemaOf(metadata: unknown): string | undefined {
  return isFields(metadata) && typeof metadata.schemaId === 'string' ? metadata.schemaId : undefined
}
