import type { KeyVaultDriver } from '../../src/keyvault/index.ts'
import { EmbeddedDriver } from './embedded/driver.ts'
import { type Storage, type StoredSecret, Vault } from './embedded/vault.ts'

export interface MemoryOptions {
  /** Epoch milliseconds, for what is made, changed, deleted and purged. Default `Date.now`. */
  clock?: (() => number) | undefined
}

/**
 * A vault inside the process, for tests and development: versions, soft deletion, paging and Azure's errors,
 * on any runtime. Each call makes an empty one; clients of one driver share it.
 */
export function memory(options: MemoryOptions = {}): KeyVaultDriver {
  return new EmbeddedDriver(
    'memory',
    undefined,
    new Vault(new MemoryStorage(), options.clock ?? Date.now),
  )
}

class MemoryStorage extends Map<string, StoredSecret> implements Storage {
  after(key: string, deleted: boolean, count: number): StoredSecret[] {
    return [...this.keys()]
      .filter((each) => each > key && (this.get(each)?.deleted !== undefined) === deleted)
      .sort()
      .slice(0, count)
      .map((each) => this.get(each) as StoredSecret)
  }
}
