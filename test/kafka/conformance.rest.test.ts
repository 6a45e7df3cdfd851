import { rest } from '../../adapters/kafka/rest.ts'
import { conformance } from './conformance.ts'
import { gatewayOverKafka } from './gateway.ts'

const gateway = await gatewayOverKafka()

conformance('rest', gateway, {
  driver: () => rest({ url: gateway.url ?? '', token: gateway.token, dialect: 'dualport' }),
  createTopic: gateway.createTopic,
})
