import { createConnection } from 'mysql2/promise'
import type { Procedures } from '../../src/testing/index.ts'
import { engine } from '../engines/index.ts'
import { ownDatabase } from '../engines/own.ts'

/** A MySQL for one test file, a database of its own there, and the suite's procedures in it. */
export async function mysqlDatabase(): Promise<{
  readonly url: string
  readonly missing?: string
  procedures(): Promise<Procedures>
}> {
  const server = await engine('mysql')
  const { url } = await ownDatabase(server)
  const procedures = { add: 'suite_add', twoResults: 'suite_two_results' }
  if (server.missing !== undefined) {
    return { url, missing: server.missing, procedures: async () => procedures }
  }
  const connection = await createConnection(url)
  await connection.query(
    'create procedure suite_add(a int, b int) select a + b as sum from dual where a is not null',
  )
  await connection.query(
    `create procedure suite_two_results(code int) begin
      select 1 as first; select 2 as second union all select 3; end`,
  )
  await connection.end()
  return { url, procedures: async () => procedures }
}
