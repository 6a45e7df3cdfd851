import { type Collection, MongoClient } from 'mongodb'
import { expect, onTestFinished, test, vi } from 'vitest'
import { engine, needs } from './index.ts'
import { mongodbServer } from './mongodb.ts'

const mongodb = await engine('mongodb-process')
const shared = await engine('mongodb')

test('a FerretDB keeps what is inserted, and says what it is', needs(mongodb), async () => {
  const things = connect(mongodb.url)
  await things.insertOne({ name: 'one' })
  expect(await things.findOne({ name: 'one' })).toMatchObject({ name: 'one' })
  expect(mongodb.isFerretdb).toBe(true)
})

test('a paused FerretDB answers once it is resumed', needs(mongodb), async () => {
  mongodb.pause()
  const count = connect(mongodb.url).countDocuments({ name: 'none' })
  mongodb.resume()
  expect(await count).toBe(0)
})

test(
  'a killed FerretDB is gone, and starts again where it was with its data',
  needs(mongodb),
  async () => {
    const { pid, ended, url } = mongodb
    await connect(url).insertOne({ name: 'kept' })
    mongodb.pause()
    await mongodb.kill()
    expect(ended.aborted).toBe(true)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(connect(url).findOne({})).rejects.toThrow('ECONNREFUSED')

    await mongodb.start()
    expect(mongodb.pid).not.toBe(pid)
    expect(mongodb.ended.aborted).toBe(false)
    expect(await connect(url).findOne({ name: 'kept' })).toMatchObject({ name: 'kept' })
  },
)

test('the MongoDB that MONGODB_URL names is used, and left running', needs(mongodb), async () => {
  vi.stubEnv('MONGODB_URL', mongodb.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const given = await mongodbServer()
  expect(given).toMatchObject({ url: mongodb.url, isFerretdb: true })
  await given.stop()
  expect(await connect(mongodb.url).countDocuments({ name: 'none' })).toBe(0)
})

test('whoever asks for any MongoDB gets the same one', needs(shared), async () => {
  const again = await engine('mongodb')
  expect(again.url).toBe(shared.url)
  expect(again.url).not.toBe(mongodb.url)
})

function connect(url: string): Collection {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 })
  onTestFinished(() => client.close())
  return client.db('engines').collection('things')
}
