import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { InfraError } from '../../src/core/index.ts'
import type { KeyVaultDriver } from '../../src/keyvault/index.ts'
import { EmbeddedDriver } from './embedded/driver.ts'
import { type Storage, type StoredSecret, Vault } from './embedded/vault.ts'

export interface SqliteOptions {
  /** The file, made if it is not there. Its values are in plain text, so only its owner may read it. */
  path: string
  /** Epoch milliseconds, for what is made, changed, deleted and purged. Default `Date.now`. */
  clock?: (() => number) | undefined
}

/**
 * The vault of `memory`, kept in a SQLite file: for development on Node, where secrets are to be there the
 * next day. Not a place for secrets that matter.
 * @throws InfraError `KEYVAULT_CONFIG` if the file cannot be used.
 */
export function sqlite({ path, clock = Date.now }: SqliteOptions): KeyVaultDriver {
  const storage = new SqliteStorage(path)
  return new EmbeddedDriver('sqlite', path, new Vault(storage, clock), () => storage.close())
}

class SqliteStorage implements Storage {
  readonly #database: DatabaseSync
  readonly #get: StatementSync
  readonly #set: StatementSync
  readonly #delete: StatementSync
  readonly #after: StatementSync

  constructor(path: string) {
    try {
      // SQLite itself would let everybody read it.
      closeSync(openSync(path, 'a', 0o600))
      this.#database = new DatabaseSync(path)
      this.#database.exec(
        `PRAGMA busy_timeout = 1000;
        CREATE TABLE IF NOT EXISTS secrets
          (name TEXT PRIMARY KEY, deleted INTEGER NOT NULL, secret TEXT NOT NULL) WITHOUT ROWID`,
      )
    } catch (cause) {
      throw new InfraError({
        kind: 'config',
        component: 'keyvault',
        adapter: 'sqlite',
        operation: 'configure',
        detail: 'path is not a file that SQLite can open',
        cause,
      })
    }
    this.#get = this.#database.prepare('SELECT secret FROM secrets WHERE name = ?')
    this.#set = this.#database.prepare('INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)')
    this.#delete = this.#database.prepare('DELETE FROM secrets WHERE name = ?')
    this.#after = this.#database.prepare(
      'SELECT secret FROM secrets WHERE name > ? AND deleted = ? ORDER BY name LIMIT ?',
    )
  }

  get(key: string): StoredSecret | undefined {
    const row = this.#get.get(key)
    return row && parse(row)
  }

  set(key: string, secret: StoredSecret): void {
    this.#set.run(key, Number(secret.deleted !== undefined), JSON.stringify(secret))
  }

  delete(key: string): void {
    this.#delete.run(key)
  }

  after(key: string, deleted: boolean, count: number): StoredSecret[] {
    return this.#after.all(key, Number(deleted), count).map(parse)
  }

  close(): void {
    this.#database.close()
  }
}

function parse({ secret }: Record<string, unknown>): StoredSecret {
  return JSON.parse(String(secret)) as StoredSecret
}
