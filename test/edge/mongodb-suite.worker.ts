import * as bson from 'bson'
import { dataApi } from '../../adapters/mongodb/data-api.ts'
import { MongoDB } from '../../src/mongodb/index.ts'
import { mongoSuite, runCase } from '../../src/testing/index.ts'

interface Env {
  readonly MONGODB_URL: string
  readonly MONGODB_TOKEN: string
  readonly MONGODB_DATABASE: string
}

/** One client for all requests, as a Worker would have it. */
let shared: MongoDB | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { MONGODB_URL: url, MONGODB_TOKEN: token, MONGODB_DATABASE: database } = env
    const driver = () => dataApi({ url, token, database })
    shared ??= new MongoDB(driver(), { logger: false })
    const mongodb = shared
    const name = new URL(request.url).searchParams.get('case')
    const found = mongoSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(mongoSuite, found, { mongodb, driver, bson })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
