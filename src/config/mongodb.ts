import * as v from 'valibot'
import type { DataApiOptions } from '../../adapters/mongodb/data-api.ts'
import type { MongodbOptions } from '../../adapters/mongodb/mongodb/options.ts'
import { MongoDB, type MongoDriver } from '../mongodb/index.ts'
import { chooseAdapter } from './choice.ts'
import type { Backend, Open } from './infrastructure.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'
import { aFunction, flag, integer, secret, text, validate } from './validation.ts'

export type MongodbAdapter = 'mongodb' | 'data-api' | 'memory'

/** The options of the adapters, and which adapter it is. */
export interface MongodbConfig
  extends MongodbOptions,
    Omit<Partial<DataApiOptions>, 'url' | 'username' | 'password' | 'database'> {
  /** Its scheme names the adapter: `mongodb:` and `mongodb+srv:` mongodb, `https:` and `http:` data-api, `memory:` memory. */
  url?: string | undefined
  /** Default: by the scheme of `url`, or mongodb for `host`. `memory` overrides everything. */
  adapter?: MongodbAdapter | undefined
}

/** The adapters that a runtime can use. */
export interface MongodbAdapters {
  readonly memory: ((options: { database?: string | undefined }) => MongoDriver) | undefined
  readonly dataApi: (options: DataApiOptions) => MongoDriver
  readonly mongodb: ((options: MongodbOptions) => MongoDriver) | undefined
}

export function mongodbBackend(adapters: MongodbAdapters): Backend<MongoDB> {
  return {
    variables: {
      url: ['MONGODB_URL'],
      token: ['MONGODB_TOKEN'],
      database: ['MONGODB_DATABASE'],
      adapter: ['MONGODB_ADAPTER'],
      host: ['MONGODB_HOST'],
      port: ['MONGODB_PORT'],
      username: ['MONGODB_USERNAME'],
      password: ['MONGODB_PASSWORD'],
      tls: ['MONGODB_TLS'],
      maxPoolSize: ['MONGODB_MAX_POOL_SIZE'],
    },
    fields: Object.keys(fields),
    componentType: 'datastore',
    embedded: inMemory(adapters, undefined),
    configure: (settings, problems) => configure(adapters, settings, problems),
  }
}

const wantedUrl = 'give it mongodb://host, mongodb+srv://host, https://host or memory:'
const url = v.pipe(v.string(), v.regex(/^(memory:$|(mongodb(\+srv)?|https?):\/\/[^/])/i))

const count = integer(0, 2 ** 31 - 1)
const wantedCount = 'give it a whole number from 0'

const fields = {
  url: [url, wantedUrl],
  token: [secret(/^[\x21-\x7e]+$/), 'give it printable ASCII without spaces'],
  adapter: [v.picklist(['mongodb', 'data-api', 'memory']), 'give it mongodb, data-api or memory'],
  database: [
    v.pipe(v.string(), v.regex(/^[^\s/\\."$\0]{1,63}$/)),
    'give it the name of a database',
  ],
  host: [v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), 'give it a name or address, and nothing else'],
  port: [integer(1, 65_535), 'give it a port from 1 to 65535'],
  username: [text, 'give it a name, or unset it'],
  password: [secret(/./s), 'give it a password, or unset it'],
  tls: [flag, 'give it true or false'],
  maxPoolSize: [count, wantedCount],
  minPoolSize: [count, wantedCount],
  maxIdleMs: [count, wantedCount],
  waitQueueTimeoutMs: [count, wantedCount],
  connectTimeoutMs: [count, wantedCount],
  serverSelectionTimeoutMs: [count, wantedCount],
  fetch: [aFunction, 'give it a function'],
  apiKey: [v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/)), 'give it printable ASCII without spaces'],
  dataSource: [text, 'give it a name, or unset it'],
  dialect: [v.picklist(['dualport', 'atlas', 'ferretdb']), 'give it dualport, atlas or ferretdb'],
  maxDocumentBytes: [integer(1, 2 ** 31 - 1), 'give it a number of bytes above 0'],
} as const

