import { isInfraError } from '../../core/index.ts'
import type { KeyVault, KeyVaultCapabilities, KeyVaultOptions } from '../../keyvault/index.ts'
import type { Case } from '../suite.ts'

/** The adapter under test, and a vault for it. The vault may be shared: the suite deletes and purges what it made. */
export interface KeyVaultTarget {
  /** Used by most cases, several of them after one another. */
  readonly keyvault: KeyVault
  /** Another client, which the suite closes. It need not see the same secrets. */
  create(options: KeyVaultOptions): KeyVault
  /** In front of every name. Default `dualport-test`. */
  readonly prefix?: string
}

export interface KeyVaultFixture {
  readonly keyvault: KeyVault
  /** A name that no other run of a case uses; the same for the same end. Deleted and purged afterwards. */
  readonly name: (end?: string) => string
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  readonly create: (options?: KeyVaultOptions) => KeyVault
  /** What `tearDown` undoes. */
  readonly used: {
    readonly names: Set<string>
    readonly clients: KeyVault[]
  }
}

export type KeyVaultCase = Case<KeyVaultFixture, KeyVaultCapabilities>

export function setUp({
  keyvault,
  create,
  prefix = 'dualport-test',
}: KeyVaultTarget): KeyVaultFixture {
  const unique = `${prefix}-${crypto.randomUUID()}`
  const names = new Set<string>()
  const clients: KeyVault[] = []
  return {
    keyvault,
    name(end = 'secret') {
      names.add(`${unique}-${end}`)
      return `${unique}-${end}`
    },
    create(options) {
      const client = create({ logger: false, ...options })
      clients.push(client)
      return client
    },
    used: { names, clients },
  }
}

export async function tearDown({ keyvault, used }: KeyVaultFixture): Promise<void> {
  await Promise.all(used.clients.map((client) => client.close()))
  await Promise.all(Array.from(used.names, (name) => remove(keyvault, name)))
}

/** Whatever state the case left it in, and as far as this vault permits it. */
async function remove(keyvault: KeyVault, name: string): Promise<void> {
  await keyvault.deleteSecret(name).catch(() => {})
  await keyvault.purgeSecret(name).catch(() => {})
}

/** Of an iterable, all. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** For what may come some seconds after a purge: the name is not free at once. Tries for 10 seconds. */
export async function onceFree<T>(work: () => Promise<T>): Promise<T> {
  const due = Date.now() + 10_000
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isInfraError(error, 'conflict') || Date.now() > due) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

export function inSeconds(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000)
}

/** What the types forbid, for JavaScript callers. */
export const not = <T>(value: unknown): T => value as T

/** The kinds and details of errors that most cases expect. */
export const missing = { kind: 'not-found', outcome: 'not-applied', retryable: false } as const
export const taken = { kind: 'conflict', outcome: 'not-applied' } as const
export const forbidden = { kind: 'forbidden', outcome: 'not-applied', retryable: false } as const
