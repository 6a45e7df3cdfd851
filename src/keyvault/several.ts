import { type Failure, type InfraError, type ItemResult, summarise } from '../core/index.ts'

/** @internal Runs a few at a time, in order, and gives the fate of each. `run` rejects with an `InfraError` only. */
export async function settleAll<T, R>(
  inputs: readonly T[],
  concurrency: number,
  run: (input: T) => Promise<R>,
): Promise<ItemResult<R>[]> {
  const items: ItemResult<R>[] = []
  let next = 0
  const work = async () => {
    while (next < inputs.length) {
      const index = next++
      items[index] = await run(inputs[index] as T).then(
        (value) => ({ status: 'fulfilled', value }),
        (reason: InfraError) => ({ status: 'rejected', reason }),
      )
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, inputs.length) }, work))
  return items
}

/** @internal One failure for several reads, the first one's kind, if any failed. */
export function failureOfReads(items: readonly ItemResult[]): Failure | undefined {
  return summarise(items, 'secrets', () => false)
}
