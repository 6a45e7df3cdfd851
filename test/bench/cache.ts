import { memory } from '../../adapters/keyvault/memory.ts'
import { cached } from '../../src/keyvault/cached.ts'
import { KeyVault } from '../../src/keyvault/index.ts'
import { type Figure, inTurns } from './figure.ts'

export const figures: Figure[] = [
  hit('cache.hit.p50', 0.5),
  { ...hit('cache.hit.p99', 0.99), target: 20 },
]

const reads = 20_000

/** A secret that is in memory, read one at a time, each read timed. */
function hit(name: string, quantile: number): Figure {
  return {
    name,
    bare: 'a promise of what a Map has',
    unit: 'us',
    comparison: 'total',
    async measure() {
      await using keyvault = new KeyVault(memory())
      await keyvault.setSecret('secret', 'v'.repeat(100))
      await using secrets = cached(keyvault)
      const map = new Map([['secret', await secrets.getSecret('secret')]])
      return await inTurns(
        15,
        () => quantileOf(quantile, () => secrets.getSecret('secret')),
        () => quantileOf(quantile, async () => map.get('secret')),
      )
    },
  }
}

/** Microseconds that this share of the reads takes at most. */
async function quantileOf(quantile: number, read: () => Promise<unknown>): Promise<number> {
  const times = new Float64Array(reads)
  for (let i = 0; i < reads; i++) {
    const started = performance.now()
    await read()
    times[i] = performance.now() - started
  }
  return times.sort()[Math.ceil(reads * quantile) - 1]! * 1000
}
