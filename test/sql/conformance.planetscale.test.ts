import { planetscale } from '../../adapters/sql/planetscale.ts'
import { Sql } from '../../src/sql/index.ts'
import { startMysqlGateway, token } from '../gateway/mysql-gateway.ts'
import { conformance } from './conformance.ts'
import { mysqlDatabase } from './mysql.ts'

const { url, procedures, ...engine } = await mysqlDatabase()
const gateway = engine.missing === undefined ? await startMysqlGateway(url) : undefined!
const driver = () => planetscale({ url: gateway.url, username: 'any', password: token })

conformance('planetscale', engine, () => ({
  sql: new Sql(driver(), { logger: false }),
  driver,
  procedures,
}))
