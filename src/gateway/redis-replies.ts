import type { Reply } from '../redis/index.ts'

// Of replies as they come with `bytes: true`, in which nothing tells the status OK from the value OK.

/** JSON text. By hand, since `JSON.stringify` has no integers beyond 2^53. Bytes that are not UTF-8 become U+FFFD. */
export function toJson(reply: Reply): string {
  return write(reply, (bytes) => JSON.stringify(bytes.toString()))
}

/** JSON text with every string in base64, except an `OK` that is the whole reply, which no client of the protocol decodes. */
export function toBase64Json(reply: Reply): string {
  return isOk(reply) ? '"OK"' : write(reply, (bytes) => `"${bytes.toString('base64')}"`)
}

function write(reply: Reply, string: (bytes: Buffer) => string): string {
  if (typeof reply === 'string' || reply instanceof Uint8Array) return string(buffer(reply))
  if (Array.isArray(reply)) return `[${reply.map((item) => write(item, string)).join(',')}]`
  return String(reply)
}

/** One after the other, as a server sends them. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export function toResp2(replies: readonly (Reply | Error)[]): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = []
  const line = (text: string) => parts.push(Buffer.from(`${text}\r\n`))
  const append = (reply: Reply) => {
    if (reply === null) line('$-1')
    else if (typeof reply === 'string' || reply instanceof Uint8Array) {
      const bytes = buffer(reply)
      line(`$${bytes.length}`)
      parts.push(bytes)
      line('')
    } else if (Array.isArray(reply)) {
      line(`*${reply.length}`)
      for (const item of reply) append(item)
    } else line(`:${reply}`)
  }
  for (const reply of replies) {
    if (reply instanceof Error) line(`-${reply.message.replace(/[\r\n]/g, ' ')}`)
    else if (isOk(reply)) line('+OK')
    else append(reply)
  }
  return Buffer.concat(parts)
}

function isOk(reply: Reply): boolean {
  if (typeof reply === 'string') return reply === 'OK'
  return reply instanceof Uint8Array && reply.length === 2 && reply[0] === 0x4f && reply[1] === 0x4b
}

function buffer(string: string | Uint8Array): Buffer {
  if (typeof string === 'string') return Buffer.from(string)
  return Buffer.from(string.buffer, string.byteOffset, string.byteLength)
}
