import { equal, ok, rejects } from '../assert.ts'
import { insertRow, not, numbers, rowsFrom, type ScyllaCase, selectRows } from './fixture.ts'

const refused = { kind: 'invalid', outcome: 'not-applied', retryable: false } as const
const applied = { rows: [], applied: true, warnings: [] }
const longAgo = 1_000_000n

export const executes: readonly ScyllaCase[] = [
  {
    name: 'a write gives no rows, and a SELECT those that there are',
    async run({ scylladb, k }) {
      equal(await scylladb.execute(insertRow, [k, 1, 'a']), applied)
      equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: 'a' }])
      equal((await scylladb.execute(selectRows, ['nobody'])).rows, [])
    },
  },
  {
    name: 'it reads all pages',
    async run(fixture) {
      await numbers(fixture, 25)
      const { scylladb, k } = fixture
      for (const pageSize of [1, 10, 25, 26]) {
        const { rows } = await scylladb.execute(selectRows, [k], { pageSize })
        equal(rows, rowsFrom(1, 25), `in pages of ${pageSize}`)
      }
    },
  },
  {
    name: 'what was deleted is not read, and what is inserted again is',
    async run({ scylladb, k }) {
      await scylladb.execute(insertRow, [k, 1, 'a'])
      await scylladb.execute('DELETE FROM dualport_rows WHERE k = ? AND n = ?', [k, 1])
      equal((await scylladb.execute(selectRows, [k])).rows, [])
      await scylladb.execute(insertRow, [k, 1, 'b'])
      equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: 'b' }])
    },
  },
  {
    name: 'of many writes at the same time, the one that began last wins',
    async run({ scylladb, k }) {
      const all = Array.from({ length: 50 }, (_, i) => scylladb.execute(insertRow, [k, 1, `${i}`]))
      await Promise.all(all)
      equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: '49' }])
    },
  },
  {
    name: 'one gives the row, and fails for none and for several',
    async run(fixture) {
      await numbers(fixture, 3)
      const { scylladb, k } = fixture
      const byKey = `${selectRows} AND n = ?`
      equal(await scylladb.one(byKey, [k, 2]), { n: 2, v: 'row 2' })
      const none = { kind: 'not-found', outcome: 'not-applied', retryable: false } as const
      await rejects(scylladb.one(byKey, [k, 4]), none)
      await rejects(scylladb.one(selectRows, [k]), refused)
    },
  },
  {
    name: 'maybeOne gives the row or null, and fails for several',
    async run(fixture) {
      await numbers(fixture, 3)
      const { scylladb, k } = fixture
      const byKey = `${selectRows} AND n = ?`
      equal(await scylladb.maybeOne(byKey, [k, 2]), { n: 2, v: 'row 2' })
      equal(await scylladb.maybeOne(byKey, [k, 4]), null)
      await rejects(scylladb.maybeOne(selectRows, [k]), refused)
    },
  },
  {
    name: 'two columns of one name are refused, since one would be lost',
    async run({ scylladb, k }) {
      await scylladb.execute(insertRow, [k, 1, 'a'])
      const both = 'SELECT n AS a, v AS a FROM dualport_rows WHERE k = ?'
      await rejects(scylladb.execute(both, [k]), { kind: 'invalid', outcome: 'not-applied' })
      const named = 'SELECT n AS "A", v AS a FROM dualport_rows WHERE k = ?'
      equal((await scylladb.execute(named, [k])).rows, [{ A: 1, a: 'a' }])
    },
  },
  {
    name: 'several statements in one text are refused, and one may end with a semicolon',
    async run({ scylladb, k }) {
      const two = `${insertRow}; DELETE FROM dualport_rows WHERE k = 'x'`
      await rejects(scylladb.execute(two, [k, 1, 'a']), refused)
      await scylladb.execute(`${insertRow};`, [k, 2, 'b'])
      equal((await scylladb.execute(`${selectRows} ; -- all\n`, [k])).rows, [{ n: 2, v: 'b' }])
    },
  },
  {
    name: 'USE and BEGIN BATCH are refused: others share the connection, and batches have a method',
    async run({ scylladb }) {
      await rejects(scylladb.execute('USE system'), refused)
      await rejects(scylladb.execute('/* */ use system'), refused)
      const batch = 'BEGIN BATCH DELETE FROM dualport_rows WHERE k = ?; APPLY BATCH'
      await rejects(scylladb.execute(batch, ['a']), refused)
    },
  },
  {
    name: 'what is no text, or no statement, is refused',
    async run({ scylladb }) {
      for (const cql of [
        undefined,
        null,
        1,
        ['SELECT'],
        '',
        ' ; ',
        '-- nothing\n',
        `${selectRows} -- all`,
        "SELECT 'a",
        'SELECT /* a',
      ]) {
        await rejects(scylladb.execute(not(cql)), refused, `${cql}`)
      }
    },
  },
]

