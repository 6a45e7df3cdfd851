import type { SqlDriver } from '../../src/sql/index.ts'
import { GatewayDriver } from './gateway/driver.ts'
import type { GatewayOptions } from './gateway/options.ts'

export type { GatewayOptions } from './gateway/options.ts'

/**
 * SQL over HTTP by dualport's gateway. Plain `fetch`, so it runs everywhere; it holds no connection, so that it may
 * live at module level in a Worker. A transaction is held by one process of the gateway: several need sticky
 * sessions.
 * Protocol: `src/gateway/README.md`.
 * @throws InfraError `SQL_CONFIG` for malformed options
 */
export function gateway(options: GatewayOptions): SqlDriver {
  return new GatewayDriver(options)
}
