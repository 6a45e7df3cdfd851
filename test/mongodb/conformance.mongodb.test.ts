import * as bson from 'bson'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { engine } from '../engines/index.ts'
import { conformance } from './conformance.ts'
import { ownDatabase } from './database.ts'

const server = await engine('mongodb')
const database = ownDatabase(server)
const driver = () => mongodb({ url: server.url, database })

conformance('mongodb', server, () => ({
  mongodb: new MongoDB(driver(), { logger: false }),
  driver,
  bson,
}))
