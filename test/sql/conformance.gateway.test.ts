import { memory } from '../../adapters/sql/memory.ts'
import { conformance } from './conformance.ts'
import { gatewayOver } from './gateway-over.ts'

const gateway = await gatewayOver(memory())

conformance('the gateway and SQLite', {}, () => ({
  sql: gateway.client(),
  driver: () => gateway.driver(),
}))
