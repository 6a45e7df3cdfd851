import { ReplyError } from '../../../src/redis/errors.ts'
import { toText } from './bytes.ts'

export const ok = 'OK'

/** What a command answers; its strings are binary strings. */
export type Result = string | number | bigint | null | Result[]

/** A command that waits for another one to bring what it wants. */
export class Blocked {
  /** Milliseconds; 0 waits without end. */
  readonly timeoutMs: number
  /** The reply, if there is one by now. Never throws. */
  readonly retry: () => Result | undefined
  constructor(timeoutMs: number, retry: () => Result | undefined) {
    this.timeoutMs = timeoutMs
    this.retry = retry
  }
}

/** The message is a binary string, since some quote arguments. */
export function refuse(message: string): never {
  throw new ReplyError(toText(message))
}

export function syntaxError(detail?: string): never {
  return refuse(detail === undefined ? 'ERR syntax error' : `ERR syntax error, ${detail}`)
}

export function wrongArity(name: string): never {
  return refuse(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}
