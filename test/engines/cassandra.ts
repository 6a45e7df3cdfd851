import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client, type ClientOptions, policies } from 'cassandra-driver'
import { mavenJars } from './download.ts'
import { type EngineProcess, freePort, startProcess, until } from './process.ts'

export interface CassandraServer {
  /** `['127.0.0.1:49152']` */
  readonly hosts: readonly string[]
  readonly localDataCenter: string
  stop(): Promise<void>
}

/** A node of our own, which may be paused, killed and started again with its data. */
export interface CassandraProcess extends CassandraServer, EngineProcess {
  readonly port: number
  /** After `kill`: again where it was, with its data. Resolves when it answers. */
  start(): Promise<void>
}

export interface CassandraOptions {
  /** Further entries of cassandra.yaml: `{ tombstone_failure_threshold: 10, read_request_timeout: '200ms' }`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Then clients must log in: as this superuser, or as whom it creates and grants something. */
  readonly auth?: Credentials
}

type Credentials = NonNullable<ClientOptions['credentials']>

/** The cluster that SCYLLADB_HOSTS names, or else a Cassandra of our own. */
export async function cassandraServer(): Promise<CassandraServer> {
  const hosts = process.env.SCYLLADB_HOSTS
  return hosts === undefined ? startCassandra() : cassandraAt(hosts.split(','))
}

/** A cluster that runs. */
export async function cassandraAt(hosts: readonly string[]): Promise<CassandraServer> {
  const query = 'SELECT data_center FROM system.local'
  const local = await withClient(hosts, undefined, (client) => client.execute(query))
  return { hosts, localDataCenter: local.first().data_center, stop: async () => {} }
}

/** Starts one node and resolves when it answers. */
export async function startCassandra(options: CassandraOptions = {}): Promise<CassandraProcess> {
  const jars = await cassandraJars()
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const config = { ...settings(port, await freePort(), options), ...options.config }
    const server = await startProcess(
      'java',
      (directory) => [...java(jars, directory), 'org.apache.cassandra.service.CassandraDaemon'],
      async (directory) => {
        // JSON is YAML.
        await writeFile(join(directory, 'cassandra.yaml'), JSON.stringify(config))
        await writeFile(join(directory, 'logback.xml'), quiet)
      },
    )
    const hosts = [`127.0.0.1:${port}`]
    try {
      if (options.auth !== undefined) await createSuperuser(hosts, options.auth, server)
      await answers(hosts, options.auth, server)
      return cassandraProcess(port, server, options)
    } catch (error) {
      await server.stop()
      // Someone else may have taken a port between our look and Cassandra's bind.
      if (attempt === 3) throw error
    }
  }
}

/** The directory of Cassandra's jars. */
export async function cassandraJars(): Promise<string> {
  return mavenJars(new URL('cassandra/', import.meta.url))
}

function cassandraProcess(
  port: number,
  server: EngineProcess,
  { auth }: CassandraOptions,
): CassandraProcess {
  const hosts = [`127.0.0.1:${port}`]
  return {
    hosts,
    localDataCenter: 'datacenter1',
    port,
    get pid() {
      return server.pid
    },
    get ended() {
      return server.ended
    },
    pause: server.pause,
    resume: server.resume,
    kill: server.kill,
    start: async () => {
      await server.start()
      await answers(hosts, auth, server)
    },
    stop: server.stop,
  }
}

function settings(port: number, storagePort: number, { auth }: CassandraOptions) {
  const seeds = [{ seeds: `127.0.0.1:${storagePort}` }]
  return {
    cluster_name: 'dualport',
    num_tokens: 1,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    seed_provider: [
      { class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: seeds },
    ],
    listen_address: '127.0.0.1',
    rpc_address: '127.0.0.1',
    storage_port: storagePort,
    native_transport_port: port,
    endpoint_snitch: 'SimpleSnitch',
    // A write that was answered is in the log: by default, a kill loses those of the last ten seconds.
    commitlog_sync: 'batch',
    auto_snapshot: false,
    ...(auth === undefined
      ? {}
      : { authenticator: 'PasswordAuthenticator', authorizer: 'CassandraAuthorizer' }),
  }
}

const quiet = '<configuration><root level="OFF"/></configuration>'

/** What Cassandra's own scripts open of the JDK. */
const exported = [
  ...['java.base/jdk.internal.misc', 'java.base/jdk.internal.ref', 'java.base/sun.nio.ch'],
  ...['java.base/java.lang.ref', 'java.management.rmi/com.sun.jmx.remote.internal.rmi'],
  ...['java.rmi/sun.rmi.registry', 'java.rmi/sun.rmi.server', 'java.sql/java.sql'],
  'jdk.unsupported/sun.misc',
]
const opened = [
  ...['java.base/java.lang.module', 'java.base/jdk.internal.loader', 'java.base/jdk.internal.ref'],
  ...['java.base/jdk.internal.reflect', 'java.base/jdk.internal.math', 'java.base/sun.nio.ch'],
  ...['java.base/jdk.internal.module', 'java.base/jdk.internal.util.jar', 'java.base/java.io'],
  ...['java.base/java.nio', 'java.base/java.util', 'java.base/java.util.concurrent'],
  ...['java.base/java.util.concurrent.atomic', 'java.base/java.lang'],
  'jdk.management/com.sun.management.internal',
]

function java(jars: string, directory: string): string[] {
  const url = (file: string) => pathToFileURL(join(directory, file)).href
  return [
    // All of the first heap is locked in memory, where the user may.
    ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    // What a killed JVM leaves behind is here, or is not written at all.
    ...[`-Djava.io.tmpdir=${directory}`, '-XX:-UsePerfData'],
    ...exported.flatMap((name) => ['--add-exports', `${name}=ALL-UNNAMED`]),
    ...opened.flatMap((name) => ['--add-opens', `${name}=ALL-UNNAMED`]),
    ...['-Djdk.attach.allowAttachSelf=true', `-javaagent:${join(jars, 'jamm-0.4.0.jar')}`],
    `-Dcassandra.config=${url('cassandra.yaml')}`,
    `-Dlogback.configurationFile=${url('logback.xml')}`,
    ...[`-Dcassandra.storagedir=${directory}`, '-Dcassandra-foreground=yes'],
    // It is alone.
    ...['-Dcassandra.skip_wait_for_gossip_to_settle=0', '-Dcassandra.ring_delay_ms=0'],
    '-Dcassandra.superuser_setup_delay_ms=0',
    // By default it spends 3 s on measuring what a row takes.
    '-Dcassandra.memtable_row_overhead_computation_step=100',
    ...['-cp', join(jars, '*')],
  ]
}

/** The node makes a superuser `cassandra`, by itself and a moment after it answers. */
async function createSuperuser(
  hosts: readonly string[],
  { username, password }: Credentials,
  server: EngineProcess,
): Promise<void> {
  const first = { username: 'cassandra', password: 'cassandra' }
  await answers(hosts, first, server)
  await withClient(hosts, first, (client) =>
    client.execute(
      `CREATE ROLE "${username}" WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = $$${password}$$`,
    ),
  )
}

async function answers(
  hosts: readonly string[],
  credentials: Credentials | undefined,
  server: EngineProcess,
): Promise<void> {
  await until(() => withClient(hosts, credentials, async () => true), server, 60_000)
}

async function withClient<T>(
  hosts: readonly string[],
  credentials: Credentials | undefined,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    contactPoints: [...hosts],
    // Of whichever data centre.
    policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
    ...(credentials === undefined ? {} : { credentials }),
  })
  try {
    await client.connect()
    return await use(client)
  } finally {
    await client.shutdown()
  }
}