export const parameters: readonly ScyllaCase[] = [
  {
    name: 'they may have names, of which each may stand in the text several times',
    async run({ scylladb, k }) {
      const insert = 'INSERT INTO dualport_rows (k, n, v) VALUES (:k, :number, :"Text")'
      await scylladb.execute(insert, { Text: 'a', number: 1, k })
      const select = `${selectRows.replace('?', ':k')} AND n >= :n AND n <= :n`
      equal((await scylladb.execute(select, { k, n: 1 })).rows, [{ n: 1, v: 'a' }])
    },
  },
  {
    name: 'too many, too few and those without a marker are refused',
    async run({ scylladb, k }) {
      await rejects(scylladb.execute(insertRow, [k, 1]), refused, 'too few')
      await rejects(scylladb.execute(insertRow, [k, 1, 'a', 'b']), refused, 'too many')
      await rejects(scylladb.execute(insertRow), refused, 'none')
      await rejects(scylladb.execute(insertRow, { k, n: 1, v: 'a' }), refused, 'names for ?')
      const named = 'INSERT INTO dualport_rows (k, n, v) VALUES (:k, :n, :v)'
      await rejects(scylladb.execute(named, { k, n: 1 }), refused, 'a name too few')
      await rejects(scylladb.execute(named, { k, n: 1, v: 'a', w: 1 }), refused, 'a name too many')
      const mixed = 'INSERT INTO dualport_rows (k, n, v) VALUES (:k, ?, ?)'
      await rejects(scylladb.execute(mixed, [k, 1, 'a']), refused, 'both')
      await rejects(scylladb.execute(insertRow, not(null)), refused, 'null')
      await rejects(scylladb.execute(insertRow, not('abc')), refused, 'a text')
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
  {
    name: 'inherited names are none',
    async run({ scylladb, k }) {
      const insert = 'INSERT INTO dualport_rows (k, n, v) VALUES (:k, :n, :toString)'
      await rejects(scylladb.execute(insert, { k, n: 1 }), refused)
    },
  },
  {
    name: 'what looks like a marker in quotes and comments is none',
    async run({ scylladb, k }) {
      const insert = `INSERT INTO dualport_rows (k, n, v) -- ? :a
        VALUES (?, /* ? */ 1, '? :a ''?''') // ?
`
      await scylladb.execute(insert, [k])
      equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: "? :a '?'" }])
      await scylladb.execute("UPDATE dualport_rows SET v = $$it's ?$$ WHERE k = ? AND n = 1", [k])
      equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: "it's ?" }])
    },
  },
  {
    name: 'they stand in lists, limits and literals of collections',
    async run(fixture) {
      await numbers(fixture, 5)
      const { scylladb, k } = fixture
      const some = await scylladb.execute(`${selectRows} AND n IN ? LIMIT ?`, [k, [5, 2, 3], 2])
      equal(some.rows, [...rowsFrom(2, 3)])
      const each = await scylladb.execute(`${selectRows} AND n IN (?, ?)`, [k, 1, 4])
      equal(each.rows, [...rowsFrom(1, 1), ...rowsFrom(4, 4)])
      const literals = `UPDATE dualport_types SET c_place = {city: :a, level::b, tags: {'x'}},
        c_map['d'] = :c, c_boolean = true WHERE k = :k AND n = 1`
      await scylladb.execute(literals, { k, a: 'Bern', b: 3, c: 4n })
      const read = 'SELECT c_place, c_map FROM dualport_types WHERE k = ?'
      equal(await scylladb.one(read, [k]), {
        c_place: { city: 'Bern', level: 3, tags: new Set(['x']) },
        c_map: new Map([['d', 4n]]),
      })
    },
  },
  {
    name: 'no value can become part of a statement',
    async run({ scylladb, k }) {
      const hostile = [
        "'; DROP TABLE dualport_rows; --",
        "a' OR 'a' = 'a",
        '?',
        ':v',
        '$$',
        '*/',
        "\\'",
      ]
      for (const [n, v] of hostile.entries()) {
        await scylladb.execute(insertRow, [k, n, v])
        equal(await scylladb.one(`${selectRows} AND n = ?`, [k, n]), { n, v })
      }
    },
  },
]

