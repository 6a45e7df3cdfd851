/** Reads little-endian values one after the other. Throws RangeError past the end. */
export class Reader {
  readonly buffer: Buffer
  offset: number

  constructor(buffer: Buffer, offset = 0) {
    this.buffer = buffer
    this.offset = offset
  }

  get done(): boolean {
    return this.offset >= this.buffer.length
  }

  uint(bytes: 1 | 2 | 3 | 4 | 5): number {
    this.offset += bytes
    return this.buffer.readUIntLE(this.offset - bytes, bytes)
  }

  int(bytes: 1 | 2 | 4): number {
    this.offset += bytes
    return this.buffer.readIntLE(this.offset - bytes, bytes)
  }

  int64(): bigint {
    this.offset += 8
    return this.buffer.readBigInt64LE(this.offset - 8)
  }

  uint64(): bigint {
    this.offset += 8
    return this.buffer.readBigUInt64LE(this.offset - 8)
  }

  float(): number {
    this.offset += 4
    return this.buffer.readFloatLE(this.offset - 4)
  }

  double(): number {
    this.offset += 8
    return this.buffer.readDoubleLE(this.offset - 8)
  }

  bytes(length: number): Buffer {
    const end = this.offset + length
    if (end > this.buffer.length) throw new RangeError('past the end of the message')
    const part = this.buffer.subarray(this.offset, end)
    this.offset = end
    return part
  }

  /** UTF-16, its length in characters before it. */
  text(lengthBytes: 1 | 2): string {
    return this.bytes(this.uint(lengthBytes) * 2).toString('utf16le')
  }

  rest(): Buffer {
    return this.bytes(this.buffer.length - this.offset)
  }
}

/** Grows as it is written to. */
export class Writer {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  uint8(value: number): this {
    const at = this.#take(1)
    this.#buffer[at] = value
    return this
  }

  uint(value: number, bytes: 2 | 3 | 4 | 5): this {
    const at = this.#take(bytes)
    this.#buffer.writeUIntLE(value, at, bytes)
    return this
  }

  uint16be(value: number): this {
    const at = this.#take(2)
    this.#buffer.writeUInt16BE(value, at)
    return this
  }

  uint32be(value: number): this {
    const at = this.#take(4)
    this.#buffer.writeUInt32BE(value, at)
    return this
  }

  int(value: number, bytes: 2 | 4): this {
    const at = this.#take(bytes)
    this.#buffer.writeIntLE(value, at, bytes)
    return this
  }

  int64(value: bigint): this {
    const at = this.#take(8)
    this.#buffer.writeBigInt64LE(value, at)
    return this
  }

  uint64(value: bigint): this {
    const at = this.#take(8)
    this.#buffer.writeBigUInt64LE(value, at)
    return this
  }

  float(value: number): this {
    const at = this.#take(4)
    this.#buffer.writeFloatLE(value, at)
    return this
  }

  double(value: number): this {
    const at = this.#take(8)
    this.#buffer.writeDoubleLE(value, at)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#take(value.length)
    this.#buffer.set(value, at)
    return this
  }

  /** UTF-16, its length in characters before it. */
  text(value: string, lengthBytes: 1 | 2): this {
    if (lengthBytes === 1) this.uint8(value.length)
    else this.uint(value.length, 2)
    return this.utf16(value)
  }

  utf16(value: string): this {
    const at = this.#take(value.length * 2)
    this.#buffer.write(value, at, 'utf16le')
    return this
  }

  /** What was written. Further writes do not change it. */
  take(): Buffer<ArrayBuffer> {
    // Not of the pool that buffers share: it may be handed to another thread.
    const taken = Buffer.alloc(this.#length)
    this.#buffer.copy(taken, 0, 0, this.#length)
    this.#length = 0
    return taken
  }

  #take(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    return at
  }
}
