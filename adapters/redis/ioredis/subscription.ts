import type { Redis } from 'ioredis'
import type { Failure } from '../../../src/core/index.ts'
import { PullQueue } from '../../../src/core/queue.ts'
import { type Message, maxBuffered, type Subscription } from '../../../src/redis/driver.ts'

/** How often a quiet subscription is asked whether it still lives; it may be dead for two of these. */
const heartbeatMs = 15_000

/** A subscription on a connection of its own, which ends when the connection does. */
export class IoredisSubscription implements Subscription {
  readonly #client: Redis
  readonly #messages = new PullQueue<Message>(maxBuffered)
  readonly #heartbeat: ReturnType<typeof setInterval>
  #alive = true

  constructor(client: Redis) {
    this.#client = client
    client.on('message', (channel: string, message: string) => this.#push({ channel, message }))
    client.on('pmessage', (pattern: string, channel: string, message: string) => {
      this.#push({ channel, pattern, message })
    })
    client.once('end', () => {
      this.#end({ kind: 'unavailable', detail: 'the subscription was cut' })
    })
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs)
    this.#heartbeat.unref()
  }

  next(): Promise<Message> {
    return this.#messages.next()
  }

  async close(): Promise<void> {
    this.#end({ kind: 'closed', detail: 'the subscription is closed' })
  }

  #push(message: Message): void {
    if (!this.#messages.push(message)) this.#client.disconnect()
  }

  /** A peer that is gone without a word sends no FIN: only a question without an answer shows it. */
  #beat(): void {
    if (!this.#alive) {
      this.#client.disconnect()
      return
    }
    this.#alive = false
    this.#client.ping().then(
      () => {
        this.#alive = true
      },
      () => {},
    )
  }

  #end(failure: Failure): void {
    this.#messages.end(failure)
    clearInterval(this.#heartbeat)
    this.#client.disconnect()
  }
}