export const settings: readonly ScyllaCase[] = [
  {
    name: 'each call may have a consistency of its own',
    async run({ scylladb, k }) {
      for (const consistency of ['ONE', 'QUORUM', 'ALL', 'LOCAL_QUORUM', 'LOCAL_ONE'] as const) {
        await scylladb.execute(insertRow, [k, 1, consistency], { consistency })
        const { rows } = await scylladb.execute(selectRows, [k], { consistency })
        equal(rows, [{ n: 1, v: consistency }])
      }
      await scylladb.execute(insertRow, [k, 1, 'any'], { consistency: 'ANY' })
      await scylladb.execute(selectRows, [k], { consistency: 'SERIAL' })
    },
  },
  {
    name: 'a consistency that is none, or not for this statement, is invalid',
    async run({ scylladb, k }) {
      const wrong = not<'ONE'>('one')
      await rejects(scylladb.execute(selectRows, [k], { consistency: wrong }), refused)
      await rejects(scylladb.execute(selectRows, [k], { consistency: 'ANY' }), refused)
      const serial = { serialConsistency: not<'SERIAL'>('QUORUM') }
      await rejects(scylladb.execute(selectRows, [k], serial), refused)
    },
  },
  {
    name: 'more copies than there are nodes for is unavailable, and nothing is written',
    async run({ scylladb, k }) {
      const options = { consistency: 'THREE' } as const
      const writing = scylladb.execute(insertRow, [k, 1, 'a'], { ...options, timeoutMs: 2000 })
      const error = await rejects(writing, { kind: 'unavailable', outcome: 'not-applied' })
      ok(/replicas are up/.test(error.message), error.message)
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
  {
    name: 'a timestamp decides which write is the later one',
    async run({ scylladb, k }) {
      const write = (v: string, timestamp: bigint | Date | undefined) =>
        scylladb.execute(insertRow, [k, 1, v], { timestamp })
      await write('second', new Date(2000))
      await write('first', longAgo)
      const select = 'SELECT v, writetime(v) AS written FROM dualport_rows WHERE k = ?'
      equal(await scylladb.one(select, [k]), { v: 'second', written: 2_000_000n })
      await write('third', undefined)
      const { v, written } = await scylladb.one(select, [k])
      equal(v, 'third')
      const age = Date.now() * 1000 - Number(written)
      ok(Math.abs(age) < 60_000_000, `it is ${age} microseconds old`)
      const beyond = 2n ** 62n + 1n
      await write('last', beyond)
      equal((await scylladb.one(select, [k])).written, beyond)
    },
  },
  {
    name: 'a timestamp that is none is invalid, as is one for a SELECT',
    async run({ scylladb, k }) {
      for (const timestamp of [1, '1', new Date(Number.NaN), 2n ** 63n]) {
        const options = { timestamp: not<bigint>(timestamp) }
        await rejects(scylladb.execute(insertRow, [k, 1, 'a'], options), refused, `${timestamp}`)
      }
      await rejects(scylladb.execute(selectRows, [k], { timestamp: longAgo }), refused)
    },
  },
  {
    name: 'ttlSeconds lets what is written go, and stands beside a timestamp',
    async run({ scylladb, k }) {
      const select = 'SELECT n, ttl(v) AS left FROM dualport_rows WHERE k = ?'
      const leftOf = async () => {
        const { rows } = await scylladb.execute<{ left: number | null }>(select, [k])
        return rows.map(({ left }) => left !== null && left > 90 && left <= 100)
      }
      const options = { ttlSeconds: 100 }
      await scylladb.execute(insertRow, [k, 1, 'a'], options)
      await scylladb.execute(
        `${insertRow} USING TIMESTAMP ${longAgo}; -- old\n`,
        [k, 2, 'a'],
        options,
      )
      const named = 'UPDATE dualport_rows SET v = :v WHERE k = :k AND n = 3'
      await scylladb.execute(named, { k, v: 'a' }, options)
      const update = 'UPDATE dualport_rows USING TIMESTAMP ? SET v = ? WHERE k = ? AND n = 4'
      await scylladb.execute(update, [longAgo, 'a', k], options)
      await scylladb.execute(`${insertRow} IF NOT EXISTS`, [k, 5, 'a'], options)
      equal(await leftOf(), [true, true, true, true, true])
      await scylladb.execute(insertRow, [k, 1, 'a'], { ttlSeconds: 0 })
      equal(await leftOf(), [false, true, true, true, true])
    },
  },
  {
    name: 'ttlSeconds that cannot be is refused',
    async run({ scylladb, k }) {
      for (const ttlSeconds of [-1, 1.5, 630_720_001, '1']) {
        const options = { ttlSeconds: not<number>(ttlSeconds) }
        await rejects(scylladb.execute(insertRow, [k, 1, 'a'], options), refused, `${ttlSeconds}`)
      }
      const options = { ttlSeconds: 1 }
      await rejects(scylladb.execute(selectRows, [k], options), refused, 'SELECT')
      await rejects(scylladb.execute(`${insertRow} USING TTL 5`, [k, 1, 'a'], options), refused)
      const remove = 'DELETE FROM dualport_rows WHERE k = ?'
      await rejects(scylladb.execute(remove, [k], options), refused, 'DELETE')
    },
  },
  {
    name: 'an option that there is not, is refused',
    async run({ scylladb, k }) {
      const options = not<object>({ consistncy: 'ONE' })
      await rejects(scylladb.execute(selectRows, [k], options), refused)
      await rejects(scylladb.stream(selectRows, [k], options).next(), refused)
      await rejects(scylladb.batch([], options), refused)
      await rejects(scylladb.batch([not({ query: selectRows })]), refused)
      await rejects(scylladb.execute(selectRows, [k], { pageSize: 0 }), refused)
    },
  },
]

const insertIf = `${insertRow} IF NOT EXISTS`
const updateIf = 'UPDATE dualport_rows SET v = ? WHERE k = ? AND n = ? IF v = ?'

export const conditions: readonly ScyllaCase[] = [
  {
    name: 'of those who insert the same row, one does, and the others see which it is',
    async run({ scylladb, k }) {
      equal(await scylladb.execute(insertIf, [k, 1, 'a']), applied)
      const second = await scylladb.execute(insertIf, [k, 1, 'b'])
      equal([second.applied, second.rows], [false, [{ k, n: 1, v: 'a' }]])
      const all = Array.from({ length: 10 }, (_, i) =>
        scylladb.execute(insertIf, [k, 2, `${i}`], { timeoutMs: 20_000 }),
      )
      // Those that compete may be told to wait too long, and then do not know.
      const ended = await Promise.allSettled(all)
      const won = ended.filter((each) => each.status === 'fulfilled' && each.value.applied)
      ok(won.length <= 1, `${won.length} have inserted it`)
    },
  },
  {
    name: 'an update may ask what is there',
    async run({ scylladb, k }) {
      await scylladb.execute(insertIf, [k, 1, 'a'])
      equal(await scylladb.execute(updateIf, ['b', k, 1, 'a']), applied)
      const failed = await scylladb.execute(updateIf, ['c', k, 1, 'a'])
      equal([failed.applied, failed.rows], [false, [{ v: 'b' }]])
      equal(await scylladb.one(selectRows, [k]), { n: 1, v: 'b' })
    },
  },
  {
    name: 'of a row that is not there, there is nothing to show',
    async run({ scylladb, k }) {
      const remove = 'DELETE FROM dualport_rows WHERE k = ? AND n = ? IF EXISTS'
      const failed = await scylladb.execute(remove, [k, 1])
      equal([failed.applied, failed.rows], [false, []])
      await scylladb.execute(insertIf, [k, 1, 'a'])
      equal((await scylladb.execute(remove, [k, 1])).applied, true)
    },
  },
  {
    name: 'it may be decided in the local data centre alone',
    async run({ scylladb, k }) {
      const options = { serialConsistency: 'LOCAL_SERIAL' } as const
      equal(await scylladb.execute(insertIf, [k, 1, 'a'], options), applied)
      equal((await scylladb.execute(insertIf, [k, 1, 'b'], options)).applied, false)
    },
  },
  {
    name: 'it is not idempotent, and its timestamp is the server’s',
    async run({ scylladb, k }) {
      await rejects(scylladb.execute(insertIf, [k, 1, 'a'], { idempotent: true }), refused)
      await rejects(scylladb.execute(insertIf, [k, 1, 'a'], { timestamp: longAgo }), refused)
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
]

const add = 'UPDATE dualport_counters SET c = c + ? WHERE k = ? AND n = ?'

export const counters: readonly ScyllaCase[] = [
  {
    name: 'it is a bigint, and adds exactly',
    async run({ scylladb, k }) {
      const steps = [1n, 2n ** 53n, 5n, -2n]
      for (const step of steps) await scylladb.execute(add, [step, k, 1])
      const select = 'SELECT c FROM dualport_counters WHERE k = ?'
      equal(await scylladb.one(select, [k]), { c: 2n ** 53n + 4n })
      await Promise.all(Array.from({ length: 20 }, () => scylladb.execute(add, [1, k, 2])))
      equal((await scylladb.execute(select, [k])).rows[1], { c: 20n })
    },
  },
  {
    name: 'what adds to a counter or list is never idempotent, whoever says so',
    async run({ scylladb, k }) {
      const statements = {
        [add]: [1n, k, 1],
        'UPDATE dualport_counters SET c -= ? WHERE k = ? AND n = ?': [1n, k, 1],
        'UPDATE dualport_lists SET l = l + ? WHERE k = ?': [[1], k],
        'UPDATE dualport_lists SET l = ? + l WHERE k = ?': [[1], k],
        'UPDATE dualport_lists SET s = s + {1}, l = l + [1] WHERE k = ?': [k],
      }
      for (const [cql, values] of Object.entries(statements)) {
        await rejects(scylladb.execute(cql, values, { idempotent: true }), refused, cql)
      }
      const toSet = 'UPDATE dualport_lists SET s = s + {1, 2} WHERE k = ?'
      await scylladb.execute(toSet, [k], { idempotent: true })
      await scylladb.execute('UPDATE dualport_lists SET l = l + ? WHERE k = ?', [[1, 1], k])
      const select = 'SELECT l, s FROM dualport_lists WHERE k = ?'
      equal(await scylladb.one(select, [k]), { l: [1, 1], s: new Set([1, 2]) })
    },
  },
]
