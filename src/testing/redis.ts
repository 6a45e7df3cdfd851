import type { RedisCapabilities } from '../redis/index.ts'
import { ordering, pipelines, transactions } from './redis/batches.ts'
import { bytes } from './redis/bytes.ts'
import { hashes, lists, sets } from './redis/collections.ts'
import { rawCommands } from './redis/commands.ts'
import { errors, secrecy } from './redis/errors.ts'
import { expiry } from './redis/expiry.ts'
import { type RedisFixture, type RedisTarget, setUp, tearDown } from './redis/fixture.ts'
import { cancellation, lifecycle } from './redis/lifecycle.ts'
import { pubsub } from './redis/pubsub.ts'
import { scan } from './redis/scan.ts'
import { scripts } from './redis/scripts.ts'
import { sortedSets } from './redis/sorted-sets.ts'
import { streams } from './redis/streams.ts'
import { telemetry } from './redis/telemetry.ts'
import { validation } from './redis/validation.ts'
import { counters, values } from './redis/values.ts'
import { about, type Suite } from './suite.ts'

/** What every Redis adapter must do, and what it must refuse where it cannot. */
export const redisSuite: Suite<RedisTarget, RedisFixture, RedisCapabilities> = {
  name: 'redis',
  capabilities: ({ redis }) => redis.capabilities,
  setUp,
  tearDown,
  cases: [
    ...about('values', values),
    ...about('bytes', bytes),
    ...about('counters', counters),
    ...about('expiry', expiry),
    ...about('hashes', hashes),
    ...about('lists', lists),
    ...about('sets', sets),
    ...about('sorted sets', sortedSets),
    ...about('streams', streams),
    ...about('scan', scan),
    ...about('pipeline', pipelines),
    ...about('transaction', transactions),
    ...about('order', ordering),
    ...about('eval', scripts),
    ...about('publish and subscribe', pubsub),
    ...about('command', rawCommands),
    ...about('errors', errors),
    ...about('validation', validation),
    ...about('cancellation', cancellation),
    ...about('lifecycle', lifecycle),
    ...about('telemetry', telemetry),
    ...about('secrecy', secrecy),
  ],
}
