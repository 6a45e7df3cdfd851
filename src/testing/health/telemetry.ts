import type { Instrument, MetricsSink } from '../../core/index.ts'
import { equal, ok } from '../assert.ts'
import { collector, counting, fail, type HealthCase, type Line, pass } from './fixture.ts'

export const telemetry: readonly HealthCase[] = [
  {
    name: 'each probe is measured, under the name of its check',
    async run({ create, look }) {
      const instruments: Instrument[] = []
      const seconds: number[] = []
      const none = () => () => {}
      const metrics: MetricsSink = {
        histogram(instrument) {
          instruments.push(instrument)
          return (value) => seconds.push(value)
        },
        counter: none,
        gauge: none,
      }
      const checker = create({ metrics, ttlMs: 60_000 })
        .register('good', pass)
        .register('bad', fail)
      await look(checker)
      await look(checker)
      await checker.check({ fresh: true })
      equal(
        instruments.map(({ name, labels }) => [name, labels]),
        [
          ['health_check_duration_seconds', { check_name: 'good' }],
          ['health_check_duration_seconds', { check_name: 'bad' }],
        ],
      )
      equal(seconds.length, 4)
      ok(
        seconds.every((value) => value >= 0 && value < 10),
        `not seconds: ${seconds}`,
      )
    },
  },
  {
    name: 'a change is logged once, and a state that lasts is not',
    async run({ create, look }) {
      const { lines, logger } = collector()
      const failing = [3, 4, 5, 8]
      const { check } = counting((run) => (failing.includes(run) ? fail() : pass()))
      const checker = create({ logger }).register('database', check)
      for (let run = 1; run <= 9; run++) await look(checker)
      equal(
        lines.map(({ level, message, record }) => [level, message, record.previous, record.status]),
        [
          ['error', 'health_changed', 'healthy', 'unhealthy'],
          ['info', 'health_changed', 'unhealthy', 'healthy'],
          ['error', 'health_changed', 'healthy', 'unhealthy'],
          ['info', 'health_changed', 'unhealthy', 'healthy'],
        ],
      )
      const { latencyMs, ...rest } = (lines[0] as Line).record
      ok(typeof latencyMs === 'number', 'it has no latency')
      equal(rest, {
        component: 'health',
        check: 'database',
        status: 'unhealthy',
        previous: 'healthy',
        error: 'the check failed',
      })
    },
  },
  {
    name: 'a check that fails from the beginning is logged, one that is not critical as a warning',
    async run({ create, look }) {
      const { lines, logger } = collector()
      const checker = create({ logger })
        .register('first', fail)
        .register('second', fail, { level: 'degraded' })
      await look(checker)
      await look(checker)
      equal(
        lines.map(({ level, record }) => [level, record.check, record.status]),
        [
          ['error', 'first', 'unhealthy'],
          ['warn', 'second', 'degraded'],
        ],
      )
    },
  },
  {
    name: 'a log and a metric that throw change nothing',
    async run({ create, look }) {
      const broken = (): never => {
        throw new Error('the disk is full')
      }
      const checker = create({
        ttlMs: 60_000,
        logger: { debug: broken, info: broken, warn: broken, error: broken },
        metrics: { histogram: broken, counter: broken, gauge: broken },
      })
      const bad = counting(fail)
      checker.register('good', pass).register('bad', bad.check)
      equal((await look(checker)).results.good?.status, 'healthy')
      equal((await look(checker)).code, 503)
      equal(bad.runs, 1)
    },
  },
]
