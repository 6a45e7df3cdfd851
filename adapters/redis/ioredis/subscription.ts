import type { Redis } from 'ioredis'
import { DriverFailure } from '../../../src/core/index.ts'
import type { Message, Subscription } from '../../../src/redis/index.ts'

/** How often a quiet subscription is asked whether it still lives; it may be dead for two of these. */
const heartbeatMs = 15_000
/** Redis itself gives up on a subscriber that is too slow; so does this end. */
const maxBuffered = 10_000

/** A subscription on a connection of its own, which ends when the connection does. */
export class IoredisSubscription implements Subscription {
  readonly #client: Redis
  readonly #buffer: Message[] = []
  readonly #heartbeat: ReturnType<typeof setInterval>
  #waiting: { resolve(message: Message): void; reject(error: unknown): void } | undefined
  #failure: unknown
  #alive = true

  constructor(client: Redis) {
    this.#client = client
    client.on('message', (channel: string, message: string) => this.#push({ channel, message }))
    client.on('pmessage', (pattern: string, channel: string, message: string) => {
      this.#push({ channel, pattern, message })
    })
    client.once('end', () => {
      this.#end(new DriverFailure({ kind: 'unavailable', detail: 'the subscription was cut' }))
    })
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs)
    this.#heartbeat.unref()
  }

  next(): Promise<Message> {
    const message = this.#buffer.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  async close(): Promise<void> {
    this.#end(new DriverFailure({ kind: 'closed', detail: 'the subscription is closed' }))
  }

  #push(message: Message): void {
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting
      this.#waiting = undefined
      resolve(message)
    } else if (this.#buffer.length < maxBuffered) {
      this.#buffer.push(message)
    } else {
      this.#end(
        new DriverFailure({
          kind: 'throttled',
          detail: `the reader is more than ${maxBuffered} messages behind`,
        }),
      )
    }
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

  #end(failure: DriverFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    clearInterval(this.#heartbeat)
    this.#waiting?.reject(failure)
    this.#waiting = undefined
    this.#client.disconnect()
  }
}
