import { InfraError } from '../core/index.ts'

/** What a message carries: a text goes out as UTF-8, bytes as they are. */
export type Payload = string | Uint8Array

export type Header = readonly [name: string, value: Uint8Array | null]

/** A message as an adapter gives it. */
export interface MessageInit {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** `undefined` where the transport does not say. */
  readonly timestamp: Date | undefined
  readonly keyBytes: Uint8Array | null
  readonly valueBytes: Uint8Array | null
  readonly headerList: readonly Header[]
}

const utf8 = new TextDecoder()

/**
 * A message that was read. Texts are decoded when they are asked for; what is not UTF-8 has U+FFFD in it, and
 * the `...Bytes` are always exact.
 */
export class KafkaMessage implements MessageInit {
  readonly topic: string
  readonly partition: number
  /** Counted up in each partition on its own; there may be gaps. */
  readonly offset: bigint
  /** Milliseconds precise. `undefined` where the transport does not say (`capabilities.consumeMetadata`). */
  readonly timestamp: Date | undefined
  readonly keyBytes: Uint8Array | null
  readonly valueBytes: Uint8Array | null
  /** In order; names may repeat. Empty where the transport does not say (`capabilities.consumeMetadata`). */
  readonly headerList: readonly Header[]

  constructor(init: MessageInit) {
    this.topic = init.topic
    this.partition = init.partition
    this.offset = init.offset
    this.timestamp = init.timestamp
    this.keyBytes = init.keyBytes
    this.valueBytes = init.valueBytes
    this.headerList = init.headerList
  }

  get key(): string | null {
    return text(this.keyBytes)
  }

  /** `null` for a tombstone. */
  get value(): string | null {
    return text(this.valueBytes)
  }

  /** By name; of those that repeat, the last. */
  get headers(): Readonly<Record<string, string | null>> {
    // No prototype, so that a header may have any name.
    const headers: Record<string, string | null> = Object.create(null)
    for (const [name, value] of this.headerList) headers[name] = text(value)
    return headers
  }

  /** The value parsed. @throws InfraError of kind `invalid` if it is not JSON. */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.value ?? 'null') as T
    } catch {
      // Its own error would quote the value.
      throw new InfraError({
        kind: 'invalid',
        component: 'kafka',
        adapter: '-',
        operation: 'json',
        detail: 'the value is not JSON',
      })
    }
  }
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : utf8.decode(bytes)
}
