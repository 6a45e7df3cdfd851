import { afterAll, type SuiteOptions } from 'vitest'
import { EngineMissing } from './process.ts'
import { redisServer, startRedis, startRedisCluster } from './redis.ts'
import { shared } from './shared.ts'

const engines = {
  /** Any Redis: the one that REDIS_URL names, or a process of our own. Use keys of your own, never FLUSHALL. */
  redis: redisServer,
  /** A Redis that may be paused and killed: always a process of our own. */
  'redis-process': startRedis,
  /** Three masters, always our own. */
  'redis-cluster': startRedisCluster,
  /** Any Kafka: KAFKA_BROKERS, or one broker that all test files share. Use topics and groups of your own. */
  kafka: async () => (await import('./kafka.ts')).kafkaAt((await shared('kafka')).split(',')),
  /** A Kafka that may be paused, killed and started again: always a process of our own, ready after 4 s. */
  'kafka-process': async () => (await import('./kafka.ts')).startKafka(),
  /** Any MongoDB: MONGODB_URL, or one FerretDB that all test files share. Use a database of your own. */
  mongodb: async () => (await import('./mongodb.ts')).mongodbAt(await shared('mongodb')),
  /** A FerretDB that may be paused, killed and started again: always a process of our own. */
  'mongodb-process': async () => (await import('./mongodb.ts')).startMongodb(),
  /** Any MySQL: MYSQL_URL, or one MariaDB that all test files share. Use a database of your own: `ownDatabase`. */
  mysql: async () => (await import('./mariadb.ts')).mysqlAt(await shared('mysql')),
  /** A MariaDB that may be paused, killed and started again: always a process of our own. */
  'mysql-process': async () => (await import('./mariadb.ts')).startMysql(),
  /** Any Cassandra: SCYLLADB_HOSTS, or one node that all test files share. Use a keyspace of your own: `ownKeyspace`. */
  cassandra: async () =>
    (await import('./cassandra.ts')).cassandraAt((await shared('cassandra')).split(',')),
  /** A Cassandra that may be paused, killed and started again: always a process of our own, ready after 5 s. */
  'cassandra-process': async () => (await import('./cassandra.ts')).startCassandra(),
}

type Engines = typeof engines
type Available<N extends keyof Engines> = Awaited<ReturnType<Engines[N]>> & {
  /** Why it is not here, if it is not. Then there is nothing else in this object. */
  readonly missing?: string
}

/**
 * Starts an engine for one test file and stops it after the last test. Where the engine is missing, the
 * suites that need it are skipped with the reason; with REQUIRE_ENGINES=1 the file fails instead.
 *
 * ```ts
 * const redis = await engine('redis')
 *
 * describe('over a real Redis', needs(redis), () => {
 *   test('answers', async () => { await connect(redis.url) })
 * })
 * ```
 */
export async function engine<N extends keyof Engines>(name: N): Promise<Available<N>> {
  try {
    const started = await engines[name]()
    afterAll(() => started.stop())
    return started as Available<N>
  } catch (error) {
    if (!(error instanceof EngineMissing) || process.env.REQUIRE_ENGINES === '1') throw error
    return { missing: `${name}: ${error.message}` } as Available<N>
  }
}

/** Options for `describe` or `test`: skips what cannot run for want of an engine. */
export function needs(
  ...required: readonly { readonly missing?: string | undefined }[]
): SuiteOptions {
  const missing = required.find((one) => one.missing !== undefined)?.missing
  return missing === undefined ? {} : skipped(missing)
}

/** Options for `describe` or `test`: skips, and names the reason in the summary. */
export function skipped(reason: string): SuiteOptions {
  return { skip: true, meta: { skipReason: reason } }
}
