import { endpoint } from './health/endpoint.ts'
import {
  type HealthCapabilities,
  type HealthFixture,
  type HealthTarget,
  setUp,
} from './health/fixture.ts'
import { input } from './health/input.ts'
import { failures, wholes } from './health/results.ts'
import { sharing } from './health/sharing.ts'
import { startup } from './health/startup.ts'
import { telemetry } from './health/telemetry.ts'
import { about, type Suite } from './suite.ts'

/** What the health endpoint must do, whatever runtime serves it. */
export const healthSuite: Suite<HealthTarget, HealthFixture, HealthCapabilities> = {
  name: 'health',
  capabilities: ({ capabilities }) => capabilities,
  setUp,
  tearDown: async () => {},
  cases: [
    ...about('the whole', wholes),
    ...about('failures', failures),
    ...about('sharing', sharing),
    ...about('input', input),
    ...about('endpoint', endpoint),
    ...about('startup', startup),
    ...about('telemetry', telemetry),
  ],
}
