import type { Writable } from 'node:stream'
import type { Cluster, Command as IoredisCommand, Redis } from 'ioredis'
import type { Attempt } from '../../../src/core/index.ts'
import { type Arg, type Command, type Reply, ReplyError } from '../../../src/redis/index.ts'

/** @internal What a reply of ours may hold beside `Reply`: EXEC's items may be errors. */
export type RawReply = Reply | Error | RawReply[]

/** An ioredis command that can be given up. */
interface Sendable extends IoredisCommand {
  promise: Promise<RawReply>
  /** Nobody waits for the reply any more. */
  giveUp(): void
  /** Waited for, and since it was written its socket has brought no reply at all, to whatever command. */
  readonly unheard: boolean
  /** Where it was written, if it was. */
  readonly socket: Wire | undefined
}

type CommandClass = new (connection: Connection, command: Command, attempt: Attempt) => Sendable

/**
 * One ioredis client, which never reconnects: when its connection is lost it is finished, and the driver
 * opens another for the next call. So nothing is ever sent twice, and what was in flight settles at once.
 */
export class Connection {
  readonly client: Redis | Cluster
  /** Commands that have neither been answered nor given up. */
  pending = 0
  ended = false
  retired = false
  lastError: unknown
  readonly #Command: CommandClass
  #lastUsed = performance.now()
  #handshake: ReturnType<typeof setTimeout> | undefined

  constructor(client: Redis | Cluster, Command: CommandClass, connectTimeoutMs: number) {
    this.client = client
    this.#Command = Command
    client.on('error', (error) => {
      this.lastError = error
      // After a SELECT that failed ioredis would go on, in database 0; after anything else it ends, but later.
      this.retired = true
      client.disconnect()
    })
    // ioredis bounds the connecting, but not the wait for the answer to AUTH or CLUSTER SLOTS.
    this.#handshake = setTimeout(() => {
      this.lastError = Object.assign(new Error('handshake timed out'), { code: 'ETIMEDOUT' })
      client.disconnect()
    }, connectTimeoutMs)
    this.#handshake.unref()
    client.once('ready', () => clearTimeout(this.#handshake))
    client.once('end', () => {
      clearTimeout(this.#handshake)
      this.ended = true
    })
  }

  /**
   * Connects if need be. Commands sent before it is ready go out, in order, when it is. `node` is one node
   * of a cluster, to which the command goes whatever its keys.
   */
  send(command: Command, attempt: Attempt, node?: Redis): Promise<RawReply> {
    const native = new this.#Command(this, command, attempt)
    attempt.onCancel = () => this.#cancel([native], attempt)
    this.#write(native, node ?? this.client)
    return native.promise
  }

  /** Several in one go. `route` keeps them all on one node of a cluster, the one of its slot. */
  sendAll(
    commands: readonly Command[],
    attempt: Attempt,
    route?: { slot: number },
  ): Promise<RawReply>[] {
    const natives = commands.map((command) => new this.#Command(this, command, attempt))
    attempt.onCancel = () => this.#cancel(natives, attempt)
    for (const native of natives) this.#write(native, this.client, route)
    return natives.map((native) => native.promise)
  }

  #write(native: Sendable, client: Redis | Cluster, route?: { slot: number }): void {
    try {
      if (route === undefined) client.sendCommand(native)
      else (client as Cluster).sendCommand(native, undefined, route)
    } catch (error) {
      // It cannot be written: its texts together are longer than a string can be.
      native.reject(error as Error)
    }
  }

  #cancel(natives: readonly Sendable[], attempt: Attempt): void {
    const late = performance.now() >= attempt.due
    for (const native of natives) {
      if (late && native.unheard) this.#distrust(native.socket)
      native.giveUp()
    }
  }

  /** Time ran out in silence: the connection is dead. Those to a cluster's other nodes need not be. */
  #distrust(socket: Wire | undefined): void {
    if (this.client.isCluster && this.client.status === 'ready') socket?.destroy()
    else this.retire()
  }

  begin(): void {
    this.pending++
  }

  finish(): void {
    if (--this.pending > 0) return
    this.#lastUsed = performance.now()
    if (this.retired) this.client.disconnect()
  }

  /** Not for new commands any more; closed as soon as nobody waits for a reply. */
  retire(): void {
    this.retired = true
    if (this.pending === 0) this.client.disconnect()
  }

  /** Unused for so long that a firewall, or a freeze, may have cut it without a word. */
  stale(maxIdleMs: number): boolean {
    return this.pending === 0 && performance.now() - this.#lastUsed > maxIdleMs
  }

  async close(): Promise<void> {
    if (this.ended) return
    const end = new Promise<void>((resolve) => {
      this.client.once('end', () => resolve())
    })
    this.client.disconnect()
    await end
  }
}

/** How many a socket has brought. */
const replies = Symbol('replies')
type Wire = Writable & { [replies]?: number }

