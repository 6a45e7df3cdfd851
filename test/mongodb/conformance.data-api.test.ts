import * as bson from 'bson'
import { dataApi } from '../../adapters/mongodb/data-api.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { conformance } from './conformance.ts'
import { gatewayOverMongodb } from './gateway.ts'

const { url, token, database, ...engine } = await gatewayOverMongodb()
const driver = () => dataApi({ url, token, database })

conformance('data-api', engine, () => ({
  mongodb: new MongoDB(driver(), { logger: false }),
  driver,
  bson,
}))
