import type { Database, Entry, Expiry } from './database.ts'
import { isInt64 } from './numbers.ts'
import { refuse } from './reply.ts'

/** EX and EXAT are seconds, PX and PXAT milliseconds; the AT forms are absolute. */
export type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT'

/** The time in epoch milliseconds; refuses what does not fit 64 bits. */
export function dueAt(db: Database, unit: ExpiryUnit, amount: bigint, command: string): Expiry {
  const ms = unit.startsWith('EX') ? amount * 1000n : amount
  const due = unit.endsWith('AT') ? ms : ms + BigInt(db.now)
  if (!isInt64(ms) || !isInt64(due)) refuse(`ERR invalid expire time in '${command}' command`)
  const near = Number(due)
  return Number.isSafeInteger(near) ? near : due
}

/** As `dueAt`, for commands that refuse what is not positive. */
export function laterAt(db: Database, unit: ExpiryUnit, amount: bigint, command: string): Expiry {
  if (amount <= 0n) refuse(`ERR invalid expire time in '${command}' command`)
  return dueAt(db, unit, amount, command)
}

/** Sets the expiry, which deletes the key if that is now or past. */
export function expire(db: Database, entry: Entry, due: Expiry): void {
  if (due <= db.now) db.delete(entry.key)
  else entry.expires = due
}

/** Milliseconds left of a key that expires. */
export function pttl(db: Database, entry: Entry): bigint {
  return BigInt(entry.expires) - BigInt(db.now)
}

/** Rounded as Redis does. */
export function secondsOf(ms: bigint): bigint {
  return (ms + 500n) / 1000n
}
