import type { Cluster, Command as IoredisCommand, Redis } from 'ioredis'
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
import { commonSlot, formatCursor, joinParts, parseCursor, splitBySlot } from './ioredis/cluster.ts'
import { Connection, commandClass, type RawReply } from './ioredis/connection.ts'
import {
  type IoredisOptions,
  type NodeAddress,
  type NodeOptions,
  type Settings,
  settingsOf,
} from './ioredis/options.ts'
import { IoredisSubscription } from './ioredis/subscription.ts'

export type { IoredisOptions } from './ioredis/options.ts'

type Ioredis = Pick<typeof import('ioredis'), 'Redis' | 'Cluster' | 'Command'>
/**
 * Redis over TCP, by ioredis 6 (`npm install ioredis`), which is loaded on first use. One connection for
 * commands, one for each blocking command under way, one for each subscription. Node, Bun and Deno.
 * @throws InfraError `REDIS_CONFIG` for malformed options.
 */
export function ioredis(options: IoredisOptions = {}): RedisDriver {
  return new IoredisDriver(settingsOf(options))
}

class IoredisDriver implements RedisDriver {
  readonly adapter = 'ioredis'
  readonly resource: string
  readonly capabilities: RedisCapabilities
  readonly #settings: Settings
  #library: Promise<Ioredis> | undefined
  #Command: typeof IoredisCommand | undefined
  #Sendable: ReturnType<typeof commandClass> | undefined
  #current: Connection | undefined
  #opening = false
  #waiting: { run(connection: Connection): void; fail(error: unknown): void }[] = []
  readonly #all = new Set<Connection>()
  readonly #idleBlocking: Connection[] = []
  readonly #subscriptions = new Set<Subscription>()

  constructor(settings: Settings) {
    this.#settings = settings
    this.resource = settings.resource
    this.capabilities = {
      bytes: true,
      exactIntegers: true,
      scripts: true,
      blocking: true,
      subscribe: true,
      patternSubscribe: true,
      cancel: true,
      slots: settings.nodes !== undefined,
      maxRequestBytes: 512 * 1024 * 1024,
    }
  }

  execute(command: Command, attempt: Attempt): Promise<Reply> {
    if (command.blocking) return this.#executeBlocking(command, attempt)
    const connection = this.#ready()
    if (connection !== undefined && !this.capabilities.slots) {
      return connection.send(command, attempt) as Promise<Reply>
    }
    return this.#with((connection) => this.#executeOn(connection, command, attempt))
  }

