import { equal, ok, rejects } from '../assert.ts'
import { insertRow, not, rowsFrom, type ScyllaCase, selectRows } from './fixture.ts'

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
const insert = (k: string, n: number, v = `row ${n}`) => ({
  cql: insertRow,
  parameters: [k, n, v],
})
const count = (k: string, n: number) => ({
  cql: 'UPDATE dualport_counters SET c = c + 1 WHERE k = :k AND n = :n',
  parameters: { k, n },
})

export const batches: readonly ScyllaCase[] = [
  {
    name: 'all of it is there, logged or not, of one partition or of many',
    async run({ scylladb, k }) {
      equal(await scylladb.batch([insert(k, 1), insert(k, 2)]), {
        rows: [],
        applied: true,
        warnings: [],
      })
      await scylladb.batch([insert(k, 3), insert(`${k} 2`, 1)], { type: 'unlogged' })
      await scylladb.batch([
        { cql: 'DELETE FROM dualport_rows WHERE k = ? AND n = 1', parameters: [k] },
        {
          cql: 'UPDATE dualport_rows SET v = :v WHERE k = :k AND n = 2',
          parameters: { k, v: 'b' },
        },
        insert(k, 4),
      ])
      const { rows } = await scylladb.execute(selectRows, [k])
      equal(rows, [{ n: 2, v: 'b' }, ...rowsFrom(3, 4)])
      equal((await scylladb.execute(selectRows, [`${k} 2`])).rows, rowsFrom(1, 1))
    },
  },
  {
    name: 'counters have a batch of their own',
    async run({ scylladb, k }) {
      await scylladb.batch([count(k, 1), count(k, 2), count(k, 1)], { type: 'counter' })
      const { rows } = await scylladb.execute('SELECT n, c FROM dualport_counters WHERE k = ?', [k])
      equal(rows, [
        { n: 1, c: 2n },
        { n: 2, c: 1n },
      ])
      await rejects(scylladb.batch([count(k, 1), insert(k, 1)], { type: 'counter' }), refused)
      await rejects(scylladb.batch([count(k, 1)], { type: 'counter', idempotent: true }), refused)
    },
  },
  {
    name: 'with a condition, none is applied unless it holds',
    async run({ scylladb, k }) {
      const first = { cql: `${insertRow} IF NOT EXISTS`, parameters: [k, 1, 'row 1'] }
      equal((await scylladb.batch([first, insert(k, 2)])).applied, true)
      const again = await scylladb.batch([first, insert(k, 3)])
      equal(again.applied, false)
      ok(
        again.rows.some(({ n, v }) => n === 1 && v === 'row 1'),
        'the row is not shown',
      )
      equal((await scylladb.execute(selectRows, [k])).rows, rowsFrom(1, 2))
      await rejects(scylladb.batch([first], { idempotent: true }), refused)
    },
  },
  {
    name: 'it has one timestamp, and each statement may have a time to live',
    async run({ scylladb, k }) {
      const statements = [insert(k, 1), { ...insert(k, 2), ttlSeconds: 100 }]
      await scylladb.batch(statements, { timestamp: 5n })
      const select = 'SELECT writetime(v) AS at, ttl(v) AS left FROM dualport_rows WHERE k = ?'
      const { rows } = await scylladb.execute(select, [k])
      equal(rows[0], { at: 5n, left: null })
      equal(rows[1]?.at, 5n)
      ok(Number(rows[1]?.left) > 90, 'it stays')
    },
  },
  {
    name: 'an empty one does nothing',
    async run({ scylladb }) {
      equal(await scylladb.batch([]), { rows: [], applied: true, warnings: [] })
    },
  },
  {
    name: 'what is no INSERT, UPDATE or DELETE, or has wrong parameters, is refused as a whole',
    async run({ scylladb, k }) {
      const wrong = [
        { cql: selectRows, parameters: [k] },
        { cql: 'TRUNCATE dualport_rows' },
        { cql: insertRow, parameters: [k, 1] },
        { cql: insertRow, parameters: [k, 'one', 'a'] },
        { cql: insertRow, parameters: [k, not<number>(() => 1), 'a'] },
        { cql: insertRow, parameters: [k, 1, 'a'], ttlSeconds: -1 },
      ]
      for (const [i, statement] of wrong.entries()) {
        await rejects(scylladb.batch([insert(k, 1), statement]), refused, `statement ${i}`)
      }
      await rejects(scylladb.batch(not('INSERT')), refused)
      await rejects(scylladb.batch([insert(k, 1)], { type: not('any') }), refused)
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
  {
    name: 'the message says in which statement a parameter is wrong',
    async run({ scylladb, k }) {
      const statements = [insert(k, 1), { cql: insertRow, parameters: [k, 'one', 'a'] }]
      const { message } = await rejects(scylladb.batch(statements), refused)
      equal(message, 'scylladb BATCH: statement 2: parameter 2 (n) is no int')
    },
  },
  {
    name: 'more bytes than the server takes are invalid, and nothing is written',
    async run({ scylladb, k }) {
      const large = 'x'.repeat(100_000)
      const statements = Array.from({ length: 30 }, (_, i) => insert(`${k} ${i}`, 1, large))
      const error = await rejects(scylladb.batch(statements), refused)
      ok(/bytes than the server takes/.test(error.message), error.message)
      equal((await scylladb.execute(selectRows, [`${k} 0`])).rows, [])
    },
  },
  {
    name: 'more statements than the protocol counts are refused',
    async run({ scylladb, k }) {
      const statements = Array.from({ length: 65_536 }, () => insert(k, 1))
      await rejects(scylladb.batch(statements), refused)
    },
  },
]
