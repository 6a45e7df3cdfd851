import { misconfigured } from './errors.ts'

/** Named by its global, which is there in every runtime. */
type CryptoKey = InstanceType<typeof globalThis.CryptoKey>

/** 32 random bytes: as they are, in hex (64 digits), in base64 or base64url; or an AES-GCM key of WebCrypto. */
export type SealingKey = string | Uint8Array | CryptoKey

/** Why a sealed value was not opened. A swapped one is `tampered`: its context is not the one asked for. */
export type SealProblem = 'malformed' | 'unknown-key' | 'tampered'

/** Envelope: format (1 byte), key ID (4), IV (12), ciphertext, tag (16). */
const format = 1
const headerBytes = 5
const ivBytes = 12
const tagBytes = 16

interface RingKey {
  readonly header: Uint8Array<ArrayBuffer>
  readonly key: CryptoKey
}

/**
 * Seals values for a place that others can read and write: AES-256-GCM by WebCrypto. The context is
 * authenticated with the value (associated data), so that a value cannot be passed off as another's.
 * IVs are random: change the key before it has sealed 2^32 values.
 */
export class Sealer {
  readonly #material: readonly (Uint8Array<ArrayBuffer> | CryptoKey)[]
  #ring: readonly RingKey[] | undefined

  /**
   * The first key seals, every key opens: to rotate, put a new one first and drop the old one when what it
   * sealed has expired.
   * @throws InfraError `CACHE_CONFIG` for what is no key. It does not show what was given.
   */
  constructor(keys: SealingKey | readonly SealingKey[]) {
    this.#material = (isList(keys) ? keys : [keys]).map(materialOf)
    if (this.#material.length === 0) throw misconfigured('there is no key to seal with')
  }

  /** The sealed value: 33 bytes longer, and never the same twice. */
  async seal(plain: Uint8Array<ArrayBuffer>, context: readonly string[]): Promise<Uint8Array> {
    const [{ header, key }] = (await this.#keys()) as [RingKey]
    const iv = crypto.getRandomValues(new Uint8Array(ivBytes))
    const additionalData = associated(header, context)
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, plain)
    return joined(header, iv, new Uint8Array(sealed))
  }

  /** The value that was sealed with this context, or why there is none. Never rejects for what is in `sealed`. */
  async open(
    sealed: Uint8Array<ArrayBuffer>,
    context: readonly string[],
  ): Promise<Uint8Array | SealProblem> {
    if (sealed.length < headerBytes + ivBytes + tagBytes || sealed[0] !== format) return 'malformed'
    const header = sealed.subarray(0, headerBytes)
    const ring = await this.#keys()
    const known = ring.find((one) => one.header.every((byte, i) => byte === header[i]))
    if (known === undefined) return 'unknown-key'
    const iv = sealed.subarray(headerBytes, headerBytes + ivBytes)
    const additionalData = associated(header, context)
    try {
      return new Uint8Array(
        await crypto.subtle.decrypt(
          { name: 'AES-GCM', iv, additionalData },
          known.key,
          sealed.subarray(headerBytes + ivBytes),
        ),
      )
    } catch {
      return 'tampered'
    }
  }

  /** Only the settled ring is kept: a promise of one request must not be awaited by another in workerd. */
  async #keys(): Promise<readonly RingKey[]> {
    this.#ring ??= await Promise.all(this.#material.map(ringKey))
    return this.#ring
  }
}

async function ringKey(material: Uint8Array<ArrayBuffer> | CryptoKey): Promise<RingKey> {
  const key =
    material instanceof Uint8Array
      ? await crypto.subtle.importKey('raw', material, 'AES-GCM', false, ['encrypt', 'decrypt'])
      : material
  // A key check value names the key and gives nothing of it away: the start of the tag of an empty message.
  const iv = new Uint8Array(ivBytes)
  const check = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, new Uint8Array())
  return { header: joined(Uint8Array.of(format), new Uint8Array(check, 0, headerBytes - 1)), key }
}

/** JSON, since no two lists of texts have the same. */
function associated(header: Uint8Array, context: readonly string[]): Uint8Array<ArrayBuffer> {
  return joined(header, new TextEncoder().encode(JSON.stringify(context)))
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

function isList(keys: SealingKey | readonly SealingKey[]): keys is readonly SealingKey[] {
  return Array.isArray(keys)
}

function materialOf(key: SealingKey): Uint8Array<ArrayBuffer> | CryptoKey {
  const bytes = typeof key === 'string' ? decoded(key) : key
  if (bytes instanceof Uint8Array) {
    if (bytes.length !== 32) throw misconfigured('a key is not 32 bytes')
    return new Uint8Array(bytes)
  }
  const { name, length } = (bytes?.algorithm ?? {}) as { name?: string; length?: number }
  const usages = bytes?.usages ?? []
  if (
    name !== 'AES-GCM' ||
    length !== 256 ||
    !usages.includes('encrypt') ||
    !usages.includes('decrypt')
  ) {
    throw misconfigured('a key is not 32 bytes in hex or base64, and no AES-GCM key of 256 bits')
  }
  return bytes as CryptoKey
}

function decoded(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) {
    return Uint8Array.from(text.match(/../g) as string[], (pair) => Number.parseInt(pair, 16))
  }
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined
  return bytesOf(text.replaceAll('-', '+').replaceAll('_', '/'))
}

/** @throws if the text is not base64 */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}

export function base64Of(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
