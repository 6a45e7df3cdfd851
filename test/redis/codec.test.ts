import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeResult,
  encodeCommand,
  maybeRounded,
  parseJson,
} from '../../adapters/redis/rest/codec.ts'
import { seal, unseal } from '../../src/redis/envelope.ts'

const utf8 = new TextEncoder()
const arg = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.uint8Array(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)
const bytesOf = (value: unknown) =>
  value instanceof Uint8Array ? value : utf8.encode(String(value))

test('any command with bytes comes out of its envelope as it went in', () => {
  fc.assert(
    fc.property(fc.array(arg, { minLength: 1 }), (args) => {
      expect(unseal(JSON.parse(JSON.stringify(seal(args))))?.map(bytesOf)).toEqual(
        args.map(bytesOf),
      )
    }),
  )
})

test('what only looks like an envelope is left alone', () => {
  const sealed = seal(['GET', 'k'])
  expect(unseal(['GET', 'k'])).toBeUndefined()
  expect(unseal([sealed[0], `${sealed[1]} `, ...sealed.slice(2)])).toBeUndefined()
  expect(unseal([sealed[0], sealed[1], '1', 'k'])).toBeUndefined()
})

test('text travels as itself, and only bytes that are not UTF-8 need the envelope', () => {
  fc.assert(
    fc.property(fc.array(arg, { minLength: 1 }), (args) => {
      const { json, sealed } = encodeCommand({ args })
      const sent = JSON.parse(json) as string[]
      const received = sealed ? unseal(sent) : sent
      expect(received?.map(bytesOf)).toEqual(args.map(bytesOf))
    }),
  )
  expect(encodeCommand({ args: ['SET', 'ключ', utf8.encode('значение')] }).sealed).toBe(false)
  expect(encodeCommand({ args: ['SET', 'k', new Uint8Array([0xff])] }).sealed).toBe(true)
})

test('integers of any size are exact, wherever they stand', () => {
  const reply: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string().map((text) => Buffer.from(text).toString('base64')),
      fc.constant(null),
      fc.array(tie('node'), { maxLength: 4 }),
    ),
  })).node
  const write = (value: unknown): string =>
    Array.isArray(value)
      ? `[${value.map(write).join(', ')}]`
      : typeof value === 'bigint'
        ? String(value)
        : JSON.stringify(value)
  const read = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(read)
      : typeof value === 'bigint' &&
          value === BigInt(Number(value)) &&
          Number.isSafeInteger(Number(value))
        ? Number(value)
        : value
  fc.assert(
    fc.property(reply, (value) => {
      expect(parseJson(`{"result":${write(value)}}`)).toEqual({ result: read(value) })
    }),
  )
})

test('a reply in base64 is read as text and as bytes; a bare OK is a status', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const base64 = Buffer.from(bytes).toString('base64')
      expect(decodeResult([base64], true)).toEqual([bytes])
      expect(decodeResult(base64, false)).toBe(Buffer.from(bytes).toString())
    }),
  )
  expect(decodeResult('OK', false)).toBe('OK')
  expect(decodeResult('OK', true)).toEqual(utf8.encode('OK'))
  expect(() => decodeResult({ result: 1 }, false)).toThrow(TypeError)
})

test('a script’s large integers are suspected, its small ones are not', () => {
  expect(maybeRounded([1, ['x', 2n ** 60n]])).toBe(true)
  expect(maybeRounded([1, null, ['x']])).toBe(false)
})
