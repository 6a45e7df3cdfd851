import { type RangeOptions, TimeSeries } from '../../scylladb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { not, type ScyllaCase, type ScyllaFixture } from './fixture.ts'

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
const day = 86_400_000
const start = Date.UTC(2026, 0, 30)

interface Reading {
  readonly at: Date
  readonly n: number
}

function daily({ scylladb }: ScyllaFixture): TimeSeries<Reading> {
  return new TimeSeries(scylladb, {
    table: 'dualport_days',
    key: ['k'],
    bucket: 'day',
    time: 'at',
    every: 'day',
  })
}

/** Readings at these moments, counted from 0. */
async function readings(fixture: ScyllaFixture, times: readonly number[]): Promise<void> {
  const { scylladb, k } = fixture
  const insert = 'INSERT INTO dualport_days (k, day, at, n) VALUES (?, ?, ?, ?)'
  for (let from = 0; from < times.length; from += 100) {
    const statements = times.slice(from, from + 100).map((time, i) => ({
      cql: insert,
      parameters: [k, new Date(time).toISOString().slice(0, 10), new Date(time), from + i],
    }))
    await scylladb.batch(statements, { type: 'unlogged' })
  }
}

async function collected<R>(rows: AsyncIterable<R>): Promise<R[]> {
  const all: R[] = []
  for await (const row of rows) all.push(row)
  return all
}

const range = (from: number, to: number, more: Partial<RangeOptions> = {}) => ({
  from: new Date(from),
  to: new Date(to),
  ...more,
})

