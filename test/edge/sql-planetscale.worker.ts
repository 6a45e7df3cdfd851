import { planetscale } from '../../adapters/sql/planetscale.ts'
import { Sql } from '../../src/sql/index.ts'
import { runCase, sqlSuite } from '../../src/testing/index.ts'

interface Env {
  readonly MYSQL_URL: string
  readonly MYSQL_TOKEN: string
}

/** One client for all requests, as a Worker would have it. */
let shared: Sql | undefined

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { MYSQL_URL: url, MYSQL_TOKEN: password } = env
    const driver = () => planetscale({ url, username: 'any', password })
    shared ??= new Sql(driver(), { logger: false })
    const sql = shared
    const name = new URL(request.url).searchParams.get('case')
    const found = sqlSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    try {
      const procedures = async () => ({ add: 'suite_add', twoResults: 'suite_two_results' })
      await runCase(sqlSuite, found, { sql, driver, procedures })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    }
  },
}
