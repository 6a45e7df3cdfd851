import { type ErrorKind, type InfraError, isInfraError } from '../../core/index.ts'
import { type ScyllaDB, TimeSeries } from '../../scylladb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { insertRow, not, type ScyllaCase, selectRows } from './fixture.ts'

const refused = (kind: ErrorKind) => ({ kind, outcome: 'not-applied', retryable: false }) as const

export const errors: readonly ScyllaCase[] = [
  {
    name: 'what the server does not understand is invalid',
    async run({ scylladb, k }) {
      for (const cql of [
        'SELEC n FROM dualport_rows',
        'SELECT n FROM',
        'INSERT INTO dualport_rows',
      ]) {
        const error = await rejects(scylladb.execute(cql), refused('invalid'), cql)
        equal([error.code, error.component], ['SCYLLADB_INVALID', 'scylladb'])
        equal(error.adapter, scylladb.adapter)
      }
      await rejects(scylladb.execute(`${selectRows} AND`, [k]), refused('invalid'))
    },
  },
  {
    name: 'a table and a keyspace that are not there are not found',
    async run({ scylladb }) {
      const missing = refused('not-found')
      await rejects(scylladb.execute('SELECT n FROM dualport_never_made'), missing, 'SELECT')
      const insert = 'INSERT INTO dualport_never_made (n) VALUES (1)'
      await rejects(scylladb.execute(insert), missing, 'INSERT')
      await rejects(scylladb.execute('SELECT n FROM dualport_nowhere.rows'), missing, 'keyspace')
      await rejects(scylladb.execute('DROP TABLE dualport_never_made'), missing, 'DROP')
      await rejects(scylladb.batch([{ cql: insert }]), missing, 'batch')
    },
  },
  {
    name: 'a column that is not there is invalid',
    async run({ scylladb }) {
      const invalid = refused('invalid')
      await rejects(scylladb.execute('SELECT absent FROM dualport_rows'), invalid, 'SELECT')
      const insert = "INSERT INTO dualport_rows (k, n, absent) VALUES ('a', 1, 1)"
      await rejects(scylladb.execute(insert), invalid, 'INSERT')
    },
  },
  {
    name: 'a table that is there already is a conflict',
    async run({ scylladb }) {
      const again = 'CREATE TABLE dualport_rows (k text PRIMARY KEY)'
      await rejects(scylladb.execute(again), refused('conflict'))
    },
  },
  {
    name: 'a key that is null, missing or empty is invalid',
    async run({ scylladb, k }) {
      const invalid = refused('invalid')
      await rejects(scylladb.execute(insertRow, [null, 1, 'a']), invalid, 'null')
      await rejects(scylladb.execute(insertRow, [undefined, 1, 'a']), invalid, 'undefined')
      await rejects(scylladb.execute(insertRow, ['', 1, 'a']), invalid, 'empty')
      await rejects(scylladb.execute(insertRow, [k, null, 'a']), invalid, 'a part of it')
      await rejects(scylladb.execute(insertRow, ['x'.repeat(70_000), 1, 'a']), invalid, 'too long')
    },
  },
  {
    name: 'a query that would read everything is refused by the server, unless it says so',
    async run({ scylladb, k }) {
      const filter = "SELECT n FROM dualport_rows WHERE v = 'nothing like it'"
      await rejects(scylladb.execute(filter), refused('invalid'))
      equal((await scylladb.execute(`${filter} AND k = ? ALLOW FILTERING`, [k])).rows, [])
    },
  },
  {
    name: 'errors are Errors that any copy of the library recognises',
    async run({ scylladb }) {
      const error = await rejects(scylladb.execute(''), { kind: 'invalid' })
      equal([error.name, error instanceof Error], ['InfraError', true])
      equal([isInfraError(error, 'invalid'), isInfraError(error, 'timeout')], [true, false])
    },
  },
  {
    name: 'after every kind of failure the next call works',
    async run({ scylladb, k }) {
      await scylladb.execute(insertRow, [k, 1, 'a'])
      for (const fail of [
        () => scylladb.execute('SELEC'),
        () => scylladb.execute('SELECT n FROM dualport_never_made'),
        () => scylladb.execute(insertRow, [k, 'one', 'x']),
        () => scylladb.execute(insertRow, [null, 1, 'x']),
        () => scylladb.execute(selectRows, [k], { signal: AbortSignal.abort() }),
        () => scylladb.batch([{ cql: insertRow, parameters: [null, 1, 'x'] }]),
        () => scylladb.execute(insertRow, [k, 1, 'x'], { consistency: 'THREE', timeoutMs: 300 }),
      ]) {
        await failureOf(fail, 'the call')
        equal((await scylladb.execute(selectRows, [k])).rows, [{ n: 1, v: 'a' }])
      }
    },
  },
]

