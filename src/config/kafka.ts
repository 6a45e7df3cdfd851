import * as v from 'valibot'
import type { PlatformaticOptions } from '../../adapters/kafka/platformatic/options.ts'
import type { RestOptions } from '../../adapters/kafka/rest.ts'
import { Kafka, type KafkaDriver } from '../kafka/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, milliseconds, secret, text, validate } from './validation.ts'

export type KafkaAdapter = 'platformatic' | 'rest' | 'upstash' | 'memory'

/** The options of the adapters, and which adapter it is. */
export interface KafkaConfig
  extends Partial<Omit<PlatformaticOptions, 'sasl'>>,
    Omit<Partial<RestOptions>, 'maxRequestBytes'> {
  /** Where messages go that name no topic; its metadata is what the health check looks at. */
  topic?: string | undefined
  /** Default: rest for a `url`, platformatic for `brokers`. `memory` overrides everything. */
  adapter?: KafkaAdapter | undefined
  /** With `username` and `password`, or a function for `token` where it is OAUTHBEARER. */
  saslMechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER' | undefined
}

interface UpstashOptions {
  readonly url: string
  readonly username: string
  readonly password: string
}

/** The adapters that a runtime can use. */
export interface KafkaAdapters {
  readonly memory: (options: {
    topics?: Readonly<Record<string, number>> | undefined
  }) => KafkaDriver
  readonly rest: (options: RestOptions) => KafkaDriver
  readonly upstash: (options: UpstashOptions) => KafkaDriver
  readonly platformatic: ((options: PlatformaticOptions) => KafkaDriver) | undefined
}

const upstashUrl = 'UPSTASH_KAFKA_REST_URL'

