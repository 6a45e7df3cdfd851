import { memory } from '../../adapters/sql/memory.ts'
import { Sql } from '../../src/sql/index.ts'
import { conformance } from './conformance.ts'

conformance('memory', {}, () => ({
  sql: new Sql(memory(), { logger: false }),
  driver: () => memory(),
}))
