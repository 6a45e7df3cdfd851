import { ReplyError } from '../../../src/redis/errors.ts'

/** A status reply, which is text even where bulk strings are wanted as bytes. */
export class Status {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export const ok = new Status('OK')

/** What a command answers; its strings are binary strings. */
export type Result = string | number | bigint | null | Status | Result[]

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

export function refuse(message: string): never {
  throw new ReplyError(message)
}

export function syntaxError(detail?: string): never {
  return refuse(detail === undefined ? 'ERR syntax error' : `ERR syntax error, ${detail}`)
}

export function wrongArity(name: string): never {
  return refuse(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}
