import { mssql } from '../../adapters/sql/mssql.ts'
import { Sql } from '../../src/sql/index.ts'
import { conformance } from './conformance.ts'
import { sqlServer } from './sqlserver.ts'

const { url, procedures } = await sqlServer()
const driver = () => mssql({ url })

conformance('mssql', {}, () => ({
  sql: new Sql(driver(), { logger: false }),
  driver,
  procedures,
}))
