import { type HyperdriveBinding, mysql2 } from '../../adapters/sql/mysql2.ts'
import { isInfraError } from '../../src/core/index.ts'
import { Sql } from '../../src/sql/index.ts'
import { type Procedures, runCase, sqlSuite } from '../../src/testing/index.ts'

interface Env {
  readonly HYPERDRIVE: HyperdriveBinding
  readonly SQL_PROCEDURES: string
}

export default {
  /** Each request has a client of its own, closed at its end. */
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/without') return without()
    const name = searchParams.get('case')
    const found = sqlSuite.cases.find((each) => each.name === name)
    if (found === undefined) return new Response('there is no such case', { status: 404 })
    const driver = () => mysql2({ hyperdrive: env.HYPERDRIVE })
    const sql = new Sql(driver(), { logger: false })
    const procedures = async () => JSON.parse(env.SQL_PROCEDURES) as Procedures
    try {
      await runCase(sqlSuite, found, { sql, driver, procedures })
      return Response.json({ passed: true })
    } catch (error) {
      return Response.json({ passed: false, error: (error as Error).stack })
    } finally {
      context.waitUntil(sql.close())
    }
  },
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

/** An adapter that is not given a binding. */
function without(): Response {
  try {
    mysql2({ url: 'mysql://root@127.0.0.1/' })
    return new Response('it was made')
  } catch (error) {
    if (!isInfraError(error)) throw error
    return new Response(`${error.code}: ${error.message}`)
  }
}
