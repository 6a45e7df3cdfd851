import { type Header, KafkaMessage } from '../../../src/kafka/index.ts'

export interface StoredRecord {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

/** A log. What goes in and what comes out are copies: nobody who changes a byte array changes the log. */
export class Partition {
  readonly topic: string
  readonly number: number
  readonly #keep: number
  #records: StoredRecord[] = []
  /** The offset of the first of `#records`. */
  #base = 0

  constructor(topic: string, number: number, keep: number) {
    this.topic = topic
    this.number = number
    this.#keep = keep
  }

  /** The oldest message that can be read. */
  get start(): bigint {
    return BigInt(this.#start)
  }

  /** Where the next message goes. */
  get end(): bigint {
    return BigInt(this.#end)
  }

  append({ timestamp, key, value, headers }: StoredRecord): bigint {
    const offset = this.end
    this.#records.push({
      timestamp,
      key: copy(key),
      value: copy(value),
      headers: headers.map(([name, bytes]) => [name, copy(bytes)] as const),
    })
    // Not one by one: dropping the first of an array costs its length.
    if (this.#records.length >= 2 * this.#keep) {
      const start = this.#start
      this.#records.splice(0, start - this.#base)
      this.#base = start
    }
    return offset
  }

  /** In order, from an offset that is there. */
  read(from: bigint, max: number): KafkaMessage[] {
    const first = Number(from) - this.#base
    return this.#records.slice(first, first + max).map(
      ({ timestamp, key, value, headers }, i) =>
        new KafkaMessage({
          topic: this.topic,
          partition: this.number,
          offset: from + BigInt(i),
          timestamp: new Date(timestamp),
          keyBytes: copy(key),
          valueBytes: copy(value),
          headerList: headers.map(([name, bytes]) => [name, copy(bytes)] as const),
        }),
    )
  }

  /** The first message of that time or later; `end` if there is none. */
  since(timestamp: number): bigint {
    for (let offset = this.#start; offset < this.#end; offset++) {
      const record = this.#records[offset - this.#base] as StoredRecord
      if (record.timestamp >= timestamp) return BigInt(offset)
    }
    return this.end
  }

  get #end(): number {
    return this.#base + this.#records.length
  }

  get #start(): number {
    return Math.max(this.#base, this.#end - this.#keep)
  }
}

function copy(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Uint8Array.from(bytes)
}
