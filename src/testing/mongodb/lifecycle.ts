import { withContext } from '../../core/index.ts'
import { equal, ok, rejects } from '../assert.ts'
import { type MongoCase, rows } from './fixture.ts'

export const cancellation: readonly MongoCase[] = [
  {
    name: 'a signal that has fired already stops the call before anything is sent',
    async run({ mongodb, collection }) {
      const options = { signal: AbortSignal.abort() }
      const aborted = { kind: 'aborted', outcome: 'not-applied', retryable: false } as const
      const all = collection()
      const calls: Record<string, () => unknown> = {
        insertOne: () => all.insertOne({ _id: 1 }, options),
        insertMany: () => all.insertMany([{ _id: 2 }], options),
        updateOne: () =>
          all.updateOne({ _id: 3 }, { $set: { 'a.b': 1 } }, { ...options, upsert: true }),
        bulkWrite: () => all.bulkWrite([{ insertOne: { document: { _id: 4 } } }], options),
        findOne: () => all.findOne({}, options),
        find: () => all.find({}, options).next(),
        aggregate: () => all.aggregate([], options).toArray(),
        countDocuments: () => all.countDocuments({}, options),
        health: () => mongodb.health(options),
      }
      for (const [what, call] of Object.entries(calls)) await rejects(call, aborted, what)
      equal(await all.countDocuments(), 0)
    },
  },
  {
    name: 'a signal that fires during a write ends it, and the outcome is the truth',
    async run({ collection }) {
      const abort = new AbortController()
      const { signal } = abort
      const writing = rejects(collection().insertOne({ _id: 1 }, { signal }), { kind: 'aborted' })
      abort.abort()
      const { outcome } = await writing
      const written = await collection().findOne()
      ok(outcome === 'unknown' || written === null, `${outcome}, yet it was written`)
    },
  },
  {
    name: 'aborting one call leaves the others alone',
    async run({ collection }) {
      const abort = new AbortController()
      const before = collection().insertOne({ _id: 1 })
      const aborted = rejects(collection().findOne({}, { signal: abort.signal }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
      const after = collection().insertOne({ _id: 2 })
      abort.abort()
      await aborted
      await Promise.all([before, after])
      equal(await collection().countDocuments(), 2)
    },
  },
  {
    name: 'a signal that fires after the reply changes nothing',
    async run({ collection }) {
      const abort = new AbortController()
      await collection().insertOne({ _id: 1 }, { signal: abort.signal })
      abort.abort()
      equal(await collection().countDocuments(), 1)
    },
  },
  {
    name: 'a signal that serves many calls keeps nothing of them',
    async run({ collection }) {
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
      await Promise.all(rows(30).map((row) => collection().insertOne(row, { signal })))
      for await (const _ of collection().find({}, { signal, batchSize: 10 })) {
        // Reads to the end.
      }
      await collection().find({}, { signal, batchSize: 10 }).next()
      equal(listeners, 0, 'the listeners that are left')
    },
  },
  {
    name: 'a deadline in the past stops every call inside before anything is sent',
    async run({ collection }) {
      const timeout = { kind: 'timeout', outcome: 'not-applied', retryable: true } as const
      await withContext({ deadline: Date.now() - 1 }, async () => {
        await rejects(collection().insertOne({ _id: 1 }), timeout, 'insertOne')
        await rejects(collection().find().toArray(), timeout, 'find')
      })
      equal(await collection().countDocuments(), 0)
    },
  },
  {
    name: 'a signal of the context stops every call inside',
    async run({ collection }) {
      const aborted = { kind: 'aborted', outcome: 'not-applied' } as const
      await withContext({ signal: AbortSignal.abort() }, () =>
        rejects(collection().insertOne({ _id: 1 }), aborted),
      )
      equal(await collection().countDocuments(), 0)
    },
  },
]

export const health: readonly MongoCase[] = [
  {
    name: 'it resolves while the server answers',
    async run({ mongodb }) {
      equal(await mongodb.health(), undefined)
    },
  },
  {
    name: 'it says that the server takes writes',
    async run({ mongodb }) {
      equal(await mongodb.health({ writable: true }), undefined)
    },
  },
]

export const lifecycle: readonly MongoCase[] = [
  {
    name: 'a closed client refuses every kind of call as MONGODB_CLOSED',
    async run({ create }) {
      const client = create()
      const all = client.database().collection<{ _id: number }>('never-made')
      const cursor = all.find()
      await client.health()
      await client.close()
      const calls: Record<string, () => unknown> = {
        'a cursor from before': () => cursor.next(),
        find: () => all.find().toArray(),
        findOne: () => all.findOne(),
        insertOne: () => all.insertOne({ _id: 1 }),
        insertMany: () => all.insertMany([{ _id: 1 }]),
        updateOne: () => all.updateOne({}, { $set: { 'a.b': 1 } }),
        deleteMany: () => all.deleteMany({}),
        bulkWrite: () => all.bulkWrite([{ deleteOne: { filter: {} } }]),
        aggregate: () => all.aggregate([]).next(),
        countDocuments: () => all.countDocuments(),
        distinct: () => all.distinct('a'),
        health: () => client.health(),
        'health for writes': () => client.health({ writable: true }),
        ...(client.capabilities.indexes && {
          createIndex: () => all.createIndex({ a: 1 }),
          listIndexes: () => all.listIndexes(),
        }),
        ...(client.capabilities.transactions && {
          withTransaction: () => client.withTransaction(async () => {}),
        }),
      }
      for (const [what, call] of Object.entries(calls)) {
        const closed = { kind: 'closed', outcome: 'not-applied', retryable: false } as const
        equal((await rejects(call, closed, what)).code, 'MONGODB_CLOSED', what)
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
    async run({ create, collection }) {
      const client = create()
      const all = client.database().collection<{ _id: number }>(collection().name)
      const calls = Array.from({ length: 10 }, () => all.findOne())
      const closing = client.close()
      await rejects(all.findOne(), { kind: 'closed' })
      equal(await Promise.all(calls), Array(10).fill(null))
      await closing
    },
  },
  {
    name: 'closing one client leaves the others alone',
    async run({ create, mongodb }) {
      const [first, second] = [create(), create()]
      await Promise.all([first.health(), second.health()])
      await first.close()
      await second.health()
      await mongodb.health()
    },
  },
  {
    name: 'a client closes itself at the end of its block',
    async run({ create }) {
      const client = create()
      // What `await using` calls. Written so, it would cost every entry of the package a file of helpers.
      await client[Symbol.asyncDispose]()
      await rejects(client.health(), { kind: 'closed' })
    },
  },
  {
    name: 'adapter, resource and native tell what is underneath',
    async run({ mongodb }) {
      ok(mongodb.adapter.length > 0, 'the adapter has no name')
      ok(mongodb.resource === undefined || !mongodb.resource.includes('@'), 'with credentials')
      ok((await mongodb.native()) !== undefined, 'there is nothing underneath')
    },
  },
  {
    name: 'the pool is known where there is one, and is at rest in the end',
    async run({ create, collection }) {
      const client = create()
      const all = client.database().collection<{ _id: number }>(collection().name)
      await Promise.all(Array.from({ length: 20 }, () => all.findOne()))
      const figures = client.pool()
      if (figures === undefined) return
      equal([figures.inUse, figures.waiting], [0, 0])
      ok(figures.open > 0, 'no connection is open')
    },
  },
  {
    name: 'a call needs no awaiting to be sent',
    async run({ collection }) {
      void collection().insertOne({ _id: 1 })
      await collection().insertOne({ _id: 2 })
      // The two may go by two connections, so that either may be the first.
      while ((await collection().countDocuments()) < 2);
    },
  },
]
