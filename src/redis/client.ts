import {
  type Attempt,
  type CallOptions,
  Client,
  type ClientOptions,
  DriverFailure,
  type ItemResult,
  known,
  type Operation,
} from '../core/index.ts'
import { invalid } from './arguments.ts'
import { Batch, type BatchOf, type Make, type Result, type Runner } from './batch.ts'
import {
  type CommandOptions,
  type Commands,
  commands,
  raw,
  type Spec,
  type Value,
} from './commands.ts'
import type { Arg, Command, RedisCapabilities, RedisDriver, Reply } from './driver.ts'
import { RedisSubscription, subscribeOperation } from './subscription.ts'

/** Each command of `commands` as a method that runs it. */
export type CommandMethods = {
  [K in keyof Commands]: (
    ...args: Parameters<Commands[K]>
  ) => Promise<Result<ReturnType<Commands[K]>>>
}

export interface ScanOptions extends CallOptions {
  /** A glob: `device:*`. */
  readonly match?: string | undefined
  /** A hint: how many keys the server looks at in one step. Default: the server's, 10. */
  readonly count?: number | undefined
  /** Only keys that hold this: `string`, `hash`, `list`, `set`, `zset`, `stream`. */
  readonly type?: string | undefined
}

export interface SubscribeOptions extends CallOptions {
  /** The channels are globs: `device.*`. */
  readonly patterns?: boolean | undefined
}

export interface Redis extends CommandMethods {}

const scanOperation: Operation<[string, string[]]> = {
  name: 'scan',
  write: false,
  idempotent: true,
  decode: (reply: Reply) => {
    const [cursor, keys] = reply as [Reply, Reply[]]
    return [String(cursor), keys.map(String)]
  },
}
const names = { duration: 'redis_operation_duration_seconds', label: 'command' }

