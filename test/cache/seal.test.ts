import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Sealer, type SealingKey } from '../../src/cache/index.ts'

const key = new Uint8Array(randomBytes(32))
const other = new Uint8Array(randomBytes(32))
const context = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 })
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array))

function text(opened: Uint8Array | string): string {
  return typeof opened === 'string' ? opened : new TextDecoder().decode(opened)
}

const secret = new TextEncoder().encode('a value to keep')

test('what is sealed opens again with its context', async () => {
  const sealer = new Sealer(key)
  await fc.assert(
    fc.asyncProperty(bytes, context, async (plain, context) => {
      const sealed = await sealer.seal(plain, context)
      expect(sealed).toHaveLength(plain.length + 33)
      expect(await sealer.open(new Uint8Array(sealed), context)).toEqual(plain)
    }),
  )
})

test('it does not open with any other context', async () => {
  const sealer = new Sealer(key)
  await fc.assert(
    fc.asyncProperty(bytes, context, context, async (plain, one, another) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(another))
      const sealed = new Uint8Array(await sealer.seal(plain, one))
      expect(await sealer.open(sealed, another)).toBe('tampered')
    }),
  )
})

test('a changed bit or a missing end is noticed, wherever it is', async () => {
  const sealer = new Sealer(key)
  await fc.assert(
    fc.asyncProperty(bytes, fc.nat(), fc.nat(7), async (plain, at, bit) => {
      const sealed = new Uint8Array(await sealer.seal(plain, ['context']))
      const cut = sealed.slice(0, at % sealed.length)
      expect(await sealer.open(cut, ['context'])).toBeTypeOf('string')
      sealed[at % sealed.length]! ^= 1 << bit
      expect(await sealer.open(sealed, ['context'])).toBeTypeOf('string')
    }),
  )
})

test('anything else is no sealed value', async () => {
  const sealer = new Sealer(key)
  await fc.assert(
    fc.asyncProperty(bytes, async (junk) => {
      expect(await sealer.open(junk, [])).toBeTypeOf('string')
    }),
  )
})

test('the same value is never sealed to the same bytes', async () => {
  const sealer = new Sealer(key)
  const sealed = await Promise.all(Array.from({ length: 100 }, () => sealer.seal(secret, [])))
  const ivs = sealed.map((each) => Buffer.from(each.subarray(5, 17)).toString('hex'))
  expect(new Set(ivs).size).toBe(100)
})

test('with several keys the first seals and each opens', async () => {
  const before = new Sealer(other)
  const during = new Sealer([key, other])
  const after = new Sealer([key])
  const old = new Uint8Array(await before.seal(secret, []))
  const fresh = new Uint8Array(await during.seal(secret, []))
  expect(text(await during.open(old, []))).toBe('a value to keep')
  expect(text(await after.open(fresh, []))).toBe('a value to keep')
  expect(await after.open(old, [])).toBe('unknown-key')
  expect(await before.open(fresh, [])).toBe('unknown-key')
})

test('a key is bytes, hex, base64, base64url or a CryptoKey, all the same key', async () => {
  const buffer = Buffer.from(key)
  const imported = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ])
  const forms: SealingKey[] = [
    buffer.toString('hex'),
    buffer.toString('hex').toUpperCase(),
    buffer.toString('base64'),
    buffer.toString('base64url'),
    buffer,
    imported,
  ]
  const sealed = new Uint8Array(await new Sealer(key).seal(secret, []))
  for (const form of forms) {
    expect(text(await new Sealer(form).open(sealed, []))).toBe('a value to keep')
  }
})

test('what is no key is refused, and not shown', async () => {
  const short = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, [
    'encrypt',
    'decrypt',
  ])
  const sealOnly = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, [
    'encrypt',
  ])
  const wrong: unknown[] = [
    'hunter2hunter2',
    '',
    key.subarray(1),
    Buffer.from(key).toString('hex').slice(2),
    short,
    sealOnly,
    [],
    null,
    undefined,
    42,
  ]
  for (const keys of wrong) {
    expect(() => new Sealer(keys as SealingKey)).toThrow(
      expect.objectContaining({
        code: 'CACHE_CONFIG',
        message: expect.not.stringContaining('hunter2'),
      }),
    )
  }
})

test('nothing of a key is in what it seals', async () => {
  const sealed = Buffer.from(await new Sealer(key).seal(secret, []))
  for (let at = 0; at + 4 <= key.length; at++) {
    expect(sealed.includes(Buffer.from(key.subarray(at, at + 4)))).toBe(false)
  }
  expect(sealed.includes('a value')).toBe(false)
})
