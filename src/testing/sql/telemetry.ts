import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { collectLines, collectMetrics, collectSpans, type Line } from '../collect.ts'
import { not, type SqlCase } from './fixture.ts'

const duplicate = { kind: 'conflict', outcome: 'not-applied' } as const

export const telemetry: readonly SqlCase[] = [
  {
    name: 'a failure is logged with all that helps to find it',
    async run({ create, table, types }) {
      const { lines, logger } = collectLines()
      const sql = create({ logger })
      const { t } = await table(`id ${types.integer} primary key`, sql)
      await sql.execute`insert into ${t} (id) values (${1})`
      equal(lines, [], 'the lines of a success')
      const again = sql.fragment`insert into ${t} (id) values (${1})`
      await rejects(sql.execute(again, { correlationId: 'request-7' }), duplicate)
      equal(lines.length, 1, 'the number of lines')
      const { level, message, record } = lines[0] as Line
      equal([level, message], ['warn', 'operation_failed'])
      const { durationMs, resource, ...rest } = record
      // Not above 0: in workerd the clock stands still between one I/O and the next.
      ok(durationMs >= 0, `the duration is ${durationMs}`)
      equal(resource, sql.resource)
      equal(rest, {
        component: 'sql',
        adapter: sql.adapter,
        operation: 'INSERT',
        attempts: 1,
        correlationId: 'request-7',
        outcome: 'not-applied',
        code: 'SQL_CONFLICT',
        kind: 'conflict',
        retryable: false,
      })
    },
  },
  {
    name: 'input that is refused is logged, too',
    async run({ create }) {
      const { lines, logger } = collectLines()
      const sql = create({ logger })
      const invalid = { kind: 'invalid' } as const
      await rejects(sql.query`select ${not(undefined)} as a`, invalid)
      await rejects(() => sql.decimal('x'), invalid)
      await rejects(sql.bulkInsert('a', [{ a: Number.NaN }]), invalid)
      await rejects(
        sql.transaction(async () => {}, { retries: -1 }),
        invalid,
      )
      await rejects(sql.batch([not('a')]), invalid)
      ok(lines.length >= 5, `${lines.length} lines`)
      for (const { message, record } of lines) {
        equal([message, record.attempts], ['operation_failed', 0])
      }
    },
  },
  {
    name: 'successes are logged on request, by the first word of the statement',
    async run({ create, table, types }) {
      const { lines, logger } = collectLines()
      const sql = create({ logger, logSuccess: true })
      const { t, name } = await table(`id ${types.integer} primary key, n ${types.integer}`, sql)
      const insert = sql.fragment`insert into ${t} (id, n) values (${1}, ${1})`
      await sql.execute(insert, { correlationId: 'request-8' })
      await sql.query`select id from ${t}`
      await sql.query`with a as (select id from ${t}) select id from a`
      await sql.execute`update ${t} set n = ${2}`
      await sql.execute`delete from ${t}`
      await sql.bulkInsert(name, [{ id: 1, n: 1 }])
      await sql.batch([sql.fragment`select 1 as a`])
      await sql.transaction(async (by) => {
        await by.query`select id from ${t}`
        await by.transaction(async () => {})
      })
      await sql.health()
      equal(
        lines.map(({ level, message, record }) => [level, message, record.operation]),
        [
          ...['DDL', 'INSERT', 'SELECT', 'SELECT', 'UPDATE', 'DELETE', 'BULK INSERT', 'BATCH'],
          ...['BEGIN', 'SELECT', 'SAVEPOINT', 'RELEASE', 'COMMIT', 'ping'],
        ].map((operation) => ['info', 'operation_completed', operation]),
      )
      equal(lines[1]?.record.correlationId, 'request-8')
    },
  },
  {
    name: 'each page of a stream is logged for itself, and so is a rollback',
    needs: ['streaming'],
    async run({ create, table, types }) {
      const { lines, logger } = collectLines()
      const sql = create({ logger, logSuccess: true })
      const { t, name } = await table(`id ${types.integer}`, sql)
      await sql.bulkInsert(name, [{ id: 1 }, { id: 2 }, { id: 3 }])
      const text = sql.fragment`select id from ${t}`
      for await (const _ of sql.stream(text, { pageRows: 2 }));
      const left = sql.stream(text, { pageRows: 2 })
      await left.next()
      await left.close()
      const failed = sql.transaction(async () => {
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      equal(
        lines.slice(2).map(({ record }) => record.operation),
        ['SELECT', 'FETCH', 'SELECT', 'CLOSE', 'BEGIN', 'ROLLBACK'],
      )
    },
  },
  {
    name: 'the correlation ID of the context reaches the log, and the call’s own comes first',
    async run({ create }) {
      const { lines, logger } = collectLines()
      const sql = create({ logger, logSuccess: true })
      const select = sql.fragment`select 1 as a`
      await withContext({ correlationId: 'outer' }, async () => {
        await sql.query(select)
        await sql.query(select, { correlationId: 'own' })
        await sql.transaction((by) => by.query(select), { correlationId: 'whole' })
        await rejects(sql.query`select ${not(undefined)} as a`, { kind: 'invalid' })
      })
      await sql.query(select)
      equal(
        lines.map(({ record }) => record.correlationId),
        ['outer', 'own', 'whole', 'whole', 'whole', 'outer', undefined],
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
      const sql = create({ logger, logSuccess: true })
      equal(await sql.query`select 1 as a`, [{ a: 1 }])
      await rejects(sql.query`select ${not(undefined)} as a`, { kind: 'invalid' })
    },
  },
  {
    name: 'each duration is observed in seconds, each failure counted by its code',
    async run({ create, table, types, dialect }) {
      const { observed, metrics } = collectMetrics()
      const sql = create({ metrics })
      const { t } = await table(`id ${types.integer} primary key`, sql)
      await sql.execute`insert into ${t} (id) values (${1})`
      await sql.query`select id from ${t}`
      await rejects(sql.execute`insert into ${t} (id) values (${1})`, duplicate)
      await rejects(sql.query`select ${not(undefined)} as a`, { kind: 'invalid' })
      const durations = observed.filter(({ type }) => type === 'histogram')
      equal(
        durations.map(({ name, labels }) => [name, labels]),
        ['DDL', 'INSERT', 'SELECT', 'INSERT', 'OTHER'].map((query_type) => [
          `${dialect}_query_duration_seconds`,
          { query_type },
        ]),
      )
      for (const { value } of durations) ok(value >= 0 && value < 60, `${value} seconds`)
      equal(
        observed
          .filter(({ type }) => type === 'counter')
          .map(({ name, labels, value }) => [name, labels, value]),
        [
          ['sql_errors_total', { query_type: 'INSERT', code: 'SQL_CONFLICT' }, 1],
          ['sql_errors_total', { query_type: 'OTHER', code: 'SQL_INVALID' }, 1],
        ],
      )
    },
  },
  {
    name: 'the figures of the pool are metrics where there is one',
    async run({ create, dialect }) {
      const { observed, metrics } = collectMetrics()
      const sql = create({ metrics })
      await sql.health()
      const figures = sql.pool()
      const last = (state: string) =>
        observed.findLast(({ type, labels }) => type === 'gauge' && labels.state === state)
      if (figures === undefined) {
        equal(last('open'), undefined)
        return
      }
      equal(last('open')?.name, `${dialect}_pool_connections`)
      equal(
        ['open', 'in_use', 'waiting'].map((state) => last(state)?.value),
        [figures.open, figures.inUse, figures.waiting],
      )
    },
  },
  {
    name: 'a span covers each operation and ends with its code',
    async run({ create, table, types }) {
      const { spans, tracer } = collectSpans()
      const sql = create({ tracer })
      const { t } = await table(`id ${types.integer} primary key`, sql)
      await sql.execute`insert into ${t} (id) values (${1})`
      await rejects(sql.execute`insert into ${t} (id) values (${1})`, duplicate)
      equal(spans, [
        ['sql DDL', 'DDL', undefined],
        ['sql INSERT', 'INSERT', undefined],
        ['sql INSERT', 'INSERT', 'SQL_CONFLICT'],
      ])
    },
  },
]
