import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, collectSpans, type Line } from '../collect.ts'
import { insertRow, not, type ScyllaCase, selectRows } from './fixture.ts'

const wrongKey = [null, 1, 'a']
const invalid = { kind: 'invalid', outcome: 'not-applied' } as const

/** Without what an adapter had to decide by itself. */
function operations(lines: readonly Line[]): Line[] {
  return lines.filter(({ message }) => message.startsWith('operation_'))
}

export const telemetry: readonly ScyllaCase[] = [
  {
    name: 'a failure is logged with all that helps to find it',
    async run({ create, k }) {
      const { lines, logger } = collectLines()
      const client = create({ logger })
      await client.execute(insertRow, [k, 1, 'a'])
      equal(operations(lines), [], 'the lines of a success')
      await rejects(client.execute(insertRow, wrongKey, { correlationId: 'request-7' }), invalid)
      const [line, ...others] = operations(lines)
      equal(others, [])
      const { level, message, record } = line as Line
      equal([level, message], ['warn', 'operation_failed'])
      const { durationMs, resource, ...rest } = record
      // Not above 0: in workerd the clock stands still between one I/O and the next.
      ok(durationMs >= 0, `the duration is ${durationMs}`)
      equal(resource, client.resource)
      equal(rest, {
        component: 'scylladb',
        adapter: client.adapter,
        operation: 'INSERT',
        attempts: 1,
        correlationId: 'request-7',
        outcome: 'not-applied',
        code: 'SCYLLADB_INVALID',
        kind: 'invalid',
        retryable: false,
      })
    },
  },
  {
    name: 'input that is refused is logged, too',
    async run({ create, k }) {
      const { lines, logger } = collectLines()
      const client = create({ logger })
      await rejects(client.execute(insertRow, [k]), invalid)
      await rejects(client.execute('', []), invalid)
      await rejects(client.batch(not(1)), invalid)
      await rejects(client.stream(insertRow, [k, 1, 'a']).next(), invalid)
      await rejects(client.page(selectRows, [k]), { kind: 'config' })
      equal(
        lines.map(({ message, record }) => [message, record.attempts]),
        new Array(5).fill(['operation_failed', 0]),
      )
    },
  },
  {
    name: 'successes are logged on request, by the kind of the statement',
    async run({ create, k }) {
      const { lines, logger } = collectLines()
      const client = create({ logger, logSuccess: true, pagingKey: new Uint8Array(32) })
      await client.execute(insertRow, [k, 1, 'a'], { correlationId: 'request-8' })
      await client.execute(`${insertRow} IF NOT EXISTS`, [k, 1, 'a'])
      await client.execute('UPDATE dualport_rows SET v = ? WHERE k = ? AND n = ?', ['b', k, 1])
      await client.maybeOne(selectRows, [k])
      for await (const _ of client.stream(selectRows, [k]));
      await client.page(selectRows, [k])
      await client.batch([{ cql: insertRow, parameters: [k, 1, 'a'] }])
      await client.execute('DELETE FROM dualport_rows WHERE k = ?', [k])
      await client.health()
      const done = operations(lines)
      equal(
        done.map(({ level, message, record }) => [level, message, record.operation]),
        [
          ...['INSERT', 'INSERT IF', 'UPDATE', 'SELECT', 'SELECT', 'SELECT'],
          ...['BATCH', 'DELETE', 'ping'],
        ].map((operation) => ['info', 'operation_completed', operation]),
      )
      equal(done[0]?.record.correlationId, 'request-8')
    },
  },
  {
    name: 'the correlation ID of the context reaches the log, and the call’s own comes first',
    async run({ create, k }) {
      const { lines, logger } = collectLines()
      const client = create({ logger, logSuccess: true })
      await withContext({ correlationId: 'outer' }, async () => {
        await client.execute(selectRows, [k])
        await client.execute(selectRows, [k], { correlationId: 'own' })
        await rejects(client.execute(insertRow, []), invalid)
      })
      await client.execute(selectRows, [k])
      equal(
        operations(lines).map(({ record }) => record.correlationId),
        ['outer', 'own', 'outer', undefined],
      )
    },
  },
  {
    name: 'a logger that throws does not fail the call',
    async run({ create, k }) {
      const fail = () => {
        throw new Error('the disk is full')
      }
      const logger = { debug: fail, info: fail, warn: fail, error: fail }
      const client = create({ logger, logSuccess: true })
      equal((await client.execute(selectRows, [k])).rows, [])
      await rejects(client.execute(insertRow, []), invalid)
    },
  },
  {
    name: 'durations and failures are told apart by the consistency level',
    async run({ create, k }) {
      const { observed, metrics } = collectMetrics()
      const client = create({ metrics, consistency: 'QUORUM' })
      await client.execute(insertRow, [k, 1, 'a'])
      await client.execute(selectRows, [k], { consistency: 'LOCAL_ONE' })
      await rejects(client.execute(insertRow, wrongKey), invalid)
      await rejects(client.execute(insertRow, [], { consistency: 'ONE' }), invalid)
      await rejects(client.execute(selectRows, [k], { consistency: not('odd') }), invalid)
      await client.health()
      const durations = observed.filter(({ type }) => type === 'histogram')
      equal(
        durations.map(({ name, labels }) => [name, labels]),
        ['QUORUM', 'LOCAL_ONE', 'QUORUM', 'ONE', 'unknown', 'LOCAL_ONE'].map((level) => [
          'scylladb_query_duration_seconds',
          { consistency_level: level },
        ]),
      )
      for (const { value } of durations) ok(value >= 0 && value < 60, `${value} seconds`)
      const code = 'SCYLLADB_INVALID'
      equal(
        observed
          .filter(({ type }) => type === 'counter')
          .map(({ name, labels, value }) => [name, labels, value]),
        ['QUORUM', 'ONE', 'unknown'].map((level) => [
          'scylladb_errors_total',
          { consistency_level: level, code },
          1,
        ]),
      )
    },
  },
  {
    name: 'the figures of the pool are metrics where there is one',
    async run({ create }) {
      const { observed, metrics } = collectMetrics()
      const client = create({ metrics })
      await client.health()
      const figures = client.pool()
      const last = (state: string) =>
        observed.findLast(({ type, labels }) => type === 'gauge' && labels.state === state)
      if (figures === undefined) {
        equal(last('open'), undefined)
        return
      }
      equal(last('open')?.name, 'scylladb_pool_connections')
      equal(
        ['open', 'in_use', 'waiting'].map((state) => last(state)?.value),
        [figures.open, figures.inUse, figures.waiting],
      )
    },
  },
  {
    name: 'a span covers each operation and ends with its code',
    async run({ create, k }) {
      const { spans, tracer } = collectSpans()
      const client = create({ tracer })
      await client.execute(insertRow, [k, 1, 'a'])
      await rejects(client.execute(insertRow, wrongKey), invalid)
      equal(spans, [
        ['scylladb INSERT', 'INSERT', undefined],
        ['scylladb INSERT', 'INSERT', 'SCYLLADB_INVALID'],
      ])
    },
  },
]
