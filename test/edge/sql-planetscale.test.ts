import { planetscale } from '../../adapters/sql/planetscale.ts'
import { Sql } from '../../src/sql/index.ts'
import { startMysqlGateway, token } from '../gateway/mysql-gateway.ts'
import { conformance } from '../sql/conformance.ts'
import { mysqlDatabase } from '../sql/mysql.ts'
import { startSqlSuite } from './sql-suite.ts'

const { url, procedures, ...engine } = await mysqlDatabase()
const gateway = engine.missing === undefined ? await startMysqlGateway(url) : undefined!
const inWorkerd =
  engine.missing === undefined
    ? await startSqlSuite('planetscale', gateway.url, token, procedures)
    : undefined
const driver = () => planetscale({ url: gateway.url, username: 'any', password: token })

conformance(
  'planetscale inside workerd',
  engine,
  () => ({ sql: new Sql(driver(), { logger: false }), driver, procedures }),
  inWorkerd,
)
