import { gateway } from '../../adapters/scylladb/gateway.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { conformance } from './conformance.ts'
import { gatewayOverScylladb } from './gateway.ts'

const { url, token, keyspace, ...engine } = await gatewayOverScylladb()
const driver = () => gateway({ url, token, keyspace })

conformance('gateway', engine, () => ({
  scylladb: new ScyllaDB(driver(), { logger: false }),
  driver,
}))
