import { mssql } from '../../adapters/sql/mssql.ts'
import { conformance } from './conformance.ts'
import { gatewayOver } from './gateway-over.ts'
import { sqlServer } from './sqlserver.ts'

const { url, procedures } = await sqlServer()
const gateway = await gatewayOver(mssql({ url }))

conformance('the gateway and SQL Server', {}, () => ({
  sql: gateway.client(),
  driver: () => gateway.driver(),
  procedures,
}))
