import type { SqlCapabilities } from '../sql/index.ts'
import { bulks } from './sql/bulk.ts'
import { calls } from './sql/calls.ts'
import { errors, secrecy } from './sql/errors.ts'
import { type SqlFixture, type SqlTarget, setUp, tearDown } from './sql/fixture.ts'
import { cancellation, health, lifecycle } from './sql/lifecycle.ts'
import { executes, queries } from './sql/queries.ts'
import { streams } from './sql/streams.ts'
import { telemetry } from './sql/telemetry.ts'
import { injection, templates } from './sql/templates.ts'
import { batches, transactions } from './sql/transactions.ts'
import { validation } from './sql/validation.ts'
import { values } from './sql/values.ts'
import { about, type Suite } from './suite.ts'

/** What every SQL adapter must do, over every dialect, and what it must refuse where it cannot. */
export const sqlSuite: Suite<SqlTarget, SqlFixture, SqlCapabilities> = {
  name: 'sql',
  capabilities: ({ sql }) => sql.capabilities,
  setUp,
  tearDown,
  cases: [
    ...about('values', values),
    ...about('template', templates),
    ...about('injection', injection),
    ...about('query', queries),
    ...about('execute', executes),
    ...about('stream', streams),
    ...about('transaction', transactions),
    ...about('batch', batches),
    ...about('bulkInsert', bulks),
    ...about('call', calls),
    ...about('errors', errors),
    ...about('validation', validation),
    ...about('cancellation', cancellation),
    ...about('health', health),
    ...about('lifecycle', lifecycle),
    ...about('telemetry', telemetry),
    ...about('secrecy', secrecy),
  ],
}
