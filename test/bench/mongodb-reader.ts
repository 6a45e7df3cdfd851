/**
 * Reads a million documents from `bench.million` and prints how many there were, and the megabytes of resident
 * memory that they added at most: `mongodb-reader.ts mongodb|data-api|bare URL [TOKEN]`.
 */
import { MongoClient } from 'mongodb'
import { dataApi } from '../../adapters/mongodb/data-api.ts'
import { mongodb } from '../../adapters/mongodb/mongodb.ts'
import { MongoDB } from '../../src/mongodb/index.ts'

const [by, url = '', token = ''] = process.argv.slice(2)
const database = 'bench'

const client = by === 'bare' ? new MongoClient(url) : new MongoDB(driver(), { timeoutMs: 60_000 })
const documents = client instanceof MongoDB ? ours(client) : bare(client)

// The libraries are loaded and connected by then.
if (client instanceof MongoDB) await client.health()
else await client.connect()
const before = process.memoryUsage.rss()
let most = before
let count = 0
for await (const _ of documents) {
  if (++count % 1000 === 0) most = Math.max(most, process.memoryUsage.rss())
}
await client.close()
console.log(JSON.stringify({ count, addedMb: (most - before) / 2 ** 20 }))

function driver() {
  return by === 'data-api' ? dataApi({ url, token, database }) : mongodb({ url, database })
}

function ours(client: MongoDB): AsyncIterable<unknown> {
  return client.database().collection('million').find({}, { batchSize: 1000 })
}

function bare(client: MongoClient): AsyncIterable<unknown> {
  return client.db(database).collection('million').find({}, { batchSize: 1000 })
}