/**
 * Redis over any transport: `new Redis(ioredis({ url }))`, `new Redis(rest({ url, token }))`.
 *
 * Every operation takes `{ signal, timeoutMs, correlationId }` last and rejects with an `InfraError` only.
 * Bad input rejects with kind `invalid` before anything is sent. When the signal fires, the call rejects
 * with kind `aborted`; a write whose bytes had left may have been applied, and `outcome` says so.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the methods are put on the prototype below.
export class Redis extends Client<RedisDriver> {
  readonly #execute: (command: Command, attempt: Attempt) => Promise<Reply>
  readonly #capabilities: RedisCapabilities

  static {
    const methods = Redis.prototype as unknown as Record<string, unknown>
    for (const [name, make] of Object.entries(commands) as [string, Make][]) {
      // Four parameters, since no command has more, and a rest parameter would cost an array a call.
      methods[name] = function (this: Redis, a: unknown, b: unknown, c: unknown, d: unknown) {
        let spec: Spec
        try {
          spec = make(a, b, c, d)
          this.#check(spec)
        } catch (error) {
          return this.calls.refuse(name.toLowerCase(), error)
        }
        return this.calls.run(spec.operation, spec, this.#execute, spec.options)
      }
    }
  }

  constructor(driver: RedisDriver, options?: ClientOptions) {
    super('redis', driver, names, options)
    this.#capabilities = driver.capabilities
    this.#execute = (command, attempt) => driver.execute(command, attempt)
  }

  /** What this adapter can do. */
  get capabilities(): RedisCapabilities {
    return this.#capabilities
  }

  /**
   * Any command, its name first. Status and bulk replies are text, or `Uint8Array` with `{ bytes: true }`;
   * integers beyond 2^53 - 1 are `bigint`. Commands that would change the connection that callers share
   * (SELECT, MULTI, SUBSCRIBE) reject with kind `unsupported`.
   */
  command(args: readonly Value[], options?: CommandOptions): Promise<Reply> {
    let spec: Spec<Reply>
    try {
      spec = raw(args, options)
      this.#check(spec)
    } catch (error) {
      return this.calls.refuse('command', error)
    }
    return this.calls.run(spec.operation, spec, this.#execute, spec.options)
  }

  /** Collects commands that go out together and in order; not atomic. Collecting throws for bad input. */
  pipeline(): BatchOf<[]> {
    return new Batch(this.#runner, false) as unknown as BatchOf<[]>
  }

  /**
   * Collects commands that run as one (MULTI/EXEC): nothing comes between them. Redis does not roll back:
   * when one fails, the others stay applied. On a cluster all keys must share a slot.
   */
  transaction(): BatchOf<[]> {
    return new Batch(this.#runner, true) as unknown as BatchOf<[]>
  }

  readonly #runner: Runner = {
    add: (make) => {
      try {
        const spec = make()
        this.#check(spec)
        return spec
      } catch (error) {
        throw this.calls.refusal('pipeline', error)
      }
    },
    run: (specs, atomic, options, decode) => {
      try {
        known(options)
        this.#checkSize(specs)
        if (!atomic && specs.some((spec) => spec.blocking)) {
          throw new DriverFailure({
            kind: 'unsupported',
            detail: 'a blocking command cannot be part of a pipeline',
          })
        }
      } catch (error) {
        return this.calls.refuse('pipeline', error)
      }
      const operation: Operation<never> = {
        name: atomic ? 'transaction' : 'pipeline',
        write: specs.some((spec) => spec.operation.write),
        idempotent: specs.every((spec) => spec.operation.idempotent),
        decode: (replies: (Reply | Error)[]) =>
          decode(specs.map((spec, i) => this.#item(spec, replies[i] as Reply | Error))) as never,
      }
      return this.calls.run(
        operation,
        specs,
        (request, attempt) => this.driver.batch(request, atomic, attempt),
        options,
      )
    },
  }

  #item(spec: Spec, reply: Reply | Error): ItemResult {
    let error: unknown = reply
    if (!(reply instanceof Error)) {
      const decode = spec.operation.decode as ((reply: Reply) => unknown) | undefined
      try {
        return { status: 'fulfilled', value: decode === undefined ? reply : decode(reply) }
      } catch (cause) {
        error = cause instanceof DriverFailure ? cause : new DriverFailure({ kind: 'internal' })
      }
    }
    return { status: 'rejected', reason: this.calls.failure(spec.operation, error) }
  }

  /**
   * Every key once at least, in pages, while keys may come and go: a key that was there throughout is
   * found, one may be found twice. The deadline is for each page.
   */
  async *scan(options?: ScanOptions): AsyncGenerator<string, void, undefined> {
    let cursor = '0'
    do {
      const [next, keys] = await this.#scanPage(cursor, options)
      yield* keys
      cursor = next
    } while (cursor !== '0')
  }

  #scanPage(cursor: string, options: ScanOptions | undefined): Promise<[string, string[]]> {
    const args: Arg[] = ['SCAN', cursor]
    try {
      known(options, 'match', 'count', 'type')
      const { match, count, type } = options ?? {}
      if (match !== undefined) args.push('MATCH', checkedText(match, 'match'))
      if (count !== undefined) {
        if (!Number.isSafeInteger(count) || count < 1)
          throw invalid('count is not a whole number from 1')
        args.push('COUNT', count)
      }
      if (type !== undefined) args.push('TYPE', checkedText(type, 'type'))
    } catch (error) {
      return this.calls.refuse('scan', error)
    }
    return this.calls.run(scanOperation, { args }, this.#execute, options)
  }

  /**
   * Resolves when the server has confirmed the subscription: what is published from then on arrives.
   * Iterating gives the messages and rejects when the connection is lost (messages may have been missed) or
   * the signal fires; `close` ends it quietly. `timeoutMs` bounds the subscribing, not the quiet between messages.
   */
  async subscribe(
    channels: string | readonly string[],
    options?: SubscribeOptions,
  ): Promise<RedisSubscription> {
    const list = typeof channels === 'string' ? [channels] : channels
    const patterns = options?.patterns ?? false
    try {
      known(options, 'patterns')
      if (!Array.isArray(list) || list.length === 0) throw invalid('channels: there is none')
      for (const channel of list) checkedText(channel, 'the channel')
      const able = patterns ? this.#capabilities.patternSubscribe : this.#capabilities.subscribe
      if (!able) throw new DriverFailure({ kind: 'unsupported' })
    } catch (error) {
      return this.calls.refuse('subscribe', error)
    }
    const subscription = await this.calls.run(
      subscribeOperation,
      list,
      (request, attempt) => this.driver.subscribe(request, patterns, attempt),
      options,
    )
    return new RedisSubscription(this.calls, subscription, options?.signal)
  }

  /** What the adapter cannot do is refused here, so that it is refused alike everywhere. */
  #check(spec: Spec): void {
    if (spec.blocking && !this.#capabilities.blocking) {
      throw new DriverFailure({ kind: 'unsupported', detail: 'this adapter cannot block' })
    }
    this.#checkSize([spec])
  }

  #checkSize(specs: readonly Spec[]): void {
    const limit = this.#capabilities.maxRequestBytes
    let bytes = 0
    for (const { args } of specs) {
      // UTF-8 needs at most 3 bytes for a UTF-16 unit: count exactly only when that could be too much.
      for (const arg of args) bytes += typeof arg === 'string' ? arg.length * 3 : sizeOf(arg)
    }
    if (bytes <= limit) return
    bytes = 0
    for (const { args } of specs) for (const arg of args) bytes += sizeOf(arg)
    if (bytes > limit) throw invalid(`the request is larger than ${limit} bytes`)
  }
}

function sizeOf(arg: Arg): number {
  if (typeof arg === 'string') return new TextEncoder().encode(arg).length
  return arg instanceof Uint8Array ? arg.length : 20
}

function checkedText(value: string, what: string): string {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) {
    throw invalid(`${what} is not a text`)
  }
  return value
}
