import type { CqlCapabilities } from '../scylladb/index.ts'
import { batches } from './scylladb/batches.ts'
import { errors, secrecy } from './scylladb/errors.ts'
import {
  type ScyllaCase,
  type ScyllaFixture,
  type ScyllaTarget,
  setUp,
  tearDown,
} from './scylladb/fixture.ts'
import { cancellation, health, lifecycle } from './scylladb/lifecycle.ts'
import { pages, streams } from './scylladb/pages.ts'
import { conditions, counters, executes, parameters, settings } from './scylladb/statements.ts'
import { telemetry } from './scylladb/telemetry.ts'
import { series } from './scylladb/timeseries.ts'
import { refusals, values } from './scylladb/values.ts'
import { about, type Suite } from './suite.ts'

const cases = [
  ...about('values', values),
  ...about('refused', refusals),
  ...about('execute', executes),
  ...about('parameters', parameters),
  ...about('settings', settings),
  ...about('condition', conditions),
  ...about('counter', counters),
  ...about('batch', batches),
  ...about('stream', streams),
  ...about('page', pages),
  ...about('time series', series),
  ...about('errors', errors),
  ...about('cancellation', cancellation),
  ...about('health', health),
  ...about('lifecycle', lifecycle),
  ...about('telemetry', telemetry),
  ...about('secrecy', secrecy),
]

/** What every adapter for ScyllaDB and Cassandra must do, and what it must refuse where it cannot. */
export const scyllaSuite: Suite<ScyllaTarget, ScyllaFixture, CqlCapabilities> = {
  name: 'scylladb',
  capabilities: ({ scylladb }) => scylladb.capabilities,
  setUp,
  tearDown,
  cases: cases.map(
    (each): ScyllaCase => ({
      ...each,
      async run(fixture) {
        await fixture.ready()
        await each.run(fixture)
      },
    }),
  ),
}
