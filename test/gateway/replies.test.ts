import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toBase64Json, toJson, toResp2 } from '../../src/gateway/redis-replies.ts'
import { type Reply, ReplyError } from '../../src/redis/index.ts'

const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(Buffer.from('OK'), Buffer.from('\r\n$-1\r\n'), new Uint8Array()),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((n) => n !== BigInt(Number(n))),
    fc.array(tie('reply'), { maxLength: 5 }),
  ),
}))

/** What a client of RESP2 reads, with strings as Latin-1 so that no byte is lost. */
function readResp2(bytes: Uint8Array): unknown[] {
  const text = Buffer.from(bytes).toString('latin1')
  let at = 0
  const line = () => {
    const end = text.indexOf('\r\n', at)
    const found = text.slice(at, end)
    at = end + 2
    return found
  }
  const read = (): unknown => {
    const head = line()
    const rest = head.slice(1)
    switch (head[0]) {
      case '+':
        return rest
      case '-':
        return { error: rest }
      case ':':
        return BigInt(rest)
      case '*':
        return Array.from({ length: Number(rest) }, read)
      case '$': {
        if (rest === '-1') return null
        const string = text.slice(at, at + Number(rest))
        at += Number(rest)
        expect(line()).toBe('')
        return string
      }
    }
    throw new Error(`not RESP2: ${head}`)
  }
  const replies: unknown[] = []
  while (at < text.length) replies.push(read())
  return replies
}

/** A reply in a form that can be compared: strings by `text`, integers as bigint. */
function plain(value: Reply, text: (bytes: Buffer) => string): unknown {
  if (value === null) return null
  if (Array.isArray(value)) return value.map((item) => plain(item, text))
  if (typeof value === 'number' || typeof value === 'bigint') return BigInt(value)
  return text(Buffer.from(value as Uint8Array))
}

const exact = (_: string, value: unknown, context?: { source: string }) =>
  typeof value === 'number' ? BigInt(context!.source) : value

test('RESP2 gives back every reply, byte for byte', () => {
  fc.assert(
    fc.property(fc.array(reply), (replies) => {
      expect(readResp2(toResp2(replies))).toEqual(
        replies.map((one) => plain(one, (bytes) => bytes.toString('latin1'))),
      )
    }),
  )
})

test('an error is one line of RESP2, whatever it says', () => {
  fc.assert(
    fc.property(fc.string(), (message) => {
      const [error, after] = readResp2(toResp2([new ReplyError(message), 7])) as [object, unknown]
      expect(error).toHaveProperty('error')
      expect(after).toBe(7n)
    }),
  )
})

test('base64 gives back every reply, byte for byte', () => {
  fc.assert(
    fc.property(reply, (one) => {
      const json = toBase64Json(one)
      const expected = plain(one, (bytes) => bytes.toString('base64'))
      expect(JSON.parse(json, exact)).toEqual(expected === 'T0s=' ? 'OK' : expected)
    }),
  )
})

test('plain JSON gives back text and integers', () => {
  fc.assert(
    fc.property(reply, (one) => {
      expect(JSON.parse(toJson(one), exact)).toEqual(plain(one, (bytes) => bytes.toString()))
    }),
  )
})
