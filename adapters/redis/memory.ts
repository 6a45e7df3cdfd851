import { type Attempt, DriverFailure, type Failure } from '../../src/core/index.ts'
import {
  type Command,
  classifyReply,
  type RedisCapabilities,
  type RedisDriver,
  type Reply,
  ReplyError,
  type Subscription,
} from '../../src/redis/index.ts'
import { toBinary, toBytes, toText } from './memory/bytes.ts'
import { type Commands, Database, type Command as Definition } from './memory/database.ts'
import { hashes } from './memory/hash-commands.ts'
import { keys } from './memory/key-commands.ts'
import { lists } from './memory/list-commands.ts'
import { Blocked, type Result, refuse, wrongArity } from './memory/reply.ts'
import { sets } from './memory/set-commands.ts'
import { sortedSets } from './memory/sorted-set-commands.ts'
import { streams } from './memory/stream-commands.ts'
import { maxStringLength, strings } from './memory/string-commands.ts'

export interface MemoryOptions {
  /** Epoch milliseconds, for expiry and stream IDs. Default `Date.now`. */
  clock?: (() => number) | undefined
}

/**
 * Redis inside the process, for tests, development and caches of one's own: the replies and errors of
 * Redis 7, on any runtime. Each call makes an empty one; clients of one driver share its data. No
 * scripts, consumer groups or persistence.
 */
export function memory(options: MemoryOptions = {}): RedisDriver {
  return new MemoryDriver(options.clock ?? Date.now)
}

const commands: Commands = {
  ...keys,
  ...strings,
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...streams,
}

const capabilities: RedisCapabilities = {
  bytes: true,
  exactIntegers: true,
  scripts: false,
  blocking: true,
  subscribe: true,
  patternSubscribe: true,
  cancel: true,
  slots: false,
  maxRequestBytes: maxStringLength,
}

const maxTimerMs = 2 ** 31 - 1

interface Waiter {
  readonly retry: () => Result | undefined
  resolve(result: Result): void
  reject(failure: DriverFailure): void
}

class MemoryDriver implements RedisDriver {
  readonly adapter = 'memory'
  readonly resource = undefined
  readonly capabilities = capabilities
  readonly #database: Database
  /** Who waits, in the order in which they came, which is the order in which they are served. */
  readonly #waiters = new Set<Waiter>()
  #closed = false

  constructor(clock: () => number) {
    this.#database = new Database(clock)
  }

  execute(command: Command, attempt: Attempt): Promise<Reply> {
    try {
      const result = this.#run(command, attempt)
      if (result instanceof Blocked) {
        return this.#wait(result, attempt).then((late) => encode(late, command.bytes))
      }
      this.#serve()
      return Promise.resolve(encode(result, command.bytes))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async batch(
    batch: readonly Command[],
    atomic: boolean,
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    this.#check(attempt)
    if (atomic && !batch.every(isAccepted)) {
      refuse('EXECABORT Transaction discarded because of previous errors.')
    }
    const replies: (Reply | Error)[] = []
    for (const command of batch) {
      try {
        let result = this.#run(command, attempt)
        // Nobody else can come in between, so waiting would be for nothing: Redis answers as if in vain.
        if (result instanceof Blocked) result = atomic ? null : await this.#wait(result, attempt)
        replies.push(encode(result, command.bytes))
      } catch (error) {
        replies.push(error as Error)
      }
      if (!atomic) this.#serve()
    }
    this.#serve()
    return replies
  }

  async subscribe(
    channels: readonly string[],
    patterns: boolean,
    attempt: Attempt,
  ): Promise<Subscription> {
    this.#check(attempt)
    return this.#database.channels.subscribe(channels, patterns)
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.execute({ args: ['PING'] }, attempt)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#database.channels.close()
    for (const waiter of this.#waiters) waiter.reject(new DriverFailure({ kind: 'closed' }))
  }

  classify(error: unknown): Failure {
    return error instanceof ReplyError ? classifyReply(error.message) : { kind: 'internal' }
  }

  /** The database itself; its `size` is the number of keys. */
  async native(): Promise<Database> {
    return this.#database
  }

  #check(attempt: Attempt): void {
    if (this.#closed) throw new DriverFailure({ kind: 'closed' })
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
  }

  #run({ args: [name = '', ...rest] }: Command, attempt: Attempt): Result | Blocked {
    this.#check(attempt)
    attempt.sent = true
    this.#database.tick()
    const args = rest.map(toBinary)
    return definition(toBinary(name), args).run(this.#database, args)
  }

  #wait({ timeoutMs, retry }: Blocked, attempt: Attempt): Promise<Result> {
    return new Promise((resolve, reject) => {
      // At once, not in a later microtask: who has left must not be given an item that others want.
      const leave = () => {
        this.#waiters.delete(waiter)
        clearTimeout(timer)
        attempt.onCancel = undefined
      }
      const waiter: Waiter = {
        retry,
        resolve(result) {
          leave()
          resolve(result)
        },
        reject(failure) {
          leave()
          reject(failure)
        },
      }
      const timer =
        timeoutMs === 0
          ? undefined
          : setTimeout(waiter.resolve, Math.min(timeoutMs, maxTimerMs), null)
      attempt.onCancel = () => waiter.reject(new DriverFailure({ kind: 'aborted' }))
      this.#waiters.add(waiter)
    })
  }

  /** Gives those who wait what has come for them. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const result = waiter.retry()
      if (result !== undefined) waiter.resolve(result)
    }
  }
}

/** The command's definition; refuses what Redis refuses before it looks at any key. */
function definition(name: string, args: readonly string[]): Definition {
  const upper = name.toUpperCase()
  const found = Object.hasOwn(commands, upper) ? commands[upper] : undefined
  if (found === undefined) {
    let quoted = ''
    for (const arg of args) {
      if (quoted.length >= 128) break
      quoted += `'${arg.slice(0, 128 - quoted.length)}' `
    }
    return refuse(
      `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${quoted}`,
    )
  }
  const count = args.length + 1
  return (found.arity < 0 ? count < -found.arity : count !== found.arity) ? wrongArity(name) : found
}

function isAccepted({ args: [name = '', ...rest] }: Command): boolean {
  try {
    definition(toBinary(name), rest.map(toBinary))
    return true
  } catch {
    return false
  }
}

function encode(result: Result, bytes: boolean | undefined): Reply {
  if (typeof result === 'string') return bytes ? toBytes(result) : toText(result)
  if (Array.isArray(result)) return result.map((item) => encode(item, bytes))
  if (typeof result !== 'bigint') return result
  const near = Number(result)
  return Number.isSafeInteger(near) ? near : result
}
