import { mysql2 } from '../../adapters/sql/mysql2.ts'
import { Sql } from '../../src/sql/index.ts'
import { conformance } from './conformance.ts'
import { mysqlDatabase } from './mysql.ts'

const { url, procedures, ...engine } = await mysqlDatabase()
const driver = () => mysql2({ url })

conformance('mysql2', engine, () => ({
  sql: new Sql(driver(), { logger: false }),
  driver,
  procedures,
}))
