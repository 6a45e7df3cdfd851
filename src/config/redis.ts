import * as v from 'valibot'
import type { IoredisOptions } from '../../adapters/redis/ioredis.ts'
import type { RestOptions } from '../../adapters/redis/rest.ts'
import { Redis, type RedisDriver } from '../redis/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, milliseconds, secret, validate } from './validation.ts'

export type RedisAdapter = 'ioredis' | 'rest' | 'memory'

/** The options of the adapters, and which adapter it is. */
export interface RedisConfig extends IoredisOptions, Omit<Partial<RestOptions>, 'url' | 'token'> {
  /** Its scheme names the adapter: `redis:` and `rediss:` ioredis, `https:` and `http:` rest, `memory:` memory. */
  url?: string | undefined
  /** For HTTP. A function is asked before the first request, and once more when its answer was refused. */
  token?: RestOptions['token'] | undefined
  /** Default: by the scheme of `url`, or ioredis for `host` and a list of nodes. `memory` overrides everything. */
  adapter?: RedisAdapter | undefined
}

/** The adapters that a runtime can use. */
export interface RedisAdapters {
  readonly memory: () => RedisDriver
  readonly rest: (options: RestOptions) => RedisDriver
  readonly ioredis: ((options: IoredisOptions) => RedisDriver) | undefined
}

export function redisBackend(adapters: RedisAdapters): Backend<Redis> {
  return {
    variables: {
      url: ['REDIS_URL', 'UPSTASH_REDIS_REST_URL'],
      token: ['REDIS_TOKEN', 'UPSTASH_REDIS_REST_TOKEN'],
      adapter: ['REDIS_ADAPTER'],
      host: ['REDIS_HOST'],
      port: ['REDIS_PORT'],
      username: ['REDIS_USERNAME'],
      password: ['REDIS_PASSWORD'],
      db: ['REDIS_DB'],
      tls: ['REDIS_TLS'],
      cluster: ['REDIS_CLUSTER'],
    },
    fields: Object.keys(fields),
    componentType: 'datastore',
    embedded: open(adapters.memory),
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const adapterByScheme: Readonly<Record<string, RedisAdapter>> = {
  'redis:': 'ioredis',
  'rediss:': 'ioredis',
  'http:': 'rest',
  'https:': 'rest',
  'memory:': 'memory',
}

const url = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const fix = fixForUrl(dataset.value)
    if (fix !== undefined) addIssue({ message: fix })
  }),
)
const node = v.object({ host: v.pipe(v.string(), v.nonEmpty()), port: integer(1, 65_535) })
const nodes = v.pipe(v.array(node), v.minLength(1))
const nodeList = v.pipe(
  v.string(),
  v.regex(/^((\[[\da-f:]+\]|[\w.-]+):\d+(,|$))+$/i),
  v.transform((text) => text.split(',').map(nodeOf)),
  nodes,
)
const tlsOptions = v.custom<object>((value) => typeof value === 'object' && value !== null)

const wantedUrl = 'give it redis://host, rediss://host, https://host or memory:'

