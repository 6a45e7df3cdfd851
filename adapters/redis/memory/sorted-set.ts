import { search } from './search.ts'

export interface Scored {
  readonly member: string
  readonly score: number
}

/** One end of a range by score or by member. */
export interface Bound<T> {
  readonly value: T
  readonly exclusive: boolean
}

/** Members by score, equal scores by member. */
export class SortedSet {
  #scores = new Map<string, number>()
  #order: Scored[] = []

  get size(): number {
    return this.#scores.size
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  set(member: string, score: number): void {
    this.delete(member)
    // No negative zero: it would print as one.
    const scored = { member, score: score + 0 }
    this.#order.splice(this.#place(scored), 0, scored)
    this.#scores.set(member, scored.score)
  }

  delete(member: string): boolean {
    const rank = this.rank(member)
    if (rank === undefined) return false
    this.#order.splice(rank, 1)
    return this.#scores.delete(member)
  }

  rank(member: string): number | undefined {
    const score = this.#scores.get(member)
    return score === undefined ? undefined : this.#place({ member, score })
  }

  /** From one rank to before another, low to high. */
  slice(from?: number, to?: number): Scored[] {
    return this.#order.slice(from, to)
  }

  /** Ranks, the second not included. */
  byScore(min: Bound<number>, max: Bound<number>): [from: number, to: number] {
    return this.#range(
      ({ score }) => score < min.value || (min.exclusive && score === min.value),
      ({ score }) => score < max.value || (!max.exclusive && score === max.value),
    )
  }

  /** As `byScore`, by member, which makes sense while all scores are equal. */
  byMember(min: Bound<string>, max: Bound<string>): [from: number, to: number] {
    return this.#range(
      ({ member }) => member < min.value || (min.exclusive && member === min.value),
      ({ member }) => member < max.value || (!max.exclusive && member === max.value),
    )
  }

  copy(): SortedSet {
    const copy = new SortedSet()
    copy.#scores = new Map(this.#scores)
    copy.#order = this.#order.slice()
    return copy
  }

  #range(below: (item: Scored) => boolean, within: (item: Scored) => boolean): [number, number] {
    const from = search(this.#order, below)
    return [from, Math.max(from, search(this.#order, within))]
  }

  #place({ member, score }: Scored): number {
    return search(
      this.#order,
      (item) => item.score < score || (item.score === score && item.member < member),
    )
  }
}
