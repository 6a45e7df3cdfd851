import { EventEmitter, once } from 'node:events'
import { partitionForKey } from '../../../src/kafka/index.ts'

/** As it is on the wire: bytes in base64. */
export interface LogRecord {
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
  readonly headers: readonly { readonly key: string; readonly value: string }[]
}

export interface Stored extends LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface Member {
  readonly topics: readonly string[]
  readonly reset: string
  /** By partition, the next to read; `undefined` until it first reads there. */
  readonly positions: Map<string, number | undefined>
}

interface Group {
  readonly committed: Map<string, number>
  readonly members: Map<string, Member>
}

/** What is behind a stand-in: topics and groups in memory, as far as its protocol shows them. */
export class Log extends EventEmitter<{ stored: [] }> {
  readonly topics = new Map<string, LogRecord[][]>()
  readonly #groups = new Map<string, Group>()
  #next = 0

  constructor() {
    super()
    this.setMaxListeners(0)
  }

  append(topic: string, record: LogRecord, partition: number): number {
    const log = this.topics.get(topic)?.[partition]
    if (log === undefined) throw new Error('no such partition')
    this.emit('stored')
    return log.push(record) - 1
  }

  /** As Kafka's own clients choose it. */
  partitionOf(topic: string, key: string | null): number {
    const count = this.topics.get(topic)?.length ?? 1
    if (key === null || key === '') return this.#next++ % count
    return partitionForKey(Buffer.from(key, 'base64'), count)
  }

  committed(group: string): ReadonlyMap<string, number> {
    return this.#group(group).committed
  }

  commit(group: string, topic: string, partition: number, offset: number): void {
    this.#group(group).committed.set(`${topic}:${partition}`, offset)
  }

  isMember(group: string, name: string): boolean {
    return this.#group(group).members.has(name)
  }

  isEmpty(group: string): boolean {
    return this.#group(group).members.size === 0
  }

  join(group: string, name: string, topics: readonly string[], reset: string): void {
    this.#group(group).members.set(name, { topics, reset, positions: new Map() })
    this.#rebalance(group)
  }

  leave(group: string, name: string): void {
    this.#group(group).members.delete(name)
    this.#rebalance(group)
  }

  /** What is there, after which it has been read; at most so many bytes, where they are counted. */
  read(group: string, name: string, maxBytes: number): Stored[] {
    const { members, committed } = this.#group(group)
    const member = members.get(name)
    if (member === undefined) return []
    const records: Stored[] = []
    let bytes = 0
    for (const [key, position] of member.positions) {
      const [topic, partition] = key.split(':') as [string, string]
      const log = this.topics.get(topic)?.[Number(partition)] ?? []
      const start = member.reset === 'latest' ? log.length : 0
      let next = position ?? committed.get(key) ?? start
      for (; next < log.length && bytes < maxBytes; next++) {
        const record = log[next] as LogRecord
        bytes += record.value?.length ?? 0
        records.push({ ...record, topic, partition: Number(partition), offset: next })
      }
      member.positions.set(key, next)
    }
    return records
  }

  /** Resolves when something is stored, or the time is over. */
  async wait(ms: number): Promise<void> {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(ms)))
    await once(this, 'stored', { signal }).catch(() => {})
  }

  #group(name: string): Group {
    const group = this.#groups.get(name) ?? { committed: new Map(), members: new Map() }
    this.#groups.set(name, group)
    return group
  }

  /** Everyone begins anew from what is committed. */
  #rebalance(name: string): void {
    const all = [...this.#group(name).members.values()]
    for (const member of all) member.positions.clear()
    let turn = 0
    for (const [topic, logs] of this.topics) {
      const readers = all.filter(({ topics }) => topics.includes(topic))
      if (readers.length === 0) continue
      for (const partition of logs.keys()) {
        const key = `${topic}:${partition}`
        const reader = readers[turn++ % readers.length] as Member
        reader.positions.set(key, undefined)
      }
    }
  }
}
