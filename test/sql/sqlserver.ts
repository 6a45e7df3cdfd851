import { randomUUID } from 'node:crypto'
import { afterAll } from 'vitest'
import { mssql } from '../../adapters/sql/mssql.ts'
import { Sql } from '../../src/sql/index.ts'
import type { Procedures } from '../../src/testing/index.ts'
import { sqlServerErrors, startTdsServer } from '../engines/tds.ts'

/** The SQL Server that SQLSERVER_URL names, or the TDS server of the tests; with the suite's procedures. */
export async function sqlServer(): Promise<{
  readonly url: string
  procedures(): Promise<Procedures>
}> {
  const url = process.env.SQLSERVER_URL
  return url === undefined ? testServer() : realServer(url)
}

async function testServer() {
  const server = await startTdsServer({
    procedures: {
      suite_add({ a, b }) {
        if (b === undefined) throw sqlServerErrors.missingParameter('suite_add', 'b')
        const rows = a === null ? [] : [{ sum: Number(a) + Number(b) }]
        return { sets: [{ columns: { sum: 'int' }, rows }] }
      },
      suite_two_results: () => ({
        sets: [{ rows: [{ first: 1 }] }, { rows: [{ second: 2 }, { second: 3 }] }],
      }),
      suite_double: ({ a }) => ({ output: { doubled: Number(a) * 2 }, returnValue: Number(a) }),
    },
  })
  afterAll(() => server.stop())
  const names = { add: 'suite_add', twoResults: 'suite_two_results', double: 'suite_double' }
  return { url: server.url, procedures: async () => names }
}

async function realServer(url: string) {
  const sql = new Sql(mssql({ url }), { logger: false })
  const unique = randomUUID().replaceAll('-', '')
  const names = {
    add: `dualport_add_${unique}`,
    twoResults: `dualport_two_${unique}`,
    double: `dualport_double_${unique}`,
  }
  const texts = [
    `create procedure ${names.add} @a int, @b int as
      select @a + @b as sum where @a is not null`,
    `create procedure ${names.twoResults} @code int as
      begin select 1 as first; select 2 as second union all select 3 end`,
    `create procedure ${names.double} @a int, @doubled int output as
      begin set @doubled = @a * 2; return @a end`,
  ]
  for (const text of texts) await sql.execute(sql.raw(text))
  afterAll(async () => {
    for (const name of Object.values(names)) await sql.execute`drop procedure ${sql.id(name)}`
    await sql.close()
  })
  return { url, procedures: async () => names }
}