type Field = keyof typeof fields

const adapterByScheme: Readonly<Record<string, MongodbAdapter>> = {
  'mongodb:': 'mongodb',
  'mongodb+srv:': 'mongodb',
  'http:': 'data-api',
  'https:': 'data-api',
  'memory:': 'memory',
}

const takenBy: Readonly<Partial<Record<Field, readonly MongodbAdapter[]>>> = {
  token: ['data-api'],
  fetch: ['data-api'],
  apiKey: ['data-api'],
  dataSource: ['data-api'],
  dialect: ['data-api'],
  maxDocumentBytes: ['data-api'],
  host: ['mongodb'],
  port: ['mongodb'],
  tls: ['mongodb'],
  maxPoolSize: ['mongodb'],
  minPoolSize: ['mongodb'],
  maxIdleMs: ['mongodb'],
  waitQueueTimeoutMs: ['mongodb'],
  connectTimeoutMs: ['mongodb'],
  serverSelectionTimeoutMs: ['mongodb'],
}

function configure(
  adapters: MongodbAdapters,
  settings: Settings,
  problems: Problems,
): Open<MongoDB> | undefined {
  const valid = validate(fields, settings, problems)
  const { url, database } = valid
  const { mongodb } = adapters
  const name = (field: Field) => settings.nameOf(field)
  const given = new Set(Object.keys(settings.values))
  const adapter = chooseAdapter<MongodbAdapter>(settings, valid, problems, {
    byScheme: adapterByScheme,
    otherwise: given.has('host') ? 'mongodb' : undefined,
    unable: mongodb === undefined ? ['mongodb'] : [],
    takenBy,
  })
  if (adapter === 'memory') {
    const opened = inMemory(adapters, database)
    if (opened === undefined)
      problems.add(name('url'), 'set it to https://host; memory: is for Node')
    return opened
  }
  if (!given.has('url')) {
    if (adapter === 'data-api') problems.add(name('url'), 'set it to https://host')
    else if (!given.has('host')) problems.add(name('url'), `set it, or ${name('host')}`)
  }
  if (adapter === undefined) return undefined

  if (given.has('username') !== given.has('password')) {
    const missing = given.has('username') ? 'password' : 'username'
    problems.add(name(missing), 'set it; a user has both a name and a password')
  }
  if (adapter === 'data-api' || mongodb === undefined) {
    if (!['token', 'apiKey', 'username'].some((field) => given.has(field)))
      problems.add(name('token'), `set it, since ${name('url')} is over HTTP`)
    if (url === undefined) return undefined
    const { token, apiKey, username, password, fetch, dataSource, dialect, maxDocumentBytes } =
      valid
    const credentials = { token, apiKey, username, password }
    const options = { url, ...credentials, fetch, database, dataSource, dialect, maxDocumentBytes }
    return open(() => adapters.dataApi(options))
  }
  for (const field of ['host', 'port'] as const) {
    if (!given.has('url') || !given.has(field)) continue
    problems.add(name(field), `unset it; ${name('url')} says where MongoDB is`)
  }
  const {
    adapter: _,
    token: __,
    fetch: ___,
    apiKey: ____,
    dataSource: _____,
    dialect: ______,
    maxDocumentBytes: _______,
    ...options
  } = valid
  return open(() => mongodb(options))
}

/** Large, as it is a database of its own: not in every Worker. */
function inMemory(
  { memory }: MongodbAdapters,
  database: string | undefined,
): Open<MongoDB> | undefined {
  return memory && open(() => memory({ database }))
}

function open(driver: () => MongoDriver): Open<MongoDB> {
  return (options) => {
    const opened = driver()
    return { client: new MongoDB(opened, options), resource: opened.resource }
  }
}
