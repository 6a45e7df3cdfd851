import { upstash } from '../../adapters/kafka/upstash.ts'
import { conformance } from './conformance.ts'
import { gatewayOverKafka } from './gateway.ts'

const gateway = await gatewayOverKafka()

conformance('upstash', gateway, {
  driver: () => upstash({ url: gateway.url, username: 'anyone', password: gateway.token }),
  createTopic: gateway.createTopic,
})
