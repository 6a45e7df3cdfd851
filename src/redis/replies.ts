import { DriverFailure } from '../core/index.ts'
import type { ScoredMember, StreamEntry } from './commands.ts'
import type { Reply } from './driver.ts'

function unexpected(): never {
  throw new TypeError('unexpected reply')
}

/** Each throws for what its command cannot answer. */
export const decode = {
  any(reply: Reply): Reply {
    return reply
  },
  text(reply: Reply): string {
    if (typeof reply === 'string') return reply
    if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
    return unexpected()
  },
  textOrNull(reply: Reply): string | null {
    return reply === null ? null : decode.text(reply)
  },
  bytes(reply: Reply): Uint8Array | null {
    if (reply === null || reply instanceof Uint8Array) return reply
    return unexpected()
  },
  list(reply: Reply): Reply[] {
    if (Array.isArray(reply)) return reply
    return unexpected()
  },
  texts(reply: Reply): string[] {
    return decode.list(reply).map(decode.text)
  },
  textsOrNulls(reply: Reply): (string | null)[] {
    return decode.list(reply).map(decode.textOrNull)
  },
  bytesList(reply: Reply): (Uint8Array | null)[] {
    return decode.list(reply).map(decode.bytes)
  },
  integer(reply: Reply): number {
    if (typeof reply === 'number') return reply
    if (typeof reply !== 'bigint') unexpected()
    throw new DriverFailure({
      kind: 'unsupported',
      detail: 'the integer is beyond 2^53 - 1; command([...]) gives it exactly, as a bigint',
    })
  },
  integerOrNull(reply: Reply): number | null {
    return reply === null ? null : decode.integer(reply)
  },
  boolean(reply: Reply): boolean {
    if (reply === 1 || reply === 0) return reply === 1
    return unexpected()
  },
  written(reply: Reply): boolean {
    if (reply === 'OK' || reply === null) return reply === 'OK'
    return unexpected()
  },
  done(reply: Reply): undefined {
    if (reply !== 'OK') unexpected()
  },
  score(reply: Reply): number {
    const score = Number(decode.text(reply).replace('inf', 'Infinity'))
    if (Number.isNaN(score)) unexpected()
    return score
  },
  scoreOrNull(reply: Reply): number | null {
    return reply === null ? null : decode.score(reply)
  },
  pairs<T>(reply: Reply, pair: (first: Reply, second: Reply) => T): T[] {
    const flat = decode.list(reply)
    if (flat.length % 2 !== 0) unexpected()
    const result: T[] = []
    for (let i = 0; i < flat.length; i += 2)
      result.push(pair(flat[i] as Reply, flat[i + 1] as Reply))
    return result
  },
  record(reply: Reply): Record<string, string> {
    // fromEntries, since a field may be called __proto__.
    return Object.fromEntries(
      decode.pairs(reply, (name, value) => [decode.text(name), decode.text(value)]),
    )
  },
  scored(reply: Reply): ScoredMember[] {
    return decode.pairs(reply, (member, score) => ({
      member: decode.text(member),
      score: decode.score(score),
    }))
  },
  entries(reply: Reply): StreamEntry[] {
    return decode.list(reply).map((entry) => {
      const [id, fields] = decode.list(entry) as [Reply, Reply]
      return { id: decode.text(id), fields: decode.record(fields) }
    })
  },
  streams(reply: Reply): { key: string; entries: StreamEntry[] }[] {
    if (reply === null) return []
    return decode.list(reply).map((stream) => {
      const [key, entries] = decode.list(stream) as [Reply, Reply]
      return { key: decode.text(key), entries: decode.entries(entries) }
    })
  },
}
