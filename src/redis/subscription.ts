import type { CallPipeline, Operation } from '../core/index.ts'
import type { Message, Subscription } from './driver.ts'

export const subscribeOperation: Operation<Subscription> = {
  name: 'subscribe',
  write: false,
  idempotent: true,
}

/** The messages of a subscription, in the order in which the server sent them. One reader at a time. */
export class RedisSubscription implements AsyncIterableIterator<Message> {
  readonly #calls: CallPipeline
  readonly #subscription: Subscription
  readonly #signal: AbortSignal | undefined
  #ended: 'closed' | 'aborted' | 'failed' | undefined

  constructor(calls: CallPipeline, subscription: Subscription, signal: AbortSignal | undefined) {
    this.#calls = calls
    this.#subscription = subscription
    this.#signal = signal
    if (signal?.aborted) this.handleEvent()
    else signal?.addEventListener('abort', this)
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#ended === undefined) {
      try {
        return { done: false, value: await this.#subscription.next() }
      } catch (error) {
        // Closed or aborted while waiting: that is why it failed.
        if (this.#ended === undefined) {
          await this.#end('failed')
          throw this.#calls.failure(subscribeOperation, error)
        }
      }
    }
    if (this.#ended === 'aborted') {
      this.#ended = 'failed'
      throw this.#calls.error(subscribeOperation, { kind: 'aborted' })
    }
    return { done: true, value: undefined }
  }

  /** Leaves the channels. Iterating ends. Idempotent, never rejects. */
  close(): Promise<void> {
    return this.#end('closed')
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal The caller's signal. */
  handleEvent(): void {
    void this.#end('aborted')
  }

  async #end(how: 'closed' | 'aborted' | 'failed'): Promise<void> {
    if (this.#ended !== undefined) return
    this.#ended = how
    this.#signal?.removeEventListener('abort', this)
    await this.#subscription.close()
  }
}