const abandoned = '*1\r\n$4\r\nPING\r\n'

/** ioredis' command, with its settlement and its writing made ours. Built when ioredis is loaded, and once. */
export function commandClass(Base: typeof IoredisCommand): CommandClass {
  return class extends Base implements Sendable {
    readonly #connection: Connection
    readonly #attempt: Attempt
    readonly #bytes: boolean
    #waiting = true
    socket: Wire | undefined = undefined
    #repliesBefore = 0

    constructor(connection: Connection, command: Command, attempt: Attempt) {
      // No encoding: text is decoded below, since ioredis would make integers and text alike.
      super(command.args[0] as string, toNative(command.args), { replyEncoding: null })
      this.#connection = connection
      this.#attempt = attempt
      this.#bytes = command.bytes === true
      connection.begin()
      const { reject } = this
      this.reject = (error) => {
        this.giveUp()
        if (isReplyError(error)) {
          this.#heard()
          return reject(new ReplyError(error.message))
        }
        // "Connection is closed" of a connection that never was: say why instead.
        return reject(attempt.sent ? error : ((connection.lastError as Error | undefined) ?? error))
      }
    }

    /** What the promise resolves to. ioredis' type does not know of integers and of `null`. */
    override transformReply(value: unknown): Buffer {
      this.#heard()
      this.giveUp()
      return fromNative(value, this.#bytes) as Buffer
    }

    override getSlot(): number {
      // The messages of a channel take one way through a cluster, or they would overtake one another.
      if (this.name === 'PUBLISH') return new Base('GET', this.args.slice(0, 1)).getSlot()
      const { length } = this.args
      const slot = super.getSlot()
      // ioredis writes back the keys that it reads, and so adds those that are missing.
      this.args.length = length
      return slot
    }

    giveUp(): void {
      if (!this.#waiting) return
      this.#waiting = false
      this.#connection.finish()
    }

    get unheard(): boolean {
      return this.#waiting && (this.socket?.[replies] ?? 0) === this.#repliesBefore
    }

    #heard(): void {
      const { socket } = this
      if (socket !== undefined) socket[replies] = (socket[replies] ?? 0) + 1
    }

    override toWritable(socket: Wire): string | Buffer {
      cork(socket)
      this.socket = socket
      this.#repliesBefore = socket[replies] ?? 0
      // Queued until the connection was ready, and by now nobody waits: the queue of replies must stay in
      // step, but the command must not run.
      if (this.#attempt.over) return abandoned
      this.#attempt.sent = true
      return super.toWritable(socket)
    }
  }
}

/**
 * Sockets that hold back what is written until the tick is over, so that it leaves in one system call, and
 * how many commands each holds.
 */
const corked = new Map<Writable, number>()
/** A longer tick leaves in parts, so that the server works on the first while the rest is being written. */
const maxHeld = 50
const joining = new WeakSet<Writable>()

function cork(socket: Writable): void {
  const held = corked.get(socket) ?? 0
  if (held > 0 && held < maxHeld) {
    corked.set(socket, held + 1)
    return
  }
  if (held === 0 && !joining.has(socket)) joinTexts(socket)
  if (held > 0) socket.uncork()
  else if (corked.size === 0) process.nextTick(uncorkAll)
  socket.cork()
  corked.set(socket, 1)
}

function uncorkAll(): void {
  for (const socket of corked.keys()) socket.uncork()
  corked.clear()
}

/** Beyond this, in UTF-16 units, joining costs more than it saves. */
const maxJoined = 1 << 20

/** Makes a socket write many texts as one: handed over one by one, each costs as much as all of them. */
function joinTexts(socket: Writable): void {
  joining.add(socket)
  const writev = socket._writev
  socket._writev = (chunks, callback) => {
    let text = ''
    for (const { chunk } of chunks) {
      if (typeof chunk !== 'string' || text.length + chunk.length > maxJoined) {
        return writev?.call(socket, chunks, callback)
      }
      text += chunk
    }
    socket._write(text, 'utf8', callback)
  }
}

function toNative(args: readonly Arg[]): (string | Buffer)[] {
  const native: (string | Buffer)[] = []
  for (let i = 1; i < args.length; i++) {
    const arg = args[i] as Arg
    native.push(
      typeof arg === 'string'
        ? arg
        : arg instanceof Uint8Array
          ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
          : String(arg),
    )
  }
  return native
}

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** With `stringNumbers` and no encoding ioredis gives integers as strings, and all strings as Buffers. */
function fromNative(value: unknown, bytes: boolean): RawReply {
  if (value instanceof Buffer) return bytes ? new Uint8Array(value) : value.toString()
  if (typeof value === 'string') return exactInteger(value)
  if (Array.isArray(value)) return value.map((item) => fromNative(item, bytes))
  if (isReplyError(value)) return new ReplyError(value.message)
  return (value ?? null) as RawReply
}

function exactInteger(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits)
}
