/**
 * `npx node scripts/engines.ts`: fetches what the tests would otherwise fetch when they first need it, the
 * jars of Kafka and Cassandra and a FerretDB, into the user's cache directory. What is missing then is said
 * again by the tests.
 */
import { cassandraJars } from '../test/engines/cassandra.ts'
import { ferretdb } from '../test/engines/ferretdb.ts'
import { kafkaJars } from '../test/engines/kafka.ts'
import { EngineMissing } from '../test/engines/process.ts'

async function prepare(name: string, fetch: () => Promise<string>): Promise<void> {
  const started = performance.now()
  try {
    await fetch()
    console.log(`✓ ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  } catch (error) {
    if (!(error instanceof EngineMissing)) throw error
    console.log(`✗ ${name}: ${error.message}`)
  }
}

await Promise.all([
  // One after the other: they fill the same repository.
  prepare('kafka', kafkaJars).then(() => prepare('cassandra', cassandraJars)),
  prepare('ferretdb', ferretdb),
])
