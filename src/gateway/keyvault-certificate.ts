import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

interface Certificate {
  /** PEM. What clients are to trust. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

const dayMs = 86_400_000

/**
 * A self-signed certificate for a server on these hosts, addresses or names, which lasts a year. Node makes
 * keys but no certificates, so this writes one: X.509 v3 in DER, with ECDSA over P-256 (RFC 5280, RFC 5480).
 */
export function selfSigned(hosts: readonly string[]): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  // The first octet keeps it positive.
  const serial = Buffer.concat([Buffer.of(0x40), randomBytes(15)])
  // Clients look for whom they trust by name, and may trust several of these.
  const subject = `dualport local vault ${serial.toString('hex')}`
  const name = sequence(set(sequence(oid(0x55, 0x04, 0x03), utf8(subject))))
  const now = Date.now()
  const toSign = sequence(
    context(0, integer(Buffer.of(2))),
    integer(serial),
    ecdsaWithSha256,
    name,
    // From yesterday, for clocks that are behind.
    sequence(time(now - dayMs), time(now + 365 * dayMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    context(
      3,
      sequence(
        extension(oid(0x55, 0x1d, 0x11), sequence(...hosts.map(generalName))),
        // Whoever trusts it trusts this server, and nothing that its key might sign.
        extension(oid(0x55, 0x1d, 0x13), sequence()),
        extension(
          oid(0x55, 0x1d, 0x25),
          sequence(oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01)),
        ),
      ),
    ),
  )
  const der = sequence(toSign, ecdsaWithSha256, bits(sign('sha256', toSign, privateKey)))
  const lines = der.toString('base64').match(/.{1,64}/g) as string[]
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function generalName(host: string): Buffer {
  const family = isIP(host)
  if (family === 0) return der(0x82, Buffer.from(host))
  return der(0x87, family === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6(host))
}

function ipv6(address: string): Buffer {
  // URL writes an address in its shortest form, without an IPv4 part.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = new Array<string>(8 - before.length - after.length).fill('0')
  const words = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]))
}

// DER --------------------------------------------------------------------------------------------

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

function sequence(...items: readonly Uint8Array[]): Buffer {
  return der(0x30, ...items)
}

function set(...items: readonly Uint8Array[]): Buffer {
  return der(0x31, ...items)
}

function context(number: number, item: Uint8Array): Buffer {
  return der(0xa0 | number, item)
}

function integer(bytes: Uint8Array): Buffer {
  return der(0x02, bytes)
}

/** As it is encoded: the octets of its arcs. */
function oid(...octets: readonly number[]): Buffer {
  return der(0x06, Buffer.from(octets))
}

function utf8(text: string): Buffer {
  return der(0x0c, Buffer.from(text))
}

function bits(bytes: Uint8Array): Buffer {
  return der(0x03, Buffer.of(0), bytes)
}

/** UTCTime, which ends in 2049. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '')
  return der(0x17, Buffer.from(digits.slice(2)))
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value))
}
