import { gateway } from '../../adapters/scylladb/gateway.ts'
import { ScyllaDB } from '../../src/scylladb/index.ts'
import { runCase } from '../../src/testing/index.ts'
import { scyllaSuite } from '../../src/testing/scylladb.ts'

interface Env {
  readonly SCYLLADB_URL: string
  readonly SCYLLADB_TOKEN: string
  readonly SCYLLADB_KEYSPACE: string
}

/** One client for all requests, as a Worker would have it. */
let shared: ScyllaDB | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { SCYLLADB_URL: url, SCYLLADB_TOKEN: token, SCYLLADB_KEYSPACE: keyspace } = env
    const driver = () => gateway({ url, token, keyspace })
    shared ??= new ScyllaDB(driver(), { logger: false })
    const scylladb = shared
    const name = new URL(request.url).searchParams.get('case')
    const found = scyllaSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(scyllaSuite, found, { scylladb, driver })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
