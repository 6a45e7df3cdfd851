import { mssql } from '../../adapters/sql/mssql.ts'
import { conformance } from '../sql/conformance.ts'
import { gatewayOver, token } from '../sql/gateway-over.ts'
import { sqlServer } from '../sql/sqlserver.ts'
import { startSqlSuite } from './sql-suite.ts'

const { url, procedures } = await sqlServer()
const gateway = await gatewayOver(mssql({ url }))

conformance(
  'the gateway and SQL Server inside workerd',
  {},
  () => ({ sql: gateway.client(), driver: () => gateway.driver(), procedures }),
  await startSqlSuite('gateway', gateway.url, token, procedures),
)
