import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, type Line } from '../collect.ts'
import type { RedisCase } from './fixture.ts'

export const telemetry: readonly RedisCase[] = [
  {
    name: 'a failure is logged with all that helps to find it',
    async run({ create, key }) {
      const { lines, logger } = collectLines()
      const redis = create({ logger })
      await redis.set(key(), 'text')
      equal(lines, [], 'the lines of a success')
      await rejects(redis.incrBy(key(), 1, { correlationId: 'request-7' }), { kind: 'invalid' })
      equal(lines.length, 1, 'the number of lines')
      const { level, message, record } = lines[0] as Line
      equal([level, message], ['warn', 'operation_failed'])
      const { durationMs, resource, ...rest } = record
      // Not above 0: in workerd the clock stands still between one I/O and the next.
      ok(durationMs >= 0, `the duration is ${durationMs}`)
      ok(resource === undefined || typeof resource === 'string', 'the resource is no text')
      equal(rest, {
        component: 'redis',
        adapter: redis.adapter,
        operation: 'incrby',
        attempts: 1,
        correlationId: 'request-7',
        outcome: 'not-applied',
        code: 'REDIS_INVALID',
        kind: 'invalid',
        retryable: false,
      })
    },
  },
  {
    name: 'input that is refused is logged, too',
    async run({ create }) {
      const { lines, logger } = collectLines()
      await rejects(create({ logger }).get(''), { kind: 'invalid' })
      equal(lines.length, 1)
      equal(lines[0]?.record.operation, 'get')
      equal(lines[0]?.record.attempts, 0)
    },
  },
  {
    name: 'successes are logged on request',
    async run({ create, key }) {
      const { lines, logger } = collectLines()
      const redis = create({ logger, logSuccess: true })
      await redis.get(key(), { correlationId: 'request-8' })
      await redis.pipeline().get(key()).get(key()).exec()
      equal(
        lines.map(({ level, message, record }) => [
          level,
          message,
          record.operation,
          record.outcome,
        ]),
        [
          ['info', 'operation_completed', 'get', 'success'],
          ['info', 'operation_completed', 'pipeline', 'success'],
        ],
      )
      equal(lines[0]?.record.correlationId, 'request-8')
    },
  },
  {
    name: 'the correlation ID of the context reaches the log, and the call’s own comes first',
    async run({ create, key }) {
      const { lines, logger } = collectLines()
      const redis = create({ logger, logSuccess: true })
      await withContext({ correlationId: 'outer' }, async () => {
        await redis.get(key())
        await redis.get(key(), { correlationId: 'own' })
        await withContext({ correlationId: 'inner' }, () => redis.get(key()))
        await Promise.allSettled([redis.get('')])
      })
      await redis.get(key())
      equal(
        lines.map(({ record }) => record.correlationId),
        ['outer', 'own', 'inner', 'outer', undefined],
      )
    },
  },
  {
    name: 'calls of one tick keep their own correlation IDs',
    async run({ create, key }) {
      const { lines, logger } = collectLines()
      const redis = create({ logger, logSuccess: true })
      const ids = Array.from({ length: 20 }, (_, i) => `request-${i}`)
      await Promise.all(
        ids.map((id) => withContext({ correlationId: id }, () => redis.get(key(id)))),
      )
      equal(lines.map(({ record }) => String(record.correlationId)).sort(), ids.toSorted())
    },
  },
  {
    name: 'a logger that throws does not fail the call',
    async run({ create, key }) {
      const fail = () => {
        throw new Error('the disk is full')
      }
      const logger = { debug: fail, info: fail, warn: fail, error: fail }
      const redis = create({ logger, logSuccess: true })
      equal(await redis.set(key(), 'v'), true)
      await rejects(redis.incrBy(key()), { kind: 'invalid' })
    },
  },
  {
    name: 'each command’s duration is observed in seconds, each failure counted by its code',
    async run({ create, key }) {
      const { observed, metrics } = collectMetrics()
      const redis = create({ metrics })
      await redis.set(key(), 'text')
      await redis.get(key())
      await rejects(redis.incrBy(key()), { kind: 'invalid' })
      await rejects(redis.get(''), { kind: 'invalid' })
      const durations = observed.filter(({ type }) => type === 'histogram')
      equal(
        durations.map(({ name, labels }) => [name, labels]),
        ['set', 'get', 'incrby', 'get'].map((command) => [
          'redis_operation_duration_seconds',
          { command },
        ]),
      )
      for (const { value } of durations) ok(value >= 0 && value < 60, `${value} seconds`)
      equal(
        observed
          .filter(({ type }) => type === 'counter')
          .map(({ name, labels, value }) => [name, labels, value]),
        ['incrby', 'get'].map((command) => [
          'redis_errors_total',
          { command, code: 'REDIS_INVALID' },
          1,
        ]),
      )
    },
  },
  {
    name: 'a span covers each operation and ends with its code',
    async run({ create, key }) {
      const spans: unknown[] = []
      const redis = create({
        tracer: {
          startSpan: (name, attributes) => ({
            end: (code) => {
              spans.push([name, attributes.operation, code])
            },
          }),
        },
      })
      await redis.set(key(), 'text')
      await rejects(redis.incrBy(key()), { kind: 'invalid' })
      equal(spans, [
        ['redis set', 'set', undefined],
        ['redis incrby', 'incrby', 'REDIS_INVALID'],
      ])
    },
  },
]
