import { Writer } from './bytes.ts'
import type { SqlServerError } from './errors.ts'
import type { SqlType, Value } from './types.ts'
import { writeTypeInfo, writeValue } from './wire.ts'
import type { Column } from './worker.ts'

/** Where the bytes of a reply go. Resolves when there is room for more. */
export type Send = (payload: Buffer, last: boolean) => Promise<void>

export interface Done {
  readonly count?: number | undefined
  readonly failed?: boolean
}

const status = { more: 0x01, error: 0x02, count: 0x10, attention: 0x20 } as const
/** How much is gathered before it is sent. */
const roomBytes = 32_768

const serverName = 'dualport-tds'

/**
 * The tokens of one reply:
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/1ba05e6a-2c39-4f34-b0ca-0e4eb4ce6e05
 */
export class Reply {
  readonly #writer = new Writer(roomBytes * 2)
  readonly #send: Send
  /** Of a procedure: its statements end with DONEINPROC, and it with DONEPROC. */
  readonly #procedure: boolean
  /** The last DONE, which says whether another follows. */
  #pending: Done | undefined

  constructor(send: Send, procedure: boolean) {
    this.#send = send
    this.#procedure = procedure
  }

  error({ number, state, class: severity, message }: SqlServerError, procedure = ''): void {
    this.#message(0xaa, { number, state, severity, message, procedure })
  }

  info(message: string): void {
    this.#message(0xab, { number: 0, state: 1, severity: 0, message, procedure: '' })
  }

  /** What has a name now: the database (1), the language (2), the packet size (4). */
  changedText(type: 1 | 2 | 4, now: string, before: string): void {
    const body = new Writer().uint8(type).text(now, 1).text(before, 1).take()
    this.#token(0xe3).uint(body.length, 2).bytes(body)
  }

  /** The collation (7); a transaction began (8), was committed (9), rolled back (10); reset (18). */
  changed(type: 7 | 8 | 9 | 10 | 18, now: Buffer, before: Buffer): void {
    const body = new Writer().uint8(type)
    body.uint8(now.length).bytes(now).uint8(before.length).bytes(before)
    this.#token(0xe3).uint(body.length, 2).bytes(body.take())
  }

  loggedIn(): void {
    const name = 'Microsoft SQL Server'
    const body = new Writer().uint8(1).uint32be(0x74000004).text(name, 1)
    body.uint8(16).uint8(0).uint16be(1000)
    this.#token(0xad).uint(body.length, 2).bytes(body.take())
  }

  /** FEATUREEXTACK. */
  features(acknowledged: readonly (readonly [id: number, data: Buffer])[]): void {
    if (acknowledged.length === 0) return
    const writer = this.#token(0xae)
    for (const [id, data] of acknowledged) writer.uint8(id).uint(data.length, 4).bytes(data)
    writer.uint8(0xff)
  }

  /** FEDAUTHINFO: where a token is to be had, and for whom. */
  federation(authority: string, resource: string): void {
    const [url, spn] = [authority, resource].map((text) => Buffer.from(text, 'utf16le')) as [
      Buffer,
      Buffer,
    ]
    const body = new Writer().uint(2, 4)
    const start = 4 + 2 * 9
    body.uint8(1).uint(url.length, 4).uint(start, 4)
    body
      .uint8(2)
      .uint(spn.length, 4)
      .uint(start + url.length, 4)
    body.bytes(url).bytes(spn)
    this.#token(0xee).uint(body.length, 4).bytes(body.take())
  }

  columns(columns: readonly Column[]): void {
    const writer = this.#token(0x81).uint(columns.length, 2)
    for (const { name, type } of columns) {
      writer.uint(0, 4).uint(0x09, 2)
      writeTypeInfo(writer, type)
      // The table: nameless.
      if (type.name === 'text' || type.name === 'ntext' || type.name === 'image') {
        writer.uint8(1).text('', 2)
      }
      writer.text(name, 1)
    }
  }

  /** ROW tokens as they are. */
  rows(bytes: Uint8Array): Promise<void> {
    this.#flushPending()
    this.#writer.bytes(bytes)
    return this.room()
  }

  row(columns: readonly Column[], values: readonly Value[]): void {
    const writer = this.#token(0xd1)
    columns.forEach(({ type }, at) => {
      writeValue(writer, type, values[at] ?? null)
    })
  }

  returned(status: number): void {
    this.#token(0x79).int(status, 4)
  }

  /** RETURNVALUE: an output parameter. */
  output(ordinal: number, name: string, type: SqlType, value: Value): void {
    const writer = this.#token(0xac).uint(ordinal, 2).text(name, 1)
    writer.uint8(1).uint(0, 4).uint(0, 2)
    writeTypeInfo(writer, type)
    writeValue(writer, type, value)
  }

  /** A statement is over. */
  done(done: Done = {}): void {
    this.#flushPending()
    this.#pending = done
  }

  /** The procedure is over: another may follow in the same request. */
  doneProcedure(done: Done, more: boolean): void {
    this.#flushPending()
    this.#write(0xfe, done, more)
  }

  /** Sends what there is, if it is enough. */
  async room(): Promise<void> {
    if (this.#writer.length >= roomBytes) await this.#send(this.#writer.take(), false)
  }

  /** Nothing follows. */
  async end(): Promise<void> {
    if (!this.#procedure) this.#write(0xfd, this.#pending ?? {}, false)
    this.#pending = undefined
    await this.#send(this.#writer.take(), true)
  }

  /** Nothing follows, and no DONE is due: of a question to the client. */
  async ask(): Promise<void> {
    await this.#send(this.#writer.take(), true)
  }

  #flushPending(): void {
    const done = this.#pending
    this.#pending = undefined
    if (done !== undefined) this.#write(this.#procedure ? 0xff : 0xfd, done, true)
  }

  #write(token: number, { count, failed }: Done, more: boolean): void {
    let bits = more ? status.more : 0
    if (failed === true) bits |= status.error
    if (count !== undefined) bits |= status.count
    this.#writer
      .uint8(token)
      .uint(bits, 2)
      .uint(0, 2)
      .uint64(BigInt(count ?? 0))
  }

  #token(id: number): Writer {
    this.#flushPending()
    return this.#writer.uint8(id)
  }

  #message(
    token: number,
    parts: {
      number: number
      state: number
      severity: number
      message: string
      procedure: string
    },
  ): void {
    const body = new Writer()
    body.int(parts.number, 4).uint8(parts.state).uint8(parts.severity)
    body
      .text(parts.message.slice(0, 2048), 2)
      .text(serverName, 1)
      .text(parts.procedure, 1)
      .uint(1, 4)
    this.#token(token).uint(body.length, 2).bytes(body.take())
  }
}

/** The acknowledgement of attention: a reply of its own. */
export function attentionReply(): Buffer {
  return new Writer().uint8(0xfd).uint(status.attention, 2).uint(0, 2).uint64(0n).take()
}
