import { DriverFailure } from '../core/index.ts'
import type { Arg } from './driver.ts'

// What cannot go over a connection that callers share.

const waits = new Set(
  'BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF'.split(' '),
)

/** True if the server may hold back the reply, and with it every reply behind it. */
export function isBlocking(args: readonly Arg[]): boolean {
  const name = String(args[0]).toUpperCase()
  if (waits.has(name)) return true
  if (name !== 'XREAD' && name !== 'XREADGROUP') return false
  // BLOCK is an option only before STREAMS; behind it, it could be a key.
  const words = args.map((arg) => (typeof arg === 'string' ? arg.toUpperCase() : ''))
  const block = words.indexOf('BLOCK')
  return block > 0 && block < words.indexOf('STREAMS')
}

/** Commands that change the connection itself. */
const connection = new Set(
  (
    'AUTH ASKING CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY ' +
    'READWRITE REPLCONF RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC UNSUBSCRIBE UNWATCH WATCH'
  ).split(' '),
)

/** @throws DriverFailure for a command that would change the connection for everyone. */
export function refuseConnectionState({ args }: { readonly args: readonly Arg[] }): void {
  if (!connection.has(String(args[0]))) return
  throw new DriverFailure({
    kind: 'unsupported',
    outcome: 'not-applied',
    detail: 'this command changes the state of a connection that is shared',
  })
}
