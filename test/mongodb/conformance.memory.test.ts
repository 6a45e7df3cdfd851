import * as bson from 'bson'
import { memory } from '../../adapters/mongodb/memory.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { conformance } from './conformance.ts'

conformance('memory', {}, () => ({
  mongodb: new MongoDB(memory(), { logger: false }),
  driver: () => memory(),
  bson,
}))
