import type { MongoDriver } from '../../src/mongodb/index.ts'
import { DataApiDriver, notInstalled } from './data-api/driver.ts'
import type { DataApiOptions } from './data-api/options.ts'

export type { DataApiOptions } from './data-api/options.ts'

/**
 * MongoDB over HTTP by the Data API: dualport's gateway, and other servers of that protocol. Plain `fetch`, so
 * it runs everywhere; it holds no connection, so that it may live at module level in a Worker. Loads `bson` on
 * first use (`npm install bson`).
 * Protocol: https://www.mongodb.com/docs/atlas/app-services/data-api/openapi/
 * @throws InfraError `MONGODB_CONFIG` for malformed options
 */
export function dataApi(options: DataApiOptions): MongoDriver {
  return new DataApiDriver(options, loadBson)
}

async function loadBson() {
  try {
    return await import('./data-api/bson.ts')
  } catch (cause) {
    throw notInstalled(cause)
  }
}
