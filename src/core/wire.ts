import type { ErrorKind, Outcome } from './errors.ts'

/**
 * What dualport's own HTTP adapters and gateway say to each other in headers, beside whatever protocol
 * the body speaks. Other servers ignore the request's and never send the reply's.
 */

/** Request: milliseconds that the caller still waits. The gateway stops the work when they are over. */
export const timeoutHeader = 'dualport-timeout-ms'
/** Reply: what failed and what it left behind; see `formatFailures`. */
export const errorHeader = 'dualport-error'
export const correlationHeader = 'x-correlation-id'

export interface WireFailure {
  /** `REDIS_TIMEOUT`. */
  readonly code: string
  readonly outcome: Outcome
  readonly retryAfterMs?: number | undefined
}

/** Failures of a reply: of the whole (`whole`), or of single items by their index. */
export interface WireFailures {
  readonly whole?: WireFailure | undefined
  readonly items: ReadonlyMap<number, WireFailure>
}

/**
 * `REDIS_TIMEOUT;unknown` for a whole reply, `0-48=REDIS_UNAVAILABLE;unknown, 50=REDIS_THROTTLED;not-applied;1000`
 * for items. Neighbours that failed alike are one range, since a cut connection fails many alike and
 * headers must stay small.
 */
export function formatFailures(failures: WireFailures): string {
  const parts: string[] = []
  if (failures.whole !== undefined) parts.push(formatOne(failures.whole))
  let first = -1
  let last = -1
  let text = ''
  const flush = () => {
    if (first >= 0) parts.push(`${first === last ? first : `${first}-${last}`}=${text}`)
  }
  for (const [index, failure] of [...failures.items].sort(([a], [b]) => a - b)) {
    const next = formatOne(failure)
    if (index !== last + 1 || next !== text || first < 0) {
      flush()
      first = index
      text = next
    }
    last = index
  }
  flush()
  return parts.join(', ')
}

function formatOne({ code, outcome, retryAfterMs }: WireFailure): string {
  return `${code};${outcome}${retryAfterMs === undefined ? '' : `;${Math.ceil(retryAfterMs)}`}`
}

const part =
  /^(?:(\d{1,7})(?:-(\d{1,7}))?=)?([A-Z][A-Z_]{2,40});(not-applied|partial|unknown)(?:;(\d{1,9}))?$/

/** Reads what `formatFailures` wrote; `undefined` for anything else, whoever sent it. */
export function parseFailures(header: string | null): WireFailures | undefined {
  if (header === null || header.length > 16_384) return undefined
  const items = new Map<number, WireFailure>()
  let whole: WireFailure | undefined
  for (const piece of header.split(', ')) {
    const match = part.exec(piece)
    if (match === null) return undefined
    const [, from, to, code, outcome, retryAfter] = match
    const failure: WireFailure = {
      code: code as string,
      outcome: outcome as Outcome,
      retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter),
    }
    if (from === undefined) whole = failure
    else {
      const end = Number(to ?? from)
      if (end - Number(from) > 100_000 || items.size > 100_000) return undefined
      for (let i = Number(from); i <= end; i++) items.set(i, failure)
    }
  }
  return { whole, items }
}

const kinds: ReadonlySet<string> = new Set<ErrorKind>([
  'config',
  'unavailable',
  'timeout',
  'aborted',
  'unauthenticated',
  'forbidden',
  'not-found',
  'conflict',
  'throttled',
  'invalid',
  'unsupported',
  'closed',
  'internal',
])

/** `timeout` for `REDIS_TIMEOUT`; `undefined` for a code that this version does not know. */
export function kindOf(code: string): ErrorKind | undefined {
  const kind = code
    .slice(code.indexOf('_') + 1)
    .toLowerCase()
    .replaceAll('_', '-')
  return kinds.has(kind) ? (kind as ErrorKind) : undefined
}
