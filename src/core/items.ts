import type { Failure, InfraError, ItemResult } from './errors.ts'

/**
 * One failure for an operation of several items of which some failed: the first one's kind, and the outcome
 * of all together. `undefined` if none failed. `isWrite` tells of an item whether it changes anything.
 */
export function summarise(
  items: readonly ItemResult[],
  noun: string,
  isWrite: (index: number) => boolean = () => true,
): Failure | undefined {
  let first: InfraError | undefined
  let failed = 0
  let applied = false
  let unknown = false
  for (const [i, item] of items.entries()) {
    if (item.status === 'fulfilled') {
      applied ||= isWrite(i)
      continue
    }
    first ??= item.reason
    failed++
    unknown ||= item.reason.outcome !== 'not-applied'
  }
  if (first === undefined) return undefined
  return {
    kind: first.kind,
    retryable: first.retryable,
    retryAfterMs: first.retryAfterMs,
    outcome: applied ? 'partial' : unknown ? 'unknown' : 'not-applied',
    detail: `${failed} of ${items.length} ${noun} failed, the first with ${first.code}`,
    items,
  }
}
