import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BSON, MongoClient } from 'mongodb'
import { dataApi } from '../../adapters/mongodb/data-api.ts'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { type Figure, inTurns, type Pair, timed } from './figure.ts'
import type { Stage } from './stage.ts'

const run = promisify(execFile)

const database = 'bench'
const { EJSON, ObjectId } = BSON
const _id = new ObjectId()
const document = {
  _id,
  name: 'Ann',
  age: 30,
  visits: 2n ** 40n,
  at: new Date(0),
  tags: ['a', 'b'],
  address: { city: 'Oslo', zip: '0150' },
}
/** Both with the same values and the same pool. */
const maxPoolSize = 5
const values = { useBigInt64: true, bsonRegExp: true, ignoreUndefined: true } as const

export const figures: Figure[] = [
  {
    name: 'mongodb.findOne.tcp.c50',
    bare: 'mongodb',
    unit: 'us',
    comparison: 'ratio',
    target: 0.93,
    async measure(stage) {
      const { url } = await stage.mongodb()
      await using ours = new MongoDB(mongodb({ url, database, maxPoolSize }))
      const bare = new MongoClient(url, { maxPoolSize, ...values })
      const [here, there] = [ours.database().collection('one'), bare.db(database).collection('one')]
      try {
        await there.replaceOne({ _id }, document, { upsert: true })
        await expectDocument(here.findOne({ _id }))
        await expectDocument(there.findOne({ _id }))
        return await inTurns(
          25,
          () => timed(5000, 50, () => here.findOne({ _id })),
          () => timed(5000, 50, () => there.findOne({ _id })),
        )
      } finally {
        await bare.close()
      }
    },
  },
  {
    name: 'mongodb.findOne.http.c50',
    bare: "fetch and bson's EJSON",
    unit: 'us',
    comparison: 'ratio',
    async measure(stage) {
      const { url, token } = await stage.mongodbGateway()
      await using ours = new MongoDB(dataApi({ url, token, database }))
      const here = ours.database().collection('one')
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/ejson',
        accept: 'application/ejson',
      }
      const namespace = { dataSource: 'default', database, collection: 'one' }
      const byHand = async () => {
        const body = EJSON.stringify({ ...namespace, filter: { _id } }, { relaxed: false })
        const response = await fetch(`${url}/action/findOne`, { method: 'POST', headers, body })
        return EJSON.parse(await response.text(), { useBigInt64: true }).document
      }
      await here.replaceOne({ _id }, document, { upsert: true })
      await expectDocument(here.findOne({ _id }))
      await expectDocument(byHand())
      return await inTurns(
        25,
        () => timed(2000, 50, () => here.findOne({ _id })),
        () => timed(2000, 50, byHand),
      )
    },
  },
  {
    ...memory('mongodb.find.1M.memory.tcp'),
    measure: async (stage) => pair(stage, (url) => read('mongodb', url)),
  },
  {
    ...memory('mongodb.find.1M.memory.http'),
    measure: async (stage) => {
      const { url, token } = await stage.mongodbGateway()
      return pair(stage, () => read('data-api', url, token))
    },
  },
  {
    ...memory('mongodb.find.1M.memory.gateway'),
    measure: async (stage) => {
      const { url, token, pid } = await stage.mongodbGateway()
      return pair(stage, () => addedTo(pid, read('data-api', url, token)))
    },
  },
]

async function expectDocument(reply: Promise<unknown>): Promise<void> {
  const found = (await reply) as typeof document
  if (found.visits !== document.visits) throw new Error('the reply is not the document')
}

// Memory -----------------------------------------------------------------------------------------

const million = 1_000_000

/** Resident memory that a find of a million documents adds. */
function memory(name: string) {
  return { name, bare: 'mongodb, for await', unit: 'MB', comparison: 'total', target: 200 } as const
}

/** One round: a figure of megabytes needs no more. */
async function pair(stage: Stage, ours: (url: string) => Promise<number>): Promise<Pair[]> {
  const { url } = await stage.mongodb()
  const client = new MongoClient(url)
  const collection = client.db(database).collection<{ _id: number }>('million')
  try {
    for (let from = await collection.countDocuments(); from < million; from += 10_000) {
      const documents = Array.from({ length: 10_000 }, (_, i) => ({
        _id: from + i,
        name: `name ${from + i}`,
        n: i,
      }))
      await collection.insertMany(documents, { ordered: false })
    }
  } finally {
    await client.close()
  }
  return [{ dualport: await ours(url), bare: await read('bare', url) }]
}

/** In a process of its own, which says how much it has grown. */
async function read(by: 'mongodb' | 'data-api' | 'bare', url: string, token = ''): Promise<number> {
  const reader = fileURLToPath(new URL('./mongodb-reader.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [reader, by, url, token])
  const { count, addedMb } = JSON.parse(stdout) as { count: number; addedMb: number }
  if (count !== million) throw new Error(`${count} documents were read`)
  return addedMb
}

/** How many megabytes a process grows by meanwhile. */
async function addedTo(pid: number, work: Promise<unknown>): Promise<number> {
  const before = await resident(pid)
  let most = before
  let done = false
  const watch = async () => {
    while (!done) {
      most = Math.max(most, await resident(pid))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const [, worked] = await Promise.allSettled([watch(), work.finally(() => (done = true))])
  if (worked.status === 'rejected') throw worked.reason
  return most - before
}

async function resident(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) / 1024
}
