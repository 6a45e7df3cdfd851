import { DriverFailure, type Failure } from '../../../src/core/index.ts'
import type { Message, Subscription } from '../../../src/redis/driver.ts'
import { toBinary, toText } from './bytes.ts'
import { glob } from './glob.ts'

const maxBuffered = 10_000

export class Channels {
  readonly #subscriptions = new Set<MemorySubscription>()

  subscribe(channels: readonly string[], patterns: boolean): Subscription {
    const subscription = new MemorySubscription(channels, patterns, () =>
      this.#subscriptions.delete(subscription),
    )
    this.#subscriptions.add(subscription)
    return subscription
  }

  /** How often it was delivered: a subscription whose patterns overlap gets it more than once. */
  publish(channel: string, message: string): number {
    let count = 0
    for (const subscription of this.#subscriptions) count += subscription.offer(channel, message)
    return count
  }

  close(): void {
    for (const subscription of this.#subscriptions) void subscription.close()
  }
}

interface Reader {
  resolve(message: Message): void
  reject(error: DriverFailure): void
}

class MemorySubscription implements Subscription {
  readonly #wanted: ReadonlySet<string>
  readonly #patterns: boolean
  readonly #leave: () => void
  #buffer: Message[] = []
  #reader: Reader | undefined
  #ended: DriverFailure | undefined

  constructor(channels: readonly string[], patterns: boolean, leave: () => void) {
    this.#wanted = new Set(channels.map(toBinary))
    this.#patterns = patterns
    this.#leave = leave
  }

  offer(channel: string, message: string): number {
    if (!this.#patterns) {
      if (!this.#wanted.has(channel)) return 0
      this.#deliver({ channel: toText(channel), message: toText(message) })
      return 1
    }
    let count = 0
    for (const pattern of this.#wanted) {
      if (!glob(pattern, channel)) continue
      const delivery = {
        channel: toText(channel),
        pattern: toText(pattern),
        message: toText(message),
      }
      this.#deliver(delivery)
      count++
    }
    return count
  }

  next(): Promise<Message> {
    const message = this.#buffer.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }

  async close(): Promise<void> {
    this.#buffer = []
    this.#end({ kind: 'closed' })
  }

  #deliver(message: Message): void {
    if (this.#reader !== undefined) {
      this.#reader.resolve(message)
      this.#reader = undefined
    } else if (this.#buffer.length < maxBuffered) {
      this.#buffer.push(message)
    } else {
      // What came before is still delivered, so that the reader knows where the gap begins.
      this.#end({ kind: 'throttled', detail: `the reader is ${maxBuffered} messages behind` })
    }
  }

  #end(failure: Failure): void {
    this.#leave()
    this.#ended ??= new DriverFailure(failure)
    this.#reader?.reject(this.#ended)
    this.#reader = undefined
  }
}
