import type { MongoCapabilities } from '../mongodb/index.ts'
import { aggregates, counts, distincts } from './mongodb/aggregate.ts'
import { bulks, bulksInPart, insertsInPart } from './mongodb/bulk.ts'
import { cursors } from './mongodb/cursors.ts'
import { errors, secrecy } from './mongodb/errors.ts'
import { type MongoFixture, type MongoTarget, setUp, tearDown } from './mongodb/fixture.ts'
import { duplicates, indexes } from './mongodb/indexes.ts'
import { cancellation, health, lifecycle } from './mongodb/lifecycle.ts'
import { filters, finds, projections, sorts } from './mongodb/queries.ts'
import { telemetry } from './mongodb/telemetry.ts'
import { transactions } from './mongodb/transactions.ts'
import { operators, validation } from './mongodb/validation.ts'
import { values } from './mongodb/values.ts'
import { deletes, findsAnd, inserts, replacements, updates, upserts } from './mongodb/writes.ts'
import { about, type Suite } from './suite.ts'

/**
 * What every MongoDB adapter must do, and what it must refuse where it cannot. For adapters that keep types and
 * have every operation (`exactTypes`, `extended`, `writeErrors`).
 */
export const mongoSuite: Suite<MongoTarget, MongoFixture, MongoCapabilities> = {
  name: 'mongodb',
  capabilities: ({ mongodb }) => mongodb.capabilities,
  setUp,
  tearDown,
  cases: [
    ...about('values', values),
    ...about('insert', inserts),
    ...about('insertMany in part', insertsInPart),
    ...about('find', finds),
    ...about('filter', filters),
    ...about('projection', projections),
    ...about('sort', sorts),
    ...about('cursor', cursors),
    ...about('update', updates),
    ...about('upsert', upserts),
    ...about('replace', replacements),
    ...about('delete', deletes),
    ...about('findOneAnd', findsAnd),
    ...about('aggregate', aggregates),
    ...about('distinct', distincts),
    ...about('count', counts),
    ...about('bulkWrite', bulks),
    ...about('bulkWrite in part', bulksInPart),
    ...about('index', indexes),
    ...about('duplicate', duplicates),
    ...about('transaction', transactions),
    ...about('errors', errors),
    ...about('validation', validation),
    ...about('operators', operators),
    ...about('cancellation', cancellation),
    ...about('health', health),
    ...about('lifecycle', lifecycle),
    ...about('telemetry', telemetry),
    ...about('secrecy', secrecy),
  ],
}
