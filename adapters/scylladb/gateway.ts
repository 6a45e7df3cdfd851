import type { ScyllaDriver } from '../../src/scylladb/index.ts'
import { GatewayDriver } from './gateway/driver.ts'
import type { GatewayOptions } from './gateway/options.ts'

export type { GatewayOptions } from './gateway/options.ts'

/**
 * ScyllaDB and Cassandra over HTTP, by dualport's own gateway. Plain `fetch`, so it runs everywhere; it holds no
 * connection, so that it may live at module level in a Worker.
 * @throws InfraError `SCYLLADB_CONFIG` for malformed options
 */
export function gateway(options: GatewayOptions): ScyllaDriver {
  return new GatewayDriver(options)
}
