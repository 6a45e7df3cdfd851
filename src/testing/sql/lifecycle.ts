import { type InfraError, withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import type { SqlCase } from './fixture.ts'
import { people } from './templates.ts'

export const cancellation: readonly SqlCase[] = [
  {
    name: 'a signal that has fired already stops the call before anything is sent',
    async run(fixture) {
      const { t, name } = await people(fixture)
      const { sql } = fixture
      const options = { signal: AbortSignal.abort() }
      const insert = sql.fragment`insert into ${t} (id, name) values (${1}, ${'x'})`
      const select = sql.fragment`select id from ${t}`
      const calls: Record<string, () => unknown> = {
        query: () => sql.query(select, options),
        one: () => sql.one(select, options),
        maybeOne: () => sql.maybeOne(select, options),
        execute: () => sql.execute(insert, options),
        batch: () => sql.batch([insert], options),
        bulkInsert: () => sql.bulkInsert(name, [{ id: 1, name: 'x' }], options),
        transaction: () => sql.transaction((by) => by.execute(insert), options),
        health: () => sql.health(options),
        'health for writes': () => sql.health({ ...options, writable: true }),
        ...(sql.capabilities.streaming && { stream: () => sql.stream(select, options).next() }),
        ...(sql.capabilities.procedures && { call: () => sql.call('a', undefined, options) }),
      }
      const aborted = { kind: 'aborted', outcome: 'not-applied', retryable: false } as const
      for (const [what, call] of Object.entries(calls)) await rejects(call, aborted, what)
      equal(await sql.query(select), [])
    },
  },
  {
    name: 'a signal that fires during a write ends it, and the outcome is the truth',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const abort = new AbortController()
      const { signal } = abort
      const insert = sql.fragment`insert into ${t} (id, name) values (${1}, ${'x'})`
      const writing = rejects(sql.execute(insert, { signal }), { kind: 'aborted' })
      abort.abort()
      const { outcome } = await writing
      const written = await sql.maybeOne`select id from ${t}`
      ok(outcome === 'unknown' || written === null, `${outcome}, yet it was written`)
    },
  },
  {
    name: 'aborting one call leaves the others alone',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const abort = new AbortController()
      const insert = (id: number) => sql.execute`insert into ${t} (id, name) values (${id}, ${'x'})`
      const before = insert(1)
      const select = sql.fragment`select id from ${t}`
      const aborted = rejects(sql.query(select, { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const after = insert(2)
      abort.abort()
      await aborted
      await Promise.all([before, after])
      equal((await sql.query(select)).length, 2)
    },
  },
  {
    name: 'calls aborted at once, one after another, leave nothing behind',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      const select = sql.fragment`select id from ${t}`
      // Were each to keep its connection, no pool would be large enough.
      for (let i = 0; i < 40; i++) {
        const abort = new AbortController()
        const aborted = rejects(sql.query(select, { signal: abort.signal }), { kind: 'aborted' })
        if (i % 2 === 0) await Promise.resolve()
        abort.abort()
        await aborted
      }
      equal(await sql.query(select), [{ id: 1 }])
    },
  },
  {
    name: 'transactions aborted as they begin leave nothing behind',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      for (let i = 0; i < 20; i++) {
        const abort = new AbortController()
        const work = async () => {
          await new Promise(() => {})
        }
        const aborted = rejects(sql.transaction(work, { signal: abort.signal }), {
          kind: 'aborted',
          outcome: 'not-applied',
        })
        for (let turns = 0; turns < i; turns++) await Promise.resolve()
        abort.abort()
        await aborted
      }
      await sql.transaction((by) => by.execute`update ${t} set name = ${'b'}`)
      equal(await sql.query`select name from ${t}`, [{ name: 'b' }])
    },
  },
  {
    name: 'a signal that fires after the reply changes nothing',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const abort = new AbortController()
      const insert = sql.fragment`insert into ${t} (id, name) values (${1}, ${'x'})`
      await sql.execute(insert, { signal: abort.signal })
      abort.abort()
      equal(await sql.query`select id from ${t}`, [{ id: 1 }])
    },
  },
  {
    name: 'a signal that serves many calls keeps nothing of them',
    async run(fixture) {
      const { t } = await people(fixture, 'a', 'b', 'c')
      const { sql } = fixture
      const { signal } = new AbortController()
      let listeners = 0
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++
        add(...args)
      }
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--
        remove(...args)
      }
      const select = sql.fragment`select id from ${t}`
      await Promise.all(Array.from({ length: 30 }, () => sql.query(select, { signal })))
      await sql.transaction((by) => by.query(select), { signal })
      await sql
        .transaction(async () => Promise.reject(new Error('of the work')), { signal })
        .catch(() => {})
      if (sql.capabilities.streaming) {
        await sql.stream(select, { signal, pageRows: 1 }).next()
        for await (const _ of sql.stream(select, { signal, pageRows: 1 })) {
          // Reads to the end.
        }
      }
      equal(listeners, 0, 'the listeners that are left')
    },
  },
  {
    name: 'a deadline in the past stops every call inside before anything is sent',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const timeout = { kind: 'timeout', outcome: 'not-applied', retryable: true } as const
      await withContext({ deadline: Date.now() - 1 }, async () => {
        const insert = sql.execute`insert into ${t} (id, name) values (${1}, ${'x'})`
        await rejects(insert, timeout, 'execute')
        await rejects(
          sql.transaction(async () => {}),
          timeout,
          'transaction',
        )
      })
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'a signal of the context stops every call inside',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      const aborted = { kind: 'aborted', outcome: 'not-applied' } as const
      await withContext({ signal: AbortSignal.abort() }, () =>
        rejects(sql.execute`insert into ${t} (id, name) values (${1}, ${'x'})`, aborted),
      )
      equal(await sql.query`select id from ${t}`, [])
    },
  },
  {
    name: 'a statement that waits for a lock ends by its deadline',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      let ended: InfraError | undefined
      await sql.transaction(async (by) => {
        await by.execute`update ${t} set name = ${'b'} where id = ${1}`
        const waiting = sql.execute(sql.fragment`update ${t} set name = ${'c'} where id = ${1}`, {
          timeoutMs: 300,
        })
        ended = await rejects(waiting, { kind: 'timeout' })
      })
      // The lock was free at the moment at which the server was told.
      const { name } = await sql.one<{ name: string }>`select name from ${t}`
      ok(name === 'b' || ended?.outcome === 'unknown', `${ended?.outcome}, yet it is ${name}`)
    },
  },
]

