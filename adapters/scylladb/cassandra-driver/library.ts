import type { auth, Client, ClientOptions, Host, policies } from 'cassandra-driver'
import { DriverFailure } from '../../../src/core/index.ts'
import { explain } from './failures.ts'
import type { Settings } from './settings.ts'

type Library = Pick<typeof import('cassandra-driver'), 'auth' | 'Client' | 'policies' | 'types'> & {
  readonly Encoder: new (protocolVersion: number, options: object) => ParsesTypes
}

/** The library has it, and does not declare it. */
interface ParsesTypes {
  parseFqTypeName(name: string): { readonly code: number; readonly info?: unknown }
}

/** @throws DriverFailure of kind `config` if it is not installed */
export async function load(): Promise<Library> {
  try {
    const library = await import('cassandra-driver')
    // Of CommonJS, only what a parser finds is a named export.
    return (library as unknown as { default?: Library }).default ?? (library as unknown as Library)
  } catch (cause) {
    throw new DriverFailure(explain(cause, 'load'), { cause })
  }
}

/** The newest that the driver and both ScyllaDB and Cassandra have; to ask for newer ones costs a connection each. */
const protocolVersion = 4
/** The library takes null, and does not declare it. */
const none = null as unknown as policies.timestampGeneration.TimestampGenerator
/** Reconnecting: at once, then later and later. */
const reconnection = [100, 5000, true] as const

/**
 * A client, not connected yet. It keeps `contactPoints`. `onLearned` is told which data centre is taken for local, if
 * nobody has said so.
 */
export function clientOf(
  library: Library,
  settings: Settings,
  contactPoints: string[],
  onLearned: (localDataCenter: string) => void,
): Client {
  const { retry, reconnection: reconnecting } = library.policies
  const { port, keyspace, tls, profile, connectTimeoutMs } = settings
  const stays = profile === 'server'
  const options: ClientOptions & { monitorReporting: { enabled: boolean } } = {
    contactPoints,
    ...(keyspace !== undefined && { keyspace }),
    ...(tls !== undefined && { sslOptions: tls }),
    ...(settings.user !== undefined && { authProvider: authProvider(library, settings.user) }),
    protocolOptions: { port, maxVersion: protocolVersion },
    encoding: {
      map: Map,
      set: Set,
      useBigIntAsLong: true,
      useBigIntAsVarint: true,
      copyBuffer: false,
    },
    isMetadataSyncEnabled: stays,
    prepareOnAllHosts: false,
    rePrepareOnUp: stays,
    pooling: { warmup: stays, heartBeatInterval: stays ? 30_000 : 0 },
    socketOptions: {
      connectTimeout: connectTimeoutMs,
      // Of what is not a request of ours: a handshake, a PREPARE.
      readTimeout: connectTimeoutMs,
      // So many requests without an answer, and the connection is replaced.
      defunctReadTimeoutThreshold: stays ? 16 : 0,
    },
    policies: {
      loadBalancing: new (learning(library, settings, onLearned))(),
      // What may be sent again is decided by the client, which knows.
      retry: new retry.FallthroughRetryPolicy(),
      reconnection: new reconnecting.ExponentialReconnectionPolicy(...reconnection),
      // The client gives each write its timestamp, so that it has the same one when it is repeated.
      timestampGeneration: none,
    },
    monitorReporting: { enabled: false },
  }
  return new library.Client(options)
}

/** Reads the names of Java classes. */
export function typeParser(library: Library): ParsesTypes {
  return new library.Encoder(protocolVersion, {})
}

/** The driver's own policy, once it is known which data centre is local. */
function learning(
  { policies }: Library,
  { contactPoints, localDataCenter }: Settings,
  onLearned: (localDataCenter: string) => void,
): new () => policies.loadBalancing.LoadBalancingPolicy {
  const { LoadBalancingPolicy, DefaultLoadBalancingPolicy } = policies.loadBalancing
  type Parameters<M extends keyof policies.loadBalancing.LoadBalancingPolicy> =
    globalThis.Parameters<policies.loadBalancing.LoadBalancingPolicy[M]>
  return class extends LoadBalancingPolicy {
    #policy: policies.loadBalancing.LoadBalancingPolicy | undefined

    override init(...[client, hosts, callback]: Parameters<'init'>): void {
      const local = localDataCenter ?? learned(hosts.values(), contactPoints)
      if (local === undefined) {
        const detail = 'localDataCenter is needed: the hosts are of more than one data centre'
        callback(new DriverFailure({ kind: 'config', detail }))
        return
      }
      if (!hosts.values().some(({ datacenter }) => datacenter === local)) {
        const detail = 'no host of the cluster is in localDataCenter'
        callback(new DriverFailure({ kind: 'config', detail }))
        return
      }
      if (localDataCenter === undefined) onLearned(local)
      this.#policy = new DefaultLoadBalancingPolicy({ localDc: local })
      this.#policy.init(client, hosts, callback)
    }

    override getDistance(host: Host) {
      return (this.#policy as policies.loadBalancing.LoadBalancingPolicy).getDistance(host)
    }

    override newQueryPlan(...all: Parameters<'newQueryPlan'>): void {
      this.#policy?.newQueryPlan(...all)
    }

    override getOptions() {
      return this.#policy?.getOptions() ?? new Map()
    }
  }
}

/** Of those that were named, if their addresses were; or of all. */
function learned(hosts: readonly Host[], contactPoints: readonly string[]): string | undefined {
  const named = hosts.filter(({ address }) => contactPoints.includes(address))
  const isComplete = named.length === contactPoints.length
  const [local, ...others] = new Set((isComplete ? named : hosts).map((host) => host.datacenter))
  return others.length === 0 ? local : undefined
}

function authProvider(
  { auth }: Library,
  { username, password }: NonNullable<Settings['user']>,
): auth.AuthProvider {
  if (typeof password === 'string') return new auth.PlainTextAuthProvider(username, password)
  // https://github.com/apache/cassandra/blob/trunk/doc/native_protocol_v4.spec, section 4.1.2: SASL's PLAIN.
  const answer = (callback: (error: Error | null, token?: Buffer) => void) => {
    const ask = async () => password()
    ask().then(
      (asked) => callback(null, Buffer.from(`\0${username}\0${asked}`)),
      (cause: unknown) => {
        const detail = 'the password function failed'
        callback(
          new DriverFailure({ kind: 'unavailable', outcome: 'not-applied', detail }, { cause }),
        )
      },
    )
  }
  return new (class extends auth.PlainTextAuthProvider {
    override newAuthenticator(): auth.Authenticator {
      return {
        initialResponse: answer as (callback: unknown) => void,
        evaluateChallenge: (_, callback) => answer(callback as typeof answer as never),
        onAuthenticationSuccess() {},
      }
    }
  })(username, '')
}
