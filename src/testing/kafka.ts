import type { KafkaCapabilities } from '../kafka/index.ts'
import { admin, health, lag, lifecycle, telemetry } from './kafka/client.ts'
import { committing, consuming, groups, iterating } from './kafka/consuming.ts'
import { type KafkaFixture, type KafkaTarget, setUp, tearDown } from './kafka/fixture.ts'
import { payloads, producing } from './kafka/producing.ts'
import { about, type Suite } from './suite.ts'

/** What every Kafka adapter must do, whatever cluster is behind it. */
export const kafkaSuite: Suite<KafkaTarget, KafkaFixture, KafkaCapabilities> = {
  name: 'kafka',
  capabilities: (target) => target.driver().capabilities,
  setUp,
  tearDown,
  cases: [
    ...about('producing', producing),
    ...about('payloads', payloads),
    ...about('consuming', consuming),
    ...about('committing', committing),
    ...about('groups', groups),
    ...about('iterating', iterating),
    ...about('lag', lag),
    ...about('admin', admin),
    ...about('health', health),
    ...about('lifecycle', lifecycle),
    ...about('telemetry', telemetry),
  ],
}
