import type { Arg } from '../../../src/redis/driver.ts'

// Everything is kept as a "binary string": one character, U+0000 to U+00FF, for each byte. That is exact
// for any bytes, sorts as memcmp does, is a Map key, and for ASCII it is the text itself.

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export function toBinary(arg: Arg): string {
  if (typeof arg === 'string') return /[\u0080-\uffff]/.test(arg) ? latin1(utf8.encode(arg)) : arg
  return arg instanceof Uint8Array ? latin1(arg) : String(arg)
}

export function toText(binary: string): string {
  return /[\u0080-\u00ff]/.test(binary) ? fromUtf8.decode(toBytes(binary)) : binary
}

export function toBytes(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  // In pieces, since a call takes only so many arguments.
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  }
  return text
}
