import { afterAll, expect, test } from 'vitest'
import { installPackage } from './project.ts'
import { workerSize } from './worker-size.ts'

const project = await installPackage()
await project.link('bson')
afterAll(() => project.remove())

/** Of bson, the EJSON alone: what anyone has who reads documents over HTTP. */
const ejson = `
  import { EJSON } from 'bson'
  export default {
    async fetch(request) {
      return new Response(EJSON.stringify(EJSON.parse(await request.text())))
    },
  }
`

/** The client without an adapter, and EJSON. */
const client = `
  import { EJSON } from 'bson'
  import { MongoDB } from 'dualport/mongodb'
  export default {
    async fetch(request, env) {
      const mongodb = new MongoDB(env.driver)
      const document = await mongodb.database().collection('greetings').findOne({})
      return new Response(EJSON.stringify(EJSON.parse(EJSON.stringify(document))))
    },
  }
`

const dataApi = `
  import { MongoDB } from 'dualport/mongodb'
  import { dataApi } from 'dualport/mongodb/data-api'
  export default {
    async fetch(request, env) {
      const mongodb = new MongoDB(dataApi({ url: env.MONGODB_URL, token: env.MONGODB_TOKEN }))
      const document = await mongodb.database().collection('greetings').findOne({})
      return Response.json(document)
    },
  }
`

/** KB, gzip. */
const limits = {
  /** The data-api adapter itself, over a Worker with the client and bson's EJSON. */
  adapter: 8,
  /** Everything over bson's EJSON. Raise it knowingly: the client with its checks of what goes out is two thirds. */
  whole: 18.5,
}

test('the data-api adapter adds little to a Worker', async ({ task }) => {
  const kilobytes = async (source: string) => (await workerSize(project, source)) / 1024
  const base = await kilobytes(ejson)
  const without = await kilobytes(client)
  const worker = await kilobytes(dataApi)
  const [adapter, whole] = [worker - without, worker - base]
  task.meta.report =
    `Worker with MongoDB and data-api: ${worker.toFixed(2)} KB gzip, ${base.toFixed(2)} of which ` +
    `are bson's EJSON; the adapter is ${adapter.toFixed(2)} of ${limits.adapter}, ` +
    `with the client ${whole.toFixed(2)} of ${limits.whole}`
  expect(adapter).toBeLessThanOrEqual(limits.adapter)
  expect(whole).toBeLessThanOrEqual(limits.whole)
})

test('and one without bson can do without it, where MongoDB is one of several backends', async () => {
  const bare = await installPackage()
  try {
    const source = `
      import { createInfrastructure } from 'dualport/auto'
      export default {
        async fetch(request, env) {
          return new Response(await createInfrastructure(env).redis.get('greeting'))
        },
      }
    `
    expect(await workerSize(bare, source)).toBeGreaterThan(0)
  } finally {
    await bare.remove()
  }
})
