import type { Stage } from './stage.ts'

/** How the two sides of a figure are compared. */
const comparisons = {
  /** How many times as fast as the bare library. At least the target. */
  ratio: {
    of: ({ dualport, bare }: Pair) => bare / dualport,
    meets: (value: number, target: number) => value >= target,
    sign: '>=',
  },
  /** How many times what the bare library takes. At most the target. */
  multiple: {
    of: ({ dualport, bare }: Pair) => dualport / bare,
    meets: (value: number, target: number) => value <= target,
    sign: '<=',
  },
  /** What dualport adds to the bare library. At most the target. */
  difference: {
    of: ({ dualport, bare }: Pair) => dualport - bare,
    meets: (value: number, target: number) => value <= target,
    sign: '<=',
  },
  /** A count or a size, whatever the bare library's is. At most the target. */
  total: {
    of: ({ dualport }: Pair) => dualport,
    meets: (value: number, target: number) => value <= target,
    sign: '<=',
  },
}

/** Both sides in one round. Less is better. */
export interface Pair {
  readonly dualport: number
  readonly bare: number
}

export interface Figure {
  /** `redis.get.tcp.c100` */
  readonly name: string
  /** What stands on the other side. */
  readonly bare: string
  readonly unit: 'us' | 'ms' | 'requests' | 'modules' | 'KB gzip' | 'MB'
  readonly comparison: keyof typeof comparisons
  /** Without one the figure is only reported. */
  readonly target?: number
  /** A pair for each round. */
  measure(stage: Stage): Promise<readonly Pair[]>
}

export class Result {
  readonly figure: Figure
  /** The median of the rounds. */
  readonly dualport: number
  readonly bare: number
  /** The median of the comparisons, pair by pair. */
  readonly compared: number
  readonly min: number
  readonly max: number
  /** The best round of each side compared: what the rest of the machine has disturbed least. */
  readonly best: number
  readonly met: boolean | undefined

  constructor(figure: Figure, pairs: readonly Pair[]) {
    const { of, meets } = comparisons[figure.comparison]
    const dualport = pairs.map((pair) => pair.dualport)
    const bare = pairs.map((pair) => pair.bare)
    const compared = pairs.map(of)
    this.figure = figure
    this.dualport = median(dualport)
    this.bare = median(bare)
    this.compared = median(compared)
    this.min = Math.min(...compared)
    this.max = Math.max(...compared)
    this.best = of({ dualport: Math.min(...dualport), bare: Math.min(...bare) })
    this.met = figure.target === undefined ? undefined : meets(this.compared, figure.target)
  }

  toJSON(): object {
    const { name, unit, bare, comparison, target } = this.figure
    return {
      figure: name,
      unit,
      dualport: round(this.dualport),
      bare: round(this.bare),
      bareIs: bare,
      [comparison]: round(this.compared),
      min: round(this.min),
      max: round(this.max),
      best: round(this.best),
      target,
      met: this.met,
    }
  }

  /** The cells of a table whose head is `columns`. */
  toRow(): string[] {
    const { name, unit, bare, comparison, target } = this.figure
    return [
      name,
      `${round(this.dualport)} ${unit}`,
      `${round(this.bare)} ${unit}`,
      bare,
      `${comparison} ${round(this.compared)}`,
      `${round(this.min)} to ${round(this.max)}`,
      String(round(this.best)),
      target === undefined ? 'report' : `${comparisons[comparison].sign} ${target}`,
      this.met === undefined ? '' : this.met ? 'met' : 'falls short',
    ]
  }
}

export const columns = [
  ...['figure', 'dualport', 'bare', 'which is', 'compared', 'rounds', 'best rounds', 'target', ''],
]

/**
 * One value of each side a round. Both take turns, and each begins as often, so that whatever else the
 * machine does meets both alike.
 */
export async function inTurns(
  rounds: number,
  dualport: () => Promise<number>,
  bare: () => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = []
  // The first rounds open the connections and warm the compiler.
  for (let i = -3; i < rounds; i++) {
    let pair: Pair
    if (i % 2 === 0) pair = { dualport: await dualport(), bare: await bare() }
    else {
      const theirs = await bare()
      pair = { dualport: await dualport(), bare: theirs }
    }
    if (i >= 0) pairs.push(pair)
  }
  return pairs
}

/** Microseconds an operation, when `concurrency` workers each await one operation after the other. */
export async function timed(
  operations: number,
  concurrency: number,
  operation: () => Promise<unknown>,
): Promise<number> {
  let left = operations
  const worker = async () => {
    while (left-- > 0) await operation()
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return ((performance.now() - started) * 1000) / operations
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
