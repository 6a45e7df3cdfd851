import * as bson from 'bson'
import { dataApi } from '../../adapters/mongodb/data-api.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { conformance } from '../mongodb/conformance.ts'
import { gatewayOverMongodb } from '../mongodb/gateway.ts'
import { startWorker } from './worker.ts'

const { url, token, database, ...engine } = await gatewayOverMongodb()
const worker =
  engine.missing === undefined
    ? await startWorker(new URL('./mongodb-suite.worker.ts', import.meta.url), {
        MONGODB_URL: url,
        MONGODB_TOKEN: token,
        MONGODB_DATABASE: database,
      })
    : undefined!
const driver = () => dataApi({ url, token, database })

conformance(
  'data-api inside workerd',
  engine,
  () => ({ mongodb: new MongoDB(driver(), { logger: false }), driver, bson }),
  async (name) => {
    const response = await fetch(new URL(`/?case=${encodeURIComponent(name)}`, worker.url))
    const result = (await response.json()) as { passed: boolean; error?: string }
    if (!result.passed) throw new Error(`in workerd: ${result.error}`)
  },
)