export const health: readonly SqlCase[] = [
  {
    name: 'it resolves while the server answers',
    async run({ sql }) {
      equal(await sql.health(), undefined)
    },
  },
  {
    name: 'it says that the server takes writes',
    async run({ sql }) {
      equal(await sql.health({ writable: true }), undefined)
    },
  },
  {
    name: 'it resolves while a transaction is open',
    async run(fixture) {
      const { t } = await people(fixture, 'a')
      const { sql } = fixture
      await sql.transaction(async (by) => {
        await by.execute`update ${t} set name = ${'b'}`
        await sql.health()
        await sql.health({ writable: true })
        await by.execute`update ${t} set name = ${'c'}`
      })
      equal(await sql.query`select name from ${t}`, [{ name: 'c' }])
    },
  },
]

export const lifecycle: readonly SqlCase[] = [
  {
    name: 'a closed client refuses every kind of call as SQL_CLOSED',
    async run({ create }) {
      const sql = create()
      const select = sql.fragment`select 1 as a`
      const stream = sql.stream(select)
      await sql.health()
      await sql.close()
      const calls: Record<string, () => unknown> = {
        query: () => sql.query`select 1 as a`,
        one: () => sql.one(select),
        maybeOne: () => sql.maybeOne(select),
        execute: () => sql.execute(select),
        batch: () => sql.batch([select]),
        bulkInsert: () => sql.bulkInsert('a', [{ a: 1 }]),
        transaction: () => sql.transaction(async () => {}),
        health: () => sql.health(),
        'health for writes': () => sql.health({ writable: true }),
        ...(sql.capabilities.streaming && {
          'a stream from before': () => stream.next(),
          stream: () => sql.stream(select).next(),
        }),
        ...(sql.capabilities.procedures && { call: () => sql.call('a') }),
      }
      for (const [what, call] of Object.entries(calls)) {
        const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
        equal((await rejects(call, closed, what)).code, 'SQL_CLOSED', what)
      }
    },
  },
  {
    name: 'close may be called again, and before anything else',
    async run({ create }) {
      const sql = create()
      const first = sql.close()
      ok(sql.close() === first, 'the second call gives another promise')
      await first
      equal(sql.closed, true)
    },
  },
  {
    name: 'close waits for what is in flight',
    async run({ create }) {
      const sql = create()
      const calls = Array.from({ length: 10 }, (_, i) => sql.query(sql.raw(`select ${i} as a`)))
      const closing = sql.close()
      await rejects(sql.query`select 1 as a`, { kind: 'closed' })
      equal(
        await Promise.all(calls),
        Array.from({ length: 10 }, (_, i) => [{ a: i }]),
      )
      await closing
    },
  },
  {
    name: 'closing one client leaves the others alone',
    async run({ create, sql }) {
      const [first, second] = [create(), create()]
      await Promise.all([first.health(), second.health()])
      await first.close()
      await second.health()
      await sql.health()
    },
  },
  {
    name: 'a client closes itself at the end of its block',
    async run({ create }) {
      const sql = create()
      // What `await using` calls. Written so, it would cost every entry of the package a file of helpers.
      await sql[Symbol.asyncDispose]()
      await rejects(sql.health(), { kind: 'closed' })
    },
  },
  {
    name: 'adapter, resource, dialect and native tell what is underneath',
    async run({ sql }) {
      ok(sql.adapter.length > 0, 'the adapter has no name')
      ok(sql.resource === undefined || !sql.resource.includes('@'), 'with credentials')
      ok(['sqlserver', 'mysql', 'sqlite'].includes(sql.dialect), sql.dialect)
      ok((await sql.native()) !== undefined, 'there is nothing underneath')
    },
  },
  {
    name: 'the pool is known where there is one, and is at rest in the end',
    async run({ create }) {
      const sql = create()
      await Promise.all(Array.from({ length: 20 }, () => sql.query`select 1 as a`))
      const failed = sql.transaction(async () => {
        throw new Error('of the work')
      })
      await failed.catch(() => {})
      const figures = sql.pool()
      if (figures === undefined) return
      equal([figures.inUse, figures.waiting], [0, 0])
      ok(figures.open > 0, 'no connection is open')
    },
  },
  {
    name: 'a call needs no awaiting to be sent',
    async run(fixture) {
      const { t } = await people(fixture)
      const { sql } = fixture
      void sql.execute`insert into ${t} (id, name) values (${1}, ${'a'})`
      await sql.execute`insert into ${t} (id, name) values (${2}, ${'b'})`
      // The two may go by two connections, so that either may be the first.
      while ((await sql.query`select id from ${t}`).length < 2);
    },
  },
]