export const series: readonly ScyllaCase[] = [
  {
    name: 'a range is read in order, across its buckets, oldest or newest first',
    async run(fixture) {
      const times = Array.from({ length: 400 }, (_, i) => start + i * 1_000_000)
      await readings(fixture, times)
      const series = daily(fixture)
      const { k } = fixture
      for (const [fanOut, pageSize] of [
        [1, 7],
        [2, 50],
        [8, 100],
        [8, 1000],
        [100, 1],
      ] as const) {
        const options = { fanOut, pageSize }
        const last = pageSize === 1 ? times[30] : (times.at(-1) as number) + 1
        const expected = times.filter((time) => time < Number(last))
        const whole = range(start, Number(last), options)
        const oldest = await collected(series.range({ k }, { ...whole, order: 'oldest first' }))
        equal(
          oldest.map(({ at }) => at.getTime()),
          expected,
          `oldest first, ${fanOut}, ${pageSize}`,
        )
        const newest = await collected(series.range({ k }, whole))
        equal(newest, oldest.toReversed(), `newest first, ${fanOut}, ${pageSize}`)
      }
    },
  },
  {
    name: 'the start is included and the end is not',
    async run(fixture) {
      await readings(fixture, [start - 1, start, start + 5, start + day - 1, start + day])
      const series = daily(fixture)
      const { k } = fixture
      const read = async (from: number, to: number) => {
        const rows = await collected(
          series.range({ k }, range(from, to, { order: 'oldest first' })),
        )
        return rows.map(({ n }) => n)
      }
      equal(await read(start, start + day), [1, 2, 3])
      equal(await read(start - 1, start + day + 1), [0, 1, 2, 3, 4])
      equal(await read(start + 5, start + 6), [2])
      equal(await read(start + 6, start + 7), [])
      equal(await read(start, start), [])
      equal(await read(start + day, start), [])
    },
  },
  {
    name: 'many rows of one moment, and crowded hours beside empty days, are all read',
    async run(fixture) {
      const same = Array.from({ length: 30 }, () => start + 1000)
      const crowd = Array.from({ length: 200 }, (_, i) => start + 5 * day + i)
      const times = [...same, start + 2 * day, ...crowd, start + 40 * day]
      await readings(fixture, times)
      const series = daily(fixture)
      const { k } = fixture
      for (const order of ['oldest first', 'newest first'] as const) {
        const options = range(start, start + 41 * day, { order, pageSize: 20 })
        const rows = await collected(series.range({ k }, options))
        equal(new Set(rows.map(({ n }) => n)).size, times.length, 'the rows')
        const ordered = order === 'oldest first' ? times : times.toReversed()
        equal(
          rows.map(({ at }) => at.getTime()),
          ordered,
          'their order',
        )
      }
    },
  },
  {
    name: 'a limit ends it, and the loop may be left',
    async run(fixture) {
      const times = Array.from({ length: 100 }, (_, i) => start + (i * day) / 10)
      await readings(fixture, times)
      const series = daily(fixture)
      const { k } = fixture
      const whole = range(start, start + 10 * day)
      const latest = await collected(series.range({ k }, { ...whole, limit: 1 }))
      equal(
        latest.map(({ n }) => n),
        [99],
      )
      const some = await collected(series.range({ k }, { ...whole, limit: 33, pageSize: 10 }))
      equal(
        some.map(({ n }) => n),
        Array.from({ length: 33 }, (_, i) => 99 - i),
      )
      for await (const { n } of series.range({ k }, whole)) if (n === 95) break
    },
  },
  {
    name: 'columns may be chosen, also without the time',
    async run(fixture) {
      await readings(fixture, [start, start + day, start + 2 * day])
      const series = daily(fixture)
      const { k } = fixture
      const options = range(start, start + 3 * day, { columns: ['n', 'V'], pageSize: 1 })
      equal<unknown>(await collected(series.range({ k }, options)), [
        { n: 2, V: null },
        { n: 1, V: null },
        { n: 0, V: null },
      ])
    },
  },
  {
    name: 'insert puts a row into the bucket of its time, of days and of hours',
    async run(fixture) {
      const { scylladb, k } = fixture
      const days = daily(fixture)
      for (const [n, time] of [start - 1, start].entries()) {
        await days.insert({ k, at: new Date(time), n, V: 'a' }, { ttlSeconds: 1000 })
      }
      const select = 'SELECT n FROM dualport_days WHERE k = ? AND day = ?'
      equal(await scylladb.one(select, [k, '2026-01-29']), { n: 0 })
      equal(await scylladb.one(select, [k, '2026-01-30']), { n: 1 })

      const hours = new TimeSeries(scylladb, {
        table: 'dualport_hours',
        key: ['k'],
        bucket: 'hour',
        time: 'at',
        every: 'hour',
      })
      const at = (minutes: number) => new Date(start + minutes * 60_000)
      for (const minutes of [-1, 0, 59, 60]) await hours.insert({ k, at: at(minutes), v: minutes })
      const rows = await collected(hours.range({ k }, { from: at(-60), to: at(120) }))
      equal(
        rows.map(({ v }) => v),
        [60, 59, 0, -1],
      )
      const first = 'SELECT v FROM dualport_hours WHERE k = ? AND hour = ?'
      const { rows: inHour } = await scylladb.execute(first, [k, at(0)])
      equal(inHour, [{ v: 0 }, { v: 59 }])
    },
  },
  {
    name: 'a page that fails ends it when its turn comes',
    async run(fixture) {
      await readings(fixture, [start])
      const abort = new AbortController()
      const { signal } = abort
      const { k } = fixture
      const rows = daily(fixture).range(
        { k },
        range(start, start + 5 * day, { signal, order: 'oldest first' }),
      )
      equal((await rows.next()).value?.n, 0)
      abort.abort()
      await rejects(rows.next(), { kind: 'aborted', outcome: 'not-applied' })
    },
  },
  {
    name: 'names and options that cannot be are refused',
    async run(fixture) {
      const { scylladb, k } = fixture
      const names = { table: 'dualport_days', key: ['k'], bucket: 'day', time: 'at' } as const
      const make = (more: object) => () => new TimeSeries(scylladb, not({ ...names, ...more }))
      await rejects(make({ every: 'week' }), refused)
      await rejects(make({ every: 'day', table: '' }), refused)
      await rejects(make({ every: 'day', table: 'a.b.c.' }), refused)
      await rejects(make({ every: 'day', key: [1] }), refused)
      const series = daily(fixture)
      const read = (options: object, key: object = { k }) =>
        series.range(not(key), not({ ...range(start, start + day), ...options })).next()
      await rejects(read({ from: 1 }), refused)
      await rejects(read({ to: new Date(Number.NaN) }), refused)
      await rejects(read({ order: 'newest' }), refused)
      await rejects(read({ fanOut: 0 }), refused)
      await rejects(read({ fanOut: 101 }), refused)
      await rejects(read({ limit: 0 }), refused)
      await rejects(read({ pageSize: 0 }), refused)
      await rejects(read({ columns: [''] }), refused)
      await rejects(read({ fanout: 1 }), refused)
      await rejects(read({}, {}), refused)
      await rejects(read({}, { k, day: 1 }), refused)
      await rejects(series.insert({ k, n: 1 }), refused)
      await rejects(series.insert({ k, at: not('2026-01-01'), n: 1 }), refused)
      ok((await collected(series.range({ k }, range(start, start + day)))).length === 0, 'rows')
    },
  },
]
