import { type CallOptions, type ClientOptions, InfraError } from '../core/index.ts'
import { HealthChecker } from '../health/index.ts'
import type { Kafka } from '../kafka/index.ts'
import type { KeyVaultClient } from '../keyvault/cached.ts'
import type { MongoDB } from '../mongodb/index.ts'
import type { Redis } from '../redis/index.ts'
import type { ScyllaDB } from '../scylladb/index.ts'
import type { Sql } from '../sql/index.ts'
import type { KafkaConfig } from './kafka.ts'
import type { KeyVaultConfig } from './keyvault.ts'
import type { MongodbConfig } from './mongodb.ts'
import type { MysqlConfig } from './mysql.ts'
import { ConfigError, Problems } from './problems.ts'
import type { RedisConfig } from './redis.ts'
import type { ScylladbConfig } from './scylladb.ts'
import {
  addNearMisses,
  type Env,
  fromEnv,
  fromObject,
  type Settings,
  type Variables,
} from './settings.ts'
import type { SqlServerConfig } from './sqlserver.ts'

/** What is asked of the client of every backend. */
export interface Service {
  readonly adapter: string
  health(options?: CallOptions): Promise<void>
  close(): Promise<void>
}

/**
 * Makes a client. Nothing is connected, and no library loaded, before its first use. `others` are the clients of
 * the backends before it.
 */
export type Open<C> = (
  options: ClientOptions,
  others: Partial<Clients>,
) => {
  readonly client: C
  readonly resource: string | undefined
  /** One of `others` that the client works with to its end, so that it is closed after it. */
  readonly uses?: Service | undefined
}

/** One backend's part of the configuration; `redis.ts` is the model. */
export interface Backend<C extends Service> {
  /** What sets each field, where variables can. */
  readonly variables: Variables
  /** Fields whose variables are set for others, too: alone, they configure nothing. */
  readonly ambient?: readonly string[] | undefined
  /** All that the object form takes. */
  readonly fields: readonly string[]
  /** For its health check. */
  readonly componentType: 'datastore' | 'component'
  /** With the adapter that needs no server, if there is one. */
  readonly embedded: Open<C> | undefined
  /** `undefined` if there are problems. */
  configure(settings: Settings, problems: Problems): Open<C> | undefined
}

interface Clients {
  readonly redis: Redis
  readonly kafka: Kafka
  readonly mongodb: MongoDB
  readonly mysql: Sql
  readonly sqlserver: Sql
  readonly scylladb: ScyllaDB
  readonly keyvault: KeyVaultClient
}

/** Every backend, with the adapters that this runtime can use. */
export type Backends = { readonly [K in keyof Clients]: Backend<Clients[K]> }

/** Settings by backend. A backend that has none here is configured by its variables, if they are beside them. */
export interface InfrastructureConfig {
  readonly redis?: RedisConfig | undefined
  readonly kafka?: KafkaConfig | undefined
  readonly mongodb?: MongodbConfig | undefined
  readonly mysql?: MysqlConfig | undefined
  readonly sqlserver?: SqlServerConfig | undefined
  readonly scylladb?: ScylladbConfig | undefined
  readonly keyvault?: KeyVaultConfig | undefined
}

/** For every client; `logger` and `metrics` for the health checker, too. */
export interface InfrastructureOptions extends ClientOptions {
  /** What is not configured is embedded in the process (`memory:`), if it can be. Default `false`. */
  embedded?: boolean | undefined
}

export interface BackendDescription {
  readonly adapter: string
  /** Where it goes, without credentials: `127.0.0.1:6379/0`. */
  readonly resource: string | undefined
}

/**
 * The clients of the backends that `source` names: `process.env`, the bindings of a Worker, or settings by
 * backend. Each call makes clients of its own, so call it once and keep what it gives: on Node for the
 * process, in a Worker for the isolate. Nothing is connected yet.
 * @throws ConfigError with one line for each problem of the configuration.
 */
export type CreateInfrastructure = <E extends object>(
  // Generic, since an interface of bindings is no Record.
  source: E & InfrastructureConfig,
  options?: InfrastructureOptions,
) => Infrastructure

/** The clients of the backends that are configured, with one health and one end. */
export class Infrastructure {
  /** Has a check for each configured backend. Add your own by `register`. */
  readonly health: HealthChecker
  readonly #backends: Backends
  readonly #clients = new Map<string, Service>()
  readonly #uses = new Map<Service, Service>()
  readonly #description: Record<string, BackendDescription> = {}
  #closing: Promise<void> | undefined

