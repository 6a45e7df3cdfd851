import { PullQueue } from '../../../src/core/queue.ts'
import { type Message, maxBuffered, type Subscription } from '../../../src/redis/driver.ts'
import { toBinary, toText } from './bytes.ts'
import { glob } from './glob.ts'

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

class MemorySubscription implements Subscription {
  readonly #wanted: ReadonlySet<string>
  readonly #patterns: boolean
  readonly #leave: () => void
  readonly #messages = new PullQueue<Message>(maxBuffered)

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
    return this.#messages.next()
  }

  async close(): Promise<void> {
    this.#leave()
    this.#messages.end({ kind: 'closed', detail: 'the subscription is closed' })
  }

  #deliver(message: Message): void {
    if (!this.#messages.push(message)) this.#leave()
  }
}
