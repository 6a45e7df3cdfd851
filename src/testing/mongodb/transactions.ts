import { equal, rejects } from '../assert.ts'
import type { MongoCase } from './fixture.ts'

interface Account {
  readonly _id: string
  readonly balance: number
}

export const transactions: readonly MongoCase[] = [
  {
    name: 'all of it is there, with what the work gives',
    needs: ['transactions'],
    async run({ mongodb, collection }) {
      const accounts = collection<Account>()
      await accounts.insertMany([
        { _id: 'a', balance: 10 },
        { _id: 'b', balance: 0 },
      ])
      const moved = await mongodb.withTransaction(async (transaction) => {
        const inside = transaction.database().collection<Account>(accounts.name)
        await inside.updateOne({ _id: 'a' }, { $inc: { balance: -7 } })
        await inside.updateOne({ _id: 'b' }, { $inc: { balance: 7 } })
        equal((await accounts.findOne({ _id: 'a' }))?.balance, 10, 'what others see meanwhile')
        return (await inside.findOne({ _id: 'b' }))?.balance
      })
      equal(moved, 7)
      equal(await accounts.find({}, { sort: { _id: 1 } }).toArray(), [
        { _id: 'a', balance: 3 },
        { _id: 'b', balance: 7 },
      ])
    },
  },
  {
    name: 'what the work throws undoes it, and comes out as it was thrown',
    needs: ['transactions'],
    async run({ mongodb, collection }) {
      const accounts = collection<Account>()
      await accounts.insertOne({ _id: 'a', balance: 10 })
      const mine = new Error('of the work')
      const failed = mongodb.withTransaction(async (transaction) => {
        const inside = transaction.database().collection<Account>(accounts.name)
        await inside.deleteMany({})
        throw mine
      })
      equal(await failed.catch((error) => error === mine), true)
      equal(await accounts.find().toArray(), [{ _id: 'a', balance: 10 }])
    },
  },
  {
    name: 'an operation that fails undoes it',
    needs: ['transactions'],
    async run({ mongodb, collection }) {
      const accounts = collection<Account>()
      await accounts.insertOne({ _id: 'a', balance: 10 })
      const failed = mongodb.withTransaction(async (transaction) => {
        const inside = transaction.database().collection<Account>(accounts.name)
        await inside.insertOne({ _id: 'b', balance: 1 })
        await inside.insertOne({ _id: 'a', balance: 1 })
      })
      await rejects(failed, { kind: 'conflict' })
      equal(await accounts.find().toArray(), [{ _id: 'a', balance: 10 }])
    },
  },
  {
    name: 'those that conflict are run again, and none is lost',
    needs: ['transactions'],
    async run({ mongodb, collection }) {
      const accounts = collection<Account>()
      await accounts.insertOne({ _id: 'a', balance: 0 })
      const add = () =>
        mongodb.withTransaction(async (transaction) => {
          const inside = transaction.database().collection<Account>(accounts.name)
          const { balance } = (await inside.findOne({ _id: 'a' })) as Account
          await inside.updateOne({ _id: 'a' }, { $set: { balance: balance + 1 } })
        })
      await Promise.all(Array.from({ length: 5 }, add))
      equal((await accounts.findOne())?.balance, 5)
    },
  },
  {
    name: 'a cursor reads within it',
    needs: ['transactions', 'cursors'],
    async run({ mongodb, collection }) {
      const accounts = collection<Account>()
      await accounts.insertOne({ _id: 'a', balance: 0 })
      const seen = await mongodb.withTransaction(async (transaction) => {
        const inside = transaction.database().collection<Account>(accounts.name)
        await inside.insertMany([
          { _id: 'b', balance: 1 },
          { _id: 'c', balance: 2 },
        ])
        const found = await inside.find({}, { sort: { _id: 1 }, batchSize: 1 }).toArray()
        return found.map(({ _id }) => _id)
      })
      equal(seen, ['a', 'b', 'c'])
    },
  },
  {
    name: 'without transactions the work does not begin',
    without: 'transactions',
    async run({ mongodb }) {
      let begun = false
      const work = mongodb.withTransaction(async () => {
        begun = true
      })
      const unsupported = { kind: 'unsupported', outcome: 'not-applied', retryable: false } as const
      await rejects(work, unsupported)
      equal(begun, false)
    },
  },
  {
    name: 'a total time that is none is invalid',
    needs: ['transactions'],
    async run({ mongodb }) {
      for (const timeoutMs of [0, -1, Number.NaN]) {
        await rejects(
          mongodb.withTransaction(async () => {}, { timeoutMs }),
          { kind: 'invalid' },
        )
      }
    },
  },
]
