import { type ClientOptions, type InfraError, isInfraError } from '../core/index.ts'
import { KeyVault, type SecretId } from '../keyvault/index.ts'
import { settingsOf } from './infrastructure.ts'
import type { KeyVaultBackend } from './keyvault.ts'
import { ConfigError, Problems } from './problems.ts'
import type { Env } from './settings.ts'

/**
 * A copy of `source` (`process.env`, the bindings of a Worker, or settings by backend) in which every text
 * `keyvault:name` or `keyvault:name/version` is the value of that secret, read once, from the vault that `source`
 * itself configures, without its cache. `source` itself, and no request, if there is no such text. What a secret
 * holds is taken as it is.
 *
 * ```ts
 * const infra = createInfrastructure(await resolveSecrets(process.env))
 * ```
 * @throws ConfigError with one line for each variable whose secret cannot be read; InfraError `KEYVAULT_...` if the
 *   vault gives no answer, or none to these credentials.
 */
export type ResolveSecrets = <E extends object>(source: E, options?: ClientOptions) => Promise<E>

const prefix = 'keyvault:'
const reference = /^keyvault:([\da-z-]{1,127})(?:\/([\da-z]{1,64}))?$/i

/** See `ResolveSecrets`. */
export async function resolve<E extends object>(
  backend: KeyVaultBackend,
  source: E,
  options: ClientOptions = {},
): Promise<E> {
  /** By the text of the reference. */
  const found = new Map<string, Wanted>()
  const problems = new Problems()
  mapTexts(source, (text, path) => {
    if (!text.startsWith(prefix)) return text
    const [, name, version] = reference.exec(text) ?? []
    if (name === undefined) problems.add(path, 'write it as keyvault:name or keyvault:name/version')
    else
      found.set(text, { id: { name, version }, paths: [...(found.get(text)?.paths ?? []), path] })
    return text
  })
  const wanted = [...found.values()]
  if (wanted.length === 0 && problems.count === 0) return source

  const keyvault = open(backend, source as Env, wanted, problems, options)
  try {
    const secrets = await keyvault.getSecrets(wanted.map(({ id }) => id))
    const values = new Map([...found.keys()].map((text, i) => [text, secrets[i]]))
    return mapTexts(source, (text) => values.get(text)?.reveal() ?? text) as E
  } catch (error) {
    throw isInfraError(error) ? explained(error, wanted) : error
  } finally {
    await keyvault.close()
  }
}

/** A secret, and where it is wanted: `REDIS_TOKEN`, `redis.token`. */
interface Wanted {
  readonly id: SecretId
  readonly paths: readonly string[]
}

/** @throws ConfigError */
function open(
  backend: KeyVaultBackend,
  env: Env,
  [first]: readonly Wanted[],
  problems: Problems,
  options: ClientOptions,
): KeyVault {
  const settings = settingsOf('keyvault', backend, env, problems)
  if (settings === undefined) {
    problems.add('KEYVAULT_URL', `set it, since ${first?.paths[0] ?? 'a variable'} names a secret`)
    throw new ConfigError(problems.lines)
  }
  for (const field of backend.vaultFields) {
    const value = settings.values[field]
    if (typeof value !== 'string' || !value.startsWith(prefix)) continue
    problems.add(settings.nameOf(field), 'give it as it is; the vault is opened with it')
  }
  const driver = backend.configureVault(settings, problems)
  if (driver === undefined || problems.count > 0) throw new ConfigError(problems.lines)
  return new KeyVault(driver(), options)
}

/** What is wrong with some of the secrets is wrong with the configuration; anything else is the vault's own failure. */
function explained(error: InfraError, wanted: readonly Wanted[]): InfraError {
  const problems = new Problems()
  for (const [i, item] of (error.items ?? []).entries()) {
    if (item.status === 'fulfilled') continue
    const { reason } = item
    if (reason.kind !== 'not-found' && reason.kind !== 'forbidden') return reason
    for (const path of wanted[i]?.paths ?? []) {
      problems.add(path, `name a secret that can be read (${reason.message})`)
    }
  }
  return problems.count === 0 ? error : new ConfigError(problems.lines)
}

type MapText = (text: string, path: string) => string

/** A copy with every text mapped. Other things in it (functions, bindings) are the same. */
function mapTexts(source: object, map: MapText, path = ''): object {
  const entries = Object.entries(source).map(([name, value]: [string, unknown]) => {
    const inner = path === '' ? name : `${path}.${name}`
    if (typeof value === 'string') return [name, map(value, inner)]
    return [name, isPlain(value) ? mapTexts(value, map, inner) : value]
  })
  return Array.isArray(source) ? entries.map(([, value]) => value) : Object.fromEntries(entries)
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