  /** @internal `createInfrastructure` of `dualport/auto` gives the backends. */
  constructor(
    backends: Backends,
    source: object,
    { embedded = false, ...options }: InfrastructureOptions = {},
  ) {
    const configured = configure(backends, source, embedded)
    const { logger, metrics } = options
    this.health = new HealthChecker({ logger, metrics })
    this.#backends = backends
    for (const [name, open] of configured) {
      const { client, resource, uses } = open(options, Object.fromEntries(this.#clients))
      this.#clients.set(name, client)
      if (uses !== undefined) this.#uses.set(client, uses)
      this.#description[name] = { adapter: client.adapter, resource }
      this.health.register(name, client, {
        componentType: backends[name as keyof Backends].componentType,
      })
    }
  }

  /** @throws ConfigError if it is not configured. */
  get redis(): Redis {
    return this.#client('redis')
  }

  /** Its producer sends to KAFKA_TOPIC; consumers are made by `consumer`. @throws ConfigError if it is not configured. */
  get kafka(): Kafka {
    return this.#client('kafka')
  }

  /** @throws ConfigError if it is not configured. */
  get mongodb(): MongoDB {
    return this.#client('mongodb')
  }

  /** Of `memory:` it has SQLite's dialect. @throws ConfigError if it is not configured. */
  get mysql(): Sql {
    return this.#client('mysql')
  }

  /** Of `memory:` it has SQLite's dialect. @throws ConfigError if it is not configured. */
  get sqlserver(): Sql {
    return this.#client('sqlserver')
  }

  /** @throws ConfigError if it is not configured. */
  get scylladb(): ScyllaDB {
    return this.#client('scylladb')
  }

  /**
   * Read through a cache if there is `KEYVAULT_CACHE_KEY`, which shares through `redis` if that is configured.
   * @throws ConfigError if it is not configured.
   */
  get keyvault(): KeyVaultClient {
    return this.#client('keyvault')
  }

  /** What is configured, without credentials: `{ redis: { adapter: 'ioredis', resource: '127.0.0.1:6379/0' } }`. */
  describe(): Readonly<Record<string, BackendDescription>> {
    return { ...this.#description }
  }

  /**
   * Loads what the adapters need and connects every backend, all at once, each within its `timeoutMs` or
   * the deadline of `withContext`. Without it, the first call does.
   * @throws InfraError `INFRASTRUCTURE_UNAVAILABLE` that says of each backend that failed why. The
   *   others are ready then, and those that failed try again at their next call.
   */
  async warm(): Promise<void> {
    await this.#all('warm', (client) => client.health())
  }

  /**
   * Closes every client: refuses new calls, waits for those in flight, releases the connections. Idempotent.
   * @throws InfraError `INFRASTRUCTURE_UNAVAILABLE` that says of each backend that failed why.
   */
  close(): Promise<void> {
    this.#closing ??= this.#all('close', (client) => this.#end(client))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #client<K extends keyof Clients>(name: K): Clients[K] {
    const client = this.#clients.get(name)
    if (client !== undefined) return client as Clients[K]
    const variable = Object.values(this.#backends[name].variables)[0]?.[0]
    throw new ConfigError([`${variable}: set it, since ${name} is used`])
  }

  async #end(client: Service): Promise<void> {
    const users = [...this.#uses].filter(([, used]) => used === client)
    if (users.length > 0) await Promise.allSettled(users.map(([user]) => user.close()))
    await client.close()
  }

  async #all(operation: string, run: (client: Service) => Promise<void>): Promise<void> {
    const settled = await Promise.allSettled(Array.from(this.#clients.values(), run))
    const errors = settled.flatMap((each) =>
      each.status === 'rejected' ? [each.reason as InfraError] : [],
    )
    if (errors.length === 0) return
    throw new InfraError({
      kind: 'unavailable',
      component: 'infrastructure',
      adapter: '-',
      operation,
      detail: errors.map((error) => error.message).join('; '),
      retryable: errors.every((error) => error.retryable),
      cause: new AggregateError(errors),
    })
  }
}

/** @throws ConfigError with everything that is wrong. */
function configure(
  backends: Backends,
  source: object,
  embedded: boolean,
): Map<string, Open<Service>> {
  if (typeof source !== 'object' || source === null) {
    throw new ConfigError(['env: give it process.env, or the bindings of the Worker'])
  }
  const env = source as Env
  const problems = new Problems()
  const configured = new Map<string, Open<Service>>()
  for (const [name, backend] of Object.entries(backends) as [string, Backend<Service>][]) {
    const before = problems.count
    const settings = settingsOf(name, backend, env, problems)
    const fallback = embedded ? backend.embedded : undefined
    const open = settings === undefined ? fallback : backend.configure(settings, problems)
    if (open !== undefined) configured.set(name, open)
    // Beside settings that work, a name that looks like one of ours is somebody else's.
    if (settings === undefined || problems.count > before) {
      addNearMisses(env, [name, ...ownVariables(backend)], problems)
    }
  }
  if (problems.count > 0) throw new ConfigError(problems.lines)
  return configured
}

function ownVariables({ variables, ambient = [] }: Backend<Service>): string[] {
  return Object.entries(variables).flatMap(([field, names]) =>
    ambient.includes(field) ? [] : names,
  )
}

/** What is said of one backend, in either form; `undefined` if nothing is. */
export function settingsOf(
  name: string,
  { variables, ambient, fields }: Pick<Backend<Service>, 'variables' | 'ambient' | 'fields'>,
  env: Env,
  problems: Problems,
): Settings | undefined {
  return env[name] === undefined
    ? fromEnv(env, variables, problems, ambient)
    : fromObject(name, env[name], fields, problems)
}
