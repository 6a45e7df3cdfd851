import { equal, ok, rejects } from '../assert.ts'
import { type MongoCase, type Row, rows } from './fixture.ts'

const sort = { _id: 1 } as const
const ids = (found: readonly Row[]) => found.map(({ _id }) => _id)
const numbers = (from: number, to: number) => ids(rows(to)).slice(from)

export const cursors: readonly MongoCase[] = [
  {
    name: 'all documents come, once each and in order, whatever the pages',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(250))
      for (const batchSize of [1000, 250, 249, 100, 7, undefined]) {
        const seen: number[] = []
        for await (const { _id } of collection().find({}, { sort, batchSize })) seen.push(_id)
        equal(seen, numbers(0, 250), `by pages of ${batchSize}`)
      }
      equal(ids(await collection().find({}, { sort, batchSize: 1, limit: 3 }).toArray()), [0, 1, 2])
    },
  },
  {
    name: 'a limit holds across pages',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(250))
      const options = { sort, batchSize: 100, skip: 10, limit: 205 }
      equal(ids(await collection().find({}, options).toArray()), numbers(10, 215))
    },
  },
  {
    name: 'toArray gives what is left',
    async run({ collection }) {
      await collection().insertMany(rows(10))
      const cursor = collection().find({}, { sort })
      equal(await cursor.next(), { done: false, value: { _id: 0 } })
      equal(ids(await cursor.toArray()), numbers(1, 10))
      equal(await cursor.toArray(), [])
    },
  },
  {
    name: 'next goes through the pages, and stays at the end',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(5))
      const cursor = collection().find({}, { sort, batchSize: 2 })
      for (let _id = 0; _id < 5; _id++) {
        equal(await cursor.next(), { done: false, value: { _id } })
      }
      equal(await cursor.next(), { done: true, value: undefined })
      equal(await cursor.next(), { done: true, value: undefined })
      equal(cursor.exhausted, true)
    },
  },
  {
    name: 'nextBatch gives page after page, and nothing at the end',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(25))
      const cursor = collection().find({}, { sort, batchSize: 10 })
      equal(ids(await cursor.nextBatch()), numbers(0, 10))
      equal(cursor.exhausted, false)
      equal(await cursor.next(), { done: false, value: { _id: 10 } })
      equal(ids(await cursor.nextBatch()), numbers(11, 20), 'what was left of the page')
      equal(ids(await cursor.nextBatch()), numbers(20, 25))
      equal(await cursor.nextBatch(), [])
      equal(cursor.exhausted, true)
    },
  },
  {
    name: 'nothing is asked before the first document is',
    async run({ create, collection }) {
      await collection().insertMany(rows(3))
      const untouched = collection().find({}, { sort })
      await collection().deleteOne({ _id: 0 })
      equal(ids(await untouched.toArray()), [1, 2])
      const client = create()
      const late = client.database().collection('never-made').find()
      await client.close()
      await rejects(late.next(), { kind: 'closed', outcome: 'not-applied' })
    },
  },
  {
    name: 'what is wrong with a query rejects its first page',
    async run({ collection }) {
      const refused = { kind: 'invalid', outcome: 'not-applied' } as const
      const cursor = collection().find({ a: undefined } as never)
      await rejects(cursor.next(), refused)
      equal(await cursor.next(), { done: true, value: undefined })
      await rejects(
        collection()
          .aggregate([{ a: undefined }])
          .toArray(),
        refused,
      )
      await rejects(async () => {
        for await (const _ of collection().find({ a: undefined } as never)) throw new Error('a row')
      }, refused)
    },
  },
  {
    name: 'a loop that is left closes its cursor',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(50))
      const cursor = collection().find({}, { sort, batchSize: 10 })
      for await (const { _id } of cursor) if (_id === 4) break
      equal(cursor.exhausted, true)
      equal(await cursor.next(), { done: true, value: undefined })
      const failing = collection().find({}, { sort, batchSize: 10 })
      const loop = async () => {
        for await (const _ of failing) throw new Error('of the loop')
      }
      equal(await loop().catch((error: Error) => error.message), 'of the loop')
      equal(await failing.nextBatch(), [])
    },
  },
  {
    name: 'close may be called at any time, and again',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(50))
      const unread = collection().find({}, { batchSize: 10 })
      await unread.close()
      equal(await unread.next(), { done: true, value: undefined })
      const halfRead = collection().find({}, { batchSize: 10 })
      await halfRead.next()
      await Promise.all([halfRead.close(), halfRead.close()])
      await halfRead.close()
      equal(await halfRead.nextBatch(), [])
      const read = collection().find({}, { batchSize: 10 })
      equal((await read.toArray()).length, 50)
      await read.close()
      const disposed = collection().find({}, { batchSize: 10 })
      await disposed.next()
      await disposed[Symbol.asyncDispose]()
      equal(await disposed.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'many cursors of one client are read in turns',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(60))
      const cursors = Array.from({ length: 10 }, () =>
        collection().find({}, { sort, batchSize: 20 }),
      )
      for (let page = 0; page < 3; page++) {
        const batches = await Promise.all(cursors.map((cursor) => cursor.nextBatch()))
        for (const batch of batches) equal(ids(batch), numbers(page * 20, page * 20 + 20))
      }
    },
  },
  {
    name: 'the deadline is that of a page, not of the whole',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(30))
      const timeoutMs = 1000
      const cursor = collection().find({}, { sort, batchSize: 10, timeoutMs })
      await cursor.nextBatch()
      // What passes here is the time that the first page had.
      await new Promise((resolve) => setTimeout(resolve, timeoutMs + 50))
      equal(ids(await cursor.nextBatch()), numbers(10, 20))
      await cursor.close()
    },
  },
  {
    name: 'a page may have a deadline and a signal of its own',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(30))
      const cursor = collection().find({}, { sort, batchSize: 10 })
      equal(ids(await cursor.nextBatch({ timeoutMs: 5000 })), numbers(0, 10))
      await rejects(cursor.nextBatch({ signal: AbortSignal.abort() }), {
        kind: 'aborted',
        outcome: 'not-applied',
      })
    },
  },
  {
    name: 'a signal ends it between two pages, and it stays ended',
    needs: ['cursors'],
    async run({ collection }) {
      await collection().insertMany(rows(30))
      const abort = new AbortController()
      const cursor = collection().find({}, { sort, batchSize: 10, signal: abort.signal })
      await cursor.nextBatch()
      abort.abort()
      await rejects(cursor.next(), { kind: 'aborted', outcome: 'not-applied', retryable: false })
      equal(await cursor.next(), { done: true, value: undefined })
    },
  },
  {
    name: 'documents that would not fit one reply come in several',
    needs: ['cursors'],
    async run({ collection }) {
      const value = new Uint8Array(3 * 2 ** 20)
      for (let _id = 0; _id < 8; _id++) await collection().insertOne({ _id, value })
      const seen: number[] = []
      const cursor = collection().find({}, { sort, timeoutMs: 15_000 })
      for await (const { _id, value: found } of cursor) {
        const { length } = (found as { buffer: Uint8Array }).buffer
        ok(length === value.length, `${length} bytes of document ${_id}`)
        seen.push(_id)
      }
      equal(seen, numbers(0, 8))
    },
  },
  {
    name: 'an empty result has no page',
    async run({ collection }) {
      for (const cursor of [collection().find(), collection().aggregate([])]) {
        equal(await cursor.nextBatch(), [])
        equal(cursor.exhausted, true)
      }
    },
  },
]