export function kafkaBackend(adapters: KafkaAdapters): Backend<Kafka> {
  return {
    variables: {
      brokers: ['KAFKA_BROKERS'],
      topic: ['KAFKA_TOPIC'],
      url: ['KAFKA_REST_URL', upstashUrl],
      token: ['KAFKA_REST_TOKEN'],
      username: ['KAFKA_USERNAME', 'UPSTASH_KAFKA_REST_USERNAME'],
      password: ['KAFKA_PASSWORD', 'UPSTASH_KAFKA_REST_PASSWORD'],
      dialect: ['KAFKA_REST_DIALECT'],
      saslMechanism: ['KAFKA_SASL_MECHANISM'],
      tls: ['KAFKA_TLS'],
      clientId: ['KAFKA_CLIENT_ID'],
      adapter: ['KAFKA_ADAPTER'],
    },
    ambient: ['topic', 'clientId'],
    fields: Object.keys(fields),
    componentType: 'component',
    embedded: inMemory(adapters, undefined),
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const broker = /^(\[[\da-f:]+\]|[\w.-]+)(:\d{1,5})?$/i
const brokerList = v.pipe(
  v.union([
    v.pipe(
      v.string(),
      v.transform((list) => list.split(',').map((one) => one.trim())),
    ),
    v.array(v.string()),
  ]),
  v.check(
    (list) => list[0] === 'memory:' || (list.length > 0 && list.every((one) => broker.test(one))),
  ),
)
const wantedUrl = 'give it https://host'
const bytes = integer(1, 2 ** 31 - 1)
const tlsOptions = v.custom<object>((value) => typeof value === 'object' && value !== null)

const fields = {
  brokers: [brokerList, 'give it host:port,host:port, or memory:'],
  topic: [v.pipe(v.string(), v.regex(/^[\w.-]{1,249}$/)), 'give it the name of a topic'],
  url: [v.pipe(v.string(), v.regex(/^(memory:$|https?:\/\/[^/])/i)), wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  username: [text, 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  dialect: [
    v.picklist(['auto', 'confluent', 'karapace', 'strimzi', 'redpanda', 'dualport']),
    'give it auto, confluent, karapace, strimzi, redpanda or dualport',
  ],
  saslMechanism: [
    v.picklist(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']),
    'give it PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER',
  ],
  tls: [v.union([flag, tlsOptions]), 'give it true or false'],
  clientId: [
    v.pipe(v.string(), v.regex(/^\S{1,255}$/)),
    'give it up to 255 characters without spaces',
  ],
  adapter: [
    v.picklist(['platformatic', 'rest', 'upstash', 'memory']),
    'give it platformatic, rest, upstash or memory',
  ],
  fetch: [aFunction, 'give it a function'],
  maxRequestBytes: [bytes, 'give it a number of bytes above 0'],
  connectTimeoutMs: [milliseconds, 'give it a number of milliseconds above 0'],
  maxIdleMs: [milliseconds, 'give it a number of milliseconds above 0'],
} as const

type Field = keyof typeof fields

const takenBy: Readonly<Partial<Record<Field, readonly KafkaAdapter[]>>> = {
  brokers: ['platformatic'],
  url: ['rest', 'upstash'],
  token: ['rest', 'platformatic'],
  dialect: ['rest'],
  saslMechanism: ['platformatic'],
  tls: ['platformatic'],
  clientId: ['platformatic'],
  fetch: ['rest'],
  maxRequestBytes: ['rest', 'platformatic'],
  connectTimeoutMs: ['platformatic'],
  maxIdleMs: ['platformatic'],
}

function configure(
  adapters: KafkaAdapters,
  settings: Settings,
  problems: Problems,
): Open<Kafka> | undefined {
  const valid = validate(fields, settings, problems)
  const { brokers, url, topic } = valid
  const { platformatic } = adapters
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  if (brokers?.[0] === 'memory:' || url === 'memory:') return inMemory(adapters, topic)
  const overHttp: KafkaAdapter = name('url') === upstashUrl ? 'upstash' : 'rest'
  const adapter = chooseAdapter<KafkaAdapter>(
    settings,
    // Nothing but HTTP is in a URL here.
    { ...(valid.adapter !== undefined && { adapter: valid.adapter }) },
    problems,
    {
      byScheme: {},
      otherwise: given.has('url') ? overHttp : given.has('brokers') ? 'platformatic' : undefined,
      unable: platformatic === undefined ? ['platformatic'] : [],
      takenBy,
    },
  )
  if (adapter === 'memory') return inMemory(adapters, topic)
  if (adapter === 'platformatic' || adapter === undefined) {
    if (!given.has('brokers') && !given.has('url'))
      problems.add(name('brokers'), `set it, or ${name('url')}`)
  } else if (!given.has('url')) problems.add(name('url'), 'set it to https://host')
  if (given.has('username') !== given.has('password')) {
    const missing = given.has('username') ? 'password' : 'username'
    problems.add(name(missing), 'set it; a user has both a name and a password')
  }
  const { token, username, password } = valid

  if (adapter === 'rest') {
    if (given.has('token') && given.has('username'))
      problems.add(name('token'), `unset it or ${name('username')}`)
    if (url === undefined) return undefined
    const { dialect, fetch, maxRequestBytes } = valid
    const options = { url, token, username, password, dialect, fetch, maxRequestBytes }
    return open(() => adapters.rest(options), topic)
  }
  if (adapter === 'upstash') {
    if (!given.has('username')) problems.add(name('username'), `set it, since ${name('url')} is`)
    if (typeof password === 'function') problems.add(name('password'), 'give it a text')
    if (url === undefined || username === undefined || typeof password !== 'string')
      return undefined
    return open(() => adapters.upstash({ url, username, password }), topic)
  }
  if (brokers === undefined || platformatic === undefined) return undefined
  const sasl = saslOf(valid, given, settings, problems)
  const { tls, clientId, maxRequestBytes, connectTimeoutMs, maxIdleMs } = valid
  const options = { brokers, sasl, tls, clientId, maxRequestBytes, connectTimeoutMs, maxIdleMs }
  return open(() => platformatic(options), topic)
}

type Sasl = PlatformaticOptions['sasl']

function saslOf(
  valid: {
    readonly saslMechanism?: KafkaConfig['saslMechanism']
    readonly token?: KafkaConfig['token']
    readonly username?: string
    readonly password?: KafkaConfig['password']
  },
  given: ReadonlySet<string>,
  { nameOf }: Settings,
  problems: Problems,
): Sasl {
  const { saslMechanism: mechanism, token, username, password } = valid
  if (mechanism === 'OAUTHBEARER') {
    if (token !== undefined) return { mechanism, token }
    if (!given.has('token'))
      problems.add(nameOf('token'), `set it, since ${nameOf('saslMechanism')} is`)
    return undefined
  }
  if (given.has('token')) {
    problems.add(nameOf('token'), `unset it; it is for OAUTHBEARER and for HTTP`)
  }
  if (username !== undefined && password !== undefined) {
    if (mechanism !== undefined) return { mechanism, username, password }
    if (!given.has('saslMechanism')) {
      problems.add(nameOf('saslMechanism'), `set it, since ${nameOf('username')} is`)
    }
  } else if (mechanism !== undefined && !given.has('username')) {
    problems.add(nameOf('username'), `set it, since ${nameOf('saslMechanism')} is`)
  }
  return undefined
}

/** With the topic, for there is nobody else who could have created it. */
function inMemory({ memory }: KafkaAdapters, topic: string | undefined): Open<Kafka> {
  return open(() => memory(topic === undefined ? {} : { topics: { [topic]: 1 } }), topic)
}

function open(driver: () => KafkaDriver, topic: string | undefined): Open<Kafka> {
  return (options) => {
    const opened = driver()
    return { client: new Kafka(opened, { ...options, topic }), resource: opened.resource }
  }
}
