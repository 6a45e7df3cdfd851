import {
  type Collection,
  type MongoCapabilities,
  MongoDB,
  type MongoDriver,
  type MongoOptions,
} from '../../mongodb/index.ts'
import { equal } from '../assert.ts'
import type { Case } from '../suite.ts'

/** The adapter under test, and a server for it. The server may be shared: the suite uses collections of its own. */
export interface MongoTarget {
  /** Used by most cases, several of them after one another. What they leave are empty collections in its database. */
  readonly mongodb: MongoDB
  /** For another client, which the suite closes. It need not see the same data. */
  driver(): MongoDriver
  /** The `bson` package: the suite does not depend on it. */
  readonly bson: Bson
}

export type Bson = typeof import('bson')

/** What most cases store. */
export interface Row {
  readonly _id: number
  readonly [field: string]: unknown
}

export interface MongoFixture {
  readonly mongodb: MongoDB
  readonly bson: Bson
  /** One that no other run of a case uses; the same for the same name. Emptied afterwards. */
  readonly collection: <T extends object = Row>(name?: string) => Collection<T>
  /** A client of the case's own, quiet unless it is given a logger. Closed afterwards. */
  readonly create: <Allowed extends string = never>(
    options?: MongoOptions<Allowed>,
  ) => MongoDB<Allowed>
  /** What `tearDown` undoes. */
  readonly used: {
    readonly collections: Set<string>
    readonly clients: { close(): Promise<void> }[]
  }
}

export type MongoCase = Case<MongoFixture, MongoCapabilities>

export function setUp({ mongodb, driver, bson }: MongoTarget): MongoFixture {
  const unique = `dualport-test-${crypto.randomUUID()}`
  const collections = new Set<string>()
  const clients: { close(): Promise<void> }[] = []
  return {
    mongodb,
    bson,
    collection<T extends object>(name = 'rows') {
      collections.add(`${unique}-${name}`)
      return mongodb.database().collection<T>(`${unique}-${name}`)
    },
    create<Allowed extends string>(options?: MongoOptions<Allowed>) {
      const client = new MongoDB<Allowed>(driver(), { logger: false, ...options })
      clients.push(client)
      return client
    },
    used: { collections, clients },
  }
}

export async function tearDown({ mongodb, used }: MongoFixture): Promise<void> {
  await Promise.all(used.clients.map((client) => client.close()))
  const database = mongodb.database()
  for (const name of used.collections) await database.collection(name).deleteMany({})
}

/** As `equal`, but for the class of BSON's values: those of another copy of the package are as good. */
export function same(actual: unknown, expected: unknown, what?: string): void {
  equal(plain(actual), plain(expected), what)
}

interface BsonValue {
  readonly _bsontype: string
  toExtendedJSON(options: { relaxed: boolean }): unknown
}

/** What is to be compared of a value: of one of BSON's classes, the name and what it holds. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (Array.isArray(value)) return value.map(plain)
  if ('_bsontype' in value && !Object.hasOwn(value, '_bsontype')) {
    const { _bsontype } = value as BsonValue
    return { [_bsontype]: (value as BsonValue).toExtendedJSON({ relaxed: false }) }
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

/** Rows with the numbers from 0 as `_id`. */
export function rows(count: number): Row[] {
  return Array.from({ length: count }, (_, _id) => ({ _id }))
}

/** For what the types forbid, as JavaScript callers may write it. */
export const not = <T>(value: unknown): T => value as T
