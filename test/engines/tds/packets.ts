/** https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/9420b4a3-eb9f-4f5e-90bd-3160444aa5a7 */
export const packetType = {
  batch: 0x01,
  rpc: 0x03,
  reply: 0x04,
  attention: 0x06,
  bulk: 0x07,
  federation: 0x08,
  transaction: 0x0e,
  login: 0x10,
  prelogin: 0x12,
} as const

const status = {
  last: 0x01,
  ignore: 0x02,
  reset: 0x08,
  resetKeepingTransaction: 0x10,
} as const

const headerBytes = 8

/** What one side says, which may take many packets. */
export interface Message {
  readonly type: number
  readonly payload: Buffer
  /** The client took it back half-way. */
  readonly ignored: boolean
  /** The connection is to be as new before it. */
  readonly reset: boolean
}

/** Puts the packets of messages together. */
export class Messages {
  readonly #take: (message: Message) => void
  #waiting: Buffer = Buffer.alloc(0)
  #payloads: Buffer[] = []
  #reset = false

  constructor(take: (message: Message) => void) {
    this.#take = take
  }

  feed(chunk: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk])
    while (this.#waiting.length >= headerBytes) {
      const length = this.#waiting.readUInt16BE(2)
      if (this.#waiting.length < length) return
      const packet = this.#waiting.subarray(0, length)
      this.#waiting = this.#waiting.subarray(length)
      this.#packet(packet)
    }
  }

  #packet(packet: Buffer): void {
    const bits = packet[1]!
    if (this.#payloads.length === 0) {
      this.#reset = (bits & (status.reset | status.resetKeepingTransaction)) !== 0
    }
    this.#payloads.push(packet.subarray(headerBytes))
    if ((bits & status.last) === 0) return
    const payload = Buffer.concat(this.#payloads)
    this.#payloads = []
    const ignored = (bits & status.ignore) !== 0
    this.#take({ type: packet[0]!, payload, ignored, reset: this.#reset })
  }
}

/** In packets of the size that was agreed on. `id` is that of the first. */
export function toPackets(
  type: number,
  payload: Buffer,
  { size, last, spid, id }: { size: number; last: boolean; spid: number; id: number },
): Buffer[] {
  const packets: Buffer[] = []
  const room = size - headerBytes
  for (let at = 0; at < payload.length || (at === 0 && last); at += room) {
    const part = payload.subarray(at, at + room)
    const header = Buffer.alloc(headerBytes)
    header[0] = type
    header[1] = last && at + room >= payload.length ? status.last : 0
    header.writeUInt16BE(part.length + headerBytes, 2)
    header.writeUInt16BE(spid, 4)
    header[6] = (id + packets.length) & 0xff
    packets.push(header, part)
  }
  return packets
}
