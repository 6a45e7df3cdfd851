import { gateway } from '../../adapters/sql/gateway.ts'
import { planetscale } from '../../adapters/sql/planetscale.ts'
import { Sql } from '../../src/sql/index.ts'
import { type Procedures, runCase, sqlSuite } from '../../src/testing/index.ts'

interface Env {
  readonly SQL_ADAPTER: 'planetscale' | 'gateway'
  readonly SQL_URL: string
  readonly SQL_TOKEN: string
  readonly SQL_PROCEDURES: string
}

/** One client for all requests, as a Worker would have it. */
let shared: Sql | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { SQL_ADAPTER: adapter, SQL_URL: url, SQL_TOKEN: token } = env
    const driver = () =>
      adapter === 'planetscale'
        ? planetscale({ url, username: 'any', password: token })
        : gateway({ url, token })
    shared ??= new Sql(driver(), { logger: false })
    const sql = shared
    const procedures = async () => JSON.parse(env.SQL_PROCEDURES) as Procedures
    const name = new URL(request.url).searchParams.get('case')
    const found = sqlSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      await runCase(sqlSuite, found, { sql, driver, procedures })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
