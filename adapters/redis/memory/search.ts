/** How many items, of a list sorted so, come before the place that is sought. */
export function search<T>(items: readonly T[], before: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}

/** The half-open range of an inclusive one whose ends count from the back when they are negative. */
export function span(start: number, stop: number, length: number): [from: number, to: number] {
  const from = Math.max(0, start < 0 ? start + length : start)
  const to = Math.min(length, (stop < 0 ? stop + length : stop) + 1)
  return from < to ? [from, to] : [0, 0]
}
