import { type ErrorKind, type InfraError, isInfraError } from '../../core/index.ts'
import type { Sql } from '../../sql/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { not, type SqlCase, type SqlFixture, type Table } from './fixture.ts'
import { people } from './templates.ts'

const refused = (kind: ErrorKind) => ({ kind, outcome: 'not-applied', retryable: false }) as const

export const errors: readonly SqlCase[] = [
  {
    name: 'a value that is there already is a conflict, by every way into the table',
    async run(fixture) {
      const { sql, table, types } = fixture
      const { t, name } = await table(
        `id ${types.integer} primary key, mail ${types.text(20)} unique`,
      )
      await sql.execute`insert into ${t} (id, mail) values (${1}, ${'a'}), (${2}, ${'b'})`
      const conflict = refused('conflict')
      const error = await rejects(
        sql.execute`insert into ${t} (id, mail) values (${1}, ${'c'})`,
        conflict,
      )
      equal([error.code, error.component, error.adapter], ['SQL_CONFLICT', 'sql', sql.adapter])
      equal(error.operation, 'INSERT')
      await rejects(sql.execute`insert into ${t} (id, mail) values (${3}, ${'a'})`, conflict)
      await rejects(sql.execute`update ${t} set mail = ${'a'} where id = ${2}`, conflict)
      await rejects(sql.bulkInsert(name, [{ id: 3, mail: 'b' }]), conflict)
      equal((await sql.query`select id from ${t}`).length, 2)
    },
  },
  {
    name: 'a foreign key that does not allow it is a conflict',
    async run({ sql, table, types }) {
      const parent = await table(`id ${types.integer} primary key`)
      const child = await table(
        `id ${types.integer} primary key, parent ${types.integer} not null,
          foreign key (parent) references ${parent.name} (id)`,
      )
      await sql.execute`insert into ${parent.t} (id) values (${1})`
      await sql.execute`insert into ${child.t} (id, parent) values (${1}, ${1})`
      const orphan = sql.execute`insert into ${child.t} (id, parent) values (${2}, ${9})`
      await rejects(orphan, refused('conflict'), 'a child without a parent')
      await rejects(sql.execute`delete from ${parent.t}`, refused('conflict'), 'a parent')
    },
  },
  {
    name: 'a check that does not allow it is invalid',
    async run({ sql, table, types }) {
      const { t } = await table(`n ${types.integer}, check (n > 0)`)
      await rejects(sql.execute`insert into ${t} (n) values (${-1})`, refused('invalid'))
      equal(await sql.query`select n from ${t}`, [])
    },
  },
  {
    name: 'a null where none may be is invalid',
    async run({ sql, table, types }) {
      const { t, name } = await table(`n ${types.integer} not null, m ${types.integer}`)
      const none = sql.integer(null)
      await rejects(sql.execute`insert into ${t} (n) values (${none})`, refused('invalid'))
      await rejects(sql.execute`insert into ${t} (m) values (${1})`, refused('invalid'))
      await rejects(sql.bulkInsert(name, [{ n: none, m: 1 }]), refused('invalid'))
      equal(await sql.query`select n from ${t}`, [])
    },
  },
  {
    name: 'what the server does not understand is invalid',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      await rejects(sql.query`selec id from ${t}`, refused('invalid'))
      await rejects(sql.query`select id from ${t} where`, refused('invalid'))
      await rejects(sql.execute`insert into ${t} values`, refused('invalid'))
    },
  },
  {
    name: 'a table and a column that are not there are not found',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const missing = sql.id('dualport_never_made')
      await rejects(sql.query`select id from ${missing}`, refused('not-found'))
      await rejects(sql.execute`insert into ${missing} (id) values (${1})`, refused('not-found'))
      await rejects(sql.query`select absent from ${t}`, refused('not-found'))
      await rejects(sql.execute`update ${t} set absent = ${1}`, refused('not-found'))
      await rejects(sql.execute`insert into ${t} (absent) values (${1})`, refused('not-found'))
    },
  },
  {
    name: 'a table that is there already is a conflict',
    async run({ sql, table, types }) {
      const { name } = await table(`id ${types.integer}`)
      const again = sql.raw(`create table ${name} (id ${types.integer})`)
      await rejects(sql.execute(again), refused('conflict'))
    },
  },
  {
    name: 'a value that does not fit its column is invalid, where the database has limits',
    async run({ sql, table, types, dialect }) {
      const { t } = await table(`a ${types.text(3)}, b ${types.integer}, c ${types.decimal(4, 2)}`)
      const inserts = [
        () => sql.execute`insert into ${t} (a) values (${'abcd'})`,
        () => sql.execute`insert into ${t} (b) values (${2 ** 31})`,
        () => sql.execute`insert into ${t} (b) values (${'not a number'})`,
        () => sql.execute`insert into ${t} (c) values (${sql.decimal('123.45')})`,
      ]
      for (const insert of inserts) {
        // SQLite's columns take everything.
        if (dialect === 'sqlite') await insert()
        else await rejects(insert, refused('invalid'))
      }
      equal((await sql.query`select a from ${t}`).length, dialect === 'sqlite' ? 4 : 0)
    },
  },
  {
    name: 'errors are Errors that any copy of the library recognises',
    async run({ sql }) {
      const error = await rejects(sql.query`select ${not(undefined)} as a`, { kind: 'invalid' })
      equal(error.name, 'InfraError')
      equal(error instanceof Error, true, 'instanceof Error')
      equal([isInfraError(error, 'invalid'), isInfraError(error, 'timeout')], [true, false])
    },
  },
  {
    name: 'after every kind of failure the next call works',
    async run(fixture) {
      const { t, name } = await people(fixture, 'a')
      const { sql } = fixture
      for (const fail of [
        () => sql.execute`insert into ${t} (id, name) values (${1}, ${'x'})`,
        () => sql.query`selec 1`,
        () => sql.query`select nothing from ${t}`,
        () => sql.bulkInsert(name, [{ id: 1, name: 'x' }]),
        () => sql.query(sql.fragment`select id from ${t}`, { signal: AbortSignal.abort() }),
        () =>
          sql.transaction(async (by) => {
            await by.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
          }),
        () => sql.batch([sql.fragment`selec 1`]),
      ]) {
        await failureOf(fail, 'the call')
        equal(await sql.query`select id, name from ${t}`, [{ id: 1, name: 'a' }])
      }
    },
  },
]