  async batch(
    commands: readonly Command[],
    atomic: boolean,
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    if (atomic) return this.#with((connection) => this.#transaction(connection, commands, attempt))
    const settled = await this.#with((connection) =>
      Promise.allSettled(
        this.capabilities.slots
          ? this.#executeEach(connection, commands, attempt)
          : connection.sendAll(commands, attempt),
      ),
    )
    const items = settled.map((item) =>
      item.status === 'fulfilled' ? (item.value as Reply) : (item.reason as Error),
    )
    const first = items[0]
    if (
      first instanceof Error &&
      items.every((i) => i instanceof Error && !(i instanceof ReplyError))
    ) {
      throw first
    }
    return items
  }

  async subscribe(
    channels: readonly string[],
    patterns: boolean,
    attempt: Attempt,
  ): Promise<Subscription> {
    const library = await this.#load()
    const redis = { ...(await this.#authenticated()), ...(await this.#anyNode()) }
    if (attempt.over) throw new DriverFailure({ kind: 'aborted' })
    const client = new library.Redis(redis)
    let lastError: unknown
    client.on('error', (error) => {
      lastError = error
    })
    const subscription = new IoredisSubscription(client)
    this.#subscriptions.add(subscription)
    client.once('end', () => this.#subscriptions.delete(subscription))
    attempt.onCancel = () => void subscription.close()
    attempt.sent = true
    try {
      await (patterns ? client.psubscribe(...channels) : client.subscribe(...channels))
    } catch (error) {
      await subscription.close()
      throw isReply(error) ? new ReplyError(error.message) : (lastError ?? error)
    }
    return subscription
  }

  async ping(attempt: Attempt): Promise<void> {
    await this.execute({ args: ['PING'] }, attempt)
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) await subscription.close()
    await Promise.all(Array.from(this.#all, (connection) => connection.close()))
  }

  /** The `Redis` or `Cluster` that commands go over now. It is replaced when its connection is lost. */
  async native(): Promise<Redis | Cluster> {
    return this.#with(async (connection) => connection.client)
  }

  classify(error: unknown): Failure {
    if (error instanceof ReplyError) return classifyReply(error.message)
    if (isReply(error)) return classifyReply(error.message)
    const { code, message } = error as { code?: unknown; message?: unknown }
    if (typeof code === 'string') {
      if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
        return { kind: 'config', detail: 'ioredis is not installed; run: npm install ioredis' }
      }
      if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) {
        return { kind: 'config', detail: `the TLS connection was refused (${code})`, cause: error }
      }
      // A socket's error names the address at most.
      return { kind: 'unavailable', detail: `the connection failed (${code})`, cause: error }
    }
    if (typeof message === 'string' && /^Unknown RESP type|Protocol error/.test(message)) {
      return { kind: 'internal' }
    }
    return { kind: 'unavailable', detail: 'the connection was lost' }
  }

  // Connections --------------------------------------------------------------------------------

  /** The connection for commands, if it can take one now. */
  #ready(): Connection | undefined {
    const connection = this.#current
    if (connection === undefined || connection.ended || connection.retired) return undefined
    if (connection.pending === 0 && connection.stale(this.#settings.maxIdleMs)) {
      connection.retire()
      return undefined
    }
    return connection
  }

  /** Runs at once if there is a connection; otherwise in the order of the calls when there is. */
  #with<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#waiting.length === 0 ? this.#ready() : undefined
    if (connection !== undefined) return use(connection)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        run: (connection) => use(connection).then(resolve, reject),
        fail: reject,
      })
      if (!this.#opening) void this.#replace()
    })
  }

  async #replace(): Promise<void> {
    this.#opening = true
    let failure: unknown
    try {
      this.#current = await this.#open()
    } catch (error) {
      failure = error
    }
    this.#opening = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const { run, fail } of waiting) {
      if (failure === undefined) run(this.#current as Connection)
      else fail(failure)
    }
  }

  async #open(): Promise<Connection> {
    let connection = await this.#create()
    if (typeof this.#settings.password === 'function') {
      // A refused password may have been replaced since it was given: ask for it once more.
      await connection.client.connect().catch(() => {})
      if (isAuthError(connection.lastError)) connection = await this.#create()
    }
    // Some calls need to know the slots before they can be sent: the others must not overtake them.
    if (this.capabilities.slots) await this.#clusterReady(connection).catch(() => {})
    return connection
  }

  async #create(): Promise<Connection> {
    const library = await this.#load()
    const redis = await this.#authenticated()
    const { nodes, connectTimeoutMs } = this.#settings
    const client =
      nodes === undefined
        ? new library.Redis(redis)
        : new library.Cluster([...nodes], {
            redisOptions: redis,
            lazyConnect: true,
            // It would ask any node, perhaps a silent one. A cluster that is not ready says so in its replies.
            enableReadyCheck: false,
            clusterRetryStrategy: () => null,
            // ioredis would send what was in flight on a lost connection a second time.
            retryDelayOnFailover: 0,
            retryDelayOnClusterDown: 0,
            // So that one node that is silent leaves time to ask the others.
            slotsRefreshTimeout: connectTimeoutMs / (nodes.length + 1),
          })
    if (nodes !== undefined) client.on('+node', keepSlotsNumbers)
    this.#Command ??= library.Command
    this.#Sendable ??= commandClass(library.Command)
    const connection = new Connection(client, this.#Sendable, connectTimeoutMs)
    this.#all.add(connection)
    client.once('end', () => this.#all.delete(connection))
    return connection
  }

  /** Memoised, but not its failure: what is installed meanwhile is found. */
  #load(): Promise<Ioredis> {
    if (this.#library === undefined) {
      const library: Promise<Ioredis> = import('ioredis')
      this.#library = library
      library.catch(() => {
        this.#library = undefined
      })
    }
    return this.#library
  }

  async #authenticated(): Promise<NodeOptions> {
    const { redis, password } = this.#settings
    if (typeof password !== 'function') return redis
    try {
      return { ...redis, password: await password() }
    } catch (cause) {
      const detail = 'the password function failed'
      throw new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause })
    }
  }

  /** Publishing reaches every node of a cluster, so a subscription needs but one: any, that they share the load. */
  async #anyNode(): Promise<Partial<NodeAddress>> {
    if (!this.capabilities.slots) return {}
    return this.#with(async (connection) => {
      await this.#clusterReady(connection)
      const masters = this.#masters(connection)
      const { host, port } = masters[Math.floor(Math.random() * masters.length)]?.options ?? {}
      return { ...(host && { host }), ...(port && { port }) }
    })
  }

  // Blocking commands --------------------------------------------------------------------------

  /** On a connection of its own, which is closed if the caller gives up: that is what stops the server. */
  async #executeBlocking(command: Command, attempt: Attempt): Promise<Reply> {
    let connection = this.#idleBlocking.pop()
    while (
      connection !== undefined &&
      (connection.ended || connection.retired || connection.stale(this.#settings.maxIdleMs))
    ) {
      connection.retire()
      connection = this.#idleBlocking.pop()
    }
    connection ??= await this.#open()
    if (attempt.over) {
      this.#idleBlocking.push(connection)
      throw new DriverFailure({ kind: 'aborted' })
    }
    const reply = connection.send(command, attempt)
    const taken = connection
    attempt.onCancel = () => taken.client.disconnect()
    try {
      return (await reply) as Reply
    } finally {
      if (!attempt.over) this.#idleBlocking.push(connection)
    }
  }

  // Cluster ------------------------------------------------------------------------------------

  #executeOn(connection: Connection, command: Command, attempt: Attempt): Promise<Reply> {
    if (!this.capabilities.slots) return connection.send(command, attempt) as Promise<Reply>
    return this.#executeEach(connection, [command], attempt)[0] as Promise<Reply>
  }

  #executeEach(
    connection: Connection,
    commands: readonly Command[],
    attempt: Attempt,
  ): Promise<Reply>[] {
    const Native = this.#Command as typeof IoredisCommand
    const plans = commands.map((command) => ({ command, parts: splitBySlot(command, Native) }))
    const flat = plans.flatMap(
      ({ command, parts }) => parts?.map((part) => part.command) ?? [command],
    )
    if (flat.some(({ args }) => args[0] === 'SCAN')) {
      return commands.map((command) =>
        command.args[0] === 'SCAN'
          ? this.#scan(connection, command, attempt)
          : (this.#executeEach(connection, [command], attempt)[0] as Promise<Reply>),
      )
    }
    const replies = connection.sendAll(flat, attempt) as Promise<Reply>[]
    let next = 0
    return plans.map(({ parts }) => {
      if (parts === undefined) return replies[next++] as Promise<Reply>
      const own = replies.slice(next, next + parts.length)
      next += parts.length
      return joined(parts, own)
    })
  }

  async #scan(connection: Connection, command: Command, attempt: Attempt): Promise<Reply> {
    const [, cursor, ...rest] = command.args
    const { own, node } = parseCursor(String(cursor))
    await this.#clusterReady(connection)
    const masters = this.#masters(connection)
    const master = masters[node]
    if (master === undefined) {
      throw new DriverFailure({
        kind: 'unavailable',
        detail: 'the cluster changed during the scan; begin again',
      })
    }
    const reply = await connection.send(
      { ...command, args: ['SCAN', own, ...rest] },
      attempt,
      master,
    )
    const [nextCursor, keys] = reply as [Reply, Reply]
    const text =
      nextCursor instanceof Uint8Array ? new TextDecoder().decode(nextCursor) : String(nextCursor)
    const next = formatCursor(text, node, masters.length)
    return [command.bytes ? new TextEncoder().encode(next) : next, keys]
  }

  #masters(connection: Connection): Redis[] {
    const address = ({ options }: Redis) => `${options.host}:${options.port}`
    return (connection.client as Cluster)
      .nodes('master')
      .sort((a, b) => (address(a) < address(b) ? -1 : 1))
  }

  async #clusterReady({ client, ended, lastError }: Connection): Promise<void> {
    if (client.status === 'ready') return
    if (ended) throw lastError ?? new Error('the cluster could not be reached')
    if (client.status === 'wait') await client.connect()
    else
      await new Promise<void>((resolve, reject) => {
        client.once('ready', () => resolve())
        client.once('end', () => reject(new Error('the cluster could not be reached')))
      })
  }

  // Transactions -------------------------------------------------------------------------------

  /** MULTI to EXEC in one write: on a connection that callers share nothing may come between. */
  async #transaction(
    connection: Connection,
    commands: readonly Command[],
    attempt: Attempt,
  ): Promise<(Reply | Error)[]> {
    let route: { slot: number } | undefined
    if (this.capabilities.slots) {
      route = { slot: commonSlot(commands, this.#Command as typeof IoredisCommand) }
    }
    // Bytes of text and of binary replies differ by command, so EXEC's reply is taken as bytes.
    const exec: Command = { args: ['EXEC'], bytes: true }
    const replies = connection.sendAll([{ args: ['MULTI'] }, ...commands, exec], attempt, route)
    const queued = Promise.allSettled(replies.slice(0, -1))
    const items = (await replies.at(-1)?.finally(() => queued)) as RawReply[] | null
    if (items === null) throw new DriverFailure({ kind: 'conflict', outcome: 'not-applied' })
    return items.map((item, i) => (commands[i]?.bytes ? (item as Reply | Error) : asText(item)))
  }
}

/** A part that failed leaves the others applied, which only the count of a write shows. */
async function joined(
  parts: NonNullable<ReturnType<typeof splitBySlot>>,
  replies: Promise<Reply>[],
): Promise<Reply> {
  const settled = await Promise.allSettled(replies)
  const failed = settled.find((part) => part.status === 'rejected')
  if (failed === undefined) {
    return joinParts(
      parts,
      settled.map((part) => (part as PromiseFulfilledResult<Reply>).value),
    )
  }
  if (settled.every((part) => part.status === 'rejected')) throw failed.reason
  throw new DriverFailure({
    kind: 'unavailable',
    outcome: 'partial',
    detail: 'the keys of some slots could not be reached',
  })
}

/**
 * ioredis asks a duplicate of a node for the slots, and counts from the first to the last of a range as
 * they are given: with `stringNumbers`, '5461' comes after '10922' and the range is empty.
 */
function keepSlotsNumbers(node: Redis): void {
  const duplicate = node.duplicate.bind(node)
  node.duplicate = (override) => duplicate({ ...override, stringNumbers: false })
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function asText(item: RawReply): Reply | Error {
  if (item instanceof Uint8Array) return utf8.decode(item)
  if (Array.isArray(item)) return item.map(asText) as Reply
  return item as Reply | Error
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

function isAuthError(error: unknown): boolean {
  return isReply(error) && classifyReply(error.message).kind === 'unauthenticated'
}
