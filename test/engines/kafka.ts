import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Admin, ListOffsetTimestamps } from '@platformatic/kafka'
import { mavenJars } from './download.ts'
import { type EngineProcess, freePort, startProcess, until } from './process.ts'

export interface KafkaServer {
  /** `['127.0.0.1:49152']` */
  readonly brokers: readonly string[]
  /** Resolves when every partition has a leader that answers. */
  createTopic(name: string, partitions?: number): Promise<void>
  stop(): Promise<void>
}

/** A broker of our own, which may be paused, killed and started again with its log. */
export interface KafkaProcess extends KafkaServer, EngineProcess {
  readonly port: number
  /** After `kill`: again where it was, with its log and its topics. Resolves when it answers. */
  start(): Promise<void>
}

export interface KafkaOptions {
  /** Further settings of the broker: `{ 'message.max.bytes': '2000' }`. */
  readonly properties?: Readonly<Record<string, string>>
  /** Then clients must log in as this user: by PLAIN or SCRAM, or by OAUTHBEARER with any unsigned token. */
  readonly sasl?: { readonly username: string; readonly password: string }
}

/** The cluster that KAFKA_BROKERS names, or else a broker of our own. */
export async function kafkaServer(): Promise<KafkaServer> {
  const brokers = process.env.KAFKA_BROKERS
  return brokers === undefined ? startKafka() : kafkaAt(brokers.split(','))
}

/** A cluster that runs. */
export async function kafkaAt(brokers: readonly string[]): Promise<KafkaServer> {
  const connect = () => connectAdmin(brokers)
  await withAdmin(connect, (admin) => admin.metadata({}))
  return {
    brokers,
    createTopic: (...topic) => createTopic(connect, ...topic),
    stop: async () => {},
  }
}

/** Starts one node, broker and controller, and resolves when it answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaProcess> {
  const jars = await kafkaJars()
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const properties = { ...settings(port, await freePort(), options), ...options.properties }
    const server = await startProcess(
      'java',
      (directory) => [
        ...java(jars, '-Xmx512m', '-XX:+UseSerialGC'),
        'kafka.Kafka',
        file(directory),
      ],
      (directory) => format(jars, directory, properties, options),
    )
    const connect = () => connectAdmin([`127.0.0.1:${port}`], options.sasl)
    try {
      await answers(connect, server)
      return kafkaProcess(port, server, connect)
    } catch (error) {
      await server.stop()
      // Someone else may have taken a port between our look and Kafka's bind.
      if (attempt === 3) throw error
    }
  }
}

/** The directory of Kafka's jars. */
export async function kafkaJars(): Promise<string> {
  return mavenJars(new URL('kafka/', import.meta.url))
}

function kafkaProcess(port: number, server: EngineProcess, connect: () => Admin): KafkaProcess {
  return {
    brokers: [`127.0.0.1:${port}`],
    port,
    get pid() {
      return server.pid
    },
    get ended() {
      return server.ended
    },
    createTopic: (...topic) => createTopic(connect, ...topic),
    pause: server.pause,
    resume: server.resume,
    kill: server.kill,
    start: async () => {
      await server.start()
      await answers(connect, server)
    },
    stop: server.stop,
  }
}

function settings(
  port: number,
  controllerPort: number,
  { sasl }: KafkaOptions,
): Record<string, string> {
  const protocol = sasl === undefined ? 'PLAINTEXT' : 'SASL_PLAINTEXT'
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${port}`,
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `CLIENT:${protocol},CONTROLLER:PLAINTEXT`,
    // One node has no one to copy to.
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    // How long a killed broker is taken for alive, and may not come back: 9 s by default.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    ...(sasl === undefined ? {} : saslSettings(sasl)),
  }
}

function saslSettings({ username, password }: NonNullable<KafkaOptions['sasl']>) {
  const security = 'org.apache.kafka.common.security'
  const scram = `${security}.scram.ScramLoginModule required;`
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.client.plain.sasl.jaas.config':
      `${security}.plain.PlainLoginModule required ` +
      `username="${username}" password="${password}" user_${username}="${password}";`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.client.scram-sha-512.sasl.jaas.config': scram,
    'listener.name.client.oauthbearer.sasl.jaas.config':
      `${security}.oauthbearer.OAuthBearerLoginModule required ` +
      `unsecuredLoginStringClaim_sub="${username}";`,
  }
}

/** Writes the properties, and an empty log. */
async function format(
  jars: string,
  directory: string,
  properties: Readonly<Record<string, string>>,
  { sasl }: KafkaOptions,
): Promise<void> {
  const lines = Object.entries({ ...properties, 'log.dirs': join(directory, 'log') })
  await writeFile(file(directory), lines.map(([key, value]) => `${key}=${value}\n`).join(''))
  const users = (sasl === undefined ? [] : ['SCRAM-SHA-256', 'SCRAM-SHA-512']).flatMap((name) => [
    '--add-scram',
    `${name}=[name="${sasl?.username}",password="${sasl?.password}"]`,
  ])
  const id = Buffer.alloc(16, 1).toString('base64url')
  await promisify(execFile)('java', [
    ...[...java(jars, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'), 'kafka.tools.StorageTool'],
    ...['format', '--cluster-id', id, '--config', file(directory), ...users],
  ])
}

function file(directory: string): string {
  return join(directory, 'server.properties')
}

/** `-UsePerfData`: a killed JVM leaves that file behind. */
function java(jars: string, ...options: readonly string[]): string[] {
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'
  return ['-XX:-UsePerfData', quiet, ...options, '-cp', join(jars, '*')]
}

function connectAdmin(brokers: readonly string[], sasl?: KafkaOptions['sasl']): Admin {
  return new Admin({
    clientId: 'dualport-tests',
    bootstrapBrokers: [...brokers],
    connectTimeout: 2_000,
    timeout: 5_000,
    retries: 0,
    ...(sasl === undefined ? {} : { sasl: { mechanism: 'PLAIN', ...sasl } }),
  })
}

async function withAdmin<T>(connect: () => Admin, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = connect()
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

function answers(connect: () => Admin, server: EngineProcess): Promise<void> {
  return withAdmin(connect, (admin) =>
    until(
      async () => (await admin.metadata({ forceUpdate: true })).brokers.size > 0,
      server,
      60_000,
    ),
  )
}

function createTopic(connect: () => Admin, name: string, partitions = 1): Promise<void> {
  return withAdmin(connect, async (admin) => {
    await admin.createTopics({ topics: [name], partitions, replicas: -1 })
    const latest = Array.from({ length: partitions }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: ListOffsetTimestamps.LATEST,
    }))
    // Metadata names a leader a moment before the broker knows that it leads; only a leader tells offsets.
    const led = async () => {
      await admin.metadata({ topics: [name], forceUpdate: true })
      await admin.listOffsets({ topics: [{ name, partitions: latest }] })
      return true
    }
    await until(led, { ended: new AbortController().signal })
  })
}
