import { mssql } from '../../adapters/sql/mssql.ts'
import { conformance } from './conformance.ts'
import { gatewayOver } from './gateway-over.ts'
import { sqlServer } from './sqlserver.ts'

const { url, procedures, ...engine } = await sqlServer()
const gateway = await gatewayOver(mssql({ url }))

conformance('the gateway and SQL Server', engine, () => ({
  sql: gateway.client(),
  driver: () => gateway.driver(),
  procedures,
}))
