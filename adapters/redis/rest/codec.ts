import { DriverFailure } from '../../../src/core/index.ts'
import { maxSealedArgs, seal } from '../../../src/redis/envelope.ts'
import type { Arg, Command, Reply } from '../../../src/redis/index.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export interface Encoded {
  /** The command as a JSON array of strings. */
  readonly json: string
  /** It travels as a script, whose integers are doubles. */
  readonly sealed: boolean
}

/** JSON carries text only: bytes that are UTF-8 go as that text, others in an envelope. */
export function encodeCommand({ args }: Command): Encoded {
  let sealed = false
  const texts = args.map((arg) => {
    if (typeof arg === 'string') return arg
    if (!(arg instanceof Uint8Array)) return String(arg)
    const text = asUtf8(arg)
    sealed ||= text === undefined
    return text
  })
  if (!sealed) return { json: JSON.stringify(texts), sealed }
  if (args.length > maxSealedArgs) {
    throw new DriverFailure({
      kind: 'unsupported',
      outcome: 'not-applied',
      detail: `a command with bytes has at most ${maxSealedArgs} arguments over HTTP`,
    })
  }
  return { json: JSON.stringify(seal(args)), sealed }
}

function asUtf8(bytes: Exclude<Arg, string | number | bigint>): string | undefined {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** A number of 16 digits or more that is not inside a string; a false alarm costs time, nothing else. */
const longNumber = /[:,[]\s*-?\d{16}/

/** JSON whose integers beyond 2^53 - 1 are bigints. Throws for text that is not JSON. */
export function parseJson(text: string): unknown {
  return JSON.parse(text, longNumber.test(text) ? exact : undefined)
}

/** The third parameter is ES2025: the digits as they were written. */
function exact(this: unknown, _: string, value: unknown, context?: { source: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

/** A result of the protocol with `Upstash-Encoding: base64`, where every string but the status `OK` is base64. */
export function decodeResult(result: unknown, bytes: boolean): Reply {
  if (typeof result === 'string') {
    // Not base64 of anything, so it is never a value.
    if (result === 'OK') return bytes ? new Uint8Array([0x4f, 0x4b]) : result
    return bytes ? fromBase64(result) : textFromBase64(result)
  }
  if (typeof result === 'number' || typeof result === 'bigint' || result === null) return result
  if (Array.isArray(result)) return result.map((item) => decodeResult(item, bytes))
  throw new TypeError('unexpected result')
}

/** True if the reply holds an integer that a script, which has doubles only, may have rounded. */
export function maybeRounded(reply: Reply): boolean {
  if (Array.isArray(reply)) return reply.some(maybeRounded)
  return typeof reply === 'bigint'
}

// Node's Buffer is several times faster; workerd has it only with nodejs_compat.
const NodeBuffer = globalThis.Buffer as typeof globalThis.Buffer | undefined

function fromBase64(text: string): Uint8Array {
  if (NodeBuffer !== undefined) return new Uint8Array(NodeBuffer.from(text, 'base64'))
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

export function textFromBase64(text: string): string {
  if (NodeBuffer !== undefined) return NodeBuffer.from(text, 'base64').toString()
  return utf8.decode(fromBase64(text))
}
