import { statusFailure } from '../../../src/core/http.ts'
import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import { kindOf, type WireFailure } from '../../../src/core/wire.ts'
import { KafkaError } from '../../../src/kafka/index.ts'
import type { Dialect } from './dialects.ts'

/** A refusal: by its HTTP status, by the server's own code where it gives one, or in the gateway's header. */
export class RestError extends Error {
  /** `40403`; Strimzi's are HTTP statuses. */
  readonly code: number | undefined
  readonly byStatus: Failure
  readonly wire: WireFailure | undefined
  readonly #body: unknown

  constructor(response: Response, body: unknown, wire: WireFailure | undefined) {
    super(`HTTP status ${response.status}`)
    const code = (body as { readonly error_code?: unknown } | null | undefined)?.error_code
    this.code = typeof code === 'number' ? code : undefined
    this.byStatus = statusFailure(response)
    this.wire = wire
    this.#body = body
  }

  /** Parsed; `undefined` if it is not JSON. It may quote what was sent. */
  get body(): unknown {
    return this.#body
  }

  /** Of a consumer's path: the instance is not there (any more). */
  get lost(): boolean {
    return this.code === 40403 || this.code === 404
  }
}

/** By the code, or by its first three digits. Texts are ours: the servers' may quote names and values. */
const table: Readonly<Record<number, Failure>> = {
  400: { kind: 'invalid', detail: 'the server refused the request' },
  401: { kind: 'unauthenticated', detail: 'the credentials were refused' },
  403: { kind: 'forbidden', detail: 'not permitted' },
  404: { kind: 'not-found', detail: 'there is no such topic or partition' },
  405: { kind: 'unsupported', detail: 'the server does not have this operation' },
  406: { kind: 'conflict', detail: 'the consumer instance has another format' },
  408: { kind: 'timeout', detail: 'the server gave up' },
  409: { kind: 'conflict', detail: 'it exists already, or its state does not permit this' },
  415: { kind: 'config', detail: 'the server does not take this content type' },
  422: { kind: 'invalid', detail: 'the server refused the request' },
  429: { kind: 'throttled', detail: 'there are too many requests' },
  50002: { kind: 'unavailable', retryable: false, detail: 'Kafka refused it' },
  40404: { kind: 'unavailable', outcome: 'not-applied', detail: 'there is no leader now' },
  40902: { kind: 'conflict', detail: 'an instance of that name is in the group' },
}

export function classifyRest({ wire, code, byStatus }: RestError): Failure {
  if (wire !== undefined) return fromWire(wire)
  if (code === undefined) return byStatus
  return { ...byStatus, ...fromCode(code) }
}

function fromCode(code: number): Failure {
  const row = table[code] ?? table[code >= 1000 ? Math.floor(code / 100) : code]
  const { detail, ...rest } = row ?? { kind: 'unavailable', detail: 'the server failed' }
  return { ...rest, detail: `${detail} (${code})` }
}

/** What became of one record, by the code of its item. */
export function itemError(
  { itemCodes }: Dialect,
  code: number,
  wire: WireFailure | undefined,
): Error {
  if (wire !== undefined) return new DriverFailure(fromWire(wire))
  if (itemCodes === 'kafka') return new KafkaError(code)
  if (itemCodes === 'rest') return new DriverFailure(fromCode(code))
  // It counts timeouts among what will not pass.
  const detail = 'the server failed to store the message'
  return new DriverFailure({ kind: 'unavailable', outcome: 'unknown', detail })
}

function fromWire({ code, outcome, retryAfterMs }: WireFailure): Failure {
  return { kind: kindOf(code) ?? 'internal', outcome, retryAfterMs }
}

export function unsupported(detail: string): DriverFailure {
  return new DriverFailure({ kind: 'unsupported', outcome: 'not-applied', detail })
}
