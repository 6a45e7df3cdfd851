import type { Attempt, Driver } from '../core/index.ts'

/** A command's argument. Strings go out as UTF-8, numbers in decimal, bytes as they are. */
export type Arg = string | Uint8Array | number | bigint

/** An integer is a `number` up to 2^53 - 1 either way and a `bigint` beyond, so it is always exact. */
export type Reply = string | Uint8Array | number | bigint | null | Reply[]

export interface Command {
  /** The name first, in upper case: `['SET', 'device:7', 'on']`. */
  readonly args: readonly Arg[]
  /** Strings come back as `Uint8Array`, status replies (`OK`) included: RESP clients cannot always tell them apart. */
  readonly bytes?: boolean | undefined
  /** The server may hold back the reply, and with it every reply behind it on the same connection. */
  readonly blocking?: boolean | undefined
}

/** What an adapter or the server behind it cannot do. Data: the conformance suite and the docs read it. */
export interface RedisCapabilities {
  /** Bytes that are not UTF-8 survive in keys and values. */
  readonly bytes: boolean
  /** Integers beyond 2^53 - 1 come back exact. */
  readonly exactIntegers: boolean
  /** EVAL and EVALSHA. */
  readonly scripts: boolean
  /** BLPOP, XREAD BLOCK and their like. */
  readonly blocking: boolean
  readonly subscribe: boolean
  readonly patternSubscribe: boolean
  /** A caller who stops waiting also stops the request, where it can still be stopped. */
  readonly cancel: boolean
  /** Keys live in slots: a transaction or a script needs all its keys in one. */
  readonly slots: boolean
  /** The largest request in bytes, arguments added up. */
  readonly maxRequestBytes: number
}

export interface Message {
  readonly channel: string
  /** The pattern that matched, if the subscription was by pattern. */
  readonly pattern?: string | undefined
  readonly message: string
}

/** How far a reader may be behind where the transport cannot be held back: Redis itself drops slow subscribers. */
export const maxBuffered = 10_000

/** Pull, so that a slow reader holds back the transport where the transport can be held back. */
export interface Subscription {
  /**
   * The next message. Rejects with the native error when the connection is lost, and with a
   * `DriverFailure` of kind `closed` after `close`. One call at a time.
   */
  next(): Promise<Message>
  /** Leaves the channels and frees the connection. Never rejects. */
  close(): Promise<void>
}

/** The seam that Redis adapters implement. */
export interface RedisDriver extends Driver {
  readonly capabilities: RedisCapabilities
  /**
   * Runs one command. Commands of one tick go out together, in the order of the calls. Rejects with
   * `ReplyError` for an error reply, and at once when the connection is cut.
   */
  execute(command: Command, attempt: Attempt): Promise<Reply>
  /**
   * Runs several together, in order; not atomic unless `atomic` (MULTI/EXEC). An item that failed is an
   * `Error` in its place. Rejects only if nothing is known of any item, or if EXEC was refused as a whole.
   */
  batch(commands: readonly Command[], atomic: boolean, attempt: Attempt): Promise<(Reply | Error)[]>
  /** Resolves when the server has confirmed every channel. */
  subscribe(channels: readonly string[], patterns: boolean, attempt: Attempt): Promise<Subscription>
}
