import { MongoClient } from 'mongodb'
import { ferretdb } from './ferretdb.ts'
import { type EngineProcess, freePort, startProcess, until } from './process.ts'

export interface MongodbServer {
  /** `mongodb://127.0.0.1:49152` */
  readonly url: string
  /** It speaks MongoDB's protocol, but has no transactions, no change streams and few aggregation stages. */
  readonly isFerretdb: boolean
  stop(): Promise<void>
}

/** A FerretDB of our own, which may be paused, killed and started again with its data. */
export interface MongodbProcess extends MongodbServer, EngineProcess {
  readonly port: number
  /** After `kill`: again where it was, with its data. Resolves when it answers. */
  start(): Promise<void>
}

/** The server that MONGODB_URL names, or else a FerretDB of our own. */
export async function mongodbServer(): Promise<MongodbServer> {
  const url = process.env.MONGODB_URL
  return url === undefined ? startMongodb() : mongodbAt(url)
}

/** A server that runs. */
export async function mongodbAt(url: string): Promise<MongodbServer> {
  const client = new MongoClient(url)
  try {
    const { ferretdbVersion } = await client.db('admin').command({ buildInfo: 1 })
    return { url, isFerretdb: ferretdbVersion !== undefined, stop: async () => {} }
  } finally {
    await client.close()
  }
}

/** Starts FerretDB over SQLite files and resolves when it answers. */
export async function startMongodb(): Promise<MongodbProcess> {
  const command = await ferretdb()
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const url = `mongodb://127.0.0.1:${port}`
    const server = await startProcess(command, (directory) => [`127.0.0.1:${port}`, directory])
    try {
      await answers(url, server)
      return mongodbProcess(url, port, server)
    } catch (error) {
      await server.stop()
      // Someone else may have taken the port between our look and FerretDB's bind.
      if (attempt === 3) throw error
    }
  }
}

function mongodbProcess(url: string, port: number, server: EngineProcess): MongodbProcess {
  return {
    url,
    port,
    isFerretdb: true,
    get pid() {
      return server.pid
    },
    get ended() {
      return server.ended
    },
    pause: server.pause,
    resume: server.resume,
    kill: server.kill,
    start: async () => {
      await server.start()
      await answers(url, server)
    },
    stop: server.stop,
  }
}

function answers(url: string, server: EngineProcess): Promise<void> {
  return until(() => ping(url), server)
}

/** By a client of its own: one that was refused waits 500 ms before it looks again. */
async function ping(url: string): Promise<boolean> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 100 })
  try {
    return (await client.db('admin').command({ ping: 1 })).ok === 1
  } finally {
    await client.close()
  }
}
