import { withContext } from '../../core/index.ts'
import type { ScyllaDB } from '../../scylladb/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { insertRow, not, type ScyllaCase, selectRows } from './fixture.ts'

const select = 'SELECT key FROM system.local'

function callsOf(scylladb: ScyllaDB, k: string, options?: { signal: AbortSignal }) {
  const insert = { cql: insertRow, parameters: [k, 1, 'a'] }
  const calls: Record<string, () => unknown> = {
    execute: () => scylladb.execute(insertRow, [k, 1, 'a'], options),
    'a SELECT': () => scylladb.execute(selectRows, [k], options),
    one: () => scylladb.one(selectRows, [k], options),
    maybeOne: () => scylladb.maybeOne(selectRows, [k], options),
    batch: () => scylladb.batch([insert], options),
    stream: () => scylladb.stream(selectRows, [k], options).next(),
    page: () => scylladb.page(selectRows, [k], options),
    health: () => scylladb.health(options),
    hosts: () => scylladb.hosts(options),
  }
  return Object.entries(calls)
}

export const cancellation: readonly ScyllaCase[] = [
  {
    name: 'a signal that has fired already stops the call before anything is sent',
    async run({ create, scylladb, k }) {
      const client = create({ pagingKey: new Uint8Array(32) })
      const aborted = { kind: 'aborted', outcome: 'not-applied', retryable: false } as const
      for (const [what, call] of callsOf(client, k, { signal: AbortSignal.abort() })) {
        await rejects(call, aborted, what)
      }
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
  {
    name: 'a signal that fires during a write ends it, and the outcome is the truth',
    async run({ scylladb, k }) {
      const abort = new AbortController()
      const { signal } = abort
      const writing = rejects(scylladb.execute(insertRow, [k, 1, 'a'], { signal }), {
        kind: 'aborted',
      })
      abort.abort()
      const { outcome } = await writing
      const written = await scylladb.maybeOne(selectRows, [k])
      ok(outcome === 'unknown' || written === null, `${outcome}, yet it was written`)
    },
  },
  {
    name: 'aborting one call leaves the others alone',
    async run({ scylladb, k }) {
      const abort = new AbortController()
      const before = scylladb.execute(insertRow, [k, 1, 'a'])
      const aborted = rejects(scylladb.execute(selectRows, [k], { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const after = scylladb.execute(insertRow, [k, 2, 'a'])
      abort.abort()
      await aborted
      await Promise.all([before, after])
      equal((await scylladb.execute(selectRows, [k])).rows.length, 2)
    },
  },
  {
    name: 'a signal that serves many calls keeps nothing of them',
    async run({ scylladb, k }) {
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
      const all = Array.from({ length: 30 }, () => scylladb.execute(selectRows, [k], { signal }))
      await Promise.all(all)
      await scylladb.batch([{ cql: insertRow, parameters: [k, 1, 'a'] }], { signal })
      for await (const _ of scylladb.stream(selectRows, [k], { signal, pageSize: 1 }));
      await scylladb.execute('SELEC', [], { signal }).catch(() => {})
      equal(listeners, 0, 'the listeners that are left')
    },
  },
  {
    name: 'a deadline in the past stops every call inside before anything is sent',
    async run({ scylladb, k }) {
      const timeout = { kind: 'timeout', outcome: 'not-applied', retryable: true } as const
      await withContext({ deadline: Date.now() - 1 }, async () => {
        await rejects(scylladb.execute(insertRow, [k, 1, 'a']), timeout, 'execute')
        await rejects(scylladb.stream(selectRows, [k]).next(), timeout, 'stream')
      })
      equal((await scylladb.execute(selectRows, [k])).rows, [])
    },
  },
]

export const health: readonly ScyllaCase[] = [
  {
    name: 'it resolves while the cluster answers',
    async run({ scylladb }) {
      equal(await scylladb.health(), undefined)
    },
  },
  {
    name: 'the hosts of the local data centre are counted, and may have to be up',
    needs: ['hosts'],
    async run({ scylladb }) {
      const { up, total } = await scylladb.hosts()
      ok(up >= 1 && total >= up, `${up} of ${total}`)
      equal(await scylladb.health({ minUpShare: up / total }), undefined)
      equal(await scylladb.health({ minUpShare: 0.000_1 }), undefined)
    },
  },
  {
    name: 'a share that cannot be is refused',
    async run({ scylladb }) {
      for (const minUpShare of [0, -1, 1.1, Number.NaN, '1']) {
        const asked = scylladb.health({ minUpShare: not<number>(minUpShare) })
        await rejects(asked, { kind: 'invalid', outcome: 'not-applied' }, `${minUpShare}`)
      }
    },
  },
]

export const lifecycle: readonly ScyllaCase[] = [
  {
    name: 'a closed client refuses every kind of call as SCYLLADB_CLOSED',
    async run({ create, k }) {
      const client = create({ pagingKey: new Uint8Array(32) })
      await client.health()
      await client.close()
      const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
      for (const [what, call] of callsOf(client, k)) {
        equal((await rejects(call, closed, what)).code, 'SCYLLADB_CLOSED', what)
      }
    },
  },
  {
    name: 'close may be called again, and before anything else',
    async run({ create }) {
      const client = create()
      const first = client.close()
      ok(client.close() === first, 'the second call gives another promise')
      await first
      equal(client.closed, true)
    },
  },
  {
    name: 'close waits for what is in flight',
    async run({ create }) {
      const client = create()
      const calls = Array.from({ length: 10 }, () => client.one(select))
      const closing = client.close()
      await rejects(client.execute(select), { kind: 'closed' })
      equal(await Promise.all(calls), new Array(10).fill({ key: 'local' }))
      await closing
    },
  },
  {
    name: 'closing one client leaves the others alone',
    async run({ create, scylladb }) {
      const [first, second] = [create(), create()]
      await Promise.all([first.health(), second.health()])
      await first.close()
      await second.health()
      await scylladb.health()
    },
  },
  {
    name: 'options that cannot be are refused as SCYLLADB_CONFIG, without showing them',
    async run({ create }) {
      const wrong = {
        consistency: not<'ONE'>('a secret'),
        serialConsistency: not<'SERIAL'>('ONE'),
        pagingKey: 'a secret',
      }
      for (const [name, value] of Object.entries(wrong)) {
        const error = await rejects(() => create({ [name]: value }), { kind: 'config' }, name)
        equal(error.code, 'SCYLLADB_CONFIG')
        ok(!String(error).includes('a secret'), error.message)
      }
    },
  },
  {
    name: 'adapter, resource, keyspace and native tell what is underneath',
    async run({ scylladb }) {
      ok(scylladb.adapter.length > 0, 'the adapter has no name')
      ok(scylladb.resource === undefined || !scylladb.resource.includes('@'), 'with credentials')
      ok((scylladb.keyspace ?? '').length > 0, 'the suite needs a keyspace')
      ok((await scylladb.native()) !== undefined, 'there is nothing underneath')
    },
  },
  {
    name: 'the pool is known where there is one, and is at rest in the end',
    async run({ create }) {
      const client = create()
      await Promise.all(Array.from({ length: 20 }, () => client.execute(select)))
      const figures = client.pool()
      if (figures === undefined) return
      equal([figures.inUse, figures.waiting], [0, 0])
      ok(figures.open > 0, 'no connection is open')
    },
  },
  {
    name: 'a call needs no awaiting to be sent',
    async run({ scylladb, k }) {
      void scylladb.execute(insertRow, [k, 1, 'a'])
      while ((await scylladb.execute(selectRows, [k])).rows.length === 0);
    },
  },
]