/** Nothing in it needs escaping, whatever prints it. */
const marker = 'a_secret_7_that_nothing_may_show'

function printed(error: InfraError): string {
  const parts = [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    JSON.stringify({ ...error }),
  ]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    parts.push(cause.message, cause.stack, JSON.stringify({ ...cause }))
  }
  return parts.join('\n')
}

/** Calls that fail, each in another way and with the marker wherever data can be. */
function failing(scylladb: ScyllaDB): Record<string, () => unknown> {
  const odd = { [marker]: marker }
  const run = (cql: string, values: readonly unknown[] = []) => scylladb.execute(cql, not(values))
  return {
    syntax: () => run(`SELEC '${marker}'`),
    'syntax near it': () => run(`SELECT n FROM '${marker}'`),
    'quotes without an end': () => run(`SELECT '${marker}`),
    'a table': () => run(`SELECT n FROM ${marker}`),
    'a keyspace': () => run(`SELECT n FROM ${marker}.t`),
    'a column': () => run(`SELECT ${marker} FROM dualport_rows`),
    'a function': () => run(`SELECT ${marker}(n) FROM dualport_rows`),
    'a value in the text': () => run(`INSERT INTO dualport_rows (k, n) VALUES ('a', '${marker}')`),
    'a value of the wrong type': () => run(insertRow, [marker, marker, marker]),
    'too many values': () => run(insertRow, [marker, 1, marker, marker]),
    'too few values': () => run(insertRow, [marker]),
    'an object': () => run(insertRow, [odd, 1, 'a']),
    'a lone surrogate': () => run(insertRow, [`${marker}\ud800`, 1, 'a']),
    'a function as value': () => run(insertRow, [() => marker, 1, 'a']),
    'a null key': () => run(insertRow, [marker, null, marker]),
    'a name': () => scylladb.execute(insertRow, odd),
    'an unknown name': () =>
      scylladb.execute(`${selectRows.replace('?', ':k')}`, { k: 'a', ...odd }),
    'a consistency': () => scylladb.execute(selectRows, ['a'], { consistency: not(marker) }),
    'an option': () => scylladb.execute(selectRows, ['a'], not(odd)),
    'a timestamp': () => scylladb.execute(insertRow, ['a', 1, 'a'], { timestamp: not(marker) }),
    'a correlation ID': () =>
      scylladb.execute(selectRows, ['a'], { correlationId: `${marker} ${marker}` }),
    'a paging state': () => scylladb.page(selectRows, ['a'], { pagingState: marker }),
    'a batch': () => scylladb.batch([{ cql: insertRow, parameters: [marker, null, marker] }]),
    'a batch of what is none': () => scylladb.batch([not(odd)]),
    'a condition': () => run(`${insertRow} IF NOT EXISTS`, [marker, marker, marker]),
    'an aborted call': () =>
      scylladb.execute(selectRows, [marker], { signal: AbortSignal.abort(new Error(marker)) }),
    'no row': () => scylladb.one(selectRows, [`${marker} 2`]),
    'a series': () =>
      new TimeSeries(scylladb, not({ table: marker, key: [marker], every: marker })),
  }
}

async function failureOf(work: () => unknown, what: string): Promise<InfraError> {
  try {
    await work()
  } catch (error) {
    if (isInfraError(error)) return error
    throw new Error(`${what}: not an InfraError: ${error}`)
  }
  throw new Error(`${what}: it did not fail`)
}

const pagingKey = '00'.repeat(32)

export const secrecy: readonly ScyllaCase[] = [
  {
    name: 'no error shows a value or a text of CQL',
    async run({ create }) {
      const scylladb = create({ pagingKey })
      for (const [what, work] of Object.entries(failing(scylladb))) {
        const text = printed(await failureOf(work, what))
        ok(!text.includes(marker), `${what}: the error shows it:\n${text}`)
      }
    },
  },
  {
    name: 'no log record, metric or span shows a value or a text of CQL',
    async run({ create }) {
      const seen: unknown[] = []
      const note = (...items: unknown[]) => {
        seen.push(items)
      }
      const instrument = (...items: unknown[]) => {
        note(...items)
        return note
      }
      const scylladb = create({
        pagingKey,
        logSuccess: true,
        logger: { debug: note, info: note, warn: note, error: note },
        metrics: { histogram: instrument, counter: instrument, gauge: instrument },
        tracer: {
          startSpan(...items) {
            note(...items)
            return { end: note }
          },
        },
      })
      await scylladb.execute(insertRow, [marker, 1, marker])
      for (const [what, work] of Object.entries(failing(scylladb))) await failureOf(work, what)
      const text = JSON.stringify(seen)
      ok(text.includes('operation_failed'), 'nothing was logged')
      ok(!text.includes(marker), `it shows: ...${text.slice(text.indexOf(marker) - 200)}`)
    },
  },
]