const fields = {
  url: [url, wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  adapter: [v.picklist(['ioredis', 'rest', 'memory']), 'give it ioredis, rest or memory'],
  host: [v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), 'give it a name or address, and nothing else'],
  port: [integer(1, 65_535), 'give it a port from 1 to 65535'],
  username: [v.pipe(v.string(), v.nonEmpty()), 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  db: [integer(0, 2 ** 31 - 1), 'give it the number of a database, from 0'],
  tls: [v.union([flag, tlsOptions]), 'give it true or false'],
  cluster: [v.union([flag, nodes, nodeList]), 'give it true, or host:port,host:port'],
  fetch: [aFunction, 'give it a function'],
  maxRequestBytes: [integer(1, 2 ** 31 - 1), 'give it a number of bytes above 0'],
  connectTimeoutMs: [milliseconds, 'give it a number of milliseconds above 0'],
  maxIdleMs: [milliseconds, 'give it a number of milliseconds above 0'],
} as const

type Field = keyof typeof fields

const takenBy: Readonly<Partial<Record<Field, readonly RedisAdapter[]>>> = {
  token: ['rest'],
  fetch: ['rest'],
  maxRequestBytes: ['rest'],
  host: ['ioredis'],
  port: ['ioredis'],
  username: ['ioredis'],
  password: ['ioredis'],
  db: ['ioredis'],
  tls: ['ioredis'],
  cluster: ['ioredis'],
  connectTimeoutMs: ['ioredis'],
  maxIdleMs: ['ioredis'],
}

function configure(
  adapters: RedisAdapters,
  settings: Settings,
  problems: Problems,
): Open<Redis> | undefined {
  const valid = validate(fields, settings, problems)
  const { url, cluster } = valid
  const { ioredis } = adapters
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  const hasNodes = given.has('cluster') && typeof cluster !== 'boolean'
  const adapter = chooseAdapter<RedisAdapter>(settings, valid, problems, {
    byScheme: adapterByScheme,
    otherwise: given.has('host') || hasNodes ? 'ioredis' : undefined,
    unable: ioredis === undefined ? ['ioredis'] : [],
    takenBy,
  })
  if (adapter === 'memory') return open(adapters.memory)
  if (!given.has('url')) {
    if (adapter === 'rest') problems.add(name('url'), 'set it to https://host')
    else if (!given.has('host') && !hasNodes)
      problems.add(name('url'), `set it, or ${name('host')}`)
  }
  if (adapter === undefined) return undefined

  if (adapter === 'rest' || ioredis === undefined) {
    const { token, fetch, maxRequestBytes } = valid
    if (!given.has('token'))
      problems.add(name('token'), `set it, since ${name('url')} is over HTTP`)
    if (url === undefined || token === undefined) return undefined
    return open(() => adapters.rest({ url, token, fetch, maxRequestBytes }))
  }
  const address = (['url', 'host'] as const).find((field) => given.has(field))
  for (const field of ['host', 'port'] as const) {
    if (!given.has('url') || !given.has(field)) continue
    problems.add(name(field), `unset it; ${name('url')} says where Redis is`)
  }
  if (hasNodes && address !== undefined) {
    problems.add(name('cluster'), `set it to true; ${name(address)} says where Redis is`)
  }
  if (cluster && (valid.db ?? databaseIn(url)) > 0) {
    problems.add(
      name(valid.db === undefined ? 'url' : 'db'),
      'ask for database 0; a cluster has no other',
    )
  }
  const { adapter: _, token: __, fetch: ___, maxRequestBytes: ____, ...options } = valid
  return open(() => ioredis(options))
}

function open(driver: () => RedisDriver): Open<Redis> {
  return (options) => {
    const opened = driver()
    return { client: new Redis(opened, options), resource: opened.resource }
  }
}

function fixForUrl(text: string): string | undefined {
  if (text === 'memory:') return undefined
  if (!/^(rediss?|https?):\/\/[^/]/i.test(text) || !URL.canParse(text)) return wantedUrl
  const { protocol, pathname, username, password, search, hash } = new URL(text)
  const isHttp = protocol.startsWith('http')
  if (isHttp && `${username}${password}` !== '') return 'take the credentials out of it'
  if (`${search}${hash}` !== '') return 'take the query and the fragment out of it'
  if (isHttp) return undefined
  if (!/^\/?\d*$/.test(pathname))
    return 'give it the number of a database after the host, or nothing'
  try {
    decodeURIComponent(username + password)
  } catch {
    return 'percent-encode the credentials in it'
  }
  return undefined
}

function databaseIn(url: string | undefined): number {
  return url === undefined ? 0 : Number(new URL(url).pathname.slice(1))
}

function nodeOf(text: string): v.InferInput<typeof node> {
  const colon = text.lastIndexOf(':')
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: text.slice(colon + 1),
  }
}
