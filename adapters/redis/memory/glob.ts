/**
 * Redis' own globs: `*`, `?`, `[a-z]`, `[^a]`, `\` for a literal. On a mismatch only the last `*` takes
 * one more character, so the time is at most the product of the two lengths.
 */
export function glob(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
      continue
    }
    const next = p < pattern.length ? step(pattern, p, text[t] as string) : -1
    if (next >= 0) {
      p = next
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p >= pattern.length
}

/** Where the pattern goes on if its element at `p` takes the character, otherwise -1. */
function step(pattern: string, p: number, char: string): number {
  const first = pattern[p]
  if (first === '?') return p + 1
  if (first === '[') return set(pattern, p + 1, char)
  if (first === '\\' && p + 1 < pattern.length) return pattern[p + 1] === char ? p + 2 : -1
  return first === char ? p + 1 : -1
}

function set(pattern: string, start: number, char: string): number {
  const negated = pattern[start] === '^'
  let found = false
  let p = negated ? start + 1 : start
  // A set that is not closed ends with the pattern.
  for (; p < pattern.length && pattern[p] !== ']'; p++) {
    if (pattern[p] === '\\' && p + 1 < pattern.length) {
      found ||= pattern[++p] === char
    } else if (pattern[p + 1] === '-' && p + 2 < pattern.length) {
      const [low, high] = [pattern[p] as string, pattern[p + 2] as string].sort() as [
        string,
        string,
      ]
      found ||= low <= char && char <= high
      p += 2
    } else {
      found ||= pattern[p] === char
    }
  }
  return found === negated ? -1 : p + 1
}
