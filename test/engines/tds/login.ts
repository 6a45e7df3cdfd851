import { Reader, Writer } from './bytes.ts'

const option = {
  version: 0,
  encryption: 1,
  instance: 2,
  thread: 3,
  mars: 4,
  federation: 6,
} as const
export const encryption = { off: 0, on: 1, notSupported: 2, required: 3 } as const

/** https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/60f56408-0188-4cd5-8b90-25c6f2423868 */
export function readPrelogin(payload: Buffer): { encryption: number; federation: boolean } {
  const read = { encryption: encryption.notSupported as number, federation: false }
  for (let at = 0; payload[at] !== 0xff; at += 5) {
    const value = payload[payload.readUInt16BE(at + 1)]!
    if (payload[at] === option.encryption) read.encryption = value
    if (payload[at] === option.federation) read.federation = value === 1
  }
  return read
}

export function writePrelogin(encrypt: number, federation: boolean): Buffer {
  const options: (readonly [number, Buffer])[] = [
    // SQL Server 2022.
    [option.version, Buffer.of(16, 0, 0x03, 0xe8, 0, 0)],
    [option.encryption, Buffer.of(encrypt)],
    [option.instance, Buffer.of(0)],
    [option.thread, Buffer.alloc(0)],
    [option.mars, Buffer.of(0)],
    ...(federation ? [[option.federation, Buffer.of(1)] as const] : []),
  ]
  const head = new Writer()
  let offset = options.length * 5 + 1
  for (const [id, data] of options) {
    head.uint8(id).uint16be(offset).uint16be(data.length)
    offset += data.length
  }
  head.uint8(0xff)
  return Buffer.concat([head.take(), ...options.map(([, data]) => data)])
}

export interface Login {
  readonly packetSize: number
  readonly user: string
  readonly password: string
  readonly application: string
  readonly database: string
  readonly readOnlyIntent: boolean
  /** An access token, or the question where one is to be had. */
  readonly federation?: { readonly token: string } | 'ask'
  readonly utf8: boolean
}

/** https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/773a62b6-ee89-4c02-9e5e-344882630aac */
export function readLogin(payload: Buffer): Login {
  const text = (at: number) => bytes(at, 2).toString('utf16le')
  const bytes = (at: number, unit: number) => {
    const start = payload.readUInt16LE(at)
    return payload.subarray(start, start + payload.readUInt16LE(at + 2) * unit)
  }
  const password = Buffer.from(bytes(44, 2)).map((byte) => {
    const plain = byte ^ 0xa5
    return ((plain & 0x0f) << 4) | (plain >> 4)
  })
  const extended = (payload[27]! & 0x10) !== 0
  const features = extended ? readFeatures(payload, bytes(56, 1).readUInt32LE(0)) : { utf8: false }
  return {
    packetSize: payload.readUInt32LE(8),
    user: text(40),
    password: Buffer.from(password).toString('utf16le'),
    application: text(48),
    database: text(68),
    readOnlyIntent: (payload[26]! & 0x20) !== 0,
    ...features,
  }
}

function readFeatures(payload: Buffer, start: number): Pick<Login, 'federation' | 'utf8'> {
  const reader = new Reader(payload, start)
  let utf8 = false
  let federation: Login['federation']
  for (let id = reader.uint(1); id !== 0xff; id = reader.uint(1)) {
    const data = new Reader(reader.bytes(reader.uint(4)))
    if (id === 0x0a) utf8 = true
    if (id !== 0x02) continue
    const library = data.uint(1) >> 1
    federation = library === 1 ? { token: readToken(data) } : 'ask'
  }
  return { utf8, ...(federation === undefined ? {} : { federation }) }
}

function readToken(reader: Reader): string {
  return reader.bytes(reader.uint(4)).toString('utf16le')
}

/** FEDAUTH: the token that was asked for. */
export function readFederationToken(payload: Buffer): string {
  const reader = new Reader(payload, 4)
  return readToken(reader)
}