/** Nothing in it needs escaping, whatever prints it. */
const marker = 'a-secret-7-that-nothing-may-show'

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
function failing(sql: Sql, t: ReturnType<Sql['id']>, table: string): Record<string, () => unknown> {
  const raw = (text: string, values: string[] = []) => sql.query(sql.raw(text, values))
  const odd = { [marker]: marker }
  return {
    'a duplicate': () => sql.execute`insert into ${t} (id, name) values (${1}, ${marker})`,
    'a duplicate text': () => sql.execute`insert into ${t} (id, name) values (${2}, ${marker})`,
    'a duplicate in bulk': () => sql.bulkInsert(table, [{ id: 2, name: marker }]),
    'a duplicate in a batch': () =>
      sql.batch([sql.fragment`insert into ${t} (id, name) values (${2}, ${marker})`]),
    'a check': () => sql.execute`insert into ${t} (id, name) values (${-1}, ${`${marker}-2`})`,
    'a null': () => sql.execute`insert into ${t} (id, name) values (${null}, ${`${marker}-2`})`,
    'a foreign key': () =>
      sql.execute`insert into ${t} (id, name, parent) values (${3}, ${`${marker}-2`}, ${99})`,
    syntax: () => raw(`selec '${marker}' from ${table}`),
    'syntax near it': () => raw(`select from '${marker}'`),
    'quotes without an end': () => raw(`select '${marker}`),
    'a table': () => sql.query`select id from ${sql.id(marker)}`,
    'a column': () => sql.query`select ${sql.id(marker)} from ${t}`,
    'a column in bulk': () => sql.bulkInsert(table, [{ id: 5, [marker]: 1 }]),
    'too many values': () => raw('select 1', [marker]),
    'a value of the wrong type': () => sql.query`select ${not(odd)} as a`,
    'a lone surrogate': () => sql.query`select ${`${marker}\ud800`} as a`,
    'a function': () => sql.query`select ${not(() => marker)} as a`,
    'a decimal': () => sql.decimal(marker),
    'a date': () => sql.date(marker),
    'a UUID': () => sql.uuid(marker),
    'a document': () => sql.json(not({ [marker]: 1n })),
    'a statement': () => sql.query(not(`select '${marker}'`)),
    'an option': () => sql.query(sql.fragment`select 1 as a`, not(odd)),
    'a correlation ID': () =>
      sql.query(sql.fragment`select 1 as a`, { correlationId: `${marker} ${marker}` }),
    'an isolation': () => sql.transaction(async () => {}, { isolation: not(marker) }),
    'a procedure': () => sql.call(marker, not(odd)),
    'an aborted call': () =>
      sql.query(sql.fragment`select ${marker} as a`, {
        signal: AbortSignal.abort(new Error(marker)),
      }),
    'two columns of one name': () => raw('select 1 as a, 2 as a'),
    'no row': () => sql.one`select id from ${t} where name = ${`${marker}-9`}`,
    'within a transaction': () =>
      sql.transaction(async (by) => {
        await by.execute`insert into ${t} (id, name) values (${2}, ${marker})`
      }),
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

async function secretive({ table, types }: SqlFixture, sql: Sql): Promise<Table> {
  const parent = await table(`id ${types.integer} primary key`, sql)
  return table(
    `id ${types.integer} primary key not null, name ${types.text(80)} unique,
      parent ${types.integer}, check (id > 0), foreign key (parent) references ${parent.name} (id)`,
    sql,
  )
}

export const secrecy: readonly SqlCase[] = [
  {
    name: 'no error shows a value or a text of SQL',
    async run(fixture) {
      const { sql } = fixture
      const { t, name } = await secretive(fixture, sql)
      await sql.execute`insert into ${t} (id, name) values (${1}, ${marker})`
      for (const [what, work] of Object.entries(failing(sql, t, name))) {
        const text = printed(await failureOf(work, what))
        ok(!text.includes(marker), `${what}: the error shows it:\n${text}`)
      }
    },
  },
  {
    name: 'no log record, metric or span shows a value or a text of SQL',
    async run(fixture) {
      const seen: unknown[] = []
      const note = (...items: unknown[]) => {
        seen.push(items)
      }
      const instrument = (...items: unknown[]) => {
        note(...items)
        return note
      }
      const sql = fixture.create({
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
      const { t, name } = await secretive(fixture, sql)
      await sql.execute`insert into ${t} (id, name) values (${1}, ${marker})`
      for (const [what, work] of Object.entries(failing(sql, t, name))) await failureOf(work, what)
      const text = JSON.stringify(seen)
      ok(text.includes('operation_failed'), 'nothing was logged')
      ok(!text.includes(marker), `it shows: ...${text.slice(text.indexOf(marker) - 200)}`)
    },
  },
]
