import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, collectSpans, type Line } from '../collect.ts'
import type { MongoCase } from './fixture.ts'

interface Numbered {
  readonly _id: number
}

const duplicate = { kind: 'conflict', outcome: 'not-applied' } as const

export const telemetry: readonly MongoCase[] = [
  {
    name: 'a failure is logged with all that helps to find it',
    async run({ create }) {
      const { lines, logger } = collectLines()
      const mongodb = create({ logger })
      const all = mongodb.database().collection<Numbered>(name())
      await all.insertOne({ _id: 1 })
      equal(lines, [], 'the lines of a success')
      await rejects(all.insertOne({ _id: 1 }, { correlationId: 'request-7' }), duplicate)
      equal(lines.length, 1, 'the number of lines')
      const { level, message, record } = lines[0] as Line
      equal([level, message], ['warn', 'operation_failed'])
      const { durationMs, resource, ...rest } = record
      // Not above 0: in workerd the clock stands still between one I/O and the next.
      ok(durationMs >= 0, `the duration is ${durationMs}`)
      equal(resource, mongodb.resource)
      equal(rest, {
        component: 'mongodb',
        adapter: mongodb.adapter,
        operation: 'insertOne',
        attempts: 1,
        correlationId: 'request-7',
        outcome: 'not-applied',
        code: 'MONGODB_CONFLICT',
        kind: 'conflict',
        retryable: false,
      })
      await all.deleteMany({})
    },
  },
  {
    name: 'input that is refused is logged, too',
    async run({ create }) {
      const { lines, logger } = collectLines()
      const all = create({ logger }).database().collection('never-made')
      await rejects(all.findOne({ a: undefined }), { kind: 'invalid' })
      await rejects(all.find({ a: undefined }).next(), { kind: 'invalid' })
      equal(
        lines.map(({ record }) => [record.operation, record.attempts]),
        [
          ['findOne', 0],
          ['find', 0],
        ],
      )
    },
  },
  {
    name: 'successes are logged on request, each page of a cursor for itself',
    needs: ['cursors'],
    async run({ create }) {
      const { lines, logger } = collectLines()
      const all = create({ logger, logSuccess: true }).database().collection<Numbered>(name())
      await all.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }], { correlationId: 'request-8' })
      await all.find({}, { batchSize: 2 }).toArray()
      const left = all.find({}, { batchSize: 2 })
      await left.next()
      await left.close()
      await all.deleteMany({})
      equal(
        lines.map(({ level, message, record }) => [level, message, record.operation]),
        ['insertMany', 'find', 'getMore', 'find', 'killCursors', 'deleteMany'].map((operation) => [
          'info',
          'operation_completed',
          operation,
        ]),
      )
      equal(lines[0]?.record.correlationId, 'request-8')
    },
  },
  {
    name: 'the correlation ID of the context reaches the log, and the call’s own comes first',
    async run({ create }) {
      const { lines, logger } = collectLines()
      const all = create({ logger, logSuccess: true }).database().collection('never-made')
      await withContext({ correlationId: 'outer' }, async () => {
        await all.findOne()
        await all.findOne({}, { correlationId: 'own' })
        await withContext({ correlationId: 'inner' }, () => all.find().next())
        await rejects(all.findOne({ a: undefined }), { kind: 'invalid' })
      })
      await all.findOne()
      equal(
        lines.map(({ record }) => record.correlationId),
        ['outer', 'own', 'inner', 'outer', undefined],
      )
    },
  },
  {
    name: 'a logger that throws does not fail the call',
    async run({ create }) {
      const fail = () => {
        throw new Error('the disk is full')
      }
      const logger = { debug: fail, info: fail, warn: fail, error: fail }
      const all = create({ logger, logSuccess: true }).database().collection('never-made')
      equal(await all.findOne(), null)
      await rejects(all.findOne({ a: undefined }), { kind: 'invalid' })
    },
  },
  {
    name: 'each operation’s duration is observed in seconds, each failure counted by its code',
    async run({ create }) {
      const { observed, metrics } = collectMetrics()
      const all = create({ metrics }).database().collection<Numbered>(name())
      await all.insertOne({ _id: 1 })
      await all.findOne()
      await rejects(all.insertOne({ _id: 1 }), duplicate)
      await rejects(all.findOne({ _id: undefined } as never), { kind: 'invalid' })
      await all.deleteMany({})
      const durations = observed.filter(({ type }) => type === 'histogram')
      equal(
        durations.map(({ name, labels }) => [name, labels]),
        ['insertOne', 'findOne', 'insertOne', 'findOne', 'deleteMany'].map((operation) => [
          'mongodb_query_duration_seconds',
          { operation },
        ]),
      )
      for (const { value } of durations) ok(value >= 0 && value < 60, `${value} seconds`)
      equal(
        observed
          .filter(({ type }) => type === 'counter')
          .map(({ name, labels, value }) => [name, labels, value]),
        [
          ['mongodb_errors_total', { operation: 'insertOne', code: 'MONGODB_CONFLICT' }, 1],
          ['mongodb_errors_total', { operation: 'findOne', code: 'MONGODB_INVALID' }, 1],
        ],
      )
    },
  },
  {
    name: 'the figures of the pool are metrics where there is one',
    async run({ create }) {
      const { observed, metrics } = collectMetrics()
      const mongodb = create({ metrics })
      await mongodb.health()
      const figures = mongodb.pool()
      const last = (state: string) =>
        observed.findLast(({ type, labels }) => type === 'gauge' && labels.state === state)
      if (figures === undefined) {
        equal(last('open'), undefined)
        return
      }
      equal(last('open')?.name, 'mongodb_pool_connections')
      equal(
        ['open', 'in_use', 'waiting'].map((state) => last(state)?.value),
        [figures.open, figures.inUse, figures.waiting],
      )
    },
  },
  {
    name: 'a span covers each operation and ends with its code',
    async run({ create }) {
      const { spans, tracer } = collectSpans()
      const all = create({ tracer }).database().collection<Numbered>(name())
      await all.insertOne({ _id: 1 })
      await rejects(all.insertOne({ _id: 1 }), duplicate)
      await all.deleteMany({})
      equal(spans, [
        ['mongodb insertOne', 'insertOne', undefined],
        ['mongodb insertOne', 'insertOne', 'MONGODB_CONFLICT'],
        ['mongodb deleteMany', 'deleteMany', undefined],
      ])
    },
  },
]

/** Of a collection in whatever database a client of the case's own has. */
function name(): string {
  return `dualport-test-${crypto.randomUUID()}`
}
