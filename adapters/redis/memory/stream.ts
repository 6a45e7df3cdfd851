import { search } from './search.ts'

export interface StreamItem {
  /** Milliseconds in the upper 64 bits, sequence in the lower. */
  readonly id: bigint
  /** Names and values in turns. */
  readonly fields: string[]
}

const part = 1n << 64n
export const maxId = (1n << 128n) - 1n

/** `sequence` is for an ID that has none. `undefined` if it is no ID. */
export function parseId(text: string, sequence: bigint): bigint | undefined {
  const match = /^(\d{1,32})(?:-(\d{1,32}))?$/.exec(text)
  if (match === null) return undefined
  const ms = BigInt(match[1] as string)
  const rest = match[2] === undefined ? sequence : BigInt(match[2])
  return ms < part && rest < part ? ms * part + rest : undefined
}

export function formatId(id: bigint): string {
  return `${id / part}-${id % part}`
}

export function millisecondsOf(id: bigint): bigint {
  return id / part
}

export class Stream {
  #items: StreamItem[] = []
  #lastId = 0n

  get size(): number {
    return this.#items.length
  }

  /** The highest ID that there ever was. */
  get lastId(): bigint {
    return this.#lastId
  }

  /** The ID that follows at this time, or with just these milliseconds; `undefined` if there is none. */
  nextId(now: bigint, ms?: bigint): bigint | undefined {
    const least = (ms ?? now) * part
    const id = least > this.#lastId ? least : this.#lastId + 1n
    return ms === undefined || millisecondsOf(id) === ms ? id : undefined
  }

  /** The ID must be above `lastId`. */
  add(id: bigint, fields: string[]): void {
    this.#items.push({ id, fields })
    this.#lastId = id
  }

  /** Both ends included. */
  range(from: bigint, to: bigint): StreamItem[] {
    return this.#items.slice(this.countBelow(from), this.countBelow(to + 1n))
  }

  countBelow(id: bigint): number {
    return search(this.#items, (item) => item.id < id)
  }

  delete(id: bigint): boolean {
    const index = this.countBelow(id)
    if (this.#items[index]?.id !== id) return false
    this.#items.splice(index, 1)
    return true
  }

  dropOldest(count: number): void {
    this.#items.splice(0, count)
  }

  copy(): Stream {
    const copy = new Stream()
    copy.#items = this.#items.slice()
    copy.#lastId = this.#lastId
    return copy
  }
}
