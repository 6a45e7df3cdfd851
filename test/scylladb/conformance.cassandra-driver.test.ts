import { cassandraDriver } from '../../adapters/scylladb/cassandra-driver.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { engine } from '../engines/index.ts'
import { ownKeyspace } from '../engines/own.ts'
import { conformance } from './conformance.ts'

const server = await engine('cassandra')
const keyspace = await ownKeyspace(server)
const { hosts, localDataCenter } = server
const driver = () => cassandraDriver({ hosts, localDataCenter, keyspace })

conformance('cassandra-driver', server, () => ({
  scylladb: new ScyllaDB(driver(), { logger: false }),
  driver,
}))
